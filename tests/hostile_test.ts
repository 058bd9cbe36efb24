/**
 * Nonsense from strangers, and many callers, seen from outside. None of it may touch a running
 * call.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { createConnection, type Socket } from "node:net";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import {
  decodeAnswer,
  encodeAck,
  encodeAnswer,
  encodeBye,
  encodeFrameHeader,
  encodeHello,
  KIND,
  MAX_HELLO_BYTES,
  newCallId,
} from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import { accept } from "../server.ts";
import {
  probe,
  residentBytes,
  startClient,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { assertAllSent, readNumbers, writeNumbers } from "./numbered.ts";
import { test } from "./strict.ts";

const FRAMES = 200;
const text = new TextEncoder();

/** A message of these bytes, with its length in front, or with another length. */
function message(payload: Uint8Array, length = BigInt(payload.length)): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + payload.length);
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  bytes.set(payload, 8);
  return bytes;
}

function hello(json: string): Uint8Array {
  return new Uint8Array([KIND.hello, ...text.encode(`CHAMADA1${json}`)]);
}

const VIDEO = `{"kind":"video","codec":"raw","width":320,"height":240,"fps":20}`;

/** The words of strangers, and the words that the refusal has to contain. */
const NONSENSE: readonly (readonly [string, Uint8Array<ArrayBuffer>, RegExp])[] = [
  ["a length of 2^63", message(new Uint8Array(0), 2n ** 63n), /9223372036854775808 bytes/],
  ["no length", message(new Uint8Array(0)), /0 bytes/],
  ["a byte too many", message(new Uint8Array(1), 230_401n), /230401 bytes/],
  [
    "a hello of 64 KiB and a byte",
    message(hello("{"), BigInt(MAX_HELLO_BYTES + 1)),
    /65537 bytes is too long/,
  ],
  ["a JSON bomb", message(hello("[".repeat(60_000))), /not JSON/],
  ["another magic", message(new Uint8Array([1, ...text.encode("CHAMADA9{}")])), /no hello/],
  [
    "another version",
    message(hello(`{"version":7,"name":"x","streams":[${VIDEO}]}`)),
    /version 7.*version 2/,
  ],
  [
    "a picture of no size",
    message(hello(`{"version":2,"name":"x","streams":[${VIDEO.replace("320", "0")}]}`)),
    /0x240/,
  ],
  [
    "a pickle that wants to run something",
    message(new Uint8Array([0x80, 4, ...text.encode("cos\nsystem\n"), 0x29, 0x52, 0x2e])),
    /os\.system/,
  ],
];

test(
  "strangers of every kind are refused with the reason while a call goes on, and leave no file",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const numbers = Array.from({ length: FRAMES }, (_, n) => n);
    await writeNumbers(`${folder.path}/numbers.avi`, numbers, DEFAULT_FORMAT);
    await using called = await startServer(["--record", file, "--stay", "--max-calls", "4"]);
    await using client = startClient(called.port, ["--input", `${folder.path}/numbers.avi`]);
    await client.says(/IN A CALL/);
    for (const [name, bytes, reason] of NONSENSE) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
      await connection.write(bytes);
      const answer = await readAll(connection);
      assertMatch(answer, reason, name);
    }
    // The same inside a call of its own: a frame of the wrong size.
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port: called.port }));
    await wire.writeMessage(encodeHello({ name: "x", streams: [DEFAULT_FORMAT] }));
    await wire.readMessage(MAX_HELLO_BYTES);
    const header = encodeFrameHeader({
      stream: 0,
      data: new Uint8Array(0),
      captureUs: 0,
      sequence: 0,
      keyframe: true,
    });
    await wire.writeMessage(header, new Uint8Array(1000));
    const bye = await wire.readMessage(MAX_HELLO_BYTES);
    assertStringIncludes(new TextDecoder().decode(bye!), "a frame of 1000 bytes");
    wire.close();

    const sent = await client.exits(0);
    await called.server.says(/Call ended by the CLIENT/);
    called.server.signal("SIGTERM");
    await called.server.exits(0);
    assertAllSent(await readNumbers(file), FRAMES, sent);
    const files = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
    assertEquals(files, ["numbers.avi", "video.avi"]);
  },
  { slow: true },
);

