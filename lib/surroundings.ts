/** The surroundings of a program's work, and the exit statuses that tell its result. */

import type { ChildWatch } from "./media/child.ts";
import type { Voice } from "./user/log.ts";
import type { Messages } from "./user/sentences.ts";

/** The surroundings of a program's calls. */
export interface Surroundings {
  /** The log that tells what happens. */
  readonly log: Voice;
  /** Hears what child processes do, if somebody wants to know. */
  readonly watch: ChildWatch | undefined;
  /** The sentences of the user's language. */
  readonly messages: Messages;
  /** The name that this end gives itself. It may be empty. */
  readonly name: string;
  /** The system, by the names of `Deno.build.os`. */
  readonly system: typeof Deno.build.os;
  /** The driver for windows: `none` if there shall be none, nothing if there can be none. */
  readonly screen: string | undefined;
  /** True if the keys are watched. */
  readonly keys: boolean;
  /** Aborted when the user hangs up in the terminal or the system wants us to end. */
  readonly hangUp: AbortSignal;
  /**
   * Gets a `quit` event when `q` is pressed. A listener that ends less than the whole program calls
   * `preventDefault`. Otherwise `hangUp` is aborted. Gets a `mute` event when `m` is pressed.
   */
  readonly keyboard: EventTarget;
  /** The code of private calls, out of the environment. */
  readonly code: string | undefined;
  /** Reads a line from the terminal that is not shown, where there is a terminal. */
  readonly readHidden: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
}

/** Exit statuses, the same for both programs. */
export const EXIT = { ok: 0, failed: 1, usage: 2, lost: 3 } as const;
