/**
 * Captures from cameras and other inputs: an ffmpeg of ours gives frames.
 *
 * A camera is read as it comes: a frame's capture time is the moment it arrives from ffmpeg. A file
 * or a test picture is read on our own clock, one frame each 1/fps seconds. Without that clock, it
 * would come as fast as the processor allows. ffmpeg's own pacing starts with a burst in some
 * versions.
 */

import { NoCameraError, SourceError } from "../errors.ts";
import type { Source } from "../frame/source.ts";
import { openWays, type WayOptions } from "./attempts.ts";
import {
  cameraArguments,
  findCamera,
  type ListCameras,
  listCameras,
  type System,
} from "./devices.ts";
import { inputWays, isSentToUs, testWay, type Way, withoutSecrets } from "./input.ts";

/** The input to capture, and the frames to make of it. */
export interface SourceOptions extends WayOptions {
  /**
   * A camera by index, name or device file, or the first one; or any input of ffmpeg's; or `test`.
   */
  readonly from: { readonly camera: string | undefined } | { readonly input: string };
  /** The system it runs on. */
  readonly system: System;
}

/** True for an input that opens only once: a pipe, or a stream that another program sends to us. */
export async function opensOnce(from: SourceOptions["from"]): Promise<boolean> {
  if (!("input" in from)) return false;
  const { input } = from;
  if (isSentToUs(input)) return true;
  const path = input.replace(/^file:/i, "");
  return await Deno.stat(path).then(({ isFifo }) => isFifo ?? false, () => false);
}

/**
 * Opens a camera or another input; resolves when its first frame is there. The frames are of
 * `format`. Throws `SourceError`, `NoCameraError`, `NotInstalledError`, `FfmpegError`, or the
 * signal's reason when aborted before.
 */
export async function openSource(
  options: SourceOptions,
  signal: AbortSignal,
  list: ListCameras = (system) => listCameras(system, options.watch),
): Promise<Source> {
  const { from } = options;
  if ("input" in from) return await openInput(from.input, options, signal);
  try {
    return await openCamera(from.camera ?? "0", options, signal, list);
  } catch (error) {
    const absent = error instanceof SourceError && /^(missing|none)$/.test(error.kind);
    if (from.camera !== undefined || !absent) throw error;
    throw new NoCameraError(await list(options.system), { cause: error });
  }
}

async function openCamera(
  wanted: string,
  options: SourceOptions,
  signal: AbortSignal,
  list: ListCameras,
): Promise<Source> {
  const { format, system } = options;
  const device = await findCamera(wanted, system, list);
  const ways = cameraArguments(system, device, format).map((args): Way => ({
    ...{ args, pace: "live", timed: false, alone: false },
  }));
  // A bare number says nothing to a user. Where ffmpeg opens the camera by another name, that name
  // is shown.
  const name = /^\d+$/.test(wanted) ? device : wanted;
  return await openWays(ways, { isCamera: true, name }, options, signal);
}

async function openInput(
  input: string,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<Source> {
  const { format, sound = false, system } = options;
  const ways = input === "test" ? [testWay(format, sound)] : inputWays(input, system);
  return await openWays(ways, { isCamera: false, name: withoutSecrets(input) }, options, signal);
}
