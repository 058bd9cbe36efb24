/**
 * Cameras and other inputs, through ffmpeg: arguments for each system, the list of cameras, and frames.
 *
 * A camera is read as it comes: a frame's capture time is the moment it arrives from ffmpeg. A file or a test picture is
 * read on our own clock, one frame each 1/fps seconds: it would come as fast as the processor allows, and ffmpeg's own
 * pacing starts with a burst in some versions.
 */

import { AviReader } from "./avi.ts";
import { type Child, type ChildEnd, openChild, readCommand } from "./child.ts";
import { SourceError, type SourceIdentity } from "../errors.ts";
import { type Ffmpeg, findFfmpeg } from "./ffmpeg.ts";
import {
  type Codec,
  type Frame,
  isInterCoded,
  maxFrameBytes,
  rawFrameBytes,
  type VideoFormat,
} from "../frame/frame.ts";
import { hasIdr } from "./h264.ts";
import { nowUs, pause, within } from "../clock.ts";
import { FramePool } from "../frame/pool.ts";
import type { Source } from "../frame/source.ts";

/** The systems that cameras are known on, by the names of `Deno.build.os`. */
export type System = "linux" | "darwin" | "windows";

/** The system whose cameras are opened on this one, by the names of `Deno.build.os`. */
export function systemOf(os: string): System {
  return os === "darwin" || os === "windows" ? os : "linux";
}

/** A camera of this machine. */
export interface Camera {
  /** The number that chooses it; on Linux that of its device file, as OpenCV counts. */
  readonly index: number;
  /** As the system calls it. */
  readonly name: string;
  /** What ffmpeg opens. */
  readonly device: string;
}

/** What to capture. */
export interface SourceOptions {
  /** A camera by index, name or device file; or any input of ffmpeg's; or `test`. */
  readonly from: { readonly camera: string } | { readonly input: string };
  /** What the frames are to be. */
  readonly format: VideoFormat;
  /** Whether left and right are exchanged. */
  readonly mirror: boolean;
  /** The system it runs on. */
  readonly system: System;
}

/** How long a listing may take, in milliseconds. */
const LIST_TIMEOUT_MS = 5000;

/** How long a source may take to give its first frame, and how long each one after that, in milliseconds. */
const OPEN_MS = 10_000;
const SILENCE_MS = 5000;

/** How long an ffmpeg that gives no more may take to end, in milliseconds. */
const ENDING_MS = 1000;

/**
 * How late a file may be read, in microseconds. A program that slept for longer goes on from where it was: what it missed
 * would come all at once, and late.
 */
const MAX_LATE_US = 1_000_000;

/**
 * Above this size the raw pictures of a camera no longer fit USB 2 at full rate (640 x 480 x 2 bytes x 30 = 18 MB/s of its
 * 40), so MJPEG is asked for first; up to it the raw ones are better and cost less.
 */
const RAW_FIRST_PIXELS = 640 * 480;

/** What frames are encoded with on their way out of ffmpeg. */
const ENCODERS: Readonly<Record<Codec, string>> = {
  raw: "rawvideo",
  mjpeg: "mjpeg",
  h264: "libx264",
};

const BEFORE_INPUT = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning"];

/**
 * Arguments that make of any input what the wire carries: cropped to shape rather than stretched, mirrored if wanted, bgr24
 * rows or encoded frames on stdout. With `live`, frames pass as they come, those beyond the rate left out; without, the rate
 * is made constant.
 */
export function outputArguments(
  format: VideoFormat,
  { mirror, live, passthrough = "-fps_mode" }: {
    readonly mirror: boolean;
    readonly live: boolean;
    readonly passthrough?: Ffmpeg["passthrough"];
  },
): string[] {
  const { width, height, fps } = format;
  const filters = [
    live ? thinningFilter(fps) : `fps=${fps}`,
    // As large as it takes to fill the picture, in the shape in which it is meant to be seen: pixels need not be square.
    `scale='max(${width},round(${height}*dar))':'max(${height},round(${width}/dar))',setsar=1`,
    // Pictures with halved colour are cropped to even sizes, unless told.
    `crop=${width}:${height}:exact=1`,
    ...(mirror ? ["hflip"] : []),
  ];
  return [
    ...["-an", "-sn", "-dn", "-map", "0:v:0", "-vf", filters.join(",")],
    ...[passthrough, "passthrough", ...encoderArguments(format), "pipe:1"],
  ];
}

