/**
 * Who comes in: callers are read, turned away, told that the line is busy, or taken; whoever comes back is led into its call.
 * The server's alone; it knows nothing of media.
 *
 * ```
 *  caller ─► at the door (nothing said yet) ─► offer ─┬─ names a call that waits ─► back into it
 *                                                     ├─ no place is left ───────► busy
 *                                                     └─ else ───────────────────► a new call
 * ```
 */

import { BUSY, type PeerLostError } from "./errors.ts";
import { CallLine, type Goodbye, type Line, type Peer } from "./wire/line.ts";
import { type Offer, readOffer, type WireMode } from "./wire/offer.ts";
import { type Introduction, newCallId } from "./wire/session.ts";
import type { Connection, Wire } from "./wire/wire.ts";

/** How many callers may be at the door that have not said what they want. */
const MAX_AT_DOOR = 64;

/**
 * How long a caller is waited for whose connection ended or was reset without a goodbye, in milliseconds. One that lives
 * comes back at once.
 */
const CUT_PATIENCE_MS = 5000;

/** How many calls are remembered that we ended while their network was gone, to tell the peer if it comes back. */
const MAX_REMEMBERED = 64;

/** Whoever has connected. */
export interface Caller {
  /** The connection, which is ours from now on. */
  readonly connection: Connection;
  /** Its address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
}

/** A caller for whom there is a place. */
export interface IncomingCall {
  /** Where it calls from. */
  readonly caller: Caller;
  /** What it speaks. */
  readonly mode: WireMode;
  /** Who it is. */
  readonly peer: Peer;
  /** Says yes. Throws `PeerLostError` where the caller has gone. */
  accept(): Promise<Line>;
}

/** How callers are answered. */
export interface AnswerOptions {
  /** Calls at once. */
  readonly maxCalls: number;
  /** Answer the next caller when the last call is over. */
  readonly stay: boolean;
  /** How long a network that is gone is waited for, in milliseconds. */
  readonly patienceMs: number;
  /** Frames a second of a caller that announces none. */
  readonly fps: number;
  /** How we introduce ourselves. */
  readonly ours: Introduction;
}

/** What is told of callers, and who has the calls. */
export interface Host {
  /** Somebody has connected, and there is a place. */
  onReceived(caller: Caller): void;
  /** Somebody is let go before a call: `error` says why, nothing that it said nothing. */
  onStranger(caller: Caller, error: unknown): void;
  /** Somebody was told that the line is busy. */
  onBusy(caller: Caller): void;
  /**
   * Has a call until it is over. Resolves to the reason where we hung up: a peer that comes back later is told. `replaced`
   * says that its own caller called anew.
   */
  have(call: IncomingCall, replaced: () => boolean): Promise<string | undefined>;
}

/** A call that is on. */
interface Place {
  readonly id: string;
  readonly host: string;
  /** Goes on over another connection, once the call was taken and if its language allows that. */
  resume: ((wire: Wire) => void) | undefined;
  replaced: boolean;
  /** Ends the wait for the caller to come back, while there is one. */
  comeBack: ((wire: Wire | Goodbye | undefined) => void) | undefined;
}

/** Answers callers until stopped or, without `stay`, until a call was had and none is on. */
export class Answering {
  readonly #options: AnswerOptions;
  readonly #host: Host;
  readonly #places = new Set<Place>();
  readonly #atDoor = new Map<Connection, string>();
  readonly #ended = new Map<string, string>();
  readonly #visits = new Set<Promise<void>>();
  readonly #over = Promise.withResolvers<void>();
  #closed = false;

  /** Answers nobody yet. */
  constructor(options: AnswerOptions, host: Host) {
    this.#options = options;
    this.#host = host;
  }

  /** Calls that are on. */
  get count(): number {
    return this.#places.size;
  }