test("what is no picture is said, counted as lost and leaves no file, exit 1", async () => {
  const jpeg = new Uint8Array(3000).fill(0x55);
  jpeg.set([0xff, 0xd8]);
  const unit = new Uint8Array(3000).fill(0x55);
  unit.set([0, 0, 0, 1, 0x41]);
  for (const [codec, data] of [["mjpeg", jpeg], ["h264", unit]] as const) {
    await using folder = await temporaryFolder();
    await using called = await startServer(["--record", `${folder.path}/video.avi`]);
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port: called.port }), {
      expecting: () => false,
    });
    await wire.writeMessage(encodeHello({ name: "x", streams: [{ ...DEFAULT_FORMAT, codec }] }));
    await wire.readMessage(MAX_HELLO_BYTES);
    let sent = 0;
    const send = async (): Promise<void> => {
      const captureUs = sent * 50_000;
      const frame = { stream: 0, data, captureUs, sequence: sent++, keyframe: codec === "mjpeg" };
      await wire.writeMessage(encodeFrameHeader(frame), data);
    };
    const sending = setInterval(() => void send().catch(() => {}), 50);
    await called.server.says(/No picture can be made of what the CLIENT sends: it is not/);
    clearInterval(sending);
    await wire.writeMessage(encodeBye(""));
    await wire.finish();
    const { stdout, stderr } = await called.server.exits(1);
    assertMatch(stdout, new RegExp(`${sent} lost: not recorded`), codec);
    assertEquals(stderr.match(/No picture can be made/g)?.length, 2, codec);
    assertEquals([...Deno.readDirSync(folder.path)], [], codec);
  }
}, { slow: true });

/**
 * A caller that sends that many of the smallest frames as fast as they go. Resolves to the server's
 * last words.
 */
async function flood(port: number, codec: "mjpeg" | "h264", count: number): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const said = readAll(connection);
  const video = { kind: "video", codec, width: 16, height: 16, fps: 120 } as const;
  const data = codec === "mjpeg" ? [0xff, 0xd8] : [0, 0, 1];
  const frames = (first: number): Uint8Array<ArrayBuffer> =>
    concat(Array.from({ length: 1000 }, (_, index) => {
      const sequence = first + index;
      const frame = {
        stream: 0,
        data: new Uint8Array(data),
        captureUs: sequence,
        sequence,
        keyframe: true,
      };
      return message(concat([encodeFrameHeader(frame), frame.data]));
    }));
  try {
    await writeAll(connection, message(encodeHello({ name: "x", streams: [video] })));
    for (let first = 0; first < count; first += 1000) await writeAll(connection, frames(first));
  } catch {
    // The server has let go. Its words are read already.
  }
  return await said;
}

test(
  "floods of the smallest frames are ended with a reason: no call, no memory and no end suffers",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const numbers = Array.from({ length: FRAMES }, (_, n) => n);
    await writeNumbers(`${folder.path}/numbers.avi`, numbers, DEFAULT_FORMAT);
    await using called = await startServer(["--record", file, "--stay", "--max-calls", "3"]);
    await using client = startClient(called.port, ["--input", `${folder.path}/numbers.avi`]);
    // The first to send a picture has the name that was asked for.
    await until("the recording", () => Deno.stat(file).catch(() => undefined));
    const before = await residentBytes(called.server.pid);
    for (const codec of ["h264", "mjpeg"] as const) {
      const said = await flood(called.port, codec, 100_000);
      assertStringIncludes(said, "frames come faster than 480 a second", codec);
    }
    assertLess(await residentBytes(called.server.pid) - before, 100e6);
    const sent = await client.exits(0);
    await called.server.says(/(The CLIENT spoke[^]*faster than 480 a second[^]*){2}/);
    called.server.signal("SIGTERM");
    await called.server.exits(0);
    assertAllSent(await readNumbers(file), FRAMES, sent);
  },
  { ignore: Deno.build.os !== "linux", slow: true },
);

