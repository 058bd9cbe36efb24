/** The backlog of a loudspeaker, before a player and a device that only exist here. */

import { assertEquals } from "@std/assert";
import { Backlog, GOOD_MS, LEAST_MS, MOST_MS, STILL_MS, WATCHED_MS } from "../lib/media/backlog.ts";
import { test } from "./strict.ts";

/** The peer, the network, the clocks and the user of a simulation. */
interface Conditions {
  readonly seconds: number;
  /** The device's clock against ours, such as 1.0001. */
  readonly pace?: number;
  /** The most milliseconds that a frame comes too late. */
  readonly jitterMs?: number;
  /** Times at which no frame comes. Those of a stall come together when it is over. */
  readonly without?: { readonly fromMs: number; readonly toMs: number; readonly isStall: boolean };
  /** The milliseconds of a stall that comes each two seconds. */
  readonly stallsMs?: number;
  /** Times at which the player does nothing. */
  readonly stopped?: { readonly fromMs: number; readonly toMs: number };
}

/** The course of a simulation, a row each millisecond. */
interface Row {
  readonly ms: number;
  readonly levelMs: number | undefined;
  readonly left: number;
  readonly filled: number;
  readonly isStill: boolean;
}

/** Simulates a player that begins after 100 ms and tells its clock each 30 ms, in steps of 10. */
function simulate(conditions: Conditions): Row[] {
  const { seconds, pace = 1, jitterMs = 0, stallsMs = 0, without, stopped } = conditions;
  const backlog = new Backlog(0);
  let written = backlog.silence(0) * 10;
  let played = 0;
  const rows: Row[] = [];
  // Frames come 10 ms apart, and wait for those before them.
  const arrivals: number[] = [];
  for (let at = 0, index = 0; at < seconds * 1000; at += 10, index++) {
    const late = jitterMs * ((index * 7919) % 101) / 100;
    const isAway = without && at >= without.fromMs && at < without.toMs;
    if (isAway && !without.isStall) continue;
    const stalledMs = Math.max(stallsMs - at % 2000, 0);
    const dueMs = isAway ? without.toMs : at + late + stalledMs;
    arrivals.push(Math.max(dueMs, arrivals.at(-1) ?? 0));
  }
  for (let ms = 0; ms < seconds * 1000; ms++) {
    let left = 0;
    let filled = 0;
    while (arrivals[0]! <= ms) {
      arrivals.shift();
      if (backlog.takes(ms)) written += 10;
      else left++;
    }
    const isStopped = stopped && ms >= stopped.fromMs && ms < stopped.toMs;
    if (ms >= 100 && !isStopped) {
      // The device cannot play what is not there.
      played = Math.min(played + pace, written);
      if (ms % 30 === 10) backlog.heard(Math.round(played / 10) * 10, ms);
    }
    if (ms % 10 === 5) {
      filled = backlog.silence(ms);
      written += filled * 10;
    }
    const levelMs = ms >= 200 ? written - played : undefined;
    rows.push({ ms, levelMs, left, filled, isStill: backlog.isStill(ms) });
  }
  return rows;
}

/** The least and the most of the level from a moment on. */
function range(rows: readonly Row[], fromMs: number): { least: number; most: number } {
  const levels = rows.filter(({ ms }) => ms >= fromMs).map(({ levelMs }) => levelMs!);
  return { least: Math.min(...levels), most: Math.max(...levels) };
}

function total(rows: readonly Row[], what: "left" | "filled", fromMs = 0): number {
  return rows.reduce((sum, row) => sum + (row.ms >= fromMs ? row[what] : 0), 0);
}

test("Backlog begins with silence, and takes no frame until the clock starts", () => {
  const backlog = new Backlog(0);
  assertEquals(backlog.silence(0) * 10, GOOD_MS);
  assertEquals([backlog.silence(10), backlog.takes(10), backlog.levelMs(10)], [
    0,
    false,
    undefined,
  ]);
  backlog.heard(0, 100);
  assertEquals([backlog.levelMs(100), backlog.takes(100)], [GOOD_MS, true]);
  assertEquals(backlog.levelMs(110), GOOD_MS);
});

