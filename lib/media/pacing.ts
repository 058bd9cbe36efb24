/**
 * The times at which the frames of an input are due. Pictures and sound have one clock, by which
 * both are in step.
 *
 * A file and a stream have times of their own: frame n of a constant rate is n / rate seconds behind
 * the beginning. A live input has none. Its frames are due when they come.
 */

import { nowUs, pause } from "../clock.ts";
import { SOUND_FPS } from "../frame/format.ts";

/** Tells the time at which a frame is due. Times of an input begin with its first picture. */
export interface Clock {
  /** Resolves when the frame of that time may be asked for. */
  untilAsked(timeUs: number): Promise<void>;
  /**
   * Resolves to the time at which a frame of that time, asked for at `askedUs`, is due on our own
   * clock, once that has come.
   */
  untilDue(timeUs: number, askedUs: number): Promise<number>;
}

/**
 * Microseconds that a file may be read late. A program that slept for longer goes on from where it
 * was: the missed frames would come all at once, and late.
 */
const MAX_LATE_US = 1_000_000;

/** Milliseconds that the bundles of a stream may be apart. */
export const BUNDLE_MS = 12_000;

/** Paces a file, from its first picture on. */
export class FileClock implements Clock {
  readonly #signal: AbortSignal;
  #startUs = nowUs();

  /** A clock that waits no longer once the signal is aborted. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Resolves when that time has come. */
  async untilAsked(timeUs: number): Promise<void> {
    const earlyUs = this.#startUs + timeUs - nowUs();
    if (earlyUs > 0) await pause(earlyUs / 1000, this.#signal);
    if (earlyUs < -MAX_LATE_US) this.#startUs -= Math.round(earlyUs);
  }

  /** Resolves to that time on our own clock, once it has come. */
  async untilDue(timeUs: number): Promise<number> {
    await this.untilAsked(timeUs);
    return Math.round(this.#startUs + timeUs);
  }
}

/**
 * Paces a stream whose frames come in bundles, such as the clusters of Matroska. A late bundle
 * delays all following frames by as much, so that the next bundle is not late. If no frame was
 * waited for in a long time, the delay is larger than it needs to be. The stream then runs faster
 * until one is waited for.
 */
export class StreamClock implements Clock {
  readonly #signal: AbortSignal;
  readonly #waitUs: number;
  #startUs = nowUs();
  #waitedUs = nowUs();
  #latestUs = 0;

  /** A clock for pictures of that rate, which waits no longer once the signal is aborted. */
  constructor(fps: number, signal: AbortSignal) {
    this.#signal = signal;
    this.#waitUs = 1e6 / fps / 4;
  }

  /** Resolves at once: the frames set the pace. */
  untilAsked(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves to that time on our own clock, or to now if the frame is late. */
  async untilDue(timeUs: number, askedUs: number): Promise<number> {
    const cameUs = nowUs();
    const advanceUs = Math.max(timeUs - this.#latestUs, 0);
    this.#latestUs += advanceUs;
    const hurries = cameUs - this.#waitedUs > BUNDLE_MS * 1000;
    if (hurries) this.#startUs -= advanceUs / 5;
    const earlyUs = this.#startUs + timeUs - cameUs;
    if (earlyUs < 0) this.#startUs -= earlyUs;
    if (earlyUs < 0 || cameUs - askedUs > this.#waitUs) this.#waitedUs = cameUs;
    const dueUs = Math.round(this.#startUs + timeUs);
    if (earlyUs > 0) await pause(earlyUs / 1000, this.#signal);
    return dueUs;
  }
}

/** Frames of sound over which the backlog of a live input is looked at. */
const LOOK_FRAMES = SOUND_FPS / 2;

const SOUND_SLOT_US = 1e6 / SOUND_FPS;

/**
 * Paces the sound of a live input, which comes in packets of any length. A late packet delays what
 * follows, so that the next one is not late. Frames that always wait are a delay for nothing: they
 * are left out.
 */
export class SoundPacer {
  readonly #signal: AbortSignal;
  #dueUs = 0;
  #count = 0;
  #backlog = Infinity;

  /** A pacer that waits no longer once the signal is aborted. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Resolves to the time at which the next frame is due, once that has come. */
  async untilDue(): Promise<number> {
    const dueUs = Math.max(Math.round(this.#dueUs), nowUs());
    this.#dueUs = dueUs + SOUND_SLOT_US;
    const earlyUs = dueUs - nowUs();
    if (earlyUs > 0) await pause(earlyUs / 1000, this.#signal);
    return dueUs;
  }

  /** Hears how many frames wait behind this one. Returns how many of them are to be left out. */
  surplus(waiting: number): number {
    this.#backlog = Math.min(this.#backlog, waiting);
    if (++this.#count % LOOK_FRAMES !== 0) return 0;
    const surplus = this.#backlog;
    this.#backlog = Infinity;
    return surplus;
  }
}
