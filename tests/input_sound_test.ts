/** Inputs with sound: pictures and sound out of one ffmpeg, in step. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { nowUs, pause } from "../lib/clock.ts";
import {
  type Codec,
  DEFAULT_FORMAT,
  PCM,
  PCM_FRAME_BYTES,
  type VideoFormat,
} from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import type { Source } from "../lib/frame/source.ts";
import { openSource } from "../lib/media/capture.ts";
import { outputArguments } from "../lib/media/conversion.ts";
import { MatroskaWriter } from "../lib/media/matroska.ts";
import { makeFilm, runFfmpeg } from "./film.ts";
import { temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

const never = new AbortController().signal;

function open(input: string, format: VideoFormat = DEFAULT_FORMAT, sound = true): Promise<Source> {
  return openSource({ from: { input }, format, mirror: false, system: "linux", sound }, never);
}

/** The frames of an input: pictures and sound, and the times at which they were handed out. */
interface Taken {
  readonly formats: Source["formats"];
  readonly pictures: Frame[];
  readonly sound: Frame[];
  /** Milliseconds from the time of each frame of sound until it was handed out. */
  readonly late: number[];
}

async function take(
  input: string,
  { most = Infinity, format = DEFAULT_FORMAT, sound = true } = {},
): Promise<Taken> {
  await using source = await open(input, format, sound);
  const taken: Taken = { formats: source.formats, pictures: [], sound: [], late: [] };
  for await (const frame of source.frames()) {
    if (frame.stream === 0) taken.pictures.push({ ...frame, data: frame.data.slice() });
    else {
      taken.sound.push(frame);
      taken.late.push((nowUs() - frame.captureUs) / 1000);
    }
    frame.lease?.letGo();
    if (taken.pictures.length === most) break;
  }
  return taken;
}

/** The times at which pictures turn white, in microseconds. */
function flashesOf(pictures: readonly Frame[]): number[] {
  const isWhite = ({ data }: Frame): boolean => data.every((channel) => channel > 220);
  return pictures.filter((picture, index) =>
    isWhite(picture) && (index === 0 || !isWhite(pictures[index - 1]!))
  ).map(({ captureUs }) => captureUs);
}

/** The times at which the tone begins, in microseconds. */
function ticksOf(sound: readonly Frame[]): number[] {
  const ticks: number[] = [];
  let loudUs = -Infinity;
  for (const { data, captureUs } of sound) {
    assertEquals(data.length, PCM_FRAME_BYTES);
    const view = new DataView(data.buffer, data.byteOffset);
    for (let at = 0; at < data.length; at += 2) {
      if (Math.abs(view.getInt16(at, true)) < 3000) continue;
      const us = captureUs + at / 2 * 1e6 / PCM.rate;
      if (us - loudUs > 300_000) ticks.push(us);
      loudUs = us;
    }
  }
  return ticks;
}

/** Milliseconds from each flash to the nearest tick. */
function offsetsOf({ pictures, sound }: Taken): number[] {
  const ticks = ticksOf(sound);
  return flashesOf(pictures).map((flash) =>
    ticks.map((tick) => (tick - flash) / 1000).toSorted((a, b) => Math.abs(a) - Math.abs(b))[0]!
  );
}

function assertInStep(taken: Taken, flashes: number): void {
  const offsets = offsetsOf(taken);
  assertEquals(offsets.length, flashes, `${offsets}`);
  assert(offsets.every((ms) => Math.abs(ms) <= 40), `${offsets}`);
}

/** The sound comes in every place, 10 ms after 10 ms. */
function assertWhole(sound: readonly Frame[]): void {
  sound.forEach(({ stream, sequence, keyframe, captureUs }, index) => {
    assertEquals([stream, sequence, keyframe], [1, index, true]);
    const expected = sound[0]!.captureUs + index * 10_000;
    assert(Math.abs(captureUs - expected) <= 2, `frame ${index}`);
  });
}

test("input test with sound: ticks and flashes at the same moments, at any rate", async () => {
  for (const fps of [20, 29.97]) {
    const taken = await take("test", { format: { ...DEFAULT_FORMAT, fps }, most: fps * 2.5 | 0 });
    assertEquals(taken.formats, [{ ...DEFAULT_FORMAT, fps }, PCM]);
    assertInStep(taken, 3);
    assertWhole(taken.sound);
  }
});

