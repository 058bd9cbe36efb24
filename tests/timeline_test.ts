import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "@std/assert";
import { Timeline } from "../lib/frame/timeline.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

type Stamps = "capture" | "arrival";

/** A frame as it comes: its own stamp, and the time of our clock, in microseconds. */
interface Coming {
  readonly timeUs: number;
  readonly arrivalUs: number;
}

/** The content of their recording. */
interface Recorded {
  /** The number of the frame in each slot. */
  readonly slots: number[];
  readonly thinned: number;
}

const SECOND_US = 1e6;
const YEAR_US = 365 * 24 * 3600 * SECOND_US;
const BOTH: readonly Stamps[] = ["capture", "arrival"];

/**
 * Runs frames through a timeline like a recorder. The held ones are settled when the timeline asks
 * for it.
 */
function record(fps: number, stamps: Stamps, frames: readonly Coming[]): Recorded {
  const timeline = new Timeline<number>(fps, stamps);
  const slots: number[] = [];
  const write = (placed: ReturnType<typeof timeline.push>): void => {
    for (const { item, repeatsBefore } of placed) {
      const last = slots[slots.length - 1];
      for (let time = 0; time < repeatsBefore; time++) slots.push(last!);
      slots.push(item);
    }
  };
  let settleUs: number | undefined;
  for (const [index, { timeUs, arrivalUs }] of frames.entries()) {
    if (settleUs !== undefined && settleUs <= arrivalUs) {
      settleUs = undefined;
      write(timeline.settle());
    }
    write(timeline.push(index, timeUs, arrivalUs));
    settleUs = timeline.unsettled ? arrivalUs + timeline.settleMs * 1000 : undefined;
  }
  write(timeline.settle());
  assertEquals(timeline.slots, slots.length);
  return { slots, thinned: timeline.thinned };
}

/** Frames of even rate whose stamps are exact and which arrive at once. */
function even(fps: number, seconds: number, fromUs = 0): Coming[] {
  return Array.from({ length: Math.round(fps * seconds) }, (_, index) => {
    const timeUs = fromUs + Math.round(index * SECOND_US / fps);
    return { timeUs, arrivalUs: timeUs };
  });
}

/** The same, in the view of a timeline of these stamps if each arrives so much later. */
function late(
  frames: readonly Coming[],
  stamps: Stamps,
  byUs: (index: number) => number,
): Coming[] {
  let lastUs = 0;
  return frames.map(({ timeUs }, index) => {
    lastUs = Math.max(timeUs + byUs(index), lastUs); // Nothing overtakes on a stream.
    return { timeUs: stamps === "capture" ? timeUs : lastUs, arrivalUs: lastUs };
  });
}

function numbers(count: number): number[] {
  return [...Array(count).keys()];
}

/** Fails unless the frames are in order. Repeats stand beside each other. */
function assertInOrder(slots: readonly number[], what?: string): void {
  for (let index = 1; index < slots.length; index++) {
    assertGreaterOrEqual(slots[index]!, slots[index - 1]!, what);
  }
}

