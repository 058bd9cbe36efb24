/**
 * The call to a server, and the call back after a loss: servers made by hand on connections in
 * memory.
 */

import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { type Callee, dial } from "../lib/dial.ts";
import { CodeError, PeerLostError, ProtocolError } from "../lib/errors.ts";
import type { VideoFormat } from "../lib/frame/format.ts";
import { Guesses, type GuessPlace } from "../lib/wire/guesses.ts";
import type { CallLine } from "../lib/wire/line.ts";
import { readOffer } from "../lib/wire/offer.ts";
import {
  decodeHello,
  encodeAnswer,
  encodeBye,
  encodeFrameHeader,
  type Hello,
  newCallId,
  type Streams,
} from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import { type FakeConnection, openPair } from "./fake_connection.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const ID = newCallId();

/** A server that is dialled; the test says its words. */
class Server implements AsyncDisposable {
  readonly callee: Callee = {
    ...{ host: "10.0.0.1", port: 8080 },
    connect: () => Promise.resolve(this.#connect()),
  };
  readonly #wires: Wire[] = [];
  readonly #guests: Wire[] = [];
  #came = Promise.withResolvers<void>();
  #line: CallLine | undefined;

  #connect(): FakeConnection {
    const { near, far } = openPair();
    const wire = new Wire(far, { expecting: () => false });
    this.#wires.push(wire);
    this.#guests.push(wire);
    this.#came.resolve();
    return near;
  }

  /** The connection of the next client, and its hello. */
  async next(): Promise<{ readonly wire: Wire; readonly hello: Hello }> {
    while (this.#guests.length === 0) {
      await this.#came.promise;
      this.#came = Promise.withResolvers<void>();
    }
    const wire = this.#guests.shift()!;
    return { wire, hello: decodeHello((await wire.readMessage(65536))!) };
  }

  /** A call to this server, which sends these streams. */
  async call(patienceMs: number, streams: Streams = [RAW]): Promise<[CallLine, Wire]> {
    const signal = new AbortController().signal;
    const ours = { name: "Ana", streams: [] };
    const dialled = dial(this.#connect(), this.callee, ours, patienceMs, signal);
    const { wire } = await this.next();
    await answer(wire, streams);
    return [this.#line = await dialled, wire];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) wire.close();
    await this.#line?.hangUp("");
  }
}

async function answer(wire: Wire, streams: Streams = [RAW], call = ID): Promise<void> {
  await wire.writeMessage(encodeAnswer({ accept: true, name: "host", streams, call }));
}

async function say(wire: Wire, sequence: number): Promise<void> {
  const data = new Uint8Array(768);
  const header = encodeFrameHeader({ stream: 0, data, captureUs: 0, sequence, keyframe: true });
  await wire.writeMessage(header, data);
}

/** Iterates a line. Resolves to the numbers of its frames when it is over. */
async function numbersOf(line: CallLine): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { sequence, lease } of line.frames()) {
    numbers.push(sequence);
    lease?.letGo();
  }
  return numbers;
}

test("a client that was lost calls again at once, by the name of its call", async () => {
  await using server = new Server();
  const [line, first] = await server.call(30_000);
  const numbers = numbersOf(line);
  await say(first, 0);
  first.close();
  const { wire, hello } = await server.next();
  assertEquals(hello.call, ID);
  await answer(wire);
  await say(wire, 4);
  await wire.writeMessage(encodeBye("hung up"));
  assertEquals(await line.ended, { reason: "hung up" });
  assertEquals(await numbers, [0, 4]);
  assertEquals(line.figures.lost, 3);
});

test("a server that comes back with another call, or other streams, ends the call", async () => {
  for (
    const [streams, id] of [
      [[RAW], newCallId()],
      [[], ID],
      [[RAW, RAW], ID],
      [[{ ...RAW, codec: "h264" }], ID],
      [[{ ...RAW, fps: 120 }], ID],
    ] as const
  ) {
    await using server = new Server();
    const [line, first] = await server.call(30_000);
    const numbers = numbersOf(line);
    first.close();
    const { wire } = await server.next();
    await answer(wire, streams, id);
    await assertRejects(() => line.ended, ProtocolError, "another one than it was");
    assertEquals(await wire.readMessage(65536), null);
    await numbers;
  }
});

test("where the old connection revives, nothing is said on the one that is being made", async () => {
  await using server = new Server();
  const [line, first] = await server.call(30_000);
  const numbers = numbersOf(line);
  await say(first, 0);
  // Nothing more comes: the client calls again, and is about to be answered.
  const { wire } = await server.next();
  await say(first, 1);
  await say(first, 2);
  while (line.figures.received < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  await answer(wire);
  // A bye would end the call at a server that has gone over to this connection.
  assertEquals(await wire.readMessage(65536), null);
  await first.writeMessage(encodeBye(""));
  assertEquals(await numbers, [0, 1, 2]);
});

test("a server that answers and is lost at once, again and again, is called in no hurry", async () => {
  await using server = new Server();
  const [line, first] = await server.call(1200);
  const numbers = numbersOf(line);
  first.close();
  let times = 0;
  const answering = (async (): Promise<void> => {
    while (true) {
      const { wire } = await server.next();
      await answer(wire);
      wire.close();
      times++;
    }
  })();
  await assertRejects(() => line.ended, PeerLostError);
  await Promise.race([answering, numbers]);
  assertLess(times, 20);
});

test("a private call to a server that hears many wrong codes is tried anew, three times in all", async () => {
  const guesses = new Guesses({ waitMs: 50 });
  const places: GuessPlace[] = [];
  for (let place = await guesses.take("a"); place; place = await guesses.take("a")) {
    places.push(place);
  }
  const serving: Promise<unknown>[] = [];
  const connect = (): Promise<FakeConnection> => {
    const { near, far } = openPair();
    if (serving.length === 2) places.pop()?.giveBack();
    const lock = { code: "48217093554", guesses };
    serving.push(
      readOffer(far, 20, { lock }).then(
        (offer) =>
          offer!.accept({ name: "host", streams: [RAW] }, ID, () => Promise.resolve(undefined)),
        (error) => error,
      ),
    );
    return Promise.resolve(near);
  };
  const callee: Callee = { host: "10.0.0.1", port: 8080, connect };
  const ours = { name: "Ana", streams: [] };
  const { signal } = new AbortController();
  const line = await dial(await connect(), callee, ours, 0, signal, "48217093554");
  assertEquals(serving.length, 3);
  const [first, second, taken] = await Promise.all(serving);
  for (const error of [first, second]) assertEquals((error as CodeError).kind, "later");
  await Promise.all([line.hangUp(""), (taken as CallLine).hangUp("")]);
  guesses[Symbol.dispose]();
});
