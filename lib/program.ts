/**
 * The common part of both programs, around their work. It chooses the language, answers `--help`
 * and a wrong command line, and turns signals and the `q` key into one signal to hang up. It turns
 * every error into a sentence and an exit status.
 */

import { withoutSecrets } from "./media/input.ts";
import { type ChildWatch, shellLine } from "./media/child.ts";
import { displayDriver } from "./media/display.ts";
import { UsageError } from "./errors.ts";
import { showCameras, showDevices } from "./listing.ts";
import { readVersion } from "./media/ffmpeg.ts";
import { type Keys, watchKeys } from "./user/keys.ts";
import { chooseAddress, type Interface, type LocalAddress } from "./wire/local_ip.ts";
import { Log } from "./user/log.ts";
import { describe } from "./user/problems.ts";
import { type Language, messagesIn, systemLanguage } from "./user/sentences.ts";
import { shownName } from "./user/name.ts";
import type { Program } from "./user/command_line.ts";
import { formatHelp } from "./user/help.ts";
import type { CommonOptions } from "./user/options.ts";
import { readRoutes } from "./routes.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";

/** The variable that has the code of private calls. */
const CODE_VARIABLE = "CHAMADA_CODE";

/** The parts of a program. */
export interface ProgramParts<Options extends CommonOptions> {
  /** One of the two programs. */
  readonly program: Program;
  /** Its command line. */
  readonly args: readonly string[];
  /** Its version. */
  readonly version: string;
  /** Reads the command line. Throws `UsageError`. */
  readonly parse: (args: readonly string[], language: Language) => Options;
  /** The work. Resolves to the exit status. */
  readonly run: (options: Options, around: Surroundings) => Promise<number>;
}

/**
 * The command with which the user starts the other program, for sentences that tell a command to
 * type.
 */
export function commandOf(program: Program): string {
  if (Deno.build.standalone) return Deno.build.os === "windows" ? `${program}.exe` : `./${program}`;
  return program === "server" ? "deno task serve" : "deno task send";
}

/** The cards of this machine. */
export function interfaces(): readonly Interface[] {
  return Deno.networkInterfaces();
}

/**
 * Finds this machine's address on its network, of one kind if wanted. Resolves to nothing if the
 * machine is on no network.
 */
export async function findOwnAddress(
  { watch }: Pick<Surroundings, "watch">,
  family?: Interface["family"],
): Promise<LocalAddress | undefined> {
  const all = interfaces().filter((one) => family === undefined || one.family === family);
  const own = chooseAddress(all);
  const offered = own === undefined ? [] : [own.address, ...own.others];
  const cards = new Set(
    all.filter(({ address }) => offered.includes(address)).map(({ name }) => name),
  );
  // Reading the routes takes a quarter of a second, and most machines have only one card.
  if (cards.size === 1) return own;
  return chooseAddress(all, await readRoutes(Deno.build.os, watch));
}

/**
 * Runs a program and ends it with its exit status. Signals are heard to the very end. `deno task`
 * hands on a Ctrl-C that has reached us already, and the second one must not kill a program that is
 * about to end in order.
 */
export async function runProgram<Options extends CommonOptions>(
  parts: ProgramParts<Options>,
): Promise<void> {
  const { program, args, version, parse } = parts;
  const variable = (name: string): string | undefined => Deno.env.get(name);
  let options: Options;
  let plain: boolean;
  try {
    options = parse(args, systemLanguage(variable, navigator.language));
    plain = variable("TERM") === "dumb";
  } catch (error) {
    const messages = messagesIn("en");
    const log = new Log({
      quiet: false,
      verbose: false,
      trace: false,
      dropped: messages.linesDropped,
    });
    log.error(describe(error, messages, Deno.build.os, "HOST"));
    return await leave(log, error instanceof UsageError ? EXIT.usage : EXIT.failed);
  }
  const { instead, language, quiet, verbose, trace, messages } = options;
  const dropped = messages.linesDropped;
  // The output that the user asked for is printed, however quiet the rest is.
  const log = new Log({ quiet: quiet && instead === undefined, verbose, trace, plain, dropped });
  let exit: number = EXIT.ok;
  if (instead === "help") log.say(formatHelp(program, commandOf(program), language));
  else if (instead === "version") log.say(`chamada ${program} ${version}`);
  else exit = await work(parts, options, log, variable);
  await leave(log, exit);
}

/**
 * Lets the last words leave and ends. Everything is released by now. But a write to a terminal that
 * has stopped cannot be taken back, and Deno would wait for it.
 */
async function leave(log: Log, exit: number): Promise<void> {
  Deno.exitCode = exit;
  await log.close();
  Deno.exit();
}

