/**
 * Captures from cameras and other inputs: an ffmpeg of ours gives frames.
 *
 * A camera is read as it comes: a frame's capture time is the moment it arrives from ffmpeg. A file
 * or a test picture is read on our own clock, one frame each 1/fps seconds. Without that clock, it
 * would come as fast as the processor allows. ffmpeg's own pacing starts with a burst in some
 * versions.
 */

import type { ChildWatch } from "./child.ts";
import type { Demuxer } from "./demuxer.ts";
import { NoCameraError, SourceError, type SourceIdentity } from "../errors.ts";
import { type Ffmpeg, findFfmpeg } from "./ffmpeg.ts";
import { type Format, isInterCoded, PCM, SOUND_FPS, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { hasIdr } from "./h264.ts";
import {
  causeOf,
  diagnose,
  guardArguments,
  inputWays,
  isSentToUs,
  isTimed,
  type Pace,
  paceOf,
  refusedFormat,
  testWay,
  type Way,
  withoutSecrets,
} from "./input.ts";
import { nowUs, within } from "../clock.ts";
import { merged } from "./merged.ts";
import { Opening, type Picture } from "./opening.ts";
import { BUNDLE_MS, type Clock, FileClock, SoundPacer, StreamClock } from "./pacing.ts";
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
  /**
   * True if the sound of an input is wanted beside its pictures, where it has any. The test picture
   * then ticks and flashes.
   */
  readonly sound?: boolean | undefined;
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

/** Milliseconds after which the user hears that an input is waited for. */
const NOTICE_MS = 5000;

/** Milliseconds between two looks at a stream whose nature is not clear yet. */
const LOOK_MS = 100;

/** Microseconds of a frame of sound. */
const SOUND_SLOT_US = 1e6 / SOUND_FPS;

/** Milliseconds that an ffmpeg without further frames may take to end. */
const ENDING_MS = 1000;

const BEFORE_INPUT = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"];

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

/** Opens a source in the first way that works. */
async function openWays(
  ways: Way[],
  what: SourceIdentity,
  { format, mirror, onWaiting, onWay, sound = false, watch }: SourceOptions,
  signal: AbortSignal,
): Promise<Source> {
  const { isCamera, name } = what;
  const isStream = !isCamera && ways.some(({ pace }) => pace !== "file");
  let notice = isStream ? onWaiting : undefined;
  let passthrough: Ffmpeg["passthrough"] = "-fps_mode";
  let asked = false;
  let withSound = sound && !isCamera;
  let also: string | undefined;
  let failure: SourceError | undefined;
  const count = ways.length;
  for (let way = ways.shift(); way; way = ways.shift()) {
    signal.throwIfAborted();
    const { pace, timed, args } = way;
    const before = [...BEFORE_INPUT, ...guardArguments(way, also), ...args];
    const manner = withSound ? timed ? "steady" : "fast" : undefined;
    const output = { mirror, live: !timed, sound: manner, passthrough } as const;
    const observed = pace === "unknown" ? "lead" : pace === "file" ? "second" : undefined;
    const tell = (outcome: string): void =>
      onWay?.(`way ${count - ways.length} of ${count}, ${args.join(" ")}: ${outcome}`);
    const watched = outputArguments(format, { ...output, observed });
    const opening = new Opening([...before, ...watched], { format, sound: manner, watch });
    const { words } = opening;
    const abort = (): void => void opening.stop();
    signal.addEventListener("abort", abort, { once: true });
    const slow = setTimeout(() => {
      notice?.(name);
      notice = undefined;
    }, NOTICE_MS);
    const first = await within(opening.next(), isStream ? STREAM_MS : OPEN_MS);
    clearTimeout(slow);
    const isFilm = pace === "file" && opening.sound !== undefined;
    if (first && isFilm && await opening.isOnly(first, ENDING_MS)) {
      // A cover lasts until somebody hangs up. The song behind it does not.
      signal.removeEventListener("abort", abort);
      await opening.stop();
      withSound = false;
      ways.unshift(way);
      continue;
    }
    if (first && !isFilm) opening.putBack(first);
    const better = first && pace === "unknown" ? await judge(opening, way) : way;
    signal.removeEventListener("abort", abort);
    if (first && better.timed === timed && (better.pace !== "file" || opening.skipped === 0)) {
      const still = outputArguments(format, { ...output, sound: undefined, still: true });
      const hold = better.pace === "file"
        ? (): Opening => new Opening([...before, ...still], { format, watch })
        : undefined;
      tell(`opened, ${better.pace === "live" ? "as it comes" : "paced by our clock"}`);
      return new ChildSource(opening, { format, what, pace: better.pace, hold });
    }
    await opening.stop();
    signal.throwIfAborted();
    if (!first && withSound && words.hasSound) {
      // Its sound may be what cannot be read, or what never comes.
      tell("not with its sound");
      withSound = false;
      ways.unshift(way);
      continue;
    }
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
  readonly formats: readonly Format[];
  readonly #format: VideoFormat;
  readonly #what: SourceIdentity;
  readonly #pace: Pace;
  #hold: ChildSourceOptions["hold"];
  readonly #stopping = new AbortController();
  #opening: Opening;

  constructor(opening: Opening, { format, what, pace, hold }: ChildSourceOptions) {
    this.#opening = opening;
    this.#format = format;
    this.#what = what;
    this.#pace = pace;
    this.#hold = hold;
    this.formats = opening.sound ? [format, PCM] : [format];
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async *frames(): AsyncGenerator<Frame, void, undefined> {
    const { fps } = this.#format;
    const { signal } = this.#stopping;
    const clock = this.#pace === "file"
      ? new FileClock(signal)
      : this.#pace === "steady"
      ? new StreamClock(fps, signal)
      : undefined;
    const { sound } = this.#opening;
    const pictures = this.#pictures(clock);
    if (sound === undefined) yield* pictures;
    else yield* merged(pictures, clock ? this.#sound(sound, clock) : this.#liveSound(sound));
  }

  async *#pictures(clock: Clock | undefined): AsyncGenerator<Frame, void, undefined> {
    const { codec, fps } = this.#format;
    for (let sequence = 0;; sequence++) {
      const timeUs = Math.round(sequence * 1e6 / fps);
      await clock?.untilAsked(timeUs);
      const askedUs = nowUs();
      const picture = await this.#next();
      if (picture === null || this.#isStopped) return;
      const { data } = picture;
      const captureUs = await clock?.untilDue(timeUs, askedUs) ?? nowUs();
      if (this.#isStopped) return;
      const keyframe = !isInterCoded(codec) || hasIdr(data);
      yield { ...picture, stream: 0, captureUs, sequence, keyframe };
    }
  }

  /** Sound that has times, beside the pictures of the same clock. */
  async *#sound(sound: Demuxer, clock: Clock): AsyncGenerator<Frame, void, undefined> {
    // Pictures that were left out at the beginning had their sound.
    const sinceUs = this.#opening.skipped * 1e6 / this.#format.fps;
    while (true) {
      const askedUs = nowUs();
      const next = await sound.nextSound();
      if (next === null || this.#isStopped) return;
      const { data, number: sequence } = next;
      const timeUs = Math.round(sequence * SOUND_SLOT_US - sinceUs);
      if (timeUs < 0) continue;
      const captureUs = await clock.untilDue(timeUs, askedUs);
      if (this.#isStopped) return;
      yield { stream: 1, data, captureUs, sequence, keyframe: true };
    }
  }

  /** Sound that is heard when it comes. */
  async *#liveSound(sound: Demuxer): AsyncGenerator<Frame, void, undefined> {
    const pacer = new SoundPacer(this.#stopping.signal);
    // It may have waited for its first taker.
    sound.dropSound();
    while (true) {
      const next = await sound.nextSound();
      if (next === null || this.#isStopped) return;
      const { data, number: sequence } = next;
      const captureUs = await pacer.untilDue();
      if (this.#isStopped) return;
      sound.dropSound(pacer.surplus(sound.soundWaiting));
      yield { stream: 1, data, captureUs, sequence, keyframe: true };
    }
  }

  /** The next picture, or `null` after the last one. Throws `SourceError` at an unexpected end. */
  async #next(): Promise<Picture | null> {
    const { child, words } = this.#opening;
    const silenceMs = this.#pace === "steady" ? BUNDLE_MS : SILENCE_MS;
    const picture = await within(this.#opening.next(), silenceMs);
    if (this.#isStopped) return null;
    if (picture === undefined) throw new SourceError("silent", this.#what);
    if (picture !== null) return picture;
    const end = await within(child.ended, ENDING_MS) ?? await child.stop();
    if (this.#isStopped) return null;
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
    this.#stopping.abort();
    await this.#opening.stop();
  }
}
