/** What is wanted of each figure, and whether it is so. The table is the whole of what this project promises. Pure. */

import { formatNumber } from "./figure.ts";
import { OURS, type Row } from "./section.ts";

/** What is wanted of our median: a bound of its own, or one beside a contender's. */
export interface Goal {
  /** Beside whose figure; on its own, if not given. */
  readonly beside?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** The contenders that goals are set beside. */
export const FLOOR = "bytes copied";
export const REPORT = "report's method";
export const FFMPEG = "ffmpeg alone";
export const PAIR = "ffmpeg pair";

const MEDIAN_DELAY: readonly Goal[] = [{ atMost: 20 }];
const LATE_DELAY: readonly Goal[] = [{ atMost: 40 }];
const WIRE: readonly Goal[] = [
  { beside: FLOOR, atLeast: 0.8 },
  { beside: REPORT, atLeast: 8 },
];
const PROCESSOR: readonly Goal[] = [
  { beside: PAIR, atMost: 1.2 },
  { beside: REPORT, atMost: 1 },
];

/** By the `id` of a row. Rows that are not here are told for comparison. */
export const GOALS: Readonly<Record<string, readonly Goal[]>> = {
  "delay.wire.20.median": MEDIAN_DELAY,
  "delay.wire.20.p95": LATE_DELAY,
  "delay.wire.30.median": MEDIAN_DELAY,
  "delay.wire.30.p95": LATE_DELAY,
  "delay.long.median": MEDIAN_DELAY,
  "delay.long.p95": LATE_DELAY,
  "sender.20.median": [{ atMost: 5 }],
  "sender.30.median": [{ atMost: 5 }],
  "wire.plain": WIRE,
  "wire.call": WIRE,
  "recording": [{ beside: FFMPEG, atLeast: 0.9 }],
  "cpu.unseen": PROCESSOR,
  "cpu.windows": PROCESSOR,
  "memory.server": [{ atMost: 90 }],
  "memory.client": [{ atMost: 90 }],
  "memory.server.growth": [{ atMost: 5 }],
  "memory.client.growth": [{ atMost: 5 }],
  "calls": [{ atLeast: 16 }],
  "calls.burst": [{ atLeast: 16 }],
  "first.pixel": [{ atMost: 1000 }],
};

/** A goal held against a row. */
export interface Verdict {
  /** The goal in words. */
  readonly text: string;
  /** Our figure as a multiple of the contender's, where there is one. */
  readonly ratio: number | undefined;
  /** Whether it is met; `undefined` where the contender gave no figure. */
  readonly met: boolean | undefined;
}

/** Holds a row against its goals. */
export function judge(row: Row): Verdict[] {
  return (GOALS[row.id] ?? []).map((goal) => judgeOne(row, goal));
}

function judgeOne({ figures, unit }: Row, { beside, atMost, atLeast }: Goal): Verdict {
  const ours = figures[OURS]?.median;
  const theirs = beside === undefined ? undefined : figures[beside]?.median;
  const words = atMost === undefined ? "at least" : "at most";
  const bound = atMost ?? atLeast ?? 0;
  const text = beside === undefined
    ? `${words} ${formatNumber(bound)} ${unit}`
    : `${words} ${formatNumber(bound)} × ${beside}`;
  const ratio = ours === undefined || theirs === undefined ? undefined : ours / theirs;
  const value = beside === undefined ? ours : ratio;
  const met = value === undefined
    ? undefined
    : value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity);
  return { text, ratio, met };
}
