import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertThrows,
} from "@std/assert";
import { ProtocolError } from "../lib/errors.ts";
import { LinkRate, SendWindow } from "../lib/wire/send_window.ts";
import { test } from "./strict.ts";

/** Bytes a millisecond. */
function mbit(perSecond: number): number {
  return perSecond * 1e6 / 8 / 1000;
}

/** A raw frame of 320 x 240 with its header and its length. */
const RAW_BYTES = 230_424;

/**
 * Milliseconds that a simulated call needs to know its link: before the first ack, three frames may
 * go.
 */
const START_MS = 2000;

interface Simulation {
  /** The pace of the link, in bytes a millisecond, at each moment. */
  readonly rate: (nowMs: number) => number;
  /** Milliseconds that a byte travels in each direction. */
  readonly distanceMs?: number;
  readonly fps: number;
  readonly frameBytes: number;
  readonly seconds: number;
  /**
   * True for an arrival that is acknowledged by itself. The others wait for the next ack. All, if
   * not given.
   */
  readonly acks?: (sequence: number) => boolean;
}

interface Outcome {
  readonly captured: number;
  /** The frames that arrived, in order. */
  readonly arrived: {
    readonly sequence: number;
    readonly atMs: number;
    readonly delayMs: number;
  }[];
  /** The most frames and bytes under way at once, after the start. */
  readonly mostFrames: number;
  readonly mostBytes: number;
  /** The moment at which each frame was handed to the link. */
  readonly sentMs: number[];
}

/**
 * A camera, a place for one waiting frame, a window and a link that carries one byte behind the
 * other, all in steps of a millisecond. Nothing in it is random.
 */
function simulate({ rate, distanceMs = 0, fps, frameBytes, seconds, acks }: Simulation): Outcome {
  const window = new SendWindow();
  const link: { sequence: number; capturedMs: number; left: number }[] = [];
  const travelling: { sequence: number; capturedMs: number; atMs: number }[] = [];
  const returning: { sequence: number; atMs: number }[] = [];
  const outcome = {
    captured: 0,
    arrived: [] as { sequence: number; atMs: number; delayMs: number }[],
    mostFrames: 0,
    mostBytes: 0,
    sentMs: [] as number[],
  };
  let waiting: { sequence: number; capturedMs: number } | undefined;
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs++) {
    if (nowMs >= outcome.captured * 1000 / fps) {
      waiting = { sequence: outcome.captured++, capturedMs: nowMs };
    }
    let budget = rate(nowMs);
    while (budget > 0 && link.length > 0) {
      const head = link[0]!;
      const carried = Math.min(budget, head.left);
      budget -= carried;
      head.left -= carried;
      if (head.left > 0) break;
      link.shift();
      travelling.push({ ...head, atMs: nowMs + distanceMs });
    }
    while (travelling.length > 0 && travelling[0]!.atMs <= nowMs) {
      const { sequence, capturedMs } = travelling.shift()!;
      outcome.arrived.push({ sequence, atMs: nowMs, delayMs: nowMs - capturedMs });
      if (acks?.(sequence) ?? true) returning.push({ sequence, atMs: nowMs + distanceMs });
    }
    while (returning.length > 0 && returning[0]!.atMs <= nowMs) {
      window.acknowledged(returning.shift()!.sequence, nowMs);
    }
    if (waiting && window.hasRoom(frameBytes, nowMs)) {
      window.sent(waiting.sequence, frameBytes, nowMs);
      link.push({ ...waiting, left: frameBytes });
      outcome.sentMs.push(nowMs);
      waiting = undefined;
      if (nowMs < START_MS) continue;
      outcome.mostFrames = Math.max(outcome.mostFrames, window.count);
      outcome.mostBytes = Math.max(outcome.mostBytes, window.count * frameBytes);
    }
  }
  return outcome;
}

/** The longest delay of those that arrived after the start. */
function longest(arrived: Outcome["arrived"]): number {
  return Math.max(...arrived.filter(({ atMs }) => atMs >= START_MS).map(({ delayMs }) => delayMs));
}

for (const [name, rate, frameMs] of [["20", mbit(20), 93], ["5", mbit(5), 369]] as const) {
  test(`at ${name} Mbit/s exactly one raw frame is under way, sent as soon as the one before has arrived`, () => {
    const outcome = simulate({ rate: () => rate, fps: 20, frameBytes: RAW_BYTES, seconds: 20 });
    assertEquals(outcome.mostFrames, 1);
    // At the start three frames are under way, and no later frame is as late as the last of them.
    const latest = Math.max(...outcome.arrived.map(({ delayMs }) => delayMs));
    assertLessOrEqual(latest, 3 * frameMs + 50);
    // As many frames as the link can carry. Each is as late as the link takes to carry it, plus the
    // wait for its turn.
    assertGreaterOrEqual(outcome.arrived.length, Math.floor(20_000 / (frameMs + 50)));
    assertLessOrEqual(longest(outcome.arrived), frameMs + 50);
  });
}

