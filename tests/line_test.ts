/** A line against a peer made by hand, and against another line. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { within } from "../lib/clock.ts";
import { PeerLostError, ProtocolError } from "../lib/errors.ts";
import type { Frame, VideoFormat } from "../lib/frame/frame.ts";
import { type Again, CallLine, type Goodbye } from "../lib/wire/line.ts";
import {
  decodeAck,
  decodeBye,
  decodeFrame,
  decodeRest,
  encodeAck,
  encodeBye,
  encodeFrameHeader,
  encodeRest,
  KIND,
  type Streams,
} from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import { openPair } from "./fake_connection.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = { codec: "raw", width: 16, height: 16, fps: 20 };
const H264: VideoFormat = { ...RAW, codec: "h264" };
const MOST = 100_000;

function picture(number: number): Frame {
  return {
    data: new Uint8Array(768).fill(number),
    captureUs: 1e15 + number * 50_000,
    sequence: number,
    keyframe: true,
  };
}

function unit(number: number, keyframe: boolean): Frame {
  return { ...picture(number), data: new Uint8Array([0, 0, 1, keyframe ? 0x65 : 0x41]), keyframe };
}

/** A line on one end of a connection in memory, and a wire for the peer's words on the other. */
class Rig implements AsyncDisposable {
  readonly line: CallLine;
  readonly told: string[] = [];
  #peer: Wire;
  readonly #wires: Wire[] = [];

  constructor(
    { ours = [RAW], theirs = [RAW], again = () => Promise.resolve(undefined) }: {
      ours?: Streams;
      theirs?: Streams;
      again?: Again;
    } = {},
  ) {
    const [near, far] = this.open();
    this.#peer = far;
    this.line = new CallLine(near, { ours, theirs: { name: "Ana", streams: theirs }, again });
    this.line.watch({
      onGone: ({ how }) => this.told.push(`gone: ${how}`),
      onBack: () => this.told.push("back"),
    });
  }

  /** The peer's end of the newest connection. */
  get peer(): Wire {
    return this.#peer;
  }

  /** Makes another connection. */
  open(): [Wire, Wire] {
    const pair = openPair();
    const quiet = { expecting: (): boolean => false };
    const [near, far] = [new Wire(pair.near, quiet), new Wire(pair.far, quiet)];
    this.#wires.push(near, far);
    return [near, this.#peer = far];
  }

  /** What the peer hears next, rests left out. */
  async hear(): Promise<Uint8Array> {
    while (true) {
      const message = await this.#peer.readMessage(MOST);
      assert(message !== null, "the line has closed");
      if (message[0] !== KIND.rest) return message;
    }
  }

  /** The number of the next frame that the peer hears, which it acknowledges. */
  async hearFrame(): Promise<number> {
    while (true) {
      const message = await this.hear();
      if (message[0] !== KIND.frame) continue;
      const sequence = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
      await this.#peer.writeMessage(encodeAck(0, sequence));
      return sequence;
    }
  }

  async say(frame: Frame, stream = 0): Promise<void> {
    await this.#peer.writeMessage(encodeFrameHeader(frame, stream), frame.data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const wire of this.#wires) wire.close();
    await this.line[Symbol.asyncDispose]();
  }
}

/** Iterates a line and collects the numbers of its frames. */
function collect(line: CallLine): { readonly numbers: number[]; readonly over: Promise<void> } {
  const numbers: number[] = [];
  const over = (async (): Promise<void> => {
    for await (const { sequence, lease } of line.frames()) {
      numbers.push(sequence);
      lease?.letGo();
    }
  })();
  return { numbers, over };
}

test("CallLine gives what the peer sends, acknowledges it, and ends with its goodbye", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  for (let number = 0; number < 3; number++) {
    await rig.say(picture(number));
    const { stream, sequence } = decodeAck(await rig.hear());
    assertEquals([stream, sequence], [0, number]);
  }
  await rig.peer.writeMessage(encodeBye("window closed"));
  assertEquals(await rig.line.ended, { reason: "window closed" });
  await got.over;
  assertEquals(got.numbers, [0, 1, 2]);
  assertEquals(rig.line.figures.received, 3);
});

test("CallLine sends what is pushed under numbers of its own, and says goodbye", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  for (let number = 40; number < 43; number++) {
    rig.line.push(picture(number));
    const message = await rig.hear();
    const decoded = decodeFrame(message, [RAW]);
    assertEquals(decoded, { stream: 0, frame: { ...picture(number), sequence: number - 40 } });
    await rig.peer.writeMessage(encodeAck(0, number - 40));
  }
  const hangingUp = rig.line.hangUp("hung up");
  assertEquals(decodeBye(await rig.hear()), "hung up");
  rig.peer.close();
  await hangingUp;
  await got.over;
  assertEquals(rig.line.figures.sent, 3);
  assert(rig.line.figures.delayMs !== undefined);
});

