/**
 * Whole calls between the two programs, or between one of them and a peer of a few lines, looked at
 * from outside.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { pause, within } from "../lib/clock.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { encodeFrameHeader, encodeHello } from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import {
  canSeeProcesses,
  commandLine,
  probe,
  processesNaming,
  Running,
  startClient,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { numberedFrame, readPictures, writeNumbers } from "./numbered.ts";
import { test } from "./strict.ts";

/** A peer of a few lines that speaks `plain`. */
async function plainPeer(port: number): Promise<Wire> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  return new Wire(connection, { expecting: () => false });
}

/** Sends these numbers at their moments, in seconds from now. */
async function sendAt(wire: Wire, moments: readonly number[]): Promise<void> {
  const startMs = performance.now();
  for (const [n, seconds] of moments.entries()) {
    const earlyMs = startMs + seconds * 1000 - performance.now();
    if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
    await wire.writeMessage(numberedFrame(n, DEFAULT_FORMAT).data);
  }
}

/**
 * The frames that a machine's pause may cost a peer that tells no times. Its frames then come as if
 * it had paused, and the following ones are too fast. timeline_test.ts tests the exact behaviour,
 * on a clock of its own.
 */
const STRAYS = 4;

/** Fails unless the numbers from 0 are there once each and in order, but for a few. */
function assertEachOnce(numbers: readonly number[], count: number): void {
  const different = new Set(numbers);
  assertLessOrEqual(count - different.size, STRAYS, `missing: ${numbers}`);
  assertLessOrEqual(numbers.length - different.size, STRAYS, `repeated: ${numbers}`);
  assertEquals(numbers, numbers.toSorted((a, b) => a - b));
  assertEquals([numbers[0], numbers.at(-1)], [0, count - 1]);
}

function lines(text: string): string[] {
  return text.trimEnd().split("\n");
}

test("a recording of 200 frames holds each once, in order, mirrored, as XVID at 20/1", async () => {
  await using folder = await temporaryFolder();
  const numbers = Array.from({ length: 200 }, (_, n) => n);
  await writeNumbers(`${folder.path}/numbers.avi`, numbers, DEFAULT_FORMAT);
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, ["--input", `${folder.path}/numbers.avi`]);
  await client.exits(0);
  const { stdout } = await called.server.exits(0);
  assertEquals(await probe(file), {
    codec: "mpeg4",
    tag: "XVID",
    width: 320,
    height: 240,
    rate: "20/1",
    frames: 200,
    seconds: 10,
    sound: undefined,
  });
  const pictures = await readPictures(file);
  assertEquals(pictures.map(({ number }) => number), numbers);
  assert(pictures.every(({ mirrored }) => mirrored));
  assertStringIncludes(stdout, "Recorded 00:00:10, 200 frames, 0 lost: ");
}, { quiet: true });

test("frames of a plain peer are recorded each once, in order, as they are", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  const wire = await plainPeer(called.port);
  await sendAt(wire, Array.from({ length: 60 }, (_, n) => n / 20));
  wire.close();
  await called.server.exits(0);
  const pictures = await readPictures(file);
  assertEachOnce(pictures.map(({ number }) => number), 60);
  assert(pictures.every(({ mirrored }) => !mirrored));
});

test("a sender of 30 a second is recorded at 20 and at true speed", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  const wire = await plainPeer(called.port);
  await sendAt(wire, Array.from({ length: 180 }, (_, n) => n / 30));
  wire.close();
  await called.server.exits(0);
  const { seconds, rate } = await probe(file);
  assertEquals(rate, "20/1");
  assertLessOrEqual(Math.abs(seconds - 6), 0.12);
  const numbers = (await readPictures(file)).map(({ number }) => number);
  assertLessOrEqual(numbers.length - new Set(numbers).size, STRAYS, "frames are repeated");
  assertEquals(numbers, numbers.toSorted((a, b) => a - b));
}, { slow: true });

