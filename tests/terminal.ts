/** A program on a real pseudo-terminal, made by `script` of util-linux. */

import { assertEquals } from "@std/assert";
import { commandLine, until } from "./harness.ts";

/** True where `script` is as expected here. */
export const hasTerminals = Deno.build.os === "linux";

/** The terminal that a program is given. */
export interface TerminalOptions {
  /** Its width. */
  readonly columns?: number;
  /** Its TERM. */
  readonly term?: string;
  /** A command line that runs the rest of it, such as `ip netns exec x`. */
  readonly inside?: readonly string[];
}

/** A program on a terminal, seen by the one who types. */
export class Terminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #typing: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #text = "";

  /** Starts a program on a terminal: one of ours, or another one. */
  constructor(
    program: "server" | "client" | string,
    args: readonly string[],
    { columns = 80, term = "xterm", inside = [] }: TerminalOptions = {},
  ) {
    const words = program === "server" || program === "client"
      ? commandLine(program, args)
      : [program, ...args];
    const quoted = [...inside, ...words].map((word) => `'${word}'`).join(" ");
    // The settings of the terminal before and after, and the exit status, are printed around what the program prints.
    const line =
      `stty cols ${columns}; echo before:$(stty -g); ${quoted}; echo status:$?; echo after:$(stty -g)`;
    const child = new Deno.Command("script", {
      args: ["--quiet", "--flush", "--return", "--command", line, "/dev/null"],
      env: { LC_ALL: "C.UTF-8", SHELL: "/bin/sh", TERM: term },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#child = child;
    this.#typing = child.stdin.getWriter();
    this.#reading = (async (): Promise<void> => {
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) {
        this.#text += decoder.decode(chunk, { stream: true });
      }
    })();
  }

  /** All that was shown until now. */
  get text(): string {
    return this.#text;
  }

  /** Waits until this is on the terminal. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    return await until(String(pattern), () => pattern.exec(this.#text) ?? undefined).catch(
      (error) => {
        throw new Error(`${error.message}:\n${this.#text}`);
      },
    );
  }

  /** Takes the terminal away, as closing its window does. */
  close(): void {
    this.#child.kill("SIGKILL");
  }

  /** Types these keys. */
  async type(keys: string): Promise<void> {
    await this.#typing.write(new TextEncoder().encode(keys));
  }

  /** Waits for the end; gives all that was shown. Throws where the terminal is not as it was. */
  async ends(): Promise<{ text: string; status: number }> {
    const [, after] = await this.shows(/after:(\S+)/);
    const [, before] = /before:(\S+)/.exec(this.#text)!;
    assertEquals(after, before, "the terminal is not as it was found");
    const [, status] = /status:(\d+)/.exec(this.#text)!;
    return { text: this.#text, status: Number(status) };
  }

  /** Ends it, whatever it does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#typing.close().catch(() => {});
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#reading;
    await this.#child.status;
  }
}
