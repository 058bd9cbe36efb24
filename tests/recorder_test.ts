import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertNotEquals,
  assertStrictEquals,
} from "@std/assert";
import { nowUs, pause } from "../lib/clock.ts";
import { DEFAULT_FORMAT, rawFrameBytes, type VideoFormat } from "../lib/frame/format.ts";
import { FramePool } from "../lib/frame/pool.ts";
import { Recorder } from "../lib/media/recorder.ts";
import { checkRecorder, recorderArguments } from "../lib/media/recorder_arguments.ts";
import { reserveFile } from "../lib/media/recording_file.ts";
import { encodedFrames } from "./encoded.ts";
import {
  numberedFrame,
  paintNumber,
  readNumbers,
  readPicture,
  readPictures,
  type Size,
} from "./numbered.ts";
import { canSeeProcesses, childrenWith, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

/** The words of ffprobe about the pictures of a file. */
async function probe(path: string): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await new Deno.Command("ffprobe", {
    args: [
      ...["-hide_banner", "-loglevel", "error", "-select_streams", "v:0", "-show_entries"],
      "stream=codec_name,codec_tag_string,width,height,avg_frame_rate,duration,nb_frames",
      ...["-of", "default=noprint_wrappers=1", `file:${path}`],
    ],
    stdin: "null",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return Object.fromEntries(
    new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.split("=")),
  );
}

function record(
  path: string,
  format: VideoFormat = DEFAULT_FORMAT,
  stamps: "capture" | "arrival" = "capture",
): Recorder {
  return new Recorder({ path, format, fps: format.fps, stamps });
}

/** The numbers from `first` up to, but not including, `end`. */
function numbers(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}

test("numbered pictures: what is painted is read, mirrored or not, in every size from 64x48", () => {
  const sizes: readonly Size[] = [
    { width: 64, height: 48 },
    { width: 65, height: 49 },
    { width: 320, height: 240 },
    { width: 321, height: 241 },
    { width: 1280, height: 720 },
  ];
  for (const size of sizes) {
    for (const number of [0, 1, 2, 0x8000, 0x1234, 0xaaaa, 0x5555, 0xfffe, 0xffff]) {
      const data = paintNumber(number, size);
      assertEquals(readPicture(data, size), { number, mirrored: false });
      const mirror = new Uint8Array(data.length);
      for (let y = 0; y < size.height; y++) {
        for (let x = 0; x < size.width; x++) {
          const from = (y * size.width + x) * 3;
          mirror.set(data.subarray(from, from + 3), (y * size.width + size.width - 1 - x) * 3);
        }
      }
      assertEquals(readPicture(mirror, size), { number, mirrored: true });
    }
  }
});

test("numbered pictures: red and blue exchanged, upside down or grey, they are not read", () => {
  const data = paintNumber(0x1234, DEFAULT_FORMAT);
  const refused = (changed: Uint8Array): boolean => {
    try {
      return readPicture(changed, DEFAULT_FORMAT).number !== 0x1234;
    } catch {
      return true;
    }
  };
  const { width, height } = DEFAULT_FORMAT;
  const upsideDown = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    upsideDown.set(data.subarray(y * width * 3, (y + 1) * width * 3), (height - 1 - y) * width * 3);
  }
  assert(refused(upsideDown));
  const rgb = data.map((_, index) => data[index - index % 3 + 2 - index % 3]!);
  assertEquals(readPicture(rgb, DEFAULT_FORMAT).mirrored, true);
  assert(refused(data.map((value) => value / 4 + 96)));
  assert(refused(new Uint8Array(data.length)));
});

test("checkRecorder() is content where ffmpeg is installed", async () => {
  assertEquals(await checkRecorder("video.avi"), "mpeg4");
  for (const name of ["video.mkv", "{date}.MP4"]) {
    assertEquals(await checkRecorder(name), "libx264");
  }
});

