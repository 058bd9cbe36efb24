/**
 * Tells when sound was taken that comes through a pipe. Pure.
 *
 * Terms: a frame of sound is `late` by the time between its making and its reading. Only the least
 * late frames tell the truth. The others waited for a busy processor, or for the rest of a large
 * packet.
 *
 * Goal: the times of a microphone's frames are 10 ms apart, as the sound is, and old sound is
 * recognised. A reader that was stopped gets all that it missed at once. Nobody wants to hear it.
 *
 * Means: each frame is expected 10 ms after the one before it. A frame that comes earlier than that
 * corrects the expectation at once. One that comes later corrects it by a thousandth, which is more
 * than the clocks of sound cards are apart. A frame that comes later than `MAX_LATE_US` was in the
 * pipe, or there is a hole before it. Frames are then old until one has to be waited for. So are the
 * first ones: they may have waited for somebody who takes them.
 *
 * Limits: a hole costs one frame, and so does the beginning.
 */

import { SOUND_FRAME_MS } from "../frame/format.ts";

const FRAME_US = SOUND_FRAME_MS * 1000;

/** Microseconds after which sound is too old to be heard. */
const MAX_LATE_US = 150_000;

/** Microseconds by which the clock of a sound card may be slower, in each frame. */
const DRIFT_US = FRAME_US / 1000;

/** The clock of one microphone. */
export class ArrivalClock {
  #expectedUs = Infinity;
  #isOld = true;

  /**
   * The time at which the sound of a frame began, or nothing if the frame is old. It was asked for
   * and came at these times.
   */
  captureUs(askedUs: number, cameUs: number): number | undefined {
    const latestUs = cameUs - FRAME_US;
    if (this.#isOld && cameUs - askedUs >= FRAME_US / 2) {
      this.#isOld = false;
      this.#expectedUs = latestUs;
    } else if (this.#isOld || latestUs - this.#expectedUs > MAX_LATE_US) {
      this.#isOld = true;
      return undefined;
    }
    const captureUs = Math.min(latestUs, this.#expectedUs + DRIFT_US);
    this.#expectedUs = captureUs + FRAME_US;
    return captureUs;
  }
}
