/**
 * The ear of a server: it answers whoever looks for servers on the network. A question may come to
 * a group, to all of a subnet, or to this machine alone.
 *
 * Several servers of a machine share the port. The system gives each of them what comes for a group
 * or a subnet, and only one of them what comes for the machine alone. That one hands the question
 * on, over the loopback, and each answers the asker itself.
 *
 * Only neighbours are answered, and only where they can call: in the subnets of the addresses at
 * which the server listens. So no answer leaves the network, whatever a question claims.
 */

import { equals } from "@std/bytes/equals";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { AnswerLimit } from "./answer_limit.ts";
import {
  decodeProbe,
  decodeQuestion,
  decodeRelay,
  DISCOVERY_GROUP,
  DISCOVERY_PORT,
  encodeAnswer,
  encodeRelay,
  encodeReport,
} from "./discovery.ts";
import type { Interface } from "./local_ip.ts";
import { isNeighbour } from "./subnet.ts";

const LOOPBACK = "127.0.0.1";

/**
 * Milliseconds after which the groups of all cards are joined again. A card may come after the
 * server, or be another one with the same address.
 */
const JOIN_EVERY_MS = 2000;

/**
 * The datagrams that are heard in that time. A flood of more makes the ear deaf until the time is
 * over. Nothing is left of it then but work for the system.
 */
const MAX_HEARD = 4000;

/** The trains of probes that are counted at once, and probes of one. */
const MAX_TRAINS = 4;
const MAX_PROBES = 1000;

/** The probes of one nonce that have come. */
interface Train {
  readonly nonce: Uint8Array;
  readonly firstMs: number;
  lastMs: number;
  count: number;
}

/** The content of the answers, and the networks in which they are given. */
export interface ResponderOptions {
  /** The TCP port at which calls are answered. */
  readonly port: number;
  /** The name that the server tells. */
  readonly name: string;
  /** True if callers need a code. */
  readonly wantsCode: boolean;
  /** True if calls are answered at this address of ours. */
  readonly isListenedAt: (address: string) => boolean;
  /** The present cards of this machine. */
  readonly interfaces: () => readonly Interface[];
}

/** Answers questions until it is disposed of. */
export class Responder implements Disposable {
  readonly #options: ResponderOptions;
  readonly #id = crypto.getRandomValues(new Uint8Array(8));
  readonly #limit = new AnswerLimit();
  readonly #timer: ReturnType<typeof setInterval>;
  #socket: Socket | undefined;
  #subnets: readonly string[] = [];
  readonly #trains: Train[] = [];
  #heard = 0;
  #isOver = false;

  private constructor(socket: Socket, options: ResponderOptions) {
    this.#options = options;
    this.#hear(socket);
    this.#join();
    this.#timer = setInterval(() => void this.#renew(), JOIN_EVERY_MS);
  }

  /** Begins to answer. Throws the system's error if the port cannot be shared. */
  static async open(options: ResponderOptions): Promise<Responder> {
    return new Responder(await bind(), options);
  }

  /** Answers no more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#isOver = true;
    this.#shut();
  }

  #hear(socket: Socket): void {
    this.#socket = socket;
    socket.on("message", (bytes, from) => this.#answer(bytes, from));
    // One datagram that could not be read or sent is no reason to be deaf for the next one.
    socket.on("error", () => {});
  }

  #shut(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #renew(): Promise<void> {
    this.#heard = 0;
    const socket = this.#socket ?? await bind().catch(() => undefined);
    if (socket === undefined) return;
    if (this.#isOver) return void socket.close();
    if (socket !== this.#socket) this.#hear(socket);
    this.#join();
  }

  /** Joins the group on every card at whose address calls are answered, and on the loopback. */
  #join(): void {
    const { interfaces, isListenedAt } = this.#options;
    const cards = interfaces().filter(({ family, address }) =>
      family === "IPv4" && isListenedAt(address)
    );
    this.#subnets = cards.flatMap(({ cidr }) => cidr === undefined ? [] : [cidr]);
    for (const address of [LOOPBACK, ...cards.map(({ address }) => address)]) {
      try {
        this.#socket?.addMembership(DISCOVERY_GROUP, address);
      } catch {
        // It is joined already, or this card has no groups.
      }
    }
  }

  #answer(bytes: Uint8Array, { address, port }: RemoteInfo): void {
    if (++this.#heard > MAX_HEARD) return this.#shut();
    const probe = decodeProbe(bytes);
    if (probe) return this.#count(probe, address);
    const question = decodeQuestion(bytes);
    if (question?.reports) return this.#report(question.nonce, address, port);
    if (question) {
      this.#tell(question.nonce, address, port);
      if (question.alone) this.#relay(question.nonce, address, port);
      return;
    }
    const relay = address === LOOPBACK ? decodeRelay(bytes) : undefined;
    if (relay) this.#tell(relay.nonce, relay.host, relay.port);
  }

  #tell(nonce: Uint8Array, address: string, port: number): void {
    if (!this.#isAnswered(address)) return;
    const { name, wantsCode, port: own } = this.#options;
    this.#send(encodeAnswer({ nonce, port: own, wantsCode, id: this.#id, name }), port, address);
  }

  /** Counts a probe. A probe has no answer of its own, and costs the network nothing further. */
  #count(nonce: Uint8Array, address: string): void {
    if (!this.#isNeighbour(address)) return;
    const nowMs = performance.now();
    let train = this.#trains.find((one) => equals(one.nonce, nonce));
    if (!train) {
      train = { nonce, firstMs: nowMs, lastMs: nowMs, count: 0 };
      this.#trains.push(train);
      if (this.#trains.length > MAX_TRAINS) this.#trains.shift();
    }
    if (train.count >= MAX_PROBES) return;
    train.count++;
    train.lastMs = nowMs;
  }

  #report(nonce: Uint8Array, address: string, port: number): void {
    const train = this.#trains.find((one) => equals(one.nonce, nonce));
    if (!train || !this.#isAnswered(address)) return;
    const spanUs = Math.min(Math.round((train.lastMs - train.firstMs) * 1000), 2 ** 32 - 1);
    this.#send(encodeReport({ nonce, count: train.count, spanUs }), port, address);
  }

  #relay(nonce: Uint8Array, host: string, port: number): void {
    if (!this.#isAnswered(host)) return;
    this.#send(encodeRelay({ nonce, host, port }), DISCOVERY_PORT, DISCOVERY_GROUP);
  }

  #isAnswered(address: string): boolean {
    return this.#isNeighbour(address) && this.#limit.take(address, performance.now());
  }

  #isNeighbour(address: string): boolean {
    return this.#subnets.some((subnet) => isNeighbour(subnet, address));
  }

  #send(bytes: Uint8Array, port: number, address: string): void {
    // Without a listener for its outcome, an error would be one of the socket.
    this.#socket?.send(bytes, port, address, () => {});
  }
}

/** Opens the shared port. What goes out for a group stays on this machine. */
function bind(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    socket.once("error", reject);
    socket.bind(DISCOVERY_PORT, "0.0.0.0", () => {
      socket.off("error", reject);
      try {
        socket.setMulticastInterface(LOOPBACK);
      } catch {
        // Then only one of several servers hears a question that came for the machine alone.
      }
      resolve(socket);
    });
  });
}