test("recorder arguments: XVID in AVI at the rate of the recording, every packet written at once", () => {
  const args = recorderArguments({
    path: "-y:%d.avi",
    format: { kind: "video", codec: "raw", width: 321, height: 241, fps: 30 },
    fps: 20,
    stamps: "capture",
  });
  const valueOf = (option: string, from = 0): string => args[args.indexOf(option, from) + 1]!;
  assertEquals(valueOf("-f"), "rawvideo");
  assertEquals(valueOf("-pixel_format"), "bgr24");
  assertEquals(valueOf("-video_size"), "321x241");
  assertEquals(valueOf("-framerate"), "20");
  const input = args.indexOf("-i");
  assertEquals(valueOf("-c:v", input), "mpeg4");
  assertEquals(valueOf("-vtag", input), "XVID");
  assertEquals(valueOf("-f", input), "avi");
  assertEquals(valueOf("-flush_packets", input), "1");
  assertEquals(args.includes("-y"), true);
  assertEquals(args.at(-1), "file:-y:%d.avi");
});

test("recorder: 40 frames are in the file once each, in order, for two seconds, as XVID in AVI", async () => {
  await using folder = await temporaryFolder();
  const path = await reserveFile(`${folder.path}/video.avi`);
  const recorder = record(path);
  for (const n of numbers(0, 40)) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
  const recording = await recorder.close();
  assertEquals(recording, { frames: 40, seconds: 2, lost: 0, failure: undefined });
  assertEquals(recorder.path, path);
  assertEquals(
    await readPictures(path),
    numbers(0, 40).map((number) => ({ number, mirrored: false })),
  );
  assertEquals(await probe(path), {
    codec_name: "mpeg4",
    codec_tag_string: "XVID",
    width: "320",
    height: "240",
    avg_frame_rate: "20/1",
    duration: "2.000000",
    nb_frames: "40",
  });
});

test("recorder: odd and smallest sizes, and broken rates, are recorded as they are", async () => {
  await using folder = await temporaryFolder();
  const formats: readonly (readonly [VideoFormat, string])[] = [
    [{ kind: "video", codec: "raw", width: 321, height: 241, fps: 20 }, "20/1"],
    [{ kind: "video", codec: "raw", width: 64, height: 48, fps: 29.97 }, "2997/100"],
    [{ kind: "video", codec: "raw", width: 64, height: 50, fps: 23.976 }, "2997/125"],
    [{ kind: "video", codec: "raw", width: 64, height: 52, fps: 59.94 }, "2997/50"],
    [{ kind: "video", codec: "raw", width: 64, height: 54, fps: 24000 / 1001 }, "24000/1001"],
    [{ kind: "video", codec: "raw", width: 1280, height: 720, fps: 120 }, "120/1"],
  ];
  for (const [format, rate] of formats) {
    const path = `${folder.path}/${format.width}x${format.height}.avi`;
    const recorder = record(path, format);
    for (const n of numbers(0, 12)) recorder.push(numberedFrame(n, format));
    assertEquals((await recorder.close()).failure, undefined);
    assertEquals(await readNumbers(path), numbers(0, 12));
    const found = await probe(path);
    assertEquals(
      [found["width"], found["height"], found["avg_frame_rate"]],
      [`${format.width}`, `${format.height}`, rate],
    );
  }
});

/**
 * Lets the program's clock stand, to be moved by hand: ten minutes are over when the test says so.
 */
function stopClock(): { atMs: number } & Disposable {
  const { now } = performance;
  const clock = {
    atMs: performance.now(),
    [Symbol.dispose](): void {
      performance.now = now;
    },
  };
  performance.now = (): number => clock.atMs;
  return clock;
}