test("two CallLines carry 200 pictures each way at once, each once and in order", async () => {
  using pair = openPair();
  const never: Again = () => Promise.resolve(undefined);
  const options = { ours: [RAW], theirs: { name: "", streams: [RAW] }, again: never };
  await using one = new CallLine(new Wire(pair.near), options);
  await using other = new CallLine(new Wire(pair.far), options);
  const [atOne, atOther] = [collect(one), collect(other)];
  for (let number = 0; number < 200; number++) {
    const before = { one: one.figures.sent, other: other.figures.sent };
    one.push(picture(number));
    other.push(picture(number));
    while (one.figures.sent === before.one || other.figures.sent === before.other) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  await Promise.all([one.flush(), other.flush()]);
  while (atOne.numbers.length < 200 || atOther.numbers.length < 200) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all([one.hangUp("hung up"), other.hangUp("hung up")]);
  await Promise.all([atOne.over, atOther.over]);
  const numbers = Array.from({ length: 200 }, (_, number) => number);
  assertEquals(atOne.numbers, numbers);
  assertEquals(atOther.numbers, numbers);
});

for (
  const [what, how, cut] of [
    ["reset", "reset", (rig: Rig): void => rig.peer.close()],
    ["ended without a goodbye", "no-bye", (rig: Rig): void => void rig.peer.finish(0)],
  ] as const
) {
  test(`CallLine goes on over another connection when the first is ${what}`, async () => {
    const lost: string[] = [];
    await using rig: Rig = new Rig({
      again: (error) => {
        lost.push(error.how);
        return Promise.resolve(rig.open()[0]);
      },
    });
    const got = collect(rig.line);
    for (let round = 0; round < 10; round++) {
      await rig.say(picture(round));
      rig.line.push(picture(round));
      assertEquals(await rig.hearFrame(), round);
      const before = rig.peer;
      // What it has not read yet would make the end a reset.
      await new Promise((resolve) => setTimeout(resolve, 5));
      cut(rig);
      while (rig.peer === before) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await rig.say(picture(10));
    await rig.peer.writeMessage(encodeBye("hung up"));
    assertEquals(await rig.line.ended, { reason: "hung up" });
    await got.over;
    assertEquals(got.numbers, Array.from({ length: 11 }, (_, number) => number));
    assertEquals(lost.length, 10);
    assert(lost.every((one) => one === how || one === "reset"), lost.join());
    assertEquals(rig.told.filter((one) => one === "back").length, 10);
    assertEquals(rig.line.figures.waitingMs, undefined);
  });
}

test("CallLine counts what was under way when a connection was lost", async () => {
  await using rig: Rig = new Rig({ again: () => Promise.resolve(rig.open()[0]) });
  const got = collect(rig.line);
  await rig.say(picture(0));
  await rig.hear();
  const before = rig.peer;
  rig.peer.close();
  while (rig.peer === before) await new Promise((resolve) => setTimeout(resolve, 1));
  await rig.say(picture(5));
  await rig.hear();
  assertEquals(rig.line.figures.lost, 4);
  assertEquals(got.numbers, [0, 5]);
});

test("CallLine ends with the loss where there is no other connection", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  rig.peer.close();
  const error = await assertRejects(() => rig.line.ended, PeerLostError);
  assertEquals(error.how, "no-bye");
  await got.over;
});

test("CallLine ends with the goodbye that another connection brings", async () => {
  const goodbye: Goodbye = { reason: "hung up" };
  await using rig = new Rig({ again: () => Promise.resolve(goodbye) });
  const got = collect(rig.line);
  rig.peer.close();
  assertEquals(await rig.line.ended, goodbye);
  await got.over;
});

test("CallLine asks for another connection when nothing comes, and keeps the first if that revives", async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  await using rig = new Rig({
    again: (_, signal) => {
      asked.resolve(signal);
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    },
  });
  const got = collect(rig.line);
  const signal = await asked.promise;
  assertEquals(rig.told, ["gone: silence"]);
  assert(rig.line.figures.waitingMs !== undefined);
  await rig.say(picture(0));
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  assertEquals(rig.told, ["gone: silence", "back"]);
  assertEquals(got.numbers, [0]);
});

test("CallLine goes on over the connection that the peer comes back with", async () => {
  await using rig = new Rig({
    again: (_, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined))),
  });
  const got = collect(rig.line);
  await rig.say(picture(0));
  await rig.hear();
  const [near] = rig.open();
  rig.line.resume(near);
  await rig.say(picture(1));
  await rig.hear();
  assertEquals(got.numbers, [0, 1]);
  assertEquals(rig.told, []);
});

test("CallLine does not wait for a stream that rests", async () => {
  let asked = 0;
  await using rig = new Rig({
    ours: [],
    again: () => {
      asked++;
      return Promise.resolve(undefined);
    },
  });
  const got = collect(rig.line);
  await rig.peer.writeMessage(encodeRest(0, true));
  await new Promise((resolve) => setTimeout(resolve, 3000));
  assertEquals(asked, 0);
  await rig.say(picture(0));
  await rig.hear();
  assertEquals(got.numbers, [0]);
});

