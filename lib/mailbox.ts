/**
 * The two policies for a sink that cannot keep up. `NewestFrame` keeps the last frame only: whoever takes is always
 * given the present. `FrameQueue` keeps every frame within a bound: whoever takes misses nothing, until the bound. Both
 * count what they drop, and neither ever makes the one who pushes wait.
 */

/** A place for one frame: a frame that nobody has taken when the next one comes is dropped. */
export class NewestFrame<T> {
  #item: T | undefined;
  #waiting: ((item: T | undefined) => void) | undefined;
  #closed = false;
  #dropped = 0;

  /** How many were replaced before anybody took them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Puts an item in the place of the one that waits, if any. */
  push(item: T): void {
    if (this.#closed) return;
    if (this.#waiting) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting(item);
      return;
    }
    if (this.#item !== undefined) this.#dropped++;
    this.#item = item;
  }

  /** Takes the newest item, waiting for one if need be; `undefined` when closed. One taker at a time. */
  take(): Promise<T | undefined> {
    if (this.#item !== undefined) {
      const item = this.#item;
      this.#item = undefined;
      return Promise.resolve(item);
    }
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** Ends it: what waits is dropped, whoever waits is given `undefined`. */
  close(): void {
    this.#closed = true;
    this.#item = undefined;
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }
}

/** A queue of everything pushed, in order, as long as it weighs no more than its bound. */
export class FrameQueue<T> {
  readonly #maxBytes: number;
  #items: { readonly item: T; readonly bytes: number }[] = [];
  #bytes = 0;
  #waiting: ((item: T | undefined) => void) | undefined;
  #closed = false;
  #dropped = 0;

  /** `maxBytes` bounds what waits; a single item is taken whatever it weighs. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether an item of this weight would be taken now. */
  hasRoom(bytes: number): boolean {
    return !this.#closed && (this.#items.length === 0 || this.#bytes + bytes <= this.#maxBytes);
  }

  /** Adds an item; `false`, and counted, where there is no room. */
  push(item: T, bytes: number): boolean {
    if (!this.hasRoom(bytes)) {
      this.#dropped++;
      return false;
    }
    if (this.#waiting) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting(item);
      return true;
    }
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Takes the oldest item, waiting for one if need be; `undefined` when closed and empty. One taker at a time. */
  take(): Promise<T | undefined> {
    const first = this.#items.shift();
    if (first) {
      this.#bytes -= first.bytes;
      return Promise.resolve(first.item);
    }
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** Ends it: nothing more is taken in; what waits can still be taken. */
  close(): void {
    this.#closed = true;
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }
}
