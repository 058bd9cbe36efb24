import { assertEquals, assertThrows } from "@std/assert";
import { type Codec, DEFAULT_FORMAT, nearestRate, type VideoFormat } from "../lib/frame/format.ts";
import { ivfFrameHeader, ivfHeader } from "../lib/media/ivf.ts";
import { bytes, text } from "./bytes.ts";
import { encodedFrames, outputOf } from "./encoded.ts";
import { test } from "./strict.ts";

test("ivfHeader() is 32 bytes: magic, version, its length, codec, size, a tick a frame", () => {
  const rest = [
    "4001", // width: 320
    "f000", // height: 240
    "14000000", // ticks: 20
    "01000000", // a second
    "00000000", // frames: not known
    "00000000", // nothing
  ];
  assertEquals(
    ivfHeader({ ...DEFAULT_FORMAT, codec: "mjpeg" }, { frames: 20, seconds: 1 }),
    bytes(text("DKIF"), "0000", "2000", text("MJPG"), ...rest),
  );
  assertEquals(
    ivfHeader({ ...DEFAULT_FORMAT, codec: "h264" }, { frames: 20, seconds: 1 }),
    bytes(text("DKIF"), "0000", "2000", text("H264"), ...rest),
  );
});

test("ivfHeader() says the largest size, and broken rates as fractions", () => {
  const format: VideoFormat = {
    kind: "video",
    codec: "h264",
    width: 3840,
    height: 2160,
    fps: 29.97,
  };
  const header = ivfHeader(format, { frames: 2997, seconds: 100 });
  assertEquals(header.subarray(12, 24), bytes("000f", "7008", "b50b0000", "64000000"));
});

test("ivfHeader() rejects raw pictures", () => {
  assertThrows(
    () => ivfHeader(DEFAULT_FORMAT, nearestRate(20)),
    TypeError,
    "Cannot put raw pictures into IVF",
  );
});

test("ivfFrameHeader() is 12 bytes: length and time", () => {
  assertEquals(ivfFrameHeader(0x01020304, 0), bytes("04030201", "0000000000000000"));
  assertEquals(ivfFrameHeader(1, 50_000), bytes("01000000", "50c3000000000000"));
  assertEquals(ivfFrameHeader(1, 0x0102_0304_0506), bytes("01000000", "0605040302010000"));
  assertEquals(ivfFrameHeader(1, 2 ** 53 - 1), bytes("01000000", "ffffffffffff1f00"));
});

/** Times with a gap, and one that needs more than 32 bits. */
const TICKS = [0, 1, 2, 40, 41, 1000, 100_000, 5_000_000_000];

for (const codec of ["mjpeg", "h264"] satisfies Codec[]) {
  test(`a real ffmpeg finds every frame in it, at its time and of its size: ${codec}`, async () => {
    const format: VideoFormat = { ...DEFAULT_FORMAT, codec };
    const frames = await encodedFrames(format, TICKS.length);
    const stream = bytes(
      ivfHeader(format, nearestRate(20)),
      ...frames.flatMap((frame, at) => [ivfFrameHeader(frame.length, TICKS[at]!), frame]),
    );
    const ffprobe = async (entries: string): Promise<string[]> => {
      const args = ["-v", "error", "-f", "ivf", "-i", "pipe:0", "-show_entries", entries];
      const output = await outputOf("ffprobe", [...args, "-of", "csv=p=0"], stream);
      return new TextDecoder().decode(output).split("\n").map((line) => line.replace(/,$/, ""))
        .filter((line) => line !== "");
    };
    assertEquals(
      await ffprobe("packet=pts,size"),
      frames.map((frame, at) => `${TICKS[at]},${frame.length}`),
    );
    assertEquals(
      await ffprobe("frame=pts,width,height"),
      TICKS.map((tick) => `${tick},320,240`),
    );
    assertEquals(await ffprobe("stream=codec_name,time_base"), [`${codec},1/20`]);
  });
}
