/** Films that flash and click at the same moments, and the moments at which a film does so. */

import { assertEquals } from "@std/assert";
import { PCM } from "../lib/frame/format.ts";
import { outputOf } from "./encoded.ts";

/** The loudness that is a click. */
const LOUD = 5000;

/** Milliseconds of silence before a click. */
const SILENCE_MS = 50;

/** The mean brightness of a flash. */
const BRIGHT = 128;

/** The sound of a flash: 50 ms of a tone. */
const TICK = "0.5*sin(6283.2*t)*lt(mod(t,1),0.05)";

/** The film to make. */
export interface FilmOptions {
  /** Its length. It flashes and clicks at the beginning of each second. */
  readonly seconds: number;
  /** Milliseconds that a flash lasts; one picture of 25 a second if not given. */
  readonly flashMs?: number;
  /** Further arguments of ffmpeg, such as other codecs than H.264 and AAC. */
  readonly args?: readonly string[];
}

/** Makes a film of 25 pictures a second. Its ending says its kind. */
export async function makeFilm(
  path: string,
  { seconds, flashMs = 40, args = [] }: FilmOptions,
): Promise<void> {
  const flash = `drawbox=c=white:t=fill:enable='lt(mod(t+0.0001,1),${flashMs / 1000})'`;
  await runFfmpeg(
    ...["-f", "lavfi", "-i", `color=black:size=320x240:rate=25,${flash}`],
    ...["-f", "lavfi", "-i", `aevalsrc='${TICK}':s=44100`, "-t", `${seconds}`],
    ...["-c:v", "libx264", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac", ...args, path],
  );
}

/** Runs an ffmpeg to its end, which must be a good one. */
export async function runFfmpeg(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

/** The samples of a film, from its beginning: sound that begins later is silence until then. */
export async function samplesIn(path: string): Promise<Int16Array> {
  const args = ["-v", "error", "-i", path, "-map", "0:a", "-af", "aresample=async=1:first_pts=0"];
  const bytes = await outputOf(
    "ffmpeg",
    [...args, "-ac", "1", "-ar", `${PCM.rate}`, "-f", "s16le", "-"],
    new Uint8Array(),
  );
  return new Int16Array(bytes.buffer, 0, bytes.length >> 1);
}

/** The moments in seconds at which a film clicks. */
export async function clicksIn(path: string): Promise<number[]> {
  const found: number[] = [];
  let silence = Infinity;
  (await samplesIn(path)).forEach((sample, at) => {
    if (Math.abs(sample) < LOUD) return void silence++;
    if (silence > SILENCE_MS * PCM.rate / 1000) found.push(at / PCM.rate);
    silence = 0;
  });
  return found;
}

/** The moments in seconds at which a film flashes. */
export async function flashesIn(path: string): Promise<number[]> {
  const words = "signalstats,metadata=mode=print:key=lavfi.signalstats.YAVG:file=-";
  const args = ["-v", "error", "-i", path, "-map", "0:v", "-vf", words, "-fps_mode", "passthrough"];
  const said = await outputOf("ffmpeg", [...args, "-f", "null", "-"], new Uint8Array());
  const text = new TextDecoder().decode(said);
  const pictures = [...text.matchAll(/pts_time:([\d.]+)\s+lavfi\.signalstats\.YAVG=([\d.]+)/g)]
    .map(([, seconds, level]) => ({ seconds: Number(seconds), isBright: Number(level) > BRIGHT }));
  return pictures.filter(({ isBright }, at) => isBright && !pictures[at - 1]?.isBright)
    .map(({ seconds }) => seconds);
}