for (const stamps of BOTH) {
  test(`${stamps}: at the same rate every frame is there once, in order`, () => {
    for (const fps of [1, 20, 25, 29.97, 60, 120]) {
      const { slots, thinned } = record(fps, stamps, even(fps, 20));
      assertEquals(slots, numbers(Math.round(fps * 20)), `${fps} fps`);
      assertEquals(thinned, 0);
    }
  });

  test(`${stamps}: jitter of up to a slot to either side neither repeats nor thins`, () => {
    const slotUs = 50_000;
    for (const jitters of [[0, slotUs], [0, -slotUs], [0, slotUs, -slotUs], [0, 0, 0, slotUs]]) {
      const frames = even(20, 20, SECOND_US).map(({ timeUs }, index) => {
        const strayed = timeUs + jitters[index % jitters.length]!;
        return { timeUs: strayed, arrivalUs: strayed };
      });
      if (stamps === "arrival") frames.sort((one, other) => one.arrivalUs - other.arrivalUs);
      const { slots, thinned } = record(20, stamps, frames);
      assertEquals(slots, numbers(400), `${jitters}`);
      assertEquals(thinned, 0);
    }
  });

  test(`${stamps}: whatever the jitter within a slot, every frame is there once, in order`, () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      const fps = random.pick([10, 20, 25, 30, 60]);
      const frames = late(
        even(fps, 10),
        stamps,
        (index) => index === 0 ? 0 : random.next() * SECOND_US / fps,
      );
      const { slots, thinned } = record(fps, stamps, frames);
      assertEquals(slots, numbers(fps * 10), `seed ${seed}, ${fps} fps`);
      assertEquals(thinned, 0);
    }
  });

  for (const from of [30, 60, 25, 120]) {
    test(`${stamps}: ${from} to 20 frames a second is thinned and as long as it was`, () => {
      const { slots, thinned } = record(20, stamps, even(from, 30));
      assert(Math.abs(slots.length - 600) <= 12, `${slots.length} slots`);
      assertEquals(slots.length + thinned, from * 30);
      // Thinned, not doubled: each frame that is there is there once.
      assertEquals(new Set(slots).size, slots.length);
      assertInOrder(slots);
    });
  }

  for (const from of [12, 5, 19]) {
    test(`${stamps}: ${from} to 20 frames a second is filled and as long as it was`, () => {
      const { slots, thinned } = record(20, stamps, even(from, 30));
      assert(Math.abs(slots.length - 600) <= 12, `${slots.length} slots`);
      assertEquals(thinned, 0);
      assertEquals([...new Set(slots)], numbers(from * 30));
      // Thinned evenly: no frame stands longer than its time and a slot to either side.
      const longest = Math.max(...numbers(from * 30).map((frame) => count(slots, frame)));
      assertLessOrEqual(longest, Math.ceil(20 / from) + 1);
    });
  }

  test(`${stamps}: a pause of 2 s is filled with the frame before it`, () => {
    const frames = [...even(20, 1), ...even(20, 1, 3 * SECOND_US)];
    const { slots, thinned } = record(20, stamps, frames);
    assertEquals(slots, [
      ...numbers(20),
      ...Array(40).fill(19),
      ...numbers(20).map((frame) => 20 + frame),
    ]);
    assertEquals(thinned, 0);
  });

  test(`${stamps}: pauses of every length from a slot on add up to the time of the call`, () => {
    for (let pauseUs = 50_000; pauseUs <= 1_000_000; pauseUs += 10_000) {
      const frames = [...even(20, 1), ...even(20, 1, SECOND_US + pauseUs)];
      const { slots, thinned } = record(20, stamps, frames);
      assertEquals([...new Set(slots)], numbers(40));
      assertEquals(thinned, 0);
      assert(
        Math.abs(slots.length - (40 + pauseUs / 50_000)) <= 1,
        `${slots.length} for ${pauseUs}`,
      );
    }
  });

  test(`${stamps}: 20.2 frames a second for an hour in a recording of 20 stays as long as it was`, () => {
    const { slots, thinned } = record(20, stamps, even(20.2, 3600));
    assert(Math.abs(slots.length - 72_000) <= 2, `${slots.length} slots`);
    assertEquals(slots.length, 72_720 - thinned);
    assertEquals(new Set(slots).size, slots.length);
  });

  test(`${stamps}: 19.8 frames a second for an hour in a recording of 20 stays as long as it was`, () => {
    const { slots, thinned } = record(20, stamps, even(19.8, 3600));
    assert(Math.abs(slots.length - 72_000) <= 2, `${slots.length} slots`);
    assertEquals(thinned, 0);
    assertEquals([...new Set(slots)], numbers(71_280));
  });

  test(`${stamps}: whatever comes, frames stay in order and the recording as long as the call`, () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      const frames: Coming[] = [];
      let timeUs = 0;
      while (timeUs < 20 * SECOND_US) {
        frames.push({ timeUs, arrivalUs: timeUs });
        const pause = random.next() < 0.02;
        timeUs += Math.round(pause ? random.between(0, 2e6) : random.between(5_000, 100_000));
      }
      const { slots, thinned } = record(20, stamps, frames);
      const lastUs = frames[frames.length - 1]!.timeUs;
      const what = `seed ${seed}`;
      assertInOrder(slots, what);
      assert(Math.abs(slots.length - 1 - lastUs / 50_000) <= 2, `${what}: ${slots.length} slots`);
      assertEquals(new Set(slots).size + thinned, frames.length, what);
    }
  });
}

function count(slots: readonly number[], frame: number): number {
  return slots.filter((slot) => slot === frame).length;
}

test("capture stamps decide, whatever the network does to the arrivals", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = new Random(seed);
    let delayUs = 0;
    const frames = late(even(20, 20), "capture", () => {
      if (random.next() < 0.05) delayUs = random.between(0, 4 * SECOND_US);
      return delayUs;
    });
    const { slots, thinned } = record(20, "capture", frames);
    assertEquals(slots, numbers(400), `seed ${seed}`);
    assertEquals(thinned, 0);
  }
});

/**
 * Frames of 20 a second that a network holds back for a time and then gives out one behind the
 * other.
 */
