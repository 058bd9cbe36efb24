/** Recordings with sound, read by the real ffmpeg. */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { nowUs, pause } from "../lib/clock.ts";
import { DEFAULT_FORMAT, rawFrameBytes, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { NO_PICTURES, Recorder, type SoundSize } from "../lib/media/recorder.ts";
import { Recording } from "../lib/media/recording.ts";
import { findUnfinished, mend } from "../lib/media/unfinished.ts";
import { encodedFrames, outputOf } from "./encoded.ts";
import { SetClock } from "./fake_time.ts";
import { clicksIn, flashesIn, samplesIn } from "./film.ts";
import { childrenWith, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

const RAW: VideoFormat = DEFAULT_FORMAT;

/** A picture: black, or white for a flash. */
function picture(captureUs: number, isFlash = false): Frame {
  const data = new Uint8Array(rawFrameBytes(RAW)).fill(isFlash ? 255 : 0);
  return { stream: 0, data, captureUs, sequence: 0, keyframe: true };
}

/** 10 ms of sound: silence, or a click at the beginning. */
function sound(captureUs: number, isClick = false): Frame {
  const samples = Int16Array.from({ length: 480 }, (_, at) => isClick && at < 96 ? 20_000 : 0);
  const data = new Uint8Array(samples.buffer);
  return { stream: 1, data, captureUs, sequence: 0, keyframe: true };
}

/** The facts about the tracks of a file: kind, codec and seconds. */
async function tracks(path: string): Promise<[string, string, number][]> {
  const args = ["-v", "error", "-show_entries", "stream=codec_type,codec_name,duration"];
  const output = await outputOf("ffprobe", [...args, "-of", "json", path], new Uint8Array());
  const { streams } = JSON.parse(new TextDecoder().decode(output));
  // Nothing tells how long the sound of an AVI lasts but the sound itself.
  const seconds = (await samplesIn(path)).length / 48_000;
  return streams.map(({ codec_type: kind, codec_name: name, duration }: Record<string, string>) => [
    ...[kind, name, kind === "audio" ? seconds : Number(duration)],
  ]);
}

/** Feeds a recorder in real time: each 50 ms a picture, each 10 ms sound of both voices. */
async function feed(
  recorder: Recorder,
  seconds: number,
  { flashAt = -1, clickAt = -1, ownClickAt = -1, peerUs = 0, pictures = true, voices = true } = {},
): Promise<void> {
  const startUs = nowUs();
  for (let tick = 0; tick < seconds * 100; tick++) {
    const dueUs = startUs + tick * 10_000;
    await pause(Math.max((dueUs - nowUs()) / 1000, 0));
    // The peer's clock is another one.
    const theirsUs = dueUs + peerUs;
    if (pictures && tick % 5 === 0) recorder.push(picture(theirsUs, tick === flashAt));
    if (!voices) continue;
    recorder.pushSound("peer", sound(theirsUs, tick === clickAt));
    recorder.pushSound("own", sound(dueUs, tick === ownClickAt));
  }
}

async function recorder(
  folder: string,
  { format = RAW, soundSize = "full", ending = "avi" }: {
    format?: VideoFormat | undefined;
    soundSize?: SoundSize;
    ending?: string;
  } = {},
): Promise<Recorder> {
  const path = `${folder}/video.${ending}`;
  await Deno.writeFile(path, new Uint8Array());
  const encoder = ending === "avi" ? "mpeg4" : "libx264";
  const options = { path, format, fps: 20, stamps: "capture", encoder } as const;
  return new Recorder({ ...options, sound: soundSize });
}

test("a flash and a click of one moment are together in the recording, ours as well", async () => {
  await using folder = await temporaryFolder();
  const one = await recorder(folder.path);
  await feed(one, 4, { flashAt: 100, clickAt: 100, ownClickAt: 250, peerUs: 7e9 });
  const { frames, failure, lost } = await one.close();
  assertEquals([failure, lost], [undefined, 0]);
  assertLessOrEqual(Math.abs(frames - 80), 2);
  const [flash] = await flashesIn(one.path);
  const [click, own] = await clicksIn(one.path);
  assertLess(Math.abs(click! - flash!), 0.04);
  assertLess(Math.abs(own! - 2.5), 0.06);
  const [video, audio] = await tracks(one.path);
  assertEquals([video![1], audio![1]], ["mpeg4", "pcm_s16le"]);
  assertLess(Math.abs(video![2] - audio![2]), 0.06);
}, { slow: true });

test(
  "voices that pause, and pictures that pause, are silence and a held picture of that length",
  async () => {
    await using folder = await temporaryFolder();
    const one = await recorder(folder.path);
    await feed(one, 1, { clickAt: 50 });
    await feed(one, 1.5, { voices: false });
    await feed(one, 1.5, { pictures: false, clickAt: 50 });
    await feed(one, 1, { clickAt: 50, flashAt: 50 });
    await one.close();
    const heard = await clicksIn(one.path);
    const wanted = [0.5, 3, 4.5];
    assertEquals(heard.length, 3);
    for (const [at, seconds] of heard.entries()) assertLess(Math.abs(seconds - wanted[at]!), 0.1);
    const [flash] = await flashesIn(one.path);
    assertLess(Math.abs(flash! - heard[2]!), 0.04);
    for (const [, , seconds] of await tracks(one.path)) assertLess(Math.abs(seconds - 5), 0.15);
  },
  { slow: true },
);

test("encoded pictures beside sound, and small sound", async () => {
  await using folder = await temporaryFolder();
  const format: VideoFormat = { ...RAW, codec: "h264" };
  const frames = await encodedFrames(format, 40);
  const one = await recorder(folder.path, { format, soundSize: "small" });
  const startUs = nowUs();
  for (let tick = 0; tick < 200; tick++) {
    await pause(Math.max((startUs + tick * 10_000 - nowUs()) / 1000, 0));
    const captureUs = nowUs();
    const data = frames[tick / 5];
    if (data) one.push({ stream: 0, data, captureUs, sequence: 0, keyframe: tick % 100 === 0 });
    one.pushSound("peer", sound(captureUs, tick === 100));
  }
  const { frames: count, failure } = await one.close();
  assertEquals(failure, undefined);
  assertLessOrEqual(Math.abs(count - 40), 2);
  const [, audio] = await tracks(one.path);
  assertEquals(audio![1], "adpcm_ima_wav");
  const [click] = await clicksIn(one.path);
  assertLess(Math.abs(click! - 1), 0.08);
}, { slow: true });

test("a call of voices alone is a recording of sound alone", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  await Deno.writeFile(path, new Uint8Array());
  const options = { path, format: undefined, fps: 20, stamps: "capture", sound: "full" } as const;
  const one = new Recorder(options);
  await feed(one, 1.5, { clickAt: 100 });
  const { seconds, failure } = await one.close();
  assertEquals(failure, undefined);
  assertLess(Math.abs(seconds - 1.5), 0.1);
  assertEquals((await tracks(path)).map(([kind]) => kind), ["audio"]);
  assertEquals((await clicksIn(path)).length, 1);
}, { slow: true });

test(
  "a killed ffmpeg leaves all but a picture and 150 ms of sound, and the rest is mended",
  async () => {
    await using folder = await temporaryFolder();
    const one = await recorder(folder.path);
    const startUs = nowUs();
    const feeding = feed(one, 3);
    await pause(2000);
    const [ffmpeg] = await childrenWith(one.path);
    assert(ffmpeg !== undefined);
    const seconds = (nowUs() - startUs) / 1e6;
    Deno.kill(ffmpeg.pid, "SIGKILL");
    await one.failed;
    await feeding;
    await one.close();
    assertEquals(await findUnfinished(one.path), [one.path]);
    assert(await mend(one.path, new AbortController().signal));
    const [video, audio] = await tracks(one.path);
    assertGreater(video![2], seconds - 0.16);
    assertGreater(audio![2], seconds - 0.26);
  },
  { slow: true },
);

/** The kinds of files that need no mending, and the codec of their sound, full and small. */
const KINDS = [["mkv", "pcm_s16le", "aac"], ["mp4", "aac", "aac"]] as const;

/** The times of a recording's pictures in seconds. */
async function times(path: string): Promise<number[]> {
  const args = ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time"];
  const output = await outputOf("ffprobe", [...args, "-of", "csv=p=0", path], new Uint8Array());
  return new TextDecoder().decode(output).trim().split(/[\n,]+/).map(Number);
}

/** The codecs of a file's tracks. */
async function codecs(path: string): Promise<string[]> {
  return (await tracks(path)).map(([, name]) => name);
}

for (const [ending, full, small] of KINDS) {
  test(`.${ending}: raw pictures become H.264, together with their sound`, async () => {
    await using folder = await temporaryFolder();
    const one = await recorder(folder.path, { ending });
    await feed(one, 3, { flashAt: 100, clickAt: 100, ownClickAt: 250, peerUs: 7e9 });
    const { frames, seconds, failure, lost } = await one.close();
    assertEquals([failure, lost], [undefined, 0]);
    assertLessOrEqual(Math.abs(frames - 60), 2);
    assertLess(Math.abs(seconds - 3), 0.1);
    const [flash] = await flashesIn(one.path);
    const [click, own] = await clicksIn(one.path);
    // An encoder begins before its first sample, by 21 ms. The file has to say so.
    assertLess(Math.abs(click! - flash!), 0.02);
    assertLess(Math.abs(own! - 2.5), 0.06);
    assertEquals(await codecs(one.path), ["h264", full]);
  }, { slow: true });

  test(`.${ending}: H.264 is copied, each picture later than the one before`, async () => {
    await using folder = await temporaryFolder();
    const format: VideoFormat = { ...RAW, codec: "h264" };
    const frames = await encodedFrames(format, 40);
    const one = await recorder(folder.path, { format, ending, soundSize: "small" });
    const startUs = nowUs();
    for (let tick = 0; tick < 200; tick++) {
      await pause(Math.max((startUs + tick * 10_000 - nowUs()) / 1000, 0));
      const captureUs = nowUs();
      // The last 20 pictures come all at once.
      for (const at of tick < 100 ? [tick / 5] : tick === 199 ? frames.slice(20).keys() : []) {
        const data = frames[tick < 100 ? at : 20 + at];
        if (data) one.push({ stream: 0, data, captureUs, sequence: 0, keyframe: tick === 0 });
      }
      one.pushSound("peer", sound(captureUs, tick === 50));
    }
    const { frames: count, seconds, failure, lost } = await one.close();
    assertEquals([count, failure, lost], [40, undefined, 0]);
    assertLess(Math.abs(seconds - 2), 0.15);
    assertEquals(await codecs(one.path), ["h264", small]);
    const at = await times(one.path);
    assertEquals(at.length, 40);
    assert(at.every((time, index) => index === 0 || time > at[index - 1]!), `${at}`);
    const args = ["-v", "error", "-i", one.path, "-map", "0:v", "-fps_mode", "passthrough"];
    const shown = await outputOf("ffmpeg", [...args, "-f", "rawvideo", "-"], new Uint8Array());
    assertEquals(shown.length, 40 * 320 * 240 * 1.5);
    assertLess(Math.abs((await clicksIn(one.path))[0]! - 0.5), 0.08);
  }, { slow: true });

  test(`.${ending}: a killed ffmpeg leaves all but a second, and nothing to mend`, async () => {
    await using folder = await temporaryFolder();
    for (const codec of ["raw", "h264"] as const) {
      const format: VideoFormat = { ...RAW, codec };
      const frames = codec === "raw" ? [] : await encodedFrames(format, 100);
      const one = await recorder(folder.path, { ending, format });
      const startUs = nowUs();
      for (let at = 0; at < 60; at++) {
        await pause(Math.max((startUs + at * 50_000 - nowUs()) / 1000, 0));
        const captureUs = nowUs();
        const plain = picture(captureUs);
        one.push({ ...plain, data: frames[at] ?? plain.data, keyframe: at === 0 });
        for (let part = 0; part < 5; part++) {
          one.pushSound("own", sound(captureUs + part * 10_000));
        }
      }
      const seconds = (nowUs() - startUs) / 1e6;
      const [ffmpeg] = await childrenWith(one.path);
      Deno.kill(ffmpeg!.pid, "SIGKILL");
      await one.failed;
      await one.close();
      assertGreater((await times(one.path)).at(-1)!, seconds - 1);
      assertGreater((await samplesIn(one.path)).length / 48_000, seconds - 1.1);
      assertEquals(await findUnfinished(one.path), []);
    }
  }, { slow: true });

  test(`.${ending}: H.264 that has no picture in it is no picture`, async () => {
    await using folder = await temporaryFolder();
    const format: VideoFormat = { ...RAW, codec: "h264" };
    const one = await recorder(folder.path, { format, ending });
    for (let at = 0; at < 20; at++) {
      const data = crypto.getRandomValues(new Uint8Array(500));
      one.push({ stream: 0, data, captureUs: nowUs(), sequence: at, keyframe: true });
    }
    assertEquals(await one.close(), { frames: 0, seconds: 0, lost: 20, failure: NO_PICTURES });
  });
}

test("a recording that begins before its first picture holds it from its beginning", async () => {
  await using folder = await temporaryFolder();
  const cases = [["raw", "avi", true], ["raw", "avi", false], ["mjpeg", "avi", false], [
    "h264",
    "avi",
    true,
  ], ["h264", "mkv", false]] as const;
  for (const [at, [codec, ending, hasSound]] of cases.entries()) {
    const format: VideoFormat = { ...RAW, codec };
    const frames = codec === "raw" ? [] : await encodedFrames(format, 20);
    const path = `${folder.path}/${at}.${ending}`;
    const originUs = nowUs() - 2_000_000;
    const options = { path, format, fps: 20, stamps: "capture", originUs } as const;
    const one = new Recorder({ ...options, sound: hasSound ? "full" : undefined });
    const startUs = nowUs();
    for (let number = 0; number < 20; number++) {
      await pause(Math.max((startUs + number * 50_000 - nowUs()) / 1000, 0));
      const plain = picture(nowUs(), number === 10);
      one.push({ ...plain, data: frames[number] ?? plain.data, keyframe: number === 0 });
      if (hasSound) one.pushSound("peer", sound(plain.captureUs, number === 10));
    }
    const { seconds, failure } = await one.close();
    assertEquals(failure, undefined, path);
    assertLess(Math.abs(seconds - 3), 0.2, path);
    assertLess(Math.abs((await times(path)).at(-1)! - 2.95), 0.2, path);
    if (codec === "raw") assertLess(Math.abs((await flashesIn(path))[0]! - 2.5), 0.15, path);
    if (hasSound) assertLess(Math.abs((await clicksIn(path))[0]! - 2.5), 0.15, path);
  }
}, { slow: true });

test("our voice is with the pictures even if the file took its time to be made", async () => {
  await using folder = await temporaryFolder();
  const one = new Recording({
    ...{ wanted: `${folder.path}/video.avi`, format: RAW, sound: "full", stamps: "capture" },
    ...{ onBegun: () => {}, onRefused: () => {}, onBroken: () => {} },
  });
  const startUs = nowUs();
  one.push(picture(startUs));
  // The program stands still, and the file is begun that much later.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  for (let tick = 31; tick < 200; tick++) {
    const captureUs = startUs + tick * 10_000;
    await pause(Math.max((captureUs - nowUs()) / 1000, 0));
    if (tick % 5 === 0) one.push(picture(captureUs, tick === 100));
    one.pushSound("own", sound(captureUs, tick === 100));
  }
  const [file] = await one.close();
  const [seen] = await flashesIn(file!.path);
  const [heard] = await clicksIn(file!.path);
  assertLess(Math.abs(seen! - heard!), 0.1);
}, { slow: true });

