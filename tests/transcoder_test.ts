/** Frames through a real ffmpeg, from one codec into another. */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { nowUs, pause } from "../lib/clock.ts";
import { DEFAULT_FORMAT, OPUS, PCM, rawFrameBytes, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { Lease } from "../lib/frame/pool.ts";
import { openTranscoder, type Transcoder, transcoderArguments } from "../lib/media/transcoder.ts";
import { until } from "./harness.ts";
import { numberedFrame, readPicture } from "./numbered.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = DEFAULT_FORMAT;
const MJPEG: VideoFormat = { ...RAW, codec: "mjpeg" };
const H264: VideoFormat = { ...RAW, codec: "h264" };

/** Collects what comes out of a transcoder, with the moment at which it came. */
function collect(
  transcoder: Transcoder,
): { readonly got: Frame[]; readonly atUs: number[]; readonly over: Promise<void> } {
  const [got, atUs]: [Frame[], number[]] = [[], []];
  const over = (async (): Promise<void> => {
    for await (const frame of transcoder.frames()) {
      got.push(frame);
      atUs.push(nowUs());
    }
  })();
  return { got, atUs, over };
}

/** A frame that is captured now. */
function captured(frame: Frame): Frame {
  return { ...frame, captureUs: nowUs() };
}

function tone(number: number): Frame {
  const samples = Int16Array.from(
    { length: 480 },
    (_, at) => 8000 * Math.sin(2 * Math.PI * 440 * (number * 480 + at) / 48_000),
  );
  const data = new Uint8Array(samples.buffer);
  return { stream: 0, data, captureUs: nowUs(), sequence: number, keyframe: true };
}

for (const codec of ["mjpeg", "h264"] as const) {
  test(`numbered pictures through raw, ${codec} and raw: each once, in order, at its own time`, async () => {
    const coded: VideoFormat = { ...RAW, codec };
    await using encoder = openTranscoder({ from: RAW, to: coded });
    await using decoder = openTranscoder({ from: coded, to: RAW });
    void (async (): Promise<void> => {
      for await (const frame of encoder.frames()) {
        decoder.push(frame);
        frame.lease?.letGo();
      }
    })();
    const { got } = collect(decoder);
    const times: number[] = [];
    for (let number = 0; number < 40; number++) {
      const frame = captured(numberedFrame(number, RAW));
      times.push(frame.captureUs);
      encoder.push(frame);
      await until("the picture", () => got.length > number || undefined);
    }
    assertEquals(got.map(({ data }) => readPicture(data, RAW)?.number), [...times.keys()]);
    assertEquals(got.map(({ captureUs }) => captureUs), times);
    assertEquals(got.map(({ sequence }) => sequence), [...times.keys()]);
  });
}

test("a picture comes out before the next one goes in, and a keyframe of H.264 each second", async () => {
  await using encoder = openTranscoder({ from: RAW, to: H264 });
  const { got } = collect(encoder);
  for (let number = 0; number < 45; number++) {
    encoder.push(captured(numberedFrame(number, RAW)));
    await until("the picture", () => got.length > number || undefined);
  }
  const keyframes = got.filter(({ keyframe }) => keyframe).map(({ sequence }) => sequence);
  assertEquals(keyframes[0], 0);
  for (const [at, sequence] of keyframes.entries()) {
    assertLessOrEqual((keyframes[at + 1] ?? 45) - sequence, 20);
  }
});

test("a picture that is broken is left out, and the next one has its own time", async () => {
  await using encoder = openTranscoder({ from: RAW, to: MJPEG });
  const jpegs = collect(encoder);
  for (let number = 0; number < 6; number++) {
    encoder.push(captured(numberedFrame(number, RAW)));
    await until("the picture", () => jpegs.got.length > number || undefined);
  }
  await using decoder = openTranscoder({ from: MJPEG, to: RAW });
  const { got } = collect(decoder);
  for (const [number, frame] of jpegs.got.entries()) {
    const broken = new Uint8Array([0xff, 0xd8, ...new Uint8Array(50)]);
    decoder.push({ ...frame, captureUs: 1000 * number, data: number % 2 ? broken : frame.data });
    if (number % 2 === 0) {
      await until("the picture", () => got.length > number / 2 || undefined);
    }
  }
  assertEquals(got.map(({ captureUs }) => captureUs), [0, 2000, 4000]);
  assertEquals(got.map(({ data }) => readPicture(data, RAW)?.number), [0, 2, 4]);
});

test("pictures of another size than was announced come out in the announced one, or not at all", async () => {
  const large: VideoFormat = { ...MJPEG, width: 1280, height: 960 };
  await using encoder = openTranscoder({ from: { ...large, codec: "raw" }, to: large });
  const jpegs = collect(encoder);
  encoder.push(captured(numberedFrame(7, large)));
  const jpeg = await until("the picture", () => jpegs.got[0]);
  await using decoder = openTranscoder({ from: MJPEG, to: RAW });
  const { got } = collect(decoder);
  decoder.push(jpeg);
  await pause(300);
  for (const { data } of got) assertEquals(data.length, rawFrameBytes(RAW));
});

test("sound through Opus and back is as loud as it was, and each packet is of one size", async () => {
  await using encoder = openTranscoder({ from: PCM, to: OPUS });
  await using decoder = openTranscoder({ from: OPUS, to: PCM });
  const sizes = new Set<number>();
  void (async (): Promise<void> => {
    for await (const frame of encoder.frames()) {
      sizes.add(frame.data.length);
      decoder.push(frame);
    }
  })();
  const { got, atUs } = collect(decoder);
  for (let number = 0; number < 100; number++) {
    encoder.push(tone(number));
    await pause(10);
  }
  await until("most of the sound", () => got.length >= 95 || undefined);
  assertEquals([...sizes], [40]);
  const { data } = got[90]!;
  const samples = new Int16Array(data.buffer, data.byteOffset, 480);
  const loudest = Math.max(...samples.map(Math.abs));
  assertGreater(loudest, 6000);
  assertLess(loudest, 10_000);
  const ages = got.slice(20).map(({ captureUs }, at) => atUs[at + 20]! - captureUs)
    .sort((one, other) => one - other);
  // A frame in each codec is 20 ms. The rest is a busy machine's.
  assertLess(ages[ages.length >> 1]!, 100_000);
});

test("sound in Opus that is broken, or of another length, makes nothing late that follows", async () => {
  await using encoder = openTranscoder({ from: PCM, to: OPUS });
  const packets = collect(encoder);
  for (let number = 0; number < 60; number++) {
    encoder.push(tone(number));
    await until("the packet", () => packets.got.length > number || undefined);
  }
  const odd = [
    new Uint8Array([0xff]),
    new Uint8Array(0),
    new Uint8Array([0xf3, 0xff, 0xff]),
    // Twelve frames of 10 ms in one packet, and two.
    new Uint8Array([0xf3, 0x0c, ...new Uint8Array(60)]),
    new Uint8Array([0xf1, ...new Uint8Array(60)]),
  ];
  await using decoder = openTranscoder({ from: OPUS, to: PCM });
  const { got } = collect(decoder);
  for (const [number, packet] of packets.got.entries()) {
    const isOdd = number >= 10 && number < 50 && number % 2 === 1;
    const data = isOdd ? odd[(number >> 1) % odd.length]! : packet.data;
    decoder.push({ ...packet, captureUs: number, data });
    if (!isOdd) await until("the sound", () => (got.at(-1)?.captureUs ?? -1) >= number - 1);
  }
  await until("the last sound", () => got.at(-1)?.captureUs === 59 || undefined);
  const times = got.map(({ captureUs }) => captureUs);
  assertEquals(times.slice(-9), [51, 52, 53, 54, 55, 56, 57, 58, 59]);
  assertEquals(times, [...new Set(times)].sort((one, other) => one - other));
});

test("an ffmpeg that stops for a moment gives all sound that it was fed its own time", async () => {
  for (const [from, to] of [[PCM, OPUS], [OPUS, PCM]] as const) {
    const packets: Frame[] = [];
    for (let number = 0; number < 200; number++) {
      const data = from === PCM ? tone(number).data : new Uint8Array(40).fill(0xf0, 0, 1);
      packets.push({ ...tone(number), data, captureUs: number });
    }
    let pid = 0;
    const watch = {
      started: (name: string): void => void (pid = Number(name.split(" ").at(-1))),
      said: (): void => {},
      ended: (): void => {},
    };
    await using transcoder = openTranscoder({ from, to, watch });
    const { got } = collect(transcoder);
    transcoder.push(packets[0]!);
    await until("the first sound", () => got.length > 0 || undefined);
    Deno.kill(pid, "SIGSTOP");
    for (const packet of packets.slice(1, 199)) {
      transcoder.push(packet);
      await pause(1);
    }
    Deno.kill(pid, "SIGCONT");
    await until("all that it was fed", () => got.at(-1)?.captureUs === 198 || undefined);
    const before = got.length;
    transcoder.push(packets[199]!);
    await until("the next sound", () => got.length > before || undefined);
    assertEquals(got.at(-1)?.captureUs, 199);
    const times = got.map(({ captureUs }) => captureUs);
    assertEquals(times, [...new Set(times)].sort((one, other) => one - other));
  }
}, { ignore: Deno.build.os === "windows" });

test("of sound that ffmpeg cannot take at once, the newest 200 ms are kept", async () => {
  await using encoder = openTranscoder({ from: PCM, to: OPUS });
  const { got } = collect(encoder);
  for (let number = 0; number < 50; number++) encoder.push({ ...tone(number), captureUs: number });
  await until("the last packet", () => got.at(-1)?.captureUs === 49 || undefined);
  const times = got.map(({ captureUs }) => captureUs);
  assertEquals(times.slice(-20), Array.from({ length: 20 }, (_, at) => 30 + at));
  assertLessOrEqual(times.length, 21);
});

test("an ffmpeg that dies is told of once, and takes no more", async () => {
  const failures: string[] = [];
  let pid = 0;
  await using decoder = openTranscoder({
    ...{ from: MJPEG, to: RAW },
    onFailed: (detail) => failures.push(detail),
    watch: {
      started: (name) => void (pid = Number(name.split(" ").at(-1))),
      said: () => {},
      ended: () => {},
    },
  });
  const { over } = collect(decoder);
  await until("its process", () => pid > 0 || undefined);
  Deno.kill(pid, "SIGKILL");
  await over;
  await until("the news", () => failures.length > 0 || undefined);
  let given = 0;
  const lease = new Lease(() => void given++);
  decoder.push({ ...captured(numberedFrame(0, RAW)), lease });
  lease.letGo();
  assertEquals(given, 1);
  assertEquals(failures.length, 1);
});

test("transcoderArguments() bound what a picture may unfold to", () => {
  const args = transcoderArguments({ from: H264, to: RAW });
  assertEquals(args[args.indexOf("-max_pixels") + 1], `${(320 + 128) * (240 + 128)}`);
  assert(!transcoderArguments({ from: RAW, to: H264 }).includes("-max_pixels"));
});