function held(forUs: number, apartUs: number): Coming[] {
  const untilUs = SECOND_US + forUs;
  let behind = 0;
  return late(even(20, 10), "arrival", (index) => {
    const timeUs = index * 50_000;
    if (timeUs < SECOND_US) return 0;
    return Math.max(untilUs + apartUs * behind++ - timeUs, 0);
  });
}

// The distance between frames of 230,400 bytes out of a jam at 1 Gbit/s, and at 100 Mbit/s.
for (const [name, apartUs] of [["1 Gbit/s", 1_850], ["100 Mbit/s", 18_500]] as const) {
  test(`arrival stamps: a burst at ${name} after a stall of the network repeats and thins nothing`, () => {
    for (const forUs of [100_000, 300_000, 1_000_000, 2_000_000]) {
      const { slots, thinned } = record(20, "arrival", held(forUs, apartUs));
      assertEquals(slots, numbers(200), `${forUs / 1000} ms`);
      assertEquals(thinned, 0);
    }
  });
}

test("arrival stamps: a stall of the network after which frames are missing is filled", () => {
  // The sender dropped the frames that it could not send: five of forty come in a burst, the rest
  // as ever.
  const frames = [
    ...even(20, 1),
    ...even(1000, 0.005, 3 * SECOND_US),
    ...even(20, 1, 3_050_000),
  ];
  const { slots, thinned } = record(20, "arrival", frames);
  assertEquals(thinned, 0);
  assertEquals([...new Set(slots)], numbers(45));
  assert(Math.abs(slots.length - 81) <= 1, `${slots.length} slots`);
});

test("a frame is held for its followers in arrival stamps only, and settleMs is three slots", () => {
  for (const stamps of BOTH) {
    const timeline = new Timeline<string>(20, stamps);
    assertEquals(timeline.settleMs, 150);
    assertEquals(timeline.push("a", 0, 0), [{ item: "a", repeatsBefore: 0 }]);
    const placed = timeline.push("b", 500_000, 500_000);
    if (stamps === "capture") {
      assertEquals(placed, [{ item: "b", repeatsBefore: 9 }]);
      assertFalse(timeline.unsettled);
    } else {
      assertEquals(placed, []);
      assert(timeline.unsettled);
      assertEquals(timeline.settle(), [{ item: "b", repeatsBefore: 9 }]);
      assertFalse(timeline.unsettled);
    }
    assertEquals(timeline.settle(), []);
    assertEquals(timeline.slots, 11);
  }
});

test("arrival stamps: what is held is given out as soon as it has caught up", () => {
  const timeline = new Timeline<string>(20, "arrival");
  timeline.push("a", 0, 0);
  assertEquals(timeline.push("b", 150_000, 150_000), []); // slot 3, where slot 1 is free
  assertEquals(timeline.push("c", 155_000, 155_000), []); // slot 3.1, two held
  assertEquals(
    timeline.push("d", 160_000, 160_000), // slot 3.2, three held: they fill 1, 2 and 3
    ["b", "c", "d"].map((item) => ({ item, repeatsBefore: 0 })),
  );
  assertFalse(timeline.unsettled);
});

test("the zero of the peer's clock is its own affair", () => {
  for (const zeroUs of [-YEAR_US, 0, 1_700_000_000 * SECOND_US, 2 ** 63]) {
    const frames = even(20, 5).map(({ timeUs, arrivalUs }) => ({
      timeUs: timeUs + zeroUs,
      arrivalUs,
    }));
    const { slots } = record(20, "capture", frames);
    assertEquals(slots.length, 100, `zero at ${zeroUs}`);
    assertInOrder(slots);
  }
});

for (const [name, jumpUs] of [["forward", YEAR_US], ["backward", -YEAR_US]] as const) {
  test(`a peer's clock that is set ${name} by a year adds nothing and takes nothing`, () => {
    const frames = even(20, 10).map(({ timeUs, arrivalUs }, index) => ({
      timeUs: timeUs + (index >= 100 ? jumpUs : 0),
      arrivalUs,
    }));
    const { slots, thinned } = record(20, "capture", frames);
    assertEquals(slots, numbers(200));
    assertEquals(thinned, 0);
  });
}

test("what was under way when the network went stands at its own time when that is back", () => {
  for (const goneSeconds of [3, 10, 25]) {
    const before = even(20, 1);
    const backUs = before.at(-1)!.timeUs + goneSeconds * SECOND_US;
    const underWay = before.slice(17).map(({ timeUs }, index) => ({
      timeUs,
      arrivalUs: backUs + index * 1000,
    }));
    const after = even(20, 1, backUs + 50_000);
    const { slots, thinned } = record(20, "capture", [
      ...before.slice(0, 17),
      ...underWay,
      ...after,
    ]);
    assertEquals(slots.length, 20 + goneSeconds * 20 + 20);
    assertEquals(slots.slice(0, 20), numbers(20));
    assertEquals(slots[20 + goneSeconds * 10], 19);
    assertEquals(slots.slice(-20), numbers(40).slice(20));
    assertEquals(thinned, 0);
  }
});

