/**
 * The cameras of a machine: their list, and the way to open them with ffmpeg on each system. The
 * microphones are in microphones.ts.
 */

import { SourceError } from "../errors.ts";
import type { VideoFormat } from "../frame/format.ts";
import { type ChildWatch, readCommand } from "./child.ts";

/** The systems whose cameras we know, by the names of `Deno.build.os`. */
export type System = "linux" | "darwin" | "windows";

/** The system whose way to open cameras fits this one, by the names of `Deno.build.os`. */
export function systemOf(os: string): System {
  return os === "darwin" || os === "windows" ? os : "linux";
}

/** A camera or a microphone of this machine. */
export interface Device {
  /** The number that chooses it. */
  readonly index: number;
  /** The system's name for it. */
  readonly name: string;
  /** The name under which ffmpeg opens it. */
  readonly device: string;
}

/** A camera. On Linux its index is that of the device file, as OpenCV counts. */
export type Camera = Device;

/** Milliseconds that a listing may take. */
export const LIST_TIMEOUT_MS = 5000;

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
  switch (system) {
    case "linux":
      return text.split(/\r?\n/).flatMap((line) => {
        const match = /(\/dev\/video(\d+))\s+\[(.*)\]/.exec(line);
        return match ? [{ index: Number(match[2]), name: match[3]!, device: match[1]! }] : [];
      }).sort((a, b) => a.index - b.index);
    case "darwin":
      return parseAvfoundation(text, "video").filter(({ name }) => !/^Capture screen/i.test(name));
    case "windows":
      return parseDshow(text, "video");
  }
}

/** Reads the devices of a kind out of the list of AVFoundation, that of macOS. */
export function parseAvfoundation(text: string, kind: "video" | "audio"): Device[] {
  // The prefix in brackets changes with the version. The heading and `[0] name` do not.
  const devices: Device[] = [];
  let inKind = false;
  for (const line of text.split(/\r?\n/)) {
    const [, heading] = /AVFoundation (video|audio) devices/i.exec(line) ?? [];
    if (heading !== undefined) inKind = heading.toLowerCase() === kind;
    else if (inKind) {
      const [, index, name] = /\[(\d+)\] (.+?)\s*$/.exec(line) ?? [];
      if (index !== undefined) devices.push({ index: Number(index), name: name!, device: index });
    }
  }
  return devices;
}

/**
 * Reads the devices of a kind out of the list of DirectShow, that of Windows. It has had three
 * generations: a heading with quoted names below it; `"name" (video)`; the same behind another
 * prefix.
 */
export function parseDshow(text: string, kind: "video" | "audio"): Device[] {
  const names: string[] = [];
  let inKind = false;
  for (const line of text.split(/\r?\n/)) {
    const [, heading] = /DirectShow (video|audio) devices/i.exec(line) ?? [];
    if (heading !== undefined) inKind = heading.toLowerCase() === kind;
    else if (!/Alternative name/i.test(line)) {
      const [, name, kinds] = /"(.+)"(?:\s+\(([^)]*)\))?\s*$/.exec(line) ?? [];
      if (name !== undefined && (kinds?.includes(kind) ?? inKind)) names.push(name);
    }
  }
  return names.map((name, index) => ({ index, name, device: name }));
}

/**
 * The device that is meant by an index, a name or a part of a name. Capitals do not matter; a whole
 * name goes first.
 */
export function chooseDevice<T extends Device>(
  wanted: string,
  devices: readonly T[],
): T | undefined {
  if (/^\d+$/.test(wanted)) return devices.find(({ index }) => index === Number(wanted));
  const lower = wanted.toLowerCase();
  return devices.find(({ name }) => name === wanted) ??
    devices.find(({ name }) => name.toLowerCase().includes(lower));
}

/** Devices in a line, each with its index. */
export function namesOf(devices: readonly Pick<Device, "index" | "name">[]): string {
  return devices.map(({ index, name }) => `${index}: ${name}`).join(", ");
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
  const found = chooseDevice(wanted, cameras);
  if (found) return found.device;
  throw new SourceError("none", { isCamera: true, name: wanted }, namesOf(cameras));
}
