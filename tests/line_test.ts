/** A line against a peer made by hand, and against another line. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertRejects,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { pause, within } from "../lib/clock.ts";
import { PeerLostError, ProtocolError } from "../lib/errors.ts";
import { type Codec, maxFrameBytes, OPUS, PCM, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { type Again, CallLine, type Goodbye, type LineOptions } from "../lib/wire/line.ts";
import {
  decodeAck,
  decodeBye,
  decodeFrame,
  decodeRest,
  encodeAck,
  encodeBye,
  encodeFrameHeader,
  encodeRest,
  KIND,
  type Streams,
} from "../lib/wire/session.ts";
import { FAREWELL_MS, Wire, type WireOptions } from "../lib/wire/wire.ts";
import { bytes, framed, length, text } from "./bytes.ts";
import { type FakePair, type Habits, openPair } from "./fake_connection.ts";
import { FakeTime, quickened } from "./fake_time.ts";
import { until } from "./harness.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const H264: VideoFormat = { ...RAW, codec: "h264" };
const MOST = 100_000;

function picture(number: number): Frame {
  return {
    stream: 0,
    data: new Uint8Array(768).fill(number),
    captureUs: 1e15 + number * 50_000,
    sequence: number,
    keyframe: true,
  };
}

function unit(number: number, keyframe: boolean): Frame {
  return { ...picture(number), data: new Uint8Array([0, 0, 1, keyframe ? 0x65 : 0x41]), keyframe };
}

/** A line on one end of a connection in memory, and a wire for the peer's words on the other. */
class Rig implements AsyncDisposable {
  readonly line: CallLine;
  readonly told: string[] = [];
  #peer: Wire;
  readonly #wires: Wire[] = [];

  constructor(
    { ours = [RAW], theirs = [RAW], again = () => Promise.resolve(undefined) }: {
      ours?: Streams;
      theirs?: Streams;
      again?: Again;
    } = {},
  ) {
    const [near, far] = this.open();
    this.#peer = far;
    this.line = new CallLine(near, { ours, theirs: { name: "Ana", streams: theirs }, again });
    this.line.watch({
      onGone: ({ how }) => this.told.push(`gone: ${how}`),
      onBack: () => this.told.push("back"),
    });
  }

  /** The peer's end of the newest connection. */
  get peer(): Wire {
    return this.#peer;
  }

  /** Makes another connection. */
  open(): [Wire, Wire] {
    const pair = openPair();
    const quiet = { expecting: (): boolean => false };
    const [near, far] = [new Wire(pair.near, quiet), new Wire(pair.far, quiet)];
    this.#wires.push(near, far);
    return [near, this.#peer = far];
  }

  /** The next message that the peer hears, without rests. */
  async hear(): Promise<Uint8Array> {
    while (true) {
      const message = await this.#peer.readMessage(MOST);
      assert(message !== null, "the line has closed");
      if (message[0] !== KIND.rest) return message;
    }
  }

  /** The sequence of the next frame that the peer hears. The peer acknowledges it. */
  async hearFrame(): Promise<number> {
    while (true) {
      const message = await this.hear();
      if (message[0] !== KIND.frame) continue;
      const sequence = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
      await this.#peer.writeMessage(encodeAck(0, sequence));
      return sequence;
    }
  }

  async say(frame: Frame, stream = 0): Promise<void> {
    await this.#peer.writeMessage(encodeFrameHeader({ ...frame, stream }), frame.data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) wire.close();
    await this.line[Symbol.asyncDispose]();
  }
}

/** Iterates a line and collects the numbers of its frames. */
function collect(line: CallLine): { readonly numbers: number[]; readonly over: Promise<void> } {
  const numbers: number[] = [];
  const over = (async (): Promise<void> => {
    for await (const { sequence, lease } of line.frames()) {
      numbers.push(sequence);
      lease?.letGo();
    }
  })();
  return { numbers, over };
}

test("CallLine gives what the peer sends, acknowledges it, and ends with its goodbye", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  for (let number = 0; number < 3; number++) {
    await rig.say(picture(number));
    const { stream, sequence } = decodeAck(await rig.hear());
    assertEquals([stream, sequence], [0, number]);
  }
  await rig.peer.writeMessage(encodeBye("window closed"));
  assertEquals(await rig.line.ended, { reason: "window closed" });
  await got.over;
  assertEquals(got.numbers, [0, 1, 2]);
  assertEquals(rig.line.figures.received, 3);
});

test("CallLine sends what is pushed under numbers of its own, and says goodbye", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  for (let number = 40; number < 43; number++) {
    rig.line.push(picture(number));
    const message = await rig.hear();
    const decoded = decodeFrame(message, [RAW]);
    assertEquals(decoded, { ...picture(number), sequence: number - 40 });
    await rig.peer.writeMessage(encodeAck(0, number - 40));
  }
  const hangingUp = rig.line.hangUp("hung up");
  assertEquals(decodeBye(await rig.hear()), "hung up");
  rig.peer.close();
  await hangingUp;
  await got.over;
  assertEquals(rig.line.figures.sent, 3);
  assert(rig.line.figures.delayMs !== undefined);
});

