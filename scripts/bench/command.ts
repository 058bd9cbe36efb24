/** The command lines of the contenders and of the bench's own processes, and these processes. */

import { type Outcome, Running, type StartOptions } from "../kit/running.ts";

/** A command line. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Variables added to the environment. `DISPLAY` is removed if none is given. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs the rest of a command line. At its end it tells the processor time of that and of all its
 * children.
 */
const TIMED = ["sh", "-c", '"$@"; status=$?; times >&2; exit $status', "sh"];

/** Starts a command, which can be fed. */
export function start({ program, args, env }: Command): Running {
  return new Running([program, ...args], { stdin: "piped", ...(env && { env }) });
}

/** Starts a file of this folder that Deno runs. */
export function startWorker(file: string, args: readonly string[]): Running {
  return start(worker(file, args));
}

/** The command line of a file of this folder that Deno runs. */
export function worker(file: string, args: readonly string[]): Command {
  return {
    program: Deno.execPath(),
    args: ["run", "--quiet", "--no-prompt", "--allow-all", `scripts/bench/${file}`, ...args],
  };
}

/** A pipeline of commands. The first reads the input of the whole. */
export function pipeline(...commands: readonly Command[]): Command {
  const env = Object.assign({}, ...commands.map((command) => command.env ?? {}));
  const text = commands.map(({ program, args }) => [program, ...args].map(quoted).join(" "));
  return { program: "sh", args: ["-c", text.join(" | ")], env };
}

/** The same command with its processor time told at the end. */
export function timed({ program, args, env }: Command): Command {
  const [sh, ...words] = [...TIMED, program, ...args];
  return { program: sh!, args: words, ...(env && { env }) };
}

/** Starts a program of ours with its processor time told at the end, on this screen or on none. */
export function timedOn(display?: string): StartOptions {
  return { inside: TIMED, ...(display !== undefined && { env: { DISPLAY: display } }) };
}

/** Reads the CPU seconds out of the output of a `timed` command. */
export function cpuSeconds({ stderr }: Outcome): number {
  // The last line of `times` is that of the children: "0m1.234560s 0m0.456000s".
  const last = stderr.trim().split("\n").at(-1) ?? "";
  const parts = [...last.matchAll(/(\d+)m([\d.]+)s/g)];
  if (parts.length !== 2) throw new Error(`Cannot read the CPU time in "${last}"`);
  return parts.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
