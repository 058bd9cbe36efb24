/**
 * Recordings that nobody finished: the program and its ffmpeg were killed at the same moment, or
 * the power failed. All frames are there, but the file does not tell their number. It is mended in
 * a copy. The original stays until the copy is whole.
 */

import { type Child, type ChildWatch, openChild } from "./child.ts";
import { within } from "../clock.ts";
import { patternOf } from "./recording_name.ts";
import {
  isHeld,
  numberOf,
  reserveFile,
  resolveFolder,
  splitPath,
  withoutOwn,
} from "./recording_file.ts";

/**
 * The values of ffmpeg's in place of an AVI's size that is not known yet. An unfinished file still
 * has one of them.
 */
const UNKNOWN_SIZES: readonly number[] = [0xffffffff, 0];

/** Bytes of the name, size and kind at the beginning of each part of an AVI. */
const PART_HEADER_BYTES = 12;

/**
 * Milliseconds without a change after which a file is nobody's. Another program, which takes no
 * lock of ours, may be writing it.
 */
const QUIET_MS = 5000;

/** The part of the original's bytes that a copy must have. The last frame may be cut short. */
const LEAST_PART = 0.95;

/**
 * The most files that are looked into. A look takes a quarter of a millisecond, on a slow disk much
 * longer.
 */
const MOST_FILES = 500;

/** The number of files whose times are asked for at once: four times quicker than one by one. */
const ASKED_AT_ONCE = 64;

/**
 * The unfinished recordings of this name, `video.avi`, `video-2.avi`, …, that nobody is recording
 * to. A name may have places for the day and the time. Of very many recordings, only those that were written last are looked at.
 */
export async function findUnfinished(wanted: string): Promise<string[]> {
  const found: string[] = [];
  try {
    const [folder, name] = splitPath(await resolveFolder(wanted));
    const pattern = patternOf(name);
    const isNamed = (entry: string): boolean =>
      pattern?.test(entry) ?? numberOf(name, entry) !== undefined;
    const paths: string[] = [];
    for await (const entry of Deno.readDir(folder || ".")) {
      const { name, isFile } = entry;
      if (isFile && (isNamed(name) || isNamed(withoutOwn(name)))) {
        paths.push(`${folder}${entry.name}`);
      }
    }
    for (const path of await writtenLast(paths)) {
      // A file that cannot be read is none of ours.
      const unfinished = await isUnfinished(path).catch(() => false);
      if (unfinished && !await isHeld(path).catch(() => true)) found.push(path);
    }
  } catch {
    // A folder that cannot be read has nothing for us to mend.
  }
  return found.sort();
}

/** Those of the files that were written last: as many as are looked into. */
async function writtenLast(paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length <= MOST_FILES) return paths;
  const files: { readonly path: string; readonly atMs: number }[] = [];
  for (let first = 0; first < paths.length; first += ASKED_AT_ONCE) {
    const asked = paths.slice(first, first + ASKED_AT_ONCE).map(async (path) => {
      const info = await Deno.lstat(path).catch(() => undefined);
      return { path, atMs: info?.mtime?.getTime() ?? 0 };
    });
    files.push(...await Promise.all(asked));
  }
  return files.sort((one, other) => other.atMs - one.atMs).slice(0, MOST_FILES)
    .map(({ path }) => path);
}

/**
 * Mends a recording in place, once nobody has written to it for a while. Resolves to true if it is
 * whole now. Otherwise it is as it was. Throws `NotInstalledError`, `RecordingError`, or the
 * signal's reason.
 */
export async function mend(
  path: string,
  signal: AbortSignal,
  watch?: ChildWatch,
): Promise<boolean> {
  const before = await untilQuiet(path, signal);
  // The copy is a new file. A file that lies there is none of ours, and no link is followed.
  const copy = await reserveFile(`${path}.mending`);
  let child: Child | undefined;
  const abort = (): void => void child?.stop();
  signal.addEventListener("abort", abort, { once: true });
  try {
    child = openChild({
      command: "ffmpeg",
      args: [
        ...["-hide_banner", "-nostats", "-loglevel", "warning", "-y"],
        // The index of a long recording ends with its first gigabyte.
        ...["-fflags", "+ignidx", "-i", `file:${path}`],
        ...["-map", "0", "-c", "copy", "-vtag", "XVID", "-f", "avi", `file:${copy}`],
      ],
      flow: "none",
      watch,
    });
    if (signal.aborted) abort();
    const { code } = await child.ended;
    if (code !== 0 || signal.aborted || !await isWhole(copy, before.size)) return false;
    if (!isSame(before, await Deno.stat(path))) return false;
    await Deno.rename(copy, path);
    return true;
  } finally {
    signal.removeEventListener("abort", abort);
    await Deno.remove(copy).catch(() => {});
  }
}

/** Waits until a file has not changed for a while. Resolves to its state then. */
async function untilQuiet(path: string, signal: AbortSignal): Promise<Deno.FileInfo> {
  const now = await Deno.stat(path);
  // A file that was last written to long ago need not be watched.
  if (Date.now() - (now.mtime?.getTime() ?? 0) > QUIET_MS) return now;
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
  for (let before = now, quietMs = 0;;) {
    await within(aborted, QUIET_MS / 10);
    signal.throwIfAborted();
    const after = await Deno.stat(path);
    quietMs = isSame(before, after) ? quietMs + QUIET_MS / 10 : 0;
    if (quietMs >= QUIET_MS) return after;
    before = after;
  }
}

function isSame(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.size === other.size && one.mtime?.getTime() === other.mtime?.getTime();
}

/**
 * True if a copy is finished and holds the content of an original of that size. An index is added,
 * and nothing of note is lost.
 */
async function isWhole(copy: string, originalBytes: number): Promise<boolean> {
  const { size } = await Deno.stat(copy);
  return !await isUnfinished(copy) && size > originalBytes * LEAST_PART;
}

/**
 * True if a file is an AVI with a size that was never written. A long AVI is made of parts of a
 * gigabyte each, and the last part tells.
 */
export async function isUnfinished(path: string): Promise<boolean> {
  if (!(await Deno.stat(path)).isFile) return false;
  using file = await Deno.open(path);
  for (let at = 0, kind = "AVI ";; kind = "AVIX") {
    await file.seek(at, Deno.SeekMode.Start);
    const header = new Uint8Array(PART_HEADER_BYTES);
    if (await file.read(header) !== header.length) return false;
    const words = String.fromCharCode(...header);
    if (!words.startsWith("RIFF") || !words.endsWith(kind)) return false;
    const size = new DataView(header.buffer).getUint32(4, true);
    if (UNKNOWN_SIZES.includes(size)) return true;
    at += 8 + size;
  }
}
