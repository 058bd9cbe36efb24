/**
 * The recording of a call: the beginning of its file, and its future when its ffmpeg fails in the
 * middle.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import { pause } from "../lib/clock.ts";
import { RecordingError } from "../lib/errors.ts";
import { DEFAULT_FORMAT, rawFrameBytes, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { FramePool } from "../lib/frame/pool.ts";
import { hasIdr } from "../lib/media/h264.ts";
import { type FinishedFile, Recording } from "../lib/media/recording.ts";
import { canSeeProcesses, childrenWith, temporaryFolder, until } from "./harness.ts";
import { encodedFrames } from "./encoded.ts";
import { numberedFrame, paintNumber, readNumbers } from "./numbered.ts";
import { test } from "./strict.ts";

/** Milliseconds that an ffmpeg has to live to be followed by another one, and a little longer. */
const LONG_ENOUGH_MS = 2200;

/** A recording into a folder of its own, and its words. */
class Observed implements AsyncDisposable {
  readonly wanted: string;
  readonly recording: Recording;
  readonly begun: string[] = [];
  readonly refused: unknown[] = [];
  readonly broken: (readonly [path: string, detail: string])[] = [];
  readonly #folder: AsyncDisposable;

  private constructor(
    folder: AsyncDisposable & { readonly path: string },
    { format = DEFAULT_FORMAT, name = "video.avi" }: ObservedOptions,
  ) {
    this.#folder = folder;
    this.wanted = `${folder.path}/${name}`;
    this.recording = new Recording({
      ...{ wanted: this.wanted, format, stamps: "capture" },
      onBegun: (path) => this.begun.push(path),
      onRefused: (error) => this.refused.push(error),
      onBroken: (path, detail) => this.broken.push([path, detail]),
    });
  }

  static async open(options: ObservedOptions = {}): Promise<Observed> {
    return new Observed(await temporaryFolder(), options);
  }

  /** The name of its n-th file. */
  path(number: number): string {
    return number === 1 ? this.wanted : this.wanted.replace(".avi", `-${number}.avi`);
  }

  /**
   * Pushes numbered pictures, from the first up to the end, and waits until a file has been begun.
   */
  async pushNumbers(first: number, end: number): Promise<void> {
    for (let n = first; n < end; n++) this.recording.push(numberedFrame(n, DEFAULT_FORMAT));
    await until("a file", () => this.recording.path);
  }

