import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLessOrEqual,
  assertRejects,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { PeerLostError, ProtocolError } from "../lib/errors.ts";
import { type Codec, DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { encodePickle } from "../lib/wire/pickle.ts";
import type { Goodbye } from "../lib/wire/line.ts";
import { readOffer } from "../lib/wire/offer.ts";
import type { Receiver } from "../lib/wire/receiver.ts";
import { decodeAnswer, encodeHello, encodeVideoHeader } from "../lib/wire/session.ts";
import type { WireOptions } from "../lib/wire/wire.ts";
import { bytes, framed, helloWith, length, text } from "./bytes.ts";
import { type FakePair, type Habits, openPair } from "./fake_connection.ts";
import { until } from "./harness.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const PLAIN_BYTES = 230_400;
const MAX_PICKLE_BYTES = 6_224_896;
const SMALL: VideoFormat = { codec: "raw", width: 16, height: 16, fps: 20 };
const SMALL_BYTES = 768;
const HELLO = framed(encodeHello({ name: "ana", video: SMALL }));
const YES = bytes("01", text("CHAMADA1"), text('{"version":1,"accept":true}'));

/** The data of a frame, which has its number in every byte. */
function picture(number: number, count = SMALL_BYTES): Uint8Array {
  return new Uint8Array(count).fill(number % 256);
}

/** A video message as it stands on the wire; sequence and time of one byte. */
function video(sequence: number, data = picture(sequence)): Uint8Array {
  const byte = Uint8Array.of(sequence);
  return framed(
    "02 01 00 00", // kind, keyframe
    byte,
    "00 00 00", // sequence
    byte,
    "00 00 00 00 00 00 00", // capture time
    data,
  );
}

function ack(sequence: number): Uint8Array {
  return bytes("03 00 00 00", Uint8Array.of(sequence), "00 00 00");
}

/** A video message of h264: a start code and a little more. */
function accessUnit(sequence: number, keyframe: boolean): Uint8Array {
  return framed(
    "02", // kind
    keyframe ? "01" : "00", // flags
    "00 00",
    Uint8Array.of(sequence),
    "00 00 00", // sequence
    "00 00 00 00 00 00 00 00", // capture time
    "00 00 00 01 65", // data
  );
}

function bye(reason: string): Uint8Array {
  return framed("04", text(reason));
}

interface OpenCall extends FakePair {
  readonly receiver: Receiver;
}

/** A call that was asked for with these first bytes and taken, up to where frames are read. */
async function openCall(
  first: Uint8Array,
  { habits = {}, options = {}, fps = 20 }: {
    habits?: Habits;
    options?: WireOptions;
    fps?: number;
  } = {},
): Promise<OpenCall & AsyncDisposable> {
  const pair = openPair(habits);
  pair.far.put(first);
  const offer = await readOffer(pair.near, fps, options);
  const receiver = await offer!.accept();
  return {
    ...pair,
    receiver,
    async [Symbol.asyncDispose](): Promise<void> {
      pair.far[Symbol.dispose]();
      await receiver.hangUp("");
    },
  };
}

/** The same in `call`, after the caller has had its yes. */
async function openSmallCall(
  options: { habits?: Habits; options?: WireOptions } = {},
): Promise<OpenCall & AsyncDisposable> {
  const call = await openCall(HELLO, options);
  assertEquals(await call.far.readMessage(), YES);
  return call;
}

/** A clock that is set forward by hand. */
class FakeTime implements Disposable {
  readonly #real = performance.now;
  forwardMs = 0;

  constructor() {
    performance.now = () => this.#real.call(performance) + this.forwardMs;
  }

  [Symbol.dispose](): void {
    performance.now = this.#real;
  }
}

async function readFrame(receiver: Receiver): Promise<Frame> {
  const got = await receiver.read();
  assert("data" in got, "a frame, not a goodbye");
  return got;
}

/** How a peer was lost. */
async function loss(run: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(run, PeerLostError)).how;
}

/** What a caller is told whose first bytes are refused, and what the server learns. */
async function refusal(first: Uint8Array): Promise<{ reason: string; largestRead: number }> {
  using pair = openPair();
  pair.far.put(first);
  const refused = assertRejects(() => readOffer(pair.near, 20), ProtocolError);
  const answer = decodeAnswer(await pair.far.readMessage());
  assertEquals(await pair.far.readRest(), bytes());
  await pair.far.closeWrite();
  const { message } = await refused;
  assert(pair.near.closed);
  assertEquals(answer, { accept: false, reason: message });
  return { reason: message, largestRead: pair.near.largestRead };
}

