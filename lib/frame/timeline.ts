/**
 * The place of each frame in a recording of constant rate. A recording lasts as long as the call
 * did. The frame before a gap is repeated to fill it. A sender that is faster than the recording is
 * thinned. All other frames are there once, in order.
 *
 * ```
 *  time of frame, in slots:  0    1    2         4.6    5
 *  slot it is written to:    0    1    2    (3)  4      5        (3) repeats 2
 * ```
 *
 * A frame may stray one slot from its place to either side, so that jitter neither repeats nor
 * thins; beside sound somewhat less, so that lips and voice agree. Where the times are those of arrival, a late frame alone does not tell the cause: a pause
 * of the sender, or a delay of the network or of a busy machine. The frames behind it tell. The
 * timeline holds the late frame for a moment: if those behind it make up for the time, all of them
 * were only delayed. The first frame of a call may have been delayed as well. The frames that
 * follow at once tell that.
 *
 * Pure: the caller hands in the time, and calls `settle` when the moment is over.
 */

/** An item, and the number of slots before it that repeat its predecessor. */
export interface Placed<T> {
  /** The item that was pushed. */
  readonly item: T;
  /** Slots before it that its predecessor fills. */
  readonly repeatsBefore: number;
}

/** Slots that a frame may stray from its own, and those beside sound: 35 ms at 20 a second. */
const SLACK = 1;
const SLACK_BESIDE_SOUND = 0.7;

/**
 * Slots over which the pace of held frames is judged. After that many, a camera's pace differs from
 * a jam's.
 */
const WATCHED = 3;

/**
 * The part of a slot that tells a jam from a camera: frames that follow one another faster come
 * from a jam.
 */
const BURST = 0.5;

/**
 * The same in microseconds, for the frames behind the first one of a call: no earlier frame tells
 * the rate. It is faster than a camera of 80 frames a second.
 */
const FIRST_BURST_US = 12_500;

/** Microseconds by which the first frame may have been due before it arrived. */
const MAX_FIRST_DELAY_US = 250_000;

/**
 * Microseconds by which a capture clock may run away from the clock of arrival. Beyond it the
 * capture clock was set anew, and its frames are then placed by their arrival.
 */
const MAX_SKEW_US = 5_000_000;

/**
 * Microseconds after a silence in which frames may be late by all of it: they were under way when
 * the network went, and arrive together when it is back.
 */
const UNDER_WAY_US = 250_000;

/**
 * The part of the time by which two right clocks may drift apart: twice the drift of a cheap
 * quartz. In hours the drift would add up to a skew.
 */
const MAX_DRIFT = 200e-6;

/**
 * The time of a frame in its recording. The sender's clock gives the distance between frames. Our
 * clock bounds that distance, and leads in the long run.
 */
export class CallClock {
  #originUs: number | undefined;
  #isFirst = true;
  #offsetUs = 0;
  #lastArrivalUs = 0;
  #silenceUs = 0;
  #silenceEndUs = 0;

