/**
 * The first words of a call at both ends, against bytes made by hand, and whole calls of every kind
 * of bytes.
 */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { nowUs, pause, within } from "../lib/clock.ts";
import { PeerLostError, ProtocolError, RefusedError } from "../lib/errors.ts";
import { DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { type Again, CallLine, type Line } from "../lib/wire/line.ts";
import { makeOffer, type Offer, readOffer } from "../lib/wire/offer.ts";
import { encodePickle } from "../lib/wire/pickle.ts";
import {
  decodeAnswer,
  decodeHello,
  encodeHello,
  encodeRest,
  type Hello,
} from "../lib/wire/session.ts";
import { FAREWELL_MS, Wire } from "../lib/wire/wire.ts";
import { bytes, framed, helloWith, length, text } from "./bytes.ts";
import { type FakePair, type Habits, openPair } from "./fake_connection.ts";
import { quickened } from "./fake_time.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const PLAIN_BYTES = 230_400;
const MAX_PICKLE_BYTES = 6_224_896;
const SMALL: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const CALL = "00112233445566778899aabbccddeeff";
const STREAM = '{"kind":"video","codec":"raw","width":16,"height":16,"fps":20}';
const ANA = { name: "ana", streams: [SMALL] };
const SALA = { name: "sala", streams: [] };
const HELLO = framed(helloWith(`{"version":2,"name":"ana","streams":[${STREAM}]}`));
const YES = framed(
  helloWith(`{"version":2,"name":"sala","streams":[],"call":"${CALL}","accept":true}`),
);
const never: Again = () => Promise.resolve(undefined);

/** A refusal as it stands on the wire. Its version does not matter. */
function no(parts: string): Uint8Array {
  return framed(helloWith(`{"version":7,"accept":false${parts}}`));
}

/** The data of a picture: its number in every byte. */
function picture(number: number, count = 768): Uint8Array {
  return new Uint8Array(count).fill(number % 256);
}

function frame(number: number): Frame {
  return { stream: 0, data: picture(number), captureUs: number, sequence: number, keyframe: true };
}

/** A frame message as it stands on the wire, with a sequence and a time of one byte each. */
function video(sequence: number): Uint8Array {
  const byte = Uint8Array.of(sequence);
  return framed(
    "02 01 00 00", // kind, keyframe, stream
    byte,
    "00 00 00", // sequence
    byte,
    "00 00 00 00 00 00 00", // capture time
    picture(sequence),
  );
}

function ack(sequence: number): Uint8Array {
  return framed("03 00 00 00", Uint8Array.of(sequence), "00 00 00");
}

function bye(reason: string): Uint8Array {
  return framed("04", text(reason));
}

/** The way in which a peer was lost. */
async function loss(run: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(run, PeerLostError)).how;
}

/** The refusal of a caller's first bytes: the words to the caller, and the news to the server. */
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

/** The offer of a caller with these first bytes. */
async function offerOf(pair: FakePair, first: Uint8Array): Promise<Offer> {
  pair.far.put(first);
  const offer = await readOffer(pair.near, 25);
  assert(offer !== null);
  return offer;
}

/** Ends a line whose peer is gone. */
async function end(pair: FakePair, line: Line): Promise<void> {
  pair.far[Symbol.dispose]();
  await line.hangUp("");
}

test("a hello is offered with its name and streams, and answered when the call is taken", async () => {
  using pair = openPair();
  const wanted: VideoFormat = {
    kind: "video",
    codec: "mjpeg",
    width: 640,
    height: 480,
    fps: 29.97,
  };
  const hello = encodeHello({ name: "Ana\u001b[2J", streams: [wanted, SMALL] });
  const offer = await offerOf(pair, framed(hello));
  assertEquals([offer.mode, offer.call], ["call", undefined]);
  assertEquals(offer.peer, {
    name: "Ana [2J",
    streams: [wanted, undefined],
    format: wanted,
    sound: undefined,
    stamps: "capture",
  });
  assertEquals(offer.streams, [wanted, SMALL]);
  assertEquals(pair.near.writtenBytes, 0);
  const line = await offer.accept(SALA, CALL, never);
  assertEquals(framed(await pair.far.readMessage()), YES);
  assertEquals(line.peer, offer.peer);
  await end(pair, line);
});

