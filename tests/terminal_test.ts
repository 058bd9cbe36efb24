/**
 * The programs on a real pseudo-terminal: keys, Ctrl-C, the live line, and the terminal left as it
 * was found.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { nowUs, pause } from "../lib/clock.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { compareClocks } from "../lib/wire/delay.ts";
import {
  decodeAnswer,
  encodeBye,
  encodeFrameHeader,
  encodeHello,
  MAX_HELLO_BYTES,
} from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import {
  commandLine,
  probe,
  processesNaming,
  startClient,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { numberedFrame } from "./numbered.ts";
import { test } from "./strict.ts";
import { textWidth } from "../lib/user/text_width.ts";
import { hasTerminals, Terminal } from "./terminal.ts";

const ignore = !hasTerminals;

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
  // The shell around the program is interrupted as well. Only the traces of both programs are left
  // to look at.
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

/** The delays of the live lines that a terminal has shown, in milliseconds. */
function delays(terminal: Terminal): number[] {
  return [...terminal.text.matchAll(/delay ([\d,]+) ms/g)].map(([, ms]) =>
    Number(ms!.replace(",", ""))
  );
}

test(
  "the delay at the server is the age of the pictures, though the caller's clock is another",
  async () => {
    await using terminal = new Terminal("server", [
      ...[...HERE, "--port", "0", "--no-record", "--stay"],
    ]);
    const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
    const hourUs = 3_600_000_000;
    for (const aheadUs of [-hourUs, 5 * hourUs]) {
      const now = (): number => nowUs() + aheadUs;
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      const wire = new Wire(connection, { expecting: () => false });
      const askedUs = now();
      const hello = { name: "", streams: [DEFAULT_FORMAT], clockUs: askedUs };
      await wire.writeMessage(encodeHello(hello));
      const answer = decodeAnswer((await wire.readMessage(MAX_HELLO_BYTES))!);
      assert(answer.accept && answer.clock);
      const { aheadUs: theirsUs } = compareClocks({ askedUs, ...answer.clock, gotUs: now() });
      const before = delays(terminal).length;
      for (let sequence = 0; delays(terminal).length <= before + 2; sequence++) {
        // Each picture is a second old when it leaves.
        const frame = { ...numberedFrame(sequence, DEFAULT_FORMAT), captureUs: now() - 1_000_000 };
        await wire.writeMessage(encodeFrameHeader(frame, theirsUs), frame.data);
        await pause(50);
      }
      const shown = delays(terminal).slice(before);
      assert(shown.every((ms) => ms >= 950 && ms < 2000), `${shown}`);
      await wire.writeMessage(encodeBye(""));
      await wire.finish();
    }
  },
  { ignore, slow: true },
);

test("a caller that does not compare clocks is shown without a delay", async () => {
  await using terminal = new Terminal("server", [...HERE, "--port", "0", "--no-record"]);
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const wire = new Wire(connection, { expecting: () => false });
  await wire.writeMessage(encodeHello({ name: "", streams: [DEFAULT_FORMAT] }));
  await wire.readMessage(65536);
  for (let n = 0; !/ fps .* fps /s.test(terminal.text); n++) {
    const frame = numberedFrame(n, DEFAULT_FORMAT);
    await wire.writeMessage(encodeFrameHeader(frame), frame.data);
    await pause(50);
  }
  assertEquals(delays(terminal), []);
  wire.close();
}, { ignore });

