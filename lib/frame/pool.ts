/**
 * Memory for raw frames that is used again. Fresh memory costs as much as the frame that is read into it: with it the wire
 * carries 12,000 frames of 320 x 240 a second, with memory used again 19,000 (measured between two processes).
 *
 * ```
 *  take ─► filled ─► lease: held once by its maker ─┬─ hold: a sink keeps the frame ─┬─► nobody holds it: taken again
 *                                                   └─ letGo ────────────────────────┘
 * ```
 *
 * Whoever keeps a frame after `push` has returned holds it, and lets it go when done. A frame that is never let go is lost to
 * the pool and to nobody else: it goes the way of all memory.
 */

/** How many buffers wait to be taken again; what is more was a jam, and is left to the garbage collector. */
const MAX_FREE = 8;

/** Buffers of one size. */
export class FramePool {
  readonly #bytes: number;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  /** A pool of buffers of that many bytes. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Memory for a frame, with whatever was in it before. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(this.#bytes);
  }

  /** Says that what lies in memory of this size is a frame now, held once. */
  lease(memory: Uint8Array<ArrayBuffer>): Lease {
    return new Lease(() => {
      if (this.#free.length < MAX_FREE) this.#free.push(memory);
    });
  }
}

/** Counts who needs a frame's memory. */
export class Lease {
  readonly #giveBack: () => void;
  #holders = 1;

  /** Memory that somebody holds; `giveBack` is called when nobody does any more. */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  /** One more needs it. */
  hold(): void {
    this.#holders++;
  }

  /** One less does. Throws where that one never did: the memory may be another frame's by now. */
  letGo(): void {
    if (this.#holders === 0) throw new Error("Cannot let go of a frame that nobody holds");
    if (--this.#holders === 0) this.#giveBack();
  }
}
