import { assertEquals, assertThrows } from "@std/assert";
import { type Codec, DEFAULT_FORMAT, type VideoFormat } from "../lib/frame.ts";
import { ivfFrameHeader, ivfHeader } from "../lib/ivf.ts";
import { bytes, text } from "./bytes.ts";
import { encodedFrames, outputOf } from "./encoded.ts";
import { test } from "./strict.ts";

test("ivfHeader() is 32 bytes: magic, version, its length, codec, size, a million ticks a second", () => {
  const rest = [
    "4001", // width: 320
    "f000", // height: 240
    "40420f00", // ticks: 1,000,000
    "01000000", // a second
    "00000000", // frames: not known
    "00000000", // nothing
  ];
  assertEquals(
    ivfHeader({ ...DEFAULT_FORMAT, codec: "mjpeg" }),
    bytes(text("DKIF"), "0000", "2000", text("MJPG"), ...rest),
  );
  assertEquals(
    ivfHeader({ ...DEFAULT_FORMAT, codec: "h264" }),
    bytes(text("DKIF"), "0000", "2000", text("H264"), ...rest),
  );
});

test("ivfHeader() says the largest size, and nothing of the rate", () => {
  const header = ivfHeader({ codec: "h264", width: 3840, height: 2160, fps: 120 });
  assertEquals(header.subarray(12, 24), bytes("000f", "7008", "40420f00", "01000000"));
});

test("ivfHeader() rejects raw pictures", () => {
  assertThrows(() => ivfHeader(DEFAULT_FORMAT), TypeError, "Cannot put raw pictures into IVF");
});

test("ivfFrameHeader() is 12 bytes: length and time", () => {
  assertEquals(ivfFrameHeader(0x01020304, 0), bytes("04030201", "0000000000000000"));
  assertEquals(ivfFrameHeader(1, 50_000), bytes("01000000", "50c3000000000000"));
  assertEquals(ivfFrameHeader(1, 0x0102_0304_0506), bytes("01000000", "0605040302010000"));
  assertEquals(ivfFrameHeader(1, 2 ** 53 - 1), bytes("01000000", "ffffffffffff1f00"));
});

/** Times that no constant rate would give: a gap, two frames a microsecond apart, more than 71 minutes. */
const TIMES_US = [0, 50_000, 99_999, 100_000, 100_001, 700_000, 700_001, 5_000_000_000];

for (const codec of ["mjpeg", "h264"] satisfies Codec[]) {
  test(`a real ffmpeg finds every frame in it, at its time and of its size: ${codec}`, async () => {
    const format: VideoFormat = { ...DEFAULT_FORMAT, codec };
    const frames = await encodedFrames(format, TIMES_US.length);
    const stream = bytes(
      ivfHeader(format),
      ...frames.flatMap((frame, at) => [ivfFrameHeader(frame.length, TIMES_US[at]!), frame]),
    );
    const ffprobe = async (entries: string): Promise<string[]> => {
      const args = ["-v", "error", "-f", "ivf", "-i", "pipe:0", "-show_entries", entries];
      const output = await outputOf("ffprobe", [...args, "-of", "csv=p=0"], stream);
      return new TextDecoder().decode(output).split("\n").map((line) => line.replace(/,$/, ""))
        .filter((line) => line !== "");
    };
    assertEquals(
      await ffprobe("packet=pts,size"),
      frames.map((frame, at) => `${TIMES_US[at]},${frame.length}`),
    );
    assertEquals(
      await ffprobe("frame=pts,width,height"),
      TIMES_US.map((timeUs) => `${timeUs},320,240`),
    );
    assertEquals(await ffprobe("stream=codec_name,time_base"), [`${codec},1/1000000`]);
  });
}
