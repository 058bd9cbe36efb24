/** One stream of a call at its two ends, without any connection. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { nowUs } from "../lib/clock.ts";
import { ProtocolError } from "../lib/errors.ts";
import type { VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { Lease } from "../lib/frame/pool.ts";
import { ReceiveStream, SendStream } from "../lib/wire/stream.ts";
import { FakeTime } from "./fake_time.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const H264: VideoFormat = { ...RAW, codec: "h264" };

function frame(sequence: number, parts: Partial<Frame> = {}): Frame {
  return {
    stream: 0,
    data: new Uint8Array(768),
    captureUs: sequence,
    sequence,
    keyframe: true,
    ...parts,
  };
}

/** The sequences of the frames that may go now. */
function takeAll(stream: SendStream): number[] {
  const numbers: number[] = [];
  for (let next = stream.take(); next; next = stream.take()) numbers.push(next.sequence);
  return numbers;
}

/** The sequences of the frames that can be shown, of those that come. */
function shown(
  stream: ReceiveStream,
  frames: readonly (readonly [number, boolean])[],
): readonly number[] {
  return frames
    .filter(([sequence, keyframe]) => stream.take(frame(sequence, { keyframe })))
    .map(([sequence]) => sequence);
}

test("SendStream numbers its frames from 0, whatever numbers they had", () => {
  const stream = new SendStream(RAW);
  for (const number of [40, 7, 7]) {
    stream.push(frame(number));
    assertEquals(stream.take()?.captureUs, number);
  }
  assertEquals([stream.sent, stream.dropped], [3, 0]);
  assertEquals(stream.take(), undefined);
});

test("SendStream keeps the newest frame only, and numbers those that it drops", () => {
  const stream = new SendStream(RAW);
  for (let number = 0; number < 5; number++) stream.push(frame(number));
  assert(stream.isBusy);
  assertEquals(takeAll(stream), [4]);
  assertFalse(stream.isBusy);
  assertEquals([stream.sent, stream.dropped], [1, 4]);
});

test("SendStream keeps 0.4 s of frames that need each other, then drops all up to a keyframe", () => {
  const stream = new SendStream(H264);
  for (let number = 0; number < 8; number++) stream.push(frame(number, { keyframe: number === 0 }));
  assertEquals(takeAll(stream), [0, 1, 2], "before the first ack three may go");
  for (let number = 8; number < 12; number++) stream.push(frame(number, { keyframe: false }));
  assertEquals(stream.dropped, 9, "3 to 11: a ninth had no room, and none after it is of use");
  assertFalse(stream.isBusy);
  stream.push(frame(12));
  stream.push(frame(13, { keyframe: false }));
  stream.acknowledged(2);
  assertEquals(takeAll(stream), [12, 13]);
});

test("SendStream begins with a keyframe: what a camera is in the middle of is no frame of this call", () => {
  const stream = new SendStream(H264);
  for (const [number, keyframe] of [[5, false], [6, false], [7, true], [8, false]] as const) {
    stream.push(frame(number, { keyframe }));
  }
  assertEquals(takeAll(stream), [0, 1]);
  assertEquals(stream.dropped, 0);
});

test("SendStream lets three frames go before the first ack, and then what the link carries", () => {
  const stream = new SendStream(RAW);
  for (let number = 0; number < 3; number++) {
    stream.push(frame(number));
    assert(stream.take());
  }
  stream.push(frame(3));
  assertEquals(stream.take(), undefined);
  assertEquals(stream.drainMs, undefined);
  assert(stream.isExpecting);
  stream.acknowledged(2);
  assertFalse(stream.isExpecting);
  assertEquals(stream.drainMs, 0);
  assertEquals(stream.take()?.sequence, 3);
  assertGreater(stream.drainMs!, 0);
});

test("SendStream takes an ack twice, and none of a frame that was never sent", () => {
  const stream = new SendStream(RAW);
  stream.push(frame(0));
  stream.push(frame(1));
  assertEquals(takeAll(stream), [1]);
  stream.acknowledged(1);
  stream.acknowledged(1);
  stream.acknowledged(0);
  assertThrows(() => stream.acknowledged(2), ProtocolError, "an ack for frame 2");
});

