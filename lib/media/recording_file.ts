/**
 * The file of a recording: its name, which no other file has, and the lock that says that somebody records to it.
 */

import { RecordingError } from "../errors.ts";

/** How many names are tried before the folder is read for those that are free. */
const TRIED_NAMES = 16;

/**
 * Makes the file that is to be recorded to, under the first name that is free: `video.avi`, `video-2.avi`, … Gives a path by
 * which ffmpeg finds it, too. It never touches a file that is there, nor follows a link that somebody put in its place.
 * Throws `RecordingError`.
 */
export async function reserveFile(wanted: string): Promise<string> {
  try {
    const first = await resolveFolder(wanted);
    let taken: ReadonlySet<number> | undefined;
    for (let number = 1;; number++) {
      if (taken?.has(number)) continue;
      const path = numberedPath(first, number);
      if (await isMade(path)) return path;
      if (number === TRIED_NAMES) taken = await takenNumbers(first);
    }
  } catch (error) {
    throw recordingError(wanted, error);
  }
}

/** True if the file was made: it was not there before. */
async function isMade(path: string): Promise<boolean> {
  try {
    (await Deno.open(path, { write: true, createNew: true })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

/**
 * The numbers of the recordings of this name that are there. Only a hint: others make files at the same time, and a folder
 * may be closed to readers.
 */
async function takenNumbers(path: string): Promise<ReadonlySet<number>> {
  const [folder, name] = splitPath(path);
  const numbers = new Set<number>();
  try {
    for await (const entry of Deno.readDir(folder || ".")) {
      const number = numberOf(name, entry.name);
      if (number !== undefined) numbers.add(number);
    }
  } catch {
    // Then the names are tried one by one.
  }
  return numbers;
}

/**
 * Finds out whether a recording can be made there, by making and removing a file beside it, before anybody is answered.
 * Throws `RecordingError`.
 */
export async function checkFolder(wanted: string): Promise<void> {
  if (/[/\\]$/.test(wanted)) throw new RecordingError("is-folder", wanted);
  try {
    if ((await Deno.stat(await resolveFolder(wanted))).isDirectory) {
      throw new RecordingError("is-folder", wanted);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw recordingError(wanted, error);
  }
  const probe = await reserveFile(wanted);
  await Deno.remove(probe);
}

/**
 * A path that names the same file to Deno as to everybody else. Deno takes `..` by the letters where its rights are bounded,
 * and the system by the folders, which differ behind a link: where there may be one, the folder is that which is really there,
 * found without giving Deno any `..`. Throws the system's error.
 */
export async function resolveFolder(path: string): Promise<string> {
  // Windows itself goes by the letters.
  if (Deno.build.os === "windows") return path;
  const [folder, name] = splitPath(path);
  const parts = folder.split("/");
  const firstName = parts.findIndex((part) => !["", ".", ".."].includes(part));
  if (firstName < 0 || parts.lastIndexOf("..") < firstName) return path;
  let real = folder.startsWith("/") ? "/" : Deno.cwd();
  for (const part of parts) {
    if (part === "..") {
      real = splitPath(real)[0].replace(/(.)\/$/s, "$1");
    } else if (part !== "" && part !== ".") {
      real = await Deno.realPath(joined(real, part));
      if (!(await Deno.stat(real)).isDirectory) throw new Deno.errors.NotADirectory(real);
    }
  }
  return joined(real, name);
}

/** A name in a folder, as a path. */
function joined(folder: string, name: string): string {
  return folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}

/** The folder of a path, with its separator, and the name in it. */
export function splitPath(path: string): readonly [folder: string, name: string] {
  const backslash = Deno.build.os === "windows" ? path.lastIndexOf("\\") : -1;
  const at = Math.max(path.lastIndexOf("/"), backslash) + 1;
  return [path.slice(0, at), path.slice(at)];
}

/**
 * Holds a file as one that is being recorded to, until the result is closed or the program ends, however it ends. Where a
 * lock would keep ffmpeg out as well, on Windows, it is only kept open, which keeps it from being replaced.
 */
export function hold(path: string): Deno.FsFile {
  const file = Deno.openSync(path, { read: true, write: true, create: true });
  try {
    if (Deno.build.os !== "windows") file.tryLockSync(true);
  } catch {
    // A file system without locks: then nothing is said of it.
  }
  return file;
}

/** True if somebody records to a file. */
export async function isHeld(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  return Deno.build.os !== "windows" && !await file.tryLock(true);
}

/** The name of the n-th recording of this name: `video.avi`, `video-2.avi`, … */
export function numberedPath(path: string, number: number): string {
  if (number === 1) return path;
  const [, stem, extension] = /^(.*?)(\.[^./\\]*)?$/s.exec(path)!;
  return `${stem}-${number}${extension ?? ""}`;
}

/** Which recording of a name this is by its own: the inverse of `numberedPath`, or `undefined`. */
export function numberOf(wanted: string, name: string): number | undefined {
  if (name === wanted) return 1;
  const [, digits] = /-([1-9]\d{0,8})(?:\.[^.]*)?$/.exec(name) ?? [];
  const number = Number(digits);
  return number > 1 && name === numberedPath(wanted, number) ? number : undefined;
}

function recordingError(path: string, cause: unknown): RecordingError {
  if (cause instanceof RecordingError) return cause;
  const missing = cause instanceof Deno.errors.NotFound ||
    cause instanceof Deno.errors.NotADirectory;
  const forbidden = cause instanceof Deno.errors.PermissionDenied ||
    /read-only/i.test(String(cause));
  const kind = missing ? "no-folder" : forbidden ? "not-writable" : "other";
  return new RecordingError(kind, path, { cause });
}