test("recorder: ten minutes last ten minutes, whatever the rate, raw and encoded", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  for (const codec of ["raw", "mjpeg", "h264"] as const) {
    const size = { codec, width: 64, height: 48 };
    const data = codec === "raw"
      ? [new Uint8Array(rawFrameBytes(size))]
      : await encodedFrames({ kind: "video", ...size, fps: 25 }, 25);
    for (const fps of [1.00049, 7.77777, 14.985, 29.12345]) {
      const format: VideoFormat = { kind: "video", ...size, fps };
      const count = Math.round(600 * fps);
      using clock = stopClock();
      const startMs = clock.atMs;
      const recorder = record(path, format);
      for (let sequence = 0; sequence < count; sequence++) {
        clock.atMs = startMs + sequence * 1000 / fps;
        const keyframe = codec !== "h264" || sequence % data.length === 0;
        const captureUs = Math.round(sequence * 1e6 / fps);
        recorder.push({
          stream: 0,
          data: data[sequence % data.length]!,
          captureUs,
          sequence,
          keyframe,
        });
        if (sequence % 1000 === 999) { while (recorder.waitingBytes > 0) await pause(1); }
      }
      const what = `${codec} at ${fps}`;
      const { lost, frames, seconds, failure } = await recorder.close();
      assertEquals([lost, frames, failure], [0, count, undefined], what);
      const { duration, nb_frames } = await probe(path);
      assertEquals(nb_frames, `${count}`, what);
      for (const found of [seconds, Number(duration)]) {
        assertLess(Math.abs(found / (count / fps) - 1), 1e-5, what);
      }
    }
  }
}, { slow: true });

test("recorder: a gap of a second between two frames lasts a second in the file", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const recorder = record(path);
  const sent = [...numbers(0, 10), ...numbers(30, 40)];
  for (const n of sent) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
  const { frames, seconds, lost } = await recorder.close();
  assertEquals([frames, seconds, lost], [40, 2, 0]);
  assertEquals(await readNumbers(path), [
    ...numbers(0, 10),
    ...Array<number>(20).fill(9),
    ...numbers(30, 40),
  ]);
});

test("recorder: frames that come late, and are held for a moment, are in the file when it is closed", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const recorder = record(path, DEFAULT_FORMAT, "arrival");
  for (const n of [0, 1, 2, 9]) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
  assertEquals((await recorder.close()).lost, 0);
  assertEquals((await readNumbers(path)).at(-1), 9);
});

test("recorder: a sender that paused before it hung up gets its pause, if that is wanted", async () => {
  await using folder = await temporaryFolder();
  const [paused, cut] = [`${folder.path}/paused.avi`, `${folder.path}/cut.avi`];
  const recorders = [record(paused), record(cut)] as const;
  const startUs = nowUs();
  for (const n of numbers(0, 5)) {
    for (const recorder of recorders) recorder.push(numberedFrame(n, DEFAULT_FORMAT, startUs));
  }
  // Time itself is what is tested here.
  await pause(1200);
  const [long, short] = await Promise.all([
    recorders[0].close({ untilNow: true }),
    recorders[1].close(),
  ]);
  assertEquals(short.frames, 5);
  assertGreater(long.frames, 5 + 20);
  assertEquals(await readNumbers(cut), numbers(0, 5));
  const shown = await readNumbers(paused);
  assertEquals(shown.length, long.frames);
  assertEquals(shown.slice(0, 5), numbers(0, 5));
  assertEquals(new Set(shown.slice(5)), new Set([4]));
});

test("recorder: a file of any name is written, and no other", async () => {
  await using folder = await temporaryFolder();
  const names = [
    ...["-y.avi", "a:b.avi", "aula 100%d.avi", "%03d%%.avi", "pipe:1", "vídeo.mp4", "sem ponto"],
    ...["file:x.avi", "two\nlines.avi", "a%20b.avi", "'q'\".avi", "~", "#?&.avi", "日本.avi"],
  ];
  for (const name of names) {
    const path = await reserveFile(`${folder.path}/${name}`);
    const recorder = record(path);
    recorder.push(numberedFrame(7, DEFAULT_FORMAT));
    assertEquals((await recorder.close()).failure, undefined);
    assertEquals(await readNumbers(path), [7]);
  }
  assertEquals(
    [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(),
    [...names].sort(),
  );
}, { slow: true });

test("recorder: closed twice, it gives the same recording; what is pushed after is lost, and said so", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const recorder = record(path);
  recorder.push(numberedFrame(1, DEFAULT_FORMAT));
  const first = recorder.close();
  assertStrictEquals(recorder.close(), first);
  assertEquals((await first).frames, 1);
  assertStrictEquals(await recorder.close({ untilNow: true }), await first);
  await recorder[Symbol.asyncDispose]();
  assertEquals(recorder.lost, 0);
  recorder.push(numberedFrame(2, DEFAULT_FORMAT));
  assertEquals(recorder.lost, 1);
  assertEquals(await readNumbers(path), [1]);
});

