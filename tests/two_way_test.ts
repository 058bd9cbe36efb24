/**
 * Calls in which both ends show themselves, looked at from outside; the windows are in
 * two_way_screen_test.ts.
 */

import {
  assert,
  assertEquals,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { liveHeader, livePicture } from "../scripts/bench/pictures.ts";
import { freePort, untilListening } from "../scripts/kit/port.ts";
import { writeAll } from "../scripts/kit/writing.ts";
import { encodeHello } from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import {
  commandLine,
  type Outcome,
  peakBytes,
  probe,
  processesNaming,
  Running,
  startClient,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import {
  assertAllSent,
  numberedFrame,
  paintNumber,
  readNumbers,
  readPictures,
  type Size,
  writeNumbers,
} from "./numbered.ts";
import { test } from "./strict.ts";
import { hasTerminals, Terminal } from "./terminal.ts";

/** That many numbers, from `first` on. */
function numbers(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

/** The numbers, without those at the end that repeat the last one: a picture that stands still. */
function withoutStill(seen: readonly number[]): readonly number[] {
  return seen.slice(0, seen.indexOf(seen.at(-1)!) + 1);
}

/** A figure in a program's last words. */
function said({ stdout }: { readonly stdout: string }, pattern: RegExp): number {
  return Number(pattern.exec(stdout)?.[1] ?? NaN);
}

/**
 * Fails unless the numbers follow each other from the first to the last, but for those that were
 * reported as lost.
 */
function assertFollow(seen: readonly number[], lost: number): void {
  assertEquals(seen, seen.toSorted((a, b) => a - b));
  const span = seen.at(-1)! - seen[0]! + 1;
  assertEquals(new Set(seen).size, span - lost, `${lost} lost of ${seen}`);
  assertLessOrEqual(lost, span / 10);
  assertLessOrEqual(Math.abs(withoutStill(seen).length - span), lost, `repeated: ${seen}`);
}

test("both recordings of a call hold what the other end has shown, once and in order", async () => {
  await using folder = await temporaryFolder();
  const [here, there] = [`${folder.path}/client.avi`, `${folder.path}/server.avi`];
  await writeNumbers(here, numbers(240), DEFAULT_FORMAT);
  await writeNumbers(there, numbers(200), DEFAULT_FORMAT);
  const [came, went] = [`${folder.path}/video.avi`, `${folder.path}/host.avi`];
  await using called = await startServer(["--input", there, "--record", came]);
  await using client = startClient(called.port, ["--input", here, "--record", went]);
  const sent = await client.exits(0);
  const { stdout, stderr } = await called.server.exits(0);
  assertAllSent(await readNumbers(came), 240, sent);
  assertAllSent(withoutStill(await readNumbers(went)), 200, { stdout });
  // Its own input is shorter: the call went on, and that was said once.
  assertEquals(stderr.match(/The input has ended: the call goes on/g)?.length, 1, stderr);
  for (const text of [sent.stdout, stdout]) {
    assertMatch(text, /^Sent 00:00:1[012], \d+ frames, \d+ dropped$/m);
    assertMatch(text, /^Recorded 00:00:12, \d+ frames.*, \d+ lost: /m);
    assertEquals(text.trimEnd().split("\n").at(-1), "Call ended by the CLIENT");
  }
  // Two windows that cannot be opened are one misfortune.
  for (const text of [sent.stderr, stderr]) {
    assertEquals(text.match(/There is no screen here/g)?.length, 1, text);
  }
}, { quiet: true });

for (const codec of ["h264", "mjpeg"]) {
  test(
    `each direction has its own size, rate, codec and mirror: ${codec} against raw`,
    async () => {
      await using folder = await temporaryFolder();
      const [here, there] = [`${folder.path}/client.avi`, `${folder.path}/server.avi`];
      const large = { width: 640, height: 360, fps: 25 };
      await writeNumbers(here, numbers(75), large);
      await writeNumbers(there, numbers(60), DEFAULT_FORMAT);
      const [came, went] = [`${folder.path}/video.avi`, `${folder.path}/host.avi`];
      await using called = await startServer(["--input", there, "--record", came]);
      await using client = startClient(called.port, [
        ...["--input", here, "--record", went, "--no-mirror"],
        ...["--size", "640x360", "--fps", "25", "--codec", codec],
      ]);
      const sent = await client.exits(0);
      const { stdout } = await called.server.exits(0);
      const { width, height, rate } = await probe(came);
      assertEquals([width, height, rate], [640, 360, "25/1"]);
      const back = await probe(went);
      assertEquals([back.width, back.height, back.rate], [320, 240, "20/1"]);
      const [pictures, others] = [await readPictures(came), await readPictures(went)];
      assert(pictures.every(({ mirrored }) => !mirrored), "the client's picture is mirrored");
      assert(others.every(({ mirrored }) => mirrored), "the server's picture is not mirrored");
      assertAllSent(pictures.map(({ number }) => number), 75, sent);
      assertFollow(others.map(({ number }) => number), said(sent, /^Recorded.* (\d+) lost/m));
      assertMatch(stdout, /^Sent 00:00:03, /m);
    },
    { quiet: true },
  );
}

test(
  "three callers see the picture of one camera, and each is seen, whenever it has come",
  async () => {
    await using folder = await temporaryFolder();
    const there = `${folder.path}/server.avi`;
    await writeNumbers(there, numbers(1200), DEFAULT_FORMAT);
    await using called = await startServer([
      ...["--input", there, "--max-calls", "3", "--record", `${folder.path}/video.avi`],
    ]);
    const { server, port } = called;
    /**
     * The ffmpegs that read the server's picture. The only other process that names it is the
     * server itself.
     */
    const cameras = async (): Promise<number> =>
      (await processesNaming(there)).filter((pid) => pid !== server.pid).length;
    assertEquals(await cameras(), 0);
    await using stack = new AsyncDisposableStack();
    const clients: Running[] = [];
    for (const [index, name] of ["Ana", "Bia", "Caio"].entries()) {
      const input = `${folder.path}/${name}.avi`;
      await writeNumbers(input, numbers(120, 10_000 * (index + 1)), DEFAULT_FORMAT);
      const client = startClient(port, [
        ...["--name", name, "--input", input, "--record", `${folder.path}/from-${name}.avi`],
      ]);
      stack.use(client);
      clients.push(client);
      await client.says(/IN A CALL WITH/);
      await server.says(new RegExp(`${name}: CONNECTION RECEIVED`));
      await until("the server's camera", async () => await cameras() > 0 ? true : undefined);
      assertEquals(await cameras(), 1);
    }
    const sent = await Promise.all(clients.map((client) => client.exits(0)));
    const { stdout } = await server.exits(0);
    assertEquals(await cameras(), 0);
    const firsts: number[] = [];
    for (const [index, name] of ["Ana", "Bia", "Caio"].entries()) {
      const [, file] = new RegExp(`^${name}: Recorded .* lost: (.*) \\(`, "m").exec(stdout) ?? [];
      const seen = await readNumbers(file!);
      assertAllSent(seen.map((number) => number - 10_000 * (index + 1)), 120, sent[index]!);
      const shown = await readNumbers(`${folder.path}/from-${name}.avi`);
      assertFollow(shown, said(sent[index]!, /^Recorded.* (\d+) lost/m));
      assertLess(100, shown.length);
      firsts.push(shown[0]!);
    }
    // A caller that comes later sees the present picture.
    assertEquals(firsts, firsts.toSorted((a, b) => a - b));
    assertEquals(new Set(firsts).size, 3);
  },
  { quiet: true, ignore: Deno.build.os !== "linux" },
);

test("a server that cannot show itself says so before it listens, exit 1", async () => {
  await using folder = await temporaryFolder();
  const cases: (readonly [readonly string[], string])[] = [
    [["--input", "missing.mp4"], "missing.mp4 was not found"],
    [["--camera", "no such camera"], 'There is no camera "no such camera"'],
  ];
  const hasCamera = await Deno.stat("/dev/video0").then(() => true, () => false);
  if (Deno.build.os === "linux" && !hasCamera) {
    const again = "deno task serve --talk --host 127.0.0.1 --port 0 --input test";
    cases.push([
      ["--talk"],
      `There is no camera here: plug one in and try again, or send something`,
    ]);
    cases.push([["--talk"], again]);
  }
  for (const [args, sentence] of cases) {
    const words = commandLine("server", [...args, "--host", "127.0.0.1", "--port", "0"]);
    await using server = new Running(words, { cwd: folder.path });
    const { stdout, stderr } = await server.exits(1);
    assertStringIncludes(stderr, sentence);
    assertEquals(stdout, "");
  }
});

test(
  "a program that sends the server its picture is waited for by the call, and not sent away before",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/host.avi`;
    const port = freePort();
    await using called = await startServer([
      ...["--no-record", "--no-mirror", "--no-display"],
      ...["--input", `tcp://127.0.0.1:${port}?listen`],
    ]);
    await using client = startClient(called.port, ["--record", file, "--no-display"]);
    await untilListening(port);
    using sender = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(sender, liveHeader(DEFAULT_FORMAT));
    for (const n of numbers(40)) {
      await writeAll(sender, livePicture(n, DEFAULT_FORMAT));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    sender.closeWrite();
    await called.server.says(/The input has ended/);
    client.signal("SIGINT");
    await client.exits(0);
    await called.server.exits(0);
    assertEquals([...new Set(await readNumbers(file))].at(-1), 39);
  },
  { ignore: Deno.build.os !== "linux" },
);

test("a hang-up while the server's own picture is being waited for ends it, exit 0", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = new Running(
    commandLine("server", [
      ...["--host", "127.0.0.1", "--port", "0", "--input", `tcp://127.0.0.1:${listener.addr.port}`],
    ]),
  );
  using _silent = await listener.accept();
  server.signal("SIGINT");
  const { stdout, stderr } = await server.exits(0);
  assertEquals([stdout, stderr], ["Call ended by the HOST.\n", ""]);
});