test("files of two ends: the voice is there even before its end's first picture", async () => {
  await using folder = await temporaryFolder();
  const moments = [0.5, 2.5, 4];
  const originUs = nowUs();
  using clock = new SetClock(originUs);
  const open = (name: string): { recording: Recording; begun: Promise<string> } => {
    const { promise: begun, resolve: onBegun } = Promise.withResolvers<string>();
    const recording = new Recording({
      ...{ wanted: `${folder.path}/${name}.avi`, format: RAW, sound: "full", stamps: "capture" },
      ...{ originUs, onBegun, onRefused: () => {}, onBroken: () => {} },
    });
    return { recording, begun };
  };
  const [theirs, ours] = [open("theirs"), open("ours")];
  for (let tick = 0; tick < 500; tick++) {
    clock.us = originUs + tick * 10_000;
    const isMoment = moments.includes(tick / 100);
    for (const [end, first] of [[theirs, 0], [ours, 300]] as const) {
      end.recording.pushSound("peer", sound(clock.us, isMoment));
      if (tick < first || tick % 5 > 0) continue;
      end.recording.push(picture(clock.us, isMoment));
      if (tick === first) await end.begun;
    }
  }
  for (const { recording, begun } of [theirs, ours]) {
    await recording.close();
    const clicks = await clicksIn(await begun);
    assertEquals(clicks.map((seconds) => Math.round(seconds * 50) / 50), moments);
    assertLess(Math.abs((await flashesIn(await begun)).at(-1)! - 4), 0.04);
  }
});

