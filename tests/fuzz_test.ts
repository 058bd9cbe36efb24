/**
 * Bytes that nobody would write, at both ends of the wire. All bytes are read, refused or lost.
 * Nothing else is thrown, and nothing stays open. No more memory is set aside than was announced
 * and judged.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLessOrEqual,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { CodeError, PeerLostError, ProtocolError, RefusedError } from "../lib/errors.ts";
import { OPUS, PCM, type VideoFormat } from "../lib/frame/format.ts";
import { CallLine, type Line } from "../lib/wire/line.ts";
import { makeOffer, readOffer } from "../lib/wire/offer.ts";
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
  newCallId,
  type Streams,
} from "../lib/wire/session.ts";
import { LENGTH_BYTES, Wire } from "../lib/wire/wire.ts";
import { framed, helloWith, length } from "./bytes.ts";
import { type FakePair, type Habits, openPair } from "./fake_connection.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const H264: VideoFormat = { ...RAW, codec: "h264" };
const ID = newCallId();
const UNKNOWN = { kind: "smell", notes: 7 };

/** The largest message that is judged before any is announced: a pickle of the largest picture. */
const MAX_PICKLE_BYTES = 6_224_896;
const PLAIN_BYTES = 230_400;

const HELLO = framed(encodeHello({ name: "Ana", streams: [RAW, H264, PCM, OPUS], clockUs: 5 }));
const ODD_HELLO = framed(
  helloWith(
    JSON.stringify({ version: 2, name: "Ana", streams: [UNKNOWN, RAW] }),
  ),
);
const BACK = framed(encodeHello({ name: "Ana", streams: [RAW, H264], call: ID }));
const YES = framed(
  encodeAnswer({
    ...{ accept: true, name: "host", streams: [RAW, H264, PCM, OPUS], call: ID },
    clock: { heardUs: 1, answeredUs: 2 },
  }),
);
const NO = framed(encodeAnswer({ accept: false, reason: "busy" }));

function raw(sequence: number, stream = 0): Uint8Array {
  const data = new Uint8Array(768).fill(sequence);
  const frame = { stream, data, captureUs: sequence * 50_000, sequence, keyframe: true };
  return framed(encodeFrameHeader(frame), data);
}

function unit(sequence: number, keyframe: boolean): Uint8Array {
  const data = new Uint8Array([0, 0, 1, keyframe ? 0x65 : 0x41, sequence]);
  return framed(encodeFrameHeader({ stream: 1, data, captureUs: 0, sequence, keyframe }), data);
}

function sound(sequence: number, stream: number): Uint8Array {
  const data = new Uint8Array(stream === 2 ? 960 : 40).fill(sequence);
  const frame = { stream, data, captureUs: sequence * 10_000, sequence, keyframe: true };
  return framed(encodeFrameHeader(frame), data);
}

/** Whole messages that may be anywhere. */
const MESSAGES: readonly Uint8Array[] = [
  ...[sound(0, 2), sound(1, 2), sound(0, 3), sound(5, 3), sound(0, 1), sound(0, 9)],
  ...[framed(encodeAck(2, 0)), framed(encodeRest(2, true)), framed(encodeRest(3, false))],
  ...[HELLO, ODD_HELLO, BACK, YES, NO, raw(0), raw(9), raw(0, 1), unit(0, true), unit(4, false)],
  ...[framed(encodeAck(0, 0)), framed(encodeAck(0, 7)), framed(encodeAck(1, 0))],
  ...[framed(encodeRest(0, true)), framed(encodeRest(1, false)), framed(encodeRest(9, true))],
  ...[framed(encodeBye("x")), framed(), length(65_537), length(2n ** 63n), framed("05 00")],
];

const PICTURES = concat([
  ...[raw(0), unit(0, true), raw(1), framed(encodeRest(0, true)), unit(1, false), raw(3)],
]);
const WORDS = concat([PICTURES, framed(encodeBye("fim\u001b"))]);