test("plain: each message is a frame, numbered from 0, stamped on arrival, at the rate handed in", async () => {
  await using call = await openCall(framed(picture(1, PLAIN_BYTES)), { fps: 25 });
  const { far, receiver } = call;
  assertEquals(receiver.format, { codec: "raw", width: 320, height: 240, fps: 25 });
  assertEquals(receiver.stamps, "arrival");
  far.put(framed(picture(2, PLAIN_BYTES)));
  far.put(framed(picture(3, PLAIN_BYTES)));
  let lastUs = 0;
  for (const sequence of [0, 1, 2]) {
    const frame = await readFrame(receiver);
    assertEquals(frame.data, picture(sequence + 1, PLAIN_BYTES));
    assertEquals([frame.sequence, frame.keyframe], [sequence, true]);
    assertGreaterOrEqual(frame.captureUs, lastUs);
    lastUs = frame.captureUs;
  }
  assertEquals(receiver.receivedBytes, 3 * (8 + PLAIN_BYTES));
  assertEquals(call.near.writtenBytes, 0);
});

test("plain: the offer says what comes before the call is taken", async () => {
  using pair = openPair();
  pair.far.put(framed(picture(0, PLAIN_BYTES)));
  const offer = await readOffer(pair.near, 20);
  assertEquals([offer?.mode, offer?.name], ["plain", ""]);
  assertEquals(offer?.format, DEFAULT_FORMAT);
  const refused = offer?.refuse("busy");
  // A plain caller has no words for a no: it is closed and told nothing.
  assertEquals(await pair.far.readRest(), bytes());
  await pair.far.closeWrite();
  await refused;
  assert(pair.near.closed);
});

test("plain: frames are read whole wherever the stream is split", async () => {
  const stream = concat([framed(picture(1, PLAIN_BYTES)), framed(picture(2, PLAIN_BYTES))]);
  const around = (at: number): number[] => [...Array(17).keys()].map((index) => at - 8 + index);
  const splits = [...around(8), ...around(PLAIN_BYTES + 8), ...around(stream.length - 8)];
  for (const split of splits) {
    using pair = openPair();
    pair.far.put(stream.subarray(0, split));
    pair.far.put(stream.subarray(split));
    await pair.far.closeWrite();
    const receiver = await (await readOffer(pair.near, 20))!.accept();
    assertEquals((await readFrame(receiver)).data, picture(1, PLAIN_BYTES), `split at ${split}`);
    assertEquals((await readFrame(receiver)).data, picture(2, PLAIN_BYTES), `split at ${split}`);
    assertEquals(await receiver.read(), { reason: "" });
    await receiver.hangUp("");
  }
});

test("plain: the end between two frames is a hang-up, inside one a loss", async () => {
  await using politely = await openCall(framed(picture(0, PLAIN_BYTES)));
  await readFrame(politely.receiver);
  await politely.far.closeWrite();
  assertEquals(await politely.receiver.read(), { reason: "" });

  for (const part of [1, 7, 8, 9, PLAIN_BYTES + 7]) {
    await using cut = await openCall(framed(picture(0, PLAIN_BYTES)));
    await readFrame(cut.receiver);
    cut.far.put(framed(picture(1, PLAIN_BYTES)).subarray(0, part));
    await cut.far.closeWrite();
    assertEquals(await loss(() => cut.receiver.read()), "cut", `${part} bytes`);
  }
});

test("plain: a later message of any other length is refused before it is read", async () => {
  for (const wrong of [0, 1, PLAIN_BYTES - 1, PLAIN_BYTES + 1, 2 ** 52]) {
    await using call = await openCall(framed(picture(0, PLAIN_BYTES)));
    await readFrame(call.receiver);
    call.far.put(length(wrong));
    await assertRejects(
      () => call.receiver.read(),
      ProtocolError,
      `a message of ${wrong} bytes is not a frame of 230400`,
    );
    assertEquals(call.near.largestRead, PLAIN_BYTES);
  }
});

test("plain: hanging up says nothing and ends the stream", async () => {
  await using call = await openCall(framed(picture(0, PLAIN_BYTES)));
  const hungUp = call.receiver.hangUp("enough");
  assertEquals(await call.far.readRest(), bytes());
  await call.far.closeWrite();
  await hungUp;
  assert(call.near.closed);
});