  /** Kills the ffmpeg that writes to a file, and waits until the recording knows. */
  async kill(path: string): Promise<void> {
    const [child] = await childrenWith(`file:${path}`);
    Deno.kill(child!.pid, "SIGKILL");
    await until("a broken recording", () => this.broken.find(([one]) => one === path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.recording.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** The frames to record, and the name of the file. */
interface ObservedOptions {
  readonly format?: VideoFormat;
  readonly name?: string;
}

/** The numbers from `first` up to, but not including, `end`. */
function numbers(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}

/** A frame of noise, which no encoder makes small. */
function noisyFrame(number: number): Frame {
  const { data, ...frame } = numberedFrame(number, DEFAULT_FORMAT);
  return { ...frame, data: data.map(() => Math.floor(Math.random() * 256)) };
}

function pathsOf(files: readonly FinishedFile[]): string[] {
  return files.map(({ path }) => path);
}

test("recording: without a frame there is no file", async () => {
  await using observed = await Observed.open();
  assertEquals(await observed.recording.close({ untilNow: true }), []);
  assertEquals([observed.begun, observed.recording.lost], [[], 0]);
});

test("recording: the first frame begins the file, and every frame is in it", async () => {
  await using observed = await Observed.open();
  const { recording, wanted } = observed;
  await observed.pushNumbers(0, 5);
  assertEquals([recording.path, observed.begun], [wanted, [wanted]]);
  await observed.pushNumbers(5, 20);
  const files = await recording.close();
  assertEquals(pathsOf(files), [wanted]);
  assertEquals(files[0]!.frames, 20);
  assertEquals(recording.lost, 0);
  assertEquals(await readNumbers(wanted), numbers(0, 20));
});

test("recording: closed while its file is being made, it holds what was pushed until then", async () => {
  await using observed = await Observed.open();
  const { recording, wanted } = observed;
  for (const n of numbers(0, 3)) recording.push(numberedFrame(n, DEFAULT_FORMAT));
  assertEquals(recording.path, undefined);
  const closing = recording.close();
  recording.push(numberedFrame(3, DEFAULT_FORMAT));
  assertEquals(pathsOf(await closing), [wanted]);
  assertEquals(await readNumbers(wanted), numbers(0, 3));
  assertEquals(recording.lost, 1);
});

test("recording: closed twice, it names its files once", async () => {
  await using observed = await Observed.open();
  await observed.pushNumbers(0, 3);
  const files = await observed.recording.close();
  assertStrictEquals(await observed.recording.close({ untilNow: true }), files);
  assertEquals(pathsOf(files), [observed.wanted]);
});

test("recording: one that cannot be made says so once, and every frame of it is lost", async () => {
  await using observed = await Observed.open({ name: "missing/video.avi" });
  const { recording, refused } = observed;
  for (const n of numbers(0, 3)) recording.push(numberedFrame(n, DEFAULT_FORMAT));
  await until("a refusal", () => refused.length > 0 || undefined);
  for (const n of numbers(3, 5)) recording.push(numberedFrame(n, DEFAULT_FORMAT));
  assertEquals(await recording.close(), []);
  assertEquals(refused.map((error) => error instanceof RecordingError), [true]);
  assertEquals(recording.lost, 5);
});

test(
  "recording: when its ffmpeg dies, it goes on in the next file with the next frame",
  async () => {
    await using observed = await Observed.open();
    const { recording } = observed;
    await observed.pushNumbers(0, 10);
    await pause(LONG_ENOUGH_MS);
    await observed.kill(observed.path(1));
    assertEquals([recording.path, observed.begun], [undefined, [observed.path(1)]]);
    await observed.pushNumbers(60, 70);
    const files = await recording.close();
    assertEquals(pathsOf(files), [observed.path(1), observed.path(2)]);
    assertEquals(observed.begun, pathsOf(files));
    assertEquals(files.map(({ failure }) => failure === undefined), [false, true]);
    const first = await readNumbers(observed.path(1));
    assertEquals(first, numbers(0, first.length));
    assertGreaterOrEqual(first.length, 9);
    assertEquals(await readNumbers(observed.path(2)), numbers(60, 70));
    assertEquals(observed.broken.length, 1);
  },
  { ignore: !canSeeProcesses },
);

test(
  "recording: an ffmpeg that dies at once is not followed by another one",
  async () => {
    await using observed = await Observed.open();
    const { recording } = observed;
    await observed.pushNumbers(0, 5);
    await observed.kill(observed.path(1));
    const before = recording.lost;
    for (const n of numbers(5, 10)) recording.push(numberedFrame(n, DEFAULT_FORMAT));
    const files = await recording.close();
    assertEquals(pathsOf(files), [observed.path(1)]);
    assertEquals(observed.begun, [observed.path(1)]);
    assertEquals(recording.lost, before + 5);
  },
  { ignore: !canSeeProcesses },
);

test(
  "recording: an ffmpeg that was killed after the last frame leaves no empty file behind it",
  async () => {
    await using observed = await Observed.open();
    await observed.pushNumbers(0, 5);
    await pause(LONG_ENOUGH_MS);
    await observed.kill(observed.path(1));
    assertEquals(pathsOf(await observed.recording.close()), [observed.path(1)]);
    assertEquals(observed.begun, [observed.path(1)]);
  },
  { ignore: !canSeeProcesses },
);

test(
  "recording: a disk that fills after seconds ends it, with no second file",
  async () => {
    await using folder = await temporaryFolder();
    const mount = async (...args: string[]): Promise<boolean> =>
      (await new Deno.Command("mount", { args, stderr: "null" }).output()).success;
    assert(await mount("-t", "tmpfs", "-o", "size=400k", "tmpfs", folder.path));
    try {
      const begun: string[] = [];
      const broken = Promise.withResolvers<string>();
      const recording = new Recording({
        ...{ wanted: `${folder.path}/video.avi`, format: DEFAULT_FORMAT, stamps: "capture" },
        onBegun: (path) => begun.push(path),
        onRefused: broken.reject,
        onBroken: (_, detail) => broken.resolve(detail),
      });
      recording.push(numberedFrame(0, DEFAULT_FORMAT));
      await pause(LONG_ENOUGH_MS);
      // Noise takes more room than any picture: the disk has no room for twenty of them.
      for (const n of numbers(1, 20)) recording.push(noisyFrame(n));
      assertMatch(await broken.promise, /No space left on device/);
      recording.push(numberedFrame(0, DEFAULT_FORMAT));
      const files = await recording.close();
      assertEquals([begun.length, files.length], [1, 1]);
    } finally {
      // A program of the system that looks at every new disk may still hold it.
      await new Deno.Command("umount", { args: ["--lazy", folder.path] }).output();
    }
  },
  { ignore: Deno.build.os !== "linux" || Deno.uid() !== 0 },
);

test(
  "recording: frames that need each other begin a file with a keyframe, each file of them",
  async () => {
    const format: VideoFormat = { ...DEFAULT_FORMAT, codec: "h264" };
    const encoded = await encodedFrames(format, 60);
    const frames = encoded.map((data, sequence): Frame => ({
      stream: 0,
      ...{ data, sequence, captureUs: sequence * 50_000, keyframe: hasIdr(data) },
    }));
    const second = frames.findIndex(({ keyframe }, at) => at > 0 && keyframe);
    assertGreaterOrEqual(second, 2);
    await using observed = await Observed.open({ format });
    const { recording } = observed;
    for (const frame of frames.slice(1, second)) recording.push(frame);
    assertEquals([recording.path, recording.lost], [undefined, second - 1]);
    for (const frame of frames.slice(second, second + 5)) recording.push(frame);
    await until("a file", () => recording.path);
    await pause(LONG_ENOUGH_MS);
    await observed.kill(observed.path(1));
    const before = recording.lost;
    recording.push(frames[second + 5]!);
    assertEquals([recording.path, recording.lost], [undefined, before + 1]);
    for (const frame of frames.slice(0, 10)) recording.push(frame);
    const [, next] = await recording.close();
    assertEquals([next?.path, next?.frames, next?.failure], [observed.path(2), 10, undefined]);
  },
  { ignore: !canSeeProcesses },
);

test("recording: memory of frames is given back, also where they waited for the file", async () => {
  // A recorder keeps its last frame, to repeat it.
  for (const [name, kept] of [["video.avi", 1], ["missing/video.avi", 0]] as const) {
    await using observed = await Observed.open({ name });
    const { recording } = observed;
    const pool = new FramePool(rawFrameBytes(DEFAULT_FORMAT));
    const lent = new Set<Uint8Array>();
    for (let number = 0; number < 5; number++) {
      const data = pool.take();
      assert(!lent.has(data), "memory is taken that a frame still lies in");
      lent.add(data);
      data.set(paintNumber(number, DEFAULT_FORMAT));
      const { captureUs } = numberedFrame(number, DEFAULT_FORMAT);
      const lease = pool.lease(data);
      recording.push({ stream: 0, data, captureUs, sequence: number, keyframe: true, lease });
      lease.letGo();
    }
    await recording.close();
    const taken = Array.from({ length: 5 }, () => pool.take());
    assertEquals(taken.filter((memory) => !lent.has(memory)).length, kept, name);
  }
});
