/**
 * All that this end gives, to any number of calls: pictures and sound. A camera and a microphone
 * are open while a call takes from them. A server that talks with three callers opens each once.
 *
 * ```
 *  camera, or an input ─┬─ as it is ───────────────► stream 0 ─┐
 *                       └─► transcoder, if wanted ─► stream 1 ─┼─► the calls that take this stream
 *  microphone ──────────┬─ as it is ───────────────► stream 2 ─┤
 *                       └─► transcoder, if wanted ─► stream 3 ─┘
 * ```
 *
 * The streams of a kind are the same picture, or the same sound, in several codecs. A call takes
 * one of each kind. When it chooses another, it gets the one before until the other begins. The
 * camera knows nothing of it.
 */

import type { Timer } from "./clock.ts";
import { Feed } from "./feed.ts";
import type { Format } from "./frame/format.ts";
import type { Frame } from "./frame/frame.ts";
import type { Sink } from "./frame/sink.ts";
import type { Source } from "./frame/source.ts";
import { type OpenTranscoder, type TranscoderFailure, Transcoders } from "./transcoders.ts";

/** A taker of frames, for a while. */
export interface Taker {
  /** Takes a frame of a stream that it takes from. */
  push(frame: Frame): void;
  /** Hears that nothing comes on a stream any more, for now. */
  onRest?(stream: number): void;
  /** Hears that a microphone that was gone is back. */
  onHeard?(): void;
  /** Takes each frame as the source gives it, whatever the taker sends of it. */
  pushOwn?(frame: Frame, format: Format): void;
}

/** The streams, the ways to open our sources, and the listeners. */
export interface OutgoingOptions {
  /** The streams to announce, by their numbers. */
  readonly formats: readonly Format[];
  /**
   * The formats of the sources: of each kind one at most. A stream of another format is made by a
   * transcoder.
   */
  readonly given: readonly Format[];
  /** Opens the source of pictures, and of sound if it has that. Absent if there are none. */
  readonly openSource?: ((signal: AbortSignal) => Promise<Source>) | undefined;
  /** Opens the microphone. Absent if there is none. */
  readonly openMicrophone?: ((signal: AbortSignal) => Promise<Source>) | undefined;
  /** Opens a transcoder. Absent if no stream needs one. */
  readonly openTranscoder?: OpenTranscoder;
  /** Hears that a transcoder has failed. */
  readonly onTranscoderFailed?: (failure: TranscoderFailure) => void;
  /** Opens the window in which this end sees itself, if there is to be one. */
  readonly openView: () => Sink | undefined;
  /**
   * Hears that the source of pictures has ended by itself: it has given its last frame, or it
   * failed with this error.
   */
  readonly onOver: (error?: unknown) => void;
  /**
   * Hears that the microphone cannot be opened, or has ended by itself with this error. It is tried
   * again now and then while a call takes from it.
   */
  readonly onSilent?: (error: unknown) => void;
  /** Hears that the microphone is back. */
  readonly onHeard?: () => void;
}

/** Milliseconds between two attempts to open a microphone that is gone. */
const REOPEN_MS = 2000;

/** The streams of one taker, by their kinds. */
interface Taking {
  /** The stream that it wants. */
  readonly wanted: Map<Format["kind"], number>;
  /** The stream that it gets. */
  readonly got: Map<Format["kind"], number>;
}

/** The sources of this end, for all its calls. */
export class Outgoing implements AsyncDisposable {
  readonly #options: OutgoingOptions;
  readonly #source: Feed | undefined;
  readonly #microphone: Feed | undefined;
  readonly #takers = new Map<Taker, Taking>();
  readonly #transcoders: Transcoders | undefined;
  /** The streams whose transcoder fails again and again, as long as anybody takes from us. */
  readonly #broken = new Set<number>();
  #formats: readonly Format[];
  #muted = false;
  /** True if the source of pictures has sound, which is then taken in place of the microphone's. */
  #hasOwnSound = false;
  /** True while the microphone is gone, and the timer for the next attempt to open it. */
  #isSilent = false;
  #reopening: Timer | undefined;

