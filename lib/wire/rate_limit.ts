/**
 * The bound on the frames of a peer, by the rate that it has announced. A frame of three bytes
 * costs the network nothing, and this program as much as any other. Without a bound, anybody could
 * keep the program busy with such frames.
 *
 * ```
 *  room for frames:  10 s of the announced rate at first and at most
 *                    each frame takes one, each second brings 4 s of the rate
 * ```
 *
 * A link that was down delivers seconds of frames at once, and clocks differ. Neither comes near
 * the bound.
 *
 * Pure: the caller hands in the time.
 */

import { ProtocolError } from "../errors.ts";

/** The multiple of the announced rate that may come for good. */
const MAX_PACE = 4;

/** Seconds of the announced rate that may come at once. */
const BURST_SECONDS = 10;

/**
 * The frames that may come at once whatever the rate. At one frame a second, ten frames come
 * together soon.
 */
const LEAST_BURST = 100;

/** The rate of a peer that announces none. No camera and no screen has it. */
export const UNANNOUNCED_FPS = 250;

/** Counts the frames of one peer. */
export class RateLimit {
  readonly #fps: number;
  readonly #what: string;
  readonly #burst: number;
  readonly #startMs: number;
  #room: number;
  #atMs: number;

  /**
   * A peer that announced `fps` frames a second and begins to send now. `what` names the things
   * that it sends.
   */
  constructor(fps: number, nowMs: number, what = "frames") {
    this.#fps = fps;
    this.#what = what;
    this.#burst = Math.max(fps * BURST_SECONDS, LEAST_BURST);
    this.#startMs = nowMs;
    this.#atMs = nowMs;
    this.#room = this.#burst;
  }

  /** Counts a frame that has come. Throws `ProtocolError` if there are far too many. */
  count(nowMs: number): void {
    const pace = this.#fps * MAX_PACE;
    this.#room = Math.min(this.#room + (nowMs - this.#atMs) / 1000 * pace, this.#burst) - 1;
    this.#atMs = nowMs;
    if (this.#room >= 0) return;
    throw new ProtocolError(`${this.#what} come faster than ${Math.round(pace)} a second`);
  }

  /**
   * The most frames that a peer can have made until now at its announced rate, with a burst at the
   * beginning.
   */
  most(nowMs: number): number {
    return Math.floor(this.#burst + (nowMs - this.#startMs) / 1000 * this.#fps);
  }
}
