/**
 * The search for servers on the network. Every card asks by itself: a question for a group goes to
 * the network of the default route otherwise, and the server may be on another one.
 *
 * ```
 *  0, 100, 250 ms   the question, to the group and to all of the subnet
 *  350 ms           the end, if somebody has answered, and 150 ms after the first answer
 *  600 ms           the end, if nobody has
 * ```
 *
 * An answer is an address and proves nothing. It counts if it repeats our nonce and comes from the
 * network that was asked. Their number is bounded, and so is what one machine may have of it.
 */

import { equals } from "@std/bytes/equals";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { pause } from "../clock.ts";
import {
  type Answer,
  decodeAnswer,
  decodeReport,
  DISCOVERY_GROUP,
  DISCOVERY_PORT,
  encodeProbe,
  encodeQuestion,
  type Report,
} from "./discovery.ts";
import type { Interface } from "./local_ip.ts";
import { broadcastOf, isNeighbour, neighboursOf } from "./subnet.ts";

/** Milliseconds at which the networks are asked. */
const ASK_AT_MS = [0, 100, 250] as const;

/** Milliseconds that the last question, the first answer and silence are waited for. */
const LAST_MS = 350;
const FIRST_MS = 150;
const NONE_MS = 600;

/** The addresses that are asked one by one at a time, and the milliseconds between. */
const EACH_AT_ONCE = 16;
const EACH_EVERY_MS = 10;

/** The rounds of such questions, and milliseconds for the answers to each. */
const EACH_ROUNDS = 2;
const EACH_MS = 300;

/** The most answers that are looked at, servers that are kept, and servers of one address. */
const MAX_HEARD = 4000;
const MAX_SERVERS = 64;
const MAX_OF_ONE = 8;

/** The questions to one server that measure the round trip, and milliseconds for each. */
const ROUNDS = 8;
const ROUND_MS = 500;

/** The probes of a train. They fit the memory that a system gives a socket. */
const PROBES = 64;

/** Milliseconds between two questions for the report, and milliseconds until the last of them. */
const REPORT_EVERY_MS = 150;
const REPORT_MS = 2500;

/** The bytes that the network puts in front of a probe: IPv4 and UDP. */
const HEADERS_BYTES = 28;

/** The most cards that ask. */
const MAX_CARDS = 32;

/** A server that has answered. */
export interface FoundServer {
  /** The address that it answered from. */
  readonly host: string;
  /** The port at which it says that it answers calls. */
  readonly port: number;
  /** Its name, in its own words. */
  readonly name: string;
  /** True if it says that callers need a code. */
  readonly wantsCode: boolean;
  /** Milliseconds from the first question of its kind to the answer. */
  readonly afterMs: number;
}

/** A card, and the socket that asks through it. */
interface Asker {
  readonly cidr: string;
  readonly address: string;
  readonly socket: Socket;
}

/** The result of questions to one address. */
export interface Round {
  /** Milliseconds until the answer, at their least. Nothing if nobody answers. */
  readonly roundTripMs: number | undefined;
  /** Megabits a second that reach the server. Nothing if it does not say. */
  readonly megabits: number | undefined;
}

interface Heard extends FoundServer {
  readonly asker: Asker;
  readonly id: Uint8Array;
}

/** One search, from its first question until it is disposed of. */
export class Search implements Disposable {
  readonly #nonce = crypto.getRandomValues(new Uint8Array(16));
  readonly #askers: Asker[] = [];
  readonly #heard: Heard[] = [];
  readonly #answered = new AbortController();
  #startMs = NaN;
  #onAnswer: (() => void) | undefined;
  #report: Report | undefined;
  #answers = 0;

  private constructor() {}

