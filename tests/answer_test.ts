/**
 * The answering of callers, and of callers that come back: callers made by hand on connections in
 * memory.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Answering, type AnswerOptions, type Caller, type IncomingCall } from "../lib/answer.ts";
import { CodeError, RefusedError } from "../lib/errors.ts";
import type { VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import type { Voice } from "../lib/user/log.ts";
import { messagesIn } from "../lib/user/sentences.ts";
import type { Goodbye, Line } from "../lib/wire/line.ts";
import { makeOffer } from "../lib/wire/offer.ts";
import {
  type Acceptance,
  type Answer,
  decodeAck,
  decodeAnswer,
  encodeBye,
  encodeFrameHeader,
  encodeHello,
  encodeRest,
  KIND,
  newCallId,
  type Streams,
} from "../lib/wire/session.ts";
import { type Connection, Wire } from "../lib/wire/wire.ts";
import { helloWith } from "./bytes.ts";
import { openPair } from "./fake_connection.ts";
import { until } from "./harness.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const OVER = "this call is over, or never was";

/** A server that answers, with its words and its calls. */
class Rig implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly numbers: number[] = [];
  readonly ends: string[] = [];
  readonly calls: IncomingCall[] = [];
  readonly over: Promise<void>;
  readonly #answering: Answering;
  readonly #callers: ReadableStreamDefaultController<Caller>;
  readonly #wires: Wire[] = [];
  readonly #lines: Line[] = [];
  #port = 1;

  constructor(options: Partial<AnswerOptions> = {}) {
    const log: Voice = {
      ...{ live: false, columns: 80, debug: () => {}, trace: () => {}, status: () => {} },
      say: (line) => this.lines.push(line),
      made: (line) => this.lines.push(line),
      tell: (line) => this.lines.push(line),
      warn: (line) => this.lines.push(line),
      error: (line) => this.lines.push(line),
      lost: (line) => this.lines.push(line),
    };
    const answerOptions: AnswerOptions = {
      ...{ maxCalls: 1, stay: true, patienceSeconds: 30, fps: 20 },
      ...{ ours: { name: "host", streams: [] }, ...options },
    };
    const voice = { log, messages: messagesIn("en") };
    this.#answering = new Answering(answerOptions, voice, (call) => this.#have(call));
    let callers: ReadableStreamDefaultController<Caller>;
    const stream = new ReadableStream<Caller>({
      start: (controller) => void (callers = controller),
    });
    this.#callers = callers!;
    this.over = this.#answering.run(stream);
    this.over.catch(() => {});
  }

  get count(): number {
    return this.#answering.count;
  }

  /** Connects a caller. Its first words may be there already. */
  enter(connection: Connection, host = "10.0.0.1"): void {
    this.#callers.enqueue({ connection, host, port: this.#port++ });
  }

  /** Connects a caller. */
  connect(host?: string): Wire {
    const { near, far } = openPair();
    this.enter(near, host);
    const wire = new Wire(far, { expecting: () => false });
    this.#wires.push(wire);
    return wire;
  }

  /** Connects a caller that says hello and hears the answer. */
  async call(
    { call, streams = [RAW], host, name = "Ana" }: {
      call?: string;
      streams?: Streams;
      host?: string;
      name?: string;
    } = {},
  ): Promise<{ readonly wire: Wire; readonly answer: Answer }> {
    const wire = this.connect(host);
    await wire.writeMessage(encodeHello({ name, streams, call }));
    return { wire, answer: decodeAnswer((await wire.readMessage(65536))!) };
  }

  /** A call that is on: its first frame is taken. */
  async begin(): Promise<{ readonly wire: Wire; readonly id: string }> {
    const { wire, answer } = await this.call();
    assert(answer.accept);
    await say(wire, 0);
    return { wire, id: (answer as Acceptance).call };
  }

  async #have(call: IncomingCall): Promise<Record<string, never>> {
    this.calls.push(call);
    const line = await call.accept();
    this.#lines.push(line);
    const told = ({ reason }: Goodbye): string => `bye: ${reason}`;
    // The end that hangs up hears nothing of the peer's end.
    const ended = line.ended.then(told, (error: Error) => error.message);
    ended.then((end) => {
      this.ends.push(end);
      return line.hangUp("");
    });
    for await (const { sequence, lease } of line.frames()) {
      if (this.numbers.length === 0) call.begin();
      this.numbers.push(sequence);
      lease?.letGo();
    }
    await line.hangUp("");
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) wire.close();
    await Promise.all(this.#lines.map((line) => line.hangUp("")));
    this.#answering.stop();
    await this.over.catch(() => {});
  }
}