test("SendStream measures the delay from capture to ack, less half of the round trip", () => {
  using time = new FakeTime();
  const stream = new SendStream(RAW);
  stream.push(frame(0, { captureUs: nowUs() }));
  assert(stream.take());
  assertEquals(stream.delayMs, undefined);
  time.forwardMs += 1000;
  stream.acknowledged(0);
  assertGreaterOrEqual(stream.delayMs!, 1000);
  assertLessOrEqual(stream.delayMs!, 1500);

  const compared = new SendStream(RAW, { roundTripUs: 400_000 });
  compared.push(frame(0, { captureUs: nowUs() }));
  time.forwardMs += 1000; // It waits before it goes.
  assert(compared.take());
  time.forwardMs += 1000;
  compared.acknowledged(0);
  assertGreaterOrEqual(compared.delayMs!, 1800);
  assertLessOrEqual(compared.delayMs!, 2300);
  // An ack that is back sooner shows that the way takes less.
  time.forwardMs += 1e6;
  compared.push(frame(1, { captureUs: nowUs() - 500_000 }));
  assert(compared.take());
  compared.acknowledged(1);
  assertGreaterOrEqual(compared.delayMs!, 450);
  assertLessOrEqual(compared.delayMs!, 900);
});

test("SendStream measures nothing of a frame whose ack was lost with the connection", () => {
  using time = new FakeTime();
  const stream = new SendStream(RAW);
  stream.push(frame(0, { captureUs: nowUs() }));
  assert(stream.take());
  stream.restart();
  time.forwardMs += 60_000;
  stream.acknowledged(0);
  assertEquals(stream.delayMs, undefined);
});

test("SendStream goes on with its numbers when the connection was lost, and begins with a keyframe", () => {
  const stream = new SendStream(H264);
  stream.push(frame(0));
  assertEquals(takeAll(stream), [0]);
  stream.push(frame(1, { keyframe: false }));
  stream.restart();
  assertEquals([stream.isExpecting, stream.isBusy, stream.dropped], [false, false, 1]);
  stream.push(frame(2, { keyframe: false }));
  stream.push(frame(3));
  assertEquals(takeAll(stream), [3]);
  assertEquals([stream.sent, stream.dropped], [2, 2]);
  stream.push(frame(4));
  stream.restart();
  assertEquals(takeAll(stream), [4], "a keyframe that waits need not be waited for");
  stream.acknowledged(0); // The peer had taken it before.
  stream.acknowledged(3);
  stream.acknowledged(4);
  assertThrows(() => stream.acknowledged(5), ProtocolError);
});

test("SendStream says once that it rests, and once that it goes on", () => {
  using time = new FakeTime();
  const stream = new SendStream(RAW);
  assertEquals(stream.takeRest(), undefined);
  time.forwardMs += 1000;
  assertEquals([stream.takeRest(), stream.takeRest()], [true, undefined]);
  stream.push(frame(0));
  assertEquals([stream.takeRest(), stream.takeRest()], [false, undefined]);
  // A camera does not rest because the link takes nothing.
  for (let number = 0; number < 10; number++) {
    time.forwardMs += 900;
    stream.push(frame(number));
    assertEquals(stream.takeRest(), undefined);
  }
  // On another connection nothing has been said.
  time.forwardMs += 1000;
  assertEquals(stream.takeRest(), true);
  stream.restart();
  assertEquals(stream.takeRest(), true);
});

test("SendStream holds what waits, and lets go of what it drops", () => {
  const stream = new SendStream(RAW);
  const freed: number[] = [];
  const leased = (number: number): Frame =>
    frame(number, { lease: new Lease(() => void freed.push(number)) });
  for (let number = 0; number < 3; number++) {
    const frame = leased(number);
    stream.push(frame);
    frame.lease!.letGo();
  }
  assertEquals(freed, [0, 1]);
  stream.take()!.lease!.letGo();
  assertEquals(freed, [0, 1, 2]);
  const last = leased(3);
  stream.push(last);
  last.lease!.letGo();
  stream.restart();
  assertEquals(freed, [0, 1, 2], "the newest picture is of use on the next connection");
  stream.close();
  assertEquals(freed, [0, 1, 2, 3]);
});

test("ReceiveStream gives raw frames and JPEGs whatever is missing between them, and counts that", () => {
  for (const codec of ["raw", "mjpeg"] as const) {
    const stream = new ReceiveStream({ ...RAW, codec }, {});
    const frames = [[3, true], [5, false], [9, true]] as const;
    assertEquals(shown(stream, frames), [3, 5, 9]);
    assertEquals([stream.received, stream.lost], [3, 4], "4, 6, 7 and 8");
  }
});

test("ReceiveStream gives no frame that needs one that did not come", () => {
  const stream = new ReceiveStream(H264, {});
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
    [10, false], // the same again
    [11, false],
  ] as const;
  assertEquals(shown(stream, frames), [1, 2, 6, 7, 9, 10]);
  assertEquals([stream.received, stream.lost], [6, 7], "0, 3, 4, 5, 8, and two that came torn");
});