test("input test without sound: the picture is as ever, and does not flash", async () => {
  const { formats, pictures, sound } = await take("test", { sound: false, most: 25 });
  assertEquals([formats, sound], [[DEFAULT_FORMAT], []]);
  assertEquals(flashesOf(pictures), []);
});

test("input: the sound of a film is in step with its pictures, and comes at its time", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/film.mp4`;
  await makeFilm(path, { seconds: 3 });
  const taken = await take(path);
  assertEquals(taken.pictures.length, 60);
  assertInStep(taken, 3);
  assertWhole(taken.sound);
  assert(Math.abs(taken.sound.length - 300) <= 5, `${taken.sound.length} frames`);
  // No frame comes before its time. A timer may come a little early.
  assert(taken.late.every((ms) => ms > -3), `${Math.min(...taken.late)} ms`);
  const late = taken.late.toSorted((a, b) => a - b)[taken.late.length >> 1]!;
  assertLess(late, 30);
});

test("input: a film ends with its pictures, however long its sound is", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/film.mp4`;
  await makeFilm(path, { seconds: 2 });
  for (
    const [name, filter] of [["long", "apad=whole_dur=30"], ["short", "atrim=end=1"]] as const
  ) {
    const other = `${folder.path}/${name}.mkv`;
    await runFfmpeg("-i", path, "-af", filter, "-c:v", "copy", other);
    const startMs = performance.now();
    const taken = await take(other);
    assertEquals(taken.pictures.length, 40, name);
    assertWhole(taken.sound);
    // On a busy machine the end is heard of a little later. The long sound has 3,000 frames.
    const frames = taken.sound.length;
    assert(frames >= 195 && frames < 300, `${name}: ${frames} frames`);
    assertEquals(ticksOf(taken.sound).length, name === "long" ? 2 : 1);
    assertLess(performance.now() - startMs, 10_000);
  }
});

test("input: sound or pictures that begin late stand where they belong", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/film.mp4`;
  await makeFilm(path, { seconds: 2 });
  const late = ["-itsoffset", "1", "-i", path];
  const maps = (
    picture: number,
  ): string[] => ["-map", `${picture}:v`, "-map", `${1 - picture}:a`, "-c", "copy"];
  await runFfmpeg("-i", path, ...late, ...maps(0), `${folder.path}/sound.mkv`);
  await runFfmpeg("-i", path, ...late, ...maps(1), `${folder.path}/picture.mkv`);
  const sound = await take(`${folder.path}/sound.mkv`);
  assertEquals(sound.pictures.length, 40);
  // One of the two flashes has a tick, as the sound is a second late.
  assert(Math.abs(offsetsOf(sound)[1]!) <= 40, `${offsetsOf(sound)}`);
  const picture = await take(`${folder.path}/picture.mkv`);
  assertEquals(picture.pictures.length, 60);
  assertWhole(picture.sound);
  assertEquals(ticksOf(picture.sound).length, 2);
});

test("input: without sound it is as ever, and sound that cannot be read is left out", async () => {
  await using folder = await temporaryFolder();
  const silent = `${folder.path}/silent.mp4`;
  await makeFilm(silent, { seconds: 1, args: ["-an"] });
  const broken = `${folder.path}/broken.avi`;
  await makeFilm(broken, { seconds: 1, args: ["-c:v", "mpeg4", "-c:a", "pcm_s16le"] });
  // The format of the sound, behind its header, becomes one that nobody knows.
  const bytes = await Deno.readFile(broken);
  const text = new TextDecoder("latin1").decode(bytes);
  const format = text.indexOf("strf", text.indexOf("auds"));
  bytes.set([0x99, 0x99], format + 8);
  await Deno.writeFile(broken, bytes);
  for (const path of [silent, broken]) {
    const { formats, pictures, sound } = await take(path);
    assertEquals([formats, pictures.length, sound.length], [[DEFAULT_FORMAT], 20, 0], path);
  }
});

test("input: a cover stays, without the song behind it", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/song.mkv`;
  await makeFilm(path, { seconds: 1, args: ["-frames:v", "1"] });
  const { formats, pictures, sound } = await take(path, { most: 30 });
  assertEquals([formats, pictures.length, sound.length], [[DEFAULT_FORMAT], 30, 0]);
});

test("input with sound: pictures of any size are the same as without", async () => {
  for (const [width, height] of [[322, 241], [17, 16], [320, 240]] as const) {
    const format = { ...DEFAULT_FORMAT, width, height };
    const without = await take("test", { format, most: 4, sound: false });
    const beside = await take("test", { format, most: 4 });
    // The first one is white.
    for (const index of [1, 2, 3]) {
      assertEquals(beside.pictures[index]!.data, without.pictures[index]!.data);
    }
  }
});