/** Sends a picture and waits until it is acknowledged. */
async function say(wire: Wire, number: number): Promise<void> {
  const frame: Frame = {
    stream: 0,
    ...{ data: new Uint8Array(768), captureUs: number * 50_000, sequence: number, keyframe: true },
  };
  await wire.writeMessage(encodeFrameHeader(frame), frame.data);
  while (true) {
    const message = await wire.readMessage(65536);
    assert(message !== null, "the server has closed");
    if (message[0] === KIND.ack && decodeAck(message).sequence === number) return;
  }
}

test("a caller comes back into its call, whatever its address", async () => {
  await using rig = new Rig();
  const { wire, id } = await rig.begin();
  wire.close();
  const back = await rig.call({ call: id, host: "10.0.0.2" });
  assertEquals((back.answer as Acceptance).call, id);
  await say(back.wire, 7);
  await back.wire.writeMessage(encodeBye("hung up"));
  await back.wire.finish();
  assertEquals(rig.numbers, [0, 7]);
  assertEquals(rig.ends, ["bye: hung up"]);
});

test("a new call from the machine of one that waits takes its place where it has to", async () => {
  for (
    const { maxCalls, host, name, calls } of [
      // The same caller, started anew, has one call. If no place is left, its machine is enough.
      { maxCalls: 3, host: "10.0.0.1", name: "Ana", calls: 1 },
      { maxCalls: 1, host: "10.0.0.1", name: "Eva", calls: 1 },
      // Two callers behind one address, or at two: the one that waits may come back.
      { maxCalls: 3, host: "10.0.0.1", name: "Eva", calls: 2 },
      { maxCalls: 3, host: "10.0.0.2", name: "Ana", calls: 2 },
    ]
  ) {
    await using rig = new Rig({ maxCalls });
    const { wire } = await rig.begin();
    wire.close();
    await until("the loss", () => rig.calls[0]!.waitsFor("10.0.0.1") || undefined);
    assert((await rig.call({ host, name })).answer.accept);
    assertEquals(rig.count, calls);
  }
});

test("a caller that came back from another address is known there when it is started anew", async () => {
  await using rig = new Rig();
  const { id } = await rig.begin();
  const { wire } = await rig.call({ call: id, host: "10.0.0.2" });
  await say(wire, 1);
  await until("the picture", () => rig.numbers.length === 2 ? true : undefined);
  wire.close();
  await until("the loss", () => rig.calls[0]!.waitsFor("10.0.0.2") || undefined);
  assert((await rig.call({ host: "10.0.0.2" })).answer.accept);
});

test("a caller takes its call over before the server has missed it", async () => {
  await using rig = new Rig();
  const { wire, id } = await rig.begin();
  const back = await rig.call({ call: id });
  await say(back.wire, 1);
  assertEquals(await wire.readMessage(65536), null);
  assertEquals(rig.numbers, [0, 1]);
});

test("into a private call comes back who was in it and has the code, and nobody else", async () => {
  await using rig = new Rig({ code: "48217093554", maxCalls: 2 });
  const call = async (
    { id, code, host = "10.0.0.1" }: { id?: string; code?: string; host?: string },
  ): Promise<{ readonly wire: Wire; readonly call: string }> => {
    const { near, far } = openPair();
    rig.enter(near, host);
    const hello = { name: "Ana", streams: [RAW], ...(id === undefined ? {} : { call: id }) };
    const { signal } = new AbortController();
    return await makeOffer(far, hello, signal, code === undefined ? undefined : { code });
  };
  const code = "48217093554";
  const first = await call({ code });
  const id = first.call;
  await say(first.wire, 0);
  first.wire.close();
  const error = await assertRejects(() => call({ id }), CodeError);
  assertEquals(error.kind, "wanted");
  const wrong = await assertRejects(() => call({ id, code: "48217093555" }), CodeError);
  assertEquals(wrong.kind, "wrong");
  await assertRejects(() => call({ id: newCallId(), code, host: "10.0.0.2" }), RefusedError, OVER);
  const back = await call({ id, code, host: "10.0.0.2" });
  assertEquals(back.call, id);
  await say(back.wire, 7);
  back.wire.close();
  assertEquals(rig.numbers, [0, 7]);
  assertEquals(rig.calls.length, 1);
});

