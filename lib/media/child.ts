/**
 * Child processes: the only place that starts one. The opener of a child must stop it. Its stderr
 * is always drained. The last lines are kept, for they say why it failed. Knows nothing of video.
 *
 * Children are detached from the terminal's process group. A Ctrl-C is ours to understand, and must
 * not kill the recorder before it has written the last frames. Children do not outlive us: a fed
 * one sees the end of its input, a feeding one cannot write.
 *
 * A command may be a script that starts the real program. Deno's rights let us signal the script
 * alone, and the real program may then hold our pipes. So we wait only a moment for the pipes once
 * the child has ended. Then we close them, which ends every read and write on them.
 */

import { within } from "../clock.ts";
import { NotInstalledError } from "../errors.ts";

/** The end of a child. */
export interface ChildEnd {
  /** Its exit status. It is 128 + n where signal n ended the child, as in a shell. */
  readonly code: number;
  /** True if a signal ended it. */
  readonly signalled: boolean;
  /** The last lines it wrote on stderr, newest last. */
  readonly lastLines: readonly string[];
}

/** The program to start, and the direction of its bytes. */
export interface ChildOptions {
  /** The program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** The direction of its bytes: we feed it, it feeds us, both, or neither. */
  readonly flow: "fed" | "feeding" | "through" | "none";
  /** Variables added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds that a fed child has to finish by itself when it is stopped. */
  readonly finishMs?: number;
  /** Hears each line that it writes on stderr, when it comes. */
  readonly onLine?: (line: string) => void;
  /** Hears what it does. */
  readonly watch?: ChildWatch | undefined;
}

/**
 * Hears what children do, for somebody who looks for a fault. A child is called by its command and
 * its id.
 */
export interface ChildWatch {
  /** The child was started by these words: variables, the command, its arguments. */
  started(child: string, words: readonly string[]): void;
  /** The child said a line on stderr. */
  said(child: string, line: string): void;
  /** The child has ended. */
  ended(child: string, code: number): void;
}

/** Milliseconds of waiting on each rung of the stop ladder. */
const RUNG_MS = 2000;

/**
 * Milliseconds that a child's last words may take to arrive after its end. Its own words are in the
 * pipe by then. Another holder of the pipe may hold it for good.
 */
const LAST_WORDS_MS = 300;

/** The number of lines of stderr that are kept. */
const KEPT_LINES = 20;

/** The most characters that are kept of a line without an end. */
const MAX_LINE = 32_768;

/** A running child process. */
export interface Child extends AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /**
   * Resolves when it has ended, for whatever reason, and never rejects. Its output may still be
   * read.
   */
  readonly ended: Promise<ChildEnd>;
  /**
   * Feeds it, one write after the other. Resolves to `true` when the bytes are with the kernel, and
   * to `false` when the child takes no more. For a `fed` child, or a `through` one.
   */
  write(data: Uint8Array): Promise<boolean>;
  /**
   * Reads exactly `into.length` bytes of a `feeding` or `through` child into `into`'s buffer, which
   * is given away. Resolves to the filled view, or `null` if the stream ends before.
   */
  read(into: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Ends its input, so that it finishes its work. Resolves when it has ended, or when `patienceMs`
   * are over.
   */
  finish(patienceMs: number): Promise<ChildEnd | undefined>;
  /** Ends it by the ladder: end of input or SIGTERM, then SIGTERM, then SIGKILL. Safe twice. */
  stop(): Promise<ChildEnd>;
}

