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
import type { WireMode } from "../lib/wire/receiver.ts";
import { openSender, type Sender } from "../lib/wire/sender.ts";
import { decodeVideo } from "../lib/wire/session.ts";
import { FAREWELL_MS, SILENCE_MS } from "../lib/wire/wire.ts";
import { bytes, framed, helloWith, length, text } from "./bytes.ts";
import { type FakePair, type Habits, openPair } from "./fake_connection.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const SMALL: VideoFormat = { codec: "raw", width: 16, height: 16, fps: 20 };
const SMALL_BYTES = 768;
/** A video message with its length. */
const VIDEO_BYTES = 8 + 16 + SMALL_BYTES;
const HELLO = bytes(
  "01", // kind: hello
  text("CHAMADA1"),
  text('{"version":1,"name":"ana",'),
  text('"video":{"codec":"raw","width":16,"height":16,"fps":20},'),
  text('"clock":1}'),
);
const YES = framed(helloWith('{"version":1,"accept":true}'));

/** A frame that has its number in every byte. */
function frame(sequence: number, parts: Partial<Frame> = {}): Frame {
  const data = new Uint8Array(SMALL_BYTES).fill(sequence % 256);
  return { data, captureUs: sequence, sequence, keyframe: true, ...parts };
}

/** The frame as a message without its length; sequence and time of one byte. */
function video(sequence: number): Uint8Array {
  const byte = Uint8Array.of(sequence);
  return bytes(
    "02 01 00 00", // kind, keyframe
    byte,
    "00 00 00", // sequence
    byte,
    "00 00 00 00 00 00 00", // capture time
    frame(sequence).data,
  );
}

function ack(sequence: number): Uint8Array {
  return framed("03 00 00 00", Uint8Array.of(sequence), "00 00 00");
}

function bye(reason: string): Uint8Array {
  return framed("04", text(reason));
}

/** A clock that says 1 when the hello is written, so that its bytes are known, and the true time from then on. */
function clockFromOne(): () => number {
  const moments = [1];
  return () => moments.shift() ?? nowUs();
}

/** Opens a sender on the near end, which nobody calls off unless a test does. */
function open(
  { near }: FakePair,
  mode: WireMode = "call",
  format: VideoFormat = SMALL,
  signal: AbortSignal = new AbortController().signal,
): Promise<Sender> {
  return openSender(near, { mode, format, name: "ana", now: clockFromOne() }, signal);
}

interface OpenCall extends FakePair, AsyncDisposable {
  readonly sender: Sender;
}

/** A call that was taken by the far end, which has read the hello. */
async function openCall(
  { mode = "call", habits = {} }: { mode?: WireMode; habits?: Habits } = {},
): Promise<OpenCall> {
  const pair = openPair(habits);
  if (mode === "call") pair.far.put(YES);
  const sender = await open(pair, mode);
  if (mode === "call") assertEquals(await pair.far.readMessage(), HELLO);
  return {
    ...pair,
    sender,
    async [Symbol.asyncDispose](): Promise<void> {
      pair.far[Symbol.dispose]();
      await sender.hangUp("");
    },
  };
}

/** What comes of a call whose server answers the hello with these bytes and then says nothing more. */
async function answered(answer: Uint8Array): Promise<unknown> {
  using pair = openPair();
  pair.far.put(answer);
  await pair.far.closeWrite();
  const error = await assertRejects(() => open(pair));
  assert(pair.near.closed);
  // With room for the length of what may follow.
  assertLessOrEqual(pair.near.largestRead, 65_536 + 8);
  return error;
}

/** How a peer was lost. */
async function loss(run: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(run, PeerLostError)).how;
}

/** Waits until the near end has taken in all that was put on its way. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Makes every interval that begins while it lasts so much shorter: five seconds of silence need not be waited for. */
function quickened(times: number): Disposable {
  const real = globalThis.setInterval;
  const quick = (run: () => void, everyMs?: number): ReturnType<typeof setInterval> =>
    real(run, (everyMs ?? 0) / times);
  globalThis.setInterval = quick as typeof setInterval;
  return { [Symbol.dispose]: (): void => void (globalThis.setInterval = real) };
}

