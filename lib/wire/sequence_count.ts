/** The count of the frames that a peer has sent and that did not come. Pure. */

import { RateLimit } from "./rate_limit.ts";

/** Counts the missing frames of one stream by the sequence of those that come. */
export class SequenceCount {
  readonly #limit: RateLimit;
  #next: number | undefined;
  #missing = 0;

  /** A stream of a peer that is held to this limit. */
  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** True until a frame has come. */
  get isNew(): boolean {
    return this.#next === undefined;
  }

  /** Frames that did not come. */
  get missing(): number {
    return this.#missing;
  }

  /**
   * Counts a frame. Returns true if it follows the one before it, or is the first. Throws
   * `ProtocolError` if frames come far too fast.
   */
  take(sequence: number, nowMs: number): boolean {
    this.#limit.count(nowMs);
    const ahead = sequence - (this.#next ?? sequence);
    this.#next = sequence + 1;
    // The sequence is the peer's own word. Frames beyond the number that it can have sent are not
    // missing.
    const most = this.#limit.most(nowMs);
    this.#missing = Math.min(this.#missing + Math.max(ahead, 0), most);
    return ahead === 0;
  }
}
