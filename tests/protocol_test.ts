import { assert, assertEquals } from "@std/assert";
import { DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { decodePickle, encodePickle } from "../lib/wire/pickle.ts";
import { readOffer } from "../lib/wire/offer.ts";
import { openSender } from "../lib/wire/sender.ts";
import {
  decodeAck,
  decodeAnswer,
  decodeBye,
  decodeHello,
  decodeVideo,
  encodeAck,
  encodeAnswer,
  encodeBye,
  encodeHello,
  encodeVideoHeader,
  isHello,
} from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import { bytes } from "./bytes.ts";
import { openPair } from "./fake_connection.ts";
import { test } from "./strict.ts";

const FORMAT: VideoFormat = { codec: "raw", width: 16, height: 16, fps: 20 };
const FRAME: Frame = {
  data: new Uint8Array(768).fill(0x80),
  captureUs: 1_692_278_400_123_456,
  sequence: 7,
  keyframe: true,
};
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

/** The bytes of a line: digits, how many times, comment. */
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

/** The message of a vector, read by the wire itself, which must find exactly one. */
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
    "hello",
    "hello-clock",
    "pickle",
    "plain-frame",
    "video",
    "video-clock",
  ]);
});

test("the hello of docs/protocol.md is what is written and read", async () => {
  const message = await payload("hello");
  const hello = { name: "Ana", video: FORMAT };
  assert(isHello(message));
  assertEquals(decodeHello(message), hello);
  assertEquals(encodeHello(hello), message);
});

test("the answers of docs/protocol.md are what is written and read", async () => {
  for (
    const [name, answer] of [
      ["answer-yes", { accept: true }],
      ["answer-no", { accept: false, reason: "busy" }],
    ] as const
  ) {
    const message = await payload(name);
    assertEquals(decodeAnswer(message), answer);
    assertEquals(encodeAnswer(answer), message);
  }
});

test("the video, the ack and the bye of docs/protocol.md are what is written and read", async () => {
  const video = await payload("video");
  assertEquals(decodeVideo(video, FORMAT), FRAME);
  assertEquals(bytes(encodeVideoHeader(FRAME), FRAME.data), video);
  const ack = await payload("ack");
  assertEquals(decodeAck(ack), 7);
  assertEquals(encodeAck(7), ack);
  const bye = await payload("bye");
  assertEquals(decodeBye(bye), "hung up");
  assertEquals(encodeBye("hung up"), bye);
});

test("the clocks of docs/protocol.md are what is written and read", async () => {
  const hello = { name: "Ana", video: FORMAT, clockUs: 5_000_000 };
  assertEquals(decodeHello(await payload("hello-clock")), hello);
  assertEquals(encodeHello(hello), await payload("hello-clock"));
  const answer = { accept: true, clock: { heardUs: 900_000_000, answeredUs: 900_020_000 } };
  assertEquals(decodeAnswer(await payload("answer-clock")), answer);
  assertEquals(encodeAnswer(answer), await payload("answer-clock"));
  assertEquals(decodeVideo(await payload("video-clock"), FORMAT).captureUs, 900_090_000);
});

test("a client tells the capture times of docs/protocol.md on the server's clock", async () => {
  using pair = openPair();
  pair.far.put(vector("answer-clock"));
  const moments = [5_000_000, 5_040_000];
  const sender = await openSender(pair.near, {
    mode: "call",
    format: FORMAT,
    name: "Ana",
    now: () => moments.shift() ?? 5_200_000,
  }, new AbortController().signal);
  sender.push({ ...FRAME, captureUs: 5_100_000 });
  const hungUp = sender.hangUp("hung up");
  assertEquals(
    await pair.far.readRest(),
    bytes(vector("hello-clock"), vector("video-clock"), vector("bye")),
  );
  await pair.far.closeWrite();
  await hungUp;
});

test("a server takes the call of docs/protocol.md and says what stands there", async () => {
  using pair = openPair();
  for (const name of ["hello", "video", "bye"]) pair.far.put(vector(name));
  const offer = await readOffer(pair.near, 20);
  assertEquals([offer?.mode, offer?.name], ["call", "Ana"]);
  const receiver = await offer!.accept();
  assertEquals({ ...await receiver.read(), lease: undefined }, { ...FRAME, lease: undefined });
  assertEquals(await receiver.read(), { reason: "hung up" });
  const hungUp = receiver.hangUp("hung up");
  assertEquals(
    await pair.far.readRest(),
    bytes(vector("answer-yes"), vector("ack"), vector("bye")),
  );
  await pair.far.closeWrite();
  await hungUp;
});

test("a client makes the call of docs/protocol.md", async () => {
  using pair = openPair();
  pair.far.put(vector("answer-yes"));
  const { signal } = new AbortController();
  const sender = await openSender(
    pair.near,
    { mode: "call", format: FORMAT, name: "Ana", now: () => 5_000_000 },
    signal,
  );
  sender.push(FRAME);
  pair.far.put(vector("ack"));
  const hungUp = sender.hangUp("hung up");
  assertEquals(
    await pair.far.readRest(),
    bytes(vector("hello-clock"), vector("video"), vector("bye")),
  );
  await pair.far.closeWrite();
  await hungUp;
});

test("the plain frame of docs/protocol.md is what is written and read", async () => {
  using caller = openPair();
  caller.far.put(vector("plain-frame"));
  await caller.far.closeWrite();
  const offer = await readOffer(caller.near, 20);
  assertEquals(offer?.mode, "plain");
  const receiver = await offer!.accept();
  const frame = await receiver.read();
  assert("data" in frame);
  assertEquals(frame.data, GREY);
  assertEquals(await receiver.read(), { reason: "" });
  await receiver.hangUp("");

  using server = openPair();
  const { signal } = new AbortController();
  const sender = await openSender(
    server.near,
    { mode: "plain", format: DEFAULT_FORMAT, name: "" },
    signal,
  );
  sender.push({ ...FRAME, data: GREY });
  const hungUp = sender.hangUp("");
  assertEquals(await server.far.readRest(), vector("plain-frame"));
  await server.far.closeWrite();
  await hungUp;
});

test("the pickle of docs/protocol.md is what is written and read", async () => {
  const message = await payload("pickle");
  assertEquals(decodePickle(message), { width: 16, height: 16, data: FRAME.data });
  const { before, after } = encodePickle(FORMAT);
  assertEquals(bytes(before, FRAME.data, after), message);

  using caller = openPair();
  caller.far.put(vector("pickle"));
  await caller.far.closeWrite();
  const offer = await readOffer(caller.near, 20);
  assertEquals([offer?.mode, offer?.format], ["pickle", FORMAT]);
  const receiver = await offer!.accept();
  const frame = await receiver.read();
  assert("data" in frame);
  assertEquals(frame.data, FRAME.data);
  assertEquals(await receiver.read(), { reason: "" });
  await receiver.hangUp("");

  using server = openPair();
  const { signal } = new AbortController();
  const sender = await openSender(
    server.near,
    { mode: "pickle", format: FORMAT, name: "" },
    signal,
  );
  sender.push(FRAME);
  const hungUp = sender.hangUp("");
  assertEquals(await server.far.readRest(), vector("pickle"));
  await server.far.closeWrite();
  await hungUp;
});