test("a bye that complains is shown; the usual ones are not", async () => {
  for (const [reason, shown] of [["hung up", false], ["that was too loud", true]] as const) {
    await using called = await startServer(["--no-record"]);
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port: called.port }));
    await wire.writeMessage(encodeHello({ name: "x", streams: [DEFAULT_FORMAT] }));
    await wire.readMessage(MAX_HELLO_BYTES);
    await wire.writeMessage(encodeBye(reason));
    await wire.finish();
    const { stderr } = await called.server.exits(0);
    assertEquals(stderr.includes(`The CLIENT said why: ${reason}.`), shown, stderr);
  }
});

test("a stranger that says nothing, or a byte a second, is let go", async () => {
  await using called = await startServer(["--no-record", "--stay", "--lang", "pt"]);
  const silent = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
  const slow = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
  const drip = setInterval(() => void slow.write(new Uint8Array(1)).catch(() => {}), 1000);
  const startMs = performance.now();
  await Promise.all([readAll(silent), readAll(slow)]);
  clearInterval(drip);
  assertLess(performance.now() - startMs, 15_000);
  called.server.signal("SIGTERM");
  const { stderr } = await called.server.exits(0);
  assertStringIncludes(stderr, "foi dispensado: nada chegou por mais de 5 s.");
}, { slow: true });

test(
  "500 connections that say nothing do not touch a call: no frame is lost, and memory is bounded",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const numbers = Array.from({ length: FRAMES }, (_, n) => n);
    await writeNumbers(`${folder.path}/numbers.avi`, numbers, DEFAULT_FORMAT);
    await using called = await startServer(["--record", file]);
    await using client = startClient(called.port, ["--input", `${folder.path}/numbers.avi`]);
    await client.says(/IN A CALL/);
    const before = await residentBytes(called.server.pid);
    const strangers = await Promise.all(
      Array.from({ length: 500 }, () => Deno.connect({ hostname: "127.0.0.1", port: called.port })),
    );
    const during = await residentBytes(called.server.pid);
    const sent = await client.exits(0);
    await called.server.exits(0);
    for (const stranger of strangers) stranger.close();
    assertAllSent(await readNumbers(file), FRAMES, sent);
    assertLess(during - before, 100e6);
  },
  { ignore: Deno.build.os !== "linux", slow: true },
);

test(
  "a hundred connections that were reset while the server slept hold nobody up",
  async () => {
    await using called = await startServer(["--no-record", "--stay"]);
    called.server.signal("SIGSTOP");
    // All of them find room before they are accepted, and fail on being accepted.
    const strangers = await Promise.all(Array.from({ length: 100 }, () => connected(called.port)));
    for (const stranger of strangers) stranger.resetAndDestroy();
    const caller = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
    const wire = new Wire(caller, { silenceMs: 30_000 });
    await wire.writeMessage(encodeHello({ name: "x", streams: [DEFAULT_FORMAT] }));
    const startMs = performance.now();
    called.server.signal("SIGCONT");
    await wire.readMessage(MAX_HELLO_BYTES);
    // Half the time of a pause for each of them.
    assertLess(performance.now() - startMs, 100 * 50 / 2);
    wire.close();
  },
  { ignore: Deno.build.os !== "linux" },
);

test("accepting pauses where the system has no room, and for no other failure", async () => {
  const failures = (code: string, count: number): Error[] =>
    Array.from({ length: count }, () => Object.assign(new Error(code), { code }));
  const closed = new Deno.errors.BadResource("Closed");
  const tookMs = async (errors: readonly Error[]): Promise<number> => {
    const waiting = [...errors, closed];
    const startMs = performance.now();
    for await (const _caller of accept({ accept: () => Promise.reject(waiting.shift()) }));
    assertEquals(waiting, []);
    return performance.now() - startMs;
  };
  for (const code of ["ENOTCONN", "ECONNABORTED", "EINVAL", "EPROTO"]) {
    assertLess(await tookMs(failures(code, 200)), 5000, code);
  }
  for (const code of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]) {
    assertGreaterOrEqual(await tookMs(failures(code, 2)), 95, code);
  }
});

