import { assert, assertEquals } from "@std/assert";
import { DEFAULT_FORMAT, PCM, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { openSending } from "../lib/wire/bare.ts";
import { compareClocks } from "../lib/wire/delay.ts";
import { type Again, CallLine, type Line } from "../lib/wire/line.ts";
import { Guesses } from "../lib/wire/guesses.ts";
import { proveAsCalled, proveAsCaller } from "../lib/wire/handshake.ts";
import { makeOffer, readOffer } from "../lib/wire/offer.ts";
import { decodePickle, encodePickle } from "../lib/wire/pickle.ts";
import {
  decodeAck,
  decodeAnswer,
  decodeBye,
  decodeFrame,
  decodeHello,
  decodeRest,
  encodeAck,
  encodeAnswer,
  encodeBye,
  encodeFrameHeader,
  encodeHello,
  encodeRest,
  isHello,
} from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import { bytes, framed } from "./bytes.ts";
import { type FakeConnection, openPair } from "./fake_connection.ts";
import { SetClock } from "./fake_time.ts";
import { test } from "./strict.ts";

const FORMAT: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const FRAME: Frame = {
  stream: 0,
  data: new Uint8Array(768).fill(0x80),
  captureUs: 1_692_278_400_123_456,
  sequence: 7,
  keyframe: true,
};
const ANA = { name: "Ana", streams: [FORMAT] };
const CALL = "00112233445566778899aabbccddeeff";
const never: Again = () => Promise.resolve(undefined);
const GREY = new Uint8Array(230_400).fill(0x80);

/** The vectors of the document, each with its length in front. */
const VECTORS = readVectors(Deno.readTextFileSync(new URL("../docs/protocol.md", import.meta.url)));

function readVectors(document: string): Map<string, Uint8Array> {
  const vectors = new Map<string, Uint8Array>();
  for (const [, name, lines] of document.matchAll(/^```hex (\S+)\n([^`]*)^```$/gm)) {
    assert(!vectors.has(name!), `the vector ${name} is there twice`);
    vectors.set(name!, bytes(...lines!.trimEnd().split("\n").map(readLine)));
  }
  return vectors;
}

/** The bytes of a line: digits, the number of repeats, comment. */
function readLine(line: string): Uint8Array {
  const [, digits, times] =
    /^([0-9a-f]{2}(?: [0-9a-f]{2})*)(?: \*([0-9]+))?(?: {2,}\S.*)?$/.exec(line) ??
      [];
  assert(digits !== undefined, `not a line of a vector: ${line}`);
  const field = bytes(digits);
  if (times === undefined) return field;
  assertEquals(field.length, 1, line);
  return new Uint8Array(Number(times)).fill(field[0]!);
}

/** A vector as it stands on the wire. */
function vector(name: string): Uint8Array {
  const message = VECTORS.get(name);
  assert(message !== undefined, `docs/protocol.md has no vector ${name}`);
  return message;
}

/** The message of a vector. The wire itself reads it, and must find exactly one. */
async function payload(name: string): Promise<Uint8Array> {
  using pair = openPair();
  pair.far.put(vector(name));
  await pair.far.closeWrite();
  const wire = new Wire(pair.near);
  try {
    const message = await wire.readMessage(1_000_000);
    assert(message !== null);
    assertEquals(await wire.readMessage(0), null);
    return message;
  } finally {
    wire.close();
  }
}

test("docs/protocol.md has a vector of every message, and none that is not tested here", () => {
  assertEquals([...VECTORS.keys()].sort(), [
    "ack",
    "answer-clock",
    "answer-no",
    "answer-yes",
    "bye",
    "frame",
    "frame-1",
    "frame-clock",
    "frame-sound",
    "hello",
    "hello-back",
    "hello-clock",
    "hello-sound",
    "key-client",
    "key-server",
    "pickle",
    "plain-frame",
    "proof-client",
    "proof-server",
    "rest-off",
    "rest-on",
    "sealed-answer",
    "sealed-bye",
    "sealed-hello",
  ]);
});

test("the hellos of docs/protocol.md are what is written and read", async () => {
  for (
    const [name, hello] of [
      ["hello", ANA],
      ["hello-back", { ...ANA, call: CALL }],
      ["hello-clock", { ...ANA, clockUs: 5_000_000 }],
      ["hello-sound", { ...ANA, streams: [FORMAT, PCM] }],
    ] as const
  ) {
    const message = await payload(name);
    assert(isHello(message));
    assertEquals(decodeHello(message), hello);
    assertEquals(encodeHello(hello), message);
  }
});

test("the answers of docs/protocol.md are what is written and read", async () => {
  const yes = { name: "Rui", streams: [], call: CALL, accept: true } as const;
  const clock = { heardUs: 900_000_000, answeredUs: 900_020_000 };
  for (
    const [name, answer] of [
      ["answer-yes", yes],
      ["answer-clock", { ...yes, streams: [FORMAT], clock }],
      ["answer-no", { accept: false, reason: "busy" }],
    ] as const
  ) {
    const message = await payload(name);
    assertEquals(decodeAnswer(message), answer);
    assertEquals(encodeAnswer(answer), message);
  }
});

test("the frames of docs/protocol.md are what is written and read", async () => {
  for (
    const [name, stream, captureUs] of [
      ["frame", 0, FRAME.captureUs],
      ["frame-1", 1, FRAME.captureUs],
      ["frame-clock", 0, 900_090_000],
    ] as const
  ) {
    const message = await payload(name);
    const frame = { ...FRAME, captureUs };
    assertEquals(decodeFrame(message, [FORMAT, FORMAT]), { ...frame, stream });
    assertEquals(bytes(encodeFrameHeader({ ...frame, stream }), FRAME.data), message);
  }
});

test("the sound of docs/protocol.md is what is written and read", async () => {
  const message = await payload("frame-sound");
  const frame = { ...FRAME, stream: 1, data: new Uint8Array(960).fill(0x10) };
  assertEquals(decodeFrame(message, [FORMAT, PCM]), frame);
  assertEquals(bytes(encodeFrameHeader(frame), frame.data), message);
});

test("the ack, the rests and the bye of docs/protocol.md are what is written and read", async () => {
  const ack = await payload("ack");
  assertEquals(decodeAck(ack), { stream: 0, sequence: 7 });
  assertEquals(encodeAck(0, 7), ack);
  for (const [name, resting] of [["rest-on", true], ["rest-off", false]] as const) {
    const rest = await payload(name);
    assertEquals(decodeRest(rest), { stream: 0, resting });
    assertEquals(encodeRest(0, resting), rest);
  }
  const bye = await payload("bye");
  assertEquals(decodeBye(bye), "hung up");
  assertEquals(encodeBye("hung up"), bye);
});

/** Iterates a line and keeps its frames. */
function collect(line: Line): { readonly frames: Frame[]; readonly over: Promise<void> } {
  const frames: Frame[] = [];
  const over = (async (): Promise<void> => {
    for await (const frame of line.frames()) frames.push({ ...frame, lease: undefined });
  })();
  return { frames, over };
}

/** Pushes so many frames at once that the sent one has the sequence of the vectors. */
function pushVector(line: Line, captureUs = FRAME.captureUs): void {
  for (let number = 0; number <= FRAME.sequence; number++) line.push({ ...FRAME, captureUs });
}

test("a server takes the call of docs/protocol.md and says what stands there", async () => {
  using pair = openPair();
  for (const name of ["hello", "frame", "bye"]) pair.far.put(vector(name));
  const offer = await readOffer(pair.near, 20);
  assertEquals([offer?.mode, offer?.peer.name, offer?.peer.format], ["call", "Ana", FORMAT]);
  const line = await offer!.accept({ name: "Rui", streams: [] }, CALL, never);
  assertEquals(framed(await pair.far.readMessage()), vector("answer-yes"));
  const { frames, over } = collect(line);
  assertEquals(await line.ended, { reason: "hung up" });
  await over;
  assertEquals(frames, [{ ...FRAME, lease: undefined }]);
  const hungUp = line.hangUp("hung up");
  const rest = await pair.far.readRest();
  // The bye may have been quicker than the ack, which is then of no use.
  const end = vector("bye");
  assertEquals(rest.subarray(-end.length), end);
  assert([end.length, vector("ack").length + end.length].includes(rest.length));
  await pair.far.closeWrite();
  await hungUp;
});

test("a server leads the caller of docs/protocol.md back into its call", async () => {
  using first = openPair();
  first.far.put(vector("hello"));
  const line = await (await readOffer(first.near, 20))!.accept(
    { name: "Rui", streams: [] },
    CALL,
    never,
  );
  assert(line instanceof CallLine);
  assertEquals(framed(await first.far.readMessage()), vector("answer-yes"));
  const { frames, over } = collect(line);
  using second = openPair();
  second.far.put(vector("hello-back"));
  const offer = await readOffer(second.near, 20);
  assertEquals(offer?.call, CALL);
  line.resume(await offer!.resume({ name: "Rui", streams: [] }));
  assertEquals(framed(await second.far.readMessage()), vector("answer-yes"));
  assert(first.near.closed);
  second.far.put(vector("frame"));
  assertEquals(framed(await second.far.readMessage()), vector("ack"));
  second.far.put(vector("bye"));
  assertEquals(await line.ended, { reason: "hung up" });
  await over;
  assertEquals(frames.length, 1);
  second.far.close();
  await line.hangUp("");
});

test("a client makes the call of docs/protocol.md, both ways, with the clocks that stand there", async () => {
  using clock = new SetClock(5_000_000);
  using pair = openPair();
  const opening = makeOffer(pair.near, ANA, new AbortController().signal);
  assertEquals(framed(await pair.far.readMessage()), vector("hello-clock"));
  clock.us = 5_040_000;
  pair.far.put(vector("answer-clock"));
  const { wire, clocks, ...theirs } = await opening;
  assertEquals(clocks, { aheadUs: 894_990_000, roundTripUs: 20_000 });
  const line = new CallLine(wire, { ours: ANA.streams, theirs, again: never, clocks });
  const { frames, over } = collect(line);
  pushVector(line, 5_100_000);
  assertEquals(framed(await pair.far.readMessage()), vector("frame-clock"));
  clock.us = 5_122_000;
  const fromServer = { ...FRAME, captureUs: 900_100_000 };
  pair.far.put(vector("ack"));
  pair.far.put(framed(encodeFrameHeader(fromServer), fromServer.data));
  pair.far.put(vector("bye"));
  assertEquals(await line.ended, { reason: "hung up" });
  await over;
  assertEquals(frames.length, 1);
  assertEquals(line.figures.delayMs, 12);
  pair.far.close();
  await line.hangUp("");
});

test("a server compares the clocks of docs/protocol.md", async () => {
  using clock = new SetClock(900_000_000);
  using pair = openPair();
  pair.far.put(vector("hello-clock"));
  const offer = await readOffer(pair.near, 20);
  clock.us = 900_020_000;
  const line = await offer!.accept({ name: "Rui", streams: [FORMAT] }, CALL, never);
  assertEquals(framed(await pair.far.readMessage()), vector("answer-clock"));
  const { over } = collect(line);
  clock.us = 900_100_000;
  pair.far.put(vector("frame-clock"));
  assertEquals(framed(await pair.far.readMessage()), vector("ack"));
  assertEquals(line.figures.delayMs, 10);
  // A server tells the times of its frames by its own clock.
  pushVector(line, 900_090_000);
  assertEquals(framed(await pair.far.readMessage()), vector("frame-clock"));
  pair.far.close();
  await line.hangUp("");
  await over;
  const gotUs = 5_040_000;
  assertEquals(
    compareClocks({ askedUs: 5_000_000, heardUs: 900_000_000, answeredUs: 900_020_000, gotUs }),
    { aheadUs: 894_990_000, roundTripUs: 20_000 },
  );
});

for (
  const [mode, name, format, data] of [
    ["plain", "plain-frame", DEFAULT_FORMAT, GREY],
    ["pickle", "pickle", FORMAT, FRAME.data],
  ] as const
) {
  test(`the ${mode} frame of docs/protocol.md is what is written and read`, async () => {
    using caller = openPair();
    caller.far.put(vector(name));
    await caller.far.closeWrite();
    const offer = await readOffer(caller.near, 20);
    assertEquals([offer?.mode, offer?.peer.format], [mode, format]);
    const receiving = await offer!.accept({ name: "", streams: [] }, CALL, never);
    const { frames, over } = collect(receiving);
    await over;
    assertEquals(frames.map((frame) => frame.data), [data]);
    assertEquals(await receiving.ended, { reason: "" });
    await receiving.hangUp("");

    using server = openPair();
    const sending = openSending(server.near, mode, format);
    sending.push({ ...FRAME, data });
    const hungUp = sending.hangUp("");
    assertEquals(await server.far.readRest(), vector(name));
    await server.far.closeWrite();
    await hungUp;
  });
}

test("the pickle of docs/protocol.md is an array of its shape", async () => {
  const message = await payload("pickle");
  assertEquals(decodePickle(message), { width: 16, height: 16, data: FRAME.data });
  const { before, after } = encodePickle(FORMAT);
  assertEquals(bytes(before, FRAME.data, after), message);
});

test("the private call of docs/protocol.md is what both ends write and read", async () => {
  const code = "48217093554";
  const sid = Uint8Array.from({ length: 16 }, (_, at) => 0x10 + at);
  const hello = encodeHello({ name: "Ana", streams: [] });
  const answer = encodeAnswer({ name: "Rui", streams: [], call: CALL, accept: true });

  using calling = openPair();
  const client = new Wire(calling.near);
  try {
    const secrets = { code, sid, scalar: new Uint8Array(32).fill(0x11) };
    const proving = proveAsCaller(client, secrets);
    await expectBytes(calling.far, "key-client");
    calling.far.put(vector("key-server"));
    const proven = await proving;
    await client.writeMessage(hello);
    await expectBytes(calling.far, "proof-client", "sealed-hello");
    calling.far.put(vector("proof-server"));
    calling.far.put(vector("sealed-answer"));
    await proven();
    assertEquals(await client.readMessage(1000), answer);
    await client.writeMessage(encodeBye("hung up"));
    await expectBytes(calling.far, "sealed-bye");
  } finally {
    client.close();
  }

  using called = openPair();
  using guesses = new Guesses();
  const server = new Wire(called.near);
  try {
    const lock = { code, guesses };
    const secrets = { scalar: new Uint8Array(32).fill(0x22) };
    const first = await payload("key-client");
    const proving = proveAsCalled(server, first, "127.0.0.1", lock, secrets);
    await expectBytes(called.far, "key-server");
    called.far.put(vector("proof-client"));
    called.far.put(vector("sealed-hello"));
    await proving;
    assertEquals(await server.readMessage(1000), hello);
    await server.writeMessage(answer);
    await expectBytes(called.far, "proof-server", "sealed-answer");
    called.far.put(vector("sealed-bye"));
    assertEquals(decodeBye((await server.readMessage(1000))!), "hung up");
  } finally {
    server.close();
  }
});

/** Reads the bytes of these vectors, and holds them to the document. */
async function expectBytes(far: FakeConnection, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const bytes = vector(name);
    assertEquals(await far.readExactly(bytes.length), bytes, name);
  }
}
