/**
 * Cameras and other inputs, through ffmpeg: arguments for each system, the list of cameras, and frames.
 *
 * A camera is read as it comes: a frame's capture time is the moment it arrives from ffmpeg. A file or a test picture is
 * read on our own clock, one frame each 1/fps seconds: it would come as fast as the processor allows, and ffmpeg's own
 * pacing starts with a burst in some versions.
 */

import { AviReader } from "./avi.ts";
import { type Child, type ChildWatch, openChild, readCommand } from "./child.ts";
import { NoCameraError, SourceError, type SourceIdentity } from "../errors.ts";
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
import {
  causeOf,
  diagnose,
  guardArguments,
  inputWays,
  InputWords,
  isMeasured,
  isTimed,
  type Pace,
  paceOf,
  refusedFormat,
  type Way,
} from "./input.ts";
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
  /** A camera by index, name or device file, or the first one; or any input of ffmpeg's; or `test`. */
  readonly from: { readonly camera: string | undefined } | { readonly input: string };
  /** What the frames are to be. */
  readonly format: VideoFormat;
  /** Whether left and right are exchanged. */
  readonly mirror: boolean;
  /** The system it runs on. */
  readonly system: System;
  /** Hears the name of an input that is there and has not given a picture yet, once. */
  readonly onWaiting?: (name: string) => void;
  /** Hears each way that was tried to open it, and what became of it. */
  readonly onWay?: (text: string) => void;
  /** Hears what becomes of its ffmpegs. */
  readonly watch?: ChildWatch | undefined;
}

/** How long a listing may take, in milliseconds. */
const LIST_TIMEOUT_MS = 5000;

/**
 * How long a source may take to give its first frame, and how long each one after that, in milliseconds. The first picture of
 * a stream that can be shown may be long in coming; ffmpeg itself gives up after 5 s what does not answer.
 */
const OPEN_MS = 10_000;
const STREAM_MS = 30_000;
const SILENCE_MS = 5000;

/** How far apart the bundles of a stream may be, in milliseconds. */
const BUNDLE_MS = 12_000;

/** After how long the user is told that an input is waited for, in milliseconds. */
const NOTICE_MS = 5000;

/** How often a stream is looked at whose nature is not clear yet, in milliseconds. */
const LOOK_MS = 100;

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

const BEFORE_INPUT = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"];

/** How an input is turned into frames. */
export interface OutputOptions {
  /** True if left and right are exchanged. */
  readonly mirror: boolean;
  /** True if frames pass as they come; otherwise their rate is made constant. */
  readonly live: boolean;
  /** True if the first picture stands for ever. */
  readonly still?: boolean;
  /** What ffmpeg says for `InputWords`: how far each picture is ahead of its time, or that there is a second one. */
  readonly observed?: "lead" | "second" | undefined;
  /** The option that keeps ffmpeg from making up frames. */
  readonly passthrough?: Ffmpeg["passthrough"];
}

/**
 * Arguments that make of any input what the wire carries: cropped to shape rather than stretched, mirrored if wanted, bgr24
 * rows or encoded frames on stdout. Of several streams ffmpeg takes the one with the largest pictures, and a cover last.
 */
export function outputArguments(format: VideoFormat, options: OutputOptions): string[] {
  const { width, height } = format;
  const { mirror, live, passthrough = "-fps_mode" } = options;
  const { scaling, pixels } = COLOURS[format.codec];
  // 4:2:0 halves both sides: an odd one needs 4:4:4, which is not for every JPEG decoder.
  const odd = format.codec === "h264" && (width % 2 !== 0 || height % 2 !== 0);
  const filters = [
    ...(live ? liveFilters(format, options) : fileFilters(format, options)),
    // As large as it takes to fill the picture, in the shape in which it is meant to be seen: pixels need not be square.
    `scale='max(${width},round(${height}*dar))':'max(${height},round(${width}/dar))'${scaling}`,
    "setsar=1",
    // Pictures with halved colour are cropped to even sizes, unless told.
    `crop=${width}:${height}:exact=1`,
    ...(mirror ? ["hflip"] : []),
    ...(odd ? pixels.map((filter) => filter.replace("yuv420p", "yuv444p")) : pixels),
  ];
  return [
    ...["-an", "-sn", "-dn", "-vf", filters.join(","), passthrough, "passthrough"],
    ...(live && format.codec !== "raw" ? ["-enc_time_base", slotOf(format)] : []),
    ...[...encoderArguments(format), "pipe:1"],
  ];
}

