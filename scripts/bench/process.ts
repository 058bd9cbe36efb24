/**
 * The processes that are measured. Each is ended by its own id, with all it has started, whatever becomes of the run.
 */

import { fileURLToPath as fromFileUrl } from "node:url";
import { pause, within } from "../../lib/clock.ts";
import config from "../../deno.json" with { type: "json" };

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** How long anything is waited for, in milliseconds, if not told otherwise. */
const PATIENCE_MS = 30_000;

/** What to start. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Variables added to the environment; `DISPLAY` is removed where none is given. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a process came to. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that is fed, listened to and ended. */
export class Process implements AsyncDisposable {
  readonly ended: Promise<Outcome>;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #stdout = "";
  #stderr = "";
  #over = false;
  #wake = Promise.withResolvers<void>();

  /** Starts it. */
  constructor({ program, args, env }: Command) {
    const variables: Record<string, string> = { ...Deno.env.toObject() };
    for (const name of ["DISPLAY", "WAYLAND_DISPLAY"]) delete variables[name];
    const child = new Deno.Command(program, {
      args: [...args],
      cwd: ROOT,
      clearEnv: true,
      env: { ...variables, LC_ALL: "C.UTF-8", NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    const writer = child.stdin.getWriter();
    writer.closed.catch(() => {});
    this.#writer = writer;
    this.ended = (async (): Promise<Outcome> => {
      const [{ code }] = await Promise.all([
        child.status,
        this.#collect(child.stdout, (text) => this.#stdout += text),
        this.#collect(child.stderr, (text) => this.#stderr += text),
      ]);
      this.#over = true;
      await writer.abort().catch(() => {});
      this.#notify();
      return { code, stdout: this.#stdout, stderr: this.#stderr };
    })();
  }

  /** Its id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Feeds it; resolves when the bytes are with the kernel. Throws where it has gone. */
  async write(data: Uint8Array): Promise<void> {
    await this.#writer.write(data);
  }

  /** Ends its input. */
  async endInput(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }

  /** Waits until it says something like this, on either output. */
  async says(pattern: RegExp, patienceMs = PATIENCE_MS): Promise<RegExpExecArray> {
    const endMs = performance.now() + patienceMs;
    const timer = setInterval(() => this.#notify(), 100);
    try {
      while (true) {
        const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
        if (match) return match;
        if (this.#over || performance.now() > endMs) {
          throw new Error(
            `${this.#over ? "ended" : "waited"} without saying ${pattern}: ${this.shown()}`,
          );
        }
        await this.#wake.promise;
      }
    } finally {
      clearInterval(timer);
    }
  }

  /** Waits for its end. Throws, with what it said, when that takes too long or the status is not 0. */
  async exits(patienceMs = PATIENCE_MS): Promise<Outcome> {
    const outcome = await within(this.ended, patienceMs);
    if (outcome === undefined) throw new Error(`still running: ${this.shown()}`);
    if (outcome.code !== 0) throw new Error(`exit status ${outcome.code}: ${this.shown()}`);
    return outcome;
  }

  /** Sends it a signal, if it still runs. */
  signal(signal: Deno.Signal): void {
    kill(this.pid, signal);
  }

  /** The last of what it said. */
  shown(): string {
    return `${this.#stdout}${this.#stderr}`.trim().split("\n").slice(-4).join(" / ");
  }

  /** Ends it, with all it has started. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) return;
    const tree = await treeOf(this.pid);
    for (const pid of tree) kill(pid, "SIGKILL");
    await this.ended;
  }

  async #collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      add(decoder.decode(chunk, { stream: true }));
      this.#notify();
    }
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}

/** The command line of one of our two programs, with the rights that users give it. */
export function ours(
  program: "server" | "client",
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Command {
  const task = config.tasks[program === "server" ? "serve" : "send"].command.split(" ");
  return {
    program: Deno.execPath(),
    args: [...task.slice(1, -1), `${program}.ts`, "--host", "127.0.0.1", ...args],
    env,
  };
}

/** The command line of a file of this folder that Deno runs. */
export function worker(file: string, args: readonly string[]): Command {
  return {
    program: Deno.execPath(),
    args: ["run", "--quiet", "--no-prompt", "--allow-all", `scripts/bench/${file}`, ...args],
  };
}

/** A pipeline of commands, of which the first reads the input of the whole. */
export function pipeline(...commands: readonly Command[]): Command {
  const env = Object.assign({}, ...commands.map((command) => command.env ?? {}));
  const text = commands.map(({ program, args }) => [program, ...args].map(quoted).join(" "));
  return { program: "sh", args: ["-c", text.join(" | ")], env };
}

/** The same command, which says at its end how much of the processors it and all its children took. */
export function timed({ program, args, env }: Command): Command {
  const script = '"$@"; status=$?; times >&2; exit $status';
  return { program: "sh", args: ["-c", script, "sh", program, ...args], ...(env && { env }) };
}

/** Reads the CPU seconds out of what a `timed` command said. */
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

/** A number out of what Linux knows of a process, in megabytes. */
export async function megabytesOf(pid: number, name: "VmHWM" | "VmRSS"): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const [, kilobytes] = new RegExp(`${name}:\\s+(\\d+)`).exec(status) ?? [];
  if (kilobytes === undefined) throw new Error(`Cannot read ${name} of process ${pid}`);
  return Number(kilobytes) * 1024 / 1e6;
}

/** A port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits until somebody listens on a port, without connecting to it: that would take the place of the caller. */
export async function untilListening(port: number, patienceMs = PATIENCE_MS): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (performance.now() < endMs) {
    const tables = await Promise.all(
      ["tcp", "tcp6"].map((name) => Deno.readTextFile(`/proc/net/${name}`).catch(() => "")),
    );
    if (tables.some((table) => table.split("\n").some((line) => isListening(line, port)))) return;
    await pause(10);
  }
  throw new Error(`nobody listens on port ${port}`);
}

/** Whether a line of Linux's table of connections is that of a listener on this port. */
function isListening(line: string, port: number): boolean {
  // Number, own address and port in hexadecimal, the other's, state: 0A is LISTEN.
  const [, own, , state] = line.trim().split(/\s+/);
  return state === "0A" && Number.parseInt(own?.split(":")[1] ?? "", 16) === port;
}

/** A process and all below it, the deepest last. Each thread has children of its own. */
async function treeOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
      const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/children`).catch(() => "");
      children.push(...text.trim().split(" ").filter((word) => word !== "").map(Number));
    }
  } catch {
    // It has ended: what it had started is another's by now, and ends when its input does.
  }
  const below = await Promise.all(children.map(treeOf));
  return [pid, ...below.flat()];
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
