/**
 * The bound on the frames under way: as many as the link carries in about a tenth of a second, and
 * never fewer than one.
 *
 * Kernels buffer megabytes. A sender that writes whenever the kernel lets it is as late as those
 * buffers are long: 0.6 s on 20 Mbit/s, 2 s on 5 Mbit/s (raw 320 x 240, measured). So the sender
 * counts the frames that the receiver has not acknowledged. It measures the pace of the link from
 * the acks.
 *
 * ```
 *  rate of one ack  = bytes delivered since that frame was sent / time in which they were delivered
 *  rate of the link = the best of the last two seconds, by frames of half the largest size or more
 *  room             = nothing under way, or all of it and this frame fit into 100 ms and the round
 *                     trip at that rate; before the first ack, three frames
 * ```
 *
 * The best rate counts, not the mean: a frame that waited for a busy processor says nothing of the
 * link. Small frames fit into the buffers of a slow link at once, and make it look quick. So they
 * do not count beside large ones. The age of the oldest frame under way shows that a link has
 * stopped. Past half a second no frame is added: it would come late anyway.
 *
 * Pure: the caller hands in the time.
 */

import { ProtocolError } from "../errors.ts";

/** Milliseconds of the link's time that may be under way. */
const WINDOW_MS = 100;

/** Milliseconds of age of the oldest frame under way beyond which no frame is added. */
const STALL_MS = 500;

/**
 * The frames that may go before the first ack has told the rate. The receiver's start takes as long
 * as a few frames, and on a slow link the delay of three is over in a moment.
 */
const FIRST_FRAMES = 3;

/** Milliseconds for which a measured rate is believed. */
const RATE_MEMORY_MS = 2000;

/** The least time of the quickest ack that confirms the hello's round trip, as a part of that. */
const SURE = 0.5;

/** The least size of a frame that counts, as a part of the largest one's. */
const LARGE = 0.5;

interface UnderWay {
  readonly sequence: number;
  readonly bytes: number;
  readonly sentMs: number;
  /** The time at which the link began with the bytes that `deliveredBefore` does not hold. */
  readonly fromMs: number;
  readonly deliveredBefore: number;
}

/** What an ack has measured: bytes that arrived, in the time from their turn to the ack. */
export interface Delivery {
  /** The bytes. */
  readonly bytes: number;
  /** The time in milliseconds. */
  readonly ms: number;
  /** The bytes of the frame that the ack names, which may not be the only one that arrived. */
  readonly frameBytes: number;
}

/** What is known of a link. */
export interface LinkFacts {
  /** The delivery that measures it. Nothing before the first ack. */
  readonly delivery: Delivery | undefined;
  /** The most milliseconds that its round trip takes, as far as they are known. */
  readonly roundTripMs: number | undefined;
  /** The milliseconds that its round trip surely takes. */
  readonly sureTripMs: number;
}

/**
 * The rate of a link: the best that was measured of late. With it goes the round trip, which is in
 * every measure. The streams of a line share both.
 */
export class LinkRate {
  /** The deliveries of the last two seconds, in order, or the newest one. */
  #deliveries: (Delivery & { readonly atMs: number })[] = [];
  readonly #toldMs: number | undefined;
  #roundTripMs: number | undefined;

  /** A link of the round trip that the hello has told, if it did. */
  constructor(toldMs?: number) {
    this.#toldMs = this.#roundTripMs = toldMs;
  }