test("frames of 15 kB at 5 Mbit/s and 20 fps are all carried, with at most 100 ms under way", () => {
  const outcome = simulate({ rate: () => mbit(5), fps: 20, frameBytes: 15_000, seconds: 20 });
  assertGreaterOrEqual(outcome.arrived.length, outcome.captured - 1);
  assertEquals(outcome.arrived.map(({ sequence }) => sequence), [
    ...Array(outcome.arrived.length).keys(),
  ]);
  assertLessOrEqual(outcome.mostBytes, mbit(5) * 100);
  assertLessOrEqual(longest(outcome.arrived), 50);
});

test("whatever the link and the frames, what is under way is one frame or about 100 ms", () => {
  for (const rate of [2, 5, 10, 20, 50].map(mbit)) {
    for (const fps of [11, 20, 22, 30, 60, 100]) {
      for (const frameBytes of [3_000, 6_000, 10_000, 15_000, 25_000, 60_000, RAW_BYTES]) {
        const outcome = simulate({ rate: () => rate, fps, frameBytes, seconds: 10 });
        const what = `${frameBytes} bytes, ${fps} fps, ${rate} bytes/ms`;
        if (outcome.mostFrames > 1) assertLessOrEqual(outcome.mostBytes, rate * 110, what);
        // All frames of the camera, or all that the link carries but for the moment of asking for
        // more.
        const frameMs = Math.ceil(frameBytes / rate);
        const possible = Math.min(
          fps,
          1000 / (frameMs + (outcome.mostFrames > 1 ? 0 : 1000 / fps)),
        );
        assertGreaterOrEqual(outcome.arrived.length, 10 * possible * 0.95 - 1, what);
      }
    }
  }
});

test("a fast link whose answers take 40 ms is still filled", () => {
  const outcome = simulate({
    rate: () => mbit(20),
    distanceMs: 20,
    fps: 100,
    frameBytes: 25_000,
    seconds: 20,
  });
  assertGreaterOrEqual(outcome.arrived.length, outcome.captured * 0.95);
  assertLessOrEqual(outcome.mostBytes, mbit(20) * 110);
});

test("acks for every third frame only bound the delay as well", () => {
  const outcome = simulate({
    rate: () => mbit(5),
    fps: 100,
    frameBytes: 5_000,
    seconds: 20,
    acks: (sequence) => sequence % 3 === 0,
  });
  assertGreaterOrEqual(outcome.arrived.length, outcome.captured * 0.9);
  assertLessOrEqual(longest(outcome.arrived), 200);
});

test("a link that becomes slower has no more under way than before for 2 s, then its own 100 ms", () => {
  const slow = mbit(2);
  const outcome = simulate({
    rate: (nowMs) => nowMs < 5000 ? mbit(20) : slow,
    fps: 100,
    frameBytes: 10_000,
    seconds: 15,
  });
  assertLessOrEqual(longest(outcome.arrived), 1100); // 250,000 bytes at 2 Mbit/s, or the stall
  const settled = outcome.arrived.filter(({ atMs }) => atMs > 9000);
  assertGreater(settled.length, 100);
  assertLessOrEqual(longest(settled), 200);
});

test("a link that becomes faster is used", () => {
  const outcome = simulate({
    rate: (nowMs) => nowMs < 5000 ? mbit(2) : mbit(20),
    fps: 100,
    frameBytes: 10_000,
    seconds: 10,
  });
  const later = outcome.arrived.filter(({ atMs }) => atMs > 6000);
  assertGreaterOrEqual(later.length, 390); // of 400 captured
});

test("a link that stalls is given nothing after half a second, and carries all again after it", () => {
  const from = 5000;
  const to = 8000;
  const outcome = simulate({
    rate: (nowMs) => nowMs >= from && nowMs < to ? 0 : mbit(20),
    fps: 20,
    frameBytes: 15_000,
    seconds: 12,
  });
  assertEquals(outcome.sentMs.filter((at) => at > from + 510 && at < to), []);
  const after = outcome.sentMs.filter((at) => at >= to);
  // It happens as soon as the bytes under way have arrived, which are at most 100 ms of the link.
  assertLessOrEqual(after[0]!, to + 110);
  assertGreaterOrEqual(after.length, (12_000 - to) / 50 - 2);
  // The late frames were under way when the link stopped. The frames after them are in time.
  const late = outcome.arrived.filter(({ delayMs }) => delayMs > 100);
  assertLessOrEqual(late.length * 15_000, mbit(20) * 100 + 15_000);
  assertLessOrEqual(longest(outcome.arrived.filter(({ atMs }) => atMs > to + 200)), 50);
});