test("two CallLines carry 200 pictures each way at once, each once and in order", async () => {
  using pair = openPair();
  const never: Again = () => Promise.resolve(undefined);
  const options = { ours: [RAW], theirs: { name: "", streams: [RAW] }, again: never };
  await using one = new CallLine(new Wire(pair.near), options);
  await using other = new CallLine(new Wire(pair.far), options);
  const [atOne, atOther] = [collect(one), collect(other)];
  for (let number = 0; number < 200; number++) {
    const before = { one: one.figures.sent, other: other.figures.sent };
    one.push(picture(number));
    other.push(picture(number));
    while (one.figures.sent === before.one || other.figures.sent === before.other) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  await Promise.all([one.flush(), other.flush()]);
  while (atOne.numbers.length < 200 || atOther.numbers.length < 200) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all([one.hangUp("hung up"), other.hangUp("hung up")]);
  await Promise.all([atOne.over, atOther.over]);
  const numbers = Array.from({ length: 200 }, (_, number) => number);
  assertEquals(atOne.numbers, numbers);
  assertEquals(atOther.numbers, numbers);
});

for (
  const [what, how, cut] of [
    ["reset", "reset", (rig: Rig): void => rig.peer.close()],
    ["ended without a goodbye", "no-bye", (rig: Rig): void => void rig.peer.finish(0)],
  ] as const
) {
  test(`CallLine goes on over another connection when the first is ${what}`, async () => {
    const lost: string[] = [];
    await using rig: Rig = new Rig({
      again: (error) => {
        lost.push(error.how);
        return Promise.resolve(rig.open()[0]);
      },
    });
    const got = collect(rig.line);
    for (let round = 0; round < 10; round++) {
      await rig.say(picture(round));
      rig.line.push(picture(round));
      assertEquals(await rig.hearFrame(), round);
      const before = rig.peer;
      // Unread bytes would make the end a reset.
      await new Promise((resolve) => setTimeout(resolve, 5));
      cut(rig);
      while (rig.peer === before) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await rig.say(picture(10));
    await rig.peer.writeMessage(encodeBye("hung up"));
    assertEquals(await rig.line.ended, { reason: "hung up" });
    await got.over;
    assertEquals(got.numbers, Array.from({ length: 11 }, (_, number) => number));
    assertEquals(lost.length, 10);
    assert(lost.every((one) => one === how || one === "reset"), lost.join());
    assertEquals(rig.told.filter((one) => one === "back").length, 10);
    assertEquals(rig.line.figures.waitingMs, undefined);
  });
}

test("CallLine counts what was under way when a connection was lost", async () => {
  await using rig: Rig = new Rig({ again: () => Promise.resolve(rig.open()[0]) });
  const got = collect(rig.line);
  await rig.say(picture(0));
  await rig.hear();
  const before = rig.peer;
  rig.peer.close();
  while (rig.peer === before) await new Promise((resolve) => setTimeout(resolve, 1));
  await rig.say(picture(5));
  await rig.hear();
  assertEquals(rig.line.figures.lost, 4);
  assertEquals(got.numbers, [0, 5]);
});

test("CallLine ends with the loss where there is no other connection", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  rig.peer.close();
  const error = await assertRejects(() => rig.line.ended, PeerLostError);
  assertEquals(error.how, "no-bye");
  await got.over;
});

test("CallLine ends with the goodbye that another connection brings", async () => {
  const goodbye: Goodbye = { reason: "hung up" };
  await using rig = new Rig({ again: () => Promise.resolve(goodbye) });
  const got = collect(rig.line);
  rig.peer.close();
  assertEquals(await rig.line.ended, goodbye);
  await got.over;
});

test("CallLine asks for another connection when nothing comes, and keeps the first if that revives", async () => {
  using _clock = quickened(20);
  const asked = Promise.withResolvers<AbortSignal>();
  await using rig = new Rig({
    again: (_, signal) => {
      asked.resolve(signal);
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    },
  });
  const got = collect(rig.line);
  const signal = await asked.promise;
  assertEquals(rig.told, ["gone: silence"]);
  assert(rig.line.figures.waitingMs !== undefined);
  await rig.say(picture(0));
  await until("the end of the search", () => signal.aborted || undefined);
  assertEquals(rig.told, ["gone: silence", "back"]);
  assertEquals(got.numbers, [0]);
});

test("CallLine goes on over the connection that the peer comes back with", async () => {
  await using rig = new Rig({
    again: (_, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined))),
  });
  const got = collect(rig.line);
  await rig.say(picture(0));
  await rig.hear();
  const [near] = rig.open();
  rig.line.resume(near);
  await rig.say(picture(1));
  await rig.hear();
  assertEquals(got.numbers, [0, 1]);
  assertEquals(rig.told, []);
});

test("CallLine does not wait for a stream that rests", async () => {
  using _clock = quickened(20);
  let asked = 0;
  await using rig = new Rig({
    ours: [],
    again: () => {
      asked++;
      return Promise.resolve(undefined);
    },
  });
  const got = collect(rig.line);
  await rig.peer.writeMessage(encodeRest(0, true));
  await pause(1000); // 20 s
  assertEquals(asked, 0);
  await rig.say(picture(0));
  await rig.hear();
  assertEquals(got.numbers, [0]);
});

test("CallLine says that its stream rests, and takes it up again", async () => {
  await using rig = new Rig({ theirs: [] });
  const got = collect(rig.line);
  const first = await rig.peer.readMessage(MOST);
  assertEquals(decodeRest(first!), { stream: 0, resting: true });
  rig.line.push(picture(0));
  const second = await rig.peer.readMessage(MOST);
  assertEquals(decodeRest(second!), { stream: 0, resting: false });
  const third = await rig.peer.readMessage(MOST);
  assertEquals(third?.[0], KIND.frame);
  await rig.peer.writeMessage(encodeBye(""));
  await got.over;
});

test("CallLine begins with a keyframe, and again after a loss", async () => {
  await using rig: Rig = new Rig({
    ours: [H264],
    again: () => Promise.resolve(rig.open()[0]),
  });
  collect(rig.line);
  rig.line.push(unit(0, false));
  rig.line.push(unit(1, true));
  assertEquals(await rig.hearFrame(), 0);
  const before = rig.peer;
  rig.peer.close();
  while (rig.peer === before) await new Promise((resolve) => setTimeout(resolve, 1));
  rig.line.push(unit(2, false));
  rig.line.push(unit(3, true));
  assertEquals(await rig.hearFrame(), 2);
  assertEquals(rig.line.figures.dropped, 1);
});

test("CallLine ignores streams of kinds that it does not know", async () => {
  await using rig = new Rig({ theirs: [undefined, RAW] });
  const got = collect(rig.line);
  assertEquals(rig.line.peer.format, RAW);
  await rig.say({ ...picture(0), data: new Uint8Array(960) }, 0);
  await rig.say(picture(7), 1);
  const ack = decodeAck(await rig.hear());
  assertEquals(ack, { stream: 1, sequence: 7 });
  assertEquals(got.numbers, [7]);
});

test("CallLine gives the first picture of a peer that sends two, and takes the other", async () => {
  await using rig = new Rig({ theirs: [H264, { ...RAW, width: 32 }] });
  const got = collect(rig.line);
  assertEquals(rig.line.peer.format, H264);
  await rig.say(unit(0, true), 0);
  assertEquals(decodeAck(await rig.hear()), { stream: 0, sequence: 0 });
  await rig.say({ ...picture(7), data: new Uint8Array(1536) }, 1);
  assertEquals(decodeAck(await rig.hear()), { stream: 1, sequence: 7 });
  await rig.say(unit(1, false), 0);
  assertEquals(decodeAck(await rig.hear()), { stream: 0, sequence: 1 });
  assertEquals(got.numbers, [0, 1]);
  assertEquals(rig.line.figures.received, 2);
});

