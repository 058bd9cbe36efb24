/** Mouth to ear: the time from a click at a microphone to the same click at a loudspeaker. */

import { pause } from "../../lib/clock.ts";
import type { Ear, TestMicrophone } from "./sound_server.ts";

/** The clicks to make. */
export interface ClickOptions {
  readonly count: number;
  /** Milliseconds between two of them: more than one takes, so that none is another's. */
  readonly apartMs?: number;
}

/** The clicks that were heard, and those that were not. */
export interface HeardClicks {
  /** Milliseconds from mouth to ear, of each that was heard. */
  readonly delaysMs: readonly number[];
  /** The number of the others. */
  readonly lost: number;
}

/**
 * Milliseconds by which clicks move on, one against the other. They must not always fall into the
 * same part of a picture, or of a frame of sound.
 */
const SHIFT_MS = 7;

/** The milliseconds between two pictures. */
const PICTURE_MS = 50;

/** Clicks at a microphone, and listens at a loudspeaker. */
export async function hearClicks(
  microphone: TestMicrophone,
  ear: Ear,
  { count, apartMs = 400 }: ClickOptions,
): Promise<HeardClicks> {
  const madeMs: number[] = [];
  for (let click = 0; click < count; click++) {
    madeMs.push(microphone.click());
    await pause(apartMs + click * SHIFT_MS % PICTURE_MS);
  }
  // A later click counts for none of these: the last one has had its time.
  const endsMs = [...madeMs.slice(1), performance.now()];
  const delaysMs = madeMs.flatMap((ms, click) => {
    const heardMs = ear.clicksMs.find((heard) => heard >= ms && heard < endsMs[click]!);
    return heardMs === undefined ? [] : [heardMs - ms];
  });
  return { delaysMs, lost: count - delaysMs.length };
}

/**
 * Clicks until one is heard, three times in a row: a call takes a while to begin. Throws if that
 * does not come to pass.
 */
export async function untilHeard(microphone: TestMicrophone, ear: Ear): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    const { lost } = await hearClicks(microphone, ear, { count: 3 });
    if (lost === 0) return;
  }
  throw new Error(`Cannot hear ${microphone.name} at ${ear.name}`);
}