test("CallLine says that its stream rests, and takes it up again", async () => {
  await using rig = new Rig({ theirs: [] });
  const got = collect(rig.line);
  const first = await rig.peer.readMessage(MOST);
  assertEquals(decodeRest(first!), { stream: 0, resting: true });
  rig.line.push(picture(0));
  const second = await rig.peer.readMessage(MOST);
  assertEquals(decodeRest(second!), { stream: 0, resting: false });
  const third = await rig.peer.readMessage(MOST);
  assertEquals(third?.[0], KIND.frame);
  await rig.peer.writeMessage(encodeBye(""));
  await got.over;
});

test("CallLine begins with a keyframe, and again after a loss", async () => {
  await using rig: Rig = new Rig({
    ours: [H264],
    again: () => Promise.resolve(rig.open()[0]),
  });
  collect(rig.line);
  rig.line.push(unit(0, false));
  rig.line.push(unit(1, true));
  assertEquals(await rig.hearFrame(), 0);
  const before = rig.peer;
  rig.peer.close();
  while (rig.peer === before) await new Promise((resolve) => setTimeout(resolve, 1));
  rig.line.push(unit(2, false));
  rig.line.push(unit(3, true));
  assertEquals(await rig.hearFrame(), 2);
  assertEquals(rig.line.figures.dropped, 1);
});

test("CallLine ignores streams of kinds that it does not know", async () => {
  await using rig = new Rig({ theirs: [undefined, RAW] });
  const got = collect(rig.line);
  assertEquals(rig.line.peer.format, RAW);
  await rig.say({ ...picture(0), data: new Uint8Array(960) }, 0);
  await rig.say(picture(7), 1);
  const ack = decodeAck(await rig.hear());
  assertEquals(ack, { stream: 1, sequence: 7 });
  assertEquals(got.numbers, [7]);
});

test("CallLine gives the first picture of a peer that sends two, and takes the other", async () => {
  await using rig = new Rig({ theirs: [H264, { ...RAW, width: 32 }] });
  const got = collect(rig.line);
  assertEquals(rig.line.peer.format, H264);
  await rig.say(unit(0, true), 0);
  assertEquals(decodeAck(await rig.hear()), { stream: 0, sequence: 0 });
  await rig.say({ ...picture(7), data: new Uint8Array(1536) }, 1);
  assertEquals(decodeAck(await rig.hear()), { stream: 1, sequence: 7 });
  await rig.say(unit(1, false), 0);
  assertEquals(decodeAck(await rig.hear()), { stream: 0, sequence: 1 });
  assertEquals(got.numbers, [0, 1]);
  assertEquals(rig.line.figures.received, 2);
});

test("CallLine tells everybody who waits for the last frames when they have left", async () => {
  await using rig = new Rig();
  const got = collect(rig.line);
  rig.line.push(picture(0));
  let flushed = 0;
  const all = [rig.line.flush(), rig.line.flush()].map((one) => one.then(() => flushed++));
  assertEquals(await rig.hearFrame(), 0);
  await within(Promise.all(all), 5000);
  assertEquals(flushed, 2);
  assertEquals(got.numbers, []);
});

for (
  const [what, message] of [
    ["a frame of a stream that was not announced", [2, 1, 1, 0, ...new Array(780).fill(0)]],
    ["an ack of a stream that it does not send", [3, 0, 1, 0, 0, 0, 0, 0]],
    ["an ack of a frame that was never sent", [3, 0, 0, 0, 9, 0, 0, 0]],
    ["a rest of a stream that was not announced", [7, 1, 3, 0]],
    ["a rest that is too long", [7, 1, 0, 0, 0]],
    ["a second hello", [1, ...new TextEncoder().encode("CHAMADA1{}")]],
    ["a message of no kind", []],
    ["a message of a kind that there is not", [99]],
    ["a picture of another size", [2, 1, 0, 0, ...new Array(100).fill(0)]],
    ["a frame without a whole header", [2, 1, 0]],
  ] as const
) {
  test(`CallLine ends the call at ${what}`, async () => {
    await using rig = new Rig();
    const got = collect(rig.line);
    await rig.peer.writeMessage(new Uint8Array(message));
    await assertRejects(() => rig.line.ended, ProtocolError);
    await got.over;
  });
}

test("CallLine lets go of every frame that it was given, also while the network is gone", async () => {
  await using rig = new Rig({
    again: (_, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined))),
  });
  collect(rig.line);
  let held = 0;
  const lease = { hold: (): void => void held++, letGo: (): void => void held-- };
  const leased = { ...picture(0), lease: lease as unknown as NonNullable<Frame["lease"]> };
  rig.line.push(leased);
  await rig.hearFrame();
  rig.peer.close();
  for (let count = 0; count < 5; count++) rig.line.push(leased);
  await rig.line.hangUp("");
  assertEquals(held, 0);
});