test("call: a hello is offered with its name and format, and answered when the call is taken", async () => {
  using pair = openPair();
  const wanted: VideoFormat = { codec: "raw", width: 640, height: 480, fps: 29.97 };
  pair.far.put(framed(encodeHello({ name: "Ana\u001b[2J", video: wanted })));
  const offer = await readOffer(pair.near, 20);
  assertEquals([offer?.mode, offer?.name], ["call", "Ana [2J"]);
  assertEquals(offer?.format, wanted);
  assertEquals(pair.near.writtenBytes, 0);
  const receiver = await offer!.accept();
  assertEquals(await pair.far.readMessage(), YES);
  assertEquals([receiver.format, receiver.stamps], [wanted, "capture"]);
  pair.far[Symbol.dispose]();
  await receiver.hangUp("");
});

test("call: a caller that is refused is told why, and may read it in peace", async () => {
  using pair = openPair();
  pair.far.put(HELLO);
  const offer = await readOffer(pair.near, 20);
  pair.far.put(video(0)); // It may be so sure of a yes that it sends at once: unread, this would reset.
  const refused = offer!.refuse("busy");
  assertEquals(decodeAnswer(await pair.far.readMessage()), { accept: false, reason: "busy" });
  assertEquals(await pair.far.readRest(), bytes());
  await pair.far.closeWrite();
  await refused;
  assert(pair.near.closed);
});

test("call: every frame comes as it was sent and is acknowledged", async () => {
  await using call = await openSmallCall();
  for (let sequence = 0; sequence < 10; sequence++) {
    call.far.put(video(sequence));
    const { lease, ...frame } = await readFrame(call.receiver);
    assert(lease, "raw frames lie in memory that is used again");
    assertEquals(frame, {
      data: picture(sequence),
      captureUs: sequence,
      sequence,
      keyframe: true,
    });
    assertEquals(await call.far.readMessage(), ack(sequence));
  }
  assertEquals(call.receiver.receivedBytes, HELLO.length + 10 * video(0).length);
});

test("call: a frame is not acknowledged before it was read", async () => {
  await using call = await openSmallCall();
  call.far.put(video(0));
  call.far.put(video(1));
  await readFrame(call.receiver);
  assertEquals(await call.far.readMessage(), ack(0));
  const before = call.near.writtenBytes;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(call.near.writtenBytes, before);
  await readFrame(call.receiver);
  assertEquals(await call.far.readMessage(), ack(1));
});

test("call: to a caller that reads no acks frames still come, and the newest ack is enough", async () => {
  const answerBytes = 8 + YES.length;
  await using call = await openSmallCall();
  call.near.habits.room = 5; // Less than an ack.
  for (let sequence = 0; sequence < 100; sequence++) {
    call.far.put(video(sequence));
    assertEquals((await readFrame(call.receiver)).sequence, sequence);
  }
  await call.near.written(answerBytes + 5);
  call.near.makeRoom();
  assertEquals(await call.far.readMessage(), ack(0));
  assertEquals(await call.far.readMessage(), ack(99));
});

test("call: mjpeg and h264 are taken as they come, each frame of its own length", async () => {
  for (const [codec, data] of [["mjpeg", "ff d8 01 02 03"], ["h264", "00 00 01 65"]] as const) {
    await using call = await openCall(
      framed(encodeHello({ name: "", video: { ...SMALL, codec } })),
    );
    assertEquals(call.receiver.format.codec, codec);
    for (const tail of ["", "aa", "aa bb"]) {
      call.far.put(framed("02 01 00 00", "00 00 00 00", "00 00 00 00 00 00 00 00", data, tail));
      assertEquals((await readFrame(call.receiver)).data, bytes(data, tail));
    }
  }
});

test("call: h264 frames that need one that never came are not given, but acknowledged", async () => {
  const hello = framed(encodeHello({ name: "", video: { ...SMALL, codec: "h264" } }));
  await using call = await openCall(hello);
  assertEquals(await call.far.readMessage(), YES);
  const frames = [
    [0, false], // before any keyframe
    [1, true],
    [2, false],
    [4, false], // 3 is missing
    [5, false],
    [6, true],
    [7, false],
    [9, true], // 8 is missing, and not missed
    [10, false],
  ] as const;
  for (const [sequence, keyframe] of frames) call.far.put(accessUnit(sequence, keyframe));
  call.far.put(bye("fim"));
  for (const given of [1, 2, 6, 7, 9, 10]) {
    assertEquals((await readFrame(call.receiver)).sequence, given);
  }
  assertEquals(await call.receiver.read(), { reason: "fim" });
  assertEquals(call.receiver.lost, 5, "0, 3, 4, 5 and 8");
  let acknowledged: number | undefined;
  while (acknowledged !== 10) acknowledged = (await call.far.readMessage())[4];
});