test("a sender that pauses for two seconds is recorded with the pause", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  const wire = await plainPeer(called.port);
  const moments = Array.from({ length: 80 }, (_, n) => n / 20 + (n < 40 ? 0 : 2));
  await sendAt(wire, moments);
  wire.close();
  await called.server.exits(0);
  const { seconds } = await probe(file);
  assertLessOrEqual(Math.abs(seconds - 6), 0.12);
  const numbers = (await readPictures(file)).map(({ number }) => number);
  assertEachOnce([...new Set(numbers)], moments.length);
  assert(numbers.filter((number) => number === 39).length > 30, "the pause is not where it was");
}, { slow: true });

test("with --lang pt the report's own sentences stand, each on its line and in its order", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer(["--lang", "pt", "--record", `${folder.path}/video.avi`]);
  await using client = startClient(called.port, ["--lang", "pt", "--duration", "1"]);
  const sent = lines((await client.exits(0)).stdout);
  const received = lines((await called.server.exits(0)).stdout);
  const peer = /^CONEXÃO RECEBIDA DE: \('127\.0\.0\.1', \d+\)$/;
  const order = [
    received.indexOf("HOST IP: 127.0.0.1"),
    received.indexOf(`ESCUTANDO EM: ('127.0.0.1', ${called.port})`),
    received.findIndex((line) => peer.test(line)),
    received.findIndex((line) => /^Gravados 00:00:01, 20 quadros.*, \d+ perdidos: /.test(line)),
    received.indexOf("Video Chamada encerrada pelo CLIENTE"),
  ];
  assertEquals(order, [...order].sort((a, b) => a - b));
  assert(!order.includes(-1), received.join("\n"));
  assertEquals(order.at(-1), received.length - 1);
  assertEquals(sent.at(-1), "Video Chamada encerrada pelo CLIENTE");
  assertStringIncludes(
    received.join("\n"),
    `deno task send --host 127.0.0.1 --port ${called.port}`,
  );
});

test("--duration sends exactly that long", async () => {
  await using called = await startServer(["--no-record"]);
  await using client = startClient(called.port, [
    "--duration",
    "1.5",
    "--fps",
    "30",
    "--size",
    "64x48",
  ]);
  const { stdout } = await client.exits(0);
  const [, sent, dropped] = /(\d+) frames, (\d+) dropped/.exec(stdout)?.map(Number) ?? [];
  assertEquals(sent! + dropped!, 45);
  // The frames that a busy machine may cost before the first ack has come.
  assertLess(dropped!, 5);
  assertStringIncludes((await called.server.exits(0)).stdout, `${sent} frames, ${dropped} lost`);
});

test("what was asked for in place of a call is said, however quiet the rest is to be", async () => {
  for (const program of ["server", "client"] as const) {
    await using help = new Running(commandLine(program, ["--quiet", "--help"]));
    assertStringIncludes((await help.exits(0)).stdout, "--port");
    await using version = new Running(commandLine(program, ["--quiet", "--version"]));
    assertStringIncludes((await version.exits(0)).stdout, `chamada ${program} `);
  }
});