test("a client that records a server without a picture makes no file, and no complaint", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/host.avi`;
  await using called = await startServer(["--no-record"]);
  await using client = startClient(called.port, [
    ...["--duration", "1", "--record", file, "--no-display"],
  ]);
  const { stdout, stderr } = await client.exits(0);
  assertEquals(stderr, "");
  assertMatch(stdout, /^Sent 00:00:01, .*\nCall ended by the CLIENT$/m);
  assert(!/Received|Recorded|recorded/.test(stdout), stdout);
  assertEquals([...Deno.readDirSync(folder.path)], []);
  await called.server.exits(0);
});

test("a call without --record at the client says that what came is not recorded", async () => {
  await using called = await startServer(["--no-record", "--input", "test"]);
  await using client = startClient(called.port, ["--duration", "1", "--no-display"]);
  const { stdout } = await client.exits(0);
  assertMatch(stdout, /^Received 00:00:0[01], \d+ frames, \d+ lost: not recorded$/m);
  assertMatch((await called.server.exits(0)).stdout, /^Sent 00:00:0[01], \d+ frames, /m);
});

test("a peer that sends bare frames calls a server that shows itself, one way", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file, "--input", "test", "--no-display"]);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
  const wire = new Wire(connection, { expecting: () => false });
  for (let n = 0; n < 10; n++) {
    await wire.writeMessage(numberedFrame(n, DEFAULT_FORMAT).data);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await connection.closeWrite();
  // It is told nothing, and the connection ends with its own.
  assertEquals(await wire.readMessage(1e6), null);
  wire.close();
  const { stdout, stderr } = await called.server.exits(0);
  assertEquals([...new Set(await readNumbers(file))], numbers(10));
  assert(!stdout.includes("Sent "), stdout);
  assertEquals(stderr, "");
});

test("the report's client calls a server that shows itself, one way", async () => {
  await using folder = await temporaryFolder();
  const size: Size = { width: 160, height: 120 };
  const bytes = numbers(10).map((n) => paintNumber(n, size));
  await Deno.writeFile(`${folder.path}/pictures`, new Blob(bytes).stream());
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file, "--input", "test"]);
  await using client = new Running([
    ...["/usr/bin/python3", "tests/peers/report_client.py", "127.0.0.1", String(called.port)],
    ...[`${folder.path}/pictures`, "120", "160", "4", "C"],
  ]);
  await client.exits(0);
  const { stdout } = await called.server.exits(0);
  assertEquals([...new Set(await readNumbers(file))], numbers(10));
  assert(!stdout.includes("Sent "), stdout);
}, { ignore: !await hasNumpy() });

async function hasNumpy(): Promise<boolean> {
  const command = new Deno.Command("/usr/bin/python3", {
    args: ["-c", "import numpy"],
    stderr: "null",
  });
  return await command.output().then(({ success }) => success, () => false);
}

test("pictures that the client cannot show are said to come from the HOST", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/host.avi`;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using client = startClient(listener.addr.port, ["--no-display", "--record", file]);
  const wire = new Wire(await listener.accept(), { expecting: () => false });
  await wire.readMessage(65536);
  const answer = JSON.parse(
    new TextDecoder().decode(
      encodeHello({ name: "", streams: [{ ...DEFAULT_FORMAT, codec: "h264" }] }).subarray(9),
    ),
  );
  const text = JSON.stringify({ ...answer, accept: true, call: "0".repeat(32) });
  await wire.writeMessage(new TextEncoder().encode(`\x01CHAMADA1${text}`));
  for (let n = 0; n < 20; n++) {
    const header = new Uint8Array(16);
    header.set([2, 1]);
    new DataView(header.buffer).setUint32(4, n, true);
    await wire.writeMessage(header, new Uint8Array([0, 0, 1, 0x65, 1, 2, 3]));
  }
  await wire.writeMessage(new TextEncoder().encode("\x04hung up"));
  wire.close();
  const { stderr } = await client.exits(1);
  assertStringIncludes(stderr, "No picture can be made of what the HOST sends");
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

test("the live line shows both directions at both ends", async () => {
  const quiet = ["--host", "127.0.0.1", "--no-display"];
  await using server = new Terminal("server", [
    ...[...quiet, "--port", "0", "--no-record", "--input", "test"],
  ], { columns: 120 });
  const [, port] = await server.shows(/LISTENING ON: \('127.0.0.1', (\d+)\)/);
  await using client = new Terminal("client", [
    ...[...quiet, "--port", port!, "--input", "test"],
  ], { columns: 120 });
  const both = /00:00:\d\d {2}↑ [\d.]+ fps {2}↓ [\d.]+ fps {2}delay \d+ ms {2}\d+ dropped/;
  await server.shows(both);
  await client.shows(both);
  await client.type("q");
  assertEquals((await client.ends()).status, 0);
  assertEquals((await server.ends()).status, 0);
}, { ignore: !hasTerminals });

test("each end of a call both ways takes at most 110 MB", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer([
    ...["--input", "test", "--record", `${folder.path}/video.avi`, "--no-display"],
  ]);
  await using client = startClient(called.port, [
    ...["--record", `${folder.path}/host.avi`, "--duration", "8", "--no-display"],
  ]);
  await called.server.says(/CONNECTION RECEIVED/);
  const peaks = new Map<string, number>();
  let outcome: Outcome | undefined;
  client.ended.then((ended) => outcome = ended);
  await until("the end of the call", async () => {
    for (const [name, { pid }] of Object.entries({ server: called.server, client })) {
      const bytes = await peakBytes(pid).catch(() => 0);
      if (bytes > 0) peaks.set(name, bytes / 1e6);
    }
    return outcome;
  }, 200);
  await client.exits(0);
  await called.server.exits(0);
  for (const [name, megabytes] of peaks) assertLessOrEqual(megabytes, 110, name);
  assertEquals(peaks.size, 2);
}, { slow: true, ignore: Deno.build.os !== "linux" });
