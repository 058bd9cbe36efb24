/**
 * A connection in memory: two ends that fit `Connection`, with the manners of TCP that a test wants
 * to see. Bytes that are written in two pieces are read in two pieces, so a test decides where a
 * stream is split. Closing an end with unread bytes resets the peer, which loses its own unread
 * bytes. TCP does the same, and so ends must be polite.
 */

import { concat } from "@std/bytes/concat";
import type { Connection } from "../lib/wire/wire.ts";

/** The habits of one end. They may be changed at any time. */
export interface Habits {
  /** The most bytes of one read. All bytes of one write, if not given. */
  readBytes?: () => number;
  /** The most bytes of one write. All, if not given. */
  writeBytes?: () => number;
  /** The most bytes that may be written and not yet read by the peer. A write beyond waits. */
  room?: number;
}

/** One direction. */
class Pipe {
  readonly #chunks: Uint8Array[] = [];
  #changed = Promise.withResolvers<void>();
  waiting = 0;
  total = 0;
  ended = false;
  error: Error | undefined;

  put(data: Uint8Array): void {
    if (data.length === 0) return;
    this.#chunks.push(data.slice());
    this.waiting += data.length;
    this.total += data.length;
    this.notify();
  }

  take(into: Uint8Array, most: number): number {
    const first = this.#chunks[0]!;
    const part = first.subarray(0, Math.min(first.length, into.length, most));
    into.set(part);
    if (part.length === first.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(part.length);
    this.waiting -= part.length;
    this.notify();
    return part.length;
  }

  end(): void {
    this.ended = true;
    this.notify();
  }

  fail(error: Error): void {
    this.error ??= error;
    this.#chunks.length = 0;
    this.waiting = 0;
    this.notify();
  }

  notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  get changed(): Promise<void> {
    return this.#changed.promise;
  }
}

/** One end of a pair. */
export class FakeConnection implements Connection, Disposable {
  readonly habits: Habits;
  readonly #inbound: Pipe;
  readonly #outbound: Pipe;
  /** The largest buffer of a read: the memory that the reader had set aside. */
  largestRead = 0;
  /** Calls of `closeWrite` and `close`, in order. */
  readonly ends: ("closeWrite" | "close")[] = [];
  #closed = false;

  constructor(inbound: Pipe, outbound: Pipe, habits: Habits) {
    this.#inbound = inbound;
    this.#outbound = outbound;
    this.habits = habits;
  }

  /** True if this end was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes this end has written so far. */
  get writtenBytes(): number {
    return this.#outbound.total;
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.largestRead = Math.max(this.largestRead, into.length);
    const pipe = this.#inbound;
    while (true) {
      if (this.#closed) throw new Deno.errors.BadResource("Closed");
      if (pipe.error) throw pipe.error;
      if (pipe.waiting > 0) return pipe.take(into, this.habits.readBytes?.() ?? Infinity);
      if (pipe.ended) return null;
      await pipe.changed;
    }
  }

  async write(data: Uint8Array): Promise<number> {
    const pipe = this.#outbound;
    while (true) {
      if (this.#closed || pipe.ended) throw new Deno.errors.BrokenPipe("Closed");
      if (pipe.error) throw pipe.error;
      const room = (this.habits.room ?? Infinity) - pipe.waiting;
      if (room > 0) {
        const count = Math.min(data.length, room, this.habits.writeBytes?.() ?? Infinity);
        pipe.put(data.subarray(0, count));
        return count;
      }
      await pipe.changed;
    }
  }

  closeWrite(): Promise<void> {
    this.ends.push("closeWrite");
    if (this.#outbound.error) return Promise.reject(this.#outbound.error);
    this.#outbound.end();
    return Promise.resolve();
  }

  close(): void {
    this.ends.push("close");
    if (this.#closed) throw new Deno.errors.BadResource("Closed twice");
    this.#closed = true;
    const unread = this.#inbound.waiting > 0;
    this.#outbound.end();
    if (unread) this.#outbound.fail(new Deno.errors.ConnectionReset("Reset by the other end"));
    this.#inbound.fail(new Deno.errors.BrokenPipe("Nobody reads"));
  }

  /** Tears the connection for both ends, like a machine that crashed and came back. */
  reset(): void {
    this.#inbound.fail(new Deno.errors.ConnectionReset("Reset"));
    this.#outbound.fail(new Deno.errors.ConnectionReset("Reset"));
  }

  /** Writes all of it as one piece, past every habit. */
  put(data: Uint8Array): void {
    this.#outbound.put(data);
  }

  /** Makes room for this end's writes, of any amount. */
  makeRoom(): void {
    delete this.habits.room;
    this.#outbound.notify();
  }

  /** Resolves when this end has written that many bytes in all. */
  async written(total: number): Promise<void> {
    while (this.#outbound.total < total) await this.#outbound.changed;
  }

  /** Resolves when this end was closed. */
  async whenClosed(): Promise<void> {
    while (!this.#closed) await Promise.race([this.#inbound.changed, this.#outbound.changed]);
  }

  /** Reads exactly that many bytes. Throws if the stream ends before. */
  async readExactly(count: number): Promise<Uint8Array> {
    const into = new Uint8Array(count);
    for (let filled = 0; filled < count;) {
      const got = await this.read(into.subarray(filled));
      if (got === null) throw new Error(`The stream ends after ${filled} of ${count} bytes`);
      filled += got;
    }
    return into;
  }

  /** Reads one message as any peer would: eight bytes little-endian, then that many. */
  async readMessage(): Promise<Uint8Array> {
    const header = await this.readExactly(8);
    return await this.readExactly(Number(new DataView(header.buffer).getBigUint64(0, true)));
  }

  /** Reads until the peer has closed. Throws if it resets instead. */
  async readRest(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    const into = new Uint8Array(65536);
    let count: number | null;
    while ((count = await this.read(into)) !== null) parts.push(into.slice(0, count));
    return concat(parts);
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.close();
  }
}

/** Both ends. Disposing of them closes those that are still open. */
export interface FakePair extends Disposable {
  /** The end that is tested. */
  readonly near: FakeConnection;
  /** The end that the test itself plays. */
  readonly far: FakeConnection;
}

/** Makes a pair. The habits are those of the near end. */
export function openPair(habits: Habits = {}): FakePair {
  const there = new Pipe();
  const back = new Pipe();
  const near = new FakeConnection(back, there, habits);
  const far = new FakeConnection(there, back, {});
  return {
    near,
    far,
    [Symbol.dispose](): void {
      near[Symbol.dispose]();
      far[Symbol.dispose]();
    },
  };
}
