/**
 * The answering of callers: each is read and turned away, told that the line is busy, or taken. A
 * caller that comes back is led into its call. The server's alone; it knows nothing of media.
 *
 * ```
 *  caller ─► at the door (nothing said yet) ─► offer ─┬─ names a call that is on ─► back into it
 *                                                     ├─ no place is left ────────► busy
 *                                                     └─ else ────────────────────► a new call
 * ```
 */

import type { Timer } from "./clock.ts";
import { BUSY, CodeError, PeerLostError, ProtocolError, SealError } from "./errors.ts";
import type { Voice } from "./user/log.ts";
import { wrongWith } from "./user/problems.ts";
import { type Messages } from "./user/sentences.ts";
import { type CallerIdentity, callerLabel, isNamesake } from "./user/name.ts";
import { Door, TellLimit } from "./wire/door.ts";
import { Guesses } from "./wire/guesses.ts";
import { CallLine, type Goodbye, type Line, type Peer, waitMsFor } from "./wire/line.ts";
import { type Offer, readOffer, type WireMode } from "./wire/offer.ts";
import { type Introduction, isSameStreams, newCallId } from "./wire/session.ts";
import type { Connection, Wire } from "./wire/wire.ts";

/**
 * The number of remembered calls that we ended while their network was gone. A peer that comes back
 * is told of it.
 */
const MAX_REMEMBERED = 64;

/** A peer that has connected. */
export interface Caller {
  /** The connection, which is ours from now on. */
  readonly connection: Connection;
  /** Its address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
}

/** The manner of answering callers. */
export interface AnswerOptions {
  /** The most calls at once. */
  readonly maxCalls: number;
  /** True if the next caller is answered after the last call is over. */
  readonly stay: boolean;
  /** Seconds that a lost network is waited for. */
  readonly patienceSeconds: number;
  /** Frames a second of a caller that announces none. */
  readonly fps: number;
  /** Our introduction to a caller. */
  readonly ours: Introduction;
  /** The code that callers have to know. Without one, anybody may call. */
  readonly code?: string | undefined;
}

/** The words about callers, and the place where they are said. */
export interface AnswerVoice {
  /** The log that tells of callers. */
  readonly log: Voice;
  /** The sentences of the user's language. */
  readonly messages: Messages;
}

/** The result of a caller's call. */
export interface HadCall {
  /** The sentence for a caller that was gone before its call had begun. */
  readonly stranger?: string | undefined;
  /** The reason for which we hung up, if we did. The peer is told if it comes back. */
  readonly hungUp?: string | undefined;
}

/** Has a call until it is over. */
export type HaveCall = (call: IncomingCall) => Promise<HadCall>;

/** A call that has a place: its relation to the other calls, and the way to take it. */
export class IncomingCall {
  /** The caller, with its address at the beginning. */
  readonly caller: Caller;
  /** The caller's introduction. */
  readonly peer: Peer;
  /** Its number among the calls at the same time, from 0. */
  readonly slot: number;
  /** Tells of the caller. The label is the call's name. */
  readonly #announce: (label: string) => void;
  readonly #offer: Offer;
  readonly #options: AnswerOptions;
  readonly #id = newCallId();
  /** The address that its caller was last seen at. */
  #host: string;
  #hasNamesake = false;
  #begun = false;
  #replaced = false;
  #line: CallLine | undefined;
  /** Ends the wait for the caller to come back, while there is one. */
  #comeBack: ((found: Wire | Goodbye | undefined) => void) | undefined;

  /** `announce` hears the name of the call when it has begun. */
  constructor(
    caller: Caller,
    offer: Offer,
    slot: number,
    options: AnswerOptions,
    announce: (label: string) => void,
  ) {
    this.caller = caller;
    this.#host = caller.host;
    this.peer = offer.peer;
    this.slot = slot;
    this.#offer = offer;
    this.#options = options;
    this.#announce = announce;
  }

  /** The id with which a caller comes back into it. */
  get id(): string {
    return this.#id;
  }

  /** The language that the caller speaks. */
  get mode(): WireMode {
    return this.#offer.mode;
  }