test("the round trip is room on top of the 100 ms, as far as it is known", () => {
  const link = new LinkRate();
  const window = new SendWindow(link);
  window.sent(0, 1000, 0);
  window.acknowledged(0, 60);
  window.sent(1, 1000, 60);
  // 1000 bytes in 60 ms: 100 ms are 1667 bytes, and 160 ms are 2667.
  assertFalse(window.hasRoom(1000, 61));
  link.noteRoundTrip(60);
  assert(window.hasRoom(1000, 61));
  assertFalse(window.hasRoom(1700, 61));
});

test("no round trip is longer than the quickest ack, and an ack alone does not tell one", () => {
  const known = new LinkRate(40);
  const unknown = new LinkRate();
  for (const link of [known, unknown]) {
    const window = new SendWindow(link);
    for (const sequence of [0, 1]) window.sent(sequence, 1000, 0);
    window.acknowledged(0, 30);
    window.acknowledged(1, 60);
  }
  assertEquals([known.roundTripMs, unknown.roundTripMs], [30, undefined]);
});

test("the round trip of the hello is sure if no ack takes less than half of it", () => {
  for (const [toldMs, ackMs, sureMs] of [[40, 60, 40], [40, 30, 30], [40, 19, 0]] as const) {
    const link = new LinkRate(toldMs);
    link.noteRoundTrip(ackMs);
    assertEquals(link.facts(0).sureTripMs, sureMs);
  }
  const untold = new LinkRate();
  untold.noteRoundTrip(30);
  assertEquals(untold.facts(0), { delivery: undefined, roundTripMs: 30, sureTripMs: 0 });
});

test("small frames do not make a link quick, for two seconds after a large one", () => {
  const link = new LinkRate();
  const [large, small] = [new SendWindow(link), new SendWindow(link)];
  large.sent(0, 1000, 0);
  large.acknowledged(0, 100); // 10 bytes a millisecond
  for (const [sequence, bytes] of [[0, 499], [1, 500]] as const) {
    small.sent(sequence, bytes, 1000 + sequence);
    small.acknowledged(sequence, 1001 + sequence);
    const { frameBytes } = link.best(1002)!;
    assertEquals(frameBytes, bytes < 500 ? 1000 : 500, `${bytes} bytes`);
  }
  small.sent(2, 1, 2001);
  small.acknowledged(2, 2002);
  assertEquals(link.best(2100)!.frameBytes, 500);
  assertEquals(link.best(3003)!.frameBytes, 1, "the large ones are too old");
});

test("nothing under way is room for a frame of any size", () => {
  const window = new SendWindow();
  assert(window.hasRoom(0, 0));
  assert(window.hasRoom(25_000_000, 0));
  window.sent(0, 25_000_000, 0);
  window.acknowledged(0, 10_000);
  assert(window.hasRoom(25_000_000, 10_000));
});

test("before the first ack three frames are under way, whatever their size, and no more", () => {
  const window = new SendWindow();
  for (const sequence of [0, 1, 2]) {
    assert(window.hasRoom(25_000_000, sequence));
    window.sent(sequence, 25_000_000, sequence);
  }
  assertEquals(window.count, 3);
  assertFalse(window.hasRoom(1, 2));
  assertFalse(window.hasRoom(1, 499));
});

test("after the first ack only the rate counts", () => {
  const window = new SendWindow();
  for (const sequence of [0, 1]) window.sent(sequence, 10_000, 0);
  window.acknowledged(0, 1000); // 10 bytes a millisecond
  assertFalse(window.hasRoom(1, 1000));
  window.acknowledged(1, 2000);
  assert(window.hasRoom(1, 2000));
});

test("room is 100 ms of the measured rate, to the byte", () => {
  const window = new SendWindow();
  window.sent(0, 1000, 0);
  window.acknowledged(0, 10); // 100 bytes a millisecond
  window.sent(1, 4000, 20);
  assert(window.hasRoom(6000, 20));
  assertFalse(window.hasRoom(6001, 20));
  window.sent(2, 6000, 20);
  assertFalse(window.hasRoom(1, 20));
});