test("CallLine tells everybody who waits for the last frames when they have left", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  rig.line.push(picture(0));
  let flushed = 0;
  const all = [rig.line.flush(), rig.line.flush()].map((one) => one.then(() => flushed++));
  assertEquals(await rig.hearFrame(), 0);
  await within(Promise.all(all), 5000);
  assertEquals(flushed, 2);
  assertEquals(got.numbers, []);
});

for (
  const [what, message] of [
    ["a frame of a stream that was not announced", [2, 1, 1, 0, ...new Array(780).fill(0)]],
    ["an ack of a stream that it does not send", [3, 0, 1, 0, 0, 0, 0, 0]],
    ["an ack of a frame that was never sent", [3, 0, 0, 0, 9, 0, 0, 0]],
    ["a rest of a stream that was not announced", [7, 1, 3, 0]],
    ["a rest that is too long", [7, 1, 0, 0, 0]],
    ["a second hello", [1, ...new TextEncoder().encode("CHAMADA1{}")]],
    ["a message of no kind", []],
    ["a message of a kind that there is not", [99]],
    ["a picture of another size", [2, 1, 0, 0, ...new Array(100).fill(0)]],
    ["a frame without a whole header", [2, 1, 0]],
  ] as const
) {
  test(`CallLine ends the call at ${what}`, async () => {
    await using rig = new Rig();
    const got = collect(rig.line);
    await rig.peer.writeMessage(new Uint8Array(message));
    await assertRejects(() => rig.line.ended, ProtocolError);
    await got.over;
  });
}

test("CallLine lets go of every frame that it was given, also while the network is gone", async () => {
  await using rig = new Rig({
    again: (_, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined))),
  });
  collect(rig.line);
  let held = 0;
  const lease = { hold: (): void => void held++, letGo: (): void => void held-- };
  const leased = { ...picture(0), lease: lease as unknown as NonNullable<Frame["lease"]> };
  rig.line.push(leased);
  await rig.hearFrame();
  rig.peer.close();
  for (let count = 0; count < 5; count++) rig.line.push(leased);
  await rig.line.hangUp("");
  assertEquals(held, 0);
});

/** A line on the near end of a connection. The test plays the far end to the byte. */
interface OpenLine extends FakePair, AsyncDisposable {
  readonly line: CallLine;
  /** The frames that it gave. */
  readonly frames: Frame[];
  /** Resolves when it gives no more. */
  readonly over: Promise<void>;
  /** The losses with which `again` was asked. */
  readonly lost: PeerLostError[];
  readonly wire: Wire;
}

/** Opens a line that comes back nowhere and keeps all its frames. */
function openLine(
  { ours = [], theirs = [], habits = {}, wire: wireOptions = {}, ...options }:
    & Partial<Omit<LineOptions, "theirs">>
    & { theirs?: Streams; habits?: Habits; wire?: WireOptions } = {},
): OpenLine {
  const pair = openPair(habits);
  const wire = new Wire(pair.near, wireOptions);
  const lost: PeerLostError[] = [];
  const line = new CallLine(wire, {
    ours,
    theirs: { name: "", streams: theirs },
    again: (error) => {
      lost.push(error);
      return Promise.resolve(undefined);
    },
    ...options,
  });
  const frames: Frame[] = [];
  const over = (async (): Promise<void> => {
    for await (const frame of line.frames()) frames.push(frame);
  })();
  return {
    ...pair,
    ...{ line, frames, over, lost, wire },
    async [Symbol.asyncDispose](): Promise<void> {
      pair.far[Symbol.dispose]();
      await line.hangUp("");
      await over;
    },
  };
}

/** A frame message as it stands on the wire. */
function frameMessage(frame: Frame, stream = 0): Uint8Array {
  return framed(encodeFrameHeader({ ...frame, stream }), frame.data);
}

function ack(sequence: number, stream = 0): Uint8Array {
  return framed("03 00", Uint8Array.of(stream), "00", Uint8Array.of(sequence), "00 00 00");
}

function bye(reason: string): Uint8Array {
  return framed("04", text(reason));
}

/** Bytes of a raw frame on the wire. */
const FRAME_BYTES = 8 + 16 + 768;

/** Waits until the near end has taken in all bytes on their way. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

/** Waits until a line has given so many frames. */
async function given({ frames }: OpenLine, count: number): Promise<void> {
  await until(`${count} frames`, () => frames.length >= count ? true : undefined);
}

/** The way in which a line lost its peer. */
async function lossOf({ line }: OpenLine): Promise<string> {
  return (await assertRejects(() => line.ended, PeerLostError)).how;
}

test("a frame that comes is what was sent, byte for byte, and each has its ack", async () => {
  await using open = openLine({ theirs: [RAW] });
  for (let number = 0; number < 10; number++) {
    open.far.put(frameMessage({ ...picture(number), captureUs: number }));
    assertEquals(framed(await open.far.readMessage()), ack(number));
    const { lease, ...frame } = open.frames[number]!;
    assert(lease, "raw frames lie in memory that is used again");
    assertEquals(frame, { ...picture(number), captureUs: number });
  }
  assertEquals(open.line.figures.receivedBytes, 10 * FRAME_BYTES);
});

test("the memory of a raw frame is used again when it is let go, and not before", async () => {
  using pair = openPair();
  await using line = new CallLine(new Wire(pair.near), {
    ours: [],
    theirs: { name: "", streams: [RAW] },
    again: () => Promise.resolve(undefined),
  });
  const memories = new Set<ArrayBufferLike>();
  const frames = line.frames()[Symbol.asyncIterator]();
  const next = async (number: number): Promise<Frame> => {
    pair.far.put(frameMessage(picture(number)));
    const { value } = await frames.next();
    memories.add(value!.data.buffer);
    return value!;
  };
  const held = [await next(0), await next(1), await next(2)];
  assertEquals(memories.size, 3);
  for (const [number, { data }] of held.entries()) assertEquals(data, picture(number).data);
  for (const { lease } of held) lease!.letGo();
  // A lease that is let go before the next frame comes gives its memory to that frame.
  for (let number = 3; number < 50; number++) (await next(number)).lease!.letGo();
  assertEquals(memories.size, 3);
  pair.far.put(bye(""));
  assert((await frames.next()).done);
});

