/**
 * What the end-to-end tests share: the two programs as real processes under their own permissions, and what came of them.
 * Everything here is disposable, so that a failing test leaves nothing running and nothing behind.
 */

import { fileURLToPath as fromFileUrl } from "node:url";
import config from "../deno.json" with { type: "json" };

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** How long anything is waited for before the test fails: generous, for slow and busy machines. */
const PATIENCE_MS = 30_000;

/** How an error shows that nobody has caught. */
const STRAY = /Uncaught|Something went wrong|Algo deu errado/;

/** What a process came to. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and how to start a process. */
export interface StartOptions {
  /** The folder it runs in; that of the project if not given. */
  readonly cwd?: string;
  /** Variables set, or removed where undefined. Without any, it has no screen and speaks English. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A command line that runs the rest of it, such as `ip netns exec x`. */
  readonly inside?: readonly string[];
}

/** A process whose words can be waited for. */
export class Running implements AsyncDisposable {
  readonly ended: Promise<Outcome>;
  readonly #child: Deno.ChildProcess;
  #stdout = "";
  #stderr = "";
  #over = false;
  #wake = Promise.withResolvers<void>();

  constructor(command: readonly string[], options: StartOptions = {}) {
    const [program, ...args] = [...options.inside ?? [], ...command];
    const env: Record<string, string> = { ...Deno.env.toObject() };
    const wanted = {
      LC_ALL: "C.UTF-8",
      NO_COLOR: "1",
      DISPLAY: undefined,
      WAYLAND_DISPLAY: undefined,
    };
    for (const [name, value] of Object.entries({ ...wanted, ...options.env })) {
      if (value === undefined) delete env[name];
      else env[name] = value;
    }
    const child = new Deno.Command(program!, {
      args,
      cwd: options.cwd ?? ROOT,
      clearEnv: true,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.ended = (async (): Promise<Outcome> => {
      const [status] = await Promise.all([
        child.status,
        this.#collect(child.stdout, (text) => this.#stdout += text),
        this.#collect(child.stderr, (text) => this.#stderr += text),
      ]);
      this.#over = true;
      this.#notify();
      // What nobody catches ends Deno, or is reported by the programs in this sentence: no fault may lead to either.
      if (STRAY.test(this.#stderr)) {
        throw new Error(`an error was caught by nobody: ${this.shown()}`);
      }
      return { code: status.code, stdout: this.#stdout, stderr: this.#stderr };
    })();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** What it has said on standard output until now. */
  get stdout(): string {
    return this.#stdout;
  }

  /** What it has said on standard error until now. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Waits until it says something like this, on either output. Throws when it ends, or takes too long, without. */
  async says(pattern: RegExp, patienceMs = PATIENCE_MS): Promise<RegExpExecArray> {
    const timeout = AbortSignal.timeout(patienceMs);
    const onTimeout = (): void => this.#notify();
    timeout.addEventListener("abort", onTimeout);
    try {
      while (true) {
        const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
        if (match) return match;
        if (this.#over || timeout.aborted) {
          throw new Error(`${this.#over ? "ended" : "waited"} without ${pattern}: ${this.shown()}`);
        }
        await this.#wake.promise;
      }
    } finally {
      timeout.removeEventListener("abort", onTimeout);
    }
  }

  /** Waits for its end. Throws, with all it said, when that takes too long or the status is another one. */
  async exits(code: number, patienceMs = PATIENCE_MS): Promise<Outcome> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), patienceMs);
    });
    const outcome = await Promise.race([this.ended, late]);
    clearTimeout(timer);
    if (outcome === undefined) {
      throw new Error(`still running after ${patienceMs} ms: ${this.shown()}`);
    }
    if (outcome.code !== code) {
      throw new Error(`exit status ${outcome.code} in place of ${code}: ${this.shown()}`);
    }
    return outcome;
  }

  /** Sends it a signal, if it still runs. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended.
    }
  }

  /** All it said, for the message of a failing test. */
  shown(): string {
    return `\n--- stdout\n${this.#stdout}--- stderr\n${this.#stderr}---`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  async #collect(
    stream: ReadableStream<Uint8Array>,
    add: (text: string) => void,
  ): Promise<void> {
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

/** The command line of a program, from the task that users type. */
export function commandLine(program: "server" | "client", args: readonly string[]): string[] {
  const task = config.tasks[program === "server" ? "serve" : "send"].command.split(" ");
  return [Deno.execPath(), ...task.slice(1, -1), `${ROOT}${program}.ts`, ...args];
}

/** A server that listens. */
export interface RunningServer {
  readonly server: Running;
  readonly port: number;
}

/** Starts a server on 127.0.0.1 and waits until it listens. */
export async function startServer(
  args: readonly string[],
  options: StartOptions = {},
): Promise<RunningServer & AsyncDisposable> {
  const withHost = args.includes("--host") ? [] : ["--host", "127.0.0.1"];
  const withPort = args.includes("--port") ? [] : ["--port", "0"];
  const server = new Running(commandLine("server", [...withHost, ...withPort, ...args]), options);
  try {
    const [, port] = await server.says(/(?:LISTENING ON|ESCUTANDO EM): \('.*', (\d+)\)/);
    return {
      server,
      port: Number(port),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts a client that calls 127.0.0.1 with a test picture, unless told otherwise. */
export function startClient(
  port: number,
  args: readonly string[],
  options: StartOptions = {},
): Running {
  const withHost = args.includes("--host") ? [] : ["--host", "127.0.0.1"];
  const withInput = args.includes("--input") || args.includes("--camera")
    ? []
    : ["--input", "test"];
  return new Running(
    commandLine("client", [...withHost, "--port", String(port), ...withInput, ...args]),
    options,
  );
}

/** A folder that is gone when the test is over. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "chamada-" });
  return {
    path,
    async [Symbol.asyncDispose](): Promise<void> {
      await Deno.remove(path, { recursive: true });
    },
  };
}

/** What ffprobe says of a video file. */
export interface Probe {
  readonly codec: string;
  readonly tag: string;
  readonly width: number;
  readonly height: number;
  readonly rate: string;
  readonly frames: number;
  readonly seconds: number;
}

/** Reads a video file with ffprobe, counting its frames one by one. */
export async function probe(path: string): Promise<Probe> {
  const entries = "codec_name,codec_tag_string,width,height,r_frame_rate,nb_read_frames,duration";
  const { code, stdout, stderr } = await new Deno.Command("ffprobe", {
    args: [
      "-v",
      "error",
      "-count_frames",
      "-show_entries",
      `stream=${entries}`,
      "-of",
      "json",
      path,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`ffprobe ${path}: ${decoder.decode(stderr)}`);
  const stream = JSON.parse(decoder.decode(stdout)).streams[0];
  return {
    codec: stream.codec_name,
    tag: stream.codec_tag_string,
    width: stream.width,
    height: stream.height,
    rate: stream.r_frame_rate,
    frames: Number(stream.nb_read_frames),
    seconds: Number(stream.duration),
  };
}

/** The processes that name this text in their command line, by id. Linux only. */
export async function processesNaming(text: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (line.includes(text)) found.push(Number(name));
  }
  return found;
}

/** How much memory a process has now. Linux only. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(status) ?? [];
  if (kilobytes === undefined) throw new Error(`Cannot read the memory of process ${pid}`);
  return Number(kilobytes) * 1024;
}

/** Looks again and again until there is something, for 30 s. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const endMs = performance.now() + 30_000;
  while (performance.now() < endMs) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Cannot find ${what}: it did not come in 30 s`);
}