test("call: raw frames are given whatever is missing between them", async () => {
  await using call = await openSmallCall();
  for (const sequence of [3, 5, 9]) {
    call.far.put(video(sequence));
    assertEquals((await readFrame(call.receiver)).sequence, sequence);
  }
  assertEquals(call.receiver.lost, 4, "4, 6, 7 and 8");
});

/** Puts the same message again and again until the receiver throws; gives what it says, and how many it took. */
async function flood(
  { far, receiver }: OpenCall,
  message: (sequence: number) => Uint8Array,
): Promise<{ error: unknown; taken: number }> {
  for (let sequence = 0; sequence < 10_000; sequence++) {
    far.put(message(sequence));
    try {
      (await readFrame(receiver)).lease?.letGo();
    } catch (error) {
      return { error, taken: sequence };
    }
  }
  throw new Error("10,000 frames were taken");
}

/** A video message with any number. */
function numbered(sequence: number, data: Uint8Array): Uint8Array {
  return framed(encodeVideoHeader({ data, captureUs: 0, sequence, keyframe: true }), data);
}

test("a caller far above the rate that it announced, or that anybody has, is ended with a reason", async () => {
  const smallest: Readonly<Record<Codec, Uint8Array>> = {
    raw: picture(0),
    mjpeg: bytes("ff d8"),
    h264: bytes("00 00 01"),
  };
  for (const [codec, data] of Object.entries(smallest) as [Codec, Uint8Array][]) {
    await using call = await openCall(
      framed(encodeHello({ name: "", video: { ...SMALL, codec, fps: 30 } })),
    );
    const { error, taken } = await flood(call, (sequence) => numbered(sequence, data));
    assertInstanceOf(error, ProtocolError, codec);
    assertEquals(error.message, "frames come faster than 120 a second");
    assertGreaterOrEqual(taken, 300, codec);
  }
  const { before, after } = encodePickle(SMALL);
  const pickle = framed(before, picture(0), after);
  for (const message of [pickle, framed(picture(0, PLAIN_BYTES))]) {
    await using call = await openCall(message);
    await readFrame(call.receiver);
    const { error, taken } = await flood(call, () => message);
    assertInstanceOf(error, ProtocolError);
    assertEquals(error.message, "frames come faster than 1000 a second");
    assertGreaterOrEqual(taken, 2499);
  }
});

test("a caller's frames that nobody can show count as well", async () => {
  await using call = await openCall(
    framed(encodeHello({ name: "", video: { ...SMALL, codec: "h264" } })),
  );
  // None is a keyframe: `read` gives none of them.
  for (let sequence = 0; sequence < 5000; sequence++) {
    call.far.put(accessUnit(sequence % 256, false));
  }
  const error = await assertRejects(() => call.receiver.read(), ProtocolError);
  assertEquals(error.message, "frames come faster than 80 a second");
});

test("a caller's numbers make no more lost than it can have sent", async () => {
  const last = 2 ** 32 - 1;
  const cases: readonly (readonly number[])[] = [
    [0, last],
    Array.from({ length: 60 }, (_, index) => index % 2 * last),
    [last, 0, last - 1, 7, last],
  ];
  for (const codec of ["raw", "mjpeg"] as const) {
    const data = codec === "raw" ? picture(0) : bytes("ff d8");
    for (const sequences of cases) {
      const startMs = performance.now();
      await using call = await openCall(
        framed(encodeHello({ name: "", video: { ...SMALL, codec } })),
      );
      for (const sequence of sequences) {
        call.far.put(numbered(sequence, data));
        assertEquals((await readFrame(call.receiver)).sequence, sequence);
      }
      // Ten seconds of its rate, and what it can have sent since it called.
      const most = 20 * (10 + (performance.now() - startMs) / 1000);
      assertLessOrEqual(call.receiver.lost, most);
      assertGreater(call.receiver.lost, 100);
    }
  }
});

