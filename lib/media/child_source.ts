/** The frames out of an ffmpeg that has opened an input, each at its time. */

import { nowUs, within } from "../clock.ts";
import { SourceError, type SourceIdentity } from "../errors.ts";
import { type Format, isInterCoded, PCM, SOUND_FPS, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import type { Source } from "../frame/source.ts";
import type { Demuxer } from "./demuxer.ts";
import { hasIdr } from "./h264.ts";
import { causeOf, type Pace, withoutSecrets } from "./input.ts";
import { merged } from "./merged.ts";
import type { Opening, Picture } from "./opening.ts";
import { BUNDLE_MS, type Clock, FileClock, SoundPacer, StreamClock } from "./pacing.ts";

/** Milliseconds that a source may take to give each further frame. */
const SILENCE_MS = 5000;

/** Milliseconds that an ffmpeg without further frames may take to end. */
export const ENDING_MS = 1000;

/** Microseconds of a frame of sound. */
const SOUND_SLOT_US = 1e6 / SOUND_FPS;

/** The parts of a source, with an ffmpeg that has given its first frame. */
export interface ChildSourceOptions {
  /** The format of its pictures. */
  readonly format: VideoFormat;
  /** The camera or the input, for errors. */
  readonly what: SourceIdentity;
  /** The manner in which its pictures come. */
  readonly pace: Pace;
  /** Starts an ffmpeg that repeats the only picture of an input. Absent where an end is an end. */
  readonly hold: (() => Opening) | undefined;
}

/** Frames out of an ffmpeg that has given its first one. */
export class ChildSource implements Source {
  /** The format of its pictures, and of its sound if it has any. */
  readonly formats: readonly Format[];
  readonly #format: VideoFormat;
  readonly #what: SourceIdentity;
  readonly #pace: Pace;
  #hold: ChildSourceOptions["hold"];
  readonly #stopping = new AbortController();
  #opening: Opening;

  /** Takes over an ffmpeg whose first frame has not been taken yet. */
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

  /** The frames, each at its time. Throws `SourceError` at an unexpected end. */
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

  /** Stops the ffmpeg. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#opening.stop();
  }
}
