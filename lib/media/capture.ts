/**
 * Captures from cameras and other inputs: an ffmpeg of ours gives frames.
 *
 * A camera is read as it comes: a frame's capture time is the moment it arrives from ffmpeg. A file
 * or a test picture is read on our own clock, one frame each 1/fps seconds. Without that clock, it
 * would come as fast as the processor allows. ffmpeg's own pacing starts with a burst in some
 * versions.
 */

import { AviReader } from "./avi.ts";
import { type Child, type ChildWatch, openChild } from "./child.ts";
import { NoCameraError, SourceError, type SourceIdentity } from "../errors.ts";
import { type Ffmpeg, findFfmpeg } from "./ffmpeg.ts";
import { isInterCoded, maxFrameBytes, rawFrameBytes, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { hasIdr } from "./h264.ts";
import {
  causeOf,
  diagnose,
  guardArguments,
  inputWays,
  InputWords,
  isMeasured,
  isSentToUs,
  isTimed,
  type Pace,
  paceOf,
  refusedFormat,
  type Way,
  withoutSecrets,
} from "./input.ts";
import { nowUs, pause, within } from "../clock.ts";
import { FramePool } from "../frame/pool.ts";
import type { Source } from "../frame/source.ts";
import {
  cameraArguments,
  findCamera,
  type ListCameras,
  listCameras,
  type System,
} from "./devices.ts";
import { ENCODERS, outputArguments } from "./conversion.ts";

/** The input to capture, and the frames to make of it. */
export interface SourceOptions {
  /**
   * A camera by index, name or device file, or the first one; or any input of ffmpeg's; or `test`.
   */
  readonly from: { readonly camera: string | undefined } | { readonly input: string };
  /** The format of the frames. */
  readonly format: VideoFormat;
  /** True if left and right are exchanged. */
  readonly mirror: boolean;
  /** The system it runs on. */
  readonly system: System;
  /** Hears once the name of an input that exists and has not given a picture yet. */
  readonly onWaiting?: (name: string) => void;
  /** Hears each way that was tried to open it, and the result. */
  readonly onWay?: (text: string) => void;
  /** Hears what its ffmpegs do. */
  readonly watch?: ChildWatch | undefined;
}

/**
 * Milliseconds that a source may take to give its first frame, and then each further one. A stream
 * that can be shown may give its first picture late. ffmpeg itself gives up after 5 s if nothing
 * answers.
 */
const OPEN_MS = 10_000;
const STREAM_MS = 30_000;
const SILENCE_MS = 5000;

/** Milliseconds that the bundles of a stream may be apart. */
const BUNDLE_MS = 12_000;

/** Milliseconds after which the user hears that an input is waited for. */
const NOTICE_MS = 5000;

/** Milliseconds between two looks at a stream whose nature is not clear yet. */
const LOOK_MS = 100;

/** Milliseconds that an ffmpeg without further frames may take to end. */
const ENDING_MS = 1000;

/**
 * Microseconds that a file may be read late. A program that slept for longer goes on from where it
 * was: the missed frames would come all at once, and late.
 */
const MAX_LATE_US = 1_000_000;

const BEFORE_INPUT = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"];

/** The way to a moving test picture. */
function testWay({ width, height, fps }: VideoFormat): Way {
  const picture = `testsrc2=size=${width}x${height}:rate=${fps}`;
  return { args: ["-f", "lavfi", "-i", picture], pace: "file", timed: true, alone: false };
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
      // It is another kind of input than the way assumed: it is opened once more from its
      // beginning.
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
      // The question comes late on purpose. It takes as long as a camera takes to open, and an
      // ffmpeg that works need not be asked.
      asked = true;
      const ffmpeg = await findFfmpeg(ENCODERS[format.codec], watch);
      if (ffmpeg.passthrough !== passthrough) {
        passthrough = ffmpeg.passthrough;
        ways.unshift(way);
        continue;
      }
    }
    const cause = causeOf(words.problems).replace(`${args.at(-1)}: `, "");
    // The first failure is that of the wanted way. It does not count if it only says that a name is
    // no file's.
    if (!failure || failure.kind === "missing" && !/^Protocol not found/.test(cause)) {
      failure = new SourceError(kind, what, withoutSecrets(cause));
    }
    if (isCamera ? kind !== "unreadable" : kind === "list") break;
  }
  throw failure ?? new SourceError("unreadable", what);
}

/**
 * The way to open what is behind a URL, now that its first picture is there. Where ffmpeg's
 * description does not tell, pictures are skipped until their pace is clear. A stream gives at once
 * what its server holds, and then no more than time brings. A film goes on at once. An input that
 * ends during the look is a film, or a picture.
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

/** A picture, and the lease that counts its holders. */
type Picture = Pick<Frame, "data" | "lease">;

/** Gives the next frame out of an ffmpeg of ours, or `null` at its end. */
type NextPicture = () => Promise<Picture | null>;

/** An ffmpeg that opens an input, with its words and its pictures. */
class Opening {
  /** The ffmpeg. */
  readonly child: Child;
  /** The words of ffmpeg. */
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
        // The words of our filters about each picture are for us alone.
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

  /**
   * Leaves out the next picture if another one comes in that time. Resolves to `false` at the end.
   */
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

/** Tells the time at which a picture is due. */
interface Clock {
  /** Resolves when the next picture may be asked for. */
  untilAsked(): Promise<void>;
  /**
   * Resolves to the time at which the picture asked for at `askedUs` is due, once that time has
   * come.
   */
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
 * Paces a stream whose pictures come in bundles, such as the clusters of Matroska. A late bundle
 * delays all following pictures by as much, so that the next bundle is not late. If no picture was
 * waited for in a long time, the delay is larger than it needs to be. The stream then runs faster
 * until one is waited for.
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

/** The parts of a source, with an ffmpeg that has given its first frame. */
interface ChildSourceOptions {
  readonly format: VideoFormat;
  readonly what: SourceIdentity;
  /** The manner in which its pictures come. */
  readonly pace: Pace;
  /** Starts an ffmpeg that repeats the only picture of an input. Absent where an end is an end. */
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
      const keyframe = !isInterCoded(codec) || hasIdr(data);
      yield { ...picture, stream: 0, captureUs, sequence, keyframe };
    }
  }

  /** The next picture, or `null` after the last one. Throws `SourceError` at an unexpected end. */
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
    // An input of one picture lasts until somebody hangs up.
    this.#opening = this.#hold();
    this.#hold = undefined;
    return await this.#next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#opening.child.stop();
  }
}
