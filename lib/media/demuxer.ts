/**
 * Takes the pictures and the sound of one pipe apart. Each has its own taker, at its own pace.
 *
 * Whoever waits reads on, and keeps what is the other's. So neither delays the other. Too many
 * pictures stop the reading until one is taken; they are large. Of too much sound, the oldest is
 * dropped.
 */

import type { AviFrame } from "./avi.ts";

/** A frame, and its number among those of its stream, dropped ones included. */
export interface NumberedFrame {
  /** Its bytes. */
  readonly data: Uint8Array;
  /** Its number, from 0. */
  readonly number: number;
}

/** Gives the next frame of either stream, or `null` at the end. */
type NextFrame = () => Promise<AviFrame | null>;

const PICTURES = 0;
const SOUND = 1;

/** Pictures that are kept while sound is waited for. */
const MAX_PICTURES = 8;

/** Frames of sound that are kept: of a file, whose sound may stand far ahead, and of a live input. */
const MAX_SOUND = { file: 1000, live: 25 } as const;

/** A stream of pictures and a stream of sound that come out of one pipe. */
export class Demuxer {
  readonly #next: NextFrame;
  readonly #kept: [NumberedFrame[], NumberedFrame[]] = [[], []];
  readonly #counts: [number, number] = [0, 0];
  readonly #maxSound: number;
  #reading: Promise<void> | undefined;
  #taken = Promise.withResolvers<void>();
  #ended = false;

  /** Takes apart what `next` gives. */
  constructor(next: NextFrame, kind: keyof typeof MAX_SOUND) {
    this.#next = next;
    this.#maxSound = MAX_SOUND[kind];
  }

  /** The next picture, or `null` at the end. */
  async nextPicture(): Promise<NumberedFrame | null> {
    const picture = await this.#nextOf(PICTURES);
    this.#taken.resolve();
    return picture;
  }

  /** The next frame of sound, or `null` at the end. */
  async nextSound(): Promise<NumberedFrame | null> {
    return await this.#nextOf(SOUND);
  }

  /** The frames of sound that are here already. */
  get soundWaiting(): number {
    return this.#kept[SOUND].length;
  }

  /** Ends: nobody takes from it any more. */
  end(): void {
    this.#ended = true;
    this.#taken.resolve();
  }

  /** Leaves out the oldest frames of sound. */
  dropSound(count = Infinity): void {
    this.#kept[SOUND].splice(0, count);
  }

  async #nextOf(stream: 0 | 1): Promise<NumberedFrame | null> {
    while (true) {
      const frame = this.#kept[stream].shift();
      if (frame) return frame;
      if (this.#ended) return null;
      this.#reading ??= this.#readOne().finally(() => this.#reading = undefined);
      await this.#reading;
    }
  }

  async #readOne(): Promise<void> {
    if (this.#kept[PICTURES].length >= MAX_PICTURES) {
      this.#taken = Promise.withResolvers();
      await this.#taken.promise;
      return;
    }
    const frame = await this.#next();
    if (frame === null) return this.end();
    const stream = frame.stream === PICTURES ? PICTURES : SOUND;
    const kept = this.#kept[stream];
    kept.push({ data: frame.data, number: this.#counts[stream]++ });
    if (stream === SOUND && kept.length > this.#maxSound) kept.shift();
  }
}
