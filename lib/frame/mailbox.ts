/**
 * The two policies for a sink that cannot keep up. `NewestFrame` keeps the last frame only: whoever takes is always
 * given the present, and what was dropped is counted. `FrameQueue` keeps every frame within a bound: whoever takes misses
 * nothing, and whoever pushes is told when the bound is reached. Neither ever makes the one who pushes wait.
 */

import { type Codec, isInterCoded } from "./format.ts";
import type { Frame } from "./frame.ts";

/** How a `NewestFrame` treats its frames. */
export interface NewestOptions<T> {
  /** How many may wait before all of them are dropped; one, if not given. */
  readonly room?: number;
  /** Whether an item is of use without those before it; always, if not given. */
  readonly standsAlone?: (item: T) => boolean;
  /** Is told of each item that is dropped. */
  readonly onDrop?: (item: T) => void;
}

/**
 * A place for one frame: a frame that nobody has taken when the next one comes is dropped. Where frames need those before
 * them, it is a place for a few, and when they are too many all are dropped and everything up to one that stands alone.
 */
export class NewestFrame<T> {
  readonly #room: number;
  readonly #standsAlone: (item: T) => boolean;
  readonly #onDrop: (item: T) => void;
  readonly #items = new Fifo<T>();
  #broken = false;
  #waiting: ((item: T | undefined) => void) | undefined;
  #closed = false;
  #dropped = 0;

  /** One frame, each of which stands alone, if not told otherwise. */
  constructor(
    { room = 1, standsAlone = () => true, onDrop = () => {} }: NewestOptions<T> = {},
  ) {
    this.#room = room;
    this.#standsAlone = standsAlone;
    this.#onDrop = onDrop;
  }

  /** How many were dropped before anybody took them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** True once nothing is taken in any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The item that `take` would give at once, if there is one. */
  get next(): T | undefined {
    return this.#items.first;
  }

  /** Puts an item in; in the place of those that wait, where there are too many. */
  push(item: T): void {
    if (this.#closed) return;
    if (this.#items.length >= this.#room) {
      for (const old of this.#items.clear()) this.#drop(old);
      this.#broken = true;
    }
    if (this.#broken && !this.#standsAlone(item)) return this.#drop(item);
    this.#broken = false;
    if (this.#waiting) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting(item);
    } else {
      this.#items.push(item);
    }
  }

  #drop(item: T): void {
    this.#dropped++;
    this.#onDrop(item);
  }

  /** Takes the first item that waits, if there is one. */
  poll(): T | undefined {
    return this.#items.shift();
  }

  /** Takes the first item, waiting for one if need be; `undefined` when closed. One taker at a time. */
  take(): Promise<T | undefined> {
    if (this.#items.length > 0) return Promise.resolve(this.poll());
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** Begins anew: what waits and what comes is dropped up to an item that stands alone. */
  restart(): void {
    this.#broken = true;
    while (this.#broken && this.#items.length > 0) {
      if (this.#standsAlone(this.#items.first!)) this.#broken = false;
      else this.#drop(this.#items.shift()!);
    }
  }

  /** Ends it: what waits is dropped, whoever waits is given `undefined`. */
  close(): void {
    this.#closed = true;
    for (const item of this.#items.clear()) this.#drop(item);
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }
}

/**
 * What a place for the newest frame is to be for frames of this kind: one, or as many as come in that many seconds where
 * each needs the one before it. Those that are dropped are let go.
 */
export function newestOptions(
  { codec, fps }: { readonly codec: Codec; readonly fps: number },
  seconds: number,
): NewestOptions<Frame> {
  const onDrop = (frame: Frame): void => frame.lease?.letGo();
  return isInterCoded(codec)
    ? {
      room: Math.max(Math.ceil(fps * seconds), 2),
      standsAlone: (frame) => frame.keyframe,
      onDrop,
    }
    : { onDrop };
}

/** A queue of everything pushed, in order, as long as it weighs no more than its bounds. */
export class FrameQueue<T> {
  readonly #maxBytes: number;
  readonly #maxItems: number;
  readonly #items = new Fifo<{ readonly item: T; readonly bytes: number }>();
  #bytes = 0;
  #waiting: ((item: T | undefined) => void) | undefined;
  #closed = false;

  /**
   * `maxBytes` bounds what waits, and `maxItems` how many: the smallest item takes its room, too. A single item is taken
   * whatever it weighs.
   */
  constructor(maxBytes: number, maxItems: number) {
    this.#maxBytes = maxBytes;
    this.#maxItems = maxItems;
  }

  /** How much waits. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True if an item of this weight would be taken now. */
  hasRoom(bytes: number): boolean {
    if (this.#closed) return false;
    const count = this.#items.length;
    return count === 0 || (count < this.#maxItems && this.#bytes + bytes <= this.#maxBytes);
  }

  /** Adds an item; `false` where there is no room. */
  push(item: T, bytes: number): boolean {
    if (!this.hasRoom(bytes)) return false;
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

  /** Ends it and gives what waits, which nobody will take any more. */
  abandon(): T[] {
    this.close();
    this.#bytes = 0;
    return this.#items.clear().map(({ item }) => item);
  }
}

/** First in, first out, each in constant time: `Array.shift` moves all that is behind. */
class Fifo<T> {
  #items: (T | undefined)[] = [];
  /** Where the first one is; what was before it is taken. */
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const first = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    // As many are moved as were taken since the last time.
    if (this.#head >= this.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return first;
  }

  clear(): T[] {
    const items = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return items;
  }
}
