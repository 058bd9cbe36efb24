/**
 * The door of a server: callers that have connected and are in no call yet, and the lines about
 * them. Strangers may come in any number. The places and the lines that they cost are bounded.
 */

import { closeConnection, type Connection } from "./wire.ts";

/** The most callers at the door at once. */
const PLACES = 64;

/**
 * The number that are told of at once. One more is told of each time that these
 * milliseconds pass.
 */
const AT_ONCE = 20;
const ONE_MORE_MS = 3000;

/**
 * The callers that are in no call yet. If there are too many, the address that has most of them
 * loses its oldest one. So one machine can fill the door only for itself.
 */
export class Door {
  readonly #places: number;
  /** The address of each caller, the oldest first. */
  readonly #callers = new Map<Connection, string>();

  /** A door with that many places. */
  constructor(places: number = PLACES) {
    this.#places = places;
  }

  /** The number of callers there. */
  get size(): number {
    return this.#callers.size;
  }

  /**
   * Gives a caller a place. If no place is free, another caller loses its own, and its connection
   * is closed.
   */
  enter(connection: Connection, host: string): void {
    if (this.#callers.size >= this.#places) this.#turnOutOne();
    this.#callers.set(connection, host);
  }

  /** Frees the place of a caller. Safe twice, and for a caller that was turned out. */
  leave(connection: Connection): void {
    this.#callers.delete(connection);
  }

  /** Turns out all callers. */
  clear(): void {
    for (const connection of [...this.#callers.keys()]) this.#turnOut(connection);
  }

  #turnOutOne(): void {
    const counts = new Map<string, number>();
    for (const host of this.#callers.values()) counts.set(host, (counts.get(host) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [connection, host] of this.#callers) {
      if (counts.get(host) === most) return this.#turnOut(connection);
    }
  }

  #turnOut(connection: Connection): void {
    // A caller that was silent for too long is closed a moment before it leaves.
    if (this.#callers.delete(connection)) closeConnection(connection);
  }
}

/**
 * Bounds the sentences that strangers and peers can cause as often as they like: some at once, then
 * one now and then. Counts the others.
 */
export class TellLimit {
  readonly #nowMs: () => number;
  #room = AT_ONCE;
  #lastMs: number;
  #untold = 0;

  /** A limit by that clock, in milliseconds. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
  }

  /** True if one more may be told of. */
  take(): boolean {
    const nowMs = this.#nowMs();
    this.#room = Math.min(this.#room + (nowMs - this.#lastMs) / ONE_MORE_MS, AT_ONCE);
    this.#lastMs = nowMs;
    if (this.#room < 1) return false;
    this.#room--;
    return true;
  }

  /** Counts one that was not told of. */
  skip(): void {
    this.#untold++;
  }

  /** The number of those that were not told of since the last call of this function. */
  takeUntold(): number {
    const untold = this.#untold;
    this.#untold = 0;
    return untold;
  }
}