/** A stream with a few accidents in it. */
function mutate(whole: Uint8Array, random: Random): Uint8Array {
  let stream = whole;
  for (let times = random.below(4); times > 0; times--) {
    // Lengths, hello and headers are at the start: most accidents happen there.
    const near = random.next() < 0.7 ? Math.min(stream.length, 260) : stream.length;
    const at = random.below(near + 1);
    const some = random.below(20);
    const [before, after] = [stream.subarray(0, at), stream.subarray(at)];
    stream = random.pick([
      (): Uint8Array => concat([before, random.bytes(1), after.subarray(1)]),
      (): Uint8Array =>
        concat([
          before,
          new Uint8Array([(after[0] ?? 0) ^ 1 << random.below(8)]),
          after.subarray(1),
        ]),
      (): Uint8Array => concat([before, random.bytes(some), after]),
      (): Uint8Array => concat([before, after.subarray(some)]),
      (): Uint8Array => before.slice(),
      (): Uint8Array => concat([before, stream.subarray(random.below(stream.length + 1))]),
      (): Uint8Array => concat([before, random.pick(MESSAGES), after]),
    ])();
  }
  return stream;
}

/**
 * A stream that begins with these words: a whole one with accidents, messages in any order, or
 * noise.
 */
function streamFrom(first: Uint8Array, random: Random): Uint8Array {
  switch (random.below(10)) {
    case 0:
      return random.bytes(random.below(200));
    case 1:
    case 2:
      return concat([first, ...Array.from({ length: 5 }, () => random.pick(MESSAGES))]);
    default:
      return mutate(concat([first, random.next() < 0.8 ? WORDS : PICTURES]), random);
  }
}

function habitsOf(random: Random): Habits {
  return { readBytes: () => random.next() < 0.5 ? 1 + random.below(16) : Infinity };
}

/** A connection on which a peer has said all its words. */
async function said(words: Uint8Array, random: Random): Promise<FakePair> {
  const pair = openPair(habitsOf(random));
  pair.far.put(words);
  if (random.next() < 0.2) pair.far.reset();
  else await pair.far.closeWrite();
  return pair;
}

/** The word for an error that may be thrown. */
function outcomeOf(error: unknown): string {
  if (error instanceof PeerLostError) return error.how;
  if (error instanceof RefusedError) return "refused";
  if (error instanceof CodeError) return "code";
  assertInstanceOf(error, ProtocolError);
  return "nonsense";
}

/** Iterates a line to its end, gives it a frame now and then, and hangs up. */
async function endOf(line: Line, random: Random): Promise<string> {
  const ended = line.ended.then(() => "bye", outcomeOf);
  let sequence = 0;
  const give = (): void => {
    const data = new Uint8Array(768);
    line.push({ stream: 1, data: new Uint8Array(960), captureUs: 0, sequence: 0, keyframe: true });
    line.push({
      stream: 0,
      data,
      captureUs: sequence * 50_000,
      sequence: sequence++,
      keyframe: true,
    });
  };
  give();
  for await (const { stream, data, lease } of line.frames()) {
    const format = line.peer.streams[stream]!;
    if (format.kind === "video") assertEquals(format.width, line.peer.format?.width);
    if (format.codec === "raw") assertEquals(data.length, format.width * format.height * 3);
    if (format.codec === "pcm") assertEquals(data.length, 960);
    lease?.letGo();
    if (random.next() < 0.5) give();
  }
  const { received, lost, waitingMs } = line.figures;
  assert(received >= 0 && lost >= 0 && waitingMs === undefined);
  const outcome = await ended;
  await line.hangUp("");
  return outcome;
}