/**
 * A filter that leaves out the frames beyond a rate and holds none back, as `fps` does by one. A frame counts if it is not
 * more than one slot of 1/fps seconds ahead of the frames that were let through; register 0 counts these.
 */
function thinningFilter(fps: number): string {
  const slot = `t*${fps}`;
  return `select='if(gte(${slot},ld(0)-1),1+0*st(0,max(ld(0)+1,floor(${slot}))),0)'`;
}

/**
 * How frames leave ffmpeg. `-threads 1` keeps the encoders that work on several frames at a time from holding one back (51 ms
 * at 20 fps, measured); x264 tuned to no latency divides the picture instead, and may have all processors for a large one.
 *
 * H.264: a keyframe each second, so that what follows a drop is not waited for longer, and never more than 0.4 bits a pixel
 * (600 kbit/s at 320 x 240 and 20 fps), a quarter of a second's worth at a time, so that a keyframe crosses a link of 1 Mbit/s
 * in the time of two frames.
 */
function encoderArguments(format: VideoFormat): string[] {
  const { codec, width, height, fps } = format;
  switch (codec) {
    case "raw":
      return ["-threads", "1", "-f", "rawvideo", "-pix_fmt", "bgr24"];
    case "mjpeg":
      return [
        ...["-threads", "1", "-c:v", ENCODERS[codec], "-q:v", "3", "-pix_fmt", "yuvj420p"],
        ...["-flush_packets", "1", "-f", "avi"],
      ];
    case "h264": {
      const large = width * height > RAW_FIRST_PIXELS;
      const rate = Math.round(width * height * fps * 0.4);
      // 4:2:0 halves both sides: an odd one needs 4:4:4.
      const pixels = width % 2 === 0 && height % 2 === 0 ? "yuv420p" : "yuv444p";
      return [
        ...["-threads", large ? "0" : "1", "-c:v", ENCODERS[codec], "-tune", "zerolatency"],
        ...["-preset", large ? "ultrafast" : "veryfast", "-crf", "23", "-bf", "0"],
        ...["-maxrate", `${rate}`, "-bufsize", `${Math.round(rate / 4)}`],
        ...["-g", `${Math.max(Math.round(fps), 1)}`, "-pix_fmt", pixels],
        ...["-flush_packets", "1", "-f", "avi"],
      ];
    }
  }
}

/**
 * The ways to open a camera, the best first: ffmpeg ends at once where a camera refuses a size, a rate or a pixel format,
 * and then the next one is tried. Pure: the tests run it for every system.
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
      // Most refuse 29.97, ffmpeg's default, and whatever rate is not on their list; nearly all have 30.
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

/** Arguments that open an input that is no camera. `test` is a moving test picture. */
export function inputArguments(input: string, format: VideoFormat): string[] {
  if (input !== "test") return ["-i", input];
  return [
    "-f",
    "lavfi",
    "-i",
    `testsrc2=size=${format.width}x${format.height}:rate=${format.fps}`,
  ];
}

/** Streams that are sent to us as their pictures are made. */
const LIVE = /^(rtsps?|rtmps?|rtmpt|rtp|srtp?|udp|udplite|tcp|tls|unix|mms[ht]?):|^\/dev\//i;

