/** Mouth to ear: the time from a click at a microphone to the same click at a loudspeaker. */

import { pause } from "../../lib/clock.ts";
import type { Ear, TestMicrophone } from "./sound_server.ts";

/** The clicks to make. */
export interface ClickOptions {
  readonly count: number;
  /** Milliseconds between two of them, at least. */
  readonly apartMs?: number;
  /**
   * Milliseconds for which each is waited for: more than one takes, so that none is another's. The
   * time between two if not given.
   */
  readonly patienceMs?: number;
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

/** Milliseconds between two looks for a click that takes its time. */
const LOOK_MS = 20;

/** Clicks at a microphone, and listens at a loudspeaker. */
export async function hearClicks(
  microphone: TestMicrophone,
  ear: Ear,
  { count, apartMs = 400, patienceMs = apartMs }: ClickOptions,
): Promise<HeardClicks> {
  const delaysMs: number[] = [];
  for (let click = 0; click < count; click++) {
    const madeMs = microphone.click();
    const shiftedMs = click * SHIFT_MS % PICTURE_MS;
    await pause(apartMs + shiftedMs);
    const heard = (): number | undefined => ear.clicksMs.find((ms) => ms >= madeMs);
    while (heard() === undefined && performance.now() - madeMs < patienceMs) await pause(LOOK_MS);
    const heardMs = heard();
    if (heardMs !== undefined) delaysMs.push(heardMs - madeMs);
  }
  return { delaysMs, lost: count - delaysMs.length };
}

/**
 * Clicks until three are heard in a row: a call takes a while to begin. Throws if that does not
 * come to pass.
 */
export async function untilHeard(
  microphone: TestMicrophone,
  ear: Ear,
  options: Omit<ClickOptions, "count"> = {},
): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    const { lost } = await hearClicks(microphone, ear, { count: 3, ...options });
    if (lost === 0) return;
  }
  throw new Error(`Cannot hear ${microphone.name} at ${ear.name}`);
}
