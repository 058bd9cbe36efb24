/** The programs on a real pseudo-terminal: keys, Ctrl-C, the live line, and the terminal left as it was found. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  commandLine,
  probe,
  processesNaming,
  startClient,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { test } from "./strict.ts";

/** `script`, of util-linux, opens a pseudo-terminal and runs a command on it; what it is fed is typed there. */
const ignore = Deno.build.os !== "linux";

/** A program on a terminal, seen by the one who types. */
class Terminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #typing: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #text = "";

  constructor(program: "server" | "client", args: readonly string[]) {
    const quoted = commandLine(program, args).map((word) => `'${word}'`).join(" ");
    // The settings of the terminal before and after, and the exit status, are printed around what the program prints.
    const line = `echo before:$(stty -g); ${quoted}; echo status:$?; echo after:$(stty -g)`;
    const child = new Deno.Command("script", {
      args: ["--quiet", "--flush", "--return", "--command", line, "/dev/null"],
      env: { LC_ALL: "C.UTF-8", SHELL: "/bin/sh" },
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

const HERE = ["--host", "127.0.0.1", "--no-display"];

test("q in the terminal of the server ends the call for both", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using terminal = new Terminal("server", [...HERE, "--port", "0", "--record", file]);
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await using client = startClient(Number(port), []);
  const [live] = await terminal.shows(
    /00:00:0\d {2}[\d.]+ fps {2}delay \d+ ms {2}\d+ dropped {2}.*recorded/,
  );
  assertMatch(live, /MB\/s/);
  await terminal.type("q");
  const { text, status } = await terminal.ends();
  assertEquals(status, 0);
  assertMatch(text, /Recorded .*\r\nCall ended by the HOST\.\r\n/);
  assertStringIncludes((await client.exits(0)).stdout, "Call ended by the HOST.");
  assert((await probe(file)).frames > 0);
}, { ignore });

test("q in the terminal of the client ends the call for both", async () => {
  await using called = await startServer(["--no-record"]);
  await using terminal = new Terminal("client", [
    ...[...HERE, "--port", String(called.port), "--input", "test"],
  ]);
  await terminal.shows(/ fps {2}/);
  await terminal.type("q");
  const { text, status } = await terminal.ends();
  assertEquals(status, 0);
  assertStringIncludes(text, "Call ended by the CLIENT");
  assertStringIncludes((await called.server.exits(0)).stdout, "Call ended by the CLIENT");
}, { ignore });

test("q while waiting for a caller ends at once, without a file", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using terminal = new Terminal("server", [...HERE, "--port", "0", "--record", file]);
  await terminal.shows(/LISTENING ON/);
  await terminal.type("q");
  const { text, status } = await terminal.ends();
  assertEquals(status, 0);
  assertStringIncludes(text, "Call ended by the HOST.");
  assertEquals([...Deno.readDirSync(folder.path)], []);
}, { ignore });

test("Ctrl-C, twice, reaches the whole terminal and still leaves the recording whole", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using terminal = new Terminal("server", [...HERE, "--port", "0", "--record", file]);
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await using client = startClient(Number(port), []);
  await terminal.shows(/recorded/);
  await terminal.type("\x03\x03");
  // The shell around the program is interrupted as well; what is left to look at is what both programs left.
  assertStringIncludes((await client.exits(0)).stdout, "Call ended by the HOST.");
  const [, frames] = await terminal.shows(/Recorded \S+, (\d+) frames/);
  await until("a whole file", async () => {
    const found = await probe(file).catch(() => undefined);
    return found?.frames === Number(frames) ? found : undefined;
  });
}, { ignore });

test("a terminal that is closed ends the call for both, with the recording whole", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using terminal = new Terminal("server", [...HERE, "--port", "0", "--record", file]);
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await using client = startClient(Number(port), []);
  await terminal.shows(/recorded/);
  terminal.close();
  assertStringIncludes((await client.exits(0)).stdout, "Call ended by the HOST.");
  await until(
    "the end of every process",
    async () => (await processesNaming(file)).length === 0 ? true : undefined,
  );
  const { frames, seconds } = await probe(file);
  assert(frames > 0);
  assertEquals(seconds, frames / 20);
}, { ignore });