test("of two that come back at the same time the call goes on with one, and lets the other go", async () => {
  await using rig = new Rig();
  const { wire, id } = await rig.begin();
  wire.close();
  const both = await Promise.all([rig.call({ call: id }), rig.call({ call: id })]);
  const outcomes = await Promise.allSettled(both.map(({ wire }) => say(wire, 1)));
  assertEquals(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assertEquals(rig.numbers, [0, 1]);
  assertEquals(rig.ends, []);
});

test("a thousand hellos with guessed ids are refused: the call is undisturbed, and few lines are made", async () => {
  await using rig = new Rig({ maxCalls: 2 });
  const { wire } = await rig.begin();
  for (let number = 0; number < 1000; number++) {
    const guess = await rig.call({ call: newCallId(), host: "10.0.0.9" });
    assertEquals(guess.answer, { accept: false, reason: OVER });
    guess.wire.close();
  }
  await say(wire, 1);
  assertEquals(rig.numbers, [0, 1]);
  assertEquals(rig.count, 1);
  assert(rig.lines.length < 70, `${rig.lines.length} lines`);
  assertStringIncludes(rig.lines.join("\n"), `10.0.0.9 was turned away: ${OVER}`);
});

test("nobody comes back into a call with other streams than it had", async () => {
  await using rig = new Rig();
  const { wire, id } = await rig.begin();
  const others: readonly Streams[] = [
    [],
    [RAW, RAW],
    [{ ...RAW, codec: "mjpeg" }],
    [{ ...RAW, width: 32 }],
    [{ ...RAW, height: 32 }],
    [{ ...RAW, fps: 21 }],
  ];
  for (const streams of others) {
    const { wire, answer } = await rig.call({ call: id, streams });
    assertEquals(answer, { accept: false, reason: "this call had other streams" });
    wire.close();
  }
  await say(wire, 1);
  assertEquals(rig.numbers, [0, 1]);
});

test("a call that has shown nothing yet is none to come back into", async () => {
  await using rig = new Rig();
  const { answer } = await rig.call();
  const back = await rig.call({ call: (answer as Acceptance).call });
  assertEquals(back.answer.accept, false);
});

test("whoever comes back and is gone before the answer harms neither its call nor the server", async () => {
  await using rig = new Rig({ maxCalls: 2 });
  const { wire, id } = await rig.begin();
  for (let times = 0; times < 10; times++) {
    const { near, far } = openPair();
    const gone = new Wire(far);
    await gone.writeMessage(encodeHello({ name: "Ana", streams: [RAW], call: id }));
    gone.close();
    rig.enter(near);
  }
  await say(wire, 1);
  // Others are still answered.
  const { answer } = await rig.call();
  assertEquals(answer.accept, true);
  assertEquals(rig.numbers, [0, 1]);
});

test("a caller that comes back and says nothing, over and over, is waited for no longer than others", async () => {
  await using rig = new Rig({ patienceSeconds: 1 });
  const { wire, id } = await rig.begin();
  wire.close();
  const ended = (): boolean => rig.ends.length > 0;
  for (const random = new Random(1); !ended();) {
    const { wire, answer } = await rig.call({ call: id });
    if (!answer.accept) break;
    await new Promise((resolve) => setTimeout(resolve, random.between(50, 300)));
    wire.close();
  }
  const { answer } = await rig.call();
  assertEquals(answer.accept, true);
});

test("a caller that sends nothing is turned away where the server has no picture either", async () => {
  for (const kinds of ["", `{"kind":"smell"},{"kind":"touch"}`]) {
    await using rig = new Rig();
    const wire = rig.connect();
    await wire.writeMessage(helloWith(`{"version":2,"name":"Ana","streams":[${kinds}]}`));
    const answer = decodeAnswer((await wire.readMessage(65536))!);
    assertEquals(answer, { accept: false, reason: "neither side has anything to send" });
    assertStringIncludes(rig.lines.join("\n"), "turned away: neither side has anything");
  }
  await using rig = new Rig({ ours: { name: "host", streams: [RAW] } });
  const { answer } = await rig.call({ streams: [] });
  assertEquals(answer.accept, true);
});

test(
  "a hello and a rest hold no place: the first picture is waited for as if nothing had been said",
  async () => {
    await using rig = new Rig();
    const { wire, answer } = await rig.call({ streams: [RAW] });
    assertEquals(answer.accept, true);
    await wire.writeMessage(encodeRest(0, true));
    assertEquals(rig.count, 1);
    while (await wire.readMessage(65536) !== null);
    wire.close();
    await until("a free place", () => rig.count === 0 || undefined);
  },
  { slow: true },
);

test("a unit that needs another one and a rest hold no place either", async () => {
  await using rig = new Rig();
  const { wire } = await rig.call({ streams: [{ ...RAW, codec: "h264" }] });
  const data = new Uint8Array([0, 0, 1, 0x41]);
  const frame: Frame = { stream: 0, data, captureUs: 0, sequence: 0, keyframe: false };
  await wire.writeMessage(encodeFrameHeader(frame), data);
  await wire.writeMessage(encodeRest(0, true));
  while (await wire.readMessage(65536) !== null);
  wire.close();
  await until("a free place", () => rig.count === 0 || undefined);
});
