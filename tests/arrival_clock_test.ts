import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ArrivalClock } from "../lib/media/arrival_clock.ts";
import { test } from "./strict.ts";

const FRAME_US = 10_000;

/** A clock, and a reader that asks as soon as it has read. */
function reader(): (cameUs: number) => number | undefined {
  const clock = new ArrivalClock();
  let askedUs = 0;
  return (cameUs) => {
    const captureUs = clock.captureUs(askedUs, cameUs);
    askedUs = cameUs;
    return captureUs;
  };
}

test("arrival clock: sound that comes as it is made began 10 ms before it came", () => {
  const read = reader();
  for (let frame = 1; frame < 100; frame++) {
    assertEquals(read(1e6 + frame * FRAME_US), 1e6 + (frame - 1) * FRAME_US);
  }
});

test("arrival clock: a busy processor does not move the times, and they are 10 ms apart", () => {
  const read = reader();
  const lateness = [0, 300, 15_000, 5000, 0, 40_000, 30_000, 20_000, 10_000, 0];
  for (let frame = 1; frame < 500; frame++) {
    const madeUs = 1e6 + frame * FRAME_US;
    const captureUs = read(madeUs + lateness[frame % 10]!);
    if (frame > 20) assertAlmostEquals(captureUs!, madeUs - FRAME_US, 100);
  }
});

test("arrival clock: of large packets, the last frame is right, and the others stand before it", () => {
  const read = reader();
  let captures: (number | undefined)[] = [];
  for (let packet = 1; packet < 20; packet++) {
    captures = [0, 1, 2, 3, 4].map(() => read(1e6 + packet * 50_000));
  }
  const cameUs = 1e6 + 19 * 50_000;
  captures.forEach((captureUs, index) =>
    assertAlmostEquals(captureUs!, cameUs - (5 - index) * FRAME_US, 100)
  );
});

test("arrival clock: a slow and a fast sound card are followed", () => {
  for (const frameUs of [FRAME_US * 1.0005, FRAME_US * 0.9995]) {
    const read = reader();
    let worst = 0;
    for (let frame = 1; frame < 60_000; frame++) {
      const cameUs = 1e6 + frame * frameUs;
      const captureUs = read(cameUs);
      if (captureUs !== undefined) worst = Math.max(worst, cameUs - FRAME_US - captureUs);
    }
    assert(worst < 1000, `${worst} us`);
  }
});

test("arrival clock: a reader that was stopped loses what it missed, and the present goes on", () => {
  const read = reader();
  for (let frame = 1; frame <= 100; frame++) read(frame * FRAME_US);
  // It wakes after 3 s: 300 frames are there, and each is read at once.
  const wakesUs = 400 * FRAME_US;
  for (let frame = 101; frame <= 400; frame++) assertEquals(read(wakesUs + frame), undefined);
  assertEquals(read(401 * FRAME_US), 400 * FRAME_US);
  assertEquals(read(402 * FRAME_US), 401 * FRAME_US);
});

test("arrival clock: a hole costs one frame", () => {
  const read = reader();
  for (let frame = 1; frame <= 100; frame++) read(frame * FRAME_US);
  assertEquals(read(300 * FRAME_US), undefined);
  assertEquals(read(301 * FRAME_US), 300 * FRAME_US);
});

test("arrival clock: sound that waited for its first taker is old", () => {
  const clock = new ArrivalClock();
  for (let frame = 0; frame < 300; frame++) {
    assertEquals(clock.captureUs(1e6 + frame, 1e6 + frame + 1), undefined);
  }
  assertEquals(clock.captureUs(1e6 + 300, 1e6 + 8000), 1e6 + 8000 - FRAME_US);
});