test("call: a bye is a hang-up with its reason, fit to be shown", async () => {
  for (
    const [said, shown] of [["hung up", "hung up"], ["", ""], ["a\u001bb", "a b"], ["até", "até"]]
  ) {
    await using call = await openSmallCall();
    call.far.put(video(0));
    call.far.put(bye(said!));
    await call.far.closeWrite();
    await readFrame(call.receiver);
    assertEquals(await call.receiver.read(), { reason: shown! });
  }
});

test("call: a bye may be as long as a hello, however small the pictures, and no longer", async () => {
  await using call = await openSmallCall();
  call.far.put(bye("x".repeat(65_535)));
  assertEquals(await call.receiver.read(), { reason: "x".repeat(200) });

  const large = framed(encodeHello({ name: "", video: { ...SMALL, width: 640, height: 480 } }));
  await using other = await openCall(large);
  other.far.put(bye("x".repeat(65_536)));
  await assertRejects(() => other.receiver.read(), ProtocolError);
});

test("call: the end without a bye is a loss, between two messages and inside one", async () => {
  for (const part of [0, 1, 7, 8, 9, 24, video(0).length - 1]) {
    await using call = await openSmallCall();
    call.far.put(video(0));
    call.far.put(video(1).subarray(0, part));
    await call.far.closeWrite();
    await readFrame(call.receiver);
    const how = await loss(() => call.receiver.read());
    assertEquals(how, part === 0 ? "no-bye" : "cut", `${part} bytes`);
  }
});

test("call: a connection that is reset is a loss", async () => {
  await using call = await openSmallCall();
  const reading = loss(() => call.receiver.read());
  call.near.reset();
  assertEquals(await reading, "reset");
});

test("call: a caller that falls silent is a loss", async () => {
  await using call = await openSmallCall({ options: { silenceMs: 500 } });
  assertEquals(await loss(() => call.receiver.read()), "silence");
});

test("call: a frame of any other size is refused", async () => {
  for (const count of [0, 1, SMALL_BYTES - 1]) {
    await using call = await openSmallCall();
    call.far.put(video(0, picture(0, count)));
    await assertRejects(
      () => call.receiver.read(),
      ProtocolError,
      `a frame of ${count} bytes is not a raw picture of 16x16`,
    );
  }
  await using call = await openSmallCall();
  call.far.put(video(0, picture(0, SMALL_BYTES + 1)));
  await assertRejects(() => call.receiver.read(), ProtocolError);
});

test("call: a message longer than the negotiated frame is refused before it is read", async () => {
  // No message of a call is longer than a hello or than a frame of the negotiated size.
  for (const wrong of [65_537, 25_000_000, 2 ** 52]) {
    await using call = await openSmallCall();
    call.far.put(length(wrong));
    await assertRejects(() => call.receiver.read(), ProtocolError, `a message of ${wrong} bytes`);
    assertLessOrEqual(call.near.largestRead, 65_536);
  }
});

test("call: a message of a kind that has no place there is refused, and one of no kind", async () => {
  for (const kind of [0, 1, 3, 5, 255]) {
    await using call = await openSmallCall();
    call.far.put(framed(Uint8Array.of(kind), "00 00 00 00 00 00 00"));
    await assertRejects(() => call.receiver.read(), ProtocolError, `a message of kind ${kind}`);
  }
  await using call = await openSmallCall();
  call.far.put(length(0));
  await assertRejects(() => call.receiver.read(), ProtocolError);
});

test("call: hanging up says why between two messages, ends the stream and wakes a read", async () => {
  await using call = await openSmallCall();
  const { far, receiver } = call;
  far.put(video(0));
  await readFrame(receiver);
  const waiting = assertRejects(() => receiver.read());
  const first = receiver.hangUp("window closed");
  const second = receiver.hangUp("again");
  assertEquals(await far.readRest(), concat([framed(ack(0)), bye("window closed")]));
  assertFalse(call.near.closed);
  await far.closeWrite();
  await Promise.all([first, second, waiting]);
  assertEquals(call.near.ends, ["closeWrite", "close"]);
});

test("call: hanging up in the middle of an ack puts no bye inside it", async () => {
  await using call = await openSmallCall();
  call.near.habits.room = 5;
  call.near.habits.writeBytes = (): number => 2;
  call.far.put(video(0));
  await readFrame(call.receiver);
  await call.near.written(8 + YES.length + 5);
  const hungUp = call.receiver.hangUp("enough");
  call.near.makeRoom();
  assertEquals(await call.far.readRest(), concat([framed(ack(0)), bye("enough")]));
  await call.far.closeWrite();
  await hungUp;
});

