/** One sound stream of a call at its two ends, without any connection. */

import { assertEquals, assertFalse, assertThrows } from "@std/assert";
import { ProtocolError } from "../lib/errors.ts";
import { PCM } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { ReceiveSound, SendSound } from "../lib/wire/sound_stream.ts";
import { FakeTime } from "./fake_time.ts";
import { test } from "./strict.ts";

function frame(sequence: number): Frame {
  return {
    ...{ stream: 1, data: new Uint8Array(960), captureUs: sequence * 10_000 },
    ...{ sequence, keyframe: true },
  };
}

/** The capture times of the frames that may go now, in frames. */
function takeAll(stream: SendSound): number[] {
  const numbers: number[] = [];
  for (let next = stream.take(); next; next = stream.take()) numbers.push(next.captureUs / 10_000);
  return numbers;
}

test("SendSound gives every frame in order, numbered from 0, without any ack", () => {
  const stream = new SendSound();
  for (const number of [40, 41]) stream.push(frame(number));
  assertEquals([stream.take()?.sequence, stream.take()?.sequence], [0, 1]);
  for (let number = 0; number < 100; number++) {
    stream.push(frame(number));
    assertEquals(takeAll(stream), [number]);
  }
  assertEquals([stream.sent, stream.dropped], [102, 0]);
});

test("SendSound drops the oldest sound when it has waited for 200 ms", () => {
  using time = new FakeTime({ stands: true });
  const stream = new SendSound();
  for (let number = 0; number < 100; number++) {
    stream.push(frame(number));
    time.forwardMs += 9.9;
  }
  // The last frame is 10 ms old, and the first of those that may go 198 ms.
  assertEquals(takeAll(stream), Array.from({ length: 20 }, (_, index) => 80 + index));
  assertEquals([stream.sent, stream.dropped], [20, 80]);
});

test("SendSound holds 200 ms of sound at most, however fast it comes", () => {
  using _time = new FakeTime({ stands: true });
  const stream = new SendSound();
  for (let number = 0; number < 1000; number++) stream.push(frame(number));
  assertEquals(takeAll(stream).length, 20);
  assertEquals(stream.dropped, 980);
});

test("SendSound says once that it rests, at once where it is told to", () => {
  using time = new FakeTime();
  const stream = new SendSound();
  stream.push(frame(0));
  assertEquals(stream.takeRest(), undefined);
  stream.rest();
  assertEquals([stream.takeRest(), stream.takeRest()], [true, undefined]);
  stream.push(frame(1));
  assertEquals([stream.takeRest(), stream.takeRest()], [false, undefined]);
  time.forwardMs += 1000;
  assertEquals([stream.takeRest(), stream.takeRest()], [true, undefined]);
  // On another connection nothing has been said, and old sound is of no use.
  stream.push(frame(2));
  stream.restart();
  time.forwardMs += 1000;
  assertEquals([stream.takeRest(), stream.take()], [true, undefined]);
});

test("SendSound takes nothing once it is closed", () => {
  const stream = new SendSound();
  stream.push(frame(0));
  stream.close();
  stream.push(frame(1));
  assertEquals([takeAll(stream), stream.isBusy, stream.dropped], [[], false, 1]);
});

test("ReceiveSound counts what came and what did not, up to what can have been sent", () => {
  using _time = new FakeTime({ stands: true });
  const stream = new ReceiveSound(PCM);
  for (const sequence of [0, 1, 5]) stream.take(frame(sequence));
  assertEquals([stream.received, stream.lost], [3, 3]);
  stream.take(frame(0xffffffff));
  // Ten seconds of sound may come at the beginning.
  assertEquals(stream.lost, 1000);
});

test("ReceiveSound ends a rest with the next frame", () => {
  const stream = new ReceiveSound(PCM);
  stream.resting = true;
  stream.take(frame(0));
  assertFalse(stream.resting);
});

test("ReceiveSound refuses sound that comes far faster than time goes by", () => {
  using time = new FakeTime({ stands: true });
  const stream = new ReceiveSound(PCM);
  for (let sequence = 0; sequence < 1000; sequence++) stream.take(frame(sequence));
  assertThrows(() => stream.take(frame(1000)), ProtocolError, "sound frames come faster than 400");
  time.forwardMs += 1000;
  for (let sequence = 0; sequence < 399; sequence++) stream.take(frame(sequence));
});
