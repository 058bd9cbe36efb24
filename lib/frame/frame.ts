/**
 * A frame. Everything that carries pictures and sound speaks in these terms. Nothing here knows the
 * source or the sink of a frame.
 */

import type { Lease } from "./pool.ts";

/**
 * One picture, or 10 ms of sound. Nobody changes it after it is made, so every sink may hold the
 * same one.
 */
export interface Frame {
  /** The number of its stream among those of its source. */
  readonly stream: number;
  /**
   * `raw`: width x height x 3 bytes, blue green red, rows from the top. `pcm`: 480 samples of 16
   * bits, signed, little-endian.
   */
  readonly data: Uint8Array;
  /**
   * The time of its capture: microseconds on a clock that never goes back. The sender chooses the
   * zero of that clock.
   */
  readonly captureUs: number;
  /**
   * Counts the frames of its stream from 0. Frames that were dropped before the wire count, too: a
   * gap is a loss.
   */
  readonly sequence: number;
  /** True if it can be shown without the frames before it. */
  readonly keyframe: boolean;
  /**
   * The lease on the memory of `data`, where that memory is used again. A sink that keeps the frame
   * holds the lease (pool.ts).
   */
  readonly lease?: Lease | undefined;
}