test("call: hanging up ends, whatever the caller does not read", async () => {
  await using call = await openSmallCall({ options: { silenceMs: 500 } });
  call.near.habits.room = 0;
  call.far.put(video(0));
  await readFrame(call.receiver);
  await call.receiver.hangUp("enough");
  assert(call.near.closed);
});

test("a first message of a length that is none of any mode is refused unread", async () => {
  const named = (wrong: number | bigint): string =>
    `a first message of ${wrong} bytes is neither a frame of 230400 nor a hello`;
  // One byte more than the largest pickle: 1920 x 1080 x 3 and 4 KiB.
  for (const wrong of [0, MAX_PICKLE_BYTES + 1, Number.MAX_SAFE_INTEGER]) {
    const { reason, largestRead } = await refusal(length(wrong));
    assertEquals(reason, named(wrong));
    // What is read after the length is read to be forgotten: only then, a buffer for it.
    assertLessOrEqual(largestRead, 65_536);
  }
  assertEquals(
    (await refusal(length(2n ** 64n - 1n))).reason,
    "a message of 18446744073709551615 bytes is too long",
  );
});

test("a first message that begins as none of any mode is refused after its first byte", async () => {
  for (const wrong of [1, 65_537, PLAIN_BYTES - 1, PLAIN_BYTES + 1, MAX_PICKLE_BYTES]) {
    for (const kind of ["00", "02", "04", "7f", "fe"]) {
      const { reason, largestRead } = await refusal(bytes(length(wrong), kind));
      assertEquals(
        reason,
        `a first message of ${wrong} bytes is neither a frame of 230400 nor a hello`,
      );
      assertLessOrEqual(largestRead, 65_536);
    }
  }
});

test("a hello of more than 65536 bytes is refused after its first byte", async () => {
  for (const wrong of [65_537, PLAIN_BYTES - 1, PLAIN_BYTES + 1, MAX_PICKLE_BYTES]) {
    const { reason, largestRead } = await refusal(bytes(length(wrong), "01"));
    assertEquals(reason, `a hello of ${wrong} bytes is too long: at most 65536`);
    assertLessOrEqual(largestRead, 65_536);
  }
});

test("a browser at the door is refused with a reason that can be read", async () => {
  // Its first eight bytes are taken for a length: "GET / HT".
  const { reason, largestRead } = await refusal(text("GET / HTTP/1.1\r\nHost: 192.0.2.7\r\n\r\n"));
  assertEquals(
    reason,
    "a message of 6073139484287059271 bytes is too long: it begins as HTTP does " +
      '("GET / HT"), and not with a length',
  );
  assertLessOrEqual(largestRead, 65_536);
});

test("a first message that is no hello is refused, of 1 byte and of 65536", async () => {
  for (const count of [1, 9, 65_536]) {
    const { reason } = await refusal(framed(new Uint8Array(count).fill(1)));
    assertEquals(reason, `the first ${count} bytes are no hello of Chamada's`);
  }
});

test("a hello is refused with the reason that names what is wrong with it", async () => {
  const hello = (parts: object): string =>
    JSON.stringify({ version: 1, name: "", video: SMALL, ...parts });
  for (
    const [json, reason] of [
      ["{", "the hello is not JSON"],
      ["[]", "the hello is not a JSON object"],
      [hello({ version: 2 }), "the peer speaks version 2, this program version 1"],
      [hello({ name: 1 }), "the hello has no name"],
      [
        hello({ video: { ...SMALL, width: 15 } }),
        "a picture of 15x16 is outside 16x16 to 3840x2160",
      ],
      [hello({ video: { ...SMALL, fps: 121 } }), "121 frames a second is outside 1 to 120"],
    ] as const
  ) {
    assertEquals((await refusal(framed(helloWith(json)))).reason, reason);
  }
});

test("a hello of 65536 bytes is read, and its name cut", async () => {
  const shell = encodeHello({ name: "", video: SMALL }).length;
  const message = encodeHello({ name: "x".repeat(65_536 - shell), video: SMALL });
  assertEquals(message.length, 65_536);
  using pair = openPair();
  pair.far.put(framed(message));
  const offer = await readOffer(pair.near, 20);
  assertEquals(offer?.name, "x".repeat(200));
  pair.far[Symbol.dispose]();
  await offer?.refuse("");
});