test("a hello is understood at every split point", async () => {
  for (let split = 0; split <= HELLO.length; split++) {
    using pair = openPair();
    pair.far.put(HELLO.subarray(0, split));
    const offer = await offerOf(pair, HELLO.subarray(split));
    assertEquals(offer.peer.name, "ana", `split at ${split}`);
    pair.far[Symbol.dispose]();
    await offer.refuse("");
  }
});

test("a caller that tells its clock hears ours, and one that does not hears none", async () => {
  const answer = async (clock: string): Promise<ReturnType<typeof decodeAnswer>> => {
    using pair = openPair();
    const hello = helloWith(`{"version":2,"name":"ana","streams":[${STREAM}]${clock}}`);
    const offer = await offerOf(pair, framed(hello));
    const line = await offer.accept(SALA, CALL, never);
    const got = decodeAnswer(await pair.far.readMessage());
    await end(pair, line);
    return got;
  };
  const beforeUs = nowUs();
  const told = await answer(',"clock":7');
  assert(told.accept && told.clock);
  assertGreaterOrEqual(told.clock.heardUs, beforeUs);
  assertGreaterOrEqual(told.clock.answeredUs, told.clock.heardUs);
  assertLessOrEqual(told.clock.answeredUs, nowUs());
  const untold = await answer("");
  assert(untold.accept);
  assertEquals(untold.clock, undefined);
});

test("a caller that comes back is answered with the name of its call and handed over", async () => {
  using pair = openPair();
  const hello = encodeHello({ ...ANA, call: CALL, clockUs: 1 });
  const offer = await offerOf(pair, framed(hello));
  assertEquals([offer.mode, offer.call], ["call", CALL]);
  const wire = await offer.resume(SALA);
  const answer = decodeAnswer(await pair.far.readMessage());
  assert(answer.accept && answer.clock, "as of any caller, the clocks may be compared");
  assertEquals(answer.call, CALL);
  pair.far.put(video(7));
  assertEquals(framed((await wire.readMessage(1000))!), video(7));
  wire.close();
});

test("only a caller of the language of calls can come back", async () => {
  using pair = openPair();
  const offer = await offerOf(pair, framed(picture(0, PLAIN_BYTES)));
  assertEquals(offer.call, undefined);
  await assertRejects(() => offer.resume(SALA), Error, "without a call");
  pair.far[Symbol.dispose]();
  await offer.refuse("");
});

test("a caller that is refused is told why, and may read it in peace", async () => {
  using pair = openPair();
  const offer = await offerOf(pair, HELLO);
  pair.far.put(video(0)); // It may be so sure of a yes that it sends at once: unread, this would reset.
  const refused = offer.refuse("busy");
  assertEquals(decodeAnswer(await pair.far.readMessage()), { accept: false, reason: "busy" });
  assertEquals(await pair.far.readRest(), bytes());
  await pair.far.closeWrite();
  await refused;
  assert(pair.near.closed);
});

for (
  const [mode, format, message] of [
    ["plain", { ...DEFAULT_FORMAT, fps: 25 }, framed(picture(0, PLAIN_BYTES))],
    ["pickle", { ...SMALL, fps: 25 }, pickle(SMALL)],
  ] as const
) {
  test(`${mode}: the offer says what comes before the call is taken, at the rate handed in`, async () => {
    using pair = openPair();
    const offer = await offerOf(pair, message);
    assertEquals(offer.mode, mode);
    assertEquals(offer.peer, {
      name: "",
      streams: [format],
      format,
      sound: undefined,
      stamps: "arrival",
    });
    assertEquals(offer.streams, [format]);
    const refused = offer.refuse("busy");
    // It has no words for a no: it is closed and told nothing.
    assertEquals(await pair.far.readRest(), bytes());
    await pair.far.closeWrite();
    await refused;
    assert(pair.near.closed);
  });
}