/** The outcomes of any number of rounds. Each wanted outcome has to be among them. */
async function rounds(
  count: number,
  seed: number,
  one: (random: Random, round: number) => Promise<string>,
  wanted: readonly string[],
): Promise<void> {
  const random = new Random(seed);
  const outcomes = new Map<string, number>();
  for (let round = 0; round < count; round++) {
    const outcome = await one(random, round);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // The streams were neither all whole nor all hopeless.
  for (const outcome of wanted) {
    assertGreater(outcomes.get(outcome) ?? 0, 5, `${outcome} of ${[...outcomes]}`);
  }
}

test("no bytes of a caller make a server do anything but have, refuse or lose the call", async () => {
  const plain = concat([1, 2].flatMap((fill) => [
    length(PLAIN_BYTES),
    new Uint8Array(PLAIN_BYTES).fill(fill),
  ]));
  await rounds(8000, 20261125, async (random, round) => {
    const first = random.pick([HELLO, HELLO, ODD_HELLO, BACK]);
    const words = round % 50 === 0 ? mutate(plain, random) : streamFrom(first, random);
    using pair = await said(words, random);
    let most = MAX_PICKLE_BYTES;
    try {
      const offer = await readOffer(pair.near, 20);
      if (offer === null) return "left";
      const { width, height } = offer.peer.format ?? RAW;
      most = Math.max(most, 16 + width * height * 3 + 4096);
      const ours = { name: "host", streams: random.next() < 0.5 ? [RAW] : [] };
      return await endOf(await offer.accept(ours, ID, () => Promise.resolve(undefined)), random);
    } catch (error) {
      return outcomeOf(error);
    } finally {
      assertLessOrEqual(pair.near.largestRead, most + LENGTH_BYTES);
      assert(pair.near.closed);
    }
  }, ["bye", "nonsense", "cut", "no-bye", "reset"]);
});

test("no bytes of a server make a client do anything but have, end or lose the call", async () => {
  const hello = { name: "Ana", streams: [RAW] };
  await rounds(8000, 20261126, async (random) => {
    const first = random.pick([YES, YES, YES, NO]);
    using pair = await said(streamFrom(first, random), random);
    const { signal } = new AbortController();
    try {
      const { wire, clocks, ...theirs } = await makeOffer(pair.near, hello, signal);
      const again = (): Promise<undefined> => Promise.resolve(undefined);
      return await endOf(
        new CallLine(wire, { ours: hello.streams, theirs, again, clocks }),
        random,
      );
    } catch (error) {
      return outcomeOf(error);
    } finally {
      assert(pair.near.closed);
    }
  }, ["bye", "nonsense", "cut", "no-bye", "refused", "reset"]);
});

test("no bytes on any of the connections of a call make its line do anything but go on or end", async () => {
  const streams: Streams = [RAW, H264, PCM, OPUS];
  await rounds(4000, 20261127, async (random) => {
    const pairs: FakePair[] = [];
    const open = async (): Promise<Wire> => {
      const words = random.next() < 0.5
        ? concat(Array.from({ length: 3 }, (_, index) => raw(index + 3 * pairs.length)))
        : mutate(WORDS, random);
      const pair = await said(words, random);
      pairs.push(pair);
      return new Wire(pair.near);
    };
    const line: CallLine = new CallLine(await open(), {
      ours: [RAW, PCM],
      theirs: { name: "Ana", streams },
      again: async () => {
        if (pairs.length >= 5) return undefined;
        // The peer itself comes back now and then, at the same time.
        if (random.next() < 0.3) line.resume(await open());
        return random.next() < 0.05 ? { reason: "hung up" } : await open();
      },
    });
    try {
      return await endOf(line, random);
    } finally {
      for (const pair of pairs) {
        assert(pair.near.closed);
        pair[Symbol.dispose]();
      }
    }
  }, ["bye", "nonsense", "no-bye"]);
});

test("no bytes of a message make its reader do anything but read or refuse it", () => {
  const random = new Random(20261128);
  const payloads = MESSAGES.map((message) => message.subarray(LENGTH_BYTES));
  const readers = [
    decodeHello,
    decodeAnswer,
    decodeAck,
    decodeRest,
    decodeBye,
    (message: Uint8Array): unknown => decodeFrame(message, [RAW, undefined, H264, PCM, OPUS]),
  ];
  for (let round = 0; round < 5000; round++) {
    const message = mutate(random.pick(payloads), random);
    for (const read of readers) {
      try {
        read(message);
      } catch (error) {
        assertInstanceOf(error, ProtocolError);
      }
    }
  }
});
