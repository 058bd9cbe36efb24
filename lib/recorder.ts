/**
 * A recording: every frame into an XVID AVI, through ffmpeg. The file lasts as long as the call: the timeline decides
 * where each frame belongs, and ffmpeg is fed a constant rate.
 *
 * XVID is `-c:v mpeg4 -vtag XVID`, what OpenCV writes too. `-flush_packets 1` puts every packet on the disk at once: even
 * a killed ffmpeg leaves all but one frame (1.35 s are missing without it, measured).
 */

import { type Child, type ChildEnd, openChild, readCommand } from "./child.ts";
import { RecordingError } from "./errors.ts";
import { type Frame, rawFrameBytes, type VideoFormat } from "./frame.ts";
import { FrameQueue } from "./mailbox.ts";
import type { Sink } from "./sink.ts";
import { type Placed, Timeline } from "./timeline.ts";
import { nowUs, type Timer } from "./clock.ts";

/** What may wait for a recorder that cannot keep up, in bytes: 14 s of raw 320 x 240 at 20 frames a second. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

/** How long ffmpeg may take to say its version, in milliseconds. */
const CHECK_MS = 5000;

/** How long ffmpeg may take to write what it has after the last frame, in milliseconds. */
const FINISH_MS = 10_000;

/**
 * A sender that showed nothing new for longer than this before it hung up did pause, in microseconds; below it, it was
 * only taking its leave, and the recording ends with its last frame.
 */
const FINAL_PAUSE_US = 1_000_000;

