/**
 * The pictures for the contenders: moving test pictures out of ffmpeg, and numbered ones as a live
 * stream.
 */

import { rawFrameBytes, type VideoFormat } from "../../lib/frame/format.ts";
import { paintNumber, type Size } from "../../tests/numbered.ts";
import type { Command } from "./command.ts";

/** The arguments with which ffmpeg says nothing but errors. */
export const QUIETLY: readonly string[] = [
  ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"],
];

/** A rate that no sender reaches: the number of frames is bounded by the way alone. */
export const ANY_RATE = 1e9;

/** Makes a file of moving test pictures, bgr24 one after the other. */
export async function writeTestPictures(
  path: string,
  format: VideoFormat,
  count: number,
): Promise<void> {
  const { width, height, fps } = format;
  await runFfmpeg([
    ...["-f", "lavfi", "-i", `testsrc2=size=${width}x${height}:rate=${fps}`],
    ...["-frames:v", `${count}`, "-f", "rawvideo", "-pix_fmt", "bgr24", `file:${path}`],
  ]);
}

/** Reads such a file. */
export async function readTestPictures(path: string, size: Size): Promise<Uint8Array[]> {
  const all = await Deno.readFile(path);
  const bytes = rawFrameBytes(size);
  return Array.from(
    { length: Math.floor(all.length / bytes) },
    (_, index) => all.subarray(index * bytes, (index + 1) * bytes),
  );
}

/**
 * An ffmpeg that writes moving test pictures on its stdout, bgr24 one after the other, at their own
 * speed.
 */
export function testPictures(format: VideoFormat, seconds: number): Command {
  const { width, height, fps } = format;
  return {
    program: "ffmpeg",
    args: [
      ...QUIETLY,
      ...["-re", "-f", "lavfi", "-i", `testsrc2=size=${width}x${height}:rate=${fps}`],
      ...["-t", `${seconds}`, "-threads", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"],
    ],
  };
}

/** Runs ffmpeg to its end. Resolves to its words. Throws if it fails. */
export async function runFfmpeg(args: readonly string[]): Promise<string> {
  const { success, stderr } = await new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostdin", "-nostats", "-y", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`ffmpeg failed: ${text.trim().split("\n").at(-1)}`);
  return text;
}

/**
 * The beginning of a YUV4MPEG stream. ffmpeg knows all of the format from it before the first
 * picture comes.
 */
export function liveHeader({ width, height, fps }: VideoFormat): Uint8Array {
  return new TextEncoder().encode(`YUV4MPEG2 W${width} H${height} F${fps}:1 Ip A1:1 C444\n`);
}

/**
 * A numbered picture as such a stream carries it: three planes of full size, one for each channel.
 */
export function livePicture(number: number, size: Size): Uint8Array {
  const start = new TextEncoder().encode("FRAME\n");
  const pixels = size.width * size.height;
  const picture = paintNumber(number, size);
  const out = new Uint8Array(start.length + pixels * 3);
  out.set(start);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const blue = picture[pixel * 3]!;
    const green = picture[pixel * 3 + 1]!;
    const red = picture[pixel * 3 + 2]!;
    const at = start.length + pixel;
    // ITU-R BT.601, in the range of television: 16 to 235.
    out[at] = 16 + 0.257 * red + 0.504 * green + 0.098 * blue;
    out[at + pixels] = 128 - 0.148 * red - 0.291 * green + 0.439 * blue;
    out[at + 2 * pixels] = 128 + 0.439 * red - 0.368 * green - 0.071 * blue;
  }
  return out;
}
