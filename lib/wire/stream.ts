/**
 * One stream of a call at its two ends: what a sender keeps of it and what a receiver does. Both outlive the connection
 * under them: numbers go on where they were when another one takes its place. They write nothing and read nothing.
 */

import { nowUs } from "../clock.ts";
import { ProtocolError } from "../errors.ts";
import { isInterCoded, maxFrameBytes, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { NewestFrame, newestOptions } from "../frame/mailbox.ts";
import { FramePool } from "../frame/pool.ts";
import { FrameAges, RecentMean } from "./delay.ts";
import { RateLimit } from "./rate_limit.ts";
import { SendWindow } from "./send_window.ts";
import { FRAME_HEADER_BYTES } from "./session.ts";
import { LENGTH_BYTES } from "./wire.ts";

/** How long frames that need each other may wait for the link before all of them are dropped, in seconds. */
const WAITING_SECONDS = 0.4;

/** After how long without a frame a sender says that its stream rests, in milliseconds. */
const REST_AFTER_MS = 1000;

/**
 * How long frames may come that need one that did not, in milliseconds. Encoders make a keyframe each second, some each
 * 12 s. Without a bound, a line is held by pictures that nobody can see.
 */
const KEYFRAME_MS = 30_000;

/** A stream that this end sends: frames wait for the link, the newest wins, acks open the window. */
export class SendStream {
  readonly #window = new SendWindow();
  readonly #waiting: NewestFrame<Frame>;
  /** Of frames under way, when they were captured and when they were sent. */
  readonly #times = new Map<number, { readonly captureUs: number; readonly sentUs: number }>();
  readonly #delay = new RecentMean();
  #roundTripUs: number | undefined;
  #sequence = 0;
  #sent = 0;
  #lastPushMs = performance.now();
  #saidResting = false;

  /** A stream of frames of this format, over a link whose round trip takes so long, if that is known. */
  constructor(format: VideoFormat, roundTripUs?: number) {
    this.#roundTripUs = roundTripUs;
    this.#waiting = new NewestFrame(newestOptions(format, WAITING_SECONDS));
  }

  /** Frames handed to the connection. */
  get sent(): number {
    return this.#sent;
  }

  /** Frames that were replaced before that. */
  get dropped(): number {
    return this.#waiting.dropped;
  }

  /**
   * How old pictures have lately been when they arrived, in milliseconds: from the capture of a frame to its ack, less the
   * way of the ack where the round trip is known.
   */
  get delayMs(): number | undefined {
    return milliseconds(this.#delay.value);
  }

  /** True while a frame waits. */
  get isBusy(): boolean {
    return this.#waiting.next !== undefined;
  }

  /** True while an ack ought to come. */
  get isExpecting(): boolean {
    return this.#window.count > 0;
  }

  /** How long what is under way needs on this link, in milliseconds; nothing before the first ack. */
  get drainMs(): number | undefined {
    return this.#window.drainMs(performance.now());
  }

  /** Takes a frame in and gives it the next number of this stream. */
  push(frame: Frame): void {
    this.#lastPushMs = performance.now();
    // A camera that serves several calls may be in the middle of something: the peer can begin with a keyframe only.
    if (this.#sequence === 0 && !frame.keyframe) return;
    frame.lease?.hold();
    this.#waiting.push({ ...frame, sequence: this.#sequence++ });
  }

  /** The frame that may go now, which counts as sent; nothing where none waits or the window is full. */
  take(): Frame | undefined {
    const next = this.#waiting.next;
    const nowMs = performance.now();
    if (next === undefined) return undefined;
    const bytes = LENGTH_BYTES + FRAME_HEADER_BYTES + next.data.length;
    if (!this.#window.hasRoom(bytes, nowMs)) return undefined;
    this.#waiting.poll();
    this.#window.sent(next.sequence, bytes, nowMs);
    this.#times.set(next.sequence, { captureUs: next.captureUs, sentUs: nowUs() });
    this.#sent++;
    return next;
  }

  /** Notes an ack. Throws `ProtocolError` for a frame that was never sent. */
  acknowledged(sequence: number): void {
    this.#window.acknowledged(sequence, performance.now());
    const times = this.#times.get(sequence);
    if (times) this.#measure(times);
    for (const earlier of this.#times.keys()) {
      if (earlier > sequence) break;
      this.#times.delete(earlier);
    }
  }

  #measure({ captureUs, sentUs }: { readonly captureUs: number; readonly sentUs: number }): void {
    const now = nowUs();
    if (this.#roundTripUs !== undefined) {
      // A busy machine may have made it seem longer than it is; no frame comes back sooner than it can.
      this.#roundTripUs = Math.min(this.#roundTripUs, now - sentUs);
    }
    this.#delay.add(Math.max(now - captureUs - (this.#roundTripUs ?? 0) / 2, 0), now);
  }

  /** What is to be said of the stream's rest now: that it begins, that it is over, or nothing. */
  takeRest(): boolean | undefined {
    const resting = performance.now() - this.#lastPushMs >= REST_AFTER_MS;
    if (resting === this.#saidResting) return undefined;
    return this.#saidResting = resting;
  }

  /** Notes that the connection was lost: what was under way will not be acknowledged, and is not sent again. */
  restart(): void {
    this.#window.restart();
    this.#times.clear();
    this.#waiting.restart();
    this.#saidResting = false;
  }

  /** Lets go of what waits, and takes nothing more. */
  close(): void {
    this.#waiting.close();
  }
}

/** What is known of a peer that sends. */
export interface ReceiveOptions {
  /** How far the clock of its capture times is ahead of ours, in microseconds. */
  readonly aheadUs?: number | undefined;
  /** The rate that its frames are held to, in place of the one it announces. */
  readonly limitFps?: number | undefined;
}

/** A stream that the peer sends: which of its frames can be shown, and which did not come. */
export class ReceiveStream {
  /** What its frames are. */
  readonly format: VideoFormat;
  /** True while the peer has said that nothing comes. */
  resting = false;
  /** Memory for its messages; raw frames are all of one size. */
  readonly pool: FramePool | undefined;
  readonly #limit: RateLimit;
  readonly #ages = new FrameAges();
  readonly #delay = new RecentMean();
  readonly #aheadUs: number | undefined;
  #nextSequence: number | undefined;
  #broken: boolean;
  #brokenMs = performance.now();
  #received = 0;
  #missing = 0;
  #torn = 0;

  /**
   * A stream of frames of this format, held to that rate. The peer's clock is `aheadUs` ahead of ours, as far as capture times
   * are told by it and that is known.
   */
  constructor(format: VideoFormat, { aheadUs, limitFps = format.fps }: ReceiveOptions) {
    this.format = format;
    this.#aheadUs = aheadUs;
    this.#limit = new RateLimit(limitFps, performance.now());
    this.#broken = isInterCoded(format.codec);
    if (format.codec === "raw") {
      this.pool = new FramePool(FRAME_HEADER_BYTES + maxFrameBytes(format) + LENGTH_BYTES);
    }
  }

  /** Frames that came and can be shown. */
  get received(): number {
    return this.#received;
  }

  /** True until something of it came. */
  get isNew(): boolean {
    return this.received + this.lost === 0;
  }

  /** Frames that did not come, by the numbers of those that did, or came and need one that did not. */
  get lost(): number {
    return this.#missing + this.#torn;
  }

  /** How old pictures have lately been when they came, in milliseconds; nothing where the clocks were not compared. */
  get delayMs(): number | undefined {
    return milliseconds(this.#delay.value);
  }

  /**
   * Counts a frame; true if it can be shown: one that needs a frame that did not come would be a torn picture. Throws
   * `ProtocolError` where frames come far faster than was announced.
   */
  take(frame: Frame): boolean {
    this.#limit.count(performance.now());
    this.resting = false;
    const ahead = frame.sequence - (this.#nextSequence ?? frame.sequence);
    this.#nextSequence = frame.sequence + 1;
    // The numbers are the peer's own: more than it can have sent is not missing.
    const most = this.#limit.most(performance.now());
    this.#missing = Math.min(this.#missing + Math.max(ahead, 0), most);
    const torn = this.#broken || (ahead !== 0 && isInterCoded(this.format.codec));
    this.#setBroken(torn && !frame.keyframe);
    this.#measure(frame.captureUs);
    if (this.#broken) this.#torn++;
    else this.#received++;
    return !this.#broken;
  }

  #setBroken(broken: boolean): void {
    const nowMs = performance.now();
    if (broken && !this.#broken) this.#brokenMs = nowMs;
    this.#broken = broken;
    if (broken && nowMs - this.#brokenMs >= KEYFRAME_MS) {
      throw new ProtocolError(`no keyframe came for ${KEYFRAME_MS / 1000} s`);
    }
  }

  #measure(captureUs: number): void {
    if (this.#aheadUs === undefined) return;
    const now = nowUs();
    const age = this.#ages.age(captureUs - this.#aheadUs, now);
    if (age === undefined) this.#delay.clear();
    else this.#delay.add(age, now);
  }
}

function milliseconds(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / 1000;
}
