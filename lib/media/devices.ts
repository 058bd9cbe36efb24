/** The cameras of a machine: their list, and the way to open them with ffmpeg on each system. */

import { SourceError } from "../errors.ts";
import type { VideoFormat } from "../frame/format.ts";
import { type ChildWatch, readCommand } from "./child.ts";

/** The systems whose cameras we know, by the names of `Deno.build.os`. */
export type System = "linux" | "darwin" | "windows";

/** The system whose way to open cameras fits this one, by the names of `Deno.build.os`. */
export function systemOf(os: string): System {
  return os === "darwin" || os === "windows" ? os : "linux";
}

/** A camera of this machine. */
export interface Camera {
  /** The number that chooses it. On Linux it is that of the device file, as OpenCV counts. */
  readonly index: number;
  /** The system's name for it. */
  readonly name: string;
  /** The name under which ffmpeg opens it. */
  readonly device: string;
}

/** Milliseconds that a listing may take. */
const LIST_TIMEOUT_MS = 5000;

/**
 * The size above which the raw pictures of a camera do not fit USB 2 at full rate (640 x 480 x 2
 * bytes x 30 = 18 MB/s of its 40). MJPEG is then asked for first. Up to this size the raw ones are
 * better and cost less.
 */
const RAW_FIRST_PIXELS = 640 * 480;

/**
 * The ways to open a camera, the best first. ffmpeg ends at once if a camera refuses a size, a rate
 * or a pixel format. Then the next way is tried. Pure: the tests run it for every system.
 */
export function cameraArguments(
  system: System,
  device: string,
  format: VideoFormat,
): string[][] {
  const size = ["-video_size", `${format.width}x${format.height}`];
  const rate = ["-framerate", `${format.fps}`];
  switch (system) {
    case "linux": {
      const open = ["-f", "v4l2"];
      const jpeg = [...open, "-input_format", "mjpeg", ...rate, ...size, "-i", device];
      const raw = [...open, ...rate, ...size, "-i", device];
      const both = format.width * format.height > RAW_FIRST_PIXELS ? [jpeg, raw] : [raw, jpeg];
      return [...both, [...open, "-i", device]];
    }
    case "darwin": {
      // Most cameras refuse 29.97, ffmpeg's default, and any rate that is not on their list. Nearly
      // all have 30.
      const open = ["-f", "avfoundation", "-pixel_format", "nv12"];
      return [
        [...open, ...rate, ...size, "-i", `${device}:none`],
        [...open, "-framerate", "30", ...size, "-i", `${device}:none`],
        [...open, "-framerate", "30", "-i", `${device}:none`],
        ["-f", "avfoundation", "-framerate", "30", "-i", `${device}:none`],
        ["-f", "avfoundation", "-framerate", "15", "-i", `${device}:none`],
      ];
    }
    case "windows": {
      const open = ["-f", "dshow", "-rtbufsize", "64M"];
      return [
        [...open, ...rate, ...size, "-i", `video=${device}`],
        [...open, ...size, "-i", `video=${device}`],
        [...open, "-i", `video=${device}`],
      ];
    }
  }
}

/** Arguments that make ffmpeg list the cameras. */
export function listArguments(system: System): string[] {
  switch (system) {
    case "linux":
      return ["-hide_banner", "-sources", "v4l2"];
    case "darwin":
      return ["-hide_banner", "-f", "avfoundation", "-list_devices", "true", "-i", ""];
    case "windows":
      return ["-hide_banner", "-f", "dshow", "-list_devices", "true", "-i", "dummy"];
  }
}

/** Reads the cameras out of ffmpeg's answer to `listArguments`. */
export function parseCameras(system: System, text: string): Camera[] {
  const lines = text.split(/\r?\n/);
  switch (system) {
    case "linux":
      return lines.flatMap((line) => {
        const match = /(\/dev\/video(\d+))\s+\[(.*)\]/.exec(line);
        return match ? [{ index: Number(match[2]), name: match[3]!, device: match[1]! }] : [];
      }).sort((a, b) => a.index - b.index);
    case "darwin": {
      // The prefix in brackets changes with the version. The heading and `[0] name` do not.
      const cameras: Camera[] = [];
      let inVideo = false;
      for (const line of lines) {
        if (/AVFoundation video devices/i.test(line)) inVideo = true;
        else if (/AVFoundation audio devices/i.test(line)) inVideo = false;
        else if (inVideo) {
          const match = /\[(\d+)\] (.+?)\s*$/.exec(line);
          if (match && !/^Capture screen/i.test(match[2]!)) {
            cameras.push({ index: Number(match[1]), name: match[2]!, device: match[1]! });
          }
        }
      }
      return cameras;
    }
    case "windows": {
      // Three generations: a heading with quoted names below it; `"name" (video)`; the same behind
      // another prefix.
      const names: string[] = [];
      let inVideo = false;
      for (const line of lines) {
        if (/DirectShow video devices/i.test(line)) inVideo = true;
        else if (/DirectShow audio devices/i.test(line)) inVideo = false;
        else if (!/Alternative name/i.test(line)) {
          const match = /"(.+)"(?:\s+\(([^)]*)\))?\s*$/.exec(line);
          if (match && (match[2] === undefined ? inVideo : /video/.test(match[2]))) {
            names.push(match[1]!);
          }
        }
      }
      return names.map((name, index) => ({ index, name, device: name }));
    }
  }
}

/** Finds the cameras of a machine. */
export type ListCameras = (system: System) => Promise<Camera[]>;

/** The cameras of this machine. Throws `NotInstalledError` if there is no ffmpeg. */
export async function listCameras(system: System, watch?: ChildWatch): Promise<Camera[]> {
  const options = { watch };
  const { text } = await readCommand("ffmpeg", listArguments(system), LIST_TIMEOUT_MS, options);
  const cameras = parseCameras(system, text);
  if (system !== "linux") return cameras;
  // Each UVC camera has a second device file for metadata, without pictures. It has no formats to
  // list.
  const usable = await Promise.all(cameras.map(async (camera) => {
    const formats = await readCommand(
      "ffmpeg",
      ["-hide_banner", "-nostdin", "-f", "v4l2", "-list_formats", "all", "-i", camera.device],
      LIST_TIMEOUT_MS,
      options,
    );
    return /(Raw|Compressed)\s*:/.test(formats.text);
  }));
  return cameras.filter((_, index) => usable[index]);
}

/**
 * The device of a camera given by index, name or device file. An index on Linux needs no list.
 * Elsewhere, and for a name, the list is asked. Throws `SourceError` (`none`: no such camera;
 * `detail` names those that exist).
 */
export async function findCamera(
  wanted: string,
  system: System,
  list: ListCameras = listCameras,
): Promise<string> {
  if (system === "linux") {
    if (/^\d+$/.test(wanted)) return `/dev/video${Number(wanted)}`;
    if (wanted.startsWith("/")) return wanted;
  }
  if (system === "darwin" && /^\d+$/.test(wanted)) return wanted;
  const cameras = await list(system);
  const lower = wanted.toLowerCase();
  const found = /^\d+$/.test(wanted)
    ? cameras.find((camera) => camera.index === Number(wanted))
    : cameras.find((camera) => camera.name === wanted) ??
      cameras.find((camera) => camera.name.toLowerCase().includes(lower));
  if (found) return found.device;
  const names = cameras.map((camera) => `${camera.index}: ${camera.name}`).join(", ");
  throw new SourceError("none", { isCamera: true, name: wanted }, names);
}