test("voices alone on a machine that slept: the end is whole", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  await Deno.writeFile(path, new Uint8Array());
  const startUs = nowUs();
  using clock = new SetClock(startUs);
  const options = { path, format: undefined, fps: 20, stamps: "capture", sound: "small" } as const;
  const one = new Recorder(options);
  one.pushSound("own", sound(startUs));
  // More silence than finds room in the queue.
  clock.us = startUs + 1_200e6;
  const { seconds, failure } = await one.close();
  assertEquals([seconds, failure], [1200, undefined]);
  assertLess(Math.abs((await samplesIn(path)).length / 48_000 - 1200), 0.1);
});

/** Three pictures, black, black and white, in a codec whose pictures stand alone. */
async function blackAndWhite(codec: "raw" | "mjpeg"): Promise<Uint8Array[]> {
  const pictures = [false, false, true].map((isFlash) => picture(0, isFlash).data);
  if (codec === "raw") return pictures;
  const size = `${RAW.width}x${RAW.height}`;
  const read = ["-v", "error", "-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", size];
  const write = ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "pipe:1"];
  return await Promise.all(
    pictures.map((data) => outputOf("ffmpeg", [...read, "-i", "pipe:0", ...write], data)),
  );
}

for (const codec of ["raw", "mjpeg"] as const) {
  test(`${codec} pictures of a machine that slept: sound and pictures end together`, async () => {
    await using folder = await temporaryFolder();
    const frames = await blackAndWhite(codec);
    const one = await recorder(folder.path, { format: { ...RAW, codec } });
    const startUs = nowUs();
    using clock = new SetClock(startUs);
    for (const [at, seconds] of [0, 1, 120].entries()) {
      clock.us = startUs + seconds * 1e6;
      one.push({ ...picture(clock.us), data: frames[at]! });
    }
    one.pushSound("peer", sound(clock.us, true));
    const { failure, lost, frames: count, seconds } = await one.close();
    assertEquals([failure, lost, count, seconds], [undefined, 0, 2401, 120.05]);
    for (const [, , seconds] of await tracks(one.path)) assertLess(Math.abs(seconds - 120.05), 0.1);
    // The last picture is there, with the click of its moment.
    assertEquals([await flashesIn(one.path), await clicksIn(one.path)], [[120], [120]]);
  });
}
