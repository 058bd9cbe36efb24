/**
 * The recording of a call: one file, and another one if ffmpeg fails during the call. It begins
 * with the first picture, or with the first sound of a call without pictures: a peer that sends
 * nothing leaves no file behind.
 */

import { DEFAULT_FORMAT, isInterCoded, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import type { Sink } from "../frame/sink.ts";
import { nowUs } from "../clock.ts";
import type { ChildWatch } from "./child.ts";
import {
  isSystemFailure,
  NO_PICTURES,
  type RecordedFile,
  Recorder,
  type SoundSize,
  type VoiceName,
} from "./recorder.ts";
import type { Encoder } from "./recorder_arguments.ts";
import { reserveFile } from "./recording_file.ts";

/**
 * Microseconds of life after which the failure of an ffmpeg is worth another try. One that fails
 * sooner would fail again: its input or this machine is to blame.
 */
const LEAST_LIFE_US = 2_000_000;

/** The frames to record, and the listeners. */
export interface RecordingOptions {
  /** The file that the user wants. A file that exists is kept, and the next name is taken. */
  readonly wanted: string;
  /** The format of the pictures. Nothing if there are none. */
  readonly format: VideoFormat | undefined;
  /** The encoder of pictures that are not copied: `mpeg4` if not given. */
  readonly encoder?: Encoder | undefined;
  /** The size of the sound. Nothing if there is none. */
  readonly sound?: SoundSize | undefined;
  /** The time of our clock at which it begins: with its first frame if not given. */
  readonly originUs?: number | undefined;
  /** Makes the first file. One is made under the wanted name if not given. */
  readonly reserve?: (() => Promise<string>) | undefined;
  /** The kind of the frames' times: those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
  /** Hears what its ffmpegs do. */
  readonly watch?: ChildWatch | undefined;
  /** Hears of each file that is begun. */
  readonly onBegun: (path: string) => void;
  /** Hears that nothing can be recorded, and why. */
  readonly onRefused: (error: unknown) => void;
  /**
   * Hears that a file ends before the call does, and why. Another file is begun if there is hope
   * for it.
   */
  readonly onBroken: (path: string, detail: string) => void;
}

/** A file of a recording, and its content. */
export interface FinishedFile extends RecordedFile {
  /** The file. */
  readonly path: string;
}

/**
 * Frames of sound that are held until the recording begins: 10 s of one voice. It comes before the
 * pictures of its moment, and a camera takes its time to open.
 */
const MAX_HELD_SOUND = 1000;

/** A frame that waits until the file is made. Its time is that of its arrival all the same. */
interface Waiting {
  readonly frame: Frame;
  readonly arrivedUs: number;
  /** The voice, if it is sound. */
  readonly voice?: VoiceName;
}

/** Records a call. */
export class Recording implements Sink {
  readonly #options: RecordingOptions;
  readonly #finished: Promise<FinishedFile>[] = [];
  #recorder: Recorder | undefined;
  #opening: Promise<void> | undefined;
  /** The pictures and the sound that wait until the file is made. */
  readonly #pictures: Waiting[] = [];
  readonly #sound: Waiting[] = [];
  #startUs = 0;
  #over = false;
  #lostBetween = 0;
  #closing: Promise<readonly FinishedFile[]> | undefined;

  /** Prepares a recording, which begins with the first frame. */
  constructor(options: RecordingOptions) {
    this.#options = options;
  }

  /** The file that is being recorded to. */
  get path(): string | undefined {
    return this.#recorder?.path;
  }

  /** Frames that came and found no place. */
  get lost(): number {
    return this.#lostBetween + (this.#recorder?.lost ?? 0);
  }

  /** True if frames came and ffmpeg has made nothing of them until now. */
  async isEmpty(): Promise<boolean> {
    return await this.#recorder?.isEmpty() ?? false;
  }

  /** Takes a picture for the file, or counts it as lost. */
  push(frame: Frame): void {
    const { format } = this.#options;
    if (format === undefined) return;
    if (this.#recorder) return this.#recorder.push(frame);
    if (this.#over) return void this.#lostBetween++;
    const first = this.#opening === undefined;
    if (first && !frame.keyframe && isInterCoded(format.codec)) {
      this.#lostBetween++;
      return;
    }
    frame.lease?.hold();
    this.#pictures.push({ frame, arrivedUs: nowUs() });
    if (first) this.#opening = this.#open();
  }

  /** Takes 10 ms of PCM of a voice for the file. */
  pushSound(voice: VoiceName, frame: Frame): void {
    if (this.#recorder) return this.#recorder.pushSound(voice, frame);
    const { format, sound } = this.#options;
    if (sound === undefined || this.#over) return;
    frame.lease?.hold();
    this.#sound.push({ frame, arrivedUs: nowUs(), voice });
    if (this.#sound.length > MAX_HELD_SOUND) this.#sound.shift()!.frame.lease?.letGo();
    if (format === undefined) this.#opening ??= this.#open();
  }

  /**
   * Finishes the open file. With `untilNow` it lasts until this moment if the peer paused at the
   * end. Resolves to all files of the call, in order. Safe twice.
   */
  close({ untilNow = false } = {}): Promise<readonly FinishedFile[]> {
    return this.#closing ??= this.#close(untilNow);
  }

  /** Finishes the open file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(untilNow: boolean): Promise<readonly FinishedFile[]> {
    this.#over = true;
    await this.#opening;
    const recorder = this.#recorder;
    if (recorder) this.#finish(recorder, untilNow);
    for (const { frame } of this.#sound.splice(0)) frame.lease?.letGo();
    return await Promise.all(this.#finished);
  }

  async #open(): Promise<void> {
    const recorder = await this.#begin();
    this.#opening = undefined;
    this.#recorder = recorder;
    for (const { voice, frame, arrivedUs } of this.#takeWaiting()) {
      if (voice) recorder?.pushSound(voice, frame, arrivedUs);
      else if (recorder) recorder.push(frame, arrivedUs);
      else this.#lostBetween++;
      frame.lease?.letGo();
    }
  }

  /** All that waits, in the order of its arrival, behind the picture that the file begins with. */
  #takeWaiting(): Waiting[] {
    const [first, ...pictures] = this.#pictures.splice(0);
    const rest = [...pictures, ...this.#sound.splice(0)]
      .toSorted((one, other) => one.arrivedUs - other.arrivedUs);
    return first ? [first, ...rest] : rest;
  }

  /** Starts a recorder on a file of its own. Resolves to nothing if that cannot be. */
  async #begin(): Promise<Recorder | undefined> {
    const { wanted, reserve, format, encoder, sound, stamps, watch, onBegun, onRefused } =
      this.#options;
    let reserved: string | undefined;
    try {
      const isFirst = this.#finished.length === 0;
      const path = reserved = isFirst && reserve ? await reserve() : await reserveFile(wanted);
      const { fps } = format ?? DEFAULT_FORMAT;
      const originUs = isFirst ? this.#options.originUs : undefined;
      const recorder = new Recorder({ originUs, path, format, encoder, sound, fps, stamps, watch });
      this.#startUs = nowUs();
      recorder.failed.then((detail) => this.#goOn(recorder, detail));
      onBegun(path);
      return recorder;
    } catch (error) {
      // There is no file, no ffmpeg or no room for another process: the call goes on without a
      // recording.
      if (reserved !== undefined) await Deno.remove(reserved).catch(() => {});
      this.#over = true;
      onRefused(error);
      return undefined;
    }
  }

  /** Goes on in another file, if there is hope for that. */
  #goOn(broken: Recorder, detail: string): void {
    const hopeless = this.#over || isSystemFailure(detail) || detail === NO_PICTURES ||
      nowUs() - this.#startUs < LEAST_LIFE_US;
    this.#options.onBroken(broken.path, detail);
    if (hopeless) return;
    // The next frame begins the next file.
    this.#recorder = undefined;
    this.#lostBetween += broken.lost;
    this.#finish(broken, false);
  }

  #finish(recorder: Recorder, untilNow: boolean): void {
    const { path } = recorder;
    this.#finished.push(recorder.close({ untilNow }).then((file) => ({ ...file, path })));
  }
}
