/** Rates for the live line: frames and bytes a second since they were last read. */

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