test("plain: frames are put on the wire with their length and nothing else", async () => {
  await using call = await openCall({ mode: "plain" });
  for (const sequence of [0, 1, 2]) {
    call.sender.push(frame(sequence));
    assertEquals(
      await call.far.readExactly(8 + SMALL_BYTES),
      concat([bytes("00 03 00 00 00 00 00 00"), frame(sequence).data]),
    );
    await settled();
  }
  assertEquals([call.sender.sent, call.sender.dropped], [3, 0]);
  assertEquals(call.sender.sentBytes, 3 * (8 + SMALL_BYTES));
  assertEquals(call.sender.delayMs, undefined);
});

test("plain: a whole frame of the report's size is 230,408 bytes", async () => {
  using pair = openPair();
  const sender = await open(pair, "plain", DEFAULT_FORMAT);
  const data = Uint8Array.from({ length: 230_400 }, (_, index) => index % 251);
  sender.push(frame(0, { data }));
  assertEquals(await pair.far.readExactly(8), bytes("00 84 03 00 00 00 00 00"));
  assertEquals(await pair.far.readExactly(230_400), data);
  await pair.far.closeWrite();
  await sender.hangUp("");
  assertEquals(pair.near.writtenBytes, 230_408);
});

test("plain: a frame that finds the link busy waits, and the newest takes its place", async () => {
  await using call = await openCall({ mode: "plain", habits: { room: 10 } });
  const { far, near, sender } = call;
  for (const sequence of [0, 1, 2, 3]) sender.push(frame(sequence));
  assertEquals([sender.sent, sender.dropped], [1, 2]);
  near.makeRoom();
  assertEquals(await far.readMessage(), frame(0).data);
  assertEquals(await far.readMessage(), frame(3).data);
  assertEquals([sender.sent, sender.dropped], [2, 2]);
});

test("call: the hello says name and format, and nothing follows before the answer", async () => {
  using pair = openPair();
  const opening = open(pair);
  assertEquals(await pair.far.readMessage(), HELLO);
  assertEquals(pair.near.writtenBytes, 8 + HELLO.length);
  pair.far.put(YES);
  const sender = await opening;
  assertEquals(pair.near.writtenBytes, 8 + HELLO.length);
  pair.far[Symbol.dispose]();
  await sender.hangUp("");
});

test("call: the answer is understood at every split point", async () => {
  for (let split = 0; split <= YES.length; split++) {
    using pair = openPair();
    pair.far.put(YES.subarray(0, split));
    pair.far.put(YES.subarray(split));
    const sender = await open(pair);
    pair.far[Symbol.dispose]();
    await sender.hangUp("");
  }
});

test("call: frames are put on the wire as video messages, byte for byte", async () => {
  await using call = await openCall({ habits: { writeBytes: () => 100 } });
  for (const sequence of [0, 1, 2]) {
    call.sender.push(frame(sequence));
    assertEquals(await call.far.readMessage(), video(sequence));
    call.far.put(ack(sequence));
    await settled();
  }
  assertEquals(call.sender.sentBytes, 8 + HELLO.length + 3 * VIDEO_BYTES);
});

test("call: before the first ack three frames go; the newest waits, the rest are counted", async () => {
  await using call = await openCall();
  const { far, sender } = call;
  for (const sequence of [0, 1, 2, 3, 4, 5]) sender.push(frame(sequence));
  await settled();
  assertEquals([sender.sent, sender.dropped], [3, 2]);
  assertEquals(call.near.writtenBytes, 8 + HELLO.length + 3 * VIDEO_BYTES);
  for (const sequence of [0, 1, 2]) assertEquals(await far.readMessage(), video(sequence));
  far.put(ack(2));
  assertEquals(await far.readMessage(), video(5));
  assertEquals([sender.sent, sender.dropped], [4, 2]);
});

test("call: the delay is from capture to ack", async () => {
  await using call = await openCall();
  assertEquals(call.sender.delayMs, undefined);
  call.sender.push(frame(0, { captureUs: nowUs() - 300_000 }));
  await call.far.readMessage();
  assertEquals(call.sender.delayMs, undefined);
  call.far.put(ack(0));
  await settled();
  assertGreaterOrEqual(call.sender.delayMs!, 300);
  assertLess(call.sender.delayMs!, 2000);
});