/**
 * The colours of each codec. Films are BT.709 for the most part, and what they become cannot say so: a JPEG is BT.601 in full
 * range, bgr24 has neither. H.264 is made BT.601 as well, in the range of television, and says it.
 */
const COLOURS: Readonly<Record<Codec, { scaling: string; pixels: readonly string[] }>> = {
  raw: { scaling: "", pixels: ["format=bgr24"] },
  mjpeg: {
    scaling: ":out_color_matrix=bt601:out_range=pc",
    pixels: ["format=yuvj420p", "setparams=range=pc:colorspace=bt470bg"],
  },
  h264: {
    scaling: ":out_color_matrix=bt601:out_range=tv",
    pixels: ["format=yuv420p", "setparams=range=tv:colorspace=smpte170m"],
  },
};

/** The duration of a frame in seconds, as a fraction. */
function slotOf({ fps }: VideoFormat): string {
  return `1000/${Math.round(fps * 1000)}`;
}

/** Filters that make the rate of an input constant, by the times of its pictures. */
function fileFilters({ fps }: VideoFormat, { still, observed }: OutputOptions): string[] {
  return [
    ...(observed === "lead" ? [`select='${[...LEAD, "1"].join(";")}'`] : []),
    ...(observed === "second" ? ["select='if(eq(n,1),print(n,32));1'"] : []),
    ...(still ? ["loop=-1:1", `setpts=N/(${fps}*TB)`] : []),
    `fps=${fps}`,
  ];
}

/** How far a picture is ahead of the time at which it comes, by the first one; said of the second and for some seconds. */
const LEAD = [
  ...["st(1,if(n,ld(1),time(0)))", "st(3,if(n,ld(3),t))"],
  "if(eq(n,1)+n*lt(time(0)-ld(1),4),print(t-ld(3)-time(0)+ld(1),32))",
];

/**
 * Filters that leave out the frames beyond a rate and hold none back, as `fps` does by one. They look at the time at which a
 * picture comes: the times that a stream itself gives may be made up, as the 25 a second of JPEGs over http are.
 *
 * Time is counted in slots of 1/fps seconds, register 2, and so are the frames that were let through, register 0. A frame
 * counts if it is not more than one slot ahead of these. After a jam the frames of the last quarter of a second may catch up.
 * The count begins anew where the system's clock was set back. What is left is numbered, for the encoder.
 */
