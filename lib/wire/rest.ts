/** The rests of a stream that this end sends. Pure: the caller hands in the time. */

/** Milliseconds without a frame after which a sender says that its stream rests. */
const REST_AFTER_MS = 1000;

/** Tells when a stream rests, and whether the peer has to be told. */
export class Rest {
  #lastFrameMs: number;
  #saidResting = false;

  /** The rests of a stream that begins now. It does not rest yet. */
  constructor(nowMs: number) {
    this.#lastFrameMs = nowMs;
  }

  /** Rests until the next frame. */
  begin(): void {
    this.#lastFrameMs = -Infinity;
  }

  /** Notes a frame, which ends a rest. */
  end(nowMs: number): void {
    this.#lastFrameMs = nowMs;
  }

  /**
   * The news for the peer: true if a rest begins, false if it is over, `undefined` if there is
   * none.
   */
  take(nowMs: number): boolean | undefined {
    const resting = nowMs - this.#lastFrameMs >= REST_AFTER_MS;
    if (resting === this.#saidResting) return undefined;
    return this.#saidResting = resting;
  }

  /** Notes that the connection was lost. On the next one nothing has been said. */
  restart(): void {
    this.#saidResting = false;
  }
}
