/**
 * One sound stream of a call: its sender's part and its receiver's part. Both outlive the
 * connection under them. They write nothing and read nothing.
 *
 * Sound is of use at once or never. A frame that has waited too long is dropped, the oldest first.
 * No ack is asked for, and nothing is sent again.
 */

import { SOUND_FPS, SOUND_FRAME_MS, type SoundFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { RateLimit } from "./rate_limit.ts";
import { Rest } from "./rest.ts";
import { SequenceCount } from "./sequence_count.ts";

/** Milliseconds that a frame may wait for the link. */
const MAX_WAIT_MS = 200;

/** The frames that may wait: the microphone gives no more in that time, unless it was stopped. */
const MAX_WAITING = MAX_WAIT_MS / SOUND_FRAME_MS;

/** A sound stream that this end sends: the last moments of sound wait for the link. */
export class SendSound {
  readonly #waiting: { readonly frame: Frame; readonly sinceMs: number }[] = [];
  readonly #rest = new Rest(performance.now());
  #sequence = 0;
  #sent = 0;
  #dropped = 0;
  #closed = false;

  /** Frames handed to the connection. */
  get sent(): number {
    return this.#sent;
  }

  /** Frames that have waited too long for it. */
  get dropped(): number {
    return this.#dropped;
  }

  /** True while a frame waits. */
  get isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  /** Takes a frame in and gives it the next sequence of this stream. */
  push(frame: Frame): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    this.#rest.end(nowMs);
    this.#waiting.push({ frame: { ...frame, sequence: this.#sequence++ }, sinceMs: nowMs });
    this.#drop(nowMs);
  }

  /** The frame that may go now, which counts as sent. Nothing if none waits. */
  take(): Frame | undefined {
    this.#drop(performance.now());
    const next = this.#waiting.shift();
    if (next) this.#sent++;
    return next?.frame;
  }

  /** Drops the frames that have waited too long, and those that are too many. */
  #drop(nowMs: number): void {
    const isLate = (): boolean =>
      this.#waiting.length > MAX_WAITING || nowMs - this.#waiting[0]!.sinceMs > MAX_WAIT_MS;
    while (this.#waiting.length > 0 && isLate()) {
      this.#waiting.shift();
      this.#dropped++;
    }
  }

  /** Rests until the next frame is pushed. */
  rest(): void {
    this.#rest.begin();
  }

  /**
   * The news of the stream's rest: true if it begins, false if it is over, `undefined` if there is
   * none.
   */
  takeRest(): boolean | undefined {
    return this.#rest.take(performance.now());
  }

  /** Notes that the connection was lost. The waiting sound will be too old for the next one. */
  restart(): void {
    this.#dropped += this.#waiting.splice(0).length;
    this.#rest.restart();
  }

  /** Drops the waiting frames, and takes no more. */
  close(): void {
    this.#closed = true;
    this.#dropped += this.#waiting.splice(0).length;
  }
}

/** A sound stream that the peer sends. It counts the frames that did not come. */
export class ReceiveSound {
  /** The format of its frames. */
  readonly format: SoundFormat;
  /** True while the peer has said that nothing comes. */
  resting = false;
  readonly #count = new SequenceCount(
    new RateLimit(SOUND_FPS, performance.now(), "sound frames"),
  );
  #received = 0;

  /** A stream of frames of this format. */
  constructor(format: SoundFormat) {
    this.format = format;
  }

  /** Frames that came. */
  get received(): number {
    return this.#received;
  }

  /** Frames that did not come, by the sequence of those that did. */
  get lost(): number {
    return this.#count.missing;
  }

  /** True until a frame of it has come. */
  get isNew(): boolean {
    return this.#count.isNew;
  }

  /** Counts a frame. Throws `ProtocolError` if frames come far faster than sound does. */
  take(frame: Frame): void {
    this.#count.take(frame.sequence, performance.now());
    this.resting = false;
    this.#received++;
  }
}