test("size and rate of the caller are those of the recording", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file, "--fps", "20"]);
  await using client = startClient(called.port, [
    "--duration",
    "1",
    "--fps",
    "30",
    "--size",
    "642x362",
  ]);
  await client.exits(0);
  await called.server.exits(0);
  const { width, height, rate, frames } = await probe(file);
  assertEquals({ width, height, rate, frames }, {
    width: 642,
    height: 362,
    rate: "30/1",
    frames: 30,
  });
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} at the server ends the call for both, with the recording whole`, async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    await using called = await startServer(["--record", file]);
    await using client = startClient(called.port, []);
    await recorded(file);
    called.server.signal(signal);
    const server = await called.server.exits(0);
    assertEquals(lines(server.stdout).at(-1), "Call ended by the HOST.");
    assertEquals(lines((await client.exits(0)).stdout).at(-1), "Call ended by the HOST.");
    const { frames } = await probe(file);
    assertStringIncludes(server.stdout, `${frames} frames`);
  });
}

test("SIGINT at the client ends the call for both", async () => {
  await using called = await startServer(["--no-record"]);
  await using client = startClient(called.port, []);
  await client.says(/IN A CALL WITH/);
  client.signal("SIGINT");
  assertEquals(lines((await client.exits(0)).stdout).at(-1), "Call ended by the CLIENT");
  assertEquals(
    lines((await called.server.exits(0)).stdout).at(-1),
    "Call ended by the CLIENT",
  );
});

test("a client that is killed is a loss, exit 3, and the recording is kept", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, []);
  await recorded(file);
  client.signal("SIGKILL");
  const { stdout } = await called.server.exits(3);
  assertStringIncludes(lines(stdout).at(-1)!, "The CLIENT was lost");
  assert((await probe(file)).frames > 0);
});

test("a server that is killed is a loss for the client, exit 3, and its recorder finishes the file", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, []);
  await recorded(file);
  called.server.signal("SIGKILL");
  assertStringIncludes((await client.exits(3)).stdout, "The HOST was lost");
  assert((await probe(file)).frames > 0);
});

test("a plain peer cut inside a frame is a loss; what was whole is recorded", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
  const wire = new Wire(connection, { expecting: () => false });
  await sendAt(wire, [0, 0.05, 0.1]);
  await connection.write(new Uint8Array([0, 0x84, 3, 0, 0, 0, 0, 0, 1, 2, 3]));
  wire.close();
  const { stdout } = await called.server.exits(3);
  assertStringIncludes(stdout, "in the middle of a frame");
  assertEquals((await probe(file)).frames, 3);
});

test("a call session that ends without a goodbye is a loss", async () => {
  await using called = await startServer(["--no-record"]);
  const wire = await plainPeer(called.port);
  await wire.writeMessage(encodeHello({ name: "test", streams: [DEFAULT_FORMAT] }));
  await wire.readMessage(65536);
  const frame = numberedFrame(0, DEFAULT_FORMAT);
  await wire.writeMessage(encodeFrameHeader(frame), frame.data);
  await wire.readMessage(65536);
  wire.close();
  assertStringIncludes((await called.server.exits(3)).stdout, "without a goodbye");
});

test("a peer that falls silent in the middle of a call is let go after 5 s", async () => {
  await using called = await startServer(["--no-record"]);
  const wire = await plainPeer(called.port);
  await sendAt(wire, [0]);
  assertStringIncludes((await called.server.exits(3)).stdout, "nothing came for more than 5 s");
  wire.close();
}, { slow: true });

test("strangers are turned away with a reason, leave no file, and the next caller is answered", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  const nonsense: readonly Uint8Array<ArrayBuffer>[] = [
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    new Uint8Array(8), // a message of no bytes
    new Uint8Array([255, 255, 255, 255, 255, 255, 255, 255]), // one of 2^64 - 1
    new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]), // three bytes that are no hello
    new Uint8Array(0), // nothing at all
  ];
  for (const bytes of nonsense) {
    const stranger = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
    await stranger.write(bytes);
    if (bytes.length === 0) stranger.close();
    else {
      const rest = new Uint8Array(4096);
      while (await stranger.read(rest).catch(() => null) !== null);
      stranger.close();
    }
  }
  assertEquals([...Deno.readDirSync(folder.path)], []);
  await using client = startClient(called.port, ["--duration", "0.5"]);
  await client.exits(0);
  const { stderr } = await called.server.exits(0);
  assertEquals(stderr.match(/127\.0\.0\.1 was turned away: /g)?.length, 4, stderr);
  assertEquals((await probe(file)).frames, 10);
});

test(
  "a source that needs 3 s to open makes one connection, and the server tells of one",
  async () => {
    await using folder = await temporaryFolder();
    const ffmpeg = (await new Deno.Command("which", { args: ["ffmpeg"] }).output()).stdout;
    const path = new TextDecoder().decode(ffmpeg).trim();
    const slow = `#!/bin/sh\ncase "$*" in *testsrc*) sleep 3 ;; esac\nexec ${path} "$@"\n`;
    await Deno.writeTextFile(`${folder.path}/ffmpeg`, slow, { mode: 0o755 });
    await using called = await startServer(["--no-record"]);
    const env = { PATH: `${folder.path}:${Deno.env.get("PATH")}` };
    const startMs = performance.now();
    await using client = startClient(called.port, ["--duration", "0.5"], { env });
    await client.exits(0);
    assertGreaterOrEqual(performance.now() - startMs, 3000);
    const { stdout, stderr } = await called.server.exits(0);
    assertEquals(stdout.match(/CONNECTION RECEIVED/g)?.length, 1, stdout);
    assert(!stderr.includes("left without a word"), stderr);
  },
  { ignore: Deno.build.os === "windows" },
);