test("call: where the server tells its clock, capture times are on it and the way of the ack is no delay", async () => {
  using pair = openPair();
  pair.far.put(framed(helloWith('{"version":1,"accept":true,"heard":900000,"clock":950000}')));
  let now = 1_000_000;
  const opening = openSender(pair.near, {
    mode: "call",
    format: SMALL,
    name: "ana",
    now: () => now,
  }, new AbortController().signal);
  // Asked at 1,000,000, the answer is there at 1,070,000: ten milliseconds each way.
  now = 1_070_000;
  const sender = await opening;
  await pair.far.readMessage();
  now = 1_100_000;
  sender.push(frame(0, { captureUs: 1_090_000 }));
  const message = await pair.far.readMessage();
  assertEquals(decodeVideo(message, SMALL).captureUs, 1_090_000 - 1_070_000 + 960_000);
  now = 1_150_000;
  pair.far.put(ack(0));
  await settled();
  assertEquals(sender.delayMs, 50);
  // An ack that is back after 8 ms shows that the way takes no 10.
  now = 2_000_000_000;
  sender.push(frame(1, { captureUs: now - 20_000 }));
  now += 8_000;
  pair.far.put(ack(1));
  await settled();
  assertEquals(Math.round(sender.delayMs!), 24);
  pair.far[Symbol.dispose]();
  await sender.hangUp("");
});

test("call: an ack that comes twice is no offence; one from the future ends the call", async () => {
  await using call = await openCall();
  call.sender.push(frame(0));
  call.far.put(ack(0));
  call.far.put(ack(0));
  await settled();
  call.sender.push(frame(1));
  await call.far.readMessage();
  assertEquals(await call.far.readMessage(), video(1));
  call.far.put(ack(2));
  await assertRejects(() => call.sender.ended, ProtocolError, "an ack for frame 2");
});

test("call: a refusal is told with its reason, and the connection let go", async () => {
  const refused = (parts: string): Uint8Array =>
    framed(helloWith(`{"version":1,"accept":false${parts}}`));
  for (
    const [parts, reason] of [
      [',"reason":"busy"', "busy"],
      [',"reason":"no\\u001b[2J"', "no [2J"],
      [',"reason":""', ""],
      ["", ""],
    ]
  ) {
    const error = await answered(refused(parts!));
    assertInstanceOf(error, RefusedError);
    assertEquals(error.message, reason);
  }
  const other = await answered(framed(helloWith('{"version":2,"accept":false,"reason":"old"}')));
  assertInstanceOf(other, RefusedError);
});

test("call: an answer that is none of Chamada's is nonsense, and the connection let go", async () => {
  for (
    const [answer, reason] of [
      [text("HTTP/1.1 400 Bad Request\r\n\r\n"), 'it begins as HTTP does ("HTTP/1.1")'],
      [length(2n ** 63n), "a message of 9223372036854775808 bytes is too long"],
      [length(65_537), "a server that only listens has spoken: 65537 bytes"],
      [framed("80 04 95", new Uint8Array(9000)), "a server that only listens has spoken: 9003 "],
      [bytes("00 03 84 a4 80 04 95 00"), "looks like 230564 in 4 bytes, big-endian"],
      [framed(new Uint8Array(65_536)), "the answer is not one of Chamada's"],
      [framed(), "the answer is not one of Chamada's"],
      [ack(0), "the answer is not one of Chamada's"],
      [framed(helloWith('{"version":1}')), "the answer says neither yes nor no"],
      [framed(helloWith('{"version":2,"accept":true}')), "the peer speaks version 2"],
    ] as const
  ) {
    const error = await answered(answer);
    assertInstanceOf(error, ProtocolError, reason);
    assert(error.message.includes(reason), `${error.message}, not ${reason}`);
  }
});

test("call: a server that leaves before its answer is lost, at every byte of it", async () => {
  for (let count = 0; count < YES.length; count++) {
    const error = await answered(YES.subarray(0, count));
    assertInstanceOf(error, PeerLostError);
    assertEquals(error.how, count === 0 ? "no-bye" : "cut", `${count} bytes`);
  }
});

test("call: a server that takes the connection and never answers is lost in 5 s", async () => {
  using _clock = quickened(50);
  using pair = openPair();
  const start = performance.now();
  assertEquals(await loss(() => open(pair)), "silence");
  assertGreaterOrEqual(performance.now() - start, 90); // 5 s, fifty times as fast
  assert(pair.near.closed);
});

/** Opens a call and hangs up when the hello was read and nothing answered. How that ends is for the tests. */
async function hangUpUnanswered(pair: FakePair): Promise<{ readonly opening: Promise<Sender> }> {
  const hangUp = new AbortController();
  const opening = open(pair, "call", SMALL, hangUp.signal);
  opening.catch(() => {}); // Its failure is seen by the tests.
  assertEquals(await pair.far.readMessage(), HELLO);
  hangUp.abort(new Error("hung up"));
  return { opening };
}

