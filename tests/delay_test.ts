import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { compareClocks, FrameAges, RecentMean } from "../lib/wire/delay.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const HOUR_US = 3_600_000_000;

/**
 * The largest error of an age over that time, after the first minute. The caller gives each frame's
 * true age.
 */
function worstError(
  { hours, driftPpm, startUs = 0, trueAgeUs }: {
    readonly hours: number;
    readonly driftPpm: number;
    readonly startUs?: number;
    readonly trueAgeUs: (atUs: number) => number;
  },
): number {
  const ages = new FrameAges();
  let worstUs = 0;
  for (let atUs = 1e9; atUs < 1e9 + hours * HOUR_US; atUs += 100_000) {
    const truthUs = trueAgeUs(atUs - 1e9);
    // The caller's clock, with its comparison at the beginning and its drift since.
    const captureUs = atUs + startUs + (atUs - 1e9) * driftPpm / 1e6;
    const age = ages.age(captureUs, atUs + truthUs);
    assert(age !== undefined && age >= 0);
    if (atUs > 1e9 + 60e6) worstUs = Math.max(worstUs, Math.abs(age - truthUs));
  }
  return worstUs;
}

test("delay: two clocks are compared by half of what the answer was under way", () => {
  const asked = { askedUs: 5_000, heardUs: 900_000, answeredUs: 920_000, gotUs: 41_000 };
  assertEquals(compareClocks(asked), { aheadUs: 920_000 + 8_000 - 41_000, roundTripUs: 16_000 });
  // An answer that the server thought about for longer than it took counts as one that took no
  // time.
  assertEquals(compareClocks({ ...asked, answeredUs: 990_000 }), {
    aheadUs: 949_000,
    roundTripUs: 0,
  });
});

test("delay: on one clock an age is the arrival less the capture", () => {
  const ages = new FrameAges();
  for (const [capture, arrival, age] of [[100, 700, 600], [200, 400_200, 400_000]] as const) {
    assertEquals(ages.age(capture, arrival), age);
  }
});

test("delay: clocks that run apart by 200 millionths do not make it wrong in eight hours", () => {
  const random = new Random(7);
  for (const driftPpm of [200, -200, 50, -20, 0]) {
    const worstUs = worstError({
      hours: 8,
      driftPpm,
      trueAgeUs: () => 4_000 + random.next() * 12_000,
    });
    assertLess(worstUs, 10_000, `${driftPpm} ppm`);
  }
});

test("delay: nor where each frame waits for a slow link", () => {
  const random = new Random(11);
  for (const driftPpm of [200, -200, 0]) {
    const worstUs = worstError({
      hours: 4,
      driftPpm,
      trueAgeUs: () => 380_000 + random.next() * 60_000,
    });
    assertLess(worstUs, 40_000, `${driftPpm} ppm`);
  }
});

test("delay: a network that gets slow, or quick again, is not taken for a clock", () => {
  const worstUs = worstError({
    hours: 2,
    driftPpm: 100,
    trueAgeUs: (atUs) => Math.floor(atUs / 600e6) % 2 === 0 ? 5_000 : 400_000,
  });
  assertLess(worstUs, 15_000);
});

test("delay: it is never below zero, and what a clock was wrong by is made good at once", () => {
  const ages = new FrameAges();
  assertEquals(ages.age(50_000, 20_000), 0);
  assertEquals(ages.age(150_000, 125_000), 5_000);
});

test("delay: times that no clock can mean give no age", () => {
  for (const captureUs of [0, 1e9 + 2e6, 1e15, 1.8e19, NaN, Infinity]) {
    assertEquals(new FrameAges().age(captureUs, 1e9), undefined, `${captureUs}`);
  }
  const ages = new FrameAges();
  assertEquals(ages.age(1e9, 1e9 + 3_000), 3_000);
  // A machine that slept for an hour: its clock stood still.
  assertEquals(ages.age(1e9 + 1e6, 1e9 + HOUR_US), undefined);
  assertEquals(ages.age(1e9 + 2e6, 1e9 + 2e6 + 3_000), 3_000);
});

test("delay: what is shown is the mean of the last second", () => {
  const mean = new RecentMean();
  assertEquals(mean.value, undefined);
  mean.add(500, 0);
  assertEquals(mean.value, 500);
  for (let atUs = 0; atUs <= 5e6; atUs += 50_000) mean.add(atUs % 100_000 === 0 ? 90 : 110, atUs);
  assertAlmostEquals(mean.value!, 100, 5);
  mean.clear();
  assertEquals(mean.value, undefined);
  mean.add(7, 9e6);
  assertEquals(mean.value, 7);
});