test("input with sound: pictures of every codec, with their keyframes", async () => {
  for (const codec of ["mjpeg", "h264"] satisfies Codec[]) {
    const { pictures, sound } = await take("test", {
      format: { ...DEFAULT_FORMAT, codec },
      most: 25,
    });
    assertEquals(pictures.map(({ sequence }) => sequence), Array.from({ length: 25 }, (_, n) => n));
    const keys = pictures.filter(({ keyframe }) => keyframe).map(({ sequence }) => sequence);
    assertEquals(keys, codec === "h264" ? [0, 20] : pictures.map(({ sequence }) => sequence));
    assertEquals(pictures[0]!.data[0], codec === "mjpeg" ? 0xff : 0);
    assertWhole(sound);
  }
});

test("output arguments: sound of a live input goes past the interleaving, and no sound is asked for without", () => {
  const words = (live: boolean, sound?: "fast" | "steady"): string =>
    outputArguments(DEFAULT_FORMAT, { mirror: false, live, sound }).join(" ");
  assert(/-an .*-f rawvideo pipe:1$/.test(words(true)), words(true));
  assert(/-f fifo -fifo_format avi -format_opts flush_packets=1 pipe:1$/.test(words(true, "fast")));
  assert(/apad.*-shortest .*-f avi pipe:1$/.test(words(false, "steady")));
  for (const sound of ["fast", "steady"] as const) {
    assert(!/-an /.test(words(sound === "fast", sound)));
    assert(/-c:a pcm_s16le .*asetnsamples=480/.test(words(sound === "fast", sound)));
  }
});

/**
 * A live input: pictures and sound as they are made, over TCP. Resolves to the milliseconds from
 * each picture's writing to its frame, and to the frames of sound.
 */
async function liveDelays(sound: boolean, packetMs: number): Promise<[number[], Frame[]]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const writtenUs = new Map<number, number>();
  let over = false;
  const sending = (async (): Promise<void> => {
    using connection = await listener.accept();
    const writer = new MatroskaWriter([DEFAULT_FORMAT, PCM]);
    const startUs = nowUs();
    const put = async (bytes: Uint8Array): Promise<void> => {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    };
    const putFrame = async (track: number, data: Uint8Array, timeUs: number): Promise<void> => {
      await put(writer.frameHeader(track, data.length, timeUs));
      await put(data);
    };
    try {
      await put(writer.header());
      for (let slot = 0; !over && slot < 6000; slot++) {
        const earlyUs = startUs + slot * 10_000 - nowUs();
        if (earlyUs > 0) await pause(earlyUs / 1000);
        if (slot % (packetMs / 10) === 0) {
          const bytes = PCM_FRAME_BYTES * packetMs / 10;
          await putFrame(1, new Uint8Array(bytes), slot * 10_000);
        }
        if (slot % 5 !== 2) continue;
        const shade = (slot - 2) / 5 % 250;
        writtenUs.set(shade, nowUs());
        await putFrame(0, new Uint8Array(320 * 240 * 3).fill(shade), slot * 10_000);
      }
    } catch {
      // The reader has gone.
    }
  })();
  const delays: number[] = [];
  const frames: Frame[] = [];
  {
    await using source = await open(
      `tcp://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
      DEFAULT_FORMAT,
      sound,
    );
    for await (const frame of source.frames()) {
      if (frame.stream === 0) {
        delays.push((nowUs() - writtenUs.get(frame.data[100]!)!) / 1000);
        frame.lease?.letGo();
      } else frames.push(frame);
      if (delays.length === 60) break;
    }
    over = true;
  }
  await sending;
  return [delays.slice(20), frames];
}

test("live input: its pictures do not wait for its sound, and its sound comes evenly", async () => {
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[values.length >> 1]!;
  const [alone] = await liveDelays(false, 10);
  for (const packetMs of [10, 160]) {
    const [beside, sound] = await liveDelays(true, packetMs);
    // At rest 0.8 ms without, 0.9 ms with sound.
    assertLess(median(beside) - median(alone), 5, `packets of ${packetMs} ms`);
    const gaps = sound.slice(1).map(({ captureUs }, index) => captureUs - sound[index]!.captureUs);
    assert(gaps.every((us) => us >= 9999), `${Math.min(...gaps)} us`);
    assert(sound.length > 150, `${sound.length} frames`);
  }
}, { quiet: true, slow: true });
