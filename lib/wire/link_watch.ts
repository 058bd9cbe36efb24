/**
 * Finds out if a link is too narrow for our frames: it drops more of them than it carries, for 5 s
 * on end.
 *
 * Only a link makes a sender drop. A camera or an encoder that is too slow gives fewer frames, and
 * none of them is dropped. A link that stops for a while and comes back is not narrow. So the time
 * is looked at in three parts, each of which ends with a frame that was carried. A stop, however
 * long, falls into two of them at the most.
 *
 * Pure: the caller hands in the time.
 */

/** The least milliseconds of a part, and the number of parts in a row that make a narrow link. */
const PART_MS = 5000 / 3;
const PARTS = 3;

/** Counts of frames since the call began. */
export interface SentFrames {
  /** Frames handed to the link. */
  readonly sent: number;
  /** Frames that found no room in it. */
  readonly dropped: number;
}

/** Watches the frames that a sender has sent and dropped. */
export class LinkWatch {
  #part: { readonly counts: SentFrames; readonly sinceMs: number } | undefined;
  #narrowParts = 0;
  #told = false;

  /**
   * Takes the present counts, several times a second. True once: when the link has turned out to be
   * too narrow.
   */
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
