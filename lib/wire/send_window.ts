/**
 * How many frames may be under way: as many as the link carries in about a tenth of a second, and never fewer than one.
 *
 * Kernels buffer megabytes. A sender that writes whenever the kernel lets it is as late as those buffers are long: 0.6 s
 * on 20 Mbit/s, 2 s on 5 Mbit/s (raw 320 x 240, measured). So the sender counts what the receiver has not acknowledged,
 * and measures from the acks how fast the link delivers.
 *
 * ```
 *  rate of one ack = bytes delivered since that frame was sent / time in which they were delivered
 *  rate of the link = the best of the last two seconds
 *  room             = nothing under way, or all under way and this frame fit into 100 ms of that rate;
 *                     before the first ack, three frames
 * ```
 *
 * The best, not the mean: a frame that waited for a busy processor says nothing of the link. A link that stops is
 * noticed by the age of the oldest frame under way: past half a second nothing is added to what will come late anyway.
 *
 * Pure: the caller hands in the time.
 */

import { ProtocolError } from "../errors.ts";

/** How much of the link's time may be under way, in milliseconds. */
const WINDOW_MS = 100;

/** How old the oldest frame under way may be before nothing is added, in milliseconds. */
const STALL_MS = 500;

/**
 * How many frames may go before the first ack has told the rate: the receiver's start takes as long as a few frames, and on
 * a slow link the delay of three is over in a moment.
 */
const FIRST_FRAMES = 3;

/** How long a measured rate is believed, in milliseconds. */
const RATE_MEMORY_MS = 2000;

interface UnderWay {
  readonly sequence: number;
  readonly bytes: number;
  readonly sentMs: number;
  /** When the link began with what `deliveredBefore` does not hold. */
  readonly fromMs: number;
  readonly deliveredBefore: number;
}

/** The frames that are sent and not yet acknowledged. */
export class SendWindow {
  #underWay: UnderWay[] = [];
  #bytes = 0;
  #delivered = 0;
  #lastSequence: number | undefined;
  #lastAckMs = 0;
  #rates: { readonly atMs: number; readonly bytesPerMs: number }[] = [];

  /** How many frames are under way. */
  get count(): number {
    return this.#underWay.length;
  }

  /** Whether a frame of that many bytes may go now. */
  hasRoom(bytes: number, nowMs: number): boolean {
    const oldest = this.#underWay[0];
    if (oldest === undefined) return true;
    if (nowMs - oldest.sentMs > STALL_MS) return false;
    if (this.#rates.length === 0) return this.#underWay.length < FIRST_FRAMES;
    return this.#bytes + bytes <= this.#rate(nowMs) * WINDOW_MS;
  }

  /** Notes a frame that is handed to the link. */
  sent(sequence: number, bytes: number, nowMs: number): void {
    // What is under way already counts for this frame's rate as well: so does the time it has taken.
    const oldest = this.#underWay[0];
    const fromMs = oldest ? Math.max(oldest.sentMs, this.#lastAckMs) : nowMs;
    const deliveredBefore = this.#delivered;
    this.#underWay.push({ sequence, bytes, sentMs: nowMs, fromMs, deliveredBefore });
    this.#bytes += bytes;
  }

  /**
   * Notes that this frame, and with it every one before it, has arrived. An ack that comes twice changes nothing; one
   * for a frame that was never sent throws `ProtocolError`.
   */
  acknowledged(sequence: number, nowMs: number): void {
    const index = this.#underWay.findIndex((frame) => frame.sequence === sequence);
    if (index < 0) {
      if (this.#lastSequence !== undefined && sequence <= this.#lastSequence) return;
      throw new ProtocolError(`an ack for frame ${sequence}, which was never sent`);
    }
    const arrived = this.#underWay.splice(0, index + 1);
    for (const frame of arrived) {
      this.#bytes -= frame.bytes;
      this.#delivered += frame.bytes;
    }
    const last = arrived[arrived.length - 1]!;
    this.#lastSequence = last.sequence;
    this.#lastAckMs = nowMs;
    // A clock of whole milliseconds would make a fast link infinite; below a tenth of one the figure means nothing.
    const tookMs = Math.max(nowMs - last.fromMs, 0.1);
    const bytesPerMs = (this.#delivered - last.deliveredBefore) / tookMs;
    // One that is older and not better will never be the best again: what is kept is in order, the best first.
    while ((this.#rates.at(-1)?.bytesPerMs ?? Infinity) <= bytesPerMs) this.#rates.pop();
    this.#rates.push({ atMs: nowMs, bytesPerMs });
  }

  /** How long what is under way needs at the rate of the link, in milliseconds; nothing while no rate is known. */
  drainMs(nowMs: number): number | undefined {
    return this.#rates.length === 0 ? undefined : this.#bytes / this.#rate(nowMs);
  }

  /**
   * Forgets what is under way: the connection was lost. The rate of the link stays known. The peer
   * may have got some of it, and say so on the next connection.
   */
  restart(): void {
    this.#lastSequence = this.#underWay.at(-1)?.sequence ?? this.#lastSequence;
    this.#underWay = [];
    this.#bytes = 0;
  }

  /** Forgets the rates that are too old, but for the newest one. */
  #forget(nowMs: number): void {
    const fresh = this.#rates.findIndex(({ atMs }) => nowMs - atMs <= RATE_MEMORY_MS);
    this.#rates.splice(0, fresh >= 0 ? fresh : this.#rates.length - 1);
  }

  /** The best rate of the last two seconds, in bytes a millisecond; the newest one alone where all are older. */
  #rate(nowMs: number): number {
    this.#forget(nowMs);
    return this.#rates[0]?.bytesPerMs ?? 0;
  }
}
