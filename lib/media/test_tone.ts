/** The sound of `--microphone test`: a tone that ticks each second, by our own clock. */

import { nowUs, pause } from "../clock.ts";
import { PCM, PCM_FRAME_BYTES, SOUND_FPS, SOUND_FRAME_SAMPLES } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import type { Source } from "../frame/source.ts";

/** The pitch of the tone. A frame holds whole waves of it, so that all frames are the same. */
export const TONE_HZ = 1000;

/** The loudness of the tone: 1 is the loudest that there is. */
export const TONE_PEAK = 0.5;

/** The frames of a tick. The rest of each second is silent. */
export const TICK_FRAMES = 5;

/** Microseconds after which frames are left out: the machine slept. */
const MAX_LATE_US = 200_000;

const FRAME_US = 1e6 / SOUND_FPS;

/** Ten milliseconds of the tone. */
export function toneFrame(): Uint8Array {
  const data = new Uint8Array(PCM_FRAME_BYTES);
  const view = new DataView(data.buffer);
  for (let sample = 0; sample < SOUND_FRAME_SAMPLES; sample++) {
    const wave = Math.sin(2 * Math.PI * TONE_HZ * sample / PCM.rate);
    view.setInt16(2 * sample, Math.round(wave * TONE_PEAK * 0x7fff), true);
  }
  return data;
}

/** A tone that ticks: each tick begins with a whole second of `nowUs`. */
export class TestTone implements Source {
  readonly #tone = toneFrame();
  readonly #silence = new Uint8Array(PCM_FRAME_BYTES);
  #stopped = false;

  /** The frames, each as soon as its time has come. */
  async *frames(): AsyncGenerator<Frame, void, undefined> {
    const first = Math.ceil(nowUs() / FRAME_US);
    for (let sequence = 0;; sequence++) {
      const earlyUs = (first + sequence) * FRAME_US - nowUs();
      if (earlyUs > 0) await pause(earlyUs / 1000);
      if (earlyUs < -MAX_LATE_US) sequence += Math.floor(-earlyUs / FRAME_US);
      if (this.#stopped) return;
      const count = first + sequence;
      const data = count % SOUND_FPS < TICK_FRAMES ? this.#tone : this.#silence;
      yield { stream: 0, data, captureUs: count * FRAME_US, sequence, keyframe: true };
    }
  }

  /** Ends the tone. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    return Promise.resolve();
  }
}