test("the best rate counts, for two seconds: a frame that waited for a busy processor does not", () => {
  const window = new SendWindow();
  window.sent(0, 1000, 0);
  window.acknowledged(0, 10); // 100 bytes a millisecond
  window.sent(1, 1000, 20);
  window.acknowledged(1, 120); // 10 bytes a millisecond
  window.sent(2, 1, 130);
  assert(window.hasRoom(9999, 130));
  window.acknowledged(2, 131); // 1 byte a millisecond
  window.sent(3, 1, 2010);
  assert(window.hasRoom(9999, 2010));
  assertFalse(window.hasRoom(1000, 2011));
  assert(window.hasRoom(999, 2011));
});

test("an oldest frame of half a second leaves room, an older one does not until it arrives", () => {
  const window = new SendWindow();
  window.sent(0, 1000, 0);
  window.acknowledged(0, 1);
  window.sent(1, 1, 100);
  assert(window.hasRoom(1, 600));
  assertFalse(window.hasRoom(1, 601));
  window.acknowledged(1, 700);
  assert(window.hasRoom(1, 700));
});

test("an ack takes every frame before it along", () => {
  const window = new SendWindow();
  for (const sequence of [0, 1, 4, 5]) window.sent(sequence, 10, 0);
  window.acknowledged(4, 10);
  assertEquals(window.count, 1);
  window.acknowledged(5, 10);
  assertEquals(window.count, 0);
});

test("an ack that comes twice, or late, or for a frame dropped before the wire, changes nothing", () => {
  const window = new SendWindow();
  for (const sequence of [3, 5, 6]) window.sent(sequence, 10, 0);
  window.acknowledged(5, 10);
  for (const sequence of [5, 5, 3, 4, 0]) window.acknowledged(sequence, 20);
  assertEquals(window.count, 1);
  window.acknowledged(6, 30);
  window.acknowledged(6, 30);
  assertEquals(window.count, 0);
});

test("an ack for a frame that was never sent is refused and named", () => {
  const untouched = new SendWindow();
  assertThrows(() => untouched.acknowledged(0, 0), ProtocolError, "an ack for frame 0");
  const window = new SendWindow();
  window.sent(0, 10, 0);
  window.sent(2, 10, 0);
  assertThrows(() => window.acknowledged(3, 1), ProtocolError, "frame 3, which was never sent");
  assertThrows(() => window.acknowledged(0xffffffff, 1), ProtocolError, "frame 4294967295");
  // A frame that was dropped between two that are under way was not sent either.
  assertThrows(() => window.acknowledged(1, 1), ProtocolError, "frame 1");
  window.acknowledged(2, 1);
  assertThrows(() => window.acknowledged(3, 1), ProtocolError, "frame 3");
});

test("what was under way on a lost connection may be acknowledged on the next one", () => {
  const window = new SendWindow();
  window.sent(0, 10, 0);
  window.acknowledged(0, 1);
  window.sent(1, 10, 2);
  window.sent(2, 10, 2);
  window.restart();
  assertEquals(window.count, 0);
  for (const sequence of [1, 2]) window.acknowledged(sequence, 3);
  window.sent(3, 10, 4);
  window.acknowledged(2, 5);
  assertEquals(window.count, 1);
  assertThrows(() => window.acknowledged(4, 6), ProtocolError, "frame 4");
});

test("drainMs() is what is under way at the rate of the link, which outlives a lost connection", () => {
  const window = new SendWindow();
  assertEquals(window.drainMs(0), undefined);
  window.sent(0, 1000, 0);
  assertEquals(window.drainMs(5), undefined, "no rate is known");
  window.acknowledged(0, 10); // 100 bytes a millisecond
  assertEquals(window.drainMs(10), 0);
  window.sent(1, 4000, 20);
  window.sent(2, 3000, 20);
  assertEquals(window.drainMs(20), 70);
  window.restart();
  assertEquals([window.count, window.drainMs(20)], [0, 0]);
  window.sent(3, 4000, 60_000);
  assertEquals(window.drainMs(60_000), 40, "the newest rate stands, however old");
  // The window is 100 ms of it.
  assertFalse(window.hasRoom(6001, 60_000));
  assert(window.hasRoom(6000, 60_000));
});

test("a frame that arrives in no time at all does not open the window for ever", () => {
  const window = new SendWindow();
  window.sent(0, 1000, 5);
  window.acknowledged(0, 5); // as if it took a tenth of a millisecond: 10,000 bytes a millisecond
  window.sent(1, 1, 6);
  assert(window.hasRoom(999_999, 6));
  assertFalse(window.hasRoom(1_000_000, 6));
});