test("acks, rests and torn frames take none of the memory of frames", async () => {
  await using open = openLine({ ours: [RAW], theirs: [RAW] });
  open.line.push(picture(0));
  for (let number = 0; number < 5; number++) {
    open.far.put(concat([ack(0), framed(encodeRest(0, true)), framed(encodeRest(0, false))]));
    open.far.put(frameMessage(picture(number)));
    await given(open, number + 1);
    open.frames[number]!.lease!.letGo();
  }
  assertLessOrEqual(new Set(open.frames.map(({ data }) => data.buffer)).size, 2);
});

test("frames of each codec are taken as they come, each of its own length", async () => {
  for (const [codec, beginning] of [["mjpeg", "ff d8 01"], ["h264", "00 00 01 65"]] as const) {
    await using open = openLine({ theirs: [{ ...RAW, codec }] });
    for (const [number, tail] of ["", "aa", "aa bb"].entries()) {
      const data = bytes(beginning, tail);
      open.far.put(frameMessage({ ...picture(number), data }));
      await given(open, number + 1);
      assertEquals(open.frames[number]!.data, data);
      assertEquals(open.frames[number]!.lease, undefined);
    }
  }
});

test("a frame is not acknowledged before somebody has taken the one before it", async () => {
  using pair = openPair();
  await using line = new CallLine(new Wire(pair.near), {
    ours: [],
    theirs: { name: "", streams: [RAW] },
    again: () => Promise.resolve(undefined),
  });
  const frames = line.frames()[Symbol.asyncIterator]();
  pair.far.put(frameMessage(picture(0)));
  pair.far.put(frameMessage(picture(1)));
  await frames.next();
  assertEquals(framed(await pair.far.readMessage()), ack(0));
  const before = pair.near.writtenBytes;
  await pause(20);
  assertEquals(pair.near.writtenBytes, before);
  await frames.next();
  assertEquals(framed(await pair.far.readMessage()), ack(1));
  await frames.return?.(undefined);
});

test("to a peer that reads no acks frames still come, and the newest ack is enough", async () => {
  await using open = openLine({ theirs: [RAW], habits: { room: 5 } }); // Less than an ack.
  open.far.put(frameMessage(picture(0)));
  await open.near.written(5);
  for (let number = 1; number < 100; number++) open.far.put(frameMessage(picture(number)));
  await given(open, 100);
  open.near.makeRoom();
  assertEquals(framed(await open.far.readMessage()), ack(0));
  assertEquals(framed(await open.far.readMessage()), ack(99));
});

test("frames that come faster than any camera are acknowledged a few at a time", async () => {
  await using open = openLine({ theirs: [{ ...RAW, fps: 120 }] });
  for (let number = 0; number < 200; number++) open.far.put(frameMessage(picture(number)));
  let acks = 0;
  let last = 0;
  for (; last !== 199; acks++) last = decodeAck(await open.far.readMessage()).sequence;
  assertLess(acks, 150);
});

test("acks of two streams do not take each other's place", async () => {
  await using open = openLine({ theirs: [RAW, RAW], habits: { room: 5 } });
  for (let number = 0; number < 10; number++) {
    open.far.put(frameMessage(picture(number), 0));
    open.far.put(frameMessage(picture(number + 20), 1));
  }
  await until(
    "all of them",
    () => open.line.figures.receivedBytes === 20 * FRAME_BYTES || undefined,
  );
  await settled();
  open.near.makeRoom();
  const seen = new Map<number, number>();
  while (seen.get(0) !== 9 || seen.get(1) !== 29) {
    const { stream, sequence } = decodeAck(await open.far.readMessage());
    seen.set(stream, sequence);
  }
});

test("h264 frames that need one that never came are not given, but acknowledged", async () => {
  await using open = openLine({ theirs: [H264] });
  for (const [number, keyframe] of [[0, true], [2, false], [3, false], [4, true]] as const) {
    open.far.put(frameMessage(unit(number, keyframe)));
  }
  while (decodeAck(await open.far.readMessage()).sequence !== 4);
  assertEquals(open.frames.map(({ sequence }) => sequence), [0, 4]);
  assertEquals(open.line.figures.lost, 3);
});

/** Puts such messages until the line ends. Resolves to the number that it took and to its words. */
async function flood(
  open: OpenLine,
  message: (number: number) => Uint8Array,
): Promise<{ readonly taken: number; readonly reason: string }> {
  // A slow machine would let more through.
  using _time = new FakeTime({ stands: true });
  const before = open.line.figures.receivedBytes;
  let [ended, put] = [false, 0];
  const end = open.line.ended.catch((error: unknown) => {
    ended = true;
    return error;
  });
  for (; !ended && put < 10_000; put++) {
    open.far.put(message(put));
    if (put % 50 === 49) await settled();
  }
  const error = await within(end, 5000);
  assert(error instanceof ProtocolError, `${put} were taken`);
  const taken = (open.line.figures.receivedBytes - before) / message(0).length;
  return { taken, reason: error.message };
}

const SMALLEST: Readonly<Record<Codec, Uint8Array>> = {
  raw: new Uint8Array(768),
  mjpeg: bytes("ff d8"),
  h264: bytes("00 00 01"),
};

for (const codec of ["raw", "mjpeg", "h264"] as const) {
  test(`a peer far above the rate that it announced is ended with a reason: ${codec}`, async () => {
    await using open = openLine({ theirs: [{ ...RAW, codec, fps: 30 }] });
    const data = SMALLEST[codec];
    const { taken, reason } = await flood(
      open,
      (number) => frameMessage({ ...picture(0), data, sequence: number }),
    );
    assertEquals(reason, "frames come faster than 120 a second");
    assertGreaterOrEqual(taken, 300);
  });
}

test("frames that nobody can show count as well", async () => {
  await using open = openLine({ theirs: [H264] });
  const { taken, reason } = await flood(open, (number) => frameMessage(unit(number, false)));
  assertEquals(reason, "frames come faster than 80 a second");
  assertGreaterOrEqual(taken, 200);
});

for (
  const [what, message] of [
    ["frames of a kind that is not known", (): Uint8Array => frameMessage(picture(0), 1)],
    ["acks", (): Uint8Array => ack(0)],
    ["rests", (number: number): Uint8Array => framed(encodeRest(0, number % 2 === 0))],
  ] as const
) {
  test(`${what} are bounded, too: they cost as much to read`, async () => {
    await using open = openLine({ ours: [RAW], theirs: [RAW, undefined] });
    open.line.push(picture(0));
    await settled();
    const { taken, reason } = await flood(open, message);
    assertEquals(reason, "messages come faster than 1000 a second");
    assertGreaterOrEqual(taken, 2500);
  });
}

