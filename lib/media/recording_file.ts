/**
 * The file of a recording: its name, which no other file has, and the lock that says that somebody
 * records to it.
 */

import { RecordingError } from "../errors.ts";

/** A path, in two parts: up to the ending, and the ending. */
const NAME = /^(.*?)(\.[^./\\]*)?$/s;

/** The number of names that are tried before the folder is read for the free ones. */
const TRIED_NAMES = 16;

/**
 * Makes the file for a recording, under the first name that is free: `video.avi`, `video-2.avi`, …
 * Resolves to a path by which ffmpeg finds it, too. It never touches a file that exists, nor
 * follows a link that somebody put in its place. Throws `RecordingError`.
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

/**
 * Makes the files for the recordings of two ends beside each other, under the first number that is
 * free for both: `video.avi` and `video-own.avi`, `video-2.avi` and `video-2-own.avi`, … Throws
 * `RecordingError`.
 */
export async function reservePair(wanted: string): Promise<readonly [peer: string, own: string]> {
  const passed: string[] = [];
  try {
    while (true) {
      const peer = await reserveFile(wanted);
      const own = ownPath(peer);
      if (await isMade(own)) return [peer, own];
      // It keeps its number from us until we have another one.
      passed.push(peer);
    }
  } catch (error) {
    throw recordingError(wanted, error);
  } finally {
    for (const path of passed) await Deno.remove(path).catch(() => {});
  }
}

/** The name for the recording of our own end beside that of the peer. */
export function ownPath(path: string): string {
  const [, stem, ending] = NAME.exec(path)!;
  return `${stem}-own${ending ?? ""}`;
}

/** The name of the recording of the peer beside that of our own end; other names are kept. */
export function withoutOwn(name: string): string {
  return name.replace(/-own(\.[^./\\]*)?$/, "$1");
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
 * The numbers of the existing recordings of this name. They are only a hint: other programs make
 * files at the same time, and a folder may be closed to readers.
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
    // The names are then tried one by one.
  }
  return numbers;
}

/**
 * Finds out if a recording can be made there, before anybody is answered. It makes and removes a
 * file beside it. Throws `RecordingError`.
 */
export async function checkFolder(wanted: string): Promise<void> {
  const probe = await reserveFile(wanted);
  await Deno.remove(probe);
}

/**
 * True if a path names a folder: it says so itself, or there is one. Throws `RecordingError` if this
 * program may not look.
 */
export async function isFolder(path: string): Promise<boolean> {
  if (splitPath(path)[1] === "") return true;
  try {
    const [folder] = splitPath(await resolveFolder(`${path}/file`));
    return (await Deno.stat(folder)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw recordingError(path, error);
    return false;
  }
}

/**
 * A path that names the same file to Deno as to other programs. Deno resolves `..` by the letters
 * where its rights are bounded. The system resolves it by the folders, which differ behind a link.
 * Where there may be a link, the folder is the real one, found without a `..` for Deno. Throws the
 * system's error.
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
 * Marks a file as one that is being recorded to. The mark lasts until the result is closed or the
 * program ends, however it ends. On Windows a lock would keep ffmpeg out as well. The file is only
 * kept open there, which keeps it from being replaced.
 */
export function hold(path: string): Deno.FsFile {
  const file = Deno.openSync(path, { read: true, write: true, create: true });
  try {
    if (Deno.build.os !== "windows") file.tryLockSync(true);
  } catch {
    // The file system has no locks: then the mark is missing.
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
  const [, stem, extension] = NAME.exec(path)!;
  return `${stem}-${number}${extension ?? ""}`;
}

/** The number of a recording of this name: the inverse of `numberedPath`, or `undefined`. */
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
