/**
 * Numbers that look random and are the same in every run. The seed of a failure makes it happen
 * again.
 */
export class Random {
  #state: number;

  /** A sequence of its own for each seed. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, less than 1 (Mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** At least `least`, less than `below`. */
  between(least: number, below: number): number {
    return least + this.next() * (below - least);
  }

  /** A whole number, at least 0, less than `below`. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** That many bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }

  /** One of them. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