test("recorder: disposed of, it has finished its file", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  {
    await using recorder = record(path);
    for (const n of numbers(0, 3)) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
  }
  assertEquals(await readNumbers(path), numbers(0, 3));
  if (canSeeProcesses) assertEquals(await childrenWith(path), []);
});

test(
  "recorder: when its ffmpeg is killed, it says why, counts what comes after as lost, and never throws",
  async () => {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/video.avi`;
    const recorder = record(path);
    for (const n of numbers(0, 5)) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
    const [child] = await childrenWith(path);
    Deno.kill(child!.pid, "SIGKILL");
    const reason = await recorder.failed;
    assertNotEquals(reason, "");
    const before = recorder.lost;
    for (const n of numbers(5, 15)) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
    assertEquals(recorder.lost, before + 10);
    const recording = await recorder.close();
    assertEquals(recording.failure, reason);
    assertEquals(recording.frames + recording.lost, 15);
    assertEquals(await childrenWith(path), []);
  },
  { ignore: !canSeeProcesses },
);

test(
  "recorder: what waits for an ffmpeg is given up when that has ended, and counted as lost",
  async () => {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/video.avi`;
    const format: VideoFormat = { ...DEFAULT_FORMAT, codec: "h264" };
    const recorder = record(path, format);
    const [child] = await childrenWith(path);
    Deno.kill(child!.pid, "SIGSTOP");
    // More frames than the pipe and the queue hold, but not more bytes.
    const data = new Uint8Array([0, 0, 1, ...Array(500).fill(0x55)]);
    for (let sequence = 0; sequence < 100_000; sequence++) {
      recorder.push({ stream: 0, data, captureUs: sequence * 8333, sequence, keyframe: true });
    }
    assertGreater(recorder.waitingBytes, 0);
    assertLess(recorder.waitingBytes, 2e6);
    Deno.kill(child!.pid, "SIGKILL");
    await recorder.failed;
    assertEquals(recorder.waitingBytes, 0);
    const { lost } = await recorder.close();
    // The bytes in the pipe were neither refused nor written.
    assertGreater(lost, 99_000);
    assertLessOrEqual(lost, 100_000);
  },
  { ignore: !canSeeProcesses },
);

/** The end of each frame of a file, in bytes from its start. */
async function frameEnds(path: string): Promise<number[]> {
  const { code, stdout } = await new Deno.Command("ffprobe", {
    args: [
      ...["-hide_banner", "-loglevel", "error", "-select_streams", "v:0"],
      ...["-show_entries", "packet=pos,size", "-of", "json", `file:${path}`],
    ],
    stdin: "null",
  }).output();
  assertEquals(code, 0);
  const { packets } = JSON.parse(new TextDecoder().decode(stdout)) as {
    packets: { pos: string; size: string }[];
  };
  // The position is that of the chunk: its name and length are 8 bytes.
  return packets.map(({ pos, size }) => Number(pos) + 8 + Number(size));
}

