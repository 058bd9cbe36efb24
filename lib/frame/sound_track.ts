/**
 * The sound of a recording: the voices of a call, mixed into one track by the time of each frame.
 *
 * **Terms.** The track has 48,000 samples a second, counted from the beginning of the recording. The
 * cursor is the sample that is taken next. A voice is a microphone. Its place is the sample that its
 * next frame goes to.
 *
 * **Goal.** What was captured at one moment is in one place of the recording, pictures too, after
 * hours as at the beginning. Where nobody speaks there is silence of the right length.
 *
 * **Means.** The frames of a voice follow one another without a gap while their times agree with
 * their places. A clock that is a little fast or slow moves the place by a few samples a frame,
 * which nobody hears. Where a time is far from the place, the voice was away, and goes on at its
 * time.
 *
 * **Limits.** Sound that comes when the cursor has passed its place is lost. What is more than two
 * seconds ahead of the cursor is nonsense, and lost as well.
 *
 * Pure: it is told the times, in microseconds since the beginning of the recording.
 */

import { PCM } from "./format.ts";

/** Samples that are held ahead of the cursor. */
const HELD = 2 * PCM.rate;

/** Samples by which a time may be off its place before the voice counts as having been away. */
const FAR = 0.05 * PCM.rate;

/**
 * The part of the distance between time and place that a frame makes up for. Times have jitter, and
 * their mean has little.
 */
const GENTLY = 1 / 64;

/** The most samples by which a frame is stretched or squeezed: 0.8 % of its 480. */
const MOST_STRETCH = 4;

/** A microphone. */
interface Voice {
  /** The sample that its next frame goes to. */
  place: number;
  /** The mean distance of its times from its places, in samples. */
  off: number;
}

/** Mixes voices into one track. */
export class SoundTrack {
  readonly #mixed = new Int32Array(HELD);
  readonly #voices = new Map<string, Voice>();
  #cursor = 0;
  #lost = 0;

  /** The time of the sample that is taken next, in microseconds. */
  get takenUs(): number {
    return microseconds(this.#cursor);
  }

  /** Frames that came too late, or with a time that cannot be. */
  get lost(): number {
    return this.#lost;
  }

  /** Adds a frame of a voice: samples, and the time of the first. */
  add(name: string, frame: Int16Array, atUs: number): void {
    const wanted = Math.round(atUs * PCM.rate / 1e6);
    const voice = this.#voices.get(name) ?? { place: wanted, off: 0 };
    this.#voices.set(name, voice);
    if (!(Math.abs(wanted - voice.place) <= FAR)) [voice.place, voice.off] = [wanted, 0];
    voice.off += (wanted - voice.place - voice.off) * GENTLY;
    const more = Math.max(Math.min(Math.round(voice.off * GENTLY), MOST_STRETCH), -MOST_STRETCH);
    const samples = stretched(frame, frame.length + more);
    const { place } = voice;
    if (!(place + samples.length > this.#cursor && place + samples.length < this.#cursor + HELD)) {
      this.#voices.delete(name);
      this.#lost++;
      return;
    }
    voice.place += samples.length;
    for (let at = Math.max(this.#cursor - place, 0); at < samples.length; at++) {
      this.#mixed[(place + at) % HELD]! += samples[at]!;
    }
  }

  /** Takes the samples up to that time, all of them once. None if they were taken already. */
  take(untilUs: number): Int16Array<ArrayBuffer> {
    const count = Math.max(Math.round(untilUs * PCM.rate / 1e6) - this.#cursor, 0);
    const taken = new Int16Array(count);
    for (let index = 0; index < count; index++) {
      const at = (this.#cursor + index) % HELD;
      // Two loud voices together are too loud for the track. What is over is cut.
      taken[index] = Math.max(Math.min(this.#mixed[at]!, 32_767), -32_768);
      this.#mixed[at] = 0;
    }
    this.#cursor += count;
    return taken;
  }
}

function microseconds(samples: number): number {
  return samples * 1e6 / PCM.rate;
}

/** A frame of so many samples with the content of another: its samples, and values between them. */
function stretched(frame: Int16Array, length: number): Int16Array {
  if (length === frame.length) return frame;
  const made = new Int16Array(length);
  const step = (frame.length - 1) / Math.max(length - 1, 1);
  for (let index = 0; index < length; index++) {
    const at = Math.min(Math.floor(index * step), frame.length - 2);
    const part = index * step - at;
    made[index] = Math.round(frame[at]! * (1 - part) + frame[at + 1]! * part);
  }
  return made;
}
