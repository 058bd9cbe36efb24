/**
 * A source of ours that is open while somebody wants its frames: a camera, a microphone, or an
 * input in their place.
 */

import type { Frame } from "./frame/frame.ts";
import type { Source } from "./frame/source.ts";

/** The way to open a source, and the listeners. */
export interface FeedOptions {
  /** Opens the source. Resolves when its first frame is there. */
  readonly open: (signal: AbortSignal) => Promise<Source>;
  /** Hears of the frames. A frame that is to be kept has to be held. */
  readonly onFrame: (frame: Frame, source: Source) => void;
  /** Opens something that lasts as long as the frames come, such as a window. */
  readonly openBeside?: () => AsyncDisposable | undefined;
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
  /** The handing on of its frames. It begins when somebody wants them. */
  pumping?: Promise<void>;
}

/** A source that opens and closes as it is wanted. */
export class Feed implements AsyncDisposable {
  readonly #options: FeedOptions;
  #opening: Opening | undefined;
  /** Resolves when the source before is closed. */
  #closed: Promise<void> = Promise.resolve();

  /** Prepares a source. Nothing is opened yet. */
  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /**
   * Opens the source before anybody wants its frames, to find out if that works. It stays open
   * until it is stopped. Resolves to the source, which stays ours. Throws the source's error, or the signal's reason.
   */
  async open(signal: AbortSignal): Promise<Source> {
    signal.throwIfAborted();
    const opening = this.#opening = this.#open();
    const onAbort = (): void => opening.abort.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await opening.source;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Gives frames from now on, and opens the source if it is closed. Never throws. */
  start(): void {
    const opening = this.#opening ??= this.#open();
    opening.pumping ??= this.#pump(opening);
  }

  /** Gives no more frames, and closes the source. */
  async stop(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening) this.#closed = this.#release(opening);
    await this.#closed;
  }

  /** Closes the source. Safe twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Opens the source when the one before is closed: a camera has one user at a time. */
  #open(): Opening {
    const abort = new AbortController();
    const source = this.#closed.then(() => {
      abort.signal.throwIfAborted();
      return this.#options.open(abort.signal);
    });
    // Everybody who waits for the source is told as well.
    source.catch(() => {});
    return { source, abort };
  }

  async #pump(opening: Opening): Promise<void> {
    const { onFrame, onOver, openBeside } = this.#options;
    let failure: unknown;
    try {
      await using source = await opening.source;
      if (this.#opening !== opening) return;
      await using _beside = openBeside?.();
      for await (const frame of source.frames()) {
        if (this.#opening !== opening) return;
        onFrame(frame, source);
        frame.lease?.letGo();
      }
    } catch (error) {
      failure = error;
    }
    // The source was closed by us. Nobody needs to be told.
    if (this.#opening !== opening) return;
    // The next start opens it anew: the camera may be back.
    this.#opening = undefined;
    onOver(failure);
  }

  async #release({ source, abort, pumping }: Opening): Promise<void> {
    abort.abort();
    await source.then((open) => open[Symbol.asyncDispose](), () => {});
    await pumping;
  }
}
