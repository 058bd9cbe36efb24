/**
 * The backlog of a loudspeaker, held steady. Pure: it is told the time, and it writes nothing.
 *
 * **Terms.** The backlog is the sound that was written to the player and that the player's clock
 * has not reached. The clock counts two buffers of the device as played: what is
 * written at a backlog of 70 ms is heard 42 to 73 ms later (measured).
 *
 * **Goal.** Every frame is heard at the same short distance from its writing. Left alone, the
 * distance is a matter of luck at the start (38 to 140 ms, measured), and each stall and each
 * drift between the clocks of two machines moves it.
 *
 * **Means.** The player is given a bit of silence, and nothing more until its clock starts. From
 * then on the backlog lies between two limits. Above the upper one, frames are left out until it is
 * good again. Below the lower one, silence fills it up: the device never runs dry, also if the peer
 * is muted. A stall leaves more behind than it needs: silence has filled it up, and then the late
 * frames come. So the least level of each few seconds is looked at. All of it that was never needed
 * is left out.
 *
 * **Limits.** The clock comes each 30 ms, in steps of 10 ms: a mean of some readings counts. Between
 * two readings it is taken to run, but not for long: a player that is stopped must not be fed
 * without end.
 */

import { SOUND_FRAME_MS } from "../frame/format.ts";

/** Milliseconds of backlog that is good: that of the start, and after every correction. */
export const GOOD_MS = 70;

/** The most milliseconds of backlog. */
export const MOST_MS = 110;

/** The least milliseconds of backlog. */
export const LEAST_MS = 50;

/** Milliseconds for which the least level is looked at. */
export const WATCHED_MS = 3000;

/** The most milliseconds that the least level is to be. */
export const CALM_MS = 60;

/** Milliseconds after which a clock that stands is one: its device is gone. */
export const STILL_MS = 3000;

/** The readings of the clock whose mean counts: one alone is 5 ms wrong, or late. */
const AVERAGED = 4;

/** Milliseconds between two readings, beyond those between their times, that mean a stop. */
const JUMP_MS = 30;

/** Milliseconds for which the clock is taken to run without a reading. */
const TRUSTED_MS = 100;

/** The backlog of one player, in milliseconds of a clock that never goes back. */
export class Backlog {
  readonly #leads: number[] = [];
  #writtenMs = 0;
  #clockMs: number | undefined;
  #heardMs: number;
  #movedMs: number;
  // The first frames bring the level of the start down to the good one.
  #leavesOut = true;
  /** The least level of late, since when, and the frames that are left out because of it. */
  #leastMs = Infinity;
  #leastSinceMs: number;
  #surplus = 0;

  /** The backlog of a player that was started just now. */
  constructor(nowMs: number) {
    this.#heardMs = nowMs;
    this.#movedMs = nowMs;
    this.#leastSinceMs = nowMs;
  }

  /** Hears the player's clock. */
  heard(clockMs: number, nowMs: number): void {
    if (clockMs !== this.#clockMs) this.#movedMs = nowMs;
    this.#clockMs = clockMs;
    this.#heardMs = nowMs;
    const lead = clockMs - nowMs;
    // After a stop, the readings from before it are worth nothing.
    if (Math.abs(lead - (this.#leads.at(-1) ?? lead)) > JUMP_MS) this.#leads.length = 0;
    this.#leads.push(lead);
    if (this.#leads.length > AVERAGED) this.#leads.shift();
  }

  /** True if a frame is to be written. It counts as written then. */
  takes(nowMs: number): boolean {
    const level = this.levelMs(nowMs);
    if (level === undefined) return false;
    if (level > MOST_MS) this.#leavesOut = true;
    else if (level <= GOOD_MS) this.#leavesOut = false;
    this.#watch(level, nowMs);
    const isLeftOut = this.#leavesOut || this.#surplus > 0;
    if (this.#surplus > 0) this.#surplus--;
    if (!isLeftOut) this.#writtenMs += SOUND_FRAME_MS;
    return !isLeftOut;
  }

  /** Looks at the least level of a while. */
  #watch(level: number, nowMs: number): void {
    // A level that is being brought down says nothing of what is needed.
    if (this.#leavesOut || this.#surplus > 0) return this.#beginWatch(nowMs);
    this.#leastMs = Math.min(this.#leastMs, level);
    if (nowMs - this.#leastSinceMs < WATCHED_MS) return;
    this.#surplus = Math.max(Math.floor((this.#leastMs - CALM_MS) / SOUND_FRAME_MS), 0);
    this.#beginWatch(nowMs);
  }

  #beginWatch(nowMs: number): void {
    this.#leastMs = Infinity;
    this.#leastSinceMs = nowMs;
  }

  /** The number of frames of silence that are to be written now. They count as written then. */
  silence(nowMs: number): number {
    const level = this.#writtenMs === 0 ? 0 : this.levelMs(nowMs) ?? GOOD_MS;
    if (level >= LEAST_MS) return 0;
    this.#beginWatch(nowMs);
    const frames = Math.ceil((GOOD_MS - level) / SOUND_FRAME_MS);
    this.#writtenMs += frames * SOUND_FRAME_MS;
    return frames;
  }

  /** Milliseconds of backlog; `undefined` until the clock starts. */
  levelMs(nowMs: number): number | undefined {
    if (this.#leads.length === 0) return undefined;
    const lead = this.#leads.reduce((sum, one) => sum + one) / this.#leads.length;
    const clockMs = lead + Math.min(nowMs, this.#heardMs + TRUSTED_MS);
    // The clock cannot have passed what was written.
    return Math.max(this.#writtenMs - clockMs, 0);
  }

  /** True if the clock has stood too long, or has not begun in that time. */
  isStill(nowMs: number): boolean {
    return nowMs - this.#movedMs > STILL_MS;
  }
}
