/**
 * The destination of frames: a window, a recording, the wire. The whole call rests on this
 * contract:
 *
 * - `push` never waits and never throws. A sink that cannot keep up applies its own policy
 *   (mailbox.ts) and counts.
 * - A pushed frame is shared: no sink changes it. A sink that keeps it after `push` has returned
 *   holds its lease, if it has one, and lets it go when done: its memory is then another frame's.
 * - A sink that fails says so by itself. It still accepts frames and forgets them: the other sinks
 *   do not notice.
 * - Disposing of a sink finishes its work and releases all that it holds. Safe twice.
 */

import type { Frame } from "./frame.ts";

/** Takes frames. */
export interface Sink extends AsyncDisposable {
  /** Takes a frame, or counts it as dropped. Never waits, never throws. */
  push(frame: Frame): void;
}
