/** The origin of frames. The maker of a source opens it, and disposes of it, which stops it. */

import type { Format } from "./format.ts";
import type { Frame } from "./frame.ts";

/** A camera, a file, a test picture. */
export interface Source extends AsyncDisposable {
  /** The formats of its streams, where it may have several. */
  readonly formats?: readonly Format[];
  /**
   * The frames, as they come. Ends after the last one, or when disposed of. Throws `SourceError` if
   * the frames stop and nobody asked for that. To be called once.
   */
  frames(): AsyncIterable<Frame>;
}