  /** Prepares the sources. Nothing is opened yet. */
  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.#formats = options.formats;
    const { openSource, openMicrophone, openTranscoder, openView, onOver } = options;
    this.#transcoders = openTranscoder && new Transcoders({
      open: openTranscoder,
      onFrame: (frame, stream): void => this.#give({ ...frame, stream }),
      onFailed: (failure, stream): void => {
        options.onTranscoderFailed?.(failure);
        if (failure.isLasting) this.#fallBack(stream);
      },
    });
    let view: Sink | undefined;
    const onFrame = (frame: Frame, source: Source): void => {
      if (!this.#hasOwnSound) this.#noteOwnSound(source);
      const format = this.#formatOf(frame, source);
      if (format === undefined) return;
      this.#hand(frame, format);
      if (format.kind === "video") view?.push(frame);
    };
    this.#source = openSource && new Feed({
      ...{ open: openSource, onFrame, onOver },
      openBeside: () => view = openView(),
    });
    this.#microphone = openMicrophone && new Feed({
      open: openMicrophone,
      onFrame: (frame): void => {
        if (this.#isSilent) this.#tellHeard();
        this.#hand(frame, this.given("sound")!);
      },
      onOver: (error): void => {
        this.#tellSilent(error);
        this.#reopening = setTimeout(() => this.#startMicrophone(), REOPEN_MS);
      },
    });
  }

  /** The streams, by their numbers. */
  get formats(): readonly Format[] {
    return this.#formats;
  }

  /** True if there are streams of this kind. */
  gives(kind: Format["kind"]): boolean {
    return this.formats.some((format) => format.kind === kind);
  }

  /** The format of the source of this kind, if there is one. */
  given(kind: Format["kind"]): Format | undefined {
    return this.#options.given.find((format) => format.kind === kind);
  }

  /**
   * Opens the sources before anybody takes from them, to find out if that works. They stay open
   * until somebody has taken from them, or they are disposed of. Without sound the streams of sound
   * are not announced. Throws the error of the source of pictures, or the signal's reason.
   */
  async open(signal: AbortSignal): Promise<void> {
    const source = await this.#source?.open(signal);
    if (source) this.#noteOwnSound(source);
    if (this.#hasOwnSound || this.#microphone === undefined) return;
    try {
      await this.#microphone.open(signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#tellSilent(error);
      this.#formats = this.#formats.filter(({ kind }) => kind !== "sound");
    }
  }

  /**
   * Gives frames to a taker from now on, of the first stream of each kind, and opens the sources if
   * they are closed. Never throws: the listeners hear of errors.
   */
  join(taker: Taker): void {
    const wanted = new Map<Format["kind"], number>();
    for (const [number, { kind }] of this.formats.entries()) {
      if (!wanted.has(kind)) wanted.set(kind, this.#whole(number));
    }
    this.#takers.set(taker, { wanted, got: new Map() });
    this.#source?.start();
    this.#startMicrophone();
  }

  /** Gives another stream to a taker, in place of the one of the same kind, once it has begun. */
  choose(taker: Taker, stream: number): void {
    this.#takers.get(taker)?.wanted.set(this.formats[stream]!.kind, this.#whole(stream));
  }

  /** Gives no more frames to a taker. The last one to leave closes the sources. */
  async leave(taker: Taker): Promise<void> {
    if (this.#takers.delete(taker) && this.#takers.size === 0) await this.#close();
    else this.#closeTranscoders();
  }

  /** True while no sound is given. */
  get muted(): boolean {
    return this.#muted;
  }

  /** Gives no sound, or gives sound again. */
  set muted(muted: boolean) {
    this.#muted = muted;
    if (!muted) return;
    for (const [taker, { got }] of this.#takers) {
      const stream = got.get("sound");
      if (stream !== undefined) taker.onRest?.(stream);
    }
  }

  /** Closes the sources, even if somebody takes from them. Safe twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#takers.clear();
    await this.#close();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#reopening);
    await Promise.all([this.#source?.stop(), this.#microphone?.stop()]);
    this.#broken.clear();
    await this.#transcoders?.[Symbol.asyncDispose]();
  }

  #startMicrophone(): void {
    clearTimeout(this.#reopening);
    if (this.#takers.size > 0 && !this.#hasOwnSound && this.gives("sound")) {
      this.#microphone?.start();
    }
  }

  #tellSilent(error: unknown): void {
    if (!this.#isSilent) this.#options.onSilent?.(error);
    this.#isSilent = true;
  }

  #tellHeard(): void {
    this.#isSilent = false;
    this.#options.onHeard?.();
    for (const taker of this.#takers.keys()) taker.onHeard?.();
  }

  #noteOwnSound({ formats }: Source): void {
    this.#hasOwnSound = formats?.some(({ kind }) => kind === "sound") ?? false;
    if (this.#hasOwnSound) void this.#microphone?.stop();
  }

  /** The format of a frame of the source of pictures, which may have sound as well. */
  #formatOf(frame: Frame, { formats }: Source): Format | undefined {
    return this.given(formats?.[frame.stream]?.kind ?? "video");
  }

  /** Hands a frame of a source on, into every stream of its kind that somebody wants. */
  #hand(frame: Frame, given: Format): void {
    if (given.kind === "sound" && this.#muted) return;
    for (const taker of this.#takers.keys()) taker.pushOwn?.(frame, given);
    for (const [number, format] of this.formats.entries()) {
      if (format.kind !== given.kind || !this.#isTaken(number)) continue;
      if (format.codec === given.codec) this.#give({ ...frame, stream: number });
      else this.#transcoders?.push(frame, number, given, format);
    }
  }

  /** Gives a frame of a stream to those that take from it, and to those that have waited for it. */
  #give(frame: Frame): void {
    const { stream, keyframe } = frame;
    const { kind } = this.formats[stream]!;
    for (const [taker, { wanted, got }] of this.#takers) {
      const before = got.get(kind);
      const begins = before !== stream && wanted.get(kind) === stream && keyframe;
      if (begins) got.set(kind, stream);
      if (got.get(kind) === stream) taker.push(frame);
      if (!begins || before === undefined) continue;
      taker.onRest?.(before);
      this.#closeTranscoders();
    }
  }

  #isTaken(stream: number): boolean {
    const { kind } = this.formats[stream]!;
    return [...this.#takers.values()].some(({ wanted, got }) =>
      wanted.get(kind) === stream || got.get(kind) === stream
    );
  }

  /** The stream itself, or the first one of its kind that works if its transcoder does not. */
  #whole(stream: number): number {
    if (!this.#broken.has(stream)) return stream;
    const { kind } = this.formats[stream]!;
    const other = this.formats.findIndex((format, number) =>
      format.kind === kind && !this.#broken.has(number)
    );
    return other < 0 ? stream : other;
  }

  /** Gives another stream to all that want this one. */
  #fallBack(stream: number): void {
    this.#broken.add(stream);
    for (const { wanted } of this.#takers.values()) {
      for (const [kind, number] of wanted) wanted.set(kind, this.#whole(number));
    }
  }

  /** Closes the transcoders that nobody takes from. */
  #closeTranscoders(): void {
    for (const stream of this.#transcoders?.streams ?? []) {
      if (!this.#isTaken(stream)) this.#transcoders!.close(stream);
    }
  }
}