  /** The most milliseconds that the round trip takes, as far as they are known. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** What is known of the link now. */
  facts(nowMs: number): LinkFacts {
    const [told, most] = [this.#toldMs ?? Infinity, this.#roundTripMs ?? 0];
    // A busy machine has made the hello slow if an ack, which has more to wait for, is far quicker.
    const sureTripMs = most >= told * SURE ? most : 0;
    return { delivery: this.best(nowMs), roundTripMs: this.#roundTripMs, sureTripMs };
  }

  /** Notes an answer that can hardly have come sooner than after a round trip. */
  noteRoundTrip(ms: number): void {
    this.#roundTripMs = Math.min(this.#roundTripMs ?? Infinity, ms);
  }

  /** Notes what an ack has measured. */
  add(delivery: Delivery, atMs: number): void {
    this.#deliveries.push({ ...delivery, atMs });
    this.#forget(atMs);
  }

  /**
   * The quickest delivery of the last two seconds. If all are older, the newest one. Small frames
   * do not count beside large ones.
   */
  best(nowMs: number): Delivery | undefined {
    this.#forget(nowMs);
    const most = this.#deliveries.reduce((most, one) => Math.max(most, one.frameBytes), 0);
    return this.#deliveries
      .filter(({ frameBytes }) => frameBytes >= most * LARGE)
      .reduce<Delivery | undefined>(quicker, undefined);
  }

  #forget(nowMs: number): void {
    const fresh = this.#deliveries.findIndex(({ atMs }) => nowMs - atMs <= RATE_MEMORY_MS);
    this.#deliveries.splice(0, fresh >= 0 ? fresh : this.#deliveries.length - 1);
  }
}

function quicker(one: Delivery | undefined, other: Delivery): Delivery {
  return one && rateOf(one) >= rateOf(other) ? one : other;
}

/** The rate of a delivery in bytes a millisecond. */
export function rateOf({ bytes, ms }: Delivery): number {
  return bytes / ms;
}

/** The frames that are sent and not yet acknowledged. */
export class SendWindow {
  readonly #rate: LinkRate;
  #underWay: UnderWay[] = [];
  #bytes = 0;
  #delivered = 0;
  #lastSequence: number | undefined;
  #lastAckMs = 0;

  /** A window on a link, whose rate other windows may measure as well. */
  constructor(rate: LinkRate = new LinkRate()) {
    this.#rate = rate;
  }

  /** The number of frames under way. */
  get count(): number {
    return this.#underWay.length;
  }

  /**
   * True if a frame of that many bytes may go now. What is on its way, or acknowledged on the way
   * back, waits for nobody: the round trip of the link is room on top, as far as it is known.
   */
  hasRoom(bytes: number, nowMs: number): boolean {
    const oldest = this.#underWay[0];
    if (oldest === undefined) return true;
    if (nowMs - oldest.sentMs > STALL_MS) return false;
    const best = this.#rate.best(nowMs);
    if (best === undefined) return this.#underWay.length < FIRST_FRAMES;
    const { roundTripMs = 0 } = this.#rate;
    return this.#bytes + bytes <= rateOf(best) * (WINDOW_MS + roundTripMs);
  }

  /** Notes a frame that is handed to the link. */
  sent(sequence: number, bytes: number, nowMs: number): void {
    // The bytes under way count for this frame's rate as well. So does the time that they have
    // taken.
    const oldest = this.#underWay[0];
    const fromMs = oldest ? Math.max(oldest.sentMs, this.#lastAckMs) : nowMs;
    const deliveredBefore = this.#delivered;
    this.#underWay.push({ sequence, bytes, sentMs: nowMs, fromMs, deliveredBefore });
    this.#bytes += bytes;
  }

  /**
   * Notes that this frame has arrived, and with it every one before it. An ack that comes twice
   * changes nothing. Throws `ProtocolError` for a frame that was never sent.
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
    // A busy machine may have made the round trip seem longer than it is. Where it is not known,
    // the ack of a large frame tells nothing of it.
    if (this.#rate.roundTripMs !== undefined) this.#rate.noteRoundTrip(nowMs - last.sentMs);
    // A clock of whole milliseconds would make a fast link infinite. Below a tenth of one the
    // figure means nothing.
    const tookMs = Math.max(nowMs - last.fromMs, 0.1);
    const bytes = this.#delivered - last.deliveredBefore;
    this.#rate.add({ bytes, ms: tookMs, frameBytes: last.bytes }, nowMs);
  }

  /**
   * Milliseconds that the bytes under way need at the rate of the link. Nothing while no rate is
   * known.
   */
  drainMs(nowMs: number): number | undefined {
    const best = this.#rate.best(nowMs);
    return best && this.#bytes / rateOf(best);
  }

  /**
   * Forgets the frames under way: the connection was lost. The rate of the link stays known. The
   * peer may have got some of the frames, and say so on the next connection.
   */
  restart(): void {
    this.#lastSequence = this.#underWay.at(-1)?.sequence ?? this.#lastSequence;
    this.#underWay = [];
    this.#bytes = 0;
  }
}
