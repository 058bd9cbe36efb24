/**
 * The wire: messages with their length in front, over anything that reads and writes bytes.
 *
 * ```
 *  0        8                        8 + n
 *  ┌────────┬──────────────────────────┐
 *  │ n: u64 │ payload: n bytes         │      n is little-endian
 *  └────────┴──────────────────────────┘
 * ```
 *
 * It knows nothing of the meaning of messages, nor of Deno. A TCP connection of Deno's fits
 * `Connection` as it is.
 */

import { concat } from "@std/bytes/concat";
import type { Timer } from "../clock.ts";
import { PeerLostError, ProtocolError, SealError } from "../errors.ts";
import { guessLength } from "../near_miss.ts";
import { type Opener, type Sealer, TAG_BYTES } from "./seal.ts";

/**
 * The part of a connection that the wire needs. `Deno.TcpConn` has it. Closing must wake a waiting
 * `read`.
 */
export interface Connection {
  /**
   * Reads at most `into.length` bytes. Resolves to the number of bytes, or to `null` at the end of
   * the stream.
   */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `data`. Resolves to the number of bytes. */
  write(data: Uint8Array): Promise<number>;
  /** Says that nothing more will be written. Bytes under way still arrive. */
  closeWrite(): Promise<void>;
  /** Lets go of everything. */
  close(): void;
  /** The address at this end, if there is one. */
  readonly localAddr?: { readonly hostname: string };
  /** The address of the peer, if there is one. */
  readonly remoteAddr?: { readonly hostname: string };
}

/** True if both ends of a connection are on this machine, and their windows on one screen. */
export function isOneMachine({ localAddr, remoteAddr }: Connection): boolean {
  return localAddr !== undefined && localAddr.hostname === remoteAddr?.hostname;
}

/** Lets go of a connection. Safe for one that somebody else has closed: Deno's would throw. */
export function closeConnection(connection: Pick<Connection, "close">): void {
  try {
    connection.close();
  } catch {
    // Nothing is left to let go of.
  }
}

/** Bytes of the length in front of every message. */
export const LENGTH_BYTES = 8;

/** Milliseconds that a peer may say nothing before it counts as lost (as SRT's idle time). */
export const SILENCE_MS = 5000;

/**
 * The factor on that time in a call. A call has to survive a link that was gone for 5 s, and TCP
 * needs time to find out that it is back. It tries again after 0.2, 0.6, 1.4, 3.0 and 6.2 s.
 */
const IN_CALL = 1.3;

/**
 * The fewest bytes within the time of silence that count as a word. A peer that keeps a connection
 * busy with a byte a second is not there.
 */
const TRICKLE_BYTES = 4096;

/**
 * The least pace of a message, 1 Mbit/s, and the number of silences that it may take besides. A
 * peer that drips its bytes is never silent, and would hold a place for hours. In a call, the
 * network may be away twice.
 */
const LEAST_BYTES_PER_MS = 125;
const SILENCES_AT_DOOR = 2;
const SILENCES_IN_CALL = 4;

/** Milliseconds between two looks at the silence. */
const TICK_MS = 250;

/** The part of that time without a byte after which a message is not slow: the network is gone. */
const GONE = 0.4;

/**
 * Milliseconds that the peer's remaining words are waited for after our last one, if not told
 * otherwise.
 */
export const FAREWELL_MS = 1000;

/** Milliseconds that a hang-up waits for bytes under way that do not move. */
export const STILL_MS = 5000;

/** Milliseconds that a hang-up waits even if they move: a peer may read a byte a second. */
const HANG_UP_MS = 15_000;

/** Bytes that are worth a copy if that spares a write. */
const JOINED_BYTES = 4096;

/** Joins the first parts, as far as they are small. Returns them and the others. */
function joinedStart(
  parts: readonly Uint8Array[],
): readonly [Uint8Array, readonly Uint8Array[]] {
  let bytes = 0;
  let count = 0;
  while (count < parts.length && bytes + parts[count]!.length <= JOINED_BYTES) {
    bytes += parts[count++]!.length;
  }
  return [concat(parts.slice(0, count)), parts.slice(count)];
}

/** Settings of a wire. */
export interface WireOptions {
  /** Milliseconds that nothing may come. */
  readonly silenceMs?: number;
  /**
   * True if something ought to come at this moment. If nothing needs to come, silence is no loss.
   * Always true if not given.
   */
  readonly expecting?: () => boolean;
}

/**
 * Messages over a connection: one reader and one writer at a time. Owns the connection and closes
 * it.
 */
export class Wire {
  readonly #connection: Connection;
  #expecting: () => boolean;
  readonly #silenceMs: number;
  #ticksAllowed: number;
  #silences = SILENCES_AT_DOOR;
  readonly #header = new Uint8Array(LENGTH_BYTES);
  /** The bytes of the length that came with the message before. */
  #headerBytes = 0;
  #ticker: Timer | undefined;
  #quietTicks = 0;
  #recentBytes = 0;
  #insideMessage = false;
  /** The message that is being read: its length, the bytes to come, and the time so far. */
  #length = 0;
  #toCome = 0;
  #readTicks = 0;
  /** The length of the message that is being written, if there is one, and the time so far. */
  #writing: number | undefined;
  #writeTicks = 0;
  #lost: "silence" | "slow" | undefined;
  #closed = false;
  #received = 0;
  #sent = 0;
  #sealer: Sealer | undefined;
  #opener: Opener | undefined;

