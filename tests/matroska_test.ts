/** The container for our own ffmpegs, byte for byte and as a real one reads it. */

import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  type Codec,
  DEFAULT_FORMAT,
  type Format,
  OPUS,
  PCM,
  rawFrameBytes,
  type VideoFormat,
} from "../lib/frame/format.ts";
import { MatroskaWriter } from "../lib/media/matroska.ts";
import { bytes, text } from "./bytes.ts";
import { encodedFrames, outputOf } from "./encoded.ts";
import { test } from "./strict.ts";

/** Times with a gap, one that goes back a little, and hours: in microseconds. */
const TIMES_US = [0, 50_000, 99_900, 1_990_000, 1_900_000, 2_000_000, 60e6, 7200e6];

/** The answers of ffprobe to a question about a stream of bytes, a line each. */
async function ffprobe(stream: Uint8Array, entries: string): Promise<string[]> {
  const args = ["-v", "error", "-f", "matroska", "-i", "pipe:0", "-show_entries", entries];
  const output = await outputOf("ffprobe", [...args, "-of", "csv=p=0"], stream);
  return new TextDecoder().decode(output).split("\n").map((line) => line.replace(/,$/, ""))
    .filter((line) => line !== "");
}

test("MatroskaWriter: the header describes its tracks, the block of a frame stands in a cluster", () => {
  const writer = new MatroskaWriter([{ ...DEFAULT_FORMAT, codec: "mjpeg" }, PCM]);
  assertEquals(
    writer.header(),
    bytes(
      ...["1a45dfa3 1000000e", "4282 10000008", text("matroska")],
      ...["18538067 ff", "1549a966 1000000a", "2ad7b1 10000003", "0186a0"],
      "1654ae6b 10000092",
      ...["ae 10000042", "d7 10000001 01", "73c5 10000001 01", "83 10000001 01"],
      ...["9c 10000001 00", "86 10000007", text("V_MJPEG")],
      "23e383 10000004 02faf080",
      ...["e0 1000000d", "b0 10000002 0140", "ba 10000001 f0"],
      ...["ae 10000046", "d7 10000001 02", "73c5 10000001 02", "83 10000001 02"],
      ...["9c 10000001 00", "86 1000000d", text("A_PCM/INT/LIT")],
      ...["e1 10000016", "b5 10000004 473b8000", "9f 10000001 01", "6264 10000001 10"],
    ),
  );
  assertEquals(
    writer.frameHeader(0, 0x030201, 50_000),
    bytes("1f43b675 ff", "e7 10000002 01f4", "a3 10030205", "81 0000 80"),
  );
  assertEquals(writer.frameHeader(1, 960, 40_000), bytes("a3 100003c4", "82 ff9c 80"));
  const torn = writer.frameHeader(0, 5, 2_049_900, { keyframe: false });
  assertEquals(torn, bytes("a3 10000009", "81 4e1f 00"));
  // A cluster lasts 2 s.
  assertEquals(
    writer.frameHeader(0, 5, 2_050_000),
    bytes("1f43b675 ff", "e7 10000002 5014", "a3 10000009", "81 0000 80"),
  );
});

for (const codec of ["raw", "mjpeg", "h264"] satisfies Codec[]) {
  test(`a real ffmpeg finds every picture in it, at its time and of its size: ${codec}`, async () => {
    const format: VideoFormat = { ...DEFAULT_FORMAT, codec };
    const count = TIMES_US.length;
    const frames = codec === "raw"
      ? TIMES_US.map((_, at) => new Uint8Array(rawFrameBytes(format)).fill(at))
      : await encodedFrames(format, count);
    const writer = new MatroskaWriter([format]);
    const stream = concat([
      writer.header(),
      ...frames.flatMap((frame, at) => [writer.frameHeader(0, frame.length, TIMES_US[at]!), frame]),
    ]);
    assertEquals(
      await ffprobe(stream, "packet=pts,size"),
      frames.map((frame, at) => `${TIMES_US[at]! / 100},${frame.length}`),
    );
    assertEquals(await ffprobe(stream, "stream=width,height,time_base"), ["320,240,1/10000"]);
    const pixels = codec === "raw" ? "bgr24" : codec === "mjpeg" ? "yuvj420p" : "yuv420p";
    assertEquals(await ffprobe(stream, "frame=width,pix_fmt"), frames.map(() => `320,${pixels}`));
  });
}

test("a real ffmpeg finds picture and sound in it, each at its time", async () => {
  const picture = await encodedFrames({ ...DEFAULT_FORMAT, codec: "mjpeg" }, 2);
  const writer = new MatroskaWriter([{ ...DEFAULT_FORMAT, codec: "mjpeg" }, PCM]);
  const parts: Uint8Array[] = [writer.header()];
  const add = (track: number, data: Uint8Array, timeUs: number): void => {
    parts.push(writer.frameHeader(track, data.length, timeUs), data);
  };
  add(0, picture[0]!, 0);
  for (let at = 0; at < 5; at++) add(1, new Uint8Array(960).fill(at), at * 10_000);
  add(0, picture[1]!, 50_000);
  const stream = concat(parts);
  assertEquals(await ffprobe(stream, "stream=codec_name"), ["mjpeg", "pcm_s16le"]);
  assertEquals(
    await ffprobe(stream, "packet=stream_index,pts"),
    ["0,0", "1,0", "1,100", "1,200", "1,300", "1,400", "0,500"],
  );
  const sound = [
    "-v",
    "error",
    "-f",
    "matroska",
    "-i",
    "pipe:0",
    "-map",
    "0:a",
    "-f",
    "s16le",
    "-",
  ];
  const samples = await outputOf("ffmpeg", sound, stream);
  assertEquals(samples, concat([0, 1, 2, 3, 4].map((at) => new Uint8Array(960).fill(at))));
});

test("a real ffmpeg knows sound in Opus by its head", async () => {
  const writer = new MatroskaWriter([OPUS] satisfies Format[]);
  const silence = new Uint8Array([0xe4, 0xff, 0xfe]); // CELT, 10 ms, one channel, of nothing
  const frames = [0, 1, 2].flatMap((at) => [writer.frameHeader(0, 3, at * 10_000), silence]);
  const stream = concat([writer.header(), ...frames]);
  const entries = "stream=codec_name,sample_rate,channels";
  assertEquals(await ffprobe(stream, entries), ["opus,48000,1"]);
  assertEquals((await ffprobe(stream, "packet=pts")).length, 3);
});