test("a caller that leaves without a word is no caller", async () => {
  using pair = openPair();
  await pair.far.closeWrite();
  assertEquals(await readOffer(pair.near, 20), null);
  assert(pair.near.closed);
});

test("a caller that leaves inside its first message is lost, at every byte of a hello", async () => {
  for (let count = 1; count < HELLO.length; count++) {
    using pair = openPair();
    pair.far.put(HELLO.subarray(0, count));
    await pair.far.closeWrite();
    assertEquals(await loss(() => readOffer(pair.near, 20)), "cut", `${count} bytes`);
    assert(pair.near.closed);
  }
});

test("a caller that says nothing, or half of what it wants, is let go", async () => {
  using nothing = openPair();
  using half = openPair();
  half.far.put(HELLO.subarray(0, 20));
  const lost = [nothing, half].map(({ near }) =>
    loss(() => readOffer(near, 20, { silenceMs: 500 }))
  );
  assertEquals(await Promise.all(lost), ["silence", "silence"]);
  assert(nothing.near.closed && half.near.closed);
});

test("a caller that drips its first message is let go: a hello, a frame, a pickle", async () => {
  const firsts = [
    [length(65_536), HELLO.subarray(8)], // the text of the hello goes on and on
    [length(PLAIN_BYTES)],
    [length(300_000), bytes("80 04 95")], // a pickle begins
  ];
  const ends = firsts.map(async (first) => {
    using pair = openPair();
    for (const part of first) pair.far.put(part);
    const dripping = setInterval(() => pair.far.put(new Uint8Array(1500).fill(0x20)), 50);
    try {
      return await loss(() => readOffer(pair.near, 20, { silenceMs: 500 }));
    } finally {
      clearInterval(dripping);
    }
  });
  assertEquals(await Promise.all(ends), ["slow", "slow", "slow"]);
});

test("call: a caller that drips a frame is let go, and one that sends it slowly is not", async () => {
  const large: VideoFormat = { ...SMALL, width: 400, height: 400 };
  const first = framed(encodeHello({ name: "ana", video: large }));
  const run = async (pieceBytes: number): Promise<string> => {
    await using call = await openCall(first, { options: { silenceMs: 500 } });
    const header = framed("02 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00", picture(0, 480_000));
    let at = 0;
    const dripping = setInterval(() => {
      call.far.put(header.subarray(at, at += pieceBytes));
    }, 100);
    try {
      return await call.receiver.read().then(() => "whole", (error) => error.how);
    } finally {
      clearInterval(dripping);
    }
  };
  // Two seconds, and 3.8 s at 1 Mbit/s: they would take 2 s, and 24 s.
  assertEquals(await Promise.all([run(24_000), run(2000)]), ["whole", "slow"]);
});

test("call: frames that need one that never comes end the call after 30 s", async () => {
  const video: VideoFormat = { ...SMALL, codec: "h264" };
  await using call = await openCall(framed(encodeHello({ name: "ana", video })));
  using time = new FakeTime();
  call.far.put(concat([accessUnit(0, true), accessUnit(2, false)]));
  assertEquals((await readFrame(call.receiver)).sequence, 0);
  const reading = call.receiver.read();
  reading.catch(() => {}); // Its failure is seen below.
  await until("the first of them", () => call.receiver.lost > 0 ? true : undefined);
  time.forwardMs += 29_999;
  call.far.put(accessUnit(3, false));
  await until("the second", () => call.receiver.lost > 2 ? true : undefined);
  time.forwardMs += 1;
  call.far.put(accessUnit(4, false));
  await assertRejects(() => reading, ProtocolError, "no keyframe came for 30 s");
});

test("a caller that is gone before it is answered leaves nothing open", async () => {
  using pair = openPair();
  pair.far.put(HELLO);
  const offer = await readOffer(pair.near, 20, { silenceMs: 500 });
  pair.near.reset();
  try {
    assertEquals(await loss(() => offer!.accept()), "reset");
    assert(pair.near.closed, "closed as soon as accept() fails");
  } finally {
    // Whatever was found, let the wire come to its end, so that only the finding fails.
    await pair.near.whenClosed();
  }
});