test("Backlog is good from the start, with nothing left out or filled later", () => {
  const rows = simulate({ seconds: 10 });
  const { least, most } = range(rows, 500);
  assertEquals([least >= LEAST_MS, most <= GOOD_MS + 30], [true, true], `${least} to ${most}`);
  assertEquals([total(rows, "left", 500), total(rows, "filled", 500)], [0, 0]);
});

test("Backlog does not grow with jitter, nor run dry", () => {
  const rows = simulate({ seconds: 60, jitterMs: 20 });
  const { least, most } = range(rows, 1000);
  assertEquals([least > 20, most <= MOST_MS + 20], [true, true], `${least} to ${most}`);
  // One correction a second would be heard as a crackle.
  assertEquals(total(rows, "left", 1000) + total(rows, "filled", 1000) <= 10, true);
});

test("Backlog stays within its limits with clocks that differ by 0.5 % and by 100 ppm", () => {
  for (const pace of [0.995, 1.005, 0.9999, 1.0001]) {
    const rows = simulate({ seconds: 60, pace });
    const { least, most } = range(rows, 1000);
    const text = `${pace}: ${least} to ${most}`;
    assertEquals([least > LEAST_MS - 20, most < MOST_MS + 20], [true, true], text);
  }
});

test("Backlog is short again after a stall whose frames come all at once", () => {
  const without = { fromMs: 2000, toMs: 2300, isStall: true };
  const rows = simulate({ seconds: 4, without });
  const { least, most } = range(rows, 2300);
  assertEquals([least > LEAST_MS - 20, most < MOST_MS + 20], [true, true], `${least} to ${most}`);
  assertEquals(total(rows, "left", 2300) > 20, true);
});

test("Backlog gives back what a short stall has left behind, in a few steps", () => {
  // Long enough for silence to fill it up, too short for its upper limit.
  const without = { fromMs: 2000, toMs: 2040, isStall: true };
  const rows = simulate({ seconds: 20, without });
  assertEquals(range(rows, 2100).most > GOOD_MS + 20, true, "the stall leaves nothing behind");
  const { least, most } = range(rows, 2000 + 3 * WATCHED_MS);
  assertEquals([least >= LEAST_MS, most <= GOOD_MS + 15], [true, true], `${least} to ${most}`);
  assertEquals(total(rows, "left", 2040 + 3 * WATCHED_MS), 0);
});

test("Backlog keeps as much as stalls need that come again and again", () => {
  const rows = simulate({ seconds: 60, stallsMs: 45 });
  // A stall that finds too little is filled up once, not each time.
  assertEquals(total(rows, "filled", 4000) <= 6, true, `${total(rows, "filled", 4000)}`);
});

test("Backlog is filled with silence while nothing comes", () => {
  const rows = simulate({ seconds: 8, without: { fromMs: 2000, toMs: 6000, isStall: false } });
  const { least, most } = range(rows, 1000);
  assertEquals([least > LEAST_MS - 20, most < MOST_MS], [true, true], `${least} to ${most}`);
  assertEquals(Math.abs(total(rows, "filled", 2000) * 10 - 4000) <= 50, true);
});

test("Backlog feeds a player that stands for a moment only", () => {
  const rows = simulate({ seconds: 6, stopped: { fromMs: 2000, toMs: 4500 } });
  // 100 ms of trust, one look and a frame.
  const { most } = range(rows, 1000);
  assertEquals(most < MOST_MS + 130, true, `${most}`);
  assertEquals(rows.some(({ isStill }) => isStill), false);
  // The present is heard afterwards.
  assertEquals(range(rows, 4800).most < MOST_MS + 20, true);
});

test("Backlog tells of a clock that stands, or never starts", () => {
  const stopped = { fromMs: 2000, toMs: 9000 };
  const still = simulate({ seconds: 9, stopped }).find(({ isStill }) => isStill)!.ms;
  assertEquals(Math.abs(still - 2000 - STILL_MS) <= 40, true, `${still}`);
  const never = simulate({ seconds: 5, stopped: { fromMs: 0, toMs: 9000 } });
  assertEquals(never.find(({ isStill }) => isStill)!.ms, STILL_MS + 1);
});