test("a peer's clock that jumps wildly adds no more than 5 s to a recording", () => {
  const jumps: readonly ((random: Random, index: number) => number)[] = [
    (random): number => random.between(-1, 1) * YEAR_US,
    (random): number => random.between(-1, 1) * 5 * SECOND_US,
    (_random, index): number => index * 4.9 * SECOND_US, // each time just within what is believed
    (_random, index): number => index % 2 * 4.9 * SECOND_US,
    (_random, index): number => index % 2 * YEAR_US,
    (_random, index): number => index * SECOND_US,
  ];
  for (const [kind, jump] of jumps.entries()) {
    for (let seed = 0; seed < 20; seed++) {
      const random = new Random(seed);
      const frames = even(20, 20).map(({ timeUs, arrivalUs }, index) => ({
        timeUs: timeUs + jump(random, index),
        arrivalUs,
      }));
      const { slots } = record(20, "capture", frames);
      assertLessOrEqual(slots.length, 400 + 101, `jump ${kind}, seed ${seed}`);
      assertInOrder(slots);
    }
  }
});

test("repeatsUntil() makes the line reach a moment, once, and never shortens it", () => {
  for (const stamps of BOTH) {
    const timeline = new Timeline<string>(20, stamps);
    assertEquals(timeline.repeatsUntil(9 * SECOND_US, 9 * SECOND_US), 0, "nothing to repeat");
    timeline.push("a", 0, 0);
    assertEquals(timeline.repeatsUntil(2 * SECOND_US, 2 * SECOND_US), 39);
    assertEquals(timeline.slots, 40);
    assertEquals(timeline.repeatsUntil(2 * SECOND_US, 2 * SECOND_US), 0);
    assertEquals(timeline.repeatsUntil(SECOND_US, SECOND_US), 0);
    assertEquals(timeline.slots, 40);
  }
});

test("thinning keeps the frames spread: of 60 a second every third stays", () => {
  const { slots } = record(20, "capture", even(60, 10));
  const steps = slots.slice(1).map((frame, index) => frame - slots[index]!).slice(5);
  assertGreater(steps.length, 150);
  assertEquals(new Set(steps), new Set([3]));
});

/** Frames that arrive at these moments, in slots of 1/20 s. */
function arriving(...slots: number[]): Coming[] {
  return slots.map((slot) => ({ timeUs: slot * 50_000, arrivalUs: slot * 50_000 }));
}

test("arrival stamps: what a busy machine gives out late and unevenly repeats and thins nothing", () => {
  // Frame 4 is more than two slots late, and those behind it make up for it, none at the pace of a
  // jam.
  const { slots, thinned } = record(20, "arrival", arriving(0, 1, 2, 3, 6.2, 6.8, 7, 7.6, 8, 9));
  assertEquals([slots, thinned], [numbers(10), 0]);
});

test("arrival stamps: a first frame that came late itself does not cost those on its heels", () => {
  const jam = [0, 0.02, 0.05, 0.1, 0.4, 1.4, 2.4, 3.4, 4.4];
  const { slots, thinned } = record(20, "arrival", arriving(...jam));
  assertEquals([slots, thinned], [numbers(jam.length), 0]);
});

test("arrival stamps: a recording much slower than its sender is as long as it was", () => {
  for (const [fps, from] of [[1, 20], [5, 30], [10, 60], [20, 120]] as const) {
    const { slots } = record(fps, "arrival", even(from, 4));
    assertLessOrEqual(Math.abs(slots.length - 4 * fps), 1 + 0.25 * fps, `${from} to ${fps}`);
    assertInOrder(slots);
  }
});

test("capture stamps: two clocks that drift apart for 16 hours are followed a slot at a time", () => {
  const fps = 5;
  for (const drift of [100e-6, -100e-6]) {
    const frames = even(fps, 16 * 3600).map(({ timeUs }) => ({
      timeUs: timeUs * (1 + drift),
      arrivalUs: timeUs,
    }));
    const { slots, thinned } = record(fps, "capture", frames);
    assertLessOrEqual(Math.abs(slots.length - frames.length), 2);
    assertLessOrEqual(thinned, 2);
    const steps = slots.slice(1).map((frame, index) => frame - slots[index]!);
    assert(steps.every((step) => step >= 0 && step <= 2), `${drift}`);
  }
});
