/**
 * What this end gives: its camera, or whatever stands in its place. It serves any number of calls and is open while one takes
 * from it: a server that talks with three callers opens its camera once. What is given can be seen in a window of its own.
 */

import type { VideoFormat } from "./frame/format.ts";
import type { Sink } from "./frame/sink.ts";
import type { Source } from "./frame/source.ts";

/** Whoever takes frames for a while. */
export type Taker = Pick<Sink, "push">;

/** How to open what this end gives, and whom to tell of it. */
export interface OutgoingOptions {
  /** What the frames are. */
  readonly format: VideoFormat;
  /** Opens the source; resolves when its first frame is there. */
  readonly openSource: (signal: AbortSignal) => Promise<Source>;
  /** Opens the window in which this end sees itself, where there is to be one. */
  readonly openView: () => Sink | undefined;
  /** Is told when the source ends by itself: it has given its last frame, or fails with an error. */
  readonly onOver: (error?: unknown) => void;
}

/** A source that is open, or about to be. */
interface Opening {
  readonly source: Promise<Source>;
  readonly abort: AbortController;
  /** Hands its frames on; not before somebody takes them. */
  pumping?: Promise<void>;
}

/** One source for all calls of this end. */
export class Outgoing implements AsyncDisposable {
  /** What its frames are. */
  readonly format: VideoFormat;
  readonly #options: OutgoingOptions;
  readonly #takers = new Set<Taker>();
  #opening: Opening | undefined;
  /** Resolves when the source before is closed. */
  #closed: Promise<void> = Promise.resolve();

  /** Opens nothing yet. */
  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.format = options.format;
  }

  /**
   * Opens the source before anybody takes from it, to find out whether it can be. It stays open until somebody has taken from
   * it, or it is disposed of. Throws what the source throws, or the signal's reason.
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

  /** Gives frames to somebody from now on, and opens the source if it is not. Never throws: `onOver` tells. */
  join(taker: Taker): void {
    this.#takers.add(taker);
    const opening = this.#opening ??= this.#open();
    opening.pumping ??= this.#pump(opening);
  }

  /** Gives no more frames to somebody; the last one to leave closes the source. */
  async leave(taker: Taker): Promise<void> {
    if (this.#takers.delete(taker) && this.#takers.size === 0) await this.#close();
  }

  /** Closes the source, whoever takes from it. Safe twice. */
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
    // Whoever waits for it is told as well.
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
    // Whoever closed it need not be told.
    if (this.#opening !== opening) return;
    // The next one to join has it opened anew: the camera may be back.
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
