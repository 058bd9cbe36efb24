/**
 * Finds out whether a link is too narrow for what is sent over it: more is dropped than carried, for 5 s on end.
 *
 * Only a link makes a sender drop: a camera or an encoder that is too slow gives fewer frames, and none of them is dropped.
 * A link that stops for a while and comes back is not narrow. So the time is looked at in three parts, each of which ends
 * with a frame that was carried: a stop, however long, falls into two of them at the most.
 *
 * Pure: the caller hands in the time.
 */

/** How long a part is at least, in milliseconds, and how many in a row make a narrow link. */
const PART_MS = 5000 / 3;
const PARTS = 3;

/** Counts of frames since the call began. */
export interface SentFrames {
  /** Those handed to the link. */
  readonly sent: number;
  /** Those that found no room in it. */
  readonly dropped: number;
}

/** Looks at what a sender has sent and dropped. */
export class LinkWatch {
  #part: { readonly counts: SentFrames; readonly sinceMs: number } | undefined;
  #narrowParts = 0;
  #told = false;

  /** Takes the counts of this moment, several times a second. True once: when the link has turned out to be too narrow. */
  look({ sent, dropped }: SentFrames, nowMs: number): boolean {
    const part = this.#part ??= { counts: { sent, dropped }, sinceMs: nowMs };
    const carried = sent - part.counts.sent;
    if (this.#told || nowMs - part.sinceMs < PART_MS || carried === 0) return false;
    const isNarrow = dropped - part.counts.dropped > carried;
    this.#narrowParts = isNarrow ? this.#narrowParts + 1 : 0;
    this.#part = { counts: { sent, dropped }, sinceMs: nowMs };
    this.#told = this.#narrowParts === PARTS;
    return this.#told;
  }
}
