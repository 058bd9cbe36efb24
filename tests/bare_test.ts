/**
 * Lines without a language, `plain` and `pickle`, in both directions, against bytes made by hand.
 */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { pause, within } from "../lib/clock.ts";
import { PeerLostError, ProtocolError, RefusedError } from "../lib/errors.ts";
import { DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { Lease } from "../lib/frame/pool.ts";
import { type BareMode, openSending } from "../lib/wire/bare.ts";
import type { Line } from "../lib/wire/line.ts";
import { type OfferOptions, readOffer } from "../lib/wire/offer.ts";
import { encodePickle } from "../lib/wire/pickle.ts";
import { FAREWELL_MS } from "../lib/wire/wire.ts";
import { bytes, framed, helloWith, length } from "./bytes.ts";
import { type FakePair, type Habits, openPair } from "./fake_connection.ts";
import { FakeTime, quickened } from "./fake_time.ts";
import { until } from "./harness.ts";
import { test } from "./strict.ts";

const SMALL: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const MODES = ["plain", "pickle"] as const;

/** The one size of `plain`, and a small one of `pickle`. */
const FORMATS: Readonly<Record<BareMode, VideoFormat>> = { plain: DEFAULT_FORMAT, pickle: SMALL };

/** The data of a picture: its number in every byte. */
function picture(number: number, { width, height }: VideoFormat = SMALL): Uint8Array {
  return new Uint8Array(width * height * 3).fill(number % 256);
}

function frame(number: number, data: Uint8Array = picture(number)): Frame {
  return { stream: 0, data, captureUs: number, sequence: number, keyframe: true };
}

/** A message as it stands on the wire. */
function message(mode: BareMode, number: number, format = FORMATS[mode]): Uint8Array {
  const data = picture(number, format);
  if (mode === "plain") return framed(data);
  const { before, after } = encodePickle(format);
  return framed(before, data, after);
}

interface OpenLine extends FakePair, AsyncDisposable {
  readonly line: Line;
  readonly frames: Frame[];
  /** Resolves when it gives no more. */
  readonly over: Promise<void>;
}

/** Iterates a line on the near end and keeps its frames. */
function iterate(pair: FakePair, line: Line): OpenLine {
  const frames: Frame[] = [];
  const over = (async (): Promise<void> => {
    for await (const frame of line.frames()) frames.push(frame);
  })();
  return {
    ...pair,
    ...{ line, frames, over },
    async [Symbol.asyncDispose](): Promise<void> {
      pair.far[Symbol.dispose]();
      await line.hangUp("");
      await over;
    },
  };
}

/** A line from a caller without words. Its first picture has the number 0. */
async function receiving(mode: BareMode, options: OfferOptions = {}): Promise<OpenLine> {
  const pair = openPair();
  pair.far.put(message(mode, 0));
  const offer = await readOffer(pair.near, 20, options);
  assertEquals(offer?.mode, mode);
  const never = (): Promise<undefined> => Promise.resolve(undefined);
  return iterate(pair, await offer!.accept({ name: "", streams: [] }, "", never));
}

/** A line to a server without words. */
function sending(mode: BareMode, { format = SMALL, habits = {} }: {
  format?: VideoFormat;
  habits?: Habits;
} = {}): OpenLine {
  const pair = openPair(habits);
  return iterate(pair, openSending(pair.near, mode, format));
}

/** Waits until a line has given so many frames. */
async function given({ frames }: OpenLine, count: number): Promise<void> {
  await until(`${count} frames`, () => frames.length >= count ? true : undefined);
}

/** The way in which a line lost its peer. */
async function lossOf({ line }: OpenLine): Promise<string> {
  return (await assertRejects(() => line.ended, PeerLostError)).how;
}

/** Waits until the near end has taken in all bytes on their way. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

for (const mode of MODES) {
  const format = FORMATS[mode];

  test(`${mode}: each message is a frame, numbered from 0, stamped on arrival, at the rate handed in`, async () => {
    await using open = await receiving(mode);
    assertEquals(open.line.peer, {
      name: "",
      streams: [format],
      format,
      sound: undefined,
      stamps: "arrival",
    });
    for (let number = 1; number < 4; number++) open.far.put(message(mode, number));
    await open.far.closeWrite();
    assertEquals(await open.line.ended, { reason: "" });
    await open.over;
    let lastUs = 0;
    for (const [number, frame] of open.frames.entries()) {
      assertEquals(frame.data, picture(number, format));
      assertEquals([frame.sequence, frame.keyframe], [number, true]);
      assertGreaterOrEqual(frame.captureUs, lastUs);
      lastUs = frame.captureUs;
    }
    const { received, lost, receivedBytes, sent } = open.line.figures;
    assertEquals([received, lost, sent], [4, 0, 0]);
    assertEquals(receivedBytes, 4 * message(mode, 0).length);
    // The peer is told nothing, whatever is pushed.
    open.line.push(frame(0));
    assertEquals(open.near.writtenBytes, 0);
  });

  test(`${mode}: frames are read whole wherever the stream is split`, async () => {
    const stream = concat([message(mode, 1), message(mode, 2)]);
    const around = (at: number): number[] => [...Array(17).keys()].map((index) => at - 8 + index);
    const splits = [...around(8), ...around(stream.length / 2), ...around(stream.length - 8)];
    for (const split of splits) {
      using pair = openPair();
      pair.far.put(stream.subarray(0, split));
      pair.far.put(stream.subarray(split));
      await pair.far.closeWrite();
      const offer = await readOffer(pair.near, 20);
      const never = (): Promise<undefined> => Promise.resolve(undefined);
      const line = await offer!.accept({ name: "", streams: [] }, "", never);
      const numbers: number[] = [];
      for await (const { data, lease } of line.frames()) {
        assertEquals(data, picture(data[0]!, format), `split at ${split}`);
        numbers.push(data[0]!);
        lease?.letGo();
      }
      assertEquals(numbers, [1, 2], `split at ${split}`);
      assertEquals(await line.ended, { reason: "" });
      await line.hangUp("");
    }
  });

  test(`${mode}: the end of the stream inside a frame is a loss, as is a reset`, async () => {
    for (const part of [1, 7, 8, 9, message(mode, 0).length - 1]) {
      await using open = await receiving(mode);
      open.far.put(message(mode, 1).subarray(0, part));
      await open.far.closeWrite();
      assertEquals(await lossOf(open), "cut", `${part} bytes`);
      assertEquals(open.frames.length, 1);
    }
    await using torn = await receiving(mode);
    await given(torn, 1);
    torn.near.reset();
    assertEquals(await lossOf(torn), "reset");
  });

  test(`${mode}: a caller that falls silent is a loss`, async () => {
    await using open = await receiving(mode, { silenceMs: 500 });
    assertEquals(await within(lossOf(open), 20_000), "silence");
  });

  test(`${mode}: a caller that drips a frame is let go`, async () => {
    using _clock = quickened(50);
    await using open = await receiving(mode);
    open.far.put(message(mode, 1).subarray(0, 100));
    const dripping = setInterval(() => open.far.put(new Uint8Array(1)), 250);
    assertMatch(await within(lossOf(open), 20_000) ?? "late", /silence|slow/);
    clearInterval(dripping);
  });

  test(`${mode}: frames that no camera makes are ended with a reason`, async () => {
    using _time = new FakeTime({ stands: true });
    await using open = await receiving(mode);
    await given(open, 1);
    let ended = false;
    const end = open.line.ended.catch((error: unknown) => {
      ended = true;
      return error;
    });
    const next = message(mode, 1);
    for (let count = 0; !ended && count < 10_000; count++) {
      open.far.put(next);
      if (count % 10 === 9) await settled();
      for (const { lease } of open.frames.splice(0)) lease?.letGo();
    }
    const error = await within(end, 5000);
    assertInstanceOf(error, ProtocolError);
    assertEquals(error.message, "frames come faster than 1000 a second");
    assertEquals(open.line.figures.received, 2500);
  });

  test(`${mode}: hanging up on a caller says nothing, ends the stream and wakes whoever reads`, async () => {
    await using open = await receiving(mode);
    await given(open, 1);
    const hungUp = [open.line.hangUp("enough"), open.line.hangUp("again")];
    assertEquals(await open.far.readRest(), bytes());
    assertFalse(open.near.closed);
    await open.far.closeWrite();
    await Promise.all(hungUp);
    await open.over;
    assertEquals(open.near.ends, ["closeWrite", "close"]);
  });

  test(`${mode}: frames are put on the wire with their length and what the mode wants around them`, async () => {
    await using open = sending(mode);
    for (let number = 0; number < 3; number++) {
      open.line.push(frame(number));
      const whole = message(mode, number, SMALL);
      assertEquals(await open.far.readExactly(whole.length), whole);
      await settled();
    }
    const { sent, dropped, sentBytes, delayMs } = open.line.figures;
    assertEquals([sent, dropped, delayMs], [3, 0, undefined]);
    assertEquals(sentBytes, 3 * message(mode, 0, SMALL).length);
    assertEquals(open.line.peer.format, undefined);
  });

  test(`${mode}: a frame that finds the link busy waits, and the newest takes its place`, async () => {
    await using open = sending(mode, { habits: { room: 10 } });
    for (let number = 0; number < 4; number++) open.line.push(frame(number));
    assertEquals([open.line.figures.sent, open.line.figures.dropped], [1, 2]);
    open.near.makeRoom();
    assertEquals(framed(await open.far.readMessage()), message(mode, 0, SMALL));
    assertEquals(framed(await open.far.readMessage()), message(mode, 3, SMALL));
    assertEquals([open.line.figures.sent, open.line.figures.dropped], [2, 2]);
  });

  test(`${mode}: the end of the stream is a server's hang-up, and a reset a loss`, async () => {
    await using ended = sending(mode);
    await ended.far.closeWrite();
    assertEquals(await ended.line.ended, { reason: "" });
    await using torn = sending(mode);
    torn.near.reset();
    assertEquals(await lossOf(torn), "reset");
  });

  test(`${mode}: words of a server are nonsense, but a refusal is told as what it is`, async () => {
    const yes = framed(helloWith('{"version":2,"accept":true}'));
    for (const words of [framed("03 00 00 00 00 00 00 00"), framed("04"), framed()]) {
      await using open = sending(mode);
      open.far.put(words);
      await assertRejects(() => open.line.ended, ProtocolError, "has spoken");
    }
    await using taken = sending(mode);
    taken.far.put(yes);
    await assertRejects(() => taken.line.ended, ProtocolError);
    await using refused = sending(mode);
    refused.far.put(framed(helloWith('{"version":7,"accept":false,"reason":"busy"}')));
    await assertRejects(() => refused.line.ended, RefusedError, "busy");
  });

  test(`${mode}: a server that sends pictures itself is told from others`, async () => {
    const pickled = framed("80 04 95", new Uint8Array(230_561));
    const jpeg = framed("ff d8 ff e0", new Uint8Array(5000));
    for (const words of [pickled, jpeg]) {
      await using open = sending(mode);
      open.far.put(words);
      const error = await assertRejects(
        () => open.line.ended,
        ProtocolError,
        "as if it sent pictures",
      );
      assertEquals(error.miss?.kind, "server-sends");
      assertLessOrEqual(open.near.largestRead, 65_536 + 8);
    }
  });

  test(`${mode}: a server that takes nothing is lost; where nothing is written silence is none`, async () => {
    using _clock = quickened(50);
    await using idle = sending(mode);
    await using waiting = sending(mode, { habits: { room: 10 } });
    waiting.line.push(frame(0));
    assertEquals(await within(lossOf(waiting), 20_000), "silence");
    assertFalse(idle.near.closed);
    await idle.far.closeWrite();
    assertEquals(await idle.line.ended, { reason: "" });
  });

  test(`${mode}: a server that takes a frame byte by byte is lost`, async () => {
    using _clock = quickened(50);
    await using open = sending(mode, { habits: { room: 10 } });
    open.line.push(frame(0, new Uint8Array(1_000_000)));
    const taking = setInterval(() => {
      if (!open.far.closed) open.far.read(new Uint8Array(10)).catch(() => {});
    }, 250);
    assertMatch(await within(lossOf(open), 20_000) ?? "late", /silence|slow/);
    clearInterval(taking);
  });

  test(`${mode}: hanging up takes 15 s at most, whatever a server still takes`, async () => {
    using _clock = quickened(50);
    await using open = sending(mode, { habits: { room: 4000 } });
    open.line.push(frame(0, new Uint8Array(10_000_000)));
    const taking = setInterval(() => {
      if (!open.far.closed) open.far.read(new Uint8Array(4000)).catch(() => {});
    }, 250);
    const startMs = performance.now();
    await within(open.line.hangUp("enough"), 20_000);
    clearInterval(taking);
    assert(open.near.closed);
    // A fiftieth of 15 s is 0.3 s. The message itself would be bounded by 102 s.
    assertLess(performance.now() - startMs, 1800);
  });

  test(`${mode}: hanging up ends the stream after the frame that is being written`, async () => {
    await using open = sending(mode, { habits: { room: 10 } });
    open.line.push(frame(0));
    open.line.push(frame(1));
    const hungUp = open.line.hangUp("enough");
    open.near.makeRoom();
    assertEquals(await open.far.readRest(), message(mode, 0, SMALL));
    // The bytes that the system still holds arrive in their own time.
    await pause(FAREWELL_MS * 1.3);
    assertFalse(open.near.closed);
    await open.far.closeWrite();
    await hungUp;
  });

  test(`${mode}: frames pushed after a hang-up or a loss are forgotten and let go`, async () => {
    let held = 0;
    const leased = (): Frame => {
      held++;
      const lease = new Lease(() => void held--);
      return { ...frame(0), lease };
    };
    const push = (open: OpenLine): void => {
      const frame = leased();
      open.line.push(frame);
      frame.lease!.letGo();
    };
    await using hungUp = sending(mode);
    const done = hungUp.line.hangUp("enough");
    push(hungUp);
    assertEquals(await hungUp.far.readRest(), bytes());
    await hungUp.far.closeWrite();
    await done;
    push(hungUp);
    await using lost = sending(mode, { habits: { room: 10 } });
    push(lost);
    push(lost);
    lost.near.reset();
    await lossOf(lost);
    await lost.over;
    push(lost);
    await settled();
    assertEquals([hungUp.line.figures.sent, lost.line.figures.sent, held], [0, 1, 0]);
  });

  test(`${mode}: flush() resolves when the frame that waited has left, and not before`, async () => {
    await using open = sending(mode, { habits: { room: 10 } });
    await open.line.flush();
    open.line.push(frame(0));
    open.line.push(frame(1));
    let flushed = false;
    const flushing = open.line.flush().then(() => flushed = true);
    open.near.habits.room = 400; // Less than a frame.
    assertEquals(framed(await open.far.readMessage()), message(mode, 0, SMALL));
    await settled();
    assertFalse(flushed);
    assertEquals(framed(await open.far.readMessage()), message(mode, 1, SMALL));
    await flushing;
    assertEquals(open.line.figures.sent, 2);
  });

  test(`${mode}: flush() resolves when the server is lost`, async () => {
    await using open = sending(mode, { habits: { room: 10 } });
    open.line.push(frame(0));
    const flushing = open.line.flush();
    open.near.reset();
    assertEquals(await within(flushing.then(() => "flushed"), 5000), "flushed");
    assertEquals(await lossOf(open), "reset");
  });

  test(`${mode}: \`ended\` never settles when this end hangs up`, async () => {
    for (const open of [sending(mode), await receiving(mode)]) {
      await using line = open;
      let ended = false;
      const end = (): void => void (ended = true);
      line.line.ended.then(end, end);
      const hungUp = line.line.hangUp("enough");
      await line.far.readRest();
      await line.far.closeWrite();
      await hungUp;
      await line.over;
      await settled();
      assertFalse(ended);
    }
  });
}

test("plain: a later message of any other length is refused before it is read", async () => {
  const plainBytes = 230_400;
  for (const wrong of [0, 1, plainBytes - 1, plainBytes + 1, 2 ** 52]) {
    await using open = await receiving("plain");
    open.far.put(length(wrong));
    await assertRejects(
      () => open.line.ended,
      ProtocolError,
      `a message of ${wrong} bytes is not a frame of 230400`,
    );
    assertEquals(open.near.largestRead, plainBytes);
  }
});

test("plain: the memory of a frame is used again when it is let go", async () => {
  await using open = await receiving("plain");
  await given(open, 1);
  const memories = new Set<ArrayBufferLike>();
  for (let number = 1; number < 10; number++) {
    open.far.put(message("plain", number));
    await given(open, number + 1);
    const { data, lease } = open.frames[number]!;
    assertEquals(data, picture(number, DEFAULT_FORMAT));
    memories.add(data.buffer);
    lease!.letGo();
  }
  assertLessOrEqual(memories.size, 2);
});

test("pickle: a picture of another size ends the call, as does what is no picture", async () => {
  await using other = await receiving("pickle");
  other.far.put(message("pickle", 1, { ...SMALL, width: 32 }));
  await assertRejects(
    () => other.line.ended,
    ProtocolError,
    "the size changed from 16x16 to 32x16",
  );
  for (const wrong of [framed(), framed("00"), framed("80 05 2e"), length(6_224_897)]) {
    await using open = await receiving("pickle");
    open.far.put(wrong);
    await assertRejects(() => open.line.ended, ProtocolError);
    assertLess(open.near.largestRead, 10_000);
  }
});