test(
  "recorder: when its ffmpeg is killed, every frame that it was given is in the file but the last",
  async () => {
    await using folder = await temporaryFolder();
    const whole = `${folder.path}/whole.avi`;
    const killed = `${folder.path}/killed.avi`;
    const push = (recorder: Recorder): void => {
      for (const n of numbers(0, 40)) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
    };
    {
      await using recorder = record(whole);
      push(recorder);
    }
    const wantedBytes = (await frameEnds(whole))[38]!;
    await reserveFile(killed);
    const watcher = Deno.watchFs(killed);
    const recorder = record(killed);
    const timer = setTimeout(() => watcher.close(), 10_000);
    push(recorder);
    for await (const _ of watcher) {
      if ((await Deno.stat(killed)).size >= wantedBytes) break;
    }
    clearTimeout(timer);
    const [child] = await childrenWith(killed);
    Deno.kill(child!.pid, "SIGKILL");
    await recorder.failed;
    await recorder.close();
    const shown = await readNumbers(killed);
    assertEquals(shown, numbers(0, shown.length));
    assertGreaterOrEqual(shown.length, 39);
  },
  { ignore: !canSeeProcesses },
);

test(
  "recorder: on a disk that is full, it fails in the system's words",
  async () => {
    const recorder = record("/dev/full");
    for (const n of numbers(0, 40)) recorder.push(numberedFrame(n, DEFAULT_FORMAT));
    const reason = await recorder.failed;
    assert(/No space left on device/.test(reason), reason);
    const { failure, frames, lost } = await recorder.close();
    assertEquals(failure, reason);
    assertEquals(frames + lost, 40);
  },
  { ignore: Deno.build.os !== "linux" },
);

test("recorder: one that was closed in peace never says that it failed", async () => {
  await using folder = await temporaryFolder();
  const recorder = record(`${folder.path}/video.avi`);
  let failed = false;
  recorder.failed.then(() => failed = true);
  recorder.push(numberedFrame(1, DEFAULT_FORMAT));
  assertEquals((await recorder.close()).failure, undefined);
  assertEquals(failed, false);
});

test("recorder: frames whose memory is used again at once are in the file as they were", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const count = 80;
  const pool = new FramePool(rawFrameBytes(DEFAULT_FORMAT));
  const memories = new Set<Uint8Array>();
  for (const stamps of ["capture", "arrival"] as const) {
    const recorder = new Recorder({ path, format: DEFAULT_FORMAT, fps: 20, stamps });
    for (let number = 0; number < count; number++) {
      const memory = pool.take();
      memories.add(memory);
      memory.set(paintNumber(number, DEFAULT_FORMAT));
      const { captureUs } = numberedFrame(number, DEFAULT_FORMAT);
      const lease = pool.lease(memory);
      recorder.push({
        stream: 0,
        data: memory,
        captureUs,
        sequence: number,
        keyframe: true,
        lease,
      });
      lease.letGo();
      // Once ffmpeg is under way, it takes a few at a time.
      while (recorder.waitingBytes > 10 * memory.length) await pause(5);
    }
    await recorder.close();
    assertEquals(await readNumbers(path), numbers(0, count), stamps);
  }
  assert(memories.size < count, `${memories.size} buffers for ${2 * count} frames`);
});

/** One grey JPEG of this size. */
async function greyJpeg({ width, height }: Size): Promise<Uint8Array> {
  const { stdout } = await new Deno.Command("ffmpeg", {
    args: [
      ...["-loglevel", "error", "-nostdin", "-f", "lavfi", "-i"],
      ...[`color=gray:size=${width}x${height}`, "-frames:v", "1", "-c:v", "mjpeg", "-f", "mjpeg"],
      "pipe:1",
    ],
    stdin: "null",
  }).output();
  return stdout;
}

test("recorder: a small frame that unfolds to a picture beyond its format is left out, and the rest is kept", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const format: VideoFormat = { ...DEFAULT_FORMAT, codec: "mjpeg" };
  const good = await greyJpeg(format);
  const bomb = await greyJpeg({ width: 4000, height: 4000 });
  const recorder = record(path, format);
  for (let sequence = 0; sequence < 20; sequence++) {
    const data = sequence % 5 === 3 ? bomb : good;
    recorder.push({ stream: 0, data, captureUs: sequence * 50_000, sequence, keyframe: true });
  }
  assertEquals((await recorder.close()).failure, undefined);
  const { width, height, nb_frames } = await probe(path);
  assertEquals([width, height, nb_frames], ["320", "240", "20"]);
});
