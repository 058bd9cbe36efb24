/** A frame. Everything that carries pictures speaks in these terms; nothing here knows where one comes from or goes. */

import type { Lease } from "./pool.ts";

/** One picture. It is never changed after it is made, so every sink may hold the same one. */
export interface Frame {
  /** `raw`: width x height x 3 bytes, blue green red, rows from the top. */
  readonly data: Uint8Array;
  /** When it was captured: microseconds on a clock that never goes back, whose zero is the sender's own affair. */
  readonly captureUs: number;
  /** Counts the frames of a call from 0, also those that were dropped before the wire: a gap is a loss. */
  readonly sequence: number;
  /** Whether it can be shown without the frames before it. */
  readonly keyframe: boolean;
  /** Where the memory of `data` is used again: to be held by whoever keeps the frame (pool.ts). */
  readonly lease?: Lease | undefined;
}