test("a bye is a hang-up with its reason, fit to be shown, at every split point", async () => {
  const stream = concat([ack(0), frameMessage(picture(0)), bye("window closed\u0007")]);
  const splits = [...Array(stream.length + 1).keys()].filter((at) =>
    at < 60 || at > stream.length - 30
  );
  for (const split of splits) {
    await using open = openLine({ ours: [RAW], theirs: [RAW] });
    open.line.push(picture(0));
    await settled();
    open.far.put(stream.subarray(0, split));
    open.far.put(stream.subarray(split));
    assertEquals(await open.line.ended, { reason: "window closed " }, `split at ${split}`);
    assertEquals(open.frames.length, 1);
  }
});

test("a bye may be as long as a hello, however small or large the pictures, and no longer", async () => {
  for (const width of [16, 640]) {
    await using open = openLine({ theirs: [{ ...RAW, width, height: 480 }] });
    open.far.put(bye("x".repeat(65_535)));
    assertEquals(await open.line.ended, { reason: "x".repeat(200) });
    await using other = openLine({ theirs: [{ ...RAW, width, height: 480 }] });
    other.far.put(bye("x".repeat(65_536)));
    await assertRejects(() => other.line.ended, ProtocolError, "too long");
  }
});

test("the end without a bye is a loss, between two messages and inside one", async () => {
  for (const part of [0, 1, 7, 8, 9, 24, FRAME_BYTES - 1]) {
    await using open = openLine({ theirs: [RAW] });
    open.far.put(frameMessage(picture(0)));
    open.far.put(frameMessage(picture(1)).subarray(0, part));
    await open.far.closeWrite();
    assertEquals(await lossOf(open), part === 0 ? "no-bye" : "cut", `${part} bytes`);
    assertEquals(open.lost.length, 1, "asked for another connection");
    assertEquals(open.frames.length, 1);
  }
});

test("a message longer than any that was announced is refused before it is read", async () => {
  const large: VideoFormat = { ...H264, width: 640, height: 480 };
  for (
    const [theirs, most] of [[[], 65_536], [[RAW], 65_536], [
      [RAW, large],
      16 + maxFrameBytes(large),
    ]] as const
  ) {
    for (const wrong of [most + 1, 25_000_000, 2 ** 52]) {
      await using open = openLine({ theirs });
      open.far.put(length(wrong));
      await assertRejects(() => open.line.ended, ProtocolError, `a message of ${wrong} bytes`);
      assertLessOrEqual(open.near.largestRead, 16 + 768 + 8);
    }
  }
});

test("a peer that drips a frame is let go for good, and one that sends it slowly is not", async () => {
  using _clock = quickened(50);
  const large: VideoFormat = { ...RAW, width: 400, height: 400 };
  const frame = { ...picture(0), data: new Uint8Array(480_000) };
  const message = concat([frameMessage(frame), bye("whole")]);
  const run = async (pieceBytes: number): Promise<string> => {
    await using open = openLine({ theirs: [large] });
    let at = 0;
    const dripping = setInterval(() => {
      open.far.put(message.subarray(at, at += pieceBytes));
    }, 250);
    const end = await open.line.ended.then(({ reason }) => reason, ({ how }) => how);
    clearInterval(dripping);
    // Another connection is no cure.
    assertEquals(open.lost.length, 0);
    return end;
  };
  // 23.8 s are allowed. It would take 5 s, and 60 s.
  assertEquals(await within(run(24_000), 5000), "whole");
  assertEquals(await within(run(2000), 5000), "slow");
});

for (
  const [what, streams, talks, leastMs] of [
    ["once frames have come", { theirs: [RAW] }, true, 2000],
    ["before the first frame: a camera may be opened only now", { theirs: [RAW] }, false, 6500],
    ["before the first ack: the link may be slow", { ours: [RAW] }, false, 6500],
    ["before the first frame and the first ack", { ours: [RAW], theirs: [RAW] }, false, 6500],
    ["once there was an ack and the next is missing", { ours: [RAW] }, true, 2000],
  ] as const
) {
  test(`the network counts as gone after ${leastMs} ms of silence ${what}`, async () => {
    using _clock = quickened(50);
    const gone = Promise.withResolvers<number>();
    await using open: OpenLine = openLine({
      ...streams,
      again: () => {
        gone.resolve(open.wire.quietMs);
        return Promise.resolve(undefined);
      },
    });
    open.line.push(picture(0));
    await settled();
    if (talks) {
      open.far.put("theirs" in streams ? frameMessage(picture(0)) : ack(0));
      await settled();
      open.line.push(picture(1));
    }
    const quietMs = await within(gone.promise, 5000);
    assert(quietMs !== undefined, "gone");
    // The time between two looks is added to it.
    assertGreaterOrEqual(quietMs, leastMs);
    assertLess(quietMs, leastMs + 2000);
  });
}

test("where nothing ought to come, silence is no loss", async () => {
  using _clock = quickened(50);
  await using open = openLine({ ours: [RAW] });
  open.line.push(picture(0));
  await settled();
  open.far.put(ack(0));
  await pause(400); // 20 s
  assertEquals(open.lost, []);
  open.far.put(bye("here"));
  assertEquals(await open.line.ended, { reason: "here" });
});

test("before the first ack three frames go; the newest waits, the rest are counted", async () => {
  await using open = openLine({ ours: [RAW] });
  for (let number = 0; number < 6; number++) {
    open.line.push(picture(number));
    await settled();
  }
  assertEquals([open.line.figures.sent, open.line.figures.dropped], [3, 2]);
  assertEquals(open.near.writtenBytes, 3 * FRAME_BYTES);
  for (const number of [0, 1, 2]) {
    assertEquals(framed(await open.far.readMessage()), frameMessage(picture(number)));
  }
  open.far.put(ack(2));
  assertEquals(framed(await open.far.readMessage()), frameMessage(picture(5)));
  assertEquals([open.line.figures.sent, open.line.figures.dropped], [4, 2]);
});

test("each frame pushed in turn is on the wire byte for byte, however little a write takes", async () => {
  await using open = openLine({ ours: [RAW], habits: { writeBytes: () => 100 } });
  for (let number = 0; number < 3; number++) {
    open.line.push(picture(number));
    assertEquals(framed(await open.far.readMessage()), frameMessage(picture(number)));
    open.far.put(ack(number));
    await settled();
  }
  assertEquals(open.line.figures.sentBytes, 3 * FRAME_BYTES);
});