test(
  "strangers that vanish, or speak nonsense, before their first frame do not end a server",
  async () => {
    await using folder = await temporaryFolder();
    await using called = await startServer(["--record", `${folder.path}/video.avi`]);
    const calling = async (): Promise<{ connection: Deno.TcpConn; wire: Wire }> => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
      const wire = new Wire(connection, { expecting: () => false });
      await wire.writeMessage(encodeHello({ name: "x", streams: [DEFAULT_FORMAT] }));
      return { connection, wire };
    };
    const answered = async (): Promise<Wire> => {
      const { wire } = await calling();
      await wire.readMessage(MAX_HELLO_BYTES);
      return wire;
    };
    const turnedAway = (times: number): Promise<unknown> =>
      called.server.says(new RegExp(`(127\\.0\\.0\\.1 was turned away[^]*){${times}}`));

    const socket = await connected(called.port);
    const greeting = message(encodeHello({ name: "x", streams: [DEFAULT_FORMAT] }));
    await new Promise<void>((resolve) => socket.write(greeting, () => resolve()));
    socket.resetAndDestroy();
    // It is a matter of luck if it was accepted before it was reset.
    (await calling()).wire.close();
    await turnedAway(1);
    (await answered()).close();
    await turnedAway(2);
    const half = await calling();
    await half.wire.readMessage(MAX_HELLO_BYTES);
    await half.connection.write(message(new Uint8Array(1000), 230_416n));
    half.wire.close();
    await turnedAway(3);
    const wrong = await answered();
    await wrong.writeMessage(new Uint8Array([KIND.ack, 0, 0, 0, 0, 0, 0, 0]));
    await wrong.finish();
    await turnedAway(4);

    await using client = startClient(called.port, ["--duration", "1"]);
    await client.exits(0);
    const { stdout, stderr } = await called.server.exits(0);
    assertEquals(stdout.match(/Call ended|was lost|Received/g), ["Call ended"], stdout);
    assertGreaterOrEqual(stderr.match(/Waiting for the next caller/g)?.length ?? 0, 4, stderr);
    assertEquals((await probe(`${folder.path}/video.avi`)).frames, 20);
  },
);

test(
  "a caller that is lost and comes back 150 times has its call, few lines are made, and nothing stays open",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    await using called = await startServer(["--record", file]);
    const data = new Uint8Array(230_400);
    let call: string | undefined;
    let before = 0;
    for (let sequence = 0; sequence < 150; sequence++) {
      const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port: called.port }));
      await wire.writeMessage(encodeHello({ name: "x", streams: [DEFAULT_FORMAT], call }));
      const answer = decodeAnswer((await wire.readMessage(MAX_HELLO_BYTES))!);
      assert(answer.accept);
      call = answer.call;
      const frame = { stream: 0, data, captureUs: sequence * 50_000, sequence, keyframe: true };
      await wire.writeMessage(encodeFrameHeader(frame), data);
      while ((await wire.readMessage(MAX_HELLO_BYTES))?.[0] !== KIND.ack);
      if (sequence === 9) before = await openFiles(called.server.pid);
      if (sequence === 149) {
        assertLess(await openFiles(called.server.pid), before + 5);
        await wire.writeMessage(encodeBye(""));
        await wire.finish();
      }
      wire.close();
    }
    const { stdout, stderr } = await called.server.exits(0);
    assertLess(stderr.split("\n").length, 60);
    assertMatch(stdout, /150 (received|frames)/);
    assertGreater((await probe(file)).frames, 0);
  },
  { ignore: Deno.build.os !== "linux" },
);

