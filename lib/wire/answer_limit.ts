/**
 * The bound on the answers that a server gives to who looks for servers. Questions cost an asker
 * nothing. One asker has some answers at once and then a few a second, and all of them together
 * have a bound of their own. So a flood costs little, and does not shut out the others.
 *
 * Pure: the caller hands in the time.
 */

/** Answers at once, and answers a second. One search asks some ten times. */
const ONE = { burst: 30, perSecond: 10 } as const;
const ALL = { burst: 300, perSecond: 100 } as const;

/** The most askers whose answers are counted one by one. */
const MAX_ASKERS = 256;

/** Room for a number of answers, which grows with time. */
interface Room {
  left: number;
  atMs: number;
}

/** Counts the answers to each asker. */
export class AnswerLimit {
  readonly #askers = new Map<string, Room>();
  readonly #all: Room = { left: ALL.burst, atMs: 0 };

  /** True if the asker at this address may have an answer now. It is then counted. */
  take(address: string, nowMs: number): boolean {
    const own = this.#askers.get(address) ?? { left: ONE.burst, atMs: nowMs };
    // Whoever asks under so many addresses is bounded by the other limit.
    if (this.#askers.size >= MAX_ASKERS && !this.#askers.has(address)) this.#askers.clear();
    this.#askers.set(address, own);
    fill(own, ONE, nowMs);
    fill(this.#all, ALL, nowMs);
    if (own.left < 1 || this.#all.left < 1) return false;
    own.left--;
    this.#all.left--;
    return true;
  }
}

function fill(room: Room, { burst, perSecond }: typeof ONE | typeof ALL, nowMs: number): void {
  room.left = Math.min(room.left + (nowMs - room.atMs) / 1000 * perSecond, burst);
  room.atMs = nowMs;
}
