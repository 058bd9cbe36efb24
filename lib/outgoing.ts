/**
 * Our source, for all calls: the camera, or an input in its place. It serves any number of calls,
 * and is open while one takes from it. A server that talks with three callers opens its camera
 * once. The frames can be seen in a window of their own.
 */

import type { VideoFormat } from "./frame/format.ts";
import type { Sink } from "./frame/sink.ts";
import type { Source } from "./frame/source.ts";

/** A taker of frames, for a while. */
export type Taker = Pick<Sink, "push">;

/** The way to open our source, and the listeners. */
export interface OutgoingOptions {
  /** The format of the frames. */
  readonly format: VideoFormat;
  /** Opens the source. Resolves when its first frame is there. */
  readonly openSource: (signal: AbortSignal) => Promise<Source>;
  /** Opens the window in which this end sees itself, if there is to be one. */
  readonly openView: () => Sink | undefined;
  /**
   * Hears that the source has ended by itself: it has given its last frame, or it failed with this
   * error.
   */
  readonly onOver: (error?: unknown) => void;
}

/** A source that is open, or about to be. */
interface Opening {
  readonly source: Promise<Source>;
  readonly abort: AbortController;
  /** The handing on of its frames. It begins when somebody takes them. */
  pumping?: Promise<void>;
}

/** One source for all calls of this end. */
export class Outgoing implements AsyncDisposable {
  /** The format of its frames. */
  readonly format: VideoFormat;
  readonly #options: OutgoingOptions;
  readonly #takers = new Set<Taker>();
  #opening: Opening | undefined;
  /** Resolves when the source before is closed. */
  #closed: Promise<void> = Promise.resolve();

  /** Prepares a source. Nothing is opened yet. */
  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.format = options.format;
  }

  /**
   * Opens the source before anybody takes from it, to find out if that works. It stays open until
   * somebody has taken from it, or it is disposed of. Throws the source's error, or the signal's
   * reason.
   */
  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const opening = this.#opening = this.#open();
    const onAbort = (): void => opening.abort.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await opening.source;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Gives frames to a taker from now on, and opens the source if it is closed. Never throws:
   * `onOver` tells of errors.
   */
  join(taker: Taker): void {
    this.#takers.add(taker);
    const opening = this.#opening ??= this.#open();
    opening.pumping ??= this.#pump(opening);
  }

  /** Gives no more frames to a taker. The last one to leave closes the source. */
  async leave(taker: Taker): Promise<void> {
    if (this.#takers.delete(taker) && this.#takers.size === 0) await this.#close();
  }

  /** Closes the source, even if somebody takes from it. Safe twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#takers.clear();
    await this.#close();
  }

  /** Opens the source when the one before is closed: a camera has one user at a time. */
  #open(): Opening {
    const abort = new AbortController();
    const source = this.#closed.then(() => {
      abort.signal.throwIfAborted();
      return this.#options.openSource(abort.signal);
    });
    // Everybody who waits for the source is told as well.
    source.catch(() => {});
    return { source, abort };
  }

  async #pump(opening: Opening): Promise<void> {
    let failure: unknown;
    try {
      await using source = await opening.source;
      if (this.#opening !== opening) return;
      await using view = this.#options.openView();
      for await (const frame of source.frames()) {
        if (this.#opening !== opening) return;
        for (const taker of this.#takers) taker.push(frame);
        view?.push(frame);
        frame.lease?.letGo();
      }
    } catch (error) {
      failure = error;
    }
    // The source was closed by us. Nobody needs to be told.
    if (this.#opening !== opening) return;
    // The next taker has it opened anew: the camera may be back.
    this.#opening = undefined;
    this.#options.onOver(failure);
  }

  async #close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening) this.#closed = this.#release(opening);
    await this.#closed;
  }

  async #release({ source, abort, pumping }: Opening): Promise<void> {
    abort.abort();
    await source.then((open) => open[Symbol.asyncDispose](), () => {});
    await pumping;
  }
}