test("an ack that comes twice is no offence, nor one that comes for a connection that was lost", async () => {
  await using rig: Rig = new Rig({ again: () => Promise.resolve(rig.open()[0]) });
  const got = collect(rig.line);
  rig.line.push(picture(0));
  assertEquals(await rig.hearFrame(), 0);
  await rig.peer.writeMessage(encodeAck(0, 0));
  rig.line.push(picture(1));
  assertEquals((await rig.hear())[4], 1);
  const before = rig.peer;
  before.close();
  await until("another connection", () => rig.peer === before ? undefined : true);
  await rig.peer.writeMessage(encodeAck(0, 1));
  rig.line.push(picture(2));
  assertEquals(await rig.hearFrame(), 2);
  await rig.peer.writeMessage(encodeAck(0, 3));
  await assertRejects(() => rig.line.ended, ProtocolError, "an ack for frame 3");
  await got.over;
});

test("each frame is given or counted as lost where the peer comes back while the old connection gives", async () => {
  using first = openPair();
  using second = openPair();
  await using line = new CallLine(new Wire(first.near), {
    ours: [RAW],
    theirs: { name: "", streams: [RAW] },
    again: () => Promise.resolve(undefined),
  });
  const got = collect(line);
  first.far.put(frameMessage(picture(0)));
  assertEquals(framed(await first.far.readMessage()), ack(0));
  // The line has read it already when the peer comes back, but nobody has looked at it.
  first.far.put(frameMessage(picture(1)));
  for (let turns = 0; turns < 3; turns++) await Promise.resolve();
  line.resume(new Wire(second.near));
  second.far.put(frameMessage(picture(2)));
  assertEquals(framed(await second.far.readMessage()), ack(2));
  assert(first.near.closed);
  second.far.put(bye(""));
  await got.over;
  assertEquals(got.numbers[0], 0);
  assertEquals(got.numbers.at(-1), 2);
  assertEquals(got.numbers.length + line.figures.lost, 3);
});

test("hanging up says why between two messages, ends the stream and wakes whoever reads", async () => {
  await using open = openLine({ ours: [RAW], theirs: [RAW] });
  open.far.put(frameMessage(picture(0)));
  await given(open, 1);
  open.line.push(picture(0));
  const first = open.line.hangUp("camera gone");
  const second = open.line.hangUp("again");
  const heard = await open.far.readRest();
  const end = bye("camera gone");
  assertEquals(heard.subarray(-end.length), end);
  assertFalse(open.near.closed);
  await open.far.closeWrite();
  await Promise.all([first, second, open.over]);
  assertEquals(open.near.ends, ["closeWrite", "close"]);
});

test("hanging up in the middle of an ack puts no bye inside it", async () => {
  await using open = openLine({ theirs: [RAW], habits: { room: 5, writeBytes: () => 2 } });
  open.far.put(frameMessage(picture(0)));
  await open.near.written(5);
  const hungUp = open.line.hangUp("enough");
  open.near.makeRoom();
  assertEquals(await open.far.readRest(), concat([ack(0), bye("enough")]));
  await open.far.closeWrite();
  await hungUp;
});

test("hanging up in the middle of a frame finishes it; those that wait are not sent", async () => {
  await using open = openLine({ ours: [RAW], habits: { room: 100 } });
  open.line.push(picture(0));
  await open.near.written(100);
  open.line.push(picture(1));
  const hungUp = open.line.hangUp("enough");
  await settled();
  assertEquals(open.near.writtenBytes, 100);
  open.near.makeRoom();
  assertEquals(await open.far.readRest(), concat([frameMessage(picture(0)), bye("enough")]));
  await open.far.closeWrite();
  await hungUp;
});

test("hanging up waits for a frame that a slow link has taken, and for a peer that still reads it", async () => {
  await using open = openLine({ ours: [RAW], habits: { room: 100 } });
  open.line.push(picture(0));
  await open.near.written(100);
  const hungUp = open.line.hangUp("enough");
  // It takes longer than the wait for a peer without anything under way.
  for (const room of [200, 300]) {
    await pause(FAREWELL_MS * 0.8);
    assertFalse(open.near.closed);
    open.near.makeRoom();
    open.near.habits.room = room;
  }
  open.near.makeRoom();
  assertEquals(await open.far.readRest(), concat([frameMessage(picture(0)), bye("enough")]));
  await pause(FAREWELL_MS * 1.3);
  assertFalse(open.near.closed);
  await open.far.closeWrite();
  await hungUp;
  assertEquals(open.near.ends, ["closeWrite", "close"]);
});

test("hanging up in a frame that never leaves lets go in seconds, without a bye inside it", async () => {
  using _clock = quickened(50);
  await using open = openLine({ ours: [RAW], habits: { room: 100 } });
  open.line.push(picture(0));
  await open.near.written(100);
  assertEquals(await within(open.line.hangUp("enough").then(() => "done"), 5000), "done");
  assert(open.near.closed);
  assertEquals(await open.far.readRest(), frameMessage(picture(0)).subarray(0, 100));
});

test("hanging up ends, whatever the peer does not read", async () => {
  using _clock = quickened(50);
  await using open = openLine({ theirs: [RAW], habits: { room: 0 } });
  open.far.put(frameMessage(picture(0)));
  await given(open, 1);
  assertEquals(await within(open.line.hangUp("enough").then(() => "done"), 5000), "done");
  assert(open.near.closed);
});

test("hanging up takes 15 s at most, whatever a peer still takes", async () => {
  using _clock = quickened(50);
  const large: VideoFormat = { ...H264, width: 2000, height: 2000 };
  await using open = openLine({ ours: [large], habits: { room: 4000 } });
  open.line.push({ ...unit(0, true), data: new Uint8Array(10_000_000) });
  await open.near.written(4000);
  const taking = setInterval(() => void open.far.read(new Uint8Array(4000)), 250);
  assertEquals(await within(open.line.hangUp("enough").then(() => "done"), 5000), "done");
  clearInterval(taking);
});

test("hanging up while the network is gone is over at once", async () => {
  let stopped = false;
  const again: Again = (_, signal) =>
    new Promise((resolve) =>
      signal.addEventListener("abort", () => {
        stopped = true;
        resolve(undefined);
      })
    );
  await using open = openLine({ ours: [RAW], theirs: [RAW], again });
  open.far.close();
  await until("the loss", () => open.line.figures.waitingMs === undefined ? undefined : true);
  const startMs = performance.now();
  await open.line.hangUp("enough");
  await open.over;
  assertLess(performance.now() - startMs, FAREWELL_MS);
  assert(stopped);
});