test("a plain peer that reads nothing for 4 s is not called again", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using client = startClient(listener.addr.port, ["--wire", "plain"]);
  using connection = await listener.accept();
  const again = listener.accept().then(() => "called", () => "closed");
  // A client can come back only into a call. It would do so after 2 s of silence.
  assertEquals(await within(again, 4000), undefined);
  client.signal("SIGTERM");
  const bytes = new Uint8Array(1 << 20);
  while (await connection.read(bytes).catch(() => null) !== null);
  await client.exits(0);
  listener.close();
  await again;
}, { slow: true });

test(
  "a server that slept does not take its own caller, who comes back, for a stranger",
  async () => {
    await using called = await startServer(["--no-record", "--max-calls", "2"]);
    await using client = startClient(called.port, []);
    await client.says(/IN A CALL/);
    called.server.signal("SIGSTOP");
    // The client calls again after 2 s, and then again and again.
    await new Promise((resolve) => setTimeout(resolve, 3500));
    called.server.signal("SIGCONT");
    const before = called.server.stdout;
    await new Promise((resolve) => setTimeout(resolve, 500));
    client.signal("SIGTERM");
    await client.exits(0);
    const { stdout, stderr } = await called.server.exits(0);
    assertEquals(stdout.match(/CONNECTION RECEIVED/g)?.length, 1, before + stdout);
    assert(!stderr.includes("left without a word"), stderr);
  },
  { ignore: Deno.build.os === "windows", slow: true },
);

test(
  "a recorder that dies is told at once; the recording goes on in a second file, and both are named",
  async () => {
    await using folder = await temporaryFolder();
    const [first, second] = [`${folder.path}/video.avi`, `${folder.path}/video-2.avi`];
    await using called = await startServer(["--record", first]);
    await using client = startClient(called.port, []);
    await recorded(first);
    // An ffmpeg that dies in its first seconds would do so again. No other one follows it.
    await pause(2500);
    const [recorder] = await processesNaming(`file:${first}`);
    Deno.kill(recorder!, "SIGKILL");
    await called.server.says(/The recording stopped \(.*\)\. The call goes on.*video\.avi\.\n/);
    await called.server.says(/The recording goes on in \S+video-2\.avi\.\n/);
    await recorded(second);
    client.signal("SIGTERM");
    await client.exits(0);
    const { stdout, stderr } = await called.server.exits(1);
    assertMatch(
      stdout,
      /^Recorded .*video\.avi \(.*\)\nRecorded .* \d+ lost: \S+video-2\.avi \(.*\)\nCall ended by/m,
    );
    assertMatch(stderr, /^The recording is not whole: \S+video\.avi$/m);
    assert((await probe(first)).frames > 40);
    assert((await probe(second)).frames > 0);
  },
  { ignore: !canSeeProcesses, slow: true },
);

