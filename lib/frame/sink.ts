/**
 * Where frames go: a window, a recording, the wire. The contract, on which the whole call rests:
 *
 * - `push` never waits and never throws. A sink that cannot keep up applies its own policy (mailbox.ts) and counts.
 * - A frame that was pushed is shared: no sink changes it. One that keeps it after `push` has returned holds its lease, if it
 *   has one, and lets it go when done: its memory is then another frame's.
 * - A sink that fails says so by itself, and goes on taking frames that it then forgets: the others do not notice.
 * - Disposing of a sink finishes what it has and releases all it holds. Safe twice.
 */

import type { Frame } from "./frame.ts";

/** Takes frames. */
export interface Sink extends AsyncDisposable {
  /** Takes a frame, or counts it as dropped. Never waits, never throws. */
  push(frame: Frame): void;
}
