/**
 * Encoded frames as the client makes them: the real ffmpeg with the real arguments, read out of its
 * pipe.
 */

import { AviReader } from "../lib/media/avi.ts";
import { outputArguments } from "../lib/media/conversion.ts";
import { openChild } from "../lib/media/child.ts";
import { maxFrameBytes, type VideoFormat } from "../lib/frame/format.ts";

/** Arguments of an ffmpeg that writes that many frames of a moving picture, as our sources do. */
export function encoderCommand(format: VideoFormat, count: number): string[] {
  const { width, height, fps } = format;
  const picture = `testsrc2=size=${width}x${height}:rate=${fps}:duration=${count / fps}`;
  return [
    ...["-hide_banner", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", picture],
    ...outputArguments(format, { mirror: false, live: false }),
  ];
}

/** That many encoded frames of a moving picture. */
export async function encodedFrames(format: VideoFormat, count: number): Promise<Uint8Array[]> {
  const child = openChild({
    command: "ffmpeg",
    args: encoderCommand(format, count),
    flow: "feeding",
  });
  try {
    const reader = new AviReader((into) => child.read(into), maxFrameBytes(format));
    const frames: Uint8Array[] = [];
    let frame: Uint8Array | null;
    while ((frame = await reader.next()) !== null) frames.push(frame);
    return frames;
  } finally {
    await child.stop();
  }
}

/** The output of a program on stdout, fed with these bytes. */
export async function outputOf(
  command: string,
  args: readonly string[],
  input: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const feeding = new Response(input as Uint8Array<ArrayBuffer>).body!.pipeTo(child.stdin)
    // A program that has read enough ends before the input does.
    .catch(() => {});
  const [output] = await Promise.all([child.output(), feeding]);
  return output.stdout;
}