test("a second caller is told that the line is busy, and the first does not notice", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  await using first = startClient(called.port, ["--duration", "4"]);
  await recorded(file);
  await using second = startClient(called.port, []);
  const refused = await second.exits(1);
  assertStringIncludes(refused.stderr, "The line is busy");
  await first.exits(0);
  await called.server.exits(0);
  assertEquals((await probe(file)).frames, 80);
}, { slow: true });

test("--stay answers one caller after the other, each into a file of its own", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file, "--stay"]);
  for (const frames of [10, 20]) {
    await using client = startClient(called.port, ["--duration", String(frames / 20)]);
    await client.exits(0);
    await called.server.says(new RegExp(`${frames} frames.*\nCall ended by the CLIENT\n`));
  }
  called.server.signal("SIGTERM");
  const { stdout } = await called.server.exits(0);
  assertEquals(lines(stdout).at(-1), "Call ended by the HOST.");
  assertEquals((await probe(file)).frames, 10);
  assertEquals((await probe(`${folder.path}/video-2.avi`)).frames, 20);
});

test("--max-calls 2 has two calls at once, each with its own file and its own end", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer([
    ...["--record", `${folder.path}/video.avi`, "--max-calls", "2"],
  ]);
  await using one = startClient(called.port, ["--duration", "2"]);
  await using other = startClient(called.port, ["--duration", "3"]);
  await one.exits(0);
  await other.exits(0);
  await called.server.exits(0);
  const frames = await Promise.all(
    ["video.avi", "video-2.avi"].map(async (name) =>
      (await probe(`${folder.path}/${name}`)).frames
    ),
  );
  assertEquals(frames.sort(), [40, 60]);
});

test("with several calls every sentence of one names its caller, namesakes by their address too", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer([
    ...["--record", `${folder.path}/video.avi`, "--max-calls", "3", "--stay", "--name", "sala"],
  ]);
  // The first frame makes the file. It also makes the caller one that can be lost.
  const recordings = (count: number): Promise<boolean> =>
    until(
      `${count} recordings`,
      () => [...Deno.readDirSync(folder.path)].length === count || undefined,
    );
  await using ana = startClient(called.port, ["--name", "Ana", "--verbose"]);
  await ana.says(/IN A CALL WITH: \('127\.0\.0\.1', \d+\)\n/);
  await ana.says(/it calls itself sala/);
  await called.server.says(/^Ana: CONNECTION RECEIVED FROM: \('127\.0\.0\.1', \d+\)$/m);
  await recordings(1);
  ana.signal("SIGTERM");
  await ana.exits(0);
  await called.server.says(/^Ana: Call ended by the CLIENT$/m);

  await using one = startClient(called.port, ["--name", "Bruno"]);
  await called.server.says(/^Bruno: CONNECTION RECEIVED/m);
  await using other = startClient(called.port, ["--name", "bruno\u001b[2J"]);
  await called.server.says(/^bruno \[2J: CONNECTION RECEIVED/m);
  await using namesake = startClient(called.port, ["--name", " BRUNO"]);
  const [, port] = await called.server.says(
    /^BRUNO \(127\.0\.0\.1:(\d+)\): CONNECTION RECEIVED FROM: \('127\.0\.0\.1', \1\)$/m,
  );
  await recordings(4);
  namesake.signal("SIGKILL");
  await called.server.says(
    new RegExp(`^BRUNO \\(127\\.0\\.0\\.1:${port}\\): The CLIENT was lost`, "m"),
  );
  called.server.signal("SIGTERM");
  await one.exits(0);
  await other.exits(0);
  const { stdout, stderr } = await called.server.exits(0);
  assertMatch(stdout, /^Ana: Recorded .*: \S+video\.avi \(.*\)\nAna: Call ended/m);
  assertMatch(stdout, /^Bruno \(127\.0\.0\.1:\d+\): Recorded /m);
  assertMatch(stdout, /^bruno \[2J: Call ended by the HOST\.$/m);
  assertMatch(stderr, /^Ana: There is no screen here/m);
  const ofCalls = lines(stdout).filter((line) => /RECEIVED|Recorded|Call ended|lost/.test(line));
  assertEquals(ofCalls.filter((line) => !/^(Ana|bruno)\b.*: /i.test(line)), []);
});

test(
  "a recording behind a link and `..` is one file to Deno and to ffmpeg, and its path is said",
  async () => {
    await using folder = await temporaryFolder();
    const root = await Deno.realPath(folder.path);
    await Deno.mkdir(`${root}/disk/videos`, { recursive: true });
    await Deno.symlink("disk/videos", `${root}/videos`);
    await Deno.writeTextFile(`${root}/disk/v.avi`, "mine");
    // With bounded rights Deno takes `..` by the letters. Only a program of its own can show that.
    await using called = await startServer(["--record", "videos/../v.avi"], { cwd: root });
    await using client = startClient(called.port, ["--duration", "1"]);
    await client.exits(0);
    const { stdout } = await called.server.exits(0);
    assertStringIncludes(stdout, `: ${root}/disk/v-2.avi (`);
    assertEquals((await probe(`${root}/disk/v-2.avi`)).frames, 20);
    assertEquals(await Deno.readTextFile(`${root}/disk/v.avi`), "mine");
    assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), ["disk", "videos"]);

    // A killed program leaves the file like this: no size. It is mended in its place.
    const bytes = await Deno.readFile(`${root}/disk/v-2.avi`);
    bytes.fill(0, 4, 8);
    await Deno.writeFile(`${root}/disk/v-2.avi`, bytes);
    await Deno.utime(`${root}/disk/v-2.avi`, 1e9, 1e9);
    await using again = await startServer(["--record", "videos/../v.avi"], { cwd: root });
    await again.server.says(/is mended now: .*\/disk\/v-2\.avi/);
    again.server.signal("SIGTERM");
    await again.server.exits(0);
    assertEquals((await probe(`${root}/disk/v-2.avi`)).frames, 20);
  },
  { ignore: Deno.build.os === "windows" },
);

