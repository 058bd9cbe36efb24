/**
 * Where each frame belongs in a recording of constant rate. A recording lasts as long as the call did: a gap is filled
 * by repeating the frame before it, a sender faster than the recording is thinned, and in between every frame is there
 * once, in order.
 *
 * ```
 *  time of frame, in slots:  0    1    2         4.6    5
 *  slot it is written to:    0    1    2    (3)  4      5        (3) repeats 2
 * ```
 *
 * A frame may stray one slot from its place to either side, so that jitter neither repeats nor thins. Where the times
 * are those of arrival, a late frame alone does not tell a pause of the sender from a delay of the network; what comes
 * after it does. It is held for a moment: if those behind it follow at once, all of them were only delayed.
 *
 * Pure: the caller hands in the time, and calls `settle` when the moment is over.
 */

/** An item and how many slots before it are to be filled with its predecessor. */
export interface Placed<T> {
  /** What was pushed. */
  readonly item: T;
  /** Slots before it that its predecessor fills. */
  readonly repeatsBefore: number;
}

/** How far a frame may stray from its slot, in slots. */
const SLACK = 1;

/** A frame that follows the one before within this part of a slot comes from a jam, not from a camera. */
const BURST = 0.5;

/**
 * A capture clock that runs away from the clock of arrival by more than this, in microseconds, was set anew: a peer that
 * is silent for that long is lost anyway.
 */
const MAX_SKEW_US = 5_000_000;

/**
 * The time of a frame in its recording. The sender's clock says how far apart frames are; ours bounds what it may claim.
 */
class CallClock {
  #originUs: number | undefined;
  #offsetUs = 0;

  /** Microseconds since the first frame of a frame captured at `timeUs` that arrived at `arrivalUs`. */
  since(timeUs: number, arrivalUs: number): number {
    const offsetUs = arrivalUs - timeUs;
    if (this.#originUs === undefined) {
      this.#originUs = arrivalUs;
      this.#offsetUs = offsetUs;
    } else if (Math.abs(offsetUs - this.#offsetUs) > MAX_SKEW_US) {
      this.#offsetUs = offsetUs;
    }
    return timeUs + this.#offsetUs - this.#originUs;
  }
}

/** Frames in, frames and repeats out. */
export class Timeline<T> {
  readonly #fps: number;
  readonly #stamps: "capture" | "arrival";
  readonly #clock = new CallClock();
  #slots = 0;
  #thinned = 0;
  #lastSlotTime = 0;
  #held: { readonly item: T; readonly at: number }[] = [];

  /**
   * A line of `fps` slots a second. `stamps` says what the times are: of `capture`, which are exact, or of `arrival`,
   * which networks delay.
   */
  constructor(fps: number, stamps: "capture" | "arrival") {
    this.#fps = fps;
    this.#stamps = stamps;
  }

  /** How many slots are filled, the repeats among them. */
  get slots(): number {
    return this.#slots;
  }

  /** How many frames were left out because the sender is faster than the recording. */
  get thinned(): number {
    return this.#thinned;
  }

  /** How many frames are held until `settle`. */
  get held(): number {
    return this.#held.length;
  }

  /** Whether frames are held until `settle`. */
  get unsettled(): boolean {
    return this.held > 0;
  }

  /** Milliseconds after the last frame at which `settle` wants to be called, while `unsettled`. */
  get settleMs(): number {
    return 1500 / this.#fps;
  }

  /**
   * Takes a frame in. `timeUs` is its time, `arrivalUs` the moment it arrived on a clock that never goes back, both in
   * microseconds. Resolves to what is to be written now, in order.
   */
  push(item: T, timeUs: number, arrivalUs: number): Placed<T>[] {
    const at = this.#slotTime(timeUs, arrivalUs);
    const sinceLast = at - this.#lastSlotTime;
    this.#lastSlotTime = at;
    if (this.#held.length > 0) {
      if (sinceLast >= BURST) return [...this.settle(), ...this.#place(item, at)];
      this.#held.push({ item, at });
      const caughtUp = at - (this.#slots + this.#held.length - 1) <= SLACK;
      return caughtUp ? this.settle() : [];
    }
    if (this.#stamps === "arrival" && at - this.#slots > SLACK) {
      this.#held.push({ item, at });
      return [];
    }
    return this.#place(item, at);
  }

  /** Places what is held: nothing more came, or enough. */
  settle(): Placed<T>[] {
    const held = this.#held;
    const last = held[held.length - 1];
    if (!last) return [];
    this.#held = [];
    // All that is held arrived together; the last of them is the most recent, so its lag is the true one.
    const repeatsBefore = this.#lag(last.at - (held.length - 1));
    this.#slots += repeatsBefore + held.length;
    return held.map(({ item }, index) => ({
      item,
      repeatsBefore: index === 0 ? repeatsBefore : 0,
    }));
  }

  /** How many times the last frame must be repeated for the line to reach this moment, given as `push` takes them. */
  repeatsUntil(timeUs: number, arrivalUs: number): number {
    if (this.#slots === 0) return 0;
    const repeats = Math.max(Math.round(this.#slotTime(timeUs, arrivalUs)) - this.#slots, 0);
    this.#slots += repeats;
    return repeats;
  }

  #place(item: T, at: number): Placed<T>[] {
    if (at < this.#slots - SLACK - 1e-6) {
      this.#thinned++;
      return [];
    }
    const repeatsBefore = this.#lag(at);
    this.#slots += repeatsBefore + 1;
    return [{ item, repeatsBefore }];
  }

  /** Slots that stay empty when the next frame belongs at `at`. */
  #lag(at: number): number {
    if (this.#slots === 0) return 0;
    const lag = at - this.#slots;
    return lag > SLACK + 1e-6 ? Math.round(lag) : 0;
  }

  /** A time as a number of slots since the first frame. */
  #slotTime(timeUs: number, arrivalUs: number): number {
    return this.#clock.since(timeUs, arrivalUs) / 1e6 * this.#fps;
  }
}