function pickle(format: VideoFormat): Uint8Array {
  const { before, after } = encodePickle(format);
  return framed(before, picture(0, format.width * format.height * 3), after);
}

test("a first message of a length that is none of any mode is refused unread", async () => {
  const named = (wrong: number | bigint): string =>
    `a first message of ${wrong} bytes is neither a frame of 230400 nor a hello`;
  // One byte more than the largest pickle: 1920 x 1080 x 3 and 4 KiB.
  for (const wrong of [0, MAX_PICKLE_BYTES + 1, Number.MAX_SAFE_INTEGER]) {
    const { reason, largestRead } = await refusal(length(wrong));
    assertEquals(reason, named(wrong));
    // The bytes after the length are read to be forgotten. Only then there is a buffer for them.
    assertLessOrEqual(largestRead, 65_536);
  }
  assertEquals(
    (await refusal(length(2n ** 64n - 1n))).reason,
    "a message of 18446744073709551615 bytes is too long",
  );
});

test("a first message that begins as none of any mode is refused after its first byte", async () => {
  for (const wrong of [1, 65_537, PLAIN_BYTES - 1, PLAIN_BYTES + 1, MAX_PICKLE_BYTES]) {
    for (const kind of ["00", "02", "04", "07", "7f", "fe"]) {
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
    JSON.stringify({ version: 2, name: "", streams: [{ ...SMALL }], ...parts });
  const stream = (parts: object): string => hello({ streams: [{ ...SMALL, ...parts }] });
  for (
    const [json, reason] of [
      ["{", "the hello is not JSON"],
      ["[]", "the hello is not a JSON object"],
      ['{"version":1,"name":"","video":{}}', "the peer speaks version 1, this program version 2"],
      [hello({ version: 3 }), "the peer speaks version 3, this program version 2"],
      [hello({ name: 1 }), "the hello has no name"],
      [hello({ call: "guess" }), "the hello names a call that can be none"],
      [hello({ streams: Array(17).fill({ kind: "x" }) }), "17 streams are more than 16"],
      [stream({ width: 15 }), "a picture of 15x16 is outside 16x16 to 3840x2160"],
      [stream({ fps: 121 }), "121 frames a second is outside 1 to 120"],
    ] as const
  ) {
    assertEquals((await refusal(framed(helloWith(json)))).reason, reason);
  }
});

test("a hello of 65536 bytes is read, and its name cut", async () => {
  const shell = encodeHello({ name: "", streams: [] }).length;
  const message = encodeHello({ name: "x".repeat(65_536 - shell), streams: [] });
  assertEquals(message.length, 65_536);
  using pair = openPair();
  const offer = await offerOf(pair, framed(message));
  assertEquals(offer.peer.name, "x".repeat(200));
  pair.far[Symbol.dispose]();
  await offer.refuse("");
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

test("a caller that is gone before it is answered leaves nothing open, new or come back", async () => {
  for (const answer of ["accept", "resume"] as const) {
    using pair = openPair();
    const offer = await offerOf(pair, framed(encodeHello({ ...ANA, call: CALL })));
    pair.near.reset();
    try {
      const answering = (): Promise<unknown> =>
        answer === "accept" ? offer.accept(SALA, CALL, never) : offer.resume(SALA);
      assertEquals(await loss(answering), "reset");
      assert(pair.near.closed, "closed as soon as the answer fails");
    } finally {
      // The wire comes to its end in any case, so that only the finding fails.
      await pair.near.whenClosed();
    }
  }
});

/** Makes an offer on the near end. Nobody calls it off unless a test does. */
function offer(
  { near }: FakePair,
  signal: AbortSignal = new AbortController().signal,
  hello: Hello = ANA,
): ReturnType<typeof makeOffer> {
  return makeOffer(near, hello, signal);
}

/** The error of an offer that gets these bytes as an answer, and then nothing more. */
async function answered(answer: Uint8Array): Promise<unknown> {
  using pair = openPair();
  pair.far.put(answer);
  await pair.far.closeWrite();
  const error = await assertRejects(() => offer(pair));
  assert(pair.near.closed);
  // The buffer has room for the length of the next message, too.
  assertLessOrEqual(pair.near.largestRead, 65_536 + 8);
  return error;
}

test("the hello of an offer says name, streams and clock, and nothing follows before the answer", async () => {
  using pair = openPair();
  const beforeUs = nowUs();
  const opening = offer(pair);
  const hello = await pair.far.readMessage();
  const { clockUs, ...told } = decodeHello(hello);
  assertEquals(told, ANA);
  assertGreaterOrEqual(clockUs!, beforeUs);
  assertLessOrEqual(clockUs!, nowUs());
  pair.far.put(YES);
  const { wire, clocks, ...theirs } = await opening;
  assertEquals(theirs, { ...SALA, accept: true, call: CALL });
  assertEquals(clocks, undefined);
  assertEquals(pair.near.writtenBytes, 8 + hello.length);
  wire.close();
});

test("an offer to come back names the call", async () => {
  using pair = openPair();
  pair.far.put(YES);
  const { wire } = await offer(pair, undefined, { ...ANA, call: CALL });
  assertEquals(decodeHello(await pair.far.readMessage()).call, CALL);
  wire.close();
});

test("an answer is understood at every split point, and the clocks compared where it tells one", async () => {
  const answer = framed(
    helloWith(
      `{"version":2,"name":"","streams":[${STREAM}],"call":"${CALL}","accept":true,` +
        '"heard":1000000,"clock":1000001}',
    ),
  );
  for (let split = 0; split <= answer.length; split++) {
    using pair = openPair();
    pair.far.put(answer.subarray(0, split));
    pair.far.put(answer.subarray(split));
    const { wire, clocks, streams } = await offer(pair);
    assertEquals(streams, [SMALL]);
    assertLess(clocks!.aheadUs, 0, "that clock began a second ago, ours in 1970");
    assertGreaterOrEqual(clocks!.roundTripUs, 0);
    wire.close();
  }
});

test("a refusal is told with its reason, whatever its version, and the connection let go", async () => {
  for (
    const [parts, reason] of [
      [',"reason":"busy"', "busy"],
      [',"reason":"no\\u001b[2J"', "no [2J"],
      [',"reason":""', ""],
      ["", ""],
    ]
  ) {
    const error = await answered(no(parts!));
    assertInstanceOf(error, RefusedError);
    assertEquals(error.message, reason);
  }
});

test("an answer that is none of Chamada's is nonsense, and the connection let go", async () => {
  for (
    const [answer, reason] of [
      [text("HTTP/1.1 400 Bad Request\r\n\r\n"), 'it begins as HTTP does ("HTTP/1.1")'],
      [length(2n ** 63n), "a message of 9223372036854775808 bytes is too long"],
      [length(65_537), "as if it sent pictures"],
      [framed("80 04 95", new Uint8Array(9000)), "as if it sent pictures"],
      [framed("ff d8 ff e0", new Uint8Array(5000)), "as if it sent pictures"],
      [bytes("00 03 84 a4 80 04 95 00"), "looks like 230564 in 4 bytes, big-endian"],
      [framed(new Uint8Array(65_536)), "the answer is not one of Chamada's"],
      [framed(), "the answer is not one of Chamada's"],
      [ack(0), "the answer is not one of Chamada's"],
      [framed(helloWith('{"version":2}')), "the answer says neither yes nor no"],
      [framed(helloWith('{"version":1,"accept":true}')), "the peer speaks version 1"],
      [framed(helloWith('{"version":2,"name":"","streams":[],"accept":true}')), "name the call"],
    ] as const
  ) {
    const error = await answered(answer);
    assertInstanceOf(error, ProtocolError, reason);
    assert(error.message.includes(reason), `${error.message}, not ${reason}`);
  }
});

test("a server that leaves before its answer is lost, at every byte of it", async () => {
  for (let count = 0; count < YES.length; count++) {
    const error = await answered(YES.subarray(0, count));
    assertInstanceOf(error, PeerLostError);
    assertEquals(error.how, count === 0 ? "no-bye" : "cut", `${count} bytes`);
  }
});

test("a server that takes the connection and never answers is lost in 5 s", async () => {
  using _clock = quickened(50);
  using pair = openPair();
  const startMs = performance.now();
  assertEquals(await loss(() => offer(pair)), "silence");
  assertGreaterOrEqual(performance.now() - startMs, 90); // 5 s, fifty times as fast
  assert(pair.near.closed);
});

test("a server that drips its answer is lost", async () => {
  using _clock = quickened(50);
  using pair = openPair();
  pair.far.put(length(60_000));
  const dripping = setInterval(() => pair.far.put(new Uint8Array(600)), 250);
  assertMatch(await within(loss(() => offer(pair)), 20_000) ?? "late", /slow/);
  clearInterval(dripping);
});

/** Makes an offer and hangs up when the hello was read and nothing answered. */
async function hangUpUnanswered(
  pair: FakePair,
  hello: Hello = ANA,
): Promise<{ readonly opening: Promise<unknown> }> {
  const hangUp = new AbortController();
  const opening = offer(pair, hangUp.signal, hello);
  opening.catch(() => {}); // Its failure is seen by the tests.
  await pair.far.readMessage();
  hangUp.abort(new Error("hung up"));
  return { opening };
}

test("a hang-up before the answer waits for it, takes its leave and is thrown as it was said", async () => {
  using pair = openPair();
  const { opening } = await hangUpUnanswered(pair);
  pair.far.put(YES);
  assertEquals(await pair.far.readRest(), bye("hung up"));
  await pair.far.closeWrite();
  await assertRejects(() => opening, Error, "hung up");
  assert(pair.near.closed);
});

test("an offer to come back that is called off says no bye: the call may go on elsewhere", async () => {
  using pair = openPair();
  const { opening } = await hangUpUnanswered(pair, { ...ANA, call: CALL });
  pair.far.put(YES);
  await assertRejects(() => opening, Error, "hung up");
  assertEquals(await pair.far.readRest(), bytes());
  assert(pair.near.closed);
});

test("a hang-up before an answer that never comes lets go after a second", async () => {
  using pair = openPair();
  const { opening } = await hangUpUnanswered(pair);
  await assertRejects(() => opening, Error, "hung up");
  assert(pair.near.closed);
  assertEquals(await pair.far.readRest(), bytes());
});

test("a hang-up before anything was said leaves nothing said", async () => {
  using pair = openPair();
  await assertRejects(
    () => offer(pair, AbortSignal.abort(new Error("hung up"))),
    Error,
    "hung up",
  );
  assert(pair.near.closed);
  assertEquals(pair.near.writtenBytes, 0);
});

test("once the answer is there, the signal of an offer is of no more concern", async () => {
  using pair = openPair();
  pair.far.put(YES);
  const hangUp = new AbortController();
  const { wire } = await offer(pair, hangUp.signal);
  hangUp.abort();
  await pause(FAREWELL_MS * 1.2);
  assertFalse(pair.near.closed);
  pair.far.put(video(0));
  assertEquals(framed((await wire.readMessage(1000))!), video(0));
  wire.close();
});

/** The outcome of a line, in words. Throws the errors that no stream of bytes may cause. */
async function outcome(line: Line): Promise<string> {
  try {
    const { reason } = await line.ended;
    assertLessOrEqual(reason.length, 200);
    assertFalse(/\p{Cc}/u.test(reason));
    return `bye ${reason}`;
  } catch (error) {
    return problem(error);
  }
}

function problem(error: unknown): string {
  if (error instanceof PeerLostError) return error.how;
  if (error instanceof RefusedError) return "refused";
  assertInstanceOf(error, ProtocolError);
  return "nonsense";
}

/** The reception of a stream that a caller sends, from its first byte to its end. */
async function receive(pieces: readonly Uint8Array[], habits: Habits = {}): Promise<string[]> {
  using pair = openPair(habits);
  for (const piece of pieces) pair.far.put(piece);
  await pair.far.closeWrite();
  const events: string[] = [];
  let line: Line | undefined;
  let most = MAX_PICKLE_BYTES;
  try {
    const offer = await readOffer(pair.near, 20);
    if (offer === null) return ["left"];
    events.push(offer.mode);
    const { width, height } = offer.peer.format ?? SMALL;
    most = Math.max(most, 16 + width * height * 3 + 4096 + 8);
    line = await offer.accept({ name: "", streams: [SMALL] }, CALL, never);
    for (const number of [0, 1, 2]) line.push(frame(number));
    for await (const { sequence, lease } of line.frames()) {
      events.push(`frame ${sequence}`);
      lease?.letGo();
    }
    events.push(await outcome(line));
  } catch (error) {
    events.push(problem(error));
  } finally {
    await line?.hangUp("");
  }
  // The peer never makes us set aside more than it announced, and that was judged.
  assertLessOrEqual(pair.near.largestRead, most);
  assert(pair.near.closed);
  return events;
}

const REST = framed(encodeRest(0, true));
const CALL_STREAM = concat([HELLO, video(0), video(1), REST, video(2), bye("fim")]);
const CALL_EVENTS = ["call", "frame 0", "frame 1", "frame 2", "bye fim"];

test("a whole call is received the same at every split point of its stream", async () => {
  for (let split = 0; split <= CALL_STREAM.length; split++) {
    const pieces = [CALL_STREAM.subarray(0, split), CALL_STREAM.subarray(split)];
    assertEquals(await receive(pieces), CALL_EVENTS, `split at ${split}`);
  }
  assertEquals(await receive([CALL_STREAM], { readBytes: () => 1 }), CALL_EVENTS);
}, { slow: true });

/** Random bytes, or one to three small accidents of this stream. */
function mutate(
  stream: Uint8Array,
  random: Random,
  messages: readonly Uint8Array[],
  between: readonly number[],
): Uint8Array {
  let result: Uint8Array = stream.slice();
  for (let times = 1 + random.below(3); times > 0; times--) {
    // Lengths, hello and headers are at the start: most accidents happen there.
    const at = random.below(random.next() < 0.7 ? Math.min(result.length, 160) : result.length);
    const some = random.below(20);
    const [before, after] = [result.subarray(0, at), result.subarray(at)];
    // A whole message is left out, or comes again.
    const end = random.pick(between);
    result = random.pick([
      (): Uint8Array => concat([before, random.bytes(1), after.subarray(1)]),
      (): Uint8Array => concat([before, Uint8Array.of(1 << random.below(8)), after.subarray(1)]),
      (): Uint8Array => result.slice(0, random.next() < 0.5 ? end : at),
      (): Uint8Array => concat([before, after.subarray(some)]),
      (): Uint8Array => concat([before, random.bytes(some), after]),
      (): Uint8Array => concat([before, result.subarray(random.below(result.length + 1))]),
      (): Uint8Array =>
        concat([result.subarray(0, end), random.pick(messages), result.subarray(end)]),
    ])();
    if (result.length === 0) return result;
  }
  return result;
}

/** The ends of the messages of a stream. */
function ends(...messages: readonly Uint8Array[]): number[] {
  let at = 0;
  return messages.map((message) => at += message.length);
}

/**
 * Counts outcomes, and asks for enough of each kind: the streams were neither all whole nor all
 * hopeless.
 */
class Outcomes {
  readonly #counts = new Map<string, number>();

  add(last: string): void {
    const kind = last.split(" ")[0]!;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  check(kinds: readonly string[]): void {
    for (const kind of kinds) assertGreater(this.#counts.get(kind) ?? 0, 5, kind);
  }
}

test("no bytes of a caller make a server do anything but refuse or lose it", async () => {
  const random = new Random(20230817);
  const plain = concat([framed(picture(1, PLAIN_BYTES)), framed(picture(2, PLAIN_BYTES))]);
  const messages = [HELLO, video(0), video(9), bye("x"), ack(0), ack(9), REST, length(0)];
  const between = ends(HELLO, video(0), video(1), REST, video(2));
  const outcomes = new Outcomes();
  for (let round = 0; round < 3000; round++) {
    const base = round % 50 === 0 ? plain : CALL_STREAM;
    const stream = round % 10 === 9
      ? random.bytes(random.below(200))
      : mutate(base, random, messages, between);
    const events = await receive([stream], {
      readBytes: () => random.next() < 0.5 ? 1 + random.below(16) : Infinity,
    });
    outcomes.add(events.at(-1)!);
  }
  outcomes.check(["bye", "nonsense", "cut", "no-bye"]);
}, { slow: true });

/** The outcome of a call with three frames at a server that sends these bytes. */
async function send(stream: Uint8Array, habits: Habits = {}): Promise<string> {
  using pair = openPair(habits);
  pair.far.put(stream);
  await pair.far.closeWrite();
  let line: Line | undefined;
  let most = 65_536;
  try {
    const { wire, clocks, ...theirs } = await offer(pair);
    for (const stream of theirs.streams) {
      if (stream?.kind === "video") {
        most = Math.max(most, 16 + stream.width * stream.height * 3 + 4096);
      }
    }
    line = new CallLine(wire, { ours: [SMALL], theirs, again: never, clocks });
    for (const number of [0, 1, 2]) line.push(frame(number));
    for await (const { lease } of line.frames()) lease?.letGo();
    return await outcome(line);
  } catch (error) {
    return problem(error);
  } finally {
    await line?.hangUp("");
    // The buffer has room for the length of the next message, too.
    assertLessOrEqual(pair.near.largestRead, most + 8);
    assert(pair.near.closed);
  }
}

const YES_BOTH = framed(
  helloWith(`{"version":2,"name":"","streams":[${STREAM}],"call":"${CALL}","accept":true}`),
);

test("a whole call is had at every split point of what the server sends", async () => {
  const stream = concat([YES_BOTH, video(0), bye("fim")]);
  for (let split = 0; split <= stream.length; split++) {
    let first = true;
    const readBytes = (): number => {
      const most = first ? Math.max(split, 1) : Infinity;
      first = false;
      return most;
    };
    assertEquals(await send(stream, { readBytes }), "bye fim", `split at ${split}`);
  }
  assertEquals(await send(stream, { readBytes: () => 1 }), "bye fim");
});

test("no bytes of a server make a client do anything but end or lose the call", async () => {
  const random = new Random(20230818);
  const whole = [YES_BOTH, video(0), REST, video(1), bye("fim\u001b")];
  const refused = no(',"reason":"busy"');
  const messages = [
    YES,
    refused,
    ack(0),
    ack(2),
    video(7),
    REST,
    bye("x"),
    framed(),
    length(65_537),
  ];
  const outcomes = new Outcomes();
  for (let round = 0; round < 4000; round++) {
    let stream: Uint8Array = round % 7 === 6 ? refused : concat(whole);
    if (round % 4 !== 0) stream = mutate(stream, random, messages, ends(...whole));
    if (round % 10 === 9) stream = random.bytes(random.below(100));
    if (round % 10 === 8) {
      stream = concat([YES, ...Array.from({ length: 4 }, () => random.pick(messages))]);
    }
    const habits = { readBytes: () => random.next() < 0.5 ? 1 + random.below(8) : Infinity };
    outcomes.add(await send(stream, habits));
  }
  outcomes.check(["bye", "nonsense", "cut", "no-bye", "refused"]);
}, { slow: true });

test("a wire that is handed over is read on where the first words ended", async () => {
  using pair = openPair();
  // All comes in one piece: the bytes behind the hello are not lost.
  const opened = await offerOf(pair, concat([HELLO, video(3), bye("fim")]));
  const line = await opened.accept(SALA, CALL, never);
  const numbers: number[] = [];
  for await (const { sequence } of line.frames()) numbers.push(sequence);
  assertEquals([numbers, await line.ended], [[3], { reason: "fim" }]);
  await end(pair, line);

  using other = openPair();
  other.far.put(concat([YES, bye("fim")]));
  const { wire } = await offer(other);
  assertInstanceOf(wire, Wire);
  assertEquals(framed((await wire.readMessage(100))!), bye("fim"));
  wire.close();
});
