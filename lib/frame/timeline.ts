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
 * are those of arrival, a late frame alone does not tell a pause of the sender from a delay of the network or of a busy
 * machine; what comes after it does. It is held for a moment: if those behind it make up for the time, all of them were
 * only delayed. The first frame of a call may have been delayed as well; those that come on its heels tell.
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

/** Over how many slots the pace of held frames is looked at: by then a camera's differs from a jam's. */
const WATCHED = 3;

/** Frames that come within this part of a slot one after another come from a jam, not from a camera. */
const BURST = 0.5;

/**
 * The same, in microseconds, for those behind the first frame of a call, where no frame before tells the rate: faster than a
 * camera of 80 frames a second.
 */
const FIRST_BURST_US = 12_500;

/** How much earlier than it arrived the first frame may have been due, in microseconds. */
const MAX_FIRST_DELAY_US = 250_000;

/**
 * A capture clock that runs away from the clock of arrival by more than this, in microseconds, was set anew: few peers
 * that are silent for that long come back, and what they then send is placed by its arrival.
 */
const MAX_SKEW_US = 5_000_000;

/**
 * How far two clocks that are both right may drift apart, as a part of the time: twice what a cheap quartz does. In hours it
 * would add up to a skew.
 */
const MAX_DRIFT = 200e-6;

/**
 * The time of a frame in its recording. The sender's clock says how far apart frames are; ours bounds what it may claim, and
 * is followed in the long run.
 */
class CallClock {
  #originUs: number | undefined;
  #offsetUs = 0;
  #lastArrivalUs = 0;

  /** Microseconds since the first frame of a frame captured at `timeUs` that arrived at `arrivalUs`. */
  since(timeUs: number, arrivalUs: number): number {
    const offsetUs = arrivalUs - timeUs;
    if (this.#originUs === undefined) {
      this.#originUs = arrivalUs;
      this.#offsetUs = offsetUs;
    } else {
      const skewUs = offsetUs - this.#offsetUs;
      const driftUs = (arrivalUs - this.#lastArrivalUs) * MAX_DRIFT;
      this.#offsetUs += Math.abs(skewUs) > MAX_SKEW_US
        ? skewUs
        : Math.max(Math.min(skewUs, driftUs), -driftUs);
    }
    this.#lastArrivalUs = arrivalUs;
    return timeUs + this.#offsetUs - this.#originUs;
  }

  /** Says that the first frame was due that much earlier than it arrived. */
  moveOrigin(earlierUs: number): void {
    this.#originUs! -= earlierUs;
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
  #firstDelay = 0;
  #onHeels = true;

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
    return WATCHED * 1000 / this.#fps;
  }

  /**
   * Takes a frame in. `timeUs` is its time, `arrivalUs` the moment it arrived on a clock that never goes back, both in
   * microseconds. Resolves to what is to be written now, in order.
   */
  push(item: T, timeUs: number, arrivalUs: number): Placed<T>[] {
    const at = this.#slotTime(timeUs, arrivalUs);
    const sinceLast = at - this.#lastSlotTime;
    this.#lastSlotTime = at;
    const late = this.#stamps === "arrival" && at - this.#slots > SLACK;
    if (this.#held.length > 0 || late) {
      this.#held.push({ item, at });
      return this.#hasCaughtUp() || this.#isCamerasPace() ? this.settle() : [];
    }
    return this.#place(item, at + this.#judgeFirst(at, sinceLast));
  }

  /** Places what is held: nothing more came, or enough. Each goes where it came, or earlier where those behind it need room. */
  settle(): Placed<T>[] {
    const held = this.#held;
    this.#held = [];
    let next = Infinity;
    const wanted = held.map(({ at }) => at);
    for (let index = held.length - 1; index >= 0; index--) {
      next = wanted[index] = Math.min(wanted[index]!, next - 1);
    }
    return held.map(({ item }, index) => {
      const repeatsBefore = this.#lag(wanted[index]!);
      this.#slots += repeatsBefore + 1;
      return { item, repeatsBefore };
    });
  }

  /** Whether what is held fills the slots up to its last frame: then all of it was only delayed. */
  #hasCaughtUp(): boolean {
    return this.#held.at(-1)!.at - (this.#slots + this.#held.length - 1) <= SLACK;
  }

  /** Whether the last of what is held comes as a camera gives it: then there was a pause before. */
  #isCamerasPace(): boolean {
    const since = this.#held.at(-1)!.at - WATCHED;
    if (this.#held[0]!.at > since) return false;
    return this.#held.filter(({ at }) => at > since).length <= WATCHED / BURST;
  }

  /**
   * Frames on the heels of the first one tell that it was late itself: they make room for one another by moving the origin.
   * Gives by how many slots.
   */
  #judgeFirst(at: number, sinceLast: number): number {
    if (this.#stamps === "capture" || this.#slots === 0) return 0;
    const slotUs = 1e6 / this.#fps;
    this.#onHeels &&= sinceLast * slotUs < FIRST_BURST_US;
    const ahead = Math.min(this.#slots - at, MAX_FIRST_DELAY_US / slotUs - this.#firstDelay);
    if (!this.#onHeels || ahead <= 0) return 0;
    this.#firstDelay += ahead;
    this.#lastSlotTime += ahead;
    this.#clock.moveOrigin(ahead * slotUs);
    return ahead;
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
