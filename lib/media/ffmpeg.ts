/**
 * The system's ffmpeg: its presence, its age and its encoders. Media files ask here, so that a
 * problem with ffmpeg is told by name and not by the words in which ffmpeg fails.
 */

import { type ChildWatch, readCommand } from "./child.ts";
import { FfmpegError } from "../errors.ts";

/** The abilities of an ffmpeg. */
export interface Ffmpeg {
  /** Its own name for it, such as `5.1.9-0+deb12u1` or `N-109999-gabcdef`. */
  readonly version: string;
  /** The names of its encoders. Empty if it did not answer in time. */
  readonly encoders: ReadonlySet<string>;
  /**
   * Its option that keeps it from making up frames: `-fps_mode` since 5.1, `-vsync` before. Version
   * 9 knows the first one only.
   */
  readonly passthrough: "-fps_mode" | "-vsync";
}

/** The oldest ffmpeg that is tried: releases since 2018. Chamada is tested with 5.1. */
const LEAST_VERSION = "4.0";

/** Milliseconds that it may take to answer. */
const ANSWER_MS = 5000;

/**
 * Finds out the abilities of this system's ffmpeg, and that it has this encoder, if one is named.
 * An ffmpeg that does not answer in time is taken for a new one without known encoders. Throws
 * `NotInstalledError`, or `FfmpegError` (`old`, `lacks`).
 */
export async function findFfmpeg(
  encoder: string | undefined,
  watch?: ChildWatch,
): Promise<Ffmpeg> {
  const { text } = await readCommand("ffmpeg", ["-nostdin", "-encoders"], ANSWER_MS, { watch });
  const ffmpeg = parseFfmpeg(text);
  const { version, encoders } = ffmpeg;
  if (isOlder(version, LEAST_VERSION)) throw new FfmpegError("old", version);
  // An ffmpeg that did not answer in time is only slow.
  if (encoder !== undefined && encoders.size > 0 && !encoders.has(encoder)) {
    throw new FfmpegError("lacks", encoder);
  }
  return ffmpeg;
}

/** The version of this system's ffmpeg, in its own words. Throws `NotInstalledError`. */
export async function readVersion(): Promise<string> {
  const { text } = await readCommand("ffmpeg", ["-version"], ANSWER_MS);
  return parseFfmpeg(text).version;
}

/**
 * Reads the output of `ffmpeg -encoders`: a banner, and one encoder a line behind six letters and
 * dots. Pure.
 */
export function parseFfmpeg(text: string): Ffmpeg {
  const version = /^ffmpeg version (\S+)/m.exec(text)?.[1] ?? "";
  const encoders = [...text.matchAll(/^ [VAS][A-Z.]{5} (\w\S*)/gm)].map(([, name]) => name!);
  return {
    version,
    encoders: new Set(encoders),
    passthrough: isOlder(version, "5.1") ? "-vsync" : "-fps_mode",
  };
}

/**
 * True if a version is older than another one. A version without numbers is built from the newest
 * sources.
 */
function isOlder(version: string, than: string): boolean {
  const [major, minor] = numbersOf(version);
  const [leastMajor = 0, leastMinor = 0] = numbersOf(than);
  if (major === undefined) return false;
  return major < leastMajor || major === leastMajor && (minor ?? 0) < leastMinor;
}

/**
 * `n6.1.1` and `4.4.2-0ubuntu0.22.04.1` are releases; `N-109999-g…` and `2025-01-02-git-…` are not.
 */
function numbersOf(version: string): number[] {
  const match = /^n?(\d{1,2})(?:\.(\d+))?(?![\d-]*-git)/.exec(version);
  return match ? [Number(match[1]), Number(match[2] ?? 0)] : [];
}