function liveFilters(format: VideoFormat, { observed }: OutputOptions): string[] {
  const { fps } = format;
  const expression = [
    ...(observed === "lead" ? LEAD : ["st(1,if(n,ld(1),time(0)))"]),
    `st(2,(time(0)-ld(1))*${fps})`,
    "if(lt(ld(2),ld(0)-3),st(0,ld(2)))",
    `if(gte(ld(2),ld(0)-1),1+0*st(0,max(ld(0)+1,ld(2)-${Math.max(fps / 4, 1)})),0)`,
  ];
  return [`select='${expression.join(";")}'`, `settb=${slotOf(format)}`, "setpts=N"];
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
      return ["-threads", "1", "-f", "rawvideo"];
    case "mjpeg":
      return [
        ...["-threads", "1", "-c:v", ENCODERS[codec], "-q:v", "3"],
        ...["-flush_packets", "1", "-f", "avi"],
      ];
    case "h264": {
      const large = width * height > RAW_FIRST_PIXELS;
      const rate = Math.round(width * height * fps * 0.4);
      return [
        ...["-threads", large ? "0" : "1", "-c:v", ENCODERS[codec], "-tune", "zerolatency"],
        ...["-preset", large ? "ultrafast" : "veryfast", "-crf", "23", "-bf", "0"],
        ...["-maxrate", `${rate}`, "-bufsize", `${Math.round(rate / 4)}`],
        ...["-g", `${Math.max(Math.round(fps), 1)}`, "-colorspace", "smpte170m"],
        ...["-color_range", "tv", "-flush_packets", "1", "-f", "avi"],
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

/** The way to a moving test picture. */
function testWay({ width, height, fps }: VideoFormat): Way {
  const picture = `testsrc2=size=${width}x${height}:rate=${fps}`;
  return { args: ["-f", "lavfi", "-i", picture], pace: "file", timed: true, alone: false };
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

/** Finds the cameras of a machine. */
export type ListCameras = (system: System) => Promise<Camera[]>;

/** The cameras of this machine. Throws `NotInstalledError` where there is no ffmpeg. */
export async function listCameras(system: System, watch?: ChildWatch): Promise<Camera[]> {
  const options = { watch };
  const { text } = await readCommand("ffmpeg", listArguments(system), LIST_TIMEOUT_MS, options);
  const cameras = parseCameras(system, text);
  if (system !== "linux") return cameras;
  // Each UVC camera has a second device file that gives metadata and no pictures: it has no formats to list.
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
 * The device of a camera given by index, name or device file. An index on Linux needs no list; elsewhere, and for a name,
 * the list is asked. Throws `SourceError` (`none`: no such camera; `detail` names those there are).
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

/** A URL, or a text with URLs in it, without the passwords that stand in them: it is going to be shown. */
export function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, "$1…@")
    .replace(/([?&](?:pass\w*|pwd|token|key|secret|auth)=)[^&\s]+/gi, "$1…");
}

/**
 * Opens a camera or another input; resolves when its first frame is there. The frames are of `format`.
 * Throws `SourceError`, `NoCameraError`, `NotInstalledError`, `FfmpegError`, or the signal's reason when aborted before.
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
  // A bare number says nothing to a user; where ffmpeg opens it by another name, that one does.
  const name = /^\d+$/.test(wanted) ? device : wanted;
  return await openWays(ways, { isCamera: true, name }, options, signal);
}

async function openInput(
  input: string,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<Source> {
  const ways = input === "test" ? [testWay(options.format)] : inputWays(input, options.system);
  return await openWays(ways, { isCamera: false, name: withoutSecrets(input) }, options, signal);
}

/** Opens a source in the first way that works. */
async function openWays(
  ways: Way[],
  what: SourceIdentity,
  { format, mirror, onWaiting, onWay, watch }: SourceOptions,
  signal: AbortSignal,
): Promise<Source> {
  const { isCamera, name } = what;
  const isStream = !isCamera && ways.some(({ pace }) => pace !== "file");
  let notice = isStream ? onWaiting : undefined;
  let passthrough: Ffmpeg["passthrough"] = "-fps_mode";
  let asked = false;
  let also: string | undefined;
  let failure: SourceError | undefined;
  const count = ways.length;
  for (let way = ways.shift(); way; way = ways.shift()) {
    signal.throwIfAborted();
    const { pace, timed, args } = way;
    const before = [...BEFORE_INPUT, ...guardArguments(way, also), ...args];
    const output = { mirror, live: !timed, passthrough };
    const observed = pace === "unknown" ? "lead" : pace === "file" ? "second" : undefined;
    const tell = (outcome: string): void =>
      onWay?.(`way ${count - ways.length} of ${count}, ${args.join(" ")}: ${outcome}`);
    const watched = outputArguments(format, { ...output, observed });
    const opening = new Opening([...before, ...watched], format, watch);
    const { child, words } = opening;
    const abort = (): void => void child.stop();
    signal.addEventListener("abort", abort, { once: true });
    const slow = setTimeout(() => {
      notice?.(name);
      notice = undefined;
    }, NOTICE_MS);
    const first = await within(opening.next(), isStream ? STREAM_MS : OPEN_MS);
    clearTimeout(slow);
    if (first) opening.putBack(first);
    const better = first && pace === "unknown" ? await judge(opening, way) : way;
    signal.removeEventListener("abort", abort);
    if (first && better.timed === timed && (better.pace !== "file" || !opening.skipped)) {
      const still = outputArguments(format, { ...output, still: true });
      const hold = better.pace === "file"
        ? (): Opening => new Opening([...before, ...still], format, watch)
        : undefined;
      tell(`opened, ${better.pace === "live" ? "as it comes" : "paced by our clock"}`);
      return new ChildSource(opening, { format, what, pace: better.pace, hold });
    }
    await child.stop();
    signal.throwIfAborted();
    if (first === undefined) {
      tell("no picture in time");
      throw new SourceError("silent", what);
    }
    if (first !== null) {
      tell("opened otherwise than it comes");
      // It is another thing than it was opened for: once more from its beginning.
      ways.unshift(better);
      continue;
    }
    const kind = diagnose(words.problems);
    tell(`${kind}, ${words.problems.at(-1) ?? "without a word"}`);
    const refused = refusedFormat(words.problems);
    if (refused !== undefined && kind !== "list" && also !== refused) {
      also = refused;
      ways.unshift(way);
      continue;
    }
    if (!asked) {
      // Only now: to ask takes as long as a camera takes to open, and an ffmpeg that works need not be asked.
      asked = true;
      const ffmpeg = await findFfmpeg(ENCODERS[format.codec], watch);
      if (ffmpeg.passthrough !== passthrough) {
        passthrough = ffmpeg.passthrough;
        ways.unshift(way);
        continue;
      }
    }
    const cause = causeOf(words.problems).replace(`${args.at(-1)}: `, "");
    // The first failure is that of the way that was wanted, unless it only says that a name is no file's.
    if (!failure || failure.kind === "missing" && !/^Protocol not found/.test(cause)) {
      failure = new SourceError(kind, what, withoutSecrets(cause));
    }
    if (isCamera ? kind !== "unreadable" : kind === "list") break;
  }
  throw failure ?? new SourceError("unreadable", what);
}

/**
 * The way to open what is behind a URL, now that its first picture is there. Where ffmpeg's description does not tell, pictures
 * are skipped until it is clear how they come: a stream gives at once what its server holds, and then no more than time
 * brings; a film goes on. One that ends while it is looked at is a film, or a picture.
 */
async function judge(opening: Opening, way: Way): Promise<Way> {
  const startMs = performance.now();
  const description = await within(opening.words.described, ENDING_MS);
  const told = description ? paceOf(description) : way.pace;
  const timed = description ? isTimed(description) : way.timed;
  if (told !== "unknown" || timed !== way.timed) return { ...way, pace: told, timed };
  while (true) {
    const goesOn = await opening.skip(LOOK_MS);
    const verdict = goesOn ? opening.words.verdict(startMs, performance.now()) : "file";
    if (verdict === "file") return { ...way, pace: "file", timed: true };
    if (verdict === "live") return { ...way, pace: timed ? "steady" : "live" };
  }
}

/** A picture, and who counts its holders. */
type Picture = Pick<Frame, "data" | "lease">;

/** What gives the next frame out of an ffmpeg of ours, or `null` at its end. */
type NextPicture = () => Promise<Picture | null>;

/** An ffmpeg that opens an input, what it says, and the pictures that it gives. */
class Opening {
  /** The ffmpeg. */
  readonly child: Child;
  /** What it says. */
  readonly words = new InputWords();
  readonly #read: NextPicture;
  readonly #ahead: (Picture | Promise<Picture | null>)[] = [];
  #skipped = false;

  constructor(args: readonly string[], format: VideoFormat, watch?: ChildWatch) {
    this.child = openChild({
      command: "ffmpeg",
      args,
      flow: "feeding",
      onLine: (line) => this.words.hear(line),
      watch: watch && {
        started: (name, words) => watch.started(name, words),
        // What our filters say of each picture is for us.
        said: (name, line) => void (isMeasured(line) || watch.said(name, line)),
        ended: (name, code) => watch.ended(name, code),
      },
    });
    this.#read = pictureReader(this.child, format);
  }

  /** The next picture, or `null` at the end. */
  async next(): Promise<Picture | null> {
    return await (this.#ahead.shift() ?? this.#read());
  }

  /** Gives back the picture that was read last. */
  putBack(picture: Picture): void {
    this.#ahead.unshift(picture);
  }

  /** Leaves out the next picture if another one comes in that time; resolves to `false` at the end. */
  async skip(timeoutMs: number): Promise<boolean> {
    const picture = await this.next();
    if (picture === null) return false;
    const reading = this.next();
    this.#ahead.unshift(reading);
    const following = await within(reading, timeoutMs);
    if (following === undefined) {
      this.putBack(picture);
      return true;
    }
    this.#skipped = true;
    picture.lease?.letGo();
    return following !== null;
  }

  /** True if pictures were left out. */
  get skipped(): boolean {
    return this.#skipped;
  }
}

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

/** Says when a picture is due. */
interface Clock {
  /** Resolves when the next picture may be asked for. */
  untilAsked(): Promise<void>;
  /** Resolves when the picture that was asked for then is due, with that time. */
  untilDue(askedUs: number): Promise<number>;
}

/** Paces a file, from its first picture on. */
class FileClock implements Clock {
  readonly #fps: number;
  #startUs = nowUs();
  #count = 0;

  constructor(fps: number) {
    this.#fps = fps;
  }

  async untilAsked(): Promise<void> {
    const earlyUs = this.#dueUs - nowUs();
    if (earlyUs > 0) await pause(earlyUs / 1000);
    if (earlyUs < -MAX_LATE_US) this.#startUs -= earlyUs;
  }

  untilDue(): Promise<number> {
    const dueUs = this.#dueUs;
    this.#count++;
    return Promise.resolve(dueUs);
  }

  get #dueUs(): number {
    return this.#startUs + Math.round(this.#count * 1e6 / this.#fps);
  }
}

/**
 * Paces a stream whose pictures come in bundles, such as the clusters of Matroska. What comes late makes all that follow as
 * late, so that the next bundle is not. Where no picture had to be waited for in a long time, more is held back than it
 * takes: then the stream runs faster until one has to be.
 */
class StreamClock implements Clock {
  readonly #slotUs: number;
  #dueUs = nowUs();
  #waitedUs = nowUs();

  constructor(fps: number) {
    this.#slotUs = 1e6 / fps;
  }

  untilAsked(): Promise<void> {
    return Promise.resolve();
  }

  async untilDue(askedUs: number): Promise<number> {
    const cameUs = nowUs();
    const earlyUs = this.#dueUs - cameUs;
    if (earlyUs < 0 || cameUs - askedUs > this.#slotUs / 4) this.#waitedUs = cameUs;
    if (earlyUs > 0) await pause(earlyUs / 1000);
    const dueUs = Math.round(Math.max(this.#dueUs, cameUs));
    const hurries = cameUs - this.#waitedUs > BUNDLE_MS * 1000;
    this.#dueUs = dueUs + (hurries ? 0.8 : 1) * this.#slotUs;
    return dueUs;
  }
}

/** What a source is told of its ffmpeg. */
interface ChildSourceOptions {
  readonly format: VideoFormat;
  readonly what: SourceIdentity;
  /** How its pictures come. */
  readonly pace: Pace;
  /** Starts an ffmpeg that repeats the only picture of an input; nothing where an end is an end. */
  readonly hold: (() => Opening) | undefined;
}

/** Frames out of an ffmpeg that has given its first one. */
class ChildSource implements Source {
  readonly #format: VideoFormat;
  readonly #what: SourceIdentity;
  readonly #pace: Pace;
  #hold: ChildSourceOptions["hold"];
  #opening: Opening;
  #stopped = false;

  constructor(opening: Opening, { format, what, pace, hold }: ChildSourceOptions) {
    this.#opening = opening;
    this.#format = format;
    this.#what = what;
    this.#pace = pace;
    this.#hold = hold;
  }

  async *frames(): AsyncGenerator<Frame, void, undefined> {
    const { codec, fps } = this.#format;
    const clock = this.#pace === "file"
      ? new FileClock(fps)
      : this.#pace === "steady"
      ? new StreamClock(fps)
      : undefined;
    for (let sequence = 0;; sequence++) {
      await clock?.untilAsked();
      const askedUs = nowUs();
      const picture = await this.#next();
      if (picture === null || this.#stopped) return;
      const { data } = picture;
      const captureUs = await clock?.untilDue(askedUs) ?? nowUs();
      if (this.#stopped) return;
      yield { ...picture, captureUs, sequence, keyframe: !isInterCoded(codec) || hasIdr(data) };
    }
  }

  /** The next picture, or `null` after the last one. Throws `SourceError` where the end was not to be expected. */
  async #next(): Promise<Picture | null> {
    const { child, words } = this.#opening;
    const silenceMs = this.#pace === "steady" ? BUNDLE_MS : SILENCE_MS;
    const picture = await within(this.#opening.next(), silenceMs);
    if (this.#stopped) return null;
    if (picture === undefined) throw new SourceError("silent", this.#what);
    if (picture !== null) return picture;
    const end = await within(child.ended, ENDING_MS) ?? await child.stop();
    if (this.#stopped) return null;
    if (this.#what.isCamera || end.code !== 0) {
      const said = words.problems.length > 0 ? causeOf(words.problems.slice(-2)) : "";
      throw new SourceError("stopped", this.#what, withoutSecrets(said));
    }
    if (words.several || !this.#hold) return null;
    // An input of one picture is held until somebody hangs up.
    this.#opening = this.#hold();
    this.#hold = undefined;
    return await this.#next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#opening.child.stop();
  }
}
