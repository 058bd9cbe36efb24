/**
 * The goal of each figure, and the verdict on it. The table is the whole of this project's
 * promises. Pure.
 */

import { formatNumber } from "./figure.ts";
import { OURS, type Row } from "./section.ts";

/** The goal for our median: a bound of its own, or one beside a contender's. */
export interface Goal {
  /** The contender, or the best of the others. On its own, if not given. */
  readonly beside?: string;
  /** A bound. It is a multiple of the contender's figure, if there is one. */
  readonly atMost?: number;
  readonly atLeast?: number;
  /** The most that it may lie above the contender's figure, in the unit of the row. */
  readonly atMostAbove?: number;
}

/** The contenders that goals are set beside. */
export const FLOOR = "bytes copied";
export const REPORT = "report's method";
export const FFMPEG = "ffmpeg alone";
export const PAIR = "ffmpeg pair";
export const OPPOSITE = "two calls one way";
export const ONE_WAY = "one way";
export const CLEAR = "in the clear";
export const SILENT = "without sound";
export const TALK_PAIRS = "ffmpeg and ffplay, both ways";

/** The contender with the least figure of all others. */
const BEST = "the best of them";

const MEDIAN_DELAY: readonly Goal[] = [{ atMost: 20 }];
const LATE_DELAY: readonly Goal[] = [{ atMost: 40 }];
const WIRE: readonly Goal[] = [
  { beside: FLOOR, atLeast: 0.8 },
  { beside: REPORT, atLeast: 8 },
];
const PROCESSOR: readonly Goal[] = [{ beside: REPORT, atMost: 1 }];
const HD_DELAY: readonly Goal[] = [
  { atMost: 40 },
  // A frame, at 30 a second.
  { beside: BEST, atMostAbove: 33 },
];

/** One program an end, not two. The work of their children is the same. */
const TWO_WAY_CPU: readonly Goal[] = [{ beside: OPPOSITE, atMost: 1 }];
const TWO_WAY_OWN: readonly Goal[] = [{ beside: OPPOSITE, atMost: 0.8 }];
const TWO_WAY_DELAY: readonly Goal[] = [{ beside: ONE_WAY, atMostAbove: 5 }];

/** By the `id` of a row. Rows that are not here are told for comparison. */
export const GOALS: Readonly<Record<string, readonly Goal[]>> = {
  "delay.wire.20.median": MEDIAN_DELAY,
  "delay.wire.20.p95": LATE_DELAY,
  "delay.wire.30.median": MEDIAN_DELAY,
  "delay.wire.30.p95": LATE_DELAY,
  "delay.long.median": MEDIAN_DELAY,
  "delay.long.p95": LATE_DELAY,
  "hd.h264.median": HD_DELAY,
  "hd.h264.recorded.median": [{ atMost: 40 }],
  "hd.mjpeg.median": HD_DELAY,
  "hd.mjpeg.recorded.median": [{ atMost: 40 }],
  "sender.20.median": [{ atMost: 5 }],
  "sender.30.median": [{ atMost: 5 }],
  "wire.plain": WIRE,
  "wire.call": WIRE,
  "cpu.unseen": PROCESSOR,
  "cpu.windows": PROCESSOR,
  "memory.server": [{ atMost: 90 }],
  "memory.client": [{ atMost: 90 }],
  "memory.server.growth": [{ atMost: 5 }],
  "memory.client.growth": [{ atMost: 5 }],
  "two-way.240.cpu": TWO_WAY_CPU,
  "two-way.240.own": TWO_WAY_OWN,
  "two-way.240.memory": [{ atMost: 110 }],
  "two-way.720.cpu": TWO_WAY_CPU,
  "two-way.720.own": TWO_WAY_OWN,
  "two-way.720.memory": [{ atMost: 110 }],
  "two-way.delay.server.median": TWO_WAY_DELAY,
  "two-way.delay.client.median": TWO_WAY_DELAY,
  "private.rate": [{ beside: CLEAR, atLeast: 0.2 }, { atLeast: 2000 }],
  "private.delay": [{ beside: CLEAR, atMostAbove: 1 }],
  // Within a machine a round trip takes no time.
  "private.beginning": [{ beside: CLEAR, atMostAbove: 10 }],
  "private.cpu.raw": [{ beside: CLEAR, atMostAbove: 1 }],
  "private.cpu.h264": [{ beside: CLEAR, atMostAbove: 0.2 }],
  "sound.loopback.median": [{ atMost: 90 }],
  "sound.loopback.p95": [{ atMost: 130 }],
  "sound.20.median": [{ atMost: 120 }],
  "sound.5.median": [{ atMost: 120 }],
  "sound.1.median": [{ atMost: 180 }],
  "sound.stall": [{ atMost: 1000 }],
  "sound.long.growth": [{ atMost: 20 }],
  "sound.long.silence": [{ atMost: 0.5 }],
  "sound.cpu": [{ beside: SILENT, atMost: 1.35 }],
  "sound.memory": [{ atMost: 110 }],
  "calls": [{ atLeast: 16 }],
  "calls.burst": [{ atLeast: 16 }],
  "first.pixel": [{ atMost: 1000 }],
};

/** A goal held against a row. */
export interface Verdict {
  /** The goal in words. */
  readonly text: string;
  /** Our figure as a multiple of the contender's, if there is one. */
  readonly ratio: number | undefined;
  /** True if it is met. It is `undefined` if the contender gave no figure. */
  readonly met: boolean | undefined;
}

/** Holds a row against its goals. */
export function judge(row: Row): Verdict[] {
  return (GOALS[row.id] ?? []).map((goal) => judgeOne(row, goal));
}

function judgeOne({ figures, unit }: Row, goal: Goal): Verdict {
  const { beside, atMost, atLeast, atMostAbove } = goal;
  const ours = figures[OURS]?.median;
  const theirs = beside === BEST ? leastOfOthers(figures) : figures[beside ?? ""]?.median;
  const both = ours === undefined || theirs === undefined ? undefined : { ours, theirs };
  const ratio = both && both.ours / both.theirs;
  const [value, of] = beside === undefined
    ? [ours, unit]
    : atMostAbove === undefined
    ? [ratio, `× ${beside}`]
    : [both && both.ours - both.theirs, `${unit} above ${beside}`];
  const bound = atMost ?? atLeast ?? atMostAbove ?? 0;
  const text = `${atLeast === undefined ? "at most" : "at least"} ${formatNumber(bound)} ${of}`;
  const isMet = (value: number): boolean => atLeast === undefined ? value <= bound : value >= bound;
  return { text, ratio, met: value === undefined ? undefined : isMet(value) };
}

function leastOfOthers(figures: Row["figures"]): number | undefined {
  const others = Object.entries(figures).filter(([name]) => name !== OURS);
  return others.length === 0 ? undefined : Math.min(...others.map(([, { median }]) => median));
}
