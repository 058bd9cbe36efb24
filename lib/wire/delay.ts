/**
 * The delay of a call: the age of a picture when the server has it, told alike at both ends.
 *
 * Terms: the age of a frame is its arrival less its capture, on one clock. The shift is the
 * remaining error of the clock of its capture.
 *
 * Goal: an age that is right within some 10 ms, or a tenth of itself, for as long as a call may
 * last.
 *
 * Means: the clocks of two machines are compared once, before the call, by a question and its
 * answer. The time that the answer took, less the server's time to think, is split in half: one
 * half for each way. From then on the client stamps its frames by the server's clock. Clocks run
 * apart by up to 200 millionths, 0.7 s in an hour, and so does the age. The least age of each ten
 * seconds tells such a drift from a change of the network. A little change of it is a drift: the
 * shift follows it, no quicker than clocks run. A larger one is a change of the network, and is
 * believed.
 *
 * Limits: if the way there is longer than the way back, half of the difference counts as age. A
 * network that gets slower as steadily as a bad clock is taken for one.
 *
 * Pure: the caller hands in the time.
 */

/**
 * A question and its answer. Each moment is in microseconds on the clock of the end that notes it.
 */
export interface ClockComparison {
  /** The client asks. */
  readonly askedUs: number;
  /** The server has the question. */
  readonly heardUs: number;
  /** The server answers. */
  readonly answeredUs: number;
  /** The client has the answer. */
  readonly gotUs: number;
}

/** Microseconds over which the least age is taken. */
const WATCHED_US = 10_000_000;

/**
 * The quickest pace of the shift, as a part of the time: the drift of two bad clocks, and some of
 * the noise upon it.
 */
const FOLLOWED = 300e-6;

/**
 * Microseconds, and the part of itself, that the least age may stray before the network counts as
 * changed.
 */
const STRAY_US = 10_000;
const STRAY_PART = 0.1;

/**
 * The limits of an age in microseconds. Beyond them the clocks are not what the peer said, or one
 * of them stood still.
 */
const LEAST_AGE_US = -1_000_000;
const MOST_AGE_US = 60_000_000;

/** Microseconds for which the past counts in a mean. */
const MEMORY_US = 1_000_000;

/**
 * Compares two clocks: the lead of the server's over the client's, and the time of a message there
 * and back, in microseconds.
 */
export function compareClocks(
  { askedUs, heardUs, answeredUs, gotUs }: ClockComparison,
): { readonly aheadUs: number; readonly roundTripUs: number } {
  const roundTripUs = Math.max((gotUs - askedUs) - (answeredUs - heardUs), 0);
  return { aheadUs: answeredUs + roundTripUs / 2 - gotUs, roundTripUs };
}

/**
 * The ages of frames whose capture is told on this machine's clock, as exactly as a peer can know
 * it.
 */
export class FrameAges {
  #shiftUs = 0;
  #levelUs: number | undefined;
  #leastUs = Infinity;
  #sinceUs: number | undefined;

  /** The age of a frame in microseconds, never below zero. Nothing if it cannot be known. */
  age(captureUs: number, arrivalUs: number): number | undefined {
    const toldUs = arrivalUs - captureUs - this.#shiftUs;
    if (!(toldUs >= LEAST_AGE_US && toldUs <= MOST_AGE_US)) return undefined;
    // No frame arrives before it was captured.
    const ageUs = Math.max(toldUs, 0);
    this.#shiftUs += toldUs - ageUs;
    this.#watch(ageUs, arrivalUs);
    return ageUs;
  }

  #watch(ageUs: number, arrivalUs: number): void {
    this.#sinceUs ??= arrivalUs;
    this.#leastUs = Math.min(this.#leastUs, ageUs);
    const tookUs = arrivalUs - this.#sinceUs;
    if (tookUs < WATCHED_US) return;
    this.#levelUs ??= this.#leastUs;
    const strayUs = this.#leastUs - this.#levelUs;
    if (Math.abs(strayUs) > Math.max(STRAY_US, this.#levelUs * STRAY_PART)) {
      this.#levelUs = this.#leastUs;
    } else {
      const mostUs = tookUs * FOLLOWED;
      this.#shiftUs += Math.max(Math.min(strayUs, mostUs), -mostUs);
    }
    this.#leastUs = Infinity;
    this.#sinceUs = arrivalUs;
  }
}

/** The mean of a figure over the last second or so, which a person can read. */
export class RecentMean {
  #mean: number | undefined;
  #atUs = 0;

  /** The mean. Nothing before the first value. */
  get value(): number | undefined {
    return this.#mean;
  }

  /** Takes a value in. */
  add(value: number, atUs: number): void {
    const weight = 1 - Math.exp(-Math.max(atUs - this.#atUs, 0) / MEMORY_US);
    this.#mean = this.#mean === undefined ? value : this.#mean + (value - this.#mean) * weight;
    this.#atUs = atUs;
  }

  /** Forgets its values, if the figure can no longer be told. */
  clear(): void {
    this.#mean = undefined;
  }
}
