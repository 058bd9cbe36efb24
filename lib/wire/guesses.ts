/**
 * The wrong codes that a server hears: 20 at once, then one a second in all, however many call.
 *
 * A caller that has a place may say its proof. A wrong proof uses the place up, and all else gives
 * it back: so callers side by side cannot guess past the limit. Callers without a place wait for a
 * while. Of these, an address that has had no place for the longest time comes first, and of its
 * callers the newest: whoever comes into a crowd of guessers need not wait until all of them have
 * guessed.
 */

import type { Timer } from "../clock.ts";

/** Wrong codes at once, and the milliseconds until one more is heard. */
const AT_ONCE = 20;
const ONE_MORE_MS = 1000;

/** Milliseconds that a caller waits for a place: less than the silence that would end it. */
const WAIT_MS = 4000;

/** A place for one guess. It must be given back unless the guess was wrong. */
export interface GuessPlace {
  /** The guess was right, or none was made. Safe twice, and after `use`. */
  giveBack(): void;
  /** The guess was wrong. */
  use(): void;
}

/** A caller without a place. */
interface Waiting {
  readonly host: string;
  readonly resolve: (place: GuessPlace | undefined) => void;
  readonly timer: Timer;
}

/** The settings of a limit. */
export interface GuessesOptions {
  /** The clock, in milliseconds. */
  readonly nowMs?: () => number;
  /** Milliseconds that a caller waits for a place. */
  readonly waitMs?: number;
}

/** A limit of the wrong guesses of a whole program. */
export class Guesses implements Disposable {
  readonly #nowMs: () => number;
  readonly #waitMs: number;
  /** Places that nobody has, and that grow again with time. */
  #free = AT_ONCE;
  #taken = 0;
  #sinceMs: number;
  /** Callers without a place, the oldest first. */
  readonly #waiting = new Set<Waiting>();
  /** The addresses that have had places, the one with the oldest place first. */
  readonly #served = new Map<string, true>();
  #timer: Timer | undefined;
  #closed = false;

  /** A limit that has heard no guess yet. */
  constructor({ nowMs = () => performance.now(), waitMs = WAIT_MS }: GuessesOptions = {}) {
    this.#nowMs = nowMs;
    this.#waitMs = waitMs;
    this.#sinceMs = nowMs();
  }

  /** Waits for a place. Resolves to nothing if there is none for too long. */
  take(host: string): Promise<GuessPlace | undefined> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve(undefined);
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        resolve(undefined);
      }, this.#waitMs);
      const waiting: Waiting = { host, resolve, timer };
      this.#waiting.add(waiting);
      this.#serve();
    });
  }

  /** Gives no more places. Whoever waits is told so. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { timer, resolve } of this.#waiting) {
      clearTimeout(timer);
      resolve(undefined);
    }
    this.#waiting.clear();
  }

  /** Gives the free places to those who wait. */
  #serve(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#grow();
    while (this.#free >= 1) {
      const next = this.#next();
      if (next === undefined) return;
      this.#waiting.delete(next);
      clearTimeout(next.timer);
      this.#note(next.host);
      next.resolve(this.#place());
    }
    // Without anybody who waits, the places grow by themselves.
    if (this.#closed || this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => this.#serve(), Math.ceil((1 - this.#free) * ONE_MORE_MS));
  }

  /** Lets the free places grow with time. There are never more than 20, taken ones included. */
  #grow(): void {
    const nowMs = this.#nowMs();
    const grown = this.#free + (nowMs - this.#sinceMs) / ONE_MORE_MS;
    this.#free = Math.min(grown, AT_ONCE - this.#taken);
    this.#sinceMs = nowMs;
  }

  #next(): Waiting | undefined {
    const all = [...this.#waiting].reverse();
    const order = [...this.#served.keys()];
    const rank = ({ host }: Waiting): number => order.indexOf(host);
    return all.reduce<Waiting | undefined>(
      (best, one) => best === undefined || rank(one) < rank(best) ? one : best,
      undefined,
    );
  }

  /** Notes that an address has had a place. */
  #note(host: string): void {
    this.#served.delete(host);
    this.#served.set(host, true);
    const [oldest] = this.#served.keys();
    if (this.#served.size > AT_ONCE && oldest !== undefined) this.#served.delete(oldest);
  }

  #place(): GuessPlace {
    this.#grow();
    this.#free--;
    this.#taken++;
    let open = true;
    const close = (back: number): void => {
      if (!open) return;
      open = false;
      this.#grow();
      this.#taken--;
      this.#free += back;
      this.#serve();
    };
    return { giveBack: () => close(1), use: () => close(0) };
  }
}