  /**
   * Microseconds from the first frame to one that was captured at `timeUs` and arrived at
   * `arrivalUs`. One that arrived before the last one moves nothing.
   */
  since(timeUs: number, arrivalUs: number): number {
    const offsetUs = arrivalUs - timeUs;
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#originUs ??= arrivalUs;
      this.#offsetUs = offsetUs;
    } else {
      const sinceLastUs = Math.max(arrivalUs - this.#lastArrivalUs, 0);
      if (sinceLastUs > MAX_SKEW_US) {
        [this.#silenceUs, this.#silenceEndUs] = [sinceLastUs, arrivalUs];
      }
      const wasUnderWay = arrivalUs - this.#silenceEndUs < UNDER_WAY_US;
      const mostUs = MAX_SKEW_US + (wasUnderWay ? this.#silenceUs : 0);
      const skewUs = offsetUs - this.#offsetUs;
      const driftUs = sinceLastUs * MAX_DRIFT;
      this.#offsetUs += skewUs > mostUs || skewUs < -MAX_SKEW_US
        ? skewUs
        : Math.max(Math.min(skewUs, driftUs), -driftUs);
    }
    this.#lastArrivalUs = Math.max(arrivalUs, this.#lastArrivalUs);
    return timeUs + this.#offsetUs - this.#originUs!;
  }

  /** True once the first frame has come. */
  get hasBegun(): boolean {
    return this.#originUs !== undefined;
  }

  /** Begins at that time of our clock, before the first frame has come. */
  begin(originUs: number): void {
    this.#originUs ??= originUs;
  }

  /** The time of our clock at which the recording begins. */
  get originUs(): number | undefined {
    return this.#originUs;
  }

  /** Moves the origin: the first frame was due that many microseconds before it arrived. */
  moveOrigin(earlierUs: number): void {
    this.#originUs! -= earlierUs;
  }
}

/** Frames in, frames and repeats out. */
export class Timeline<T> {
  readonly #fps: number;
  readonly #stamps: "capture" | "arrival";
  readonly #clock: CallClock;
  readonly #slack: number;
  #slots = 0;
  #thinned = 0;
  #lastSlotTime = 0;
  #held: { readonly item: T; readonly at: number }[] = [];
  #firstDelay = 0;
  #onHeels = true;

  /**
   * A line of `fps` slots a second. `stamps` names the kind of the times: `capture`, which is
   * exact, or `arrival`, which networks delay. A clock that is given is that of the sender's sound
   * as well.
   */
  constructor(fps: number, stamps: "capture" | "arrival", clock?: CallClock) {
    this.#fps = fps;
    this.#stamps = stamps;
    this.#clock = clock ?? new CallClock();
    this.#slack = clock ? SLACK_BESIDE_SOUND : SLACK;
  }

  /** The number of filled slots, the repeats among them. */
  get slots(): number {
    return this.#slots;
  }

  /** The number of frames left out because the sender is faster than the recording. */
  get thinned(): number {
    return this.#thinned;
  }

  /** The number of frames held until `settle`. */
  get held(): number {
    return this.#held.length;
  }

  /** True if frames are held until `settle`. */
  get unsettled(): boolean {
    return this.held > 0;
  }

  /** Milliseconds from the last frame to the next `settle`, while `unsettled`. */
  get settleMs(): number {
    return WATCHED * 1000 / this.#fps;
  }

  /**
   * Takes a frame in. `timeUs` is its time, `arrivalUs` the moment it arrived on a clock that never
   * goes back, both in microseconds. Returns the items to write now, in order.
   */
  push(item: T, timeUs: number, arrivalUs: number): Placed<T>[] {
    const at = this.#slotTime(timeUs, arrivalUs);
    const sinceLast = at - this.#lastSlotTime;
    this.#lastSlotTime = at;
    const late = this.#stamps === "arrival" && at - this.#slots > this.#slack;
    if (this.#held.length > 0 || late) {
      this.#held.push({ item, at });
      return this.#hasCaughtUp() || this.#isCamerasPace() ? this.settle() : [];
    }
    return this.#place(item, at + this.#judgeFirst(at, sinceLast));
  }

  /**
   * Places the held frames: nothing more came, or enough. Each goes to the slot of its arrival, or
   * to an earlier one if those behind it need room.
   */
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

  /**
   * True if the held frames fill the slots up to the last of them: all of them were only delayed.
   */
  #hasCaughtUp(): boolean {
    return this.#held.at(-1)!.at - (this.#slots + this.#held.length - 1) <= this.#slack;
  }

  /** True if the last held frame came at a camera's pace: the sender paused before it. */
  #isCamerasPace(): boolean {
    const since = this.#held.at(-1)!.at - WATCHED;
    if (this.#held[0]!.at > since) return false;
    return this.#held.filter(({ at }) => at > since).length <= WATCHED / BURST;
  }

  /**
   * Judges the delay of the first frame by those that follow at once. They make room for one
   * another by moving the origin. Returns the number of slots.
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

  /**
   * The number of repeats of the last frame that reach this moment. The times are those of `push`.
   */
  repeatsUntil(timeUs: number, arrivalUs: number): number {
    if (this.#slots === 0) return 0;
    const repeats = Math.max(Math.round(this.#slotTime(timeUs, arrivalUs)) - this.#slots, 0);
    this.#slots += repeats;
    return repeats;
  }

  #place(item: T, at: number): Placed<T>[] {
    if (at < this.#slots - this.#slack - 1e-6) {
      this.#thinned++;
      return [];
    }
    const repeatsBefore = this.#lag(at);
    this.#slots += repeatsBefore + 1;
    return [{ item, repeatsBefore }];
  }

  /** Slots that stay empty when the next frame belongs at `at`. */
  #lag(at: number): number {
    const lag = at - this.#slots;
    return lag > this.#slack + 1e-6 ? Math.round(lag) : 0;
  }

  /** A time as a number of slots since the first frame. */
  #slotTime(timeUs: number, arrivalUs: number): number {
    return this.#clock.since(timeUs, arrivalUs) / 1e6 * this.#fps;
  }
}