test("a connection that comes when the call is over is let go", async () => {
  const late = Promise.withResolvers<Wire>();
  await using open = openLine({ theirs: [RAW], again: () => late.promise });
  open.far.close();
  await until("the loss", () => open.line.figures.waitingMs === undefined ? undefined : true);
  await open.line.hangUp("");
  using pair = openPair();
  late.resolve(new Wire(pair.near));
  await pair.near.whenClosed();
  using other = openPair();
  open.line.resume(new Wire(other.near));
  assert(other.near.closed);
});

test("disposing of a line hangs up", async () => {
  await using open = openLine({ ours: [RAW] });
  const disposed = open.line[Symbol.asyncDispose]();
  assertEquals(await open.far.readRest(), bye(""));
  await open.far.closeWrite();
  await disposed;
  assert(open.near.closed);
});

test("`ended` never settles when this end hangs up", async () => {
  for (const closes of [true, false]) {
    await using open = openLine({ ours: [RAW], theirs: [RAW] });
    let ended = false;
    const end = (): void => void (ended = true);
    open.line.ended.then(end, end);
    const hungUp = open.line.hangUp("enough");
    await open.far.readRest();
    if (closes) await open.far.closeWrite();
    else open.far.put(bye("as well"));
    open.far.close();
    await hungUp;
    await open.over;
    await settled();
    assertFalse(ended);
  }
});

test("frames pushed after a hang-up or a loss are forgotten", async () => {
  await using hungUp = openLine({ ours: [RAW] });
  const done = hungUp.line.hangUp("enough");
  hungUp.line.push(picture(0));
  assertEquals(await hungUp.far.readRest(), bye("enough"));
  await hungUp.far.closeWrite();
  await done;
  hungUp.line.push(picture(1));
  assertEquals(hungUp.line.figures.sent, 0);

  await using lost = openLine({ ours: [RAW] });
  lost.near.reset();
  assertEquals(await lossOf(lost), "reset");
  lost.line.push(picture(0));
  assertEquals(lost.line.figures.sent, 0);
});

test("flush() resolves at once where nothing was pushed, or all has left, or the call is over", async () => {
  await using open = openLine({ ours: [RAW] });
  await open.line.flush();
  open.line.push(picture(0));
  await open.near.written(FRAME_BYTES);
  await open.line.flush();
  open.near.reset();
  await lossOf(open);
  await open.line.flush();
});

test("flush() resolves when the frame that waited has left, and not before, however often it is asked", async () => {
  await using open = openLine({ ours: [RAW], habits: { room: 10 } });
  open.line.push(picture(0));
  await open.near.written(10);
  open.line.push(picture(1));
  let flushed = 0;
  const flushing = [1, 2, 3].map(() => open.line.flush().then(() => flushed++));
  open.near.habits.room = 400; // Less than a frame.
  assertEquals(framed(await open.far.readMessage()), frameMessage(picture(0)));
  open.far.put(ack(0));
  // The second is under way, but it cannot leave yet.
  await settled();
  assertEquals(flushed, 0);
  assertEquals(framed(await open.far.readMessage()), frameMessage(picture(1)));
  assertEquals(await within(Promise.all(flushing).then(() => "flushed"), 5000), "flushed");
  assertEquals(open.line.figures.sent, 2);
});

test("flush() resolves when the peer is lost", async () => {
  await using open = openLine({ ours: [RAW], habits: { room: 10 } });
  open.line.push(picture(0));
  open.line.push(picture(1));
  const flushing = open.line.flush();
  open.near.reset();
  assertEquals(await within(flushing.then(() => "flushed"), 5000), "flushed");
  assertEquals(await lossOf(open), "reset");
});

test("where clocks were compared, capture times are told by the server's and both ends know the delay", async () => {
  using time = new FakeTime();
  const nowUs = (): number => (performance.timeOrigin + performance.now()) * 1000;
  // The server's clock is a day ahead. A message takes 10 ms each way.
  const aheadUs = 86_400e6;
  await using open = openLine({
    ours: [RAW],
    theirs: [RAW],
    clocks: { aheadUs, roundTripUs: 20_000 },
  });
  const capturedUs = Math.round(nowUs());
  open.line.push({ ...picture(0), captureUs: capturedUs });
  const message = await open.far.readMessage();
  assertEquals(decodeFrame(message, [RAW])?.captureUs, capturedUs + aheadUs);
  time.forwardMs += 300;
  open.far.put(ack(0));
  await until("a delay", () => open.line.figures.delayMs);
  assertGreaterOrEqual(open.line.figures.delayMs!, 289);
  assertLess(open.line.figures.delayMs!, 2000);
  // The frames that come count more than those that go: this end sees them.
  const sentUs = nowUs() + aheadUs;
  time.forwardMs += 5000;
  open.far.put(frameMessage({ ...picture(0), captureUs: sentUs }));
  await given(open, 1);
  assertGreaterOrEqual(open.line.figures.delayMs!, 5000);
  assertLess(open.line.figures.delayMs!, 10_000);
});

test("a caller's first frame tells the round trip of the link, if it comes soon", async () => {
  const first = async (ms: number, message: Uint8Array, beginsAtOnce = true): Promise<CallLine> => {
    using time = new FakeTime({ stands: true });
    await using open = openLine({ ours: [RAW], theirs: [RAW], beginsAtOnce });
    time.forwardMs = ms;
    open.far.put(message);
    open.far.put(frameMessage(picture(0)));
    await given(open, 1);
    return open.line;
  };
  const frame = frameMessage(picture(0));
  assertEquals((await first(60, frame)).link.roundTripMs, 60);
  assertEquals((await first(160, frame)).link.roundTripMs, undefined, "its camera took its time");
  assertEquals((await first(60, framed(encodeRest(0, false)))).link.roundTripMs, undefined);
  assertEquals((await first(60, frame, false)).link.roundTripMs, undefined, "we have called");
});

test("the round trip of the link is that of the hello, or the quickest ack", async () => {
  using time = new FakeTime({ stands: true });
  const clocks = { aheadUs: 0, roundTripUs: 80_000 };
  await using open = openLine({ ours: [RAW], theirs: [RAW], clocks });
  assertEquals(open.line.link.roundTripMs, 80);
  open.line.push(picture(0));
  await open.far.readMessage();
  time.forwardMs = 30;
  open.far.put(ack(0));
  await until("the ack", () => open.line.link.delivery);
  assertEquals(open.line.link.roundTripMs, 30);
});