test("ReceiveStream takes frames that come back in number as they come, and counts none twice", () => {
  const stream = new ReceiveStream(RAW, {});
  assertEquals(shown(stream, [[5, true], [4, true], [5, true], [6, true]]), [5, 4, 5, 6]);
  assertEquals(stream.lost, 0);
});

test("ReceiveStream ends a peer that comes far faster than it announced", () => {
  using _time = new FakeTime({ stands: true });
  for (
    const [format, options, most, reason] of [
      [{ ...RAW, fps: 30 }, {}, 300, "frames come faster than 120 a second"],
      [{ ...H264, fps: 1 }, {}, 100, "frames come faster than 4 a second"],
      [RAW, { limitFps: 1000 }, 10_000, "frames come faster than 4000 a second"],
    ] as const
  ) {
    const stream = new ReceiveStream(format, options);
    let taken = 0;
    assertThrows(
      () => {
        for (; taken < 100_000; taken++) stream.take(frame(taken, { keyframe: false }));
      },
      ProtocolError,
      reason,
    );
    assertEquals(taken, most);
  }
});

test("a peer's numbers make no more lost than it can have sent", () => {
  using time = new FakeTime();
  const last = 2 ** 32 - 1;
  const cases: readonly (readonly number[])[] = [
    [0, last],
    Array.from({ length: 60 }, (_, index) => index % 2 * last),
    [last, 0, last - 1, 7, last],
  ];
  for (const sequences of cases) {
    const stream = new ReceiveStream(RAW, {});
    const take = (sequence: number): boolean => stream.take(frame(sequence));
    sequences.forEach(take);
    // Ten seconds of its rate, and the frames that it can have sent since it called.
    assertGreaterOrEqual(stream.lost, 200);
    assertLessOrEqual(stream.lost, 300);
    time.forwardMs += 60_000;
    sequences.forEach(take);
    assertGreaterOrEqual(stream.lost, 1400);
    assertLessOrEqual(stream.lost, 1500);
  }
});

test("ReceiveStream waits 30 s for a keyframe, and anew after each", () => {
  using time = new FakeTime();
  const stream = new ReceiveStream(H264, {});
  const take = (sequence: number, keyframe = false): boolean =>
    stream.take(frame(sequence, { keyframe }));
  for (let sequence = 0; sequence < 2; sequence++) {
    assert(take(3 * sequence, true));
    assertFalse(take(3 * sequence + 2));
    time.forwardMs += 29_000;
    assertFalse(take(3 * sequence + 2));
  }
  time.forwardMs += 1000;
  assertThrows(() => take(6), ProtocolError, "no keyframe came for 30 s");

  const never = new ReceiveStream(H264, {});
  assertFalse(never.take(frame(0, { keyframe: false })));
  time.forwardMs += 30_000;
  assertThrows(() => never.take(frame(1, { keyframe: false })), ProtocolError, "no keyframe");
});

test("ReceiveStream knows the age of its frames where the clocks were compared, and only there", () => {
  using time = new FakeTime();
  const stream = new ReceiveStream(RAW, { aheadUs: 5_000_000 });
  assertEquals(stream.delayMs, undefined);
  const sentUs = nowUs() + 5_000_000;
  time.forwardMs += 300;
  stream.take(frame(0, { captureUs: sentUs }));
  assertGreaterOrEqual(stream.delayMs!, 299);
  assertLessOrEqual(stream.delayMs!, 800);
  // The clock cannot be the one that was compared: no age is told.
  stream.take(frame(1, { captureUs: 7 }));
  assertEquals(stream.delayMs, undefined);

  const alone = new ReceiveStream(RAW, {});
  alone.take(frame(0, { captureUs: nowUs() }));
  assertEquals(alone.delayMs, undefined);
});

test("ReceiveStream has memory of one size for raw frames, and none for others", () => {
  const { pool } = new ReceiveStream(RAW, {});
  const memory = pool!.take();
  assertEquals(memory.length, 16 + 768 + 8, "header, picture, and the length of the next message");
  assertFalse(pool!.take() === memory);
  pool!.lease(memory).letGo();
  assertStrictEquals(pool!.take(), memory);
  assertEquals(new ReceiveStream(H264, {}).pool, undefined);
});

test("a frame says that its stream no longer rests", () => {
  const stream = new ReceiveStream(RAW, {});
  stream.resting = true;
  stream.take(frame(0));
  assertFalse(stream.resting);
});
