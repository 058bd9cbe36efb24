/**
 * A recording: every frame into a file, through ffmpeg. The file lasts as long as the call.
 * The timeline decides the place of each frame, and ffmpeg is fed a constant rate.
 *
 * Sound is one track of all voices (sound_track.ts). It goes into the same container as the
 * pictures: an ffmpeg with two inputs waits for the one while the other is full. Sound is written
 * all the time, some way behind the pictures: where it pauses, ffmpeg holds the pictures back, and
 * a kill then loses four seconds of them (measured).
 */

import { type Child, type ChildEnd, type ChildWatch, openChild } from "./child.ts";
import { isInterCoded, nearestRate, PCM, type Rate, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { FrameQueue } from "../frame/mailbox.ts";
import { hasParameterSets } from "./h264.ts";
import { MatroskaWriter } from "./matroska.ts";
import { type Encoder, isCopied, recorderArguments } from "./recorder_arguments.ts";
import { hold } from "./recording_file.ts";
import type { Sink } from "../frame/sink.ts";
import { SoundTrack } from "../frame/sound_track.ts";
import { CallClock, type Placed, Timeline } from "../frame/timeline.ts";
import { nowUs, type Timer, within } from "../clock.ts";

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

/** Milliseconds between two pieces of sound that are written: each costs as much as a longer one. */
const SOUND_EVERY_MS = 50;

/** Microseconds that voices may take to arrive. Sound is written when they are over. */
const SOUND_BEHIND_US = 100_000;

/** Microseconds that the track may be behind the sound that comes before more of it is written. */
const MOST_BEHIND_US = 1_000_000;

/** Microseconds between two pictures that are copied: a Matroska counts milliseconds. */
const LEAST_STEP_US = 1000;

/**
 * The longest piece, in microseconds and in bytes. A machine that slept for hours has hours of
 * silence to write.
 */
const MOST_SOUND_US = 2_000_000;
const MOST_SOUND_BYTES = MOST_SOUND_US / 1e6 * PCM.rate * Int16Array.BYTES_PER_ELEMENT;

/** The codec of the sound in a file: as it is, or in a quarter of the bytes. */
export type SoundSize = "full" | "small";

/** The voices of a call. */
export type VoiceName = "peer" | "own";

/** The file to record to, and the frames for it. */
export interface RecorderOptions {
  /** The path of a file of ours, which is overwritten. Its ending says the kind of the file. */
  readonly path: string;
  /** The format of the pictures. Nothing if only sound is recorded. */
  readonly format: VideoFormat | undefined;
  /** The encoder of pictures that are not copied: `mpeg4` if not given. */
  readonly encoder?: Encoder | undefined;
  /** Pictures a second in the file. */
  readonly fps: number;
  /** The size of the sound. Nothing if none is recorded. */
  readonly sound?: SoundSize | undefined;
  /** The time of our clock at which the recording begins: with its first frame if not given. */
  readonly originUs?: number | undefined;
  /** The kind of the frames' times: those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
  /** Hears what its ffmpeg does. */
  readonly watch?: ChildWatch | undefined;
}

/** The failure of a recording that is empty because ffmpeg found no picture in its input. */
export const NO_PICTURES = "no picture in what came";

/** The content of a recording's file. */
export interface RecordedFile {
  /** Pictures in the file, repeated ones among them. */
  readonly frames: number;
  /** Its duration in seconds. */
  readonly seconds: number;
  /** Frames received that are not in the file because ffmpeg could not keep up or failed. */
  readonly lost: number;
  /** The reason why it is not whole; nothing if it is. */
  readonly failure: string | undefined;
}

/**
 * A picture with its place in the file: the slots to fill before it, or its own slot if it is
 * encoded.
 */
interface PictureJob {
  readonly frame: Frame;
  readonly repeatsBefore: number;
  readonly slot: number;
}

/** A piece of the sound track, and the time of its first sample. */
interface SoundJob {
  readonly sound: Int16Array<ArrayBuffer>;
  readonly atUs: number;
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
  readonly #format: VideoFormat | undefined;
  readonly #rate: Rate;
  readonly #isCopied: boolean;
  readonly #clock = new CallClock();
  readonly #timeline: Timeline<Frame>;
  readonly #sound: SoundTrack | undefined;
  /** The container. Raw pictures without sound need none. */
  readonly #container: MatroskaWriter | undefined;
  readonly #queue = new FrameQueue<PictureJob | SoundJob>(MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES);
  readonly #feeding: Promise<void>;
  #settling: Timer | undefined;
  #sounding: Timer | undefined;
  #broken = false;
  #last: Frame | undefined;
  #lastPushUs = 0;
  #lastCaptureUs = 0;
  #pushed = 0;
  #written = 0;
  #hasPicture = false;
  #lastCopiedUs = -LEAST_STEP_US;
  #lost = 0;
  #failure: string | undefined;
  #closing: Promise<RecordedFile> | undefined;

  /** Starts a recording. Throws `NotInstalledError` if there is no ffmpeg. */
  constructor(options: RecorderOptions) {
    const { path, format, fps, stamps, sound, originUs, watch } = options;
    this.path = path;
    this.#format = format;
    this.#rate = nearestRate(fps);
    this.#isCopied = isCopied(options);
    // A file is nothing without the parameters of its pictures.
    this.#broken = this.#isCopied;
    if (originUs !== undefined) this.#clock.begin(originUs);
    // The file cannot say every rate. The places of the frames make up for the difference.
    const exactFps = this.#rate.frames / this.#rate.seconds;
    const isTimed = sound !== undefined || originUs !== undefined;
    this.#timeline = new Timeline(exactFps, stamps, isTimed ? this.#clock : undefined);
    this.#sound = sound && new SoundTrack();
    const tracks = [...(format ? [format] : []), ...(sound ? [PCM] : [])];
    const isBare = format?.codec === "raw" && sound === undefined;
    this.#container = isBare ? undefined : new MatroskaWriter(tracks);
    this.#held = hold(path);
    try {
      const args = recorderArguments(options);
      this.#child = openChild({ command: "ffmpeg", args, flow: "fed", watch });
    } catch (error) {
      this.#held.close();
      throw error;
    }
    this.#feeding = this.#feed();
    if (sound) this.#sounding = setInterval(() => this.#writeSound(), SOUND_EVERY_MS);
    this.failed = new Promise((resolve) => {
      this.#child.ended.then((end) => {
        this.#abandon();
        if (this.#closing) return;
        this.#failure = failureOf(end);
        resolve(this.#failure);
      });
    });
  }

  /** The time of our clock at which the recording begins. Nothing before its first frame. */
  get originUs(): number | undefined {
    return this.#clock.originUs;
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
    if (this.#format === undefined || this.#format.codec === "raw" || this.#pushed === 0) {
      return false;
    }
    return (await Deno.stat(this.path).catch(() => undefined))?.size === 0;
  }

  /** Takes a picture for the file, or counts it as lost. It may have arrived some time ago. */
  push(frame: Frame, arrivedUs: number = nowUs()): void {
    const format = this.#format;
    if (format === undefined) return;
    this.#pushed++;
    const room = this.#queue.hasRoom(frame.data.length);
    if (frame.keyframe) this.#broken = this.#isCopied && !hasParameterSets(frame.data);
    if (!room && isInterCoded(format.codec)) this.#broken = true;
    if (this.#closing || this.#failure !== undefined || !room || this.#broken) {
      this.#lost++;
      return;
    }
    this.#lastPushUs = arrivedUs;
    this.#lastCaptureUs = frame.captureUs;
    frame.lease?.hold();
    const { thinned } = this.#timeline;
    const placed = this.#timeline.push(frame, frame.captureUs, this.#lastPushUs);
    if (this.#timeline.thinned > thinned) frame.lease?.letGo();
    if (format.codec !== "raw") {
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
   * Takes 10 ms of PCM of a voice, which may have arrived some time ago. A recording with pictures
   * begins with the first of these, unless its beginning is given: sound before that is left out.
   */
  pushSound(voice: VoiceName, { data, captureUs }: Frame, arrivedUs: number = nowUs()): void {
    if (this.#sound === undefined || this.#closing) return;
    if (this.#format === undefined) this.#clock.begin(arrivedUs);
    const { originUs } = this.#clock;
    if (originUs === undefined) return;
    // The track has room for two seconds. Sound that waited for the file may be longer.
    const behindUs = arrivedUs - originUs - this.#sound.takenUs;
    if (behindUs > MOST_BEHIND_US) this.#takeSound(arrivedUs - originUs - SOUND_BEHIND_US);
    // The peer's sound is on the clock of its pictures, and ours on our own.
    const atUs = voice === "own" ? captureUs - originUs : this.#clock.since(captureUs, arrivedUs);
    this.#sound.add(voice, samplesOf(data), atUs);
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
    clearInterval(this.#sounding);
    this.#place(this.#timeline.settle());
    const endUs = nowUs();
    this.#queue.close();
    const pauseUs = endUs - this.#lastPushUs;
    const paused = untilNow && this.#format !== undefined && pauseUs > FINAL_PAUSE_US;
    const drained = this.#feeding.then(async () => {
      if (paused) await this.#fillUntil(this.#lastCaptureUs + pauseUs, endUs);
      await this.#endSound(
        this.#format ? this.#timeUs(this.#timeline.slots) : endUs - (this.originUs ?? endUs),
      );
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
    const frames = this.#format?.codec === "raw" ? this.#written : this.#countedFrames(end);
    const seconds = this.#format
      ? this.#timeUs(this.#isCopied ? this.#timeline.slots : frames) / 1e6
      : (this.#sound?.takenUs ?? 0) / 1e6;
    return { frames, seconds, lost: this.#lost, failure: this.#failure };
  }

  #place(placed: readonly Placed<Frame>[]): void {
    for (const { item, repeatsBefore } of placed) {
      this.#enqueue({ frame: item, repeatsBefore, slot: 0 });
    }
  }

  #enqueue(job: PictureJob): void {
    if (this.#queue.push(job, job.frame.data.length)) return;
    this.#lost++;
    job.frame.lease?.letGo();
  }

  /** Writes the sound of which every voice has arrived by now. */
  #writeSound(): void {
    const { originUs } = this.#clock;
    if (originUs !== undefined) this.#takeSound(nowUs() - originUs - SOUND_BEHIND_US);
  }

  #takeSound(untilUs: number): void {
    // An AVI has no times: sound that is taken and finds no room would move all that follows.
    while (this.#queue.hasRoom(MOST_SOUND_BYTES)) {
      const piece = this.#nextPiece(untilUs);
      if (piece === undefined) return;
      this.#queue.push(piece, piece.sound.byteLength);
    }
  }

  /** Takes the next piece of the sound until then. Nothing if there is none. */
  #nextPiece(untilUs: number): SoundJob | undefined {
    if (this.#sound === undefined) return undefined;
    const atUs = this.#sound.takenUs;
    const sound = this.#sound.take(Math.min(untilUs, atUs + MOST_SOUND_US));
    return sound.length > 0 ? { sound, atUs } : undefined;
  }

  async #feed(): Promise<void> {
    if (this.#container) await this.#child.write(this.#container.header());
    let job: PictureJob | SoundJob | undefined;
    while ((job = await this.#queue.take()) !== undefined) {
      if ("sound" in job) await this.#writePiece(job);
      else if (!await this.#writePicture(job)) {
        this.#lost++;
        return this.#abandon();
      }
    }
  }

  /** Writes a picture, and those before it that repeat the last one. True if ffmpeg took them. */
  async #writePicture({ frame, repeatsBefore, slot }: PictureJob): Promise<boolean> {
    const isRaw = this.#format!.codec === "raw";
    this.#last ??= frame;
    if (isRaw) await this.#repeat(repeatsBefore);
    if (this.#last !== frame) this.#last.lease?.letGo();
    this.#last = frame;
    return isRaw ? await this.#repeat(1) : await this.#writeFrame(frame, slot);
  }

  /** Gives up the frames that wait for an ffmpeg that takes nothing more. */
  #abandon(): void {
    for (const job of this.#queue.abandon()) {
      if ("sound" in job) continue;
      this.#lost++;
      job.frame.lease?.letGo();
    }
  }

  /** Makes the recording last until then: the last frame is repeated if it stands alone. */
  async #fillUntil(captureUs: number, arrivalUs: number): Promise<void> {
    const { codec } = this.#format!;
    if (codec === "raw") {
      await this.#repeat(this.#timeline.repeatsUntil(captureUs, arrivalUs));
    } else if (this.#last && !isInterCoded(codec)) {
      if (this.#timeline.repeatsUntil(captureUs, arrivalUs) === 0) return;
      await this.#writeFrame(this.#last, this.#timeline.slots - 1);
    }
  }

  /** Makes the sound last until then, behind all that has found room in the queue. */
  async #endSound(untilUs: number): Promise<void> {
    let piece: SoundJob | undefined;
    while ((piece = this.#nextPiece(untilUs)) !== undefined) {
      if (!await this.#writePiece(piece)) return;
    }
  }

  /** Writes a frame at its slot. Resolves to true if ffmpeg took it. */
  async #writeFrame({ data, keyframe }: Frame, slot: number): Promise<boolean> {
    const options = { keyframe };
    // A recording may begin before its first picture, which then stands from the beginning.
    let timeUs = this.#hasPicture ? this.#timeUs(slot) : 0;
    this.#hasPicture = true;
    // Nobody decodes these frames here, and no two of them may share a time.
    if (this.#isCopied) timeUs = Math.max(timeUs, this.#lastCopiedUs + LEAST_STEP_US);
    this.#lastCopiedUs = timeUs;
    const header = this.#container?.frameHeader(0, data.length, timeUs, options);
    return (!header || await this.#child.write(header)) && await this.#child.write(data);
  }

  /** Writes a piece of the sound track. Resolves to true if ffmpeg took it. */
  async #writePiece({ sound, atUs }: SoundJob): Promise<boolean> {
    const track = this.#format ? 1 : 0;
    const header = this.#container!.frameHeader(track, sound.byteLength, atUs);
    return await this.#child.write(header) && await this.#child.write(new Uint8Array(sound.buffer));
  }

  /** Writes the last raw frame that many times. Resolves to true if ffmpeg took them. */
  async #repeat(times: number): Promise<boolean> {
    for (let time = 0; time < times && this.#last; time++) {
      if (!await this.#writeFrame(this.#last, this.#written)) return false;
      this.#written++;
    }
    return true;
  }

  /** The time of a slot in microseconds from the beginning. */
  #timeUs(slot: number): number {
    return slot * 1e6 * this.#rate.seconds / this.#rate.frames;
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

/** The samples in the bytes of PCM. */
function samplesOf(data: Uint8Array): Int16Array {
  const { buffer, byteOffset, byteLength } = data.byteOffset % 2 === 0 ? data : data.slice();
  return new Int16Array(buffer, byteOffset, byteLength >> 1);
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