test("call: a hang-up before the answer waits for it, takes its leave and is thrown as it was said", async () => {
  using pair = openPair();
  const { opening } = await hangUpUnanswered(pair);
  pair.far.put(YES);
  assertEquals(await pair.far.readRest(), bye("hung up"));
  await pair.far.closeWrite();
  await assertRejects(() => opening, Error, "hung up");
  assert(pair.near.closed);
});

test("call: a hang-up before an answer that never comes lets go after a second", async () => {
  using pair = openPair();
  const { opening } = await hangUpUnanswered(pair);
  await assertRejects(() => opening, Error, "hung up");
  assert(pair.near.closed);
  assertEquals(await pair.far.readRest(), bytes());
});

test("a hang-up before anything was said leaves nothing said, in every mode", async () => {
  for (const mode of ["plain", "call"] as const) {
    using pair = openPair();
    await assertRejects(
      () => open(pair, mode, SMALL, AbortSignal.abort(new Error("hung up"))),
      Error,
      "hung up",
    );
    assert(pair.near.closed, mode);
    assertEquals(pair.near.writtenBytes, 0, mode);
  }
});

test("call: once the answer is there, the signal of its opening is of no more concern", async () => {
  using pair = openPair();
  pair.far.put(YES);
  const hangUp = new AbortController();
  const sender = await open(pair, "call", SMALL, hangUp.signal);
  hangUp.abort();
  assertFalse(pair.near.closed);
  pair.far.put(bye("still here"));
  assertEquals(await sender.ended, { reason: "still here" });
  pair.far[Symbol.dispose]();
  await sender.hangUp("");
});

test("call: a bye of the server ends the call with its reason, at every split point", async () => {
  const stream = concat([ack(0), bye("window closed\u0007")]);
  for (let split = 0; split <= stream.length; split++) {
    await using call = await openCall();
    call.sender.push(frame(0));
    call.far.put(stream.subarray(0, split));
    call.far.put(stream.subarray(split));
    assertEquals(await call.sender.ended, { reason: "window closed " }, `split at ${split}`);
  }
});

test("call: the end without a bye is a loss, between two messages and inside one", async () => {
  for (const part of [0, 1, 8, 9, 15]) {
    await using call = await openCall();
    call.sender.push(frame(0));
    call.far.put(ack(0));
    call.far.put(ack(0).subarray(0, part));
    await call.far.closeWrite();
    assertEquals(await loss(() => call.sender.ended), part === 0 ? "no-bye" : "cut", `${part}`);
  }
});

test("plain: the end of the stream is a hang-up; words of the server are nonsense", async () => {
  await using ended = await openCall({ mode: "plain" });
  await ended.far.closeWrite();
  assertEquals(await ended.sender.ended, { reason: "" });

  for (const words of [ack(0), YES, framed()]) {
    await using spoken = await openCall({ mode: "plain" });
    spoken.far.put(words);
    await assertRejects(() => spoken.sender.ended, ProtocolError, "has spoken");
  }
});

test("a server that sends pictures is told from others in every mode", async () => {
  const pickled = framed("80 04 95", new Uint8Array(230_561));
  const jpeg = framed("ff d8 ff e0", new Uint8Array(5000));
  for (const mode of ["plain", "pickle", "call"] as const) {
    for (const words of [pickled, jpeg]) {
      using pair = openPair();
      pair.far.put(words);
      const ended = async (): Promise<void> => {
        const sender = await open(pair, mode);
        await sender.ended.finally(() => sender.hangUp(""));
      };
      const ending = ended();
      // A peer like this has nothing more to say, and lets go.
      await pair.far.closeWrite();
      const error = await assertRejects(() => ending, ProtocolError, "as if it sent pictures");
      assertEquals(error.miss?.kind, "server-sends", mode);
    }
  }
});

test("a connection that is reset is a loss in every mode", async () => {
  for (const mode of ["plain", "call"] as const) {
    await using call = await openCall({ mode });
    call.near.reset();
    assertEquals(await loss(() => call.sender.ended), "reset", mode);
  }
});

