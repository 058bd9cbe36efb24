/**
 * The two policies for a sink that cannot keep up. `NewestFrame` keeps the last frame only: a taker
 * always gets the present, and the dropped frames are counted. `FrameQueue` keeps every frame
 * within a bound: a taker misses nothing, and `push` says when the bound is reached. Neither makes
 * `push` wait.
 */

import { type Codec, isInterCoded } from "./format.ts";
import type { Frame } from "./frame.ts";

/** The treatment of frames in a `NewestFrame`. */
export interface NewestOptions<T> {
  /** The number of items that may wait before all of them are dropped; one if not given. */
  readonly room?: number;
  /** True if an item is of use without those before it; always true if not given. */
  readonly standsAlone?: (item: T) => boolean;
  /** Hears of each item that is dropped. */
  readonly onDrop?: (item: T) => void;
}

/**
 * A place for one frame: it is dropped if nobody has taken it when the next one comes. Where frames
 * need those before them, a few may wait. If they are too many, all are dropped, and so is
 * everything up to a frame that stands alone.
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

  /** A place for one frame that stands alone, unless the options say otherwise. */
  constructor(
    { room = 1, standsAlone = () => true, onDrop = () => {} }: NewestOptions<T> = {},
  ) {
    this.#room = room;
    this.#standsAlone = standsAlone;
    this.#onDrop = onDrop;
  }

  /** The number of items that were dropped before anybody took them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** True once no more items are accepted. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The item that `take` would give at once, if there is one. */
  get next(): T | undefined {
    return this.#items.first;
  }

  /** Puts an item in. It replaces those that wait if they are too many. */
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

  /**
   * Takes the first item, and waits for one if need be. Resolves to `undefined` when closed. One
   * taker at a time.
   */
  take(): Promise<T | undefined> {
    if (this.#items.length > 0) return Promise.resolve(this.poll());
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** Begins anew: all waiting and coming items are dropped up to one that stands alone. */
  restart(): void {
    this.#broken = true;
    while (this.#broken && this.#items.length > 0) {
      if (this.#standsAlone(this.#items.first!)) this.#broken = false;
      else this.#drop(this.#items.shift()!);
    }
  }

  /** Ends it: waiting items are dropped, and a waiting taker gets `undefined`. */
  close(): void {
    this.#closed = true;
    for (const item of this.#items.clear()) this.#drop(item);
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }
}

/**
 * The options of a `NewestFrame` for frames of this kind. It holds one frame, or the frames of that
 * many seconds where each needs the one before it. The dropped ones are let go.
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

/** A queue of all pushed items, in order, within bounds on their bytes and their number. */
export class FrameQueue<T> {
  readonly #maxBytes: number;
  readonly #maxItems: number;
  readonly #items = new Fifo<{ readonly item: T; readonly bytes: number }>();
  #bytes = 0;
  #waiting: ((item: T | undefined) => void) | undefined;
  #closed = false;

  /**
   * `maxBytes` bounds the waiting bytes, and `maxItems` the waiting items: the smallest item takes
   * its room, too. A single item is accepted, however large it is.
   */
  constructor(maxBytes: number, maxItems: number) {
    this.#maxBytes = maxBytes;
    this.#maxItems = maxItems;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True if an item of that many bytes would be accepted now. */
  hasRoom(bytes: number): boolean {
    if (this.#closed) return false;
    const count = this.#items.length;
    return count === 0 || (count < this.#maxItems && this.#bytes + bytes <= this.#maxBytes);
  }

  /** Adds an item. Returns `false` if there is no room. */
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

  /**
   * Takes the oldest item, and waits for one if need be. Resolves to `undefined` when closed and
   * empty. One taker at a time.
   */
  take(): Promise<T | undefined> {
    const first = this.#items.shift();
    if (first) {
      this.#bytes -= first.bytes;
      return Promise.resolve(first.item);
    }
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** Ends it: no more items are accepted, and the waiting ones can still be taken. */
  close(): void {
    this.#closed = true;
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }

  /** Ends it and gives the waiting items, which nobody will take any more. */
  abandon(): T[] {
    this.close();
    this.#bytes = 0;
    return this.#items.clear().map(({ item }) => item);
  }
}

/** First in, first out, each in constant time. `Array.shift` moves all items behind the first. */
class Fifo<T> {
  #items: (T | undefined)[] = [];
  /** The index of the first item. The items before it are taken. */
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
    // The number of moved items is at most the number taken since the last time.
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