  /** Takes over the connection. */
  constructor(connection: Connection, options: WireOptions = {}) {
    this.#connection = connection;
    this.#expecting = options.expecting ?? ((): boolean => true);
    // Ticks are counted, not time. So a machine that slept does not take its own sleep for the
    // peer's silence.
    this.#silenceMs = options.silenceMs ?? SILENCE_MS;
    this.#ticksAllowed = Math.ceil(this.#silenceMs / TICK_MS);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Bytes received so far, lengths included. */
  get receivedBytes(): number {
    return this.#received;
  }

  /** Bytes sent so far, lengths included. */
  get sentBytes(): number {
    return this.#sent;
  }

  /** Seals every message from now on. All lengths remain those of the messages themselves. */
  sealWith(sealer: Sealer): void {
    this.#sealer = sealer;
  }

  /** Opens every message from now on. A broken seal throws `SealError`. */
  openWith(opener: Opener): void {
    this.#opener = opener;
  }

  /**
   * Reads the length of the next message. Resolves to `null` if the stream ends between two
   * messages. Nothing of the message itself is read or stored: the caller judges the length first.
   * Throws `PeerLostError`; an error of the peer for a length that no message of any mode can have.
   */
  async readLength(): Promise<number | null> {
    const ahead = this.#headerBytes;
    this.#headerBytes = 0;
    this.#length = 0;
    if (await this.#fill(this.#header, ahead, LENGTH_BYTES, true) === 0) return null;
    const length = new DataView(this.#header.buffer).getBigUint64(0, true);
    if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#tooLong(length);
    this.#length = this.#toCome = Number(length);
    if (!this.#opener) return this.#length;
    if (this.#length < TAG_BYTES) throw new SealError();
    return this.#length - TAG_BYTES;
  }

  /**
   * Fills `into` with the next bytes of a message in the clear. Throws `PeerLostError` if the stream ends
   * before.
   */
  async read(into: Uint8Array): Promise<void> {
    await this.#fill(into, 0, into.length, false);
    this.#heard(into.length);
  }

  /**
   * Reads the whole of a message of that length. It goes into `memory` if that has room for it and
   * for the next length. That length often comes along; a read of its own would take as long again.
   * Throws as `read`.
   */
  async readPayload(length: number, memory?: Uint8Array): Promise<Uint8Array> {
    const opener = this.#opener;
    const bytes = opener ? length + TAG_BYTES : length;
    const room = bytes + LENGTH_BYTES;
    const into = opener?.room(room) ??
      (memory && memory.length >= room ? memory.subarray(0, room) : new Uint8Array(room));
    const filled = await this.#fill(into, 0, bytes, false);
    this.#header.set(into.subarray(bytes, filled));
    this.#headerBytes = filled - bytes;
    this.#heard(bytes);
    const message = into.subarray(0, bytes);
    return opener ? opener.open(message, memory) : message;
  }

  /**
   * Reads one message of at most `maxBytes`. Resolves to `null` at the end of the stream. `memory`
   * and the errors are those of `readLength` and `readPayload`.
   */
  async readMessage(maxBytes: number, memory?: Uint8Array): Promise<Uint8Array | null> {
    const length = await this.readLength();
    if (length === null) return null;
    if (length > maxBytes) throw this.#tooLong(length, `: at most ${maxBytes} here`);
    return await this.readPayload(length, memory);
  }

  /**
   * Writes one message given in parts. In the clear, a message of some thousand bytes leaves in one
   * piece, and the large parts of others are not copied. Calls must not overlap. Throws
   * `PeerLostError`.
   */
  async writeMessage(...parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    this.#writing = length;
    this.#writeTicks = 0;
    try {
      if (this.#sealer) return await this.#writeAll(this.#sealer.seal(parts));
      const header = new Uint8Array(LENGTH_BYTES);
      new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
      const [start, rest] = joinedStart([header, ...parts]);
      await this.#writeAll(start);
      for (const part of rest) await this.#writeAll(part);
    } finally {
      this.#writing = undefined;
    }
  }

  /**
   * Notes that the peer is in a call now. Its silence may last a little longer than a stranger's.
   * `expecting` returns true if something ought to come. If it is given, silence no longer closes
   * the connection: the giver looks at `quietMs`.
   */
  enterCall(expecting?: () => boolean): void {
    this.#silences = SILENCES_IN_CALL;
    this.#ticksAllowed = expecting ? Infinity : Math.ceil(this.#ticksAllowed * IN_CALL);
    if (expecting) this.#expecting = expecting;
  }

  /** Milliseconds since the last byte, as far as something ought to come. */
  get quietMs(): number {
    return this.#quietTicks * TICK_MS;
  }

  /**
   * The polite end: says that nothing more comes. Then reads and forgets the peer's words until it
   * has closed too, for that long at most. Closing at once would reset a connection with unread
   * bytes, and the peer would lose our last words with it.
   */
  async finish(patienceMs: number = FAREWELL_MS): Promise<void> {
    if (this.#closed) return;
    this.#stopTicking();
    const timer = setTimeout(() => this.close(), patienceMs);
    try {
      await this.#connection.closeWrite();
      const rest = new Uint8Array(65536);
      while (!this.#closed && await this.#connection.read(rest) !== null);
    } catch {
      // The peer was quicker. Nobody is left to be polite to.
    } finally {
      clearTimeout(timer);
      this.close();
    }
  }

  /**
   * Hangs up: `last` writes the rest of our words, then comes the polite end. Each may go that long
   * without anything that moves.
   */
  async hangUp(last: () => Promise<void>, patienceMs: number): Promise<void> {
    let [before, stillMs, tookMs] = [this.#sent, 0, 0];
    const watching = setInterval(() => {
      stillMs = this.#sent === before ? stillMs + TICK_MS : 0;
      tookMs += TICK_MS;
      before = this.#sent;
      if (stillMs >= patienceMs || tookMs >= HANG_UP_MS) this.close();
    }, TICK_MS);
    try {
      await last();
    } catch {
      // The reader hears of the same loss.
    } finally {
      clearInterval(watching);
    }
    await this.finish(patienceMs);
  }

  /** Lets go at once. Safe twice. */
  close(): void {
    this.#stopTicking();
    if (this.#closed) return;
    this.#closed = true;
    // The giver of the connection may have closed it before us, to wake us.
    closeConnection(this.#connection);
  }

  /** The error for a length that no message has here. Nobody but a stranger sends one in a seal. */
  #tooLong(length: bigint | number, limit = ""): Error {
    if (this.#opener) return new SealError();
    return new ProtocolError(
      guessLength(length) ?? `a message of ${length} bytes is too long${limit}`,
    );
  }

  /**
   * Fills `into`, of which `filled` bytes are there, until `enough` are there, or more. Resolves to
   * their number. It is 0 if the stream ends before the first byte and `mayEnd` allows that.
   */
  async #fill(into: Uint8Array, filled: number, enough: number, mayEnd: boolean): Promise<number> {
    this.#insideMessage = !mayEnd || filled > 0;
    while (filled < enough) {
      const count = await this.#readSome(filled === 0 ? into : into.subarray(filled));
      if (count === null) {
        if (mayEnd && filled === 0) return 0;
        throw new PeerLostError("cut");
      }
      filled += count;
      this.#received += count;
      this.#recentBytes += count;
      this.#insideMessage = true;
    }
    return filled;
  }

  async #readSome(into: Uint8Array): Promise<number | null> {
    try {
      return await this.#connection.read(into);
    } catch (error) {
      throw new PeerLostError(this.#lost ?? "reset", { cause: error });
    }
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    let written = 0;
    while (written < data.length) {
      try {
        const count = await this.#connection.write(written === 0 ? data : data.subarray(written));
        written += count;
        this.#sent += count;
        // A link that takes our bytes is slow, not silent.
        this.#recentBytes += count;
      } catch (error) {
        throw new PeerLostError(this.#lost ?? "reset", { cause: error });
      }
    }
  }

  /** Takes note of bytes of a message, which may be its last. */
  #heard(bytes: number): void {
    this.#toCome -= bytes;
    if (this.#toCome > 0) return;
    this.#insideMessage = false;
    this.#quietTicks = 0;
    this.#recentBytes = 0;
    this.#readTicks = 0;
    // A peer that speaks is there. It may be slow to listen.
    this.#writeTicks = 0;
  }

  #tick(): void {
    if (this.#takesTooLong()) {
      this.#giveUp("slow");
    } else if (!this.#insideMessage && !this.#expecting()) {
      this.#quietTicks = 0;
    } else if (this.#recentBytes >= TRICKLE_BYTES) {
      this.#quietTicks = 0;
      this.#recentBytes = 0;
    } else if (++this.#quietTicks >= this.#ticksAllowed) {
      this.#giveUp("silence");
    }
  }

  /** Counts the time of the messages under way. Returns true if it is too much for one of them. */
  #takesTooLong(): boolean {
    // If silence closes nothing, the network may be gone for longer than any message may take.
    if (this.#ticksAllowed === Infinity && this.quietMs >= this.#silenceMs * GONE) return false;
    if (this.#insideMessage && ++this.#readTicks >= this.#ticksFor(this.#length)) return true;
    return this.#writing !== undefined && ++this.#writeTicks >= this.#ticksFor(this.#writing);
  }

  /** The ticks that a message of that length may take. */
  #ticksFor(bytes: number): number {
    return Math.ceil((this.#silenceMs * this.#silences + bytes / LEAST_BYTES_PER_MS) / TICK_MS);
  }

  #giveUp(how: "silence" | "slow"): void {
    this.#lost = how;
    this.close();
  }

  #stopTicking(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }
}