/** Starts a child. Throws `NotInstalledError` if the program does not exist. */
export function openChild(options: ChildOptions): Child {
  const { command, args, flow, env, finishMs = RUNG_MS, onLine, watch } = options;
  const isFed = flow === "fed" || flow === "through";
  const isFeeding = flow === "feeding" || flow === "through";
  const process = spawn(command, args, {
    stdin: isFed ? "piped" : "null",
    stdout: isFeeding ? "piped" : "null",
    ...(env && { env: { ...env } }),
  });
  const name = `${command} ${process.pid}`;
  watch?.started(name, wordsOf(command, args, env));
  const writer = isFed ? process.stdin.getWriter() : undefined;
  const reader = isFeeding ? process.stdout.getReader({ mode: "byob" }) : undefined;
  // A write to a child that is gone is rejected. `write` and `ended` say so; nobody else needs to
  // hear of it.
  writer?.closed.catch(() => {});
  reader?.closed.catch(() => {});

  const lines = new LastLines((line) => {
    onLine?.(line);
    watch?.said(name, line);
  });
  const words = listen(process.stderr, (text) => lines.add(text));
  let giveUpWriting = (): void => {};

  const ended = (async (): Promise<ChildEnd> => {
    const { code, signal } = await process.status;
    await words.finish();
    lines.end();
    // Output that nobody has read yet is still in the pipe. `read` gives it, and `stop` gives it
    // up.
    writer?.abort().catch(() => {});
    giveUpWriting();
    watch?.ended(name, code);
    return { code, signalled: signal !== null, lastLines: lines.kept };
  })();

  let inputEnded = false;
  const endInput = (): void => {
    if (inputEnded) return;
    inputEnded = true;
    writer?.close().catch(() => {});
  };

  const finish = async (patienceMs: number): Promise<ChildEnd | undefined> => {
    endInput();
    return await within(ended, patienceMs);
  };

  let stopping: Promise<ChildEnd> | undefined;
  const stop = (): Promise<ChildEnd> =>
    stopping ??= (async (): Promise<ChildEnd> => {
      if (isFed) {
        // A child that writes to nobody would never come to the end of its input.
        if (isFeeding) await reader?.cancel().catch(() => {});
        const end = await finish(finishMs);
        if (end) return end;
      }
      kill(process, "SIGTERM");
      await reader?.cancel().catch(() => {});
      const end = await within(ended, RUNG_MS);
      if (end) return end;
      kill(process, "SIGKILL");
      return await ended;
    })();

  return {
    pid: process.pid,
    ended,
    async write(data: Uint8Array): Promise<boolean> {
      if (!writer || inputEnded) return false;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      giveUpWriting = (): void => resolve(false);
      writer.write(data).then(() => resolve(true), () => resolve(false));
      return await promise;
    },
    async read(into: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | null> {
      if (!reader) return null;
      try {
        const length = into.length;
        const { value, done } = await reader.read(into, { min: length });
        return done || value.length < length ? null : value;
      } catch {
        return null;
      }
    },
    finish,
    stop,
    async [Symbol.asyncDispose](): Promise<void> {
      await stop();
    },
  };
}

/**
 * Runs a short command to its end. Resolves to its stdout and stderr together. A command that takes
 * longer than `timeoutMs` is stopped; its output until then counts. Throws `NotInstalledError`.
 */
export async function readCommand(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  { env, watch }: Pick<ChildOptions, "env" | "watch"> = {},
): Promise<{ readonly code: number; readonly text: string }> {
  const process = spawn(command, args, { stdin: "null", stdout: "piped", env: { ...env } });
  const name = `${command} ${process.pid}`;
  watch?.started(name, wordsOf(command, args, env));
  const said = { stdout: "", stderr: "" };
  const stdout = listen(process.stdout, (text) => said.stdout += text);
  const stderr = listen(process.stderr, (text) => said.stderr += text);
  const timer = setTimeout(() => kill(process, "SIGKILL"), timeoutMs);
  const { code } = await process.status;
  clearTimeout(timer);
  await Promise.all([stdout.finish(), stderr.finish()]);
  if (watch) {
    const lines = new LastLines((line) => watch.said(name, line));
    lines.add(said.stderr);
    lines.end();
    watch.ended(name, code);
  }
  return { code, text: said.stdout + said.stderr };
}

/** Words as a line that can be pasted in a shell, of Windows or of another system. */
export function shellLine(words: readonly string[], system: string): string {
  return words.map((word) => {
    if (/^[\w@%+=:,./-]+$/.test(word)) return word;
    return system === "windows"
      ? `"${word.replaceAll('"', '\\"')}"`
      : `'${word.replaceAll("'", "'\\''")}'`;
  }).join(" ");
}

function wordsOf(
  command: string,
  args: readonly string[],
  env: ChildOptions["env"] = {},
): string[] {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [...variables, command, ...args];
}

function spawn(
  command: string,
  args: readonly string[],
  options: Deno.CommandOptions,
): Deno.ChildProcess {
  try {
    return new Deno.Command(command, {
      ...options,
      args: [...args],
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new NotInstalledError(command, { cause: error });
  }
}

function kill(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch (error) {
    // The child has ended meanwhile, which is the aim.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Reads a stream of text as it comes. `finish` waits only a moment for its end, and closes it. */
function listen(
  stream: ReadableStream<Uint8Array>,
  add: (text: string) => void,
): { finish(): Promise<void> } {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const reading = (async (): Promise<true> => {
    try {
      for (let got = await reader.read(); !got.done; got = await reader.read()) {
        add(decoder.decode(got.value, { stream: true }));
      }
    } catch {
      // The stream was closed during the read.
    }
    return true;
  })();
  return {
    async finish(): Promise<void> {
      if (await within(reading, LAST_WORDS_MS)) return;
      await reader.cancel().catch(() => {});
      await reading;
    },
  };
}

/** The last lines of a text that comes in parts, however long the text and its lines are. */
class LastLines {
  readonly kept: string[] = [];
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(text: string): void {
    const lines = (this.#rest + text).split(/[\r\n]+/);
    this.#rest = lines.pop()!.slice(-MAX_LINE);
    for (const line of lines) this.#keep(line.slice(-MAX_LINE).trim());
  }

  /** The text is over: the beginning of a line that it ends with is a line. */
  end(): void {
    this.#keep(this.#rest.trim());
    this.#rest = "";
  }

  #keep(line: string): void {
    if (line === "") return;
    this.kept.push(line);
    if (this.kept.length > KEPT_LINES) this.kept.shift();
    this.#onLine(line);
  }
}
