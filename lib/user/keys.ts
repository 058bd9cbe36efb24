/**
 * The `q` key, where standard input is a terminal. The key has its own watch: waiting for a caller
 * or for a frame does not delay it. Deno restores the terminal when the program ends, and does not
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
}

/** Ctrl-C in a terminal that hands on every key, as those of Windows do here. */
const CTRL_C = "\x03";

/** The functions that hear of the keys. */
export interface KeyListeners {
  /** `q` was pressed. */
  readonly onQuit: () => void;
  /** Ctrl-C was pressed, where the terminal makes no signal of it. */
  readonly onInterrupt: () => void;
}

/**
 * Watches the keys of the terminal. A terminal that cannot be watched counts as none: no key is
 * worth a call.
 */
export function watchKeys({ onQuit, onInterrupt }: KeyListeners): Keys {
  const none: Keys = { watching: false, ask(): void {}, [Symbol.dispose](): void {} };
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
  const onData = (keys: Uint8Array): void => {
    for (const key of new TextDecoder().decode(keys)) {
      if (key === CTRL_C) onInterrupt();
      else if (key.toLowerCase() === "q") onQuit();
    }
  };
  stream.on("data", onData);
  // A terminal that was closed gives errors. The hang-up signal says the same.
  stream.on("error", () => {});
  return {
    watching: true,
    ask(): void {
      try {
        ask();
      } catch {
        // The terminal is gone.
      }
    },
    [Symbol.dispose](): void {
      stream.destroy();
      if (Deno.build.os === "windows") Deno.stdin.setRaw(false);
    },
  };
}