/** Does the work, and turns every error into a sentence. Resolves to the exit status. */
async function work<Options extends CommonOptions>(
  { program, version, run }: ProgramParts<Options>,
  options: Options,
  log: Log,
  variable: (name: string) => string | undefined,
): Promise<number> {
  const { messages } = options;
  const code = takeCode();
  const hangUp = new AbortController();
  const end = (): void => hangUp.abort();
  watchSignals(end);
  const keyboard = new EventTarget();
  using keys = watchKeys({
    onQuit: (): void => {
      if (keyboard.dispatchEvent(new Event("quit", { cancelable: true }))) end();
    },
    onMute: (): void => void keyboard.dispatchEvent(new Event("mute")),
    onInterrupt: end,
  });
  watchStops(keys, log, variable("INIT_CWD") !== undefined);
  let failed = false;
  const fail = (error: unknown): void => {
    failed = true;
    log.status("");
    log.error(describe(error, messages, Deno.build.os, program === "server" ? "CLIENT" : "HOST"));
    if (error instanceof Error) log.debug(program, withoutFolders(error.stack ?? ""));
  };
  // An unexpected error is no reason to lose a recording: the call ends as by a hang-up.
  using _strays = watchStrays((error) => {
    fail(error);
    hangUp.abort();
  });
  try {
    if (options.verbose) tellVersions(log, program, version);
    const around: Surroundings = {
      log,
      watch: options.verbose ? watchChildren(log) : undefined,
      messages,
      system: Deno.build.os,
      name: options.name ?? machineName(),
      screen: options.display ? displayDriver(Deno.build.os, variable) : "none",
      keys: keys.watching,
      hangUp: hangUp.signal,
      keyboard,
      code,
      readHidden: keys.watching ? (signal) => keys.readHidden(signal) : undefined,
    };
    const { instead } = options;
    const exit = instead === "cameras"
      ? await showCameras(around)
      : instead === "devices"
      ? await showDevices(around)
      : await run(options, around);
    return failed ? EXIT.failed : exit;
  } catch (error) {
    fail(error);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

/** Takes the code out of the environment: child processes have no use for it. */
function takeCode(): string | undefined {
  const code = Deno.env.get(CODE_VARIABLE);
  Deno.env.delete(CODE_VARIABLE);
  return code === "" ? undefined : code;
}

/** Tells the versions of the programs that work here. Nobody waits for a slow ffmpeg. */
function tellVersions(log: Log, program: Program, version: string): void {
  log.debug(program, `chamada ${version}, deno ${Deno.version.deno}, ${Deno.build.target}`);
  readVersion().then(
    (ffmpeg) => log.debug(program, `ffmpeg ${ffmpeg}`),
    (error: Error) => log.debug(program, error.message),
  );
}

/** Logs the command lines and the words of child processes, without the passwords in them. */
function watchChildren(log: Log): ChildWatch {
  return {
    started(child, words): void {
      log.debug(child, shellLine(words.map(withoutSecrets), Deno.build.os));
    },
    said(child, line): void {
      // The progress of an ffmpeg is no news, and comes twice a second.
      if (/(^|\] )frame= *\d/.test(line)) return;
      // A stream may put anything into its description, and a terminal would obey it.
      log.debug(child, withoutSecrets(line.replace(/\p{Cc}/gu, " ")));
    },
    ended(child, code): void {
      log.debug(child, `ended with status ${code}`);
    },
  };
}

/** The name of this machine without its domain. Empty if the program may not know it. */
function machineName(): string {
  try {
    return shownName(Deno.hostname().split(".")[0]!);
  } catch {
    return "";
  }
}

/** A stack without the folder of the program, which is nobody's affair. */
function withoutFolders(stack: string): string {
  return stack.replace(/file:\/\/\S*\/(?=[^\s/]+\.[jt]s)/g, "");
}

/** Calls `onStray` for errors that nobody catches. They would end Deno at once. */
function watchStrays(onStray: (error: unknown) => void): Disposable {
  const onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    onStray(event.reason);
  };
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    onStray(event.error);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return {
    [Symbol.dispose](): void {
      globalThis.removeEventListener("unhandledrejection", onRejection);
      globalThis.removeEventListener("error", onError);
    },
  };
}

/**
 * Calls `onSignal` for every signal that asks a program to end. A second one changes nothing: the
 * end is under way.
 */
function watchSignals(onSignal: () => void): void {
  const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
}

/**
 * Handles Ctrl-Z. A shell stops a program by it. The program then has to ask for its keys again
 * when it goes on. A runner of tasks (`deno task`, `npm run`) does not stop itself, and nobody
 * would let the program go on. Ctrl-Z does nothing there.
 */
function watchStops(keys: Keys, log: Log, byRunner: boolean): void {
  if (Deno.build.os === "windows") return;
  if (byRunner) return Deno.addSignalListener("SIGTSTP", () => {});
  Deno.addSignalListener("SIGCONT", async () => {
    // A terminal that takes no words would not give its keys either. The program would wait for it.
    if (await log.hasLeft()) keys.ask();
  });
}