/** How a stream that a caller sends is received, from its first byte to its end; throws what no stream may cause. */
async function receive(pieces: readonly Uint8Array[], habits: Habits = {}): Promise<string[]> {
  using pair = openPair(habits);
  for (const piece of pieces) pair.far.put(piece);
  await pair.far.closeWrite();
  const events: string[] = [];
  let receiver: Receiver | undefined;
  let most = MAX_PICKLE_BYTES;
  try {
    const offer = await readOffer(pair.near, 20);
    if (offer === null) return ["left"];
    events.push(offer.mode);
    most = Math.max(most, 16 + offer.format.width * offer.format.height * 3);
    receiver = await offer.accept();
    let got: Frame | Goodbye;
    while (!("reason" in (got = await receiver.read()))) events.push(`frame ${got.sequence}`);
    events.push(`bye ${got.reason}`);
  } catch (error) {
    if (error instanceof PeerLostError) events.push(error.how);
    else events.push("nonsense");
    if (!(error instanceof PeerLostError)) assertInstanceOf(error, ProtocolError);
  } finally {
    await receiver?.hangUp("");
  }
  // The peer never makes us set aside more than it announced, and that was judged.
  assertLessOrEqual(pair.near.largestRead, most);
  assert(pair.near.closed);
  return events;
}

const CALL_STREAM = concat([HELLO, video(0), video(1), video(2), bye("fim")]);
const CALL_EVENTS = ["call", "frame 0", "frame 1", "frame 2", "bye fim"];

test("a whole call is received the same at every split point of its stream", async () => {
  for (let split = 0; split <= CALL_STREAM.length; split++) {
    const pieces = [CALL_STREAM.subarray(0, split), CALL_STREAM.subarray(split)];
    assertEquals(await receive(pieces), CALL_EVENTS, `split at ${split}`);
  }
  assertEquals(await receive([CALL_STREAM], { readBytes: () => 1 }), CALL_EVENTS);
}, { slow: true });

test("no bytes of a caller make the receiving end do anything but refuse or lose it", async () => {
  const random = new Random(20230817);
  const plain = concat([framed(picture(1, PLAIN_BYTES)), framed(picture(2, PLAIN_BYTES))]);
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 4000; round++) {
    const base = round % 50 === 0 ? plain : CALL_STREAM;
    const stream = round % 10 === 9 ? random.bytes(random.below(200)) : mutate(base, random);
    const events = await receive([stream], {
      readBytes: () => random.next() < 0.5 ? 1 + random.below(16) : Infinity,
    });
    const last = events[events.length - 1]!.split(" ")[0]!;
    outcomes.set(last, (outcomes.get(last) ?? 0) + 1);
  }
  // The streams were neither all whole nor all hopeless.
  for (const outcome of ["bye", "nonsense", "cut", "no-bye"]) {
    assertGreater(outcomes.get(outcome) ?? 0, 5, outcome);
  }
});

/** Where one message of that call ends and the next begins. */
const BETWEEN = [0, 1, 2, 3].map((frames) => HELLO.length + frames * video(0).length);

/** One to three small accidents. */
function mutate(stream: Uint8Array, random: Random): Uint8Array {
  let result = stream.slice();
  for (let times = 1 + random.below(3); times > 0; times--) {
    // Lengths, hello and headers are at the start: most accidents happen there.
    const at = random.below(random.next() < 0.7 ? Math.min(result.length, 160) : result.length);
    const some = random.below(20);
    switch (random.below(7)) {
      case 0:
        result[at] = random.below(256);
        break;
      case 1:
        result[at]! ^= 1 << random.below(8);
        break;
      case 2:
        result = result.slice(0, random.next() < 0.3 ? random.pick(BETWEEN) : at);
        break;
      case 3:
        result = concat([result.subarray(0, at), result.subarray(at + some)]);
        break;
      case 4:
        result = concat([result.subarray(0, at), random.bytes(some), result.subarray(at)]);
        break;
      case 5: {
        const from = random.below(result.length + 1);
        result = concat([result.subarray(0, at), result.subarray(from)]);
        break;
      }
      case 6: {
        // A whole message is left out, or comes again.
        const messages = [HELLO, video(0), video(9), bye("x"), framed(ack(0)), length(0)];
        const after = random.pick([HELLO.length, HELLO.length + video(0).length]);
        result = concat([
          result.subarray(0, after),
          random.pick(messages),
          result.subarray(after + random.pick([0, video(0).length])),
        ]);
        break;
      }
    }
  }
  return result;
}
