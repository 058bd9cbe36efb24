/**
 * Where frames come from. Opening one is the affair of whoever makes it; it must be disposed of, which stops it.
 */

import type { Frame } from "./frame.ts";

/** A camera, a file, a test picture. */
export interface Source extends AsyncDisposable {
  /**
   * The frames, as they come. Ends after the last one, or when disposed of; throws `SourceError` where frames stop that
   * nobody asked to stop. To be called once.
   */
  frames(): AsyncIterable<Frame>;
}