test("call: a message of a kind that has no place there is refused, and an ack of another size", async () => {
  for (const kind of [0, 1, 2, 5, 255]) {
    await using call = await openCall();
    call.far.put(framed(Uint8Array.of(kind), "00 00 00 00 00 00 00"));
    await assertRejects(() => call.sender.ended, ProtocolError, `a message of kind ${kind}`);
  }
  for (const tail of ["", "00 00 00", "00 00 00 00 00 00 00 00"]) {
    await using call = await openCall();
    call.far.put(framed("03", tail));
    await assertRejects(() => call.sender.ended, ProtocolError, "an ack of");
  }
  await using silent = await openCall();
  silent.far.put(framed());
  await assertRejects(() => silent.sender.ended, ProtocolError);
  await using long = await openCall();
  long.far.put(length(65_537));
  await assertRejects(() => long.sender.ended, ProtocolError, "a message of 65537 bytes");
  assertEquals(long.near.largestRead, YES.length);
});

test("call: a server that acknowledges nothing is lost; where nothing is under way silence is none", async () => {
  using _clock = quickened(50);
  await using idle = await openCall();
  await using waiting = await openCall();
  waiting.sender.push(frame(0));
  assertEquals(await within(loss(() => waiting.sender.ended), 3000), "silence");
  assertFalse(idle.near.closed);
  idle.far.put(bye("here"));
  assertEquals(await idle.sender.ended, { reason: "here" });
});

test("plain: a server that takes nothing is lost; where nothing is written silence is none", async () => {
  using _clock = quickened(50);
  await using idle = await openCall({ mode: "plain" });
  await using waiting = await openCall({ mode: "plain", habits: { room: 10 } });
  waiting.sender.push(frame(0));
  assertEquals(await within(loss(() => waiting.sender.ended), 3000), "silence");
  assertFalse(idle.near.closed);
  await idle.far.closeWrite();
  assertEquals(await idle.sender.ended, { reason: "" });
});

test("call: a server that drips its answer is lost, as one that drips an ack", async () => {
  using _clock = quickened(50);
  using slow = openPair();
  slow.far.put(length(60_000));
  const dripping = setInterval(() => slow.far.put(new Uint8Array(600)), 250);
  assertEquals(await within(loss(() => open(slow)), 3000), "slow");
  clearInterval(dripping);

  // What is written keeps a connection from being silent; an ack has to end all the same.
  await using call = await openCall();
  call.far.put(ack(0).subarray(0, 12));
  const writing = setInterval(() => {
    call.sender.push(frame(0));
    call.far.put(new Uint8Array(0));
  }, 5);
  assertMatch(await within(loss(() => call.sender.ended), 3000) ?? "late", /silence|slow/);
  clearInterval(writing);
});

test("plain: a server that takes a frame byte by byte is lost", async () => {
  using _clock = quickened(50);
  await using call = await openCall({ mode: "plain", habits: { room: 10 } });
  const big = new Uint8Array(1_000_000);
  call.sender.push(frame(0, { data: big }));
  const taking = setInterval(() => void call.far.read(new Uint8Array(10)), 250);
  assertMatch(await within(loss(() => call.sender.ended), 5000) ?? "late", /silence|slow/);
  clearInterval(taking);
});

test("call: hanging up takes 15 s at most, whatever a peer still takes", async () => {
  using _clock = quickened(50);
  await using call = await openCall({ habits: { room: 4000 } });
  call.sender.push(frame(0, { data: new Uint8Array(10_000_000) }));
  const taking = setInterval(() => void call.far.read(new Uint8Array(4000)), 250);
  assertEquals(await within(call.sender.hangUp("enough").then(() => "done"), 5000), "done");
  clearInterval(taking);
});

test("call: hanging up says why between two messages, then ends the stream", async () => {
  await using call = await openCall();
  call.sender.push(frame(0));
  const first = call.sender.hangUp("camera gone");
  const second = call.sender.hangUp("again");
  assertEquals(await call.far.readRest(), concat([framed(video(0)), bye("camera gone")]));
  assertFalse(call.near.closed);
  await call.far.closeWrite();
  await Promise.all([first, second]);
  assertEquals(call.near.ends, ["closeWrite", "close"]);
});

test("plain: hanging up ends the stream after the frame that is being written", async () => {
  await using call = await openCall({ mode: "plain", habits: { room: 10 } });
  call.sender.push(frame(0));
  call.sender.push(frame(1));
  const hungUp = call.sender.hangUp("enough");
  call.near.makeRoom();
  assertEquals(await call.far.readRest(), framed(frame(0).data));
  await call.far.closeWrite();
  await hungUp;
});