/** What to record and how. */
export interface RecorderOptions {
  /** A file of ours, which is overwritten. */
  readonly path: string;
  readonly format: VideoFormat;
  /** Frames a second in the file. */
  readonly fps: number;
  /** Whether the frames' times are those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
}

/** What is in a recording. */
export interface Recording {
  /** Frames in the file, repeated ones among them. */
  readonly frames: number;
  /** Its duration in seconds. */
  readonly seconds: number;
  /** Frames received that are not in the file because ffmpeg could not keep up or failed. */
  readonly lost: number;
  /** Why it is not whole, where it is not. */
  readonly failure: string | undefined;
}

/** Arguments of ffmpeg for this recording. */
export function recorderArguments({ path, format, fps }: RecorderOptions): string[] {
  const { width, height } = format;
  return [
    ...["-hide_banner", "-nostats", "-loglevel", "warning", "-y"],
    ...["-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", `${width}x${height}`],
    ...["-framerate", `${fps}`, "-i", "pipe:0"],
    ...["-c:v", "mpeg4", "-vtag", "XVID", "-q:v", "3"],
    ...["-flush_packets", "1", "-f", "avi", `file:${path}`],
  ];
}

/**
 * Makes the file that is to be recorded to, under the first name that is free: `video.avi`, `video-2.avi`, … It never
 * touches a file that is there, nor follows a link that somebody put in its place. Throws `RecordingError`.
 */
export async function reserveFile(wanted: string): Promise<string> {
  for (let number = 1;; number++) {
    const path = number === 1 ? wanted : numbered(wanted, number);
    try {
      (await Deno.open(path, { write: true, createNew: true })).close();
      return path;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      throw recordingError(wanted, error);
    }
  }
}

/**
 * Finds out whether a recording can be made there, by making and removing a file beside it, before anybody is answered.
 * Throws `RecordingError`.
 */
export async function checkFolder(wanted: string): Promise<void> {
  try {
    if ((await Deno.stat(wanted)).isDirectory) throw new RecordingError("is-folder", wanted);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw recordingError(wanted, error);
  }
  const probe = await reserveFile(wanted);
  await Deno.remove(probe);
}

/** Finds out whether there is an ffmpeg to record with. Throws `NotInstalledError`. */
export async function checkRecorder(): Promise<void> {
  await readCommand("ffmpeg", ["-version"], CHECK_MS);
}

function numbered(path: string, number: number): string {
  const [, stem, extension] = /^(.*?)(\.[^./\\]*)?$/s.exec(path)!;
  return `${stem}-${number}${extension ?? ""}`;
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

/** Records frames to a file. */
export class Recorder implements Sink {
  /** The file. */
  readonly path: string;
  /** Resolves with the reason when ffmpeg fails before it was asked to finish, and never otherwise. */
  readonly failed: Promise<string>;
  readonly #child: Child;
  readonly #fps: number;
  readonly #frameBytes: number;
  readonly #timeline: Timeline<Frame>;
  readonly #queue = new FrameQueue<Placed<Frame>>(MAX_QUEUED_BYTES);
  readonly #feeding: Promise<void>;
  #settling: Timer | undefined;
  #last: Frame | undefined;
  #lastPushUs = 0;
  #lastCaptureUs = 0;
  #written = 0;
  #lost = 0;
  #failure: string | undefined;
  #closing: Promise<Recording> | undefined;

  /** Starts a recording. Throws `NotInstalledError` where there is no ffmpeg. */
  constructor(options: RecorderOptions) {
    this.path = options.path;
    this.#fps = options.fps;
    this.#frameBytes = rawFrameBytes(options.format);
    this.#timeline = new Timeline(options.fps, options.stamps);
    this.#child = openChild({ command: "ffmpeg", args: recorderArguments(options), flow: "fed" });
    this.#feeding = this.#feed();
    this.failed = new Promise((resolve) => {
      this.#child.ended.then((end) => {
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

  push(frame: Frame): void {
    if (this.#closing || this.#failure !== undefined || !this.#queue.hasRoom(this.#frameBytes)) {
      this.#lost++;
      return;
    }
    this.#lastPushUs = nowUs();
    this.#lastCaptureUs = frame.captureUs;
    this.#enqueue(this.#timeline.push(frame, frame.captureUs, this.#lastPushUs));
    if (this.#timeline.unsettled) {
      this.#settling ??= setTimeout(() => {
        this.#settling = undefined;
        this.#enqueue(this.#timeline.settle());
      }, this.#timeline.settleMs);
    }
  }

  /**
   * Finishes the file. `untilNow` makes it last until this moment where the sender paused at the end; without, it ends with
   * the last frame. Safe twice.
   */
  close({ untilNow = false } = {}): Promise<Recording> {
    return this.#closing ??= this.#close(untilNow);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(untilNow: boolean): Promise<Recording> {
    clearTimeout(this.#settling);
    this.#enqueue(this.#timeline.settle());
    this.#queue.close();
    const endUs = nowUs();
    const pauseUs = endUs - this.#lastPushUs;
    const repeatsAfter = untilNow && pauseUs > FINAL_PAUSE_US
      ? this.#timeline.repeatsUntil(this.#lastCaptureUs + pauseUs, endUs)
      : 0;
    const drained = this.#feeding.then(async () => {
      await this.#repeat(repeatsAfter);
      return await this.#child.finish(FINISH_MS);
    });
    const end = await drained ?? await this.#child.stop();
    if (end.code !== 0) this.#failure ??= failureOf(end);
    return {
      frames: this.#written,
      seconds: this.#written / this.#fps,
      lost: this.#lost,
      failure: this.#failure,
    };
  }

  #enqueue(placed: readonly Placed<Frame>[]): void {
    for (const one of placed) {
      if (!this.#queue.push(one, this.#frameBytes)) this.#lost++;
    }
  }

  async #feed(): Promise<void> {
    let placed: Placed<Frame> | undefined;
    while ((placed = await this.#queue.take()) !== undefined) {
      await this.#repeat(placed.repeatsBefore);
      this.#last = placed.item;
      await this.#repeat(1);
    }
  }

  /** Writes the last frame that many times. */
  async #repeat(times: number): Promise<void> {
    for (let time = 0; time < times && this.#last; time++) {
      if (!await this.#child.write(this.#last.data)) {
        // Whatever comes behind it is lost as well: the count goes on, the file does not.
        if (time === times - 1) this.#lost++;
        continue;
      }
      this.#written++;
    }
  }
}

function failureOf(end: ChildEnd): string {
  return end.lastLines[end.lastLines.length - 1] ?? `ffmpeg ended with status ${end.code}`;
}