test("what cannot be done is said with cause and cure, exit 1", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer(["--no-record"]);
  const start = (program: "server" | "client", ...args: string[]): Running =>
    program === "server"
      ? new Running(serverLine(args), { cwd: folder.path })
      : startClient(called.port, args, { cwd: folder.path });
  const { port: free } = freePort();
  const cases: readonly (readonly [Running, string])[] = [
    [start("server", "--host", "127.0.0.1", "--port", String(called.port)), "is taken by another"],
    [start("server", "--host", "203.0.113.9", "--port", "0"), "is no address of this machine"],
    [
      start("server", "--host", "127.0.0.1", "--port", "0", "--record", "no/video.avi"),
      "does not exist: make it",
    ],
    [
      start("server", "--host", "127.0.0.1", "--port", "0", "--record", "no/../video.avi"),
      "The folder of no/../video.avi does not exist: make it",
    ],
    [startClient(free, []), "Nobody listens at"],
    [start("client", "--host", "no-such-host.invalid"), "is not known on this network"],
    [start("client", "--input", "no-such-file.avi"), "was not found"],
    [start("client", "--camera", "no such camera"), 'There is no camera "no such camera"'],
  ];
  for (const [program, sentence] of cases) {
    await using running = program;
    const { stderr } = await running.exits(1);
    assertStringIncludes(stderr, sentence);
    assert(!/\n\s+at /.test(stderr), `a stack trace reached the user:\n${stderr}`);
  }
  assertEquals([...Deno.readDirSync(folder.path)], [], "something was left behind");
});

test("an address, a time and a codec are taken as people type them", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer(["--record", `${folder.path}/VIDEO.AVI`]);
  const address = `http://127.0.0.1:${called.port}/`;
  await using client = new Running(
    commandLine("client", [address, "--input", "test", "--codec", "MJPEG", "--duration", "1s"]),
  );
  const { stdout } = await client.exits(0);
  assertStringIncludes(stdout, `CALLING: ('127.0.0.1', ${called.port})`);
  assertMatch(stdout, /Sent 00:00:01, /);
  await called.server.exits(0);
});