/** What is found behind http is a file by its name, such as `…/film.mp4?x=1`, or the stream of a camera. */
const WEB = /^https?:/i;
const WEB_FILE =
  /\.(mp4|m4v|mov|mkv|webm|avi|ogv|ogg|flv|m?2?ts|mpe?g|vob|mxf|wmv|asf|3gp|3g2|gif|m3u8|mpd)($|[?#])/i;

/** Whether an input brings its own clock: a camera or a stream that is sent to us, not a file that we read. */
export function isLiveInput(input: string): boolean {
  return LIVE.test(input) || WEB.test(input) && !WEB_FILE.test(input);
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

/** Reads the cameras out of what ffmpeg says to `listArguments`. */
export function parseCameras(system: System, text: string): Camera[] {
  const lines = text.split(/\r?\n/);
  switch (system) {
    case "linux":
      return lines.flatMap((line) => {
        const match = /(\/dev\/video(\d+))\s+\[(.*)\]/.exec(line);
        return match ? [{ index: Number(match[2]), name: match[3]!, device: match[1]! }] : [];
      }).sort((a, b) => a.index - b.index);
    case "darwin": {
      // The prefix in brackets changes with the version; the heading and `[0] name` do not.
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
      // Three generations: a heading with quoted names below it; `"name" (video)`; the same behind another prefix.
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

/** The cameras of this machine. Throws `NotInstalledError` where there is no ffmpeg. */
export async function listCameras(system: System): Promise<Camera[]> {
  const { text } = await readCommand("ffmpeg", listArguments(system), LIST_TIMEOUT_MS);
  const cameras = parseCameras(system, text);
  if (system !== "linux") return cameras;
  // Each UVC camera has a second device file that gives metadata and no pictures: it has no formats to list.
  const usable = await Promise.all(cameras.map(async (camera) => {
    const formats = await readCommand(
      "ffmpeg",
      ["-hide_banner", "-nostdin", "-f", "v4l2", "-list_formats", "all", "-i", camera.device],
      LIST_TIMEOUT_MS,
    );
    return /(Raw|Compressed)\s*:/.test(formats.text);
  }));
  return cameras.filter((_, index) => usable[index]);
}

/**
 * The device of a camera given by index, name or device file. An index on Linux needs no list; elsewhere, and for a name,
 * the list is asked. Throws `SourceError` (`none`: no such camera; `detail` names those there are).
 */
export async function findCamera(
  wanted: string,
  system: System,
  list: (system: System) => Promise<Camera[]> = listCameras,
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

/** What ffmpeg's last words say is the matter with a camera or an input. */
export function diagnose(lastLines: readonly string[]): SourceError["kind"] {
  const text = lastLines.join("\n");
  if (/Device or resource busy|already in use|Could not run graph/i.test(text)) {
    return "busy";
  }
  if (/Permission denied|Operation not permitted|not authorized/i.test(text)) return "forbidden";
  if (
    /No such (file|device)|Could not find video device|Cannot open video device|Invalid device index|Video device not found/i
      .test(text)
  ) return "missing";
  return "unreadable";
}

/** The line among ffmpeg's last ones that says why: that there is no picture in what it read, or else the last one. */
function causeOf(lastLines: readonly string[]): string {
  return lastLines.find((line) => /matches no streams|does not contain any stream/.test(line)) ??
    lastLines.at(-1) ?? "";
}

/** A URL, or a text with URLs in it, without the passwords that stand in them: it is going to be shown. */
export function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, "$1…@")
    .replace(/([?&](?:pass\w*|pwd|token|key|secret|auth)=)[^&\s]+/gi, "$1…");
}

/**
 * Opens a camera or another input; resolves when its first frame is there. The frames are of `format`.
 * Throws `SourceError`, `NotInstalledError`, `FfmpegError`, or the signal's reason when aborted before.
 */
export async function openSource(options: SourceOptions, signal: AbortSignal): Promise<Source> {
  const { from, format, mirror, system } = options;
  const isCamera = "camera" in from;
  const paced = !isCamera && !isLiveInput(from.input);
  const device = isCamera ? await findCamera(from.camera, system) : from.input;
  const inputs = isCamera
    ? cameraArguments(system, device, format)
    : [inputArguments(device, format)];
  // A bare number says nothing to a user; where ffmpeg opens it by another name, that one does.
  const name = withoutSecrets(isCamera && !/^\d+$/.test(from.camera) ? from.camera : device);
  const what: SourceIdentity = { isCamera, name };
  let passthrough: Ffmpeg["passthrough"] = "-fps_mode";
  let asked = false;
  let failure: SourceError | undefined;
  for (let way = inputs.shift(); way; way = inputs.shift()) {
    signal.throwIfAborted();
    const output = outputArguments(format, { mirror, live: !paced, passthrough });
    const child = openChild({
      command: "ffmpeg",
      args: [...BEFORE_INPUT, ...way, ...output],
      flow: "feeding",
    });
    const abort = (): void => void child.stop();
    signal.addEventListener("abort", abort, { once: true });
    const next = pictureReader(child, format);
    const first = await within(next(), OPEN_MS);
    signal.removeEventListener("abort", abort);
    if (first) {
      return new ChildSource(child, first, next, { format, what, paced });
    }
    const { lastLines } = await child.stop();
    signal.throwIfAborted();
    if (first === undefined) throw new SourceError("silent", what);
    if (!asked) {
      // Only now: to ask takes as long as a camera takes to open, and an ffmpeg that works need not be asked.
      asked = true;
      const ffmpeg = await findFfmpeg(ENCODERS[format.codec]);
      if (ffmpeg.passthrough !== passthrough) {
        passthrough = ffmpeg.passthrough;
        inputs.unshift(way);
        continue;
      }
    }
    const kind = diagnose(lastLines);
    // The first failure is that of the way that was wanted; the ones after it tell of the ways that were not.
    const detail = withoutSecrets(causeOf(lastLines).replace(`${device}: `, ""));
    failure ??= new SourceError(kind, what, detail);
    if (kind !== "unreadable") break;
  }
  throw failure ?? new SourceError("unreadable", what);
}

/** A picture, and who counts its holders. */
type Picture = Pick<Frame, "data" | "lease">;

/** What gives the next frame out of an ffmpeg of ours, or `null` at its end. */
type NextPicture = () => Promise<Picture | null>;

function pictureReader(child: Child, format: VideoFormat): NextPicture {
  if (format.codec === "raw") {
    const pool = new FramePool(rawFrameBytes(format));
    return async (): Promise<Picture | null> => {
      const data = await child.read(pool.take());
      return data && { data, lease: pool.lease(data) };
    };
  }
  const reader = new AviReader((into) => child.read(into), maxFrameBytes(format));
  return async (): Promise<Picture | null> => {
    const data = await reader.next();
    return data && { data };
  };
}

/** Frames out of an ffmpeg that has given its first one. */
class ChildSource implements Source {
  readonly #child: Child;
  readonly #nextPicture: NextPicture;
  readonly #format: VideoFormat;
  readonly #what: SourceIdentity;
  readonly #paced: boolean;
  #first: Picture | undefined;
  #stopped = false;

  constructor(
    child: Child,
    first: Picture,
    next: NextPicture,
    options: { format: VideoFormat; what: SourceIdentity; paced: boolean },
  ) {
    this.#child = child;
    this.#nextPicture = next;
    this.#first = first;
    this.#format = options.format;
    this.#what = options.what;
    this.#paced = options.paced;
  }

  async *frames(): AsyncGenerator<Frame, void, undefined> {
    const { codec, fps } = this.#format;
    let startUs = nowUs();
    for (let sequence = 0;; sequence++) {
      let dueUs = startUs + Math.round(sequence * 1e6 / fps);
      if (this.#paced) {
        const earlyUs = dueUs - nowUs();
        if (earlyUs > 0) await pause(earlyUs / 1000);
        if (earlyUs < -MAX_LATE_US) {
          startUs -= earlyUs;
          dueUs -= earlyUs;
        }
      }
      const picture = await this.#next();
      if (picture === null || this.#stopped) return;
      const { data } = picture;
      const captureUs = this.#paced ? dueUs : nowUs();
      yield { ...picture, captureUs, sequence, keyframe: !isInterCoded(codec) || hasIdr(data) };
    }
  }

  /** The next picture, or `null` after the last one. Throws `SourceError` where the end was not to be expected. */
  async #next(): Promise<Picture | null> {
    if (this.#first) {
      const first = this.#first;
      this.#first = undefined;
      return first;
    }
    const picture = await within(this.#nextPicture(), SILENCE_MS);
    if (this.#stopped) return null;
    if (picture === undefined) throw new SourceError("silent", this.#what);
    if (picture !== null) return picture;
    const end = await within(this.#child.ended, ENDING_MS) ?? await this.#child.stop();
    if (this.#stopped) return null;
    if (this.#what.isCamera || end.code !== 0) throw this.#stoppedUnasked(end);
    return null;
  }

  #stoppedUnasked({ lastLines }: ChildEnd): SourceError {
    return new SourceError("stopped", this.#what, withoutSecrets(lastLines.at(-1) ?? ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#child.stop();
  }
}
