/**
 * How many frames a peer may send, by the rate that it has announced. A frame of three bytes costs the network nothing and
 * this program as much as any other: without a bound, anybody could keep it busy with them.
 *
 * ```
 *  room for frames:  10 s of the announced rate at first and at most; each frame takes one, each second brings 4 s of it
 * ```
 *
 * A link that was down delivers seconds of frames at once, and clocks differ: neither comes near the bound.
 *
 * Pure: the caller hands in the time.
 */

import { ProtocolError } from "../errors.ts";

/** How many times the announced rate may come for good. */
const MAX_PACE = 4;

/** How many seconds of the announced rate may come at once. */
const BURST_SECONDS = 10;

/** As many may come at once whatever the rate: at one frame a second, ten are soon there. */
const LEAST_BURST = 100;

/** The rate that stands for an announced one where a peer announces none: no camera and no screen has it. */
export const UNANNOUNCED_FPS = 250;

/** Counts the frames of one peer. */
export class RateLimit {
  readonly #fps: number;
  readonly #what: string;
  readonly #burst: number;
  readonly #startMs: number;
  #room: number;
  #atMs: number;

  /** A peer that announced `fps` frames a second, or whatever else they are, and begins to send now. */
  constructor(fps: number, nowMs: number, what = "frames") {
    this.#fps = fps;
    this.#what = what;
    this.#burst = Math.max(fps * BURST_SECONDS, LEAST_BURST);
    this.#startMs = nowMs;
    this.#atMs = nowMs;
    this.#room = this.#burst;
  }

  /** Counts a frame that has come. Throws `ProtocolError` where it is far too many. */
  count(nowMs: number): void {
    const pace = this.#fps * MAX_PACE;
    this.#room = Math.min(this.#room + (nowMs - this.#atMs) / 1000 * pace, this.#burst) - 1;
    this.#atMs = nowMs;
    if (this.#room >= 0) return;
    throw new ProtocolError(`${this.#what} come faster than ${Math.round(pace)} a second`);
  }

  /** The most frames that a peer can have made until now at its announced rate, a burst in front included. */
  most(nowMs: number): number {
    return Math.floor(this.#burst + (nowMs - this.#startMs) / 1000 * this.#fps);
  }
}