  /** Its name among the others. */
  get label(): string {
    return callerLabel(this.#identity, { hasNamesake: this.#hasNamesake });
  }

  /** True if its own caller has called anew. */
  get replaced(): boolean {
    return this.#replaced;
  }

  /** True while its network is gone and its caller was last seen at this address. */
  waitsFor(host: string): boolean {
    return this.#comeBack !== undefined && this.#host === host;
  }

  get #identity(): CallerIdentity {
    const { host, port } = this.caller;
    return { name: this.peer.name, host, port };
  }

  /** Says yes. Throws `PeerLostError` if the caller has gone. */
  async accept(): Promise<Line> {
    const line = await this.#offer.accept(
      this.#options.ours,
      this.#id,
      (lost, signal, goneMs) => this.#waitFor(lost, signal, goneMs),
    );
    if (line instanceof CallLine) this.#line = line;
    return line;
  }

  /** Notes that the call has begun in earnest: its caller did not only look in. */
  begin(): void {
    this.#begun = true;
    this.#announce(this.label);
  }

  /** True if this offer is its caller's, who may go on with the call: its streams are the same. */
  canResume(offer: Offer): boolean {
    return this.#line !== undefined && this.#begun &&
      isSameStreams(offer.streams, this.#offer.streams);
  }

  /**
   * Leads its caller, now at that address, back into it. Throws `PeerLostError` if the caller has
   * gone.
   */
  async resume(offer: Offer, host: string): Promise<void> {
    const wire = await offer.resume(this.#options.ours);
    this.#host = host;
    if (this.#comeBack) this.#comeBack(wire);
    else this.#line!.resume(wire);
  }

  /** Gives its place to a new call of the same caller. */
  replace(): void {
    this.#replaced = true;
    this.#comeBack?.(undefined);
  }

  /** Gives both calls a longer label from now on if their callers have the same name. */
  tellApart(other: IncomingCall): void {
    if (!isNamesake(this.#identity, other.#identity)) return;
    this.#hasNamesake = true;
    other.#hasNamesake = true;
  }

  /** Waits until the caller is back. A caller that has sent nothing yet does not count as lost. */
  #waitFor(
    lost: PeerLostError,
    signal: AbortSignal,
    goneMs: number,
  ): Promise<Wire | Goodbye | undefined> {
    const waitMs = waitMsFor(lost, this.#options.patienceSeconds * 1000, goneMs);
    if (!this.#begun || waitMs <= 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const end = (found: Wire | Goodbye | undefined): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.#comeBack = undefined;
        resolve(found);
      };
      const onAbort = (): void => end(undefined);
      const timer = setTimeout(onAbort, waitMs);
      signal.addEventListener("abort", onAbort);
      this.#comeBack = end;
    });
  }
}

/**
 * Answers callers until stopped. Without `stay`, it ends after the first call, when no call is on.
 */
export class Answering {
  readonly #options: AnswerOptions;
  readonly #voice: AnswerVoice;
  readonly #have: HaveCall;
  readonly #calls = new Set<IncomingCall>();
  readonly #door = new Door();
  readonly #strangers = new TellLimit();
  readonly #ended = new Map<string, string>();
  readonly #guesses = new Guesses();
  readonly #wrong: WrongCodes;
  readonly #visits = new Set<Promise<void>>();
  readonly #over = Promise.withResolvers<void>();
  #had = false;
  #closed = false;

  /** Answers nobody yet. */
  constructor(options: AnswerOptions, voice: AnswerVoice, have: HaveCall) {
    this.#options = options;
    this.#voice = voice;
    this.#have = have;
    this.#wrong = new WrongCodes(voice);
  }

  /** The number of calls that are on. */
  get count(): number {
    return this.#calls.size;
  }

  /**
   * Answers until it is over and every call has ended. Throws the errors of `callers` and of calls.
   */
  async run(callers: AsyncIterable<Caller>): Promise<void> {
    const answering = (async (): Promise<void> => {
      for await (const caller of callers) {
        if (this.#closed) {
          caller.connection.close();
          continue;
        }
        const visit: Promise<void> = this.#visit(caller)
          .catch((error) => this.#over.reject(error))
          .finally(() => this.#visits.delete(visit));
        this.#visits.add(visit);
      }
    })();
    try {
      await Promise.race([this.#over.promise, answering]);
    } finally {
      this.stop();
      await Promise.all(this.#visits);
      this.#wrong.tell();
      this.#sayUntold();
    }
  }

  /** Takes no more callers. The calls that are on continue. */
  stop(): void {
    this.#closed = true;
    this.#door.clear();
    this.#guesses[Symbol.dispose]();
    this.#over.resolve();
  }

  async #visit(caller: Caller): Promise<void> {
    const { connection, host } = caller;
    const visitor = this.#receive(caller);
    this.#door.enter(connection, host);
    let offer: Offer | null;
    try {
      const { fps, code } = this.#options;
      const lock = code === undefined ? undefined : { code, guesses: this.#guesses };
      offer = await readOffer(connection, fps, { lock, host });
    } catch (error) {
      if (error instanceof CodeError && error.kind === "wrong") this.#wrong.count(host);
      return visitor.leaves(error);
    } finally {
      this.#door.leave(connection);
    }
    if (offer === null) {
      visitor.cameToNothing(this.#voice.messages.leftSilently(host));
    } else if (offer.call !== undefined) {
      await this.#leadBack(offer, offer.call, host, visitor);
    } else if (!offer.streams.some((stream) => stream !== undefined) && !this.#gives) {
      // With nothing to send either way, a call would hold a place for nothing. No silence could
      // end it.
      await this.#turnAway(offer, "neither side has anything to send", visitor);
    } else if (this.#closed || !this.#hasPlaceFor(host, offer.peer.name)) {
      this.#tellBusy(host);
      await offer.refuse(BUSY);
    } else {
      await this.#take(caller, offer, visitor);
    }
  }

  /**
   * Tells that somebody has connected, if that is worth a word. Returns the visitor, which tells
   * the rest.
   */
  #receive({ host, port }: Caller): Visitor {
    const { log, messages } = this.#voice;
    // A caller at the address of a call whose network is gone is most likely that call's own.
    const expected = [...this.#calls].some((one) => one.waitsFor(host));
    const free = this.count < this.#options.maxCalls && !expected;
    const mayTell = free && this.#strangers.take();
    if (mayTell) this.#sayUntold();
    const cameToNothing = (sentence: string, label?: string): void => {
      log.debug("server", `${host}:${port}: ${sentence}`);
      if (this.#closed) return;
      if (mayTell || announced) log.warn(several && label ? `${label}: ${sentence}` : sentence);
      else if (free) this.#strangers.skip();
    };
    let announced = false;
    const announce = (label?: string): void => {
      const sentence = messages.received(host, port);
      if (!announced) log.say(label === undefined ? sentence : `${label}: ${sentence}`);
      announced = true;
    };
    // Among several callers each is told apart by its name, which it has yet to say.
    const several = this.#options.maxCalls > 1;
    // Nor is anybody a caller who has yet to prove that it knows the code.
    if (mayTell && !several && this.#options.code === undefined) announce();
    return {
      announce: (label): void => announce(several ? label : undefined),
      announceSoon: (label): void => {
        if (mayTell || (!free && this.#strangers.take())) announce(several ? label : undefined);
      },
      cameToNothing,
      leaves: (error): void => {
        // Wrong codes may come in any number, and are told of together.
        const isGuess = error instanceof CodeError && error.kind !== "wanted";
        if (isGuess) log.debug("server", `${host}:${port}: ${error.message}`);
        else cameToNothing(strangerSentence(host, error, messages));
      },
    };
  }

  /** Leads a caller back into its call, whatever its address is now. */
  async #leadBack(
    offer: Offer,
    id: string,
    host: string,
    visitor: Visitor,
  ): Promise<void> {
    const call = [...this.#calls].find((one) => one.id === id);
    const hungUp = this.#ended.get(id);
    if (call?.canResume(offer)) {
      // The caller may have gone again. Its call then continues to wait.
      await call.resume(offer, host).catch((error) => visitor.leaves(error));
    } else if (hungUp !== undefined) {
      await offer.refuse(hungUp);
    } else {
      const problem = call ? "this call had other streams" : "this call is over, or never was";
      await this.#turnAway(offer, problem, visitor);
    }
  }

  async #turnAway(offer: Offer, problem: string, visitor: Visitor): Promise<void> {
    visitor.leaves(new ProtocolError(problem));
    await offer.refuse(problem);
  }

  get #gives(): boolean {
    return this.#options.ours.streams.some((stream) => stream !== undefined);
  }

  /**
   * True if there is a place. A call whose network is gone gives its place to a new call from the
   * same machine and with the same name: its caller started anew. If the server has no other call,
   * the name does not matter.
   */
  #hasPlaceFor(host: string, name: string): boolean {
    const candidates = [...this.#calls].filter((one) => one.waitsFor(host));
    const isFull = this.count >= this.#options.maxCalls;
    const waiting = candidates.find(({ peer }) => peer.name === name) ??
      (isFull ? candidates[0] : undefined);
    if (waiting) {
      this.#calls.delete(waiting);
      waiting.replace();
    }
    return this.count < this.#options.maxCalls;
  }

  async #take(caller: Caller, offer: Offer, visitor: Visitor): Promise<void> {
    const slot = lowestFree([...this.#calls].map((one) => one.slot));
    const begin = (label: string): void => {
      this.#had = true;
      visitor.announce(label);
    };
    const call = new IncomingCall(caller, offer, slot, this.#options, begin);
    for (const one of this.#calls) call.tellApart(one);
    this.#calls.add(call);
    visitor.announceSoon(call.label);
    try {
      const { stranger, hungUp } = await this.#have(call);
      if (stranger !== undefined) visitor.cameToNothing(stranger, call.label);
      else this.#had = true;
      if (hungUp !== undefined) this.#remember(call.id, hungUp);
    } finally {
      this.#calls.delete(call);
      if (!this.#options.stay && this.#had && this.count === 0) this.#over.resolve();
    }
  }

  #tellBusy(host: string): void {
    const { log, messages } = this.#voice;
    log.debug("server", `${host}: busy`);
    if (this.#closed) return;
    if (this.#strangers.take()) log.warn(messages.busyStranger(host));
    else this.#strangers.skip();
  }

  #sayUntold(): void {
    const untold = this.#strangers.takeUntold();
    if (untold > 0) this.#voice.log.warn(this.#voice.messages.moreStrangers(untold));
  }

  /** Remembers the reason for which we hung up, for a peer that comes back and does not know. */
  #remember(id: string, reason: string): void {
    this.#ended.set(id, reason);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > MAX_REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
  }
}

/** A peer that has connected, with the words about it. */
interface Visitor {
  /** Tells that it is here, if that has not been told. */
  readonly announce: (label: string) => void;
  /** The same before its call has begun. Strangers are told of only now and then. */
  readonly announceSoon: (label: string) => void;
  /** Tells why it is gone. */
  readonly cameToNothing: (sentence: string, label?: string) => void;
  /** The same for an error. */
  readonly leaves: (error: unknown) => void;
}

/** The sentence for a stranger that was let go before a call began. */
export function strangerSentence(host: string, error: unknown, messages: Messages): string {
  if (error instanceof CodeError && error.kind === "wanted") return messages.withoutCode(host);
  if (error instanceof SealError) return messages.changed("CLIENT");
  const detail = error instanceof PeerLostError
    ? messages.lostHow[error.how]
    : error instanceof ProtocolError
    ? wrongWith(error, messages)
    : (error as Error).message;
  return messages.stranger(host, detail);
}

/** The lowest number from 0 that is not among these. */
function lowestFree(taken: readonly number[]): number {
  let number = 0;
  while (taken.includes(number)) number++;
  return number;
}

/** Milliseconds after a first wrong code until it is told of, and from then on between two words. */
const TELL_WRONG_MS = 1000;
const TELL_AGAIN_MS = 60_000;

/** The most addresses that are named. */
const MAX_NAMED = 5;

/** The wrong codes that callers have tried. They are told of together: a guesser tries many. */
class WrongCodes {
  readonly #voice: AnswerVoice;
  readonly #hosts = new Set<string>();
  #count = 0;
  #told = 0;
  #timer: Timer | undefined;

  constructor(voice: AnswerVoice) {
    this.#voice = voice;
  }

  /** Counts one. */
  count(host: string): void {
    this.#count++;
    if (this.#hosts.size <= MAX_NAMED) this.#hosts.add(host);
    const waitMs = this.#told === 0 ? TELL_WRONG_MS : TELL_AGAIN_MS;
    this.#timer ??= setTimeout(() => this.tell(), waitMs);
  }

  /** Tells of those that came since the last word. */
  tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#told === this.#count) return;
    this.#told = this.#count;
    const hosts = [...this.#hosts].map((host, at) => at < MAX_NAMED ? host : "…").join(", ");
    this.#voice.log.warn(this.#voice.messages.wrongCodes(this.#count, hosts));
  }
}