  /** Answers until it is over and every call has ended. Throws what `callers` or a call throws. */
  async run(callers: AsyncIterable<Caller>): Promise<void> {
    const door = (async (): Promise<void> => {
      for await (const caller of callers) {
        if (this.#closed) {
          caller.connection.close();
          continue;
        }
        this.#makeRoom();
        const visit: Promise<void> = this.#visit(caller).catch((error) => this.#over.reject(error))
          .finally(() => this.#visits.delete(visit));
        this.#visits.add(visit);
      }
    })();
    try {
      await Promise.race([this.#over.promise, door]);
    } finally {
      this.stop();
      await Promise.all(this.#visits);
    }
  }

  /** Takes no more callers. */
  stop(): void {
    this.#closed = true;
    for (const connection of [...this.#atDoor.keys()]) this.#turnOut(connection);
    this.#over.resolve();
  }

  async #visit(caller: Caller): Promise<void> {
    const { connection, host } = caller;
    const { maxCalls, fps } = this.#options;
    // Somebody at the address of a call that waits is most likely its caller.
    const expected = [...this.#places].some((place) => place.comeBack && place.host === host);
    const announced = this.count < maxCalls && !expected;
    if (announced) this.#host.onReceived(caller);
    this.#atDoor.set(connection, host);
    let offer: Offer | null;
    try {
      offer = await readOffer(connection, fps);
    } catch (error) {
      if (!this.#closed && announced) this.#host.onStranger(caller, error);
      return;
    } finally {
      this.#atDoor.delete(connection);
    }
    if (offer === null) {
      if (!this.#closed && announced) this.#host.onStranger(caller, undefined);
    } else if (offer.call !== undefined) {
      await this.#comeBack(offer, offer.call);
    } else if (this.#closed || !this.#hasPlaceFor(host)) {
      if (!this.#closed) this.#host.onBusy(caller);
      await offer.refuse(BUSY);
    } else {
      if (!announced) this.#host.onReceived(caller);
      await this.#have(caller, offer);
    }
  }

  /** Leads a caller back into its call, whatever address it has now. */
  async #comeBack(offer: Offer, id: string): Promise<void> {
    const place = [...this.#places].find((one) => one.id === id);
    if (place?.resume === undefined) {
      return await offer.refuse(this.#ended.get(id) ?? "this call is over, or never was");
    }
    const wire = await offer.resume(this.#options.ours);
    if (place.comeBack) place.comeBack(wire);
    else place.resume(wire);
  }

  /** True if there is a place; a call that waits for its network gives its own to a new one from the same machine. */
  #hasPlaceFor(host: string): boolean {
    const waiting = [...this.#places].find((place) => place.comeBack && place.host === host);
    if (waiting) {
      waiting.replaced = true;
      waiting.comeBack?.(undefined);
      this.#places.delete(waiting);
    }
    return this.count < this.#options.maxCalls;
  }

  async #have(caller: Caller, offer: Offer): Promise<void> {
    const { ours } = this.#options;
    const place: Place = {
      ...{ id: newCallId(), host: caller.host },
      ...{ resume: undefined, replaced: false, comeBack: undefined },
    };
    let taken = false;
    this.#places.add(place);
    const again = (lost: PeerLostError, signal: AbortSignal): Promise<Wire | Goodbye | undefined> =>
      this.#waitFor(place, lost, signal);
    const accept = async (): Promise<Line> => {
      const line = await offer.accept(ours, place.id, again);
      taken = true;
      if (line instanceof CallLine) place.resume = (wire): void => line.resume(wire);
      return line;
    };
    const { mode, peer } = offer;
    try {
      const reason = await this.#host.have({ caller, mode, peer, accept }, () => place.replaced);
      if (reason !== undefined) this.#remember(place.id, reason);
    } finally {
      this.#places.delete(place);
      if (!this.#options.stay && this.count === 0 && taken) this.#over.resolve();
    }
  }

  /** Waits until the caller is back. */
  #waitFor(
    place: Place,
    lost: PeerLostError,
    signal: AbortSignal,
  ): Promise<Wire | Goodbye | undefined> {
    const { patienceMs } = this.#options;
    const waitMs = lost.how === "silence" ? patienceMs : Math.min(patienceMs, CUT_PATIENCE_MS);
    return new Promise((resolve) => {
      const end = (found: Wire | Goodbye | undefined): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        place.comeBack = undefined;
        resolve(found);
      };
      const onAbort = (): void => end(undefined);
      const timer = setTimeout(onAbort, waitMs);
      signal.addEventListener("abort", onAbort);
      place.comeBack = end;
    });
  }

  /** Remembers why we hung up, for a peer that comes back and does not know. */
  #remember(id: string, reason: string): void {
    this.#ended.set(id, reason);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > MAX_REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
  }

  /** Who has something to say says it at once: of the address that has most at the door, the oldest makes room. */
  #makeRoom(): void {
    if (this.#atDoor.size < MAX_AT_DOOR) return;
    const counts = new Map<string, number>();
    for (const host of this.#atDoor.values()) counts.set(host, (counts.get(host) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const found = [...this.#atDoor].find(([, host]) => counts.get(host) === most);
    if (found) this.#turnOut(found[0]);
  }

  #turnOut(connection: Connection): void {
    if (this.#atDoor.delete(connection)) connection.close();
  }
}
