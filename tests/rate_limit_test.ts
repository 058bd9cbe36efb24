import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../lib/errors.ts";
import { RateLimit } from "../lib/wire/rate_limit.ts";
import { test } from "./strict.ts";

/** The number of frames that pass, of those that come at these times, in milliseconds. */
function letThrough(fps: number, times: Iterable<number>): number {
  const limit = new RateLimit(fps, 0);
  let count = 0;
  try {
    for (const atMs of times) {
      limit.count(atMs);
      count++;
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  return count;
}

/** That many frames at this rate, from `fromMs` on. */
function* frames(count: number, fps: number, fromMs = 0): Generator<number> {
  for (let index = 0; index < count; index++) yield fromMs + index * 1000 / fps;
}

test("RateLimit lets an hour through at the announced rate, and at 3.9 times it", () => {
  for (const fps of [1, 14.985, 20, 29.97, 120]) {
    for (const pace of [1, 1.001, 3.9]) {
      const count = Math.round(3600 * fps * pace);
      assertEquals(letThrough(fps, frames(count, fps * pace)), count, `${fps} x ${pace}`);
    }
  }
});

test("RateLimit lets ten seconds of frames through at once, and again ten seconds later", () => {
  const jam = [...frames(200, 1e9), ...frames(200, 1e9, 10_000)];
  assertEquals(letThrough(20, jam), 400);
  assertEquals(letThrough(120, frames(1200, 1e9)), 1200);
  assertEquals(letThrough(1, frames(100, 1e9)), 100, "as many at least");
});

test("RateLimit ends a flood soon after its ten seconds, and names the rate", () => {
  assertEquals(letThrough(20, frames(300_000, 1e9)), 200);
  assertEquals(letThrough(120, frames(300_000, 1e9)), 1200);
  assertEquals(letThrough(20, frames(300_000, 160)), 399, "twice too fast");
  const limit = new RateLimit(20, 0);
  for (let count = 0; count < 200; count++) limit.count(0);
  assertThrows(() => limit.count(0), ProtocolError, "frames come faster than 80 a second");
});

test("RateLimit.most() is what the announced rate gives since the beginning, and a burst", () => {
  const limit = new RateLimit(20, 1000);
  assertEquals(limit.most(1000), 200);
  assertEquals(limit.most(61_000), 1400);
});
