/**
 * The transcoders of one end, by their streams. One that fails is dropped, and another is opened
 * with a later frame: a stream must not stop for good because one ffmpeg was killed.
 */

import type { Format } from "./frame/format.ts";
import type { Frame } from "./frame/frame.ts";
import type { Sink } from "./frame/sink.ts";
import type { Source } from "./frame/source.ts";
import type { Surroundings } from "./surroundings.ts";

/** A source and a sink: what is pushed comes out in another codec. */
export interface Transcoding extends Sink, Source {}

/** Opens a transcoder, and hears once that it has failed. May throw. */
export type OpenTranscoder = (
  from: Format,
  to: Format,
  onFailed: (detail: string) => void,
) => Transcoding;

/** A failure of a transcoder. */
export interface TranscoderFailure {
  /** The format of what it was given. */
  readonly from: Format;
  /** The format of what it was to make. */
  readonly to: Format;
  /** The words of ffmpeg. */
  readonly detail: string;
  /** True for the failure that is worth a word to the user: the third in a row, once. */
  readonly isLasting: boolean;
}

/** The ways of a group of transcoders. */
export interface TranscodersOptions {
  /** Opens one. */
  readonly open: OpenTranscoder;
  /** Hears of each frame that comes out. A frame that is to be kept has to be held. */
  readonly onFrame: (frame: Frame, stream: number) => void;
  /** Hears of each failure. */
  readonly onFailed?: ((failure: TranscoderFailure, stream: number) => void) | undefined;
}

/** The least milliseconds between two transcoders for one stream, where the first has failed. */
const REOPEN_MS = 2000;

/** Milliseconds of life after which a failure is not in a row with the one before. */
const SOUND_LIFE_MS = 10_000;

/** The failures in a row that are worth a word. */
const LASTING = 3;

/** The state of one stream. */
interface Slot {
  open: Transcoding | undefined;
  openedMs: number;
  /** The time of the last frame, or of the opening. */
  fedMs: number;
  failures: number;
  told: boolean;
}

/** Transcoders, opened when a frame wants them. */
export class Transcoders implements AsyncDisposable {
  readonly #options: TranscodersOptions;
  readonly #slots = new Map<number, Slot>();
  readonly #closing = new Set<Promise<void>>();

  /** Prepares. Nothing is opened yet. */
  constructor(options: TranscodersOptions) {
    this.#options = options;
  }

  /** The streams that have a transcoder now. */
  get streams(): readonly number[] {
    return [...this.#slots].filter(([, { open }]) => open).map(([stream]) => stream);
  }

  /** The streams whose transcoder has had no frame for so many milliseconds. */
  idleFor(milliseconds: number): readonly number[] {
    const sinceMs = performance.now() - milliseconds;
    return this.streams.filter((stream) => this.#slots.get(stream)!.fedMs <= sinceMs);
  }

  /** Pushes a frame into the transcoder of a stream. The frame is lost while there can be none. */
  push(frame: Frame, stream: number, from: Format, to: Format): void {
    const slot = this.#opened(stream, from, to);
    slot.fedMs = performance.now();
    slot.open?.push(frame);
  }

  /** Opens the transcoder of a stream, unless it is open or has just failed. */
  prepare(stream: number, from: Format, to: Format): void {
    this.#opened(stream, from, to);
  }

  /** Closes the transcoder of a stream. What failed before stays known. */
  close(stream: number): void {
    const slot = this.#slots.get(stream);
    if (slot?.open === undefined) return;
    this.#discard(slot.open);
    slot.open = undefined;
    if (slot.failures === 0) slot.openedMs = -Infinity;
  }

  /** Closes all of them, and forgets what failed. They are opened again with the next frame. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#slots.keys()) this.close(stream);
    this.#slots.clear();
    while (this.#closing.size > 0) await Promise.all(this.#closing);
  }

  /** The slot of a stream, with a transcoder if there can be one. */
  #opened(stream: number, from: Format, to: Format): Slot {
    let slot = this.#slots.get(stream);
    if (slot === undefined) {
      const never = -Infinity;
      slot = { open: undefined, openedMs: never, fedMs: never, failures: 0, told: false };
      this.#slots.set(stream, slot);
    }
    if (slot.open === undefined) this.#open(slot, stream, from, to);
    return slot;
  }

  #open(slot: Slot, stream: number, from: Format, to: Format): void {
    const nowMs = performance.now();
    if (nowMs - slot.openedMs < REOPEN_MS) return;
    slot.openedMs = slot.fedMs = nowMs;
    let transcoder: Transcoding | undefined;
    const onFailed = (detail: string): void => {
      // One that was closed, or has failed already, is no news.
      if (slot.open !== transcoder) return;
      slot.open = undefined;
      if (transcoder) this.#discard(transcoder);
      if (performance.now() - slot.openedMs > SOUND_LIFE_MS) slot.failures = 0;
      const isLasting = ++slot.failures >= LASTING && !slot.told;
      slot.told ||= isLasting;
      this.#options.onFailed?.({ from, to, detail, isLasting }, stream);
    };
    try {
      transcoder = this.#options.open(from, to, onFailed);
    } catch (error) {
      return onFailed((error as Error).message);
    }
    slot.open = transcoder;
    this.#track(this.#pump(transcoder, stream).catch((error) => onFailed(error.message)));
  }

  async #pump(transcoder: Transcoding, stream: number): Promise<void> {
    for await (const frame of transcoder.frames()) {
      this.#options.onFrame(frame, stream);
      frame.lease?.letGo();
    }
  }

  #discard(transcoder: Transcoding): void {
    this.#track(Promise.resolve(transcoder[Symbol.asyncDispose]()));
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => void this.#closing.delete(tracked));
    this.#closing.add(tracked);
  }
}

/** Logs that a transcoder has failed. Tells the user if it fails again and again. */
export function tellTranscoder(
  { from, to, detail, isLasting }: TranscoderFailure,
  { log, messages }: Pick<Surroundings, "log" | "messages">,
  warn: (sentence: string) => void,
): void {
  log.debug("transcoder", `${from.codec} to ${to.codec}: ${detail}`);
  if (isLasting) warn(messages.transcoderFailed(from.codec, to.codec, detail));
}
