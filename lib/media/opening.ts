/** An ffmpeg of ours that opens an input, with its words, its pictures and its sound. */

import { within } from "../clock.ts";
import { maxFrameBytes, rawFrameBytes, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { FramePool } from "../frame/pool.ts";
import { AviReader } from "./avi.ts";
import { type Child, type ChildWatch, openChild } from "./child.ts";
import { Demuxer } from "./demuxer.ts";
import { InputWords, isMeasured } from "./input.ts";

/** The frames to expect of an ffmpeg, and who hears what it does. */
export interface OpeningOptions {
  /** The format of its pictures. */
  readonly format: VideoFormat;
  /** The manner of its sound, if sound is wanted: `fast` for a live input. */
  readonly sound?: "fast" | "steady" | undefined;
  /** Hears what it does. */
  readonly watch?: ChildWatch | undefined;
}

/** A picture, and the lease that counts its holders. */
export type Picture = Pick<Frame, "data" | "lease">;

/** Gives the next frame out of an ffmpeg of ours, or `null` at its end. */
type NextPicture = () => Promise<Picture | null>;

/** An ffmpeg that opens an input. */
export class Opening {
  /** The ffmpeg. */
  readonly child: Child;
  /** The words of ffmpeg. */
  readonly words = new InputWords();
  readonly #readers: Readers;
  readonly #ahead: (Picture | Promise<Picture | null>)[] = [];
  #skipped = 0;

  /** Starts it. */
  constructor(args: readonly string[], { format, sound, watch }: OpeningOptions) {
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
    this.#readers = sound
      ? bothReaders(this.child, format, sound)
      : pictureReader(this.child, format);
  }

  /** The next picture, or `null` at the end. */
  async next(): Promise<Picture | null> {
    return await (this.#ahead.shift() ?? this.#readers.next());
  }

  /** Gives back the picture that was read last. */
  putBack(picture: Picture): void {
    this.#ahead.unshift(picture);
  }

  /**
   * Gives back the picture that was read last. Resolves to `true` if it is the only one, as far as
   * that shows within this time.
   */
  async isOnly(picture: Picture, timeoutMs: number): Promise<boolean> {
    const reading = this.next();
    this.#ahead.unshift(picture, reading);
    return await within(reading, timeoutMs) === null;
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
    this.#skipped++;
    picture.lease?.letGo();
    return following !== null;
  }

  /** The number of pictures that were left out. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The sound beside the pictures, if there is any. That is known when a picture is there. */
  get sound(): Demuxer | undefined {
    return this.#readers.sound();
  }

  /** Stops it. Safe twice. */
  async stop(): Promise<void> {
    await this.child.stop();
    this.#readers.sound()?.end();
  }
}

/** Reads what an ffmpeg gives. */
interface Readers {
  readonly next: NextPicture;
  readonly sound: () => Demuxer | undefined;
}

/** Bytes to which AVI rounds up the rows of raw pictures. */
const ROW_BYTES = 4;

/** Reads pictures and sound, if the input has any, out of AVI. */
function bothReaders(child: Child, format: VideoFormat, sound: "fast" | "steady"): Readers {
  const { codec, width, height } = format;
  const rowBytes = Math.ceil(width * 3 / ROW_BYTES) * ROW_BYTES;
  const pool = codec === "raw" ? new FramePool(rowBytes * height) : undefined;
  const reader = new AviReader(
    (into) => child.read(into),
    Math.max(maxFrameBytes(format), rowBytes * height),
    (bytes, stream) => {
      const used = stream === 0 && bytes === rowBytes * height;
      return pool && used ? pool.take() : new Uint8Array(bytes);
    },
  );
  const demuxer = new Demuxer(() => reader.nextOfAny(), sound === "fast" ? "live" : "file");
  return {
    next: async (): Promise<Picture | null> => {
      const picture = await demuxer.nextPicture();
      if (picture === null || !pool) return picture && { data: picture.data };
      const memory = picture.data as Uint8Array<ArrayBuffer>;
      if (memory.length !== rowBytes * height) return null;
      return { data: withoutPadding(memory, format, rowBytes), lease: pool.lease(memory) };
    },
    sound: () => reader.hasSound ? demuxer : undefined,
  };
}

/** The rows of a raw picture without the bytes between them: they are moved together. */
function withoutPadding(
  rows: Uint8Array,
  format: VideoFormat,
  rowBytes: number,
): Uint8Array {
  const bytes = format.width * 3;
  if (bytes === rowBytes) return rows;
  for (let row = 1; row < format.height; row++) {
    rows.copyWithin(row * bytes, row * rowBytes, row * rowBytes + bytes);
  }
  return rows.subarray(0, rawFrameBytes(format));
}

/** Reads pictures alone: raw ones need no container. */
function pictureReader(child: Child, format: VideoFormat): Readers {
  const sound = (): undefined => undefined;
  if (format.codec === "raw") {
    const pool = new FramePool(rawFrameBytes(format));
    const next = async (): Promise<Picture | null> => {
      const data = await child.read(pool.take());
      return data && { data, lease: pool.lease(data) };
    };
    return { next, sound };
  }
  const reader = new AviReader((into) => child.read(into), maxFrameBytes(format));
  const next = async (): Promise<Picture | null> => {
    const data = await reader.next();
    return data && { data };
  };
  return { next, sound };
}