test("call: hanging up in the middle of a frame finishes it; the bye comes behind it", async () => {
  await using call = await openCall();
  const before = call.near.writtenBytes;
  call.near.habits.room = 100;
  for (const sequence of [0, 1, 2, 3]) call.sender.push(frame(sequence));
  assertEquals(call.sender.sent, 3); // The last one waits, and is never sent.
  await call.near.written(before + 100);
  const hungUp = call.sender.hangUp("enough");
  call.far.put(ack(2)); // Now there would be room for it.
  await settled();
  assertEquals(call.near.writtenBytes, before + 100);
  call.near.makeRoom();
  assertEquals(
    await call.far.readRest(),
    concat([...[0, 1, 2].map((sequence) => framed(video(sequence))), bye("enough")]),
  );
  await call.far.closeWrite();
  await hungUp;
});

test("call: hanging up waits for a frame that a slow link has taken, and for those who still read it", async () => {
  await using call = await openCall();
  const before = call.near.writtenBytes;
  call.near.habits.room = 100;
  call.sender.push(frame(0));
  await call.near.written(before + 100);
  const hungUp = call.sender.hangUp("enough");
  // Longer than the other end is waited for where nothing is under way.
  for (const room of [200, 300]) {
    await pause(FAREWELL_MS * 0.8);
    assertFalse(call.near.closed);
    call.near.habits.room = room;
    call.near.makeRoom();
    call.near.habits.room = room;
  }
  call.near.makeRoom();
  assertEquals(await call.far.readRest(), concat([framed(video(0)), bye("enough")]));
  await pause(FAREWELL_MS * 1.3);
  assertFalse(call.near.closed);
  await call.far.closeWrite();
  await hungUp;
  assertEquals(call.near.ends, ["closeWrite", "close"]);
});

test(
  "call: hanging up in a frame that never leaves lets go in seconds, without a bye inside it",
  async () => {
    await using call = await openCall();
    const before = call.near.writtenBytes;
    call.near.habits.room = 100;
    call.sender.push(frame(0));
    await call.near.written(before + 100);
    const start = performance.now();
    await call.sender.hangUp("enough");
    assertLess(performance.now() - start, 2 * SILENCE_MS);
    assert(call.near.closed);
    assertEquals(await call.far.readRest(), framed(video(0)).subarray(0, 100));
  },
  { slow: true },
);

test("call: disposing of a sender hangs up", async () => {
  await using call = await openCall();
  const disposed = call.sender[Symbol.asyncDispose]();
  assertEquals(await call.far.readRest(), bye(""));
  await call.far.closeWrite();
  await disposed;
  assert(call.near.closed);
});

test("`ended` never settles when this end hangs up", async () => {
  for (const mode of ["plain", "call"] as const) {
    await using call = await openCall({ mode });
    let ended = false;
    const end = (): void => void (ended = true);
    call.sender.ended.then(end, end);
    const hungUp = call.sender.hangUp("enough");
    await call.far.readRest();
    await call.far.closeWrite();
    await hungUp;
    await settled();
    assertFalse(ended, mode);
  }
});

test("frames pushed after a hang-up or a loss are forgotten", async () => {
  await using hungUp = await openCall();
  const done = hungUp.sender.hangUp("enough");
  hungUp.sender.push(frame(0));
  assertEquals(await hungUp.far.readRest(), bye("enough"));
  await hungUp.far.closeWrite();
  await done;
  hungUp.sender.push(frame(1));
  assertEquals(hungUp.sender.sent, 0);

  await using lost = await openCall();
  lost.near.reset();
  await loss(() => lost.sender.ended);
  lost.sender.push(frame(0));
  assertEquals(lost.sender.sent, 0);
});

test("flush() resolves at once where nothing was pushed, or all has left, or the call is over", async () => {
  await using call = await openCall();
  await call.sender.flush();
  call.sender.push(frame(0));
  await call.near.written(8 + HELLO.length + VIDEO_BYTES);
  await call.sender.flush();
  call.near.reset();
  await loss(() => call.sender.ended);
  await call.sender.flush();
});