  /**
   * Prepares to ask through these cards. A card that cannot is left out. Throws Deno's error if the
   * program has no right to use the network.
   */
  static async open(interfaces: readonly Interface[]): Promise<Search> {
    const search = new Search();
    try {
      for (const { family, address, cidr } of interfaces) {
        if (family !== "IPv4" || cidr === undefined || address.startsWith("127.")) continue;
        if (search.#askers.length >= MAX_CARDS) break;
        await search.#add(address, cidr);
      }
    } catch (error) {
      search[Symbol.dispose]();
      throw error;
    }
    return search;
  }

  /** Hears no more. */
  [Symbol.dispose](): void {
    for (const { socket } of this.#askers) socket.close();
    this.#askers.length = 0;
  }

  /** The servers that have answered, the first one first. */
  get found(): readonly FoundServer[] {
    const found: Heard[] = [];
    for (const one of this.#heard) {
      // A server at two networks of ours answers in both. Two of one network are two.
      const isKnown = found.some(({ host, port, id, asker }) =>
        host === one.host && port === one.port || asker !== one.asker && equals(id, one.id)
      );
      if (!isKnown) found.push(one);
    }
    return found;
  }

  /** Asks every network at once. Resolves when there is nothing more to wait for, or on `signal`. */
  async askAll(signal: AbortSignal): Promise<void> {
    const startMs = this.#startMs = performance.now();
    const until = (atMs: number, end = signal): Promise<void> =>
      pause(Math.max(startMs + atMs - performance.now(), 0), end);
    for (const atMs of ASK_AT_MS) {
      await until(atMs);
      if (signal.aborted) return;
      const question = encodeQuestion({ nonce: this.#nonce, alone: false });
      for (const { socket, cidr } of this.#askers) {
        for (const address of [DISCOVERY_GROUP, broadcastOf(cidr)]) {
          if (address !== undefined) ask(socket, question, address);
        }
      }
    }
    await until(LAST_MS);
    if (this.#heard.length === 0) {
      await until(NONE_MS, AbortSignal.any([signal, this.#answered.signal]));
    }
    const [first] = this.#heard;
    if (first) await until(first.afterMs + FIRST_MS);
  }

  /**
   * Asks each address around those of these cards by itself. A firewall that lets in answers only
   * lets these in.
   */
  async askEach(own: readonly string[], signal: AbortSignal): Promise<void> {
    this.#startMs = performance.now();
    const question = encodeQuestion({ nonce: this.#nonce, alone: true });
    const targets = this.#askers
      .filter(({ address }) => own.includes(address))
      .flatMap(({ socket, cidr }) => neighboursOf(cidr).map((address) => ({ socket, address })));
    for (let round = 0; round < EACH_ROUNDS; round++) {
      for (let at = 0; at < targets.length; at += EACH_AT_ONCE) {
        if (signal.aborted) return;
        for (const { socket, address } of targets.slice(at, at + EACH_AT_ONCE)) {
          ask(socket, question, address);
        }
        await pause(EACH_EVERY_MS, signal);
      }
      await pause(EACH_MS, signal);
    }
  }

  /**
   * Measures the way to a server on one of our networks: the round trip of some questions, and how
   * far apart a train of probes arrives. It is in no call, and hears of none.
   */
  async measure(host: string, signal: AbortSignal): Promise<Round> {
    const socket = this.#askers.find(({ cidr }) => isNeighbour(cidr, host))?.socket;
    const nothing = { roundTripMs: undefined, megabits: undefined };
    if (socket === undefined) return nothing;
    this.#startMs = performance.now();
    const question = encodeQuestion({ nonce: this.#nonce, alone: true });
    const rounds: number[] = [];
    for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
      const askedMs = performance.now();
      const answered = new AbortController();
      this.#onAnswer = (): void => answered.abort();
      ask(socket, question, host);
      await pause(ROUND_MS, AbortSignal.any([signal, answered.signal]));
      if (answered.signal.aborted) rounds.push(performance.now() - askedMs);
      // Several servers of that machine answer. The next question is not to be met by the last.
      await pause(20, signal);
      if (rounds.length === 0 && round > 0) return nothing;
    }
    const roundTripMs = rounds.length > 0 ? Math.min(...rounds) : undefined;
    return { roundTripMs, megabits: await this.#measureRate(socket, host, signal) };
  }

  async #measureRate(
    socket: Socket,
    host: string,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const probe = encodeProbe(this.#nonce);
    for (let count = 0; count < PROBES; count++) ask(socket, probe, host);
    const question = encodeQuestion({ nonce: this.#nonce, alone: true, reports: true });
    const endMs = performance.now() + REPORT_MS;
    let before = 0;
    while (performance.now() < endMs && !signal.aborted) {
      await pause(REPORT_EVERY_MS, signal);
      ask(socket, question, host);
      await pause(REPORT_EVERY_MS, signal);
      const count = this.#report?.count ?? 0;
      if (count >= PROBES || count > 0 && count === before) break;
      before = count;
    }
    if (!this.#report || this.#report.count < 2) return undefined;
    const { count, spanUs } = this.#report;
    return (count - 1) * (probe.length + HEADERS_BYTES) * 8 / Math.max(spanUs, 1);
  }

  async #add(address: string, cidr: string): Promise<void> {
    let socket: Socket;
    try {
      socket = await bind(address);
    } catch (error) {
      if (error instanceof Error && error.name === "NotCapable") throw error;
      return;
    }
    const asker = { address, cidr, socket };
    this.#askers.push(asker);
    socket.on("message", (bytes, from) => this.#hear(asker, bytes, from));
    socket.on("error", () => {});
  }

  #hear(asker: Asker, bytes: Uint8Array, { address, port }: RemoteInfo): void {
    if (++this.#answers > MAX_HEARD || port !== DISCOVERY_PORT) return;
    if (!isNeighbour(asker.cidr, address)) return;
    const report = decodeReport(bytes);
    if (report && equals(report.nonce, this.#nonce)) this.#report = report;
    const answer = decodeAnswer(bytes);
    if (!answer || !equals(answer.nonce, this.#nonce)) return;
    this.#onAnswer?.();
    if (!this.#hasRoom(address, answer)) return;
    this.#heard.push({
      ...{ host: address, port: answer.port, name: answer.name, wantsCode: answer.wantsCode },
      ...{ id: answer.id, asker, afterMs: performance.now() - this.#startMs },
    });
    this.#answered.abort();
  }

  /** True for a server that is not kept yet, and may be. */
  #hasRoom(host: string, { port }: Answer): boolean {
    const ofOne = this.#heard.filter((one) => one.host === host);
    return this.#heard.length < MAX_SERVERS && ofOne.length < MAX_OF_ONE &&
      !ofOne.some((one) => one.port === port);
  }
}

/** Opens a socket of this card. */
function bind(address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: "udp4" });
    socket.once("error", reject);
    socket.bind(0, address, () => {
      socket.off("error", reject);
      try {
        socket.setBroadcast(true);
        socket.setMulticastInterface(address);
      } catch {
        // A tunnel may have neither. The other way is tried.
      }
      resolve(socket);
    });
  });
}

function ask(socket: Socket, question: Uint8Array, address: string): void {
  // A network that is down now may be up in a moment, and the next question is on its way then.
  socket.send(question, DISCOVERY_PORT, address, () => {});
}