/** The number of files, pipes and sockets that a process has open. */
async function openFiles(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

test("many strangers of every kind make few lines, and a caller is announced all the same", async () => {
  await using called = await startServer(["--no-record", "--stay"]);
  const hello = message(encodeHello({ name: "x", streams: [DEFAULT_FORMAT] }));
  const bye = message(encodeBye(""));
  const strangers: readonly (readonly Uint8Array<ArrayBuffer>[])[] = [
    [],
    [message(new Uint8Array(0))],
    [hello],
    [hello, bye],
  ];
  for (let round = 0; round < 30; round++) {
    for (const words of strangers) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
      for (const word of words) await connection.write(word).catch(() => {});
      await connection.closeWrite().catch(() => {});
      await readAll(connection);
    }
  }
  await using client = startClient(called.port, ["--duration", "1"]);
  await client.exits(0);
  await called.server.says(/Call ended by the CLIENT/);
  called.server.signal("SIGTERM");
  const { stdout, stderr } = await called.server.exits(0);
  const lines = (stdout + stderr).split("\n").length;
  // Two lines for each told one: 20 at once, and as many as a slow machine's time gives.
  assertLess(lines, 90);
  assertMatch(stdout, /CONNECTION RECEIVED FROM.*\n(?!CONN)[^]*Received 00:00:01, 20 frames/);
  assertMatch(stderr, /came to nothing and are not listed: \d+/);
});

test("eight calls at once are each recorded whole, into a file of their own", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer([
    ...["--record", `${folder.path}/video.avi`, "--max-calls", "8", "--stay"],
  ]);
  await using stack = new AsyncDisposableStack();
  const clients = Array.from(
    { length: 8 },
    () => stack.use(startClient(called.port, ["--duration", "5", "--codec", "raw"])),
  );
  for (const client of clients) {
    // A machine that is busy besides may miss a frame or two while eight recorders start. It has to
    // say so.
    const { stdout } = await client.exits(0);
    const [, sent, dropped] = /(\d+) frames, (\d+) dropped/.exec(stdout) ?? [];
    assertLess(Math.abs(Number(sent) + Number(dropped) - 100), 20);
    assertLess(Number(dropped), 20);
  }
  await called.server.says(/(Call ended by the CLIENT[^]*){8}/);
  called.server.signal("SIGTERM");
  await called.server.exits(0);
  for (let number = 1; number <= 8; number++) {
    const name = number === 1 ? "video.avi" : `video-${number}.avi`;
    const { frames } = await probe(`${folder.path}/${name}`);
    assertLess(Math.abs(frames - 100), 3, name);
  }
}, { slow: true });

test("a server that acknowledges what was never sent is refused by the client, exit 1", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using client = startClient(listener.addr.port, []);
  const wire = new Wire(await listener.accept(), { expecting: () => false });
  await wire.readMessage(MAX_HELLO_BYTES);
  await wire.writeMessage(
    encodeAnswer({ accept: true, name: "x", streams: [], call: newCallId() }),
  );
  await wire.writeMessage(encodeAck(0, 1_000_000));
  const { stderr } = await client.exits(1);
  assertStringIncludes(stderr, "an ack for frame 1000000, which was never sent");
  wire.close();
});

/** A connection to 127.0.0.1 that can be reset. */
function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", reject);
  });
}

async function writeAll(connection: Deno.TcpConn, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length;) at += await connection.write(data.subarray(at));
}

test("a tutorial's server, which sends the pictures itself, is named in every mode, exit 1", async () => {
  const pickle = new Uint8Array(230_564);
  pickle.set([0x80, 4, 0x95]);
  for (
    const [wire, lang, sentence] of [
      ["call", "en", "a server that only listens has spoken: 230564 bytes, as if it sent"],
      ["pickle", "en", "a server that only listens has spoken: 230564 bytes, as if it sent"],
      ["plain", "pt", "um servidor que só deveria escutar falou: 230564 bytes, como se enviasse"],
    ] as const
  ) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using client = startClient(listener.addr.port, ["--wire", wire, "--lang", lang]);
    const connection = await listener.accept();
    const sending = (async (): Promise<void> => {
      const all = message(pickle);
      for (let at = 0; at < all.length; at += await connection.write(all.subarray(at)));
    })().catch(() => {});
    const reading = readAll(connection);
    assertStringIncludes((await client.exits(1)).stderr, sentence, wire);
    await Promise.all([sending, reading]);
  }
});

async function readAll(connection: Deno.TcpConn): Promise<string> {
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(4096);
  let all = "";
  try {
    let count: number | null;
    while ((count = await connection.read(bytes)) !== null) {
      all += decoder.decode(bytes.subarray(0, count), { stream: true });
    }
  } catch {
    // The connection was reset. All words before that have been read.
  }
  connection.close();
  return all;
}
