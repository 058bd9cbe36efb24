/** Programs of ours below the shells that tell their time, watched until they end. */

import { within } from "../../lib/clock.ts";
import { cpuSecondsOf, peakBytes, treeOf } from "../kit/processes.ts";
import type { Running } from "../kit/running.ts";

/** Milliseconds between two looks. */
const SAMPLE_MS = 200;

/** A program in the state of the last look. */
export interface Watched {
  /** Seconds of processor time, without its children. */
  readonly own: number;
  /** The most memory it has had, in MB. */
  readonly peak: number;
}

/** Watches the program below each shell until the end. */
export async function watchPrograms(
  shells: readonly Running[],
  ended: Promise<unknown>,
): Promise<Watched[]> {
  let over = false;
  ended.finally(() => over = true).catch(() => {});
  let seen: Watched[] = shells.map(() => ({ own: 0, peak: 0 }));
  while (!over) {
    seen = await Promise.all(seen.map((before, index) => look(shells[index]!, before)));
    await within(ended, SAMPLE_MS);
  }
  return seen;
}

async function look(shell: Running, before: Watched): Promise<Watched> {
  const [, pid] = await treeOf(shell.pid);
  if (pid === undefined) return before;
  return {
    own: Math.max(before.own, await cpuSecondsOf([pid])),
    peak: Math.max(before.peak, await peakBytes(pid).catch(() => 0) / 1e6),
  };
}