for (const mode of ["plain", "call"] as const) {
  test(`${mode}: flush() resolves when the frame that waited has left, and not before`, async () => {
    await using call = await openCall({ mode });
    const { far, near, sender } = call;
    const message = (sequence: number): Uint8Array =>
      mode === "call" ? video(sequence) : frame(sequence).data;
    near.habits.room = 10;
    sender.push(frame(0));
    sender.push(frame(1));
    let flushed = false;
    const flushing = sender.flush().then(() => flushed = true);
    near.habits.room = 400; // Less than a frame.
    assertEquals(await far.readMessage(), message(0));
    if (mode === "call") far.put(ack(0));
    // The second is under way, but it cannot leave yet.
    await settled();
    assertFalse(flushed);
    assertEquals(await far.readMessage(), message(1));
    await flushing;
    assertEquals(sender.sent, 2);
  });

  test(`${mode}: flush() waits for the frame that is being written`, async () => {
    await using call = await openCall({ mode });
    call.near.habits.room = 10;
    call.sender.push(frame(0));
    let flushed = false;
    const flushing = call.sender.flush().then(() => flushed = true);
    await settled();
    const early = flushed;
    assertEquals((await call.far.readMessage()).at(-1), 0);
    await flushing;
    assertFalse(early, "flushed before the frame had left");
  });
}

test("flush() resolves when the peer is lost", async () => {
  await using call = await openCall();
  call.sender.push(frame(0));
  call.sender.push(frame(1));
  const flushing = call.sender.flush();
  call.near.reset();
  await flushing;
  assertEquals(await loss(() => call.sender.ended), "reset");
});

/** What a server that sends these bytes makes of a call with three frames; throws what no server may cause. */
async function send(stream: Uint8Array, habits: Habits = {}): Promise<string> {
  using pair = openPair(habits);
  pair.far.put(stream);
  await pair.far.closeWrite();
  let sender: Sender | undefined;
  try {
    sender = await open(pair);
    for (const sequence of [0, 1, 2]) sender.push(frame(sequence));
    const { reason } = await sender.ended;
    assertLessOrEqual(reason.length, 200);
    assertFalse(/\p{Cc}/u.test(reason));
    return "bye";
  } catch (error) {
    if (error instanceof PeerLostError) return error.how;
    if (error instanceof RefusedError) return "refused";
    assertInstanceOf(error, ProtocolError);
    return "nonsense";
  } finally {
    await sender?.hangUp("");
    // With room for the length of what may follow.
    assertLessOrEqual(pair.near.largestRead, 65_536 + 8);
    assert(pair.near.closed);
  }
}

test("a whole call is had at every split point of what the server sends", async () => {
  const stream = concat([YES, ack(0), bye("fim")]);
  for (let split = 0; split <= stream.length; split++) {
    let first = true;
    const readBytes = (): number => {
      const most = first ? Math.max(split, 1) : Infinity;
      first = false;
      return most;
    };
    assertEquals(await send(stream, { readBytes }), "bye", `split at ${split}`);
  }
  assertEquals(await send(stream, { readBytes: () => 1 }), "bye");
});

test("no bytes of a server make the sending end do anything but end or lose the call", async () => {
  const random = new Random(20230818);
  const whole = concat([YES, ack(0), ack(0), bye("fim\u001b")]);
  const no = framed(helloWith('{"version":1,"accept":false,"reason":"busy"}'));
  const messages = [YES, no, ack(0), ack(1), ack(2), bye("x"), framed(), length(65_537)];
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 6000; round++) {
    let stream: Uint8Array = round % 7 === 6 ? no : whole;
    if (round % 10 === 9) stream = random.bytes(random.below(100));
    if (round % 10 === 8) {
      stream = concat([
        YES,
        ...Array.from({ length: 4 }, () => random.pick(messages)),
      ]);
    }
    for (let times = random.below(3); times > 0; times--) {
      const at = random.below(stream.length);
      const [before, after] = [stream.subarray(0, at), stream.subarray(at)];
      const some = random.below(12);
      stream = random.pick([
        (): Uint8Array => concat([before, random.bytes(1), after.subarray(1)]),
        (): Uint8Array => concat([before, random.bytes(some), after]),
        (): Uint8Array => concat([before, after.subarray(some)]),
        (): Uint8Array => before.slice(),
        (): Uint8Array => concat([before, random.pick(messages), after]),
      ])();
    }
    const outcome = await send(stream, {
      readBytes: () => random.next() < 0.5 ? 1 + random.below(8) : Infinity,
    });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  for (const outcome of ["bye", "nonsense", "cut", "no-bye", "refused"]) {
    assertGreater(outcomes.get(outcome) ?? 0, 5, outcome);
  }
});