const SOUND_AND_PICTURE: Streams = [RAW, PCM];

/** 10 ms of sound, on the second stream. */
function sound(number: number): Frame {
  return { ...picture(number), stream: 1, data: new Uint8Array(960).fill(number) };
}

test("CallLine sends sound before a picture that was pushed first, and asks for no ack", async () => {
  await using rig = new Rig({ ours: SOUND_AND_PICTURE });
  const got = collect(rig.line);
  // Three pictures fill the window. What follows them waits for an ack.
  for (let number = 0; number < 4; number++) {
    rig.line.push(picture(number));
    if (number < 3) assertEquals((await rig.hear())[2], 0);
  }
  for (let number = 0; number < 3; number++) {
    rig.line.push(sound(number));
    const heard = decodeFrame(await rig.hear(), SOUND_AND_PICTURE);
    assertEquals([heard?.stream, heard?.sequence, heard?.data[0]], [1, number, number]);
  }
  rig.line.push(sound(3));
  await rig.peer.writeMessage(encodeAck(0, 2));
  const order = [await rig.hear(), await rig.hear()].map((message) => message[2]);
  assertEquals(order, [1, 0]);
  const { sent, sound: figures } = rig.line.figures;
  assertEquals([sent, figures.sent, figures.dropped], [4, 4, 0]);
  assertEquals(got.numbers, []);
});

test("CallLine gives sound and pictures by their streams, and acknowledges pictures only", async () => {
  await using rig = new Rig({ theirs: SOUND_AND_PICTURE });
  const got: (readonly [number, number, number])[] = [];
  const over = (async (): Promise<void> => {
    for await (const { stream, sequence, data, lease } of rig.line.frames()) {
      got.push([stream, sequence, data.length]);
      lease?.letGo();
    }
  })();
  for (let number = 0; number < 3; number++) await rig.say(sound(number), 1);
  await rig.say(picture(0));
  assertEquals(decodeAck(await rig.hear()), { stream: 0, sequence: 0 });
  assertEquals(got, [[1, 0, 960], [1, 1, 960], [1, 2, 960], [0, 0, 768]]);
  assertEquals(rig.line.figures.sound, { sent: 0, dropped: 0, received: 3, lost: 0 });
  await rig.peer.writeMessage(encodeBye(""));
  await over;
});

test("CallLine keeps sound that it has given as it was", async () => {
  await using rig = new Rig({ theirs: SOUND_AND_PICTURE });
  const sounds: Uint8Array[] = [];
  void (async (): Promise<void> => {
    for await (const { stream, data, lease } of rig.line.frames()) {
      if (stream === 1) sounds.push(data);
      lease?.letGo();
    }
  })();
  for (let number = 1; number <= 20; number++) {
    await rig.say(sound(number), 1);
    await rig.say(picture(number));
    await rig.hear();
  }
  assertEquals(
    sounds.map((data) => data[959]),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  // A short sound does not hold the room of a picture.
  for (const data of sounds) assertEquals(data.buffer.byteLength, 960);
});

test("CallLine ends a call whose peer acknowledges sound", async () => {
  await using rig = new Rig({ ours: SOUND_AND_PICTURE });
  const got = collect(rig.line);
  rig.line.push(sound(0));
  await rig.hear();
  await rig.peer.writeMessage(encodeAck(1, 0));
  await assertRejects(() => rig.line.ended, ProtocolError, "an ack for sound");
  await got.over;
});

test("CallLine tells at once that it was muted, and that its peer was", async () => {
  await using rig = new Rig({ ours: [RAW, PCM, OPUS], theirs: [RAW, PCM, OPUS] });
  const told: boolean[] = [];
  rig.line.watch({
    onGone: () => {},
    onBack: () => {},
    onMuted: (muted) => told.push(muted),
  });
  const got = collect(rig.line);
  rig.line.push(sound(0));
  await rig.hear();
  rig.line.rest(1);
  assertEquals(decodeRest((await rig.peer.readMessage(MOST))!), { stream: 1, resting: true });
  rig.line.push(sound(1));
  assertEquals(decodeFrame(await rig.hear(), [RAW, PCM])?.sequence, 1);
  assertEquals(decodeRest((await rig.peer.readMessage(MOST))!), { stream: 1, resting: false });
  // The peer is muted when nothing comes on any of its sound streams.
  const say = async (number: number, resting: boolean): Promise<void> => {
    await rig.peer.writeMessage(encodeRest(number, resting));
    await rig.say(picture(0));
    await until("the ack", async () => (await rig.hear())[0] === KIND.ack || undefined);
  };
  await say(2, true);
  assertEquals(told, []);
  await say(1, true);
  assertEquals(told, [true]);
  await rig.say({ ...sound(1), data: new Uint8Array(40) }, 2);
  await say(0, false);
  assertEquals(told, [true, false]);
  assertEquals(got.numbers.length, 4);
});

test("CallLine gives the same picture in another codec when the peer changes over", async () => {
  await using rig = new Rig({ ours: [RAW, H264], theirs: [RAW, H264] });
  const got: string[] = [];
  void (async (): Promise<void> => {
    for await (const { stream, sequence, lease } of rig.line.frames()) {
      got.push(`${stream}:${sequence}`);
      lease?.letGo();
    }
  })();
  const steps = [picture(0), picture(1), { ...unit(0, true), stream: 1 }, picture(2)];
  for (const frame of steps) {
    await rig.say(frame, frame.stream);
    await rig.hear();
  }
  assertEquals(got, ["0:0", "0:1", "1:0", "0:2"]);
  assertEquals(rig.line.figures.received, 4);
  // Our side begins each stream with a keyframe, also when it comes back to it.
  for (const [number, keyframe] of [[0, false], [1, true], [2, false]] as const) {
    rig.line.push({ ...unit(number, keyframe), stream: 1 });
  }
  const heard = [await rig.hear(), await rig.hear()].map((one) => decodeFrame(one, [RAW, H264])!);
  assertEquals(heard.map(({ keyframe, sequence }) => [keyframe, sequence]), [[true, 0], [
    false,
    1,
  ]]);
  rig.line.rest(1);
  rig.line.push({ ...unit(3, false), stream: 1 });
  rig.line.push({ ...unit(4, true), stream: 1 });
  const again = decodeFrame(await rig.hear(), [RAW, H264])!;
  assertEquals([again.keyframe, again.sequence], [true, 2]);
});
