/**
 * A process that is started, listened to, fed and ended. It ends even if its starter fails. Tests,
 * bench, soak and demo start all their programs through this file.
 */

import { fileURLToPath as fromFileUrl } from "node:url";
import { within } from "../../lib/clock.ts";
import { endTree, treeOf } from "./processes.ts";
import { PATIENCE_MS } from "./waiting.ts";

/** The folder of the project. */
export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** The sign of an error that nobody has caught. */
const STRAY = /Uncaught|Something went wrong|Algo deu errado/;

/** The outcome of a process. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The surroundings of a process. */
export interface StartOptions {
  /** The folder it runs in; that of the project if not given. */
  readonly cwd?: string;
  /**
   * Variables set, or removed where undefined, in surroundings without a screen that speak English.
   * With `inherited`, the variables stay as they are.
   */
  readonly env?: Readonly<Record<string, string | undefined>> | "inherited";
  /** A command line that runs the rest of it, such as `ip netns exec x`. */
  readonly inside?: readonly string[];
  /** `piped` for a process that `write` feeds. Otherwise its input is empty. */
  readonly stdin?: "piped" | "null";
  /** Hears each line of either output as it comes. */
  readonly onLine?: (line: string) => void;
}

/** A process whose words can be waited for. */
export class Running implements AsyncDisposable {
  /** Its outcome, when it has ended and all its output is read. */
  readonly ended: Promise<Outcome>;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #stdout = "";
  #stderr = "";
  #over = false;
  #told = false;
  #wake = Promise.withResolvers<void>();

  /** Starts it. */
  constructor(command: readonly string[], options: StartOptions = {}) {
    const [program, ...args] = [...options.inside ?? [], ...command];
    const stdin = options.stdin ?? "null";
    const child = new Deno.Command(program!, {
      args,
      cwd: options.cwd ?? ROOT,
      clearEnv: true,
      env: environment(options.env),
      stdin,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#writer = stdin === "piped" ? child.stdin.getWriter() : undefined;
    this.#writer?.closed.catch(() => {});
    const { onLine } = options;
    this.ended = (async (): Promise<Outcome> => {
      const [{ code }] = await Promise.all([
        child.status,
        this.#collect(child.stdout, (text) => this.#stdout += text, onLine),
        this.#collect(child.stderr, (text) => this.#stderr += text, onLine),
      ]);
      this.#over = true;
      await this.#writer?.abort().catch(() => {});
      this.#notify();
      return { code, stdout: this.#stdout, stderr: this.#stderr };
    })();
  }

  /** Its id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** All it has said on standard output until now. */
  get stdout(): string {
    return this.#stdout;
  }

  /** All it has said on standard error until now. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Feeds it. Resolves when the bytes are with the kernel. Throws if it has gone. */
  async write(data: Uint8Array): Promise<void> {
    if (!this.#writer) throw new Error("Cannot feed a process that was started without an input");
    await this.#writer.write(data);
  }

  /**
   * Waits until it says something like this, on either output. Throws if it ends without, or takes
   * too long.
   */
  async says(pattern: RegExp, patienceMs = PATIENCE_MS): Promise<RegExpExecArray> {
    const timeout = AbortSignal.timeout(patienceMs);
    const onTimeout = (): void => this.#notify();
    timeout.addEventListener("abort", onTimeout);
    try {
      while (true) {
        const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
        if (match) return match;
        if (this.#over || timeout.aborted) {
          throw this.#failure(`${this.#over ? "ended" : "waited"} without ${pattern}`);
        }
        await this.#wake.promise;
      }
    } finally {
      timeout.removeEventListener("abort", onTimeout);
    }
  }

  /**
   * Waits for its end. Throws, with all its output, if that takes too long or the status is another
   * one.
   */
  async exits(code: number, patienceMs = PATIENCE_MS): Promise<Outcome> {
    const outcome = await within(this.ended, patienceMs);
    if (outcome === undefined) throw this.#failure(`still running after ${patienceMs} ms`);
    this.#refuseStrays();
    if (outcome.code !== code) {
      throw this.#failure(`exit status ${outcome.code} in place of ${code}`);
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

  /** All its output, for the message of a failing test. */
  shown(): string {
    return `\n--- stdout\n${this.#stdout}--- stderr\n${this.#stderr}---`;
  }

  /** Ends it, with all its children. Throws if it has met an error that nobody caught. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) endTree(await treeOf(this.pid));
    await this.ended;
    this.#refuseStrays();
  }

  /**
   * Throws for an error that nobody caught. Such an error ends Deno, or the programs tell it in one
   * sentence. No fault may lead to either.
   */
  #refuseStrays(): void {
    // One failure is enough: another one would hide it.
    if (!this.#told && STRAY.test(this.#stderr)) {
      throw this.#failure("an error was caught by nobody");
    }
  }

  #failure(sentence: string): Error {
    this.#told = true;
    return new Error(`${sentence}: ${this.shown()}`);
  }

  async #collect(
    stream: ReadableStream<Uint8Array>,
    add: (text: string) => void,
    onLine?: (line: string) => void,
  ): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      add(text);
      if (onLine) {
        const lines = (rest + text).split(/\r?\n/);
        rest = lines.pop()!;
        lines.forEach(onLine);
      }
      this.#notify();
    }
    if (onLine && rest !== "") onLine(rest);
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}

/** The variables of a process. */
function environment(given: StartOptions["env"]): Record<string, string> {
  const env = Deno.env.toObject();
  if (given === "inherited") return env;
  const wanted = {
    LC_ALL: "C.UTF-8",
    NO_COLOR: "1",
    DISPLAY: undefined,
    WAYLAND_DISPLAY: undefined,
    // deno task sets this variable, and the programs behave in another way under it. Our own
    // starter must not matter.
    INIT_CWD: undefined,
    CHAMADA_CODE: undefined,
    ...given,
  };
  for (const [name, value] of Object.entries(wanted)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}
