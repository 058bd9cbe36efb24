/** Rates for the live line, and spans of time for the summary of a call. */

import { nowUs } from "../clock.ts";

/** The figures that a meter reads. */
export interface Rates {
  /** Seconds since the meter began. */
  readonly seconds: number;
  /** Frames a second since the last reading. */
  readonly fps: number;
  /** Bytes a second since the last reading. */
  readonly bytesPerSecond: number;
}

/** Measures how quickly two counts grow. */
export class Meter {
  readonly #startUs = nowUs();
  #atUs = this.#startUs;
  #frames = 0;
  #bytes = 0;

  /** The rates since the last reading, given the counts until now. */
  read(frames: number, bytes: number): Rates {
    const atUs = nowUs();
    const tookSeconds = Math.max((atUs - this.#atUs) / 1e6, 0.001);
    const rates = {
      seconds: (atUs - this.#startUs) / 1e6,
      fps: (frames - this.#frames) / tookSeconds,
      bytesPerSecond: (bytes - this.#bytes) / tookSeconds,
    };
    this.#atUs = atUs;
    this.#frames = frames;
    this.#bytes = bytes;
    return rates;
  }
}

/** The span of time from the first frame to the last. */
export class Span {
  /** The time of the first frame. */
  firstUs: number | undefined;
  #endUs = 0;

  /** Adds a frame at that time, shown for so long. */
  add(atUs: number, forUs: number): void {
    this.firstUs ??= atUs;
    this.#endUs = atUs + forUs;
  }

  /** Seconds from the first frame to the end of the last. */
  get seconds(): number {
    return this.firstUs === undefined ? 0 : (this.#endUs - this.firstUs) / 1e6;
  }
}
