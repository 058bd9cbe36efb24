import { assert, assertEquals } from "@std/assert";
import { DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import { hasIdr, hasParameterSets } from "../lib/media/h264.ts";
import { bytes } from "./bytes.ts";
import { encodedFrames, outputOf } from "./encoded.ts";
import { test } from "./strict.ts";

const H264: VideoFormat = { ...DEFAULT_FORMAT, codec: "h264" };

const START_CODES: readonly string[] = ["000001", "00000001"];

// NAL units. The first byte tells the importance (bits 5 and 6) and the type (the last five bits).
const IDR = "65888040ff";
const P_SLICE = "419a2211ee";
const B_SLICE = "019a2211ee";
const SPS = "6742c00dab40a0fd";
const PPS = "68ce3c80";
const SEI = "0605ff00dc45e9bd";
const AUD = "0910";
const PARTITION_A = "22889900aa";

/** An access unit: each unit behind a start code. */
function unit(startCode: string, ...units: readonly string[]): Uint8Array {
  return bytes(...units.flatMap((nal) => [startCode, nal]));
}

test("hasIdr() is whether the first slice is of an IDR picture, behind start codes of 3 and of 4 bytes", () => {
  for (const startCode of START_CODES) {
    for (
      const [units, expected] of [
        [[IDR], true],
        [[IDR, IDR], true],
        [[SPS, PPS, IDR], true],
        [[SPS, PPS, SEI, IDR], true],
        [[AUD, SPS, PPS, SEI, IDR, IDR], true],
        [["25888040ff"], true], // less important
        [["05888040ff"], true],
        [[P_SLICE], false],
        [[B_SLICE], false],
        [[PARTITION_A], false],
        [[SEI, P_SLICE], false],
        [[AUD, SEI, P_SLICE, P_SLICE], false],
        [[SPS, PPS, P_SLICE], false],
        [[P_SLICE, IDR], false],
        [[SPS, PPS], false],
        [[SEI], false],
      ] as const
    ) assertEquals(hasIdr(unit(startCode, ...units)), expected, `${startCode} ${units}`);
  }
});

test("hasIdr() reads start codes of both lengths in one access unit", () => {
  assert(hasIdr(bytes("00000001", SPS, "000001", PPS, "000001", IDR)));
  assert(hasIdr(bytes("000001", SPS, "00000001", IDR)));
  assert(!hasIdr(bytes("00000001", SEI, "000001", P_SLICE)));
  assert(hasIdr(bytes("0000000000000001", IDR)));
});

test("hasIdr() takes no other bytes for a start code", () => {
  // Within a unit, an encoder puts a 3 between 0 0 and 1.
  assert(!hasIdr(bytes("000001", "0600000301 65", "000001", P_SLICE)));
  assert(!hasIdr(bytes("000165", "010165", "000201", "65")));
  assert(!hasIdr(bytes("0165")));
  assert(!hasIdr(bytes("000165")));
});

test("hasIdr() of nothing, of a bare start code, and of a cut one is false", () => {
  for (const hex of ["", "00", "0000", "000001", "00000001", "01", "65", "00000000"]) {
    assertEquals(hasIdr(bytes(hex)), false, hex);
  }
  assertEquals(hasIdr(new Uint8Array(100_000)), false);
});

test("hasIdr() reads a view as it reads a whole buffer", () => {
  const padded = bytes("0000", "000001", P_SLICE, "000001", IDR, "000001");
  assert(!hasIdr(padded.subarray(2, 10)));
  assert(hasIdr(padded.subarray(10, 18)));
});

for (
  const [name, format] of [
    ["320x240 at 20", H264],
    ["640x480 at 30", { ...H264, width: 640, height: 480, fps: 30 }],
    ["1280x720 at 10, in several slices", { ...H264, width: 1280, height: 720, fps: 10 }],
    ["an odd size", { ...H264, width: 321, height: 241 }],
  ] as const
) {
  test(`hasIdr() finds the keyframes that ffprobe finds in a real encode: ${name}`, async () => {
    const count = format.fps * 2 + 5;
    const frames = await encodedFrames(format, count);
    const output = await outputOf("ffprobe", [
      ...["-v", "error", "-f", "h264", "-framerate", `${format.fps}`, "-i", "pipe:0"],
      ...["-show_entries", "packet=size,flags", "-of", "csv=p=0"],
    ], bytes(...frames));
    const packets = new TextDecoder().decode(output).trim().split("\n");
    assertEquals(
      frames.map((frame) => `${frame.length},${hasIdr(frame) ? "K" : "_"}`),
      packets.map((packet) => packet.replace(/^(\d+),(.).*$/, "$1,$2")),
    );
    // A second apart, from the first on.
    assertEquals(
      frames.flatMap((frame, at) => hasIdr(frame) ? [at] : []),
      [0, format.fps, 2 * format.fps],
    );
  });
}

test("hasParameterSets() is true if both stand before the first slice", () => {
  for (const startCode of START_CODES) {
    for (const units of [[SPS, PPS, IDR], [AUD, SPS, PPS, SEI, IDR], [PPS, SPS], [SPS, PPS]]) {
      assert(hasParameterSets(unit(startCode, ...units)), `${units}`);
    }
    for (const units of [[], [IDR], [SPS, IDR], [PPS, IDR], [IDR, SPS, PPS], [SPS, IDR, PPS]]) {
      assertEquals(hasParameterSets(unit(startCode, ...units)), false, `${units}`);
    }
  }
});
