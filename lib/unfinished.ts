/**
 * Recordings that nobody finished: the program and its ffmpeg were killed at the same moment, or the power failed. All frames
 * are there, but the file does not say how many. It is mended beside the original, which stays until the copy is whole.
 */

import { openChild } from "./child.ts";
import { isHeld, numberedPath } from "./recorder.ts";

/** What ffmpeg puts where the size of an AVI will be; an unfinished one still has it. */
const UNKNOWN_SIZES: readonly number[] = [0xffffffff, 0];

/** How much of the original's bytes a copy must have; the last frame may be cut short. */
const LEAST_PART = 0.95;

/** The unfinished ones among the recordings of this name, `video.avi`, `video-2.avi`, …, that nobody is recording to. */
export async function findUnfinished(wanted: string): Promise<string[]> {
  const found: string[] = [];
  for (let number = 1;; number++) {
    const path = numberedPath(wanted, number);
    try {
      if (await isUnfinished(path) && !await isHeld(path)) found.push(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return found;
      // One that cannot be read is none of ours.
    }
  }
}

/**
 * Mends a recording in place. Resolves to whether it is whole now; where it is not, it is as it was. Throws
 * `NotInstalledError`.
 */
export async function mend(path: string, signal: AbortSignal): Promise<boolean> {
  const part = `${path}.part`;
  // One may be left of a mending that was itself cut short; a new file is made, no link is followed.
  await Deno.remove(part).catch(() => {});
  (await Deno.open(part, { write: true, createNew: true })).close();
  const child = openChild({
    command: "ffmpeg",
    args: [
      ...["-hide_banner", "-nostats", "-loglevel", "warning", "-y", "-i", `file:${path}`],
      ...["-map", "0", "-c", "copy", "-vtag", "XVID", "-f", "avi", `file:${part}`],
    ],
    flow: "none",
  });
  const abort = (): void => void child.stop();
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    const { code } = await child.ended;
    if (code !== 0 || signal.aborted || !await isWhole(part, path)) return false;
    await Deno.rename(part, path);
    return true;
  } finally {
    signal.removeEventListener("abort", abort);
    await Deno.remove(part).catch(() => {});
  }
}

/** Whether a copy is finished and holds what the original does: an index is added, and nothing of note taken away. */
async function isWhole(copy: string, original: string): Promise<boolean> {
  const [{ size }, { size: before }] = [await Deno.stat(copy), await Deno.stat(original)];
  return !await isUnfinished(copy) && size > before * LEAST_PART;
}

/** Whether a file is an AVI whose size was never written. */
async function isUnfinished(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const header = new Uint8Array(12);
  if (await file.read(header) !== header.length) return false;
  const words = String.fromCharCode(...header);
  const size = new DataView(header.buffer).getUint32(4, true);
  return words.startsWith("RIFF") && words.endsWith("AVI ") && UNKNOWN_SIZES.includes(size);
}
