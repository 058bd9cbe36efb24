/**
 * A recording: every frame into an XVID AVI, through ffmpeg. The file lasts as long as the call.
 * The timeline decides the place of each frame, and ffmpeg is fed a constant rate.
 *
 * XVID is `-c:v mpeg4 -vtag XVID`, which OpenCV writes too. `-flush_packets 1` puts every packet on
 * the disk at once: even a killed ffmpeg leaves all but one frame (1.35 s are missing without it,
 * measured).
 */

import { type Child, type ChildEnd, type ChildWatch, openChild } from "./child.ts";
import { findFfmpeg } from "./ffmpeg.ts";
import {
  isInterCoded,
  maxDecodedPixels,
  nearestRate,
  type Rate,
  type VideoFormat,
} from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { ivfFrameHeader, ivfHeader } from "./ivf.ts";
import { FrameQueue } from "../frame/mailbox.ts";
import { hold } from "./recording_file.ts";
import type { Sink } from "../frame/sink.ts";
import { type Placed, Timeline } from "../frame/timeline.ts";
import { nowUs, type Timer, within } from "../clock.ts";

/** The encoder of recordings. */
const ENCODER = "mpeg4";

/**
 * The size up to which a second thread costs more than it gains: a quarter of the time at 320 x
 * 240, measured.
 */
const ONE_THREAD_PIXELS = 640 * 480;

/**
 * Bytes that may wait for a recorder that cannot keep up: 14 s of raw 320 x 240 at 20 frames a
 * second.
 */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

/**
 * Frames that may wait for it: 17 s at 120 frames a second. Each may be of a few bytes only, and a
 * whole queue of them has to be written within the time for the end.
 */
const MAX_QUEUED_FRAMES = 2048;

/** Bytes of frames that may be held until it is clear if they are late or the sender paused. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;
const MAX_HELD_FRAMES = 1024;

/** Milliseconds that ffmpeg may take to finish the file after the last frame. */
const FINISH_MS = 10_000;

/**
 * Microseconds without a new frame before the end that count as a pause of the sender. In a shorter
 * time the sender was only saying bye, and the recording ends with its last frame.
 */
const FINAL_PAUSE_US = 1_000_000;

/** The file to record to, and the frames for it. */
export interface RecorderOptions {
  /** The path of a file of ours, which is overwritten. */
  readonly path: string;
  /** The format of the frames. */
  readonly format: VideoFormat;
  /** Frames a second in the file. */
  readonly fps: number;
  /** The kind of the frames' times: those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
  /** Hears what its ffmpeg does. */
  readonly watch?: ChildWatch | undefined;
}

/** The failure of a recording that is empty because ffmpeg found no picture in its input. */
export const NO_PICTURES = "no picture in what came";

/** The content of a recording's file. */
export interface RecordedFile {
  /** Frames in the file, repeated ones among them. */
  readonly frames: number;
  /** Its duration in seconds. */
  readonly seconds: number;
  /** Frames received that are not in the file because ffmpeg could not keep up or failed. */
  readonly lost: number;
  /** The reason why it is not whole; nothing if it is. */
  readonly failure: string | undefined;
}

/** Arguments of ffmpeg for this recording. */
export function recorderArguments({ path, format, fps }: RecorderOptions): string[] {
  const { codec, width, height } = format;
  const large = width * height > ONE_THREAD_PIXELS;
  const rate = rateText(nearestRate(fps));
  const raw = [
    ...["-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", `${width}x${height}`],
    // An ffmpeg that is told the rate of the input only takes the next usual rate for the output: 1
    // in place of 1.00049.
    ...["-framerate", rate, "-i", "pipe:0", "-r", rate],
  ];
  // One thread decodes: each further one would hold a frame back, which a kill would lose. `-stats`
  // counts the frames.
  const encoded = [
    ...["-stats", "-probesize", "32", "-analyzeduration", "0", "-threads", "1"],
    ...["-max_pixels", `${maxDecodedPixels(format)}`, "-f", "ivf", "-i", "pipe:0"],
    // Players take the colours of this file for BT.601 in the range of television. The file has no
    // words for others.
    ...["-vf", `fps=${rate},scale=out_color_matrix=bt601:out_range=tv`, "-pix_fmt", "yuv420p"],
  ];
  return [
    ...["-hide_banner", "-nostats", "-loglevel", "warning", "-y"],
    ...(codec === "raw" ? raw : encoded),
    ...["-c:v", ENCODER, "-threads", large ? "0" : "1", "-vtag", "XVID", "-q:v", "3"],
    ...["-flush_packets", "1", "-f", "avi", `file:${path}`],
  ];
}

/** A rate as ffmpeg reads it without rounding. */
function rateText({ frames, seconds }: Rate): string {
  return seconds === 1 ? `${frames}` : `${frames}/${seconds}`;
}

