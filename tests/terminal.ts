/** A program on a real pseudo-terminal, made by `script` of util-linux. */

import { assertEquals } from "@std/assert";
import { commandLine, Running, type StartOptions } from "./harness.ts";

/** True if `script` is the expected one. */
export const hasTerminals = Deno.build.os === "linux";

/** The terminal that a program is given. */
export interface TerminalOptions {
  /** Its width. */
  readonly columns?: number;
  /** Its TERM. */
  readonly term?: string;
  /** A command line that runs the rest of it, such as `ip netns exec x`. */
  readonly inside?: readonly string[];
  /** Variables that are set. */
  readonly env?: StartOptions["env"];
}

/** A program on a terminal, seen by the person who types. */
export class Terminal implements AsyncDisposable {
  readonly #script: Running;

  /** Starts a program on a terminal: one of ours, or another one. */
  constructor(
    program: "server" | "client" | string,
    args: readonly string[],
    { columns = 80, term = "xterm", inside = [], env = {} }: TerminalOptions = {},
  ) {
    const words = program === "server" || program === "client"
      ? commandLine(program, args)
      : [program, ...args];
    const quoted = [...inside, ...words].map((word) => `'${word}'`).join(" ");
    // The terminal's settings before and after, and the exit status, are printed around the
    // program's output.
    const line =
      `stty cols ${columns}; echo before:$(stty -g); ${quoted}; echo status:$?; echo after:$(stty -g)`;
    this.#script = new Running(
      ["script", "--quiet", "--flush", "--return", "--command", line, "/dev/null"],
      {
        env: { SHELL: "/bin/sh", TERM: term, ...(env === "inherited" ? {} : env) },
        stdin: "piped",
      },
    );
  }

  /** All output until now. */
  get text(): string {
    return this.#script.stdout;
  }

  /** Waits until this is on the terminal. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#script.says(pattern);
  }

  /** Takes the terminal away, as closing its window does. */
  close(): void {
    this.#script.signal("SIGKILL");
  }

  /** Types these keys. */
  async type(keys: string): Promise<void> {
    await this.#script.write(new TextEncoder().encode(keys));
  }

  /** Waits for the end. Resolves to all output. Throws if the terminal is not as it was. */
  async ends(): Promise<{ text: string; status: number }> {
    const [, after] = await this.shows(/after:(\S+)/);
    const [, before] = /before:(\S+)/.exec(this.text)!;
    assertEquals(after, before, "the terminal is not as it was found");
    const [, status] = /status:(\d+)/.exec(this.text)!;
    return { text: this.text, status: Number(status) };
  }

  /** Ends it, whatever it does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#script[Symbol.asyncDispose]();
  }
}