test("the live line shows every call by its name, in as many columns as there are", async () => {
  await using terminal = new Terminal("server", [
    ...[...HERE, "--port", "0", "--no-record", "--max-calls", "2"],
  ], { columns: 72 });
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await using _ana = startClient(Number(port), ["--name", "Ana"]);
  await terminal.shows(/\[KAna: \d.* fps/);
  await using _lee = startClient(Number(port), ["--name", "李小龍"]);
  const [, line] = await terminal.shows(
    /\[K(Ana: delay \d+ ms {2}\d+ dropped \| 李小龍: delay \d+ ms {2}\d+ dropped)\r/,
  );
  assert(textWidth(line!) < 72);
}, { ignore });

test("a narrow terminal is shown whole figures", async () => {
  await using called = await startServer(["--no-record"]);
  await using terminal = new Terminal("client", [
    ...[...HERE, "--port", String(called.port), "--input", "test"],
  ], { columns: 26 });
  await terminal.shows(/\[K00:00:0\d {2}delay \d+ ms\r/);
}, { ignore });

test("TERM=dumb is shown a plain line each ten seconds, and not one escape code", async () => {
  await using folder = await temporaryFolder();
  await using terminal = new Terminal("server", [
    ...[...HERE, "--port", "0", "--record", `${folder.path}/video.avi`],
  ], { term: "dumb" });
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await using client = startClient(Number(port), ["--duration", "12"]);
  await terminal.shows(/^00:00:\d\d {2}.* fps .* recorded\r?$/m);
  await client.exits(0);
  const { text } = await terminal.ends();
  assert(!text.includes("\x1b") && !/\r(?!\r?\n)/.test(text), JSON.stringify(text));
  assertEquals(text.match(/ fps {2}/g)?.length, 1);
}, { ignore, slow: true });

/** A shell of a user, in which Ctrl-Z stops a program and fg lets it go on. */
async function openShell(): Promise<Terminal> {
  const shell = new Terminal("bash", ["--norc", "-i"]);
  await shell.type("PS1='ready$ '\r");
  await shell.shows(/[^']ready\$ /);
  return shell;
}

/** The exit status of a server that ends now. */
async function statusOf(shell: Terminal): Promise<string> {
  await shell.shows(/Call ended by the HOST\.[^]*ready\$ /);
  await shell.type("\x15echo status:$?\r");
  const [, status] = await shell.shows(/status:(\d+)/);
  return status!;
}

const SERVING = [...HERE, "--port", "0", "--no-record"];

test("Ctrl-Z stops a server that a shell has started; after fg, q is heard again", async () => {
  await using shell = await openShell();
  await shell.type(`${commandLine("server", SERVING).join(" ")}\r`);
  await shell.shows(/Press q/);
  await shell.type("\x1a");
  await shell.shows(/Stopped/);
  await shell.type("echo the shell is al''ive\r");
  await shell.shows(/the shell is alive/);
  await shell.type("fg\r");
  // Nothing is shown when it goes on: the first q may come before it does.
  await until("the end", async () => {
    await shell.type("q");
    return shell.text.includes("Call ended by the HOST") || undefined;
  }, 200);
  assertEquals(await statusOf(shell), "0");
}, { ignore });

test("Ctrl-Z does nothing to a server of deno task, which would not let it go on", async () => {
  await using shell = await openShell();
  await shell.type(`${Deno.execPath()} task serve ${SERVING.join(" ")}\r`);
  await shell.shows(/Press q/);
  await shell.type("\x1a");
  await shell.type("\x1a");
  await shell.type("q");
  assertEquals(await statusOf(shell), "0");
}, { ignore });

test(
  "Ctrl-C ends an idle server of deno task, which hands it on once more, with status 0",
  async () => {
    await using shell = await openShell();
    await shell.type(`${Deno.execPath()} task serve ${SERVING.join(" ")}\r`);
    await shell.shows(/Press q/);
    await shell.type("\x03");
    assertEquals(await statusOf(shell), "0");
  },
  { ignore },
);

test("a server that is interrupted until it has ended still ends in order", async () => {
  const { server } = await startServer(["--no-record"]);
  await using _server = server;
  const interrupting = setInterval(() => server.signal("SIGINT"), 1);
  await server.ended.finally(() => clearInterval(interrupting));
  assertStringIncludes((await server.exits(0)).stdout, "Call ended by the HOST.");
}, { ignore: Deno.build.os === "windows" });

test("q at a server that stays ends the call, and while it waits the server", async () => {
  await using terminal = new Terminal("server", [...SERVING, "--stay"]);
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await terminal.shows(/Press q to hang up; once more, or while no call is on, q ends the server/);
  for (const calls of [1, 2]) {
    await using client = startClient(Number(port), []);
    await client.says(/IN A CALL/);
    await terminal.shows(new RegExp(`(CONNECTION RECEIVED[^]*){${calls}}`));
    await terminal.type("q");
    assertStringIncludes((await client.exits(0)).stdout, "Call ended by the HOST.");
    await terminal.shows(new RegExp(`(Call ended by the HOST[^]*){${calls}}`));
  }
  await terminal.type("q");
  const { text, status } = await terminal.ends();
  assertEquals(status, 0);
  assertEquals(text.match(/Call ended by the HOST/g)?.length, 3);
}, { ignore });

test("q twice at a server that stays ends all its calls and the server", async () => {
  await using terminal = new Terminal("server", [...SERVING, "--stay", "--max-calls", "2"]);
  const [, port] = await terminal.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await terminal.shows(/Press q to hang up every call/);
  await using one = startClient(Number(port), []);
  await using other = startClient(Number(port), []);
  await Promise.all([one.says(/IN A CALL/), other.says(/IN A CALL/)]);
  await terminal.shows(/(CONNECTION RECEIVED[^]*){2}/);
  await terminal.type("qq");
  for (const client of [one, other]) {
    assertStringIncludes((await client.exits(0)).stdout, "Call ended by the HOST.");
  }
  assertEquals((await terminal.ends()).status, 0);
}, { ignore });
