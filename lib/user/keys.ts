/**
 * The keys `q` and `m`, where standard input is a terminal. They have a watch of their own: waiting
 * for a caller or for a frame does not delay it. Deno restores the terminal when the program ends, and does not
 * wait for it. A restoration of our own would wait for a write to a terminal that has stopped.
 */

import { ReadStream } from "node:tty";

/** The watch over the keys. It lasts until it is disposed of. */
export interface Keys extends Disposable {
  /** True if there is a terminal to watch. */
  readonly watching: boolean;
  /**
   * Asks the terminal for every key as it is pressed. A shell may have changed that during a stop.
   */
  ask(): void;
  /**
   * Reads a line that is not shown. Until then, no key means anything else. Resolves to nothing if
   * the terminal has no more keys to give, or when aborted.
   */
  readHidden(signal: AbortSignal): Promise<string | undefined>;
}

/** The most characters of a hidden line. */
const MAX_HIDDEN = 1000;

/** Ctrl-C in a terminal that hands on every key, as those of Windows do here. */
const CTRL_C = "\x03";

/** The functions that hear of the keys. */
export interface KeyListeners {
  /** `q` was pressed. */
  readonly onQuit: () => void;
  /** `m` was pressed. */
  readonly onMute: () => void;
  /** Ctrl-C was pressed, where the terminal makes no signal of it. */
  readonly onInterrupt: () => void;
}

/**
 * Watches the keys of the terminal. A terminal that cannot be watched counts as none: no key is
 * worth a call.
 */
export function watchKeys({ onQuit, onMute, onInterrupt }: KeyListeners): Keys {
  const none: Keys = {
    watching: false,
    ask(): void {},
    readHidden: () => Promise.resolve(undefined),
    [Symbol.dispose](): void {},
  };
  if (!Deno.stdin.isTerminal()) return none;
  // The terminal gives keys one by one, and Ctrl-C stays a signal. Windows has only the one without
  // the other.
  const ask = (): void => Deno.stdin.setRaw(true, { cbreak: Deno.build.os !== "windows" });
  let stream: ReadStream;
  try {
    ask();
    // Deno cannot take back a read of its own on a terminal, and the program would not end. This
    // read can be taken back.
    stream = new ReadStream(0);
  } catch {
    return none;
  }
  let hidden: HiddenLine | undefined;
  const decoder = new TextDecoder();
  const onData = (keys: Uint8Array): void => {
    for (const key of decoder.decode(keys, { stream: true }).replaceAll(SEQUENCES, "")) {
      if (key === CTRL_C) onInterrupt();
      else if (hidden) hidden.type(key);
      else if (key.toLowerCase() === "q") onQuit();
      else if (key.toLowerCase() === "m") onMute();
    }
  };
  const onEnd = (): void => hidden?.end();
  stream.on("data", onData);
  stream.on("end", onEnd);
  stream.on("close", onEnd);
  // A terminal that was closed gives errors. The hang-up signal says the same.
  stream.on("error", onEnd);
  return {
    watching: true,
    ask(): void {
      try {
        ask();
      } catch {
        // The terminal is gone.
      }
    },
    async readHidden(signal): Promise<string | undefined> {
      const line = hidden = new HiddenLine();
      const onAbort = (): void => line.end();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        if (signal.aborted || stream.destroyed) line.end();
        return await line.done;
      } finally {
        signal.removeEventListener("abort", onAbort);
        hidden = undefined;
      }
    },
    [Symbol.dispose](): void {
      stream.destroy();
      if (Deno.build.os === "windows") Deno.stdin.setRaw(false);
    },
  };
}

/** What arrow keys and pasting put around the keys of a terminal. */
// deno-lint-ignore no-control-regex
const SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)/g;

/** A line that is typed unseen. */
class HiddenLine {
  readonly #end = Promise.withResolvers<string | undefined>();
  #text = "";

  /** Resolves to the line, or to nothing if it was not ended by Enter. */
  get done(): Promise<string | undefined> {
    return this.#end.promise;
  }

  /** Takes a key: Enter, Backspace, Ctrl-U, Ctrl-D and everything that can be seen. */
  type(key: string): void {
    if (key === "\r" || key === "\n") this.#end.resolve(this.#text);
    else if (key === "\x7f" || key === "\b") this.#text = [...this.#text].slice(0, -1).join("");
    else if (key === "\x15") this.#text = "";
    else if (key === "\x04") this.end();
    else if (key >= " " && this.#text.length < MAX_HIDDEN) this.#text += key;
  }

  /** Ends it without a line. */
  end(): void {
    this.#end.resolve(undefined);
  }
}