test("--quiet --list-cameras prints the cameras", async () => {
  await using folder = await temporaryFolder();
  // An ffmpeg of our own, which has one camera.
  await Deno.writeTextFile(
    `${folder.path}/ffmpeg`,
    `#!/bin/sh\necho "  /dev/video0 [Sala 2]"\necho "Raw : yuyv422 : YUYV 4:2:2 : 640x480"\n`,
    { mode: 0o755 },
  );
  const env = { PATH: `${folder.path}:${Deno.env.get("PATH")}` };
  for (const args of [["--list-cameras", "--quiet"], ["--quiet", "--list-cameras"]]) {
    await using client = new Running(commandLine("client", args), { env });
    const { stdout } = await client.exits(0);
    assertEquals(stdout, "Cameras:\n  0: Sala 2\n");
  }
}, { ignore: Deno.build.os !== "linux" });

test("--list-devices prints cameras and microphones, at both programs", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(
    `${folder.path}/ffmpeg`,
    [
      "#!/bin/sh",
      'echo "Auto-detected sources for $3:"',
      'case "$*" in',
      '  *pulse*) echo "* Fone_0 [Fone de ouvido]"; echo "  Alto_0.monitor [Monitor of Alto]";;',
      '  *) echo "  /dev/video0 [Sala 2]"; echo "Raw : yuyv422 : YUYV 4:2:2 : 640x480";;',
      "esac",
    ].join("\n"),
    { mode: 0o755 },
  );
  const env = { PATH: `${folder.path}:${Deno.env.get("PATH")}` };
  for (const program of ["server", "client"] as const) {
    await using running = new Running(commandLine(program, ["--list-devices"]), { env });
    const { stdout } = await running.exits(0);
    assertEquals(stdout, "Cameras:\n  0: Sala 2\nMicrophones:\n  0: Fone de ouvido\n");
  }
  const none = `#!/bin/sh\necho "Cannot list sources: Function not implemented"\n`;
  await Deno.writeTextFile(`${folder.path}/ffmpeg`, none);
  await using running = new Running(commandLine("client", ["--list-devices"]), { env });
  const { stdout, stderr } = await running.exits(1);
  assertEquals(stdout, "");
  assertMatch(stderr, /No camera found[^]*No microphone found/);
}, { ignore: Deno.build.os !== "linux" });

test("a recording of another kind is refused with the name to type, exit 2", async () => {
  await using folder = await temporaryFolder();
  for (const name of ["aula.mov", "aula"]) {
    const args = ["--host", "127.0.0.1", "--port", "0", "--record", name];
    await using server = new Running(serverLine(args), { cwd: folder.path });
    const { stdout, stderr } = await server.exits(2);
    assertEquals(stdout, "");
    assertStringIncludes(
      stderr,
      `--record ${name}: a recording is an AVI, MKV or MP4 file: type --record aula.avi.`,
    );
  }
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

test("a wrong command line is refused with the reason, exit 2", async () => {
  for (const program of ["server", "client"] as const) {
    await using running = program === "server"
      ? new Running(serverLine(["--prot", "8080"]))
      : startClient(1, ["--wire", "plain", "--size", "640x480"]);
    const { stderr } = await running.exits(2);
    assertStringIncludes(stderr, program === "server" ? "--prot" : "contradict");
    assertStringIncludes(stderr, "--help");
  }
});

function serverLine(args: readonly string[]): string[] {
  return commandLine("server", args);
}

/** A port that nobody listens on. */
function freePort(): { port: number } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return { port };
}

/** Waits until a recording has begun to fill. */
async function recorded(file: string): Promise<void> {
  await until(`pictures in ${file}`, async () => {
    const size = (await Deno.stat(file).catch(() => undefined))?.size ?? 0;
    return size > 50_000 ? size : undefined;
  });
}
