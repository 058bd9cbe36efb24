/**
 * The age of the picture on a screen. Numbered pictures are written at their rate, and each is
 * looked for until the next one.
 */

import { pause } from "../../lib/clock.ts";
import type { VideoFormat } from "../../lib/frame/format.ts";
import { NUMBERS } from "../../tests/numbered.ts";
import { cpuSecondsOf, treeOf } from "../kit/processes.ts";
import type { Eye } from "./eye.ts";

/**
 * Milliseconds between two looks at the screen. A sighting is late by half of that at the median.
 */
const LOOK_MS = 3;

/** The number of pictures that have to be seen for a figure. */
const ENOUGH = 10;

/** The outcome of a bout of looking. */
export interface Seen {
  /** The age of each picture when it was first seen, in milliseconds. */
  readonly delaysMs: readonly number[];
  /** Seconds of processor time that the observed processes took meanwhile, for a minute. */
  readonly cpuSeconds: number;
}

/** The time to look, and the things to look at. */
export interface LookOptions {
  readonly format: VideoFormat;
  /** Seconds of first pictures that are not counted. */
  readonly settlesInSeconds: number;
  readonly seconds: number;
  /**
   * The number of pictures after which their numbers begin anew. As late as they can, if not given.
   */
  readonly numbers?: number;
  /** The processes whose time is counted, with all below them; none, if not given. */
  readonly pids?: readonly number[];
}

/** Something that numbered pictures are written to. */
export interface Writer extends AsyncDisposable {
  write(number: number): Promise<void>;
}

/** Writes numbered pictures at their rate, and notes the time until each is on the screen. */
export async function look(
  eye: Eye,
  write: Writer["write"],
  { format, settlesInSeconds, seconds, numbers = NUMBERS, pids = [] }: LookOptions,
): Promise<Seen> {
  const writtenMs = new Map<number, number>();
  const delaysMs: number[] = [];
  const startMs = performance.now();
  const settling = Math.round(settlesInSeconds * format.fps);
  const frames = Math.round((settlesInSeconds + seconds) * format.fps);
  let cpuBefore = 0;
  let shown: number | undefined;
  for (let count = 0; count < frames; count++) {
    if (count === settling) cpuBefore = await cpuSecondsBelow(pids);
    const number = count % numbers;
    writtenMs.set(number, performance.now());
    await write(number);
    const nextMs = startMs + (count + 1) * 1000 / format.fps;
    do {
      const seen = eye.number();
      const atMs = writtenMs.get(seen ?? -1);
      if (seen !== shown && seen !== undefined && atMs !== undefined) {
        shown = seen;
        if (count >= settling) delaysMs.push(performance.now() - atMs);
      }
      await pause(Math.max(Math.min(LOOK_MS, nextMs - performance.now()), 0));
    } while (performance.now() < nextMs);
  }
  if (delaysMs.length < ENOUGH) {
    throw new Error(`only ${delaysMs.length} pictures came to be seen in ${seconds} s`);
  }
  const cpuSeconds = (await cpuSecondsBelow(pids) - cpuBefore) * 60 / seconds;
  return { delaysMs, cpuSeconds };
}

async function cpuSecondsBelow(pids: readonly number[]): Promise<number> {
  const trees = await Promise.all(pids.map(treeOf));
  return await cpuSecondsOf(trees.flat());
}