/** Finds out if there is an ffmpeg to record with. Throws `NotInstalledError` or `FfmpegError`. */
export async function checkRecorder(watch?: ChildWatch): Promise<void> {
  await findFfmpeg(ENCODER, watch);
}

/**
 * A frame with its place in the file: the slots to fill before it, or its own slot if it is
 * encoded.
 */
interface Job {
  readonly frame: Frame;
  readonly repeatsBefore: number;
  readonly slot: number;
}

/**
 * Records frames to a file. The timeline puts raw pictures into their slots, and each is written as
 * often as it stands there. Encoded frames carry the time of their slot to ffmpeg, which repeats
 * and leaves out decoded pictures.
 */
export class Recorder implements Sink {
  /** The file. */
  readonly path: string;
  /** Resolves to the reason if ffmpeg fails before it was asked to finish, and never otherwise. */
  readonly failed: Promise<string>;
  readonly #child: Child;
  readonly #held: Deno.FsFile;
  readonly #format: VideoFormat;
  readonly #rate: Rate;
  readonly #timeline: Timeline<Frame>;
  readonly #queue = new FrameQueue<Job>(MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES);
  readonly #feeding: Promise<void>;
  #settling: Timer | undefined;
  #broken = false;
  #last: Frame | undefined;
  #lastPushUs = 0;
  #lastCaptureUs = 0;
  #pushed = 0;
  #written = 0;
  #lost = 0;
  #failure: string | undefined;
  #closing: Promise<RecordedFile> | undefined;

  /** Starts a recording. Throws `NotInstalledError` if there is no ffmpeg. */
  constructor(options: RecorderOptions) {
    this.path = options.path;
    this.#format = options.format;
    this.#rate = nearestRate(options.fps);
    // The file cannot say every rate. The places of the frames make up for the difference.
    this.#timeline = new Timeline(this.#rate.frames / this.#rate.seconds, options.stamps);
    this.#held = hold(options.path);
    try {
      const { watch } = options;
      const args = recorderArguments(options);
      this.#child = openChild({ command: "ffmpeg", args, flow: "fed", watch });
    } catch (error) {
      this.#held.close();
      throw error;
    }
    this.#feeding = this.#feed();
    this.failed = new Promise((resolve) => {
      this.#child.ended.then((end) => {
        this.#abandon();
        if (this.#closing) return;
        this.#failure = failureOf(end);
        resolve(this.#failure);
      });
    });
  }

  /** Frames received that found no place because ffmpeg does not keep up, or has failed. */
  get lost(): number {
    return this.#lost;
  }

  /** Bytes of frames that wait for ffmpeg. */
  get waitingBytes(): number {
    return this.#queue.bytes;
  }

