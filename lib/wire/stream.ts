/**
 * One picture stream of a call: its sender's part and its receiver's part. Both outlive the connection
 * under them. The sequence continues on the next connection. They write nothing and read nothing.
 */

import { nowUs } from "../clock.ts";
import { ProtocolError } from "../errors.ts";
import { isInterCoded, maxFrameBytes, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { NewestFrame, newestOptions } from "../frame/mailbox.ts";
import { FramePool } from "../frame/pool.ts";
import { FrameAges, RecentMean } from "./delay.ts";
import { RateLimit } from "./rate_limit.ts";
import { Rest } from "./rest.ts";
import { type LinkRate, SendWindow } from "./send_window.ts";
import { SequenceCount } from "./sequence_count.ts";
import { FRAME_HEADER_BYTES } from "./session.ts";
import { LENGTH_BYTES } from "./wire.ts";

/**
 * Seconds that frames which need each other may wait for the link. Then all of them are dropped.
 */
const WAITING_SECONDS = 0.4;

/**
 * Milliseconds for which frames may come that need a missing one. Encoders make a keyframe each
 * second, some each 12 s. Without a bound, pictures that nobody can see would hold a line.
 */
const KEYFRAME_MS = 30_000;

/** The facts about the link that a stream is sent on. */
export interface SendOptions {
  /** The time of the link's round trip in microseconds, if it is known. */
  readonly roundTripUs?: number | undefined;
  /** The rate of the link, shared by all streams of a line. */
  readonly rate?: LinkRate;
}

/**
 * A picture stream that this end sends: frames wait for the link, the newest wins, acks open the
 * window.
 */
export class SendStream {
  readonly #window: SendWindow;
  readonly #waiting: NewestFrame<Frame>;
  /** The times of capture and of sending of the frames under way, by their sequence. */
  readonly #times = new Map<number, { readonly captureUs: number; readonly sentUs: number }>();
  readonly #delay = new RecentMean();
  readonly #rest = new Rest(performance.now());
  #roundTripUs: number | undefined;
  #sequence = 0;
  #sent = 0;
  #sentBytes = 0;
  #begins = true;

  /** A stream of frames of this format. */
  constructor(format: VideoFormat, { roundTripUs, rate }: SendOptions = {}) {
    this.#window = new SendWindow(rate);
    this.#roundTripUs = roundTripUs;
    this.#waiting = new NewestFrame(newestOptions(format, WAITING_SECONDS));
  }

  /** Frames handed to the connection. */
  get sent(): number {
    return this.#sent;
  }

  /** Their bytes. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Frames that were replaced before that. */
  get dropped(): number {
    return this.#waiting.dropped;
  }

  /**
   * Milliseconds of age that pictures lately had on arrival: from the capture of a frame to its
   * ack, less the way of the ack if the round trip is known.
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

  /** Milliseconds that the frames under way need on this link. Nothing before the first ack. */
  get drainMs(): number | undefined {
    return this.#window.drainMs(performance.now());
  }

  /**
   * Takes a frame in and gives it the next sequence of this stream. Leaves out what comes before a
   * keyframe, at the beginning and after a rest.
   */
  push(frame: Frame): void {
    this.#rest.end(performance.now());
    // A camera that serves several calls may be between two keyframes. The peer can begin with a
    // keyframe only.
    if (this.#begins && !frame.keyframe) return;
    this.#begins = false;
    frame.lease?.hold();
    this.#waiting.push({ ...frame, sequence: this.#sequence++ });
  }

  /**
   * The frame that may go now, which counts as sent. Nothing if none waits or the window is full.
   */
  take(): Frame | undefined {
    const next = this.#waiting.next;
    if (next === undefined) return undefined;
    const nowMs = performance.now();
    const bytes = LENGTH_BYTES + FRAME_HEADER_BYTES + next.data.length;
    if (!this.#window.hasRoom(bytes, nowMs)) return undefined;
    this.#waiting.poll();
    this.#window.sent(next.sequence, bytes, nowMs);
    this.#times.set(next.sequence, { captureUs: next.captureUs, sentUs: nowUs() });
    this.#sent++;
    this.#sentBytes += bytes;
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
      // A busy machine may have made the round trip seem longer than it is. No frame comes back
      // sooner than it can.
      this.#roundTripUs = Math.min(this.#roundTripUs, now - sentUs);
    }
    this.#delay.add(Math.max(now - captureUs - (this.#roundTripUs ?? 0) / 2, 0), now);
  }

  /** Rests until the next frame is pushed. Drops what waits, and does not count it. */
  rest(): void {
    for (let frame = this.#waiting.poll(); frame; frame = this.#waiting.poll()) {
      frame.lease?.letGo();
    }
    this.#rest.begin();
    this.#begins = true;
  }

  /**
   * The news of the stream's rest: true if it begins, false if it is over, `undefined` if there is
   * none.
   */
  takeRest(): boolean | undefined {
    return this.#rest.take(performance.now());
  }

  /**
   * Notes that the connection was lost. The frames under way will not be acknowledged, and are not
   * sent again.
   */
  restart(): void {
    this.#window.restart();
    this.#times.clear();
    this.#waiting.restart();
    this.#rest.restart();
  }

  /** Lets go of the waiting frames, and takes no more. */
  close(): void {
    this.#waiting.close();
  }
}

/** The facts about a peer that sends. */
export interface ReceiveOptions {
  /** Microseconds by which the clock of its capture times is ahead of ours. */
  readonly aheadUs?: number | undefined;
  /** The rate that its frames are held to, in place of the announced one. */
  readonly limitFps?: number | undefined;
}

/**
 * A picture stream that the peer sends. It tells the frames that can be shown, and counts those that did
 * not come.
 */
export class ReceiveStream {
  /** The format of its frames. */
  readonly format: VideoFormat;
  /** True while the peer has said that nothing comes. */
  resting = false;
  /** Memory for its messages; raw frames are all of one size. */
  readonly pool: FramePool | undefined;
  readonly #count: SequenceCount;
  readonly #ages = new FrameAges();
  readonly #delay = new RecentMean();
  readonly #aheadUs: number | undefined;
  #broken: boolean;
  #brokenMs = performance.now();
  #received = 0;
  #torn = 0;

  /**
   * A stream of frames of this format, held to that rate. The peer's clock is `aheadUs` ahead of
   * ours, if its capture times are told by that clock and the lead is known.
   */
  constructor(format: VideoFormat, { aheadUs, limitFps = format.fps }: ReceiveOptions) {
    this.format = format;
    this.#aheadUs = aheadUs;
    this.#count = new SequenceCount(new RateLimit(limitFps, performance.now()));
    this.#broken = isInterCoded(format.codec);
    if (format.codec === "raw") {
      this.pool = new FramePool(FRAME_HEADER_BYTES + maxFrameBytes(format) + LENGTH_BYTES);
    }
  }

  /** Frames that came and can be shown. */
  get received(): number {
    return this.#received;
  }

  /** True until a frame of it has come. */
  get isNew(): boolean {
    return this.#count.isNew;
  }

  /**
   * Frames that did not come, by the sequence of those that did, and frames that need a missing
   * one.
   */
  get lost(): number {
    return this.#count.missing + this.#torn;
  }

  /**
   * Milliseconds of age that pictures lately had on arrival. Nothing if the clocks were not
   * compared.
   */
  get delayMs(): number | undefined {
    return milliseconds(this.#delay.value);
  }

  /**
   * Counts a frame. Returns true if it can be shown: a frame that needs a missing one would be a
   * torn picture. Throws `ProtocolError` if frames come far faster than was announced, or no
   * keyframe comes for long.
   */
  take(frame: Frame): boolean {
    const nowMs = performance.now();
    const follows = this.#count.take(frame.sequence, nowMs);
    this.resting = false;
    const torn = this.#broken || (!follows && isInterCoded(this.format.codec));
    this.#setBroken(torn && !frame.keyframe, nowMs);
    this.#measure(frame.captureUs);
    if (this.#broken) this.#torn++;
    else this.#received++;
    return !this.#broken;
  }

  #setBroken(broken: boolean, nowMs: number): void {
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