  /** True if the frames came encoded, and ffmpeg has made nothing of them until now. */
  async isEmpty(): Promise<boolean> {
    if (this.#format.codec === "raw" || this.#pushed === 0) return false;
    return (await Deno.stat(this.path).catch(() => undefined))?.size === 0;
  }

  /** Takes a frame for the file, or counts it as lost. */
  push(frame: Frame): void {
    this.#pushed++;
    const room = this.#queue.hasRoom(frame.data.length);
    if (frame.keyframe) this.#broken = false;
    if (!room && isInterCoded(this.#format.codec)) this.#broken = true;
    if (this.#closing || this.#failure !== undefined || !room || this.#broken) {
      this.#lost++;
      return;
    }
    this.#lastPushUs = nowUs();
    this.#lastCaptureUs = frame.captureUs;
    frame.lease?.hold();
    const { thinned } = this.#timeline;
    const placed = this.#timeline.push(frame, frame.captureUs, this.#lastPushUs);
    if (this.#timeline.thinned > thinned) frame.lease?.letGo();
    if (this.#format.codec !== "raw") {
      // A frame without a slot of its own has to be decoded all the same. It shares the slot of the
      // one before it.
      this.#enqueue({ frame, repeatsBefore: 0, slot: this.#timeline.slots - 1 });
      return;
    }
    this.#place(placed);
    clearTimeout(this.#settling);
    const { held } = this.#timeline;
    if (held * frame.data.length > MAX_HELD_BYTES || held >= MAX_HELD_FRAMES) {
      this.#place(this.#timeline.settle());
    } else if (this.#timeline.unsettled) {
      this.#settling = setTimeout(
        () => this.#place(this.#timeline.settle()),
        this.#timeline.settleMs,
      );
    }
  }

  /**
   * Finishes the file. With `untilNow` it lasts until this moment if the sender paused at the end.
   * Without, it ends with the last frame. Safe twice.
   */
  close({ untilNow = false } = {}): Promise<RecordedFile> {
    return this.#closing ??= this.#close(untilNow);
  }

  /** Finishes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(untilNow: boolean): Promise<RecordedFile> {
    clearTimeout(this.#settling);
    this.#place(this.#timeline.settle());
    this.#queue.close();
    const endUs = nowUs();
    const pauseUs = endUs - this.#lastPushUs;
    const paused = untilNow && pauseUs > FINAL_PAUSE_US;
    const drained = this.#feeding.then(async () => {
      if (paused) await this.#fillUntil(this.#lastCaptureUs + pauseUs, endUs);
      return await this.#child.finish(FINISH_MS);
    });
    // A stuck ffmpeg gets no more time than one that takes long to finish.
    const end = await within(drained, FINISH_MS) ?? await this.#child.stop();
    await this.#feeding;
    this.#held.close();
    const earlier = this.#failure;
    if (end.code !== 0) this.#failure ??= failureOf(end);
    // An ffmpeg that was killed, or had no room to write, says nothing of the pictures.
    const hindered = earlier !== undefined || end.signalled || SYSTEM.test(this.#failure ?? "");
    if (!hindered && await this.isEmpty()) {
      return { frames: 0, seconds: 0, lost: this.#pushed, failure: NO_PICTURES };
    }
    const frames = this.#format.codec === "raw" ? this.#written : this.#countedFrames(end);
    const seconds = frames * this.#rate.seconds / this.#rate.frames;
    return { frames, seconds, lost: this.#lost, failure: this.#failure };
  }

  #place(placed: readonly Placed<Frame>[]): void {
    for (const { item, repeatsBefore } of placed) {
      this.#enqueue({ frame: item, repeatsBefore, slot: 0 });
    }
  }

  #enqueue(job: Job): void {
    if (this.#queue.push(job, job.frame.data.length)) return;
    this.#lost++;
    job.frame.lease?.letGo();
  }

  async #feed(): Promise<void> {
    const encoded = this.#format.codec !== "raw";
    if (encoded) await this.#child.write(ivfHeader(this.#format, this.#rate));
    let job: Job | undefined;
    while ((job = await this.#queue.take()) !== undefined) {
      if (!encoded) await this.#repeat(job.repeatsBefore);
      this.#last?.lease?.letGo();
      this.#last = job.frame;
      const written = encoded
        ? await this.#writeEncoded(job.frame, job.slot)
        : await this.#repeat(1);
      if (!written) {
        this.#lost++;
        return this.#abandon();
      }
    }
  }

  /** Gives up the frames that wait for an ffmpeg that takes nothing more. */
  #abandon(): void {
    for (const { frame } of this.#queue.abandon()) {
      this.#lost++;
      frame.lease?.letGo();
    }
  }

  /** Makes the recording last until then: the last frame is repeated if it stands alone. */
  async #fillUntil(captureUs: number, arrivalUs: number): Promise<void> {
    const { codec } = this.#format;
    if (codec === "raw") {
      await this.#repeat(this.#timeline.repeatsUntil(captureUs, arrivalUs));
    } else if (this.#last && !isInterCoded(codec)) {
      if (this.#timeline.repeatsUntil(captureUs, arrivalUs) === 0) return;
      await this.#writeEncoded(this.#last, this.#timeline.slots - 1);
    }
  }

  /** Writes an encoded frame. Resolves to true if ffmpeg took it. */
  async #writeEncoded(frame: Frame, slot: number): Promise<boolean> {
    const header = ivfFrameHeader(frame.data.length, slot);
    return await this.#child.write(header) && await this.#child.write(frame.data);
  }

  /** Writes the last raw frame that many times. Resolves to true if ffmpeg took them. */
  async #repeat(times: number): Promise<boolean> {
    for (let time = 0; time < times && this.#last; time++) {
      if (!await this.#child.write(this.#last.data)) return false;
      this.#written++;
    }
    return true;
  }

  /**
   * The number of frames that ffmpeg says it has written. For a killed one, it is the number of
   * frames that it was given.
   */
  #countedFrames({ lastLines }: ChildEnd): number {
    const stats = lastLines.findLast(isStats);
    const [, frames] = /frame=\s*(\d+)/.exec(stats ?? "") ?? [];
    return frames === undefined ? this.#timeline.slots : Number(frames);
  }
}

function isStats(line: string): boolean {
  return line.startsWith("frame=");
}

/**
 * True if an ffmpeg failed because the system did not let it write: another one would fail as well.
 */
export function isSystemFailure(failure: string): boolean {
  return SYSTEM.test(failure);
}

/** The words of ffmpeg for a system that does not let it write. */
const SYSTEM = /No space left|Permission denied|Input\/output error/;

function failureOf({ code, lastLines }: ChildEnd): string {
  const words = lastLines.filter((line) => !isStats(line));
  // The cause comes first, and its consequences last.
  return words.find((line) => SYSTEM.test(line)) ?? words.at(-1) ??
    `ffmpeg ended with status ${code}`;
}
