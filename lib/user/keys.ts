/**
 * The `q` key, where standard input is a terminal. It is watched by itself: waiting for a caller or for a frame does not
 * delay it. Deno gives the terminal back as it was when the program ends, and does not wait for it: to ask for it before would
 * wait for a write to a terminal that has stopped.
 */

import { ReadStream } from "node:tty";

/** Keys that are watched, where there is a terminal to watch, until disposed of. */
export interface Keys extends Disposable {
  /** Whether there is a terminal to watch. */
  readonly watching: boolean;
  /** Asks the terminal for every key as it is pressed: again, after a stop, in which a shell has changed it. */
  ask(): void;
}

/** What Ctrl-C is to a terminal that hands on every key, as those of Windows do here. */
const CTRL_C = "\x03";

/** Who hears of the keys. */
export interface KeyListeners {
  /** `q` was pressed. */
  readonly onQuit: () => void;
  /** Ctrl-C was pressed, where the terminal makes no signal of it. */
  readonly onInterrupt: () => void;
}

/** Watches the keys of the terminal. One that cannot be watched is none: no key is worth a call. */
export function watchKeys({ onQuit, onInterrupt }: KeyListeners): Keys {
  const none: Keys = { watching: false, ask(): void {}, [Symbol.dispose](): void {} };
  if (!Deno.stdin.isTerminal()) return none;
  // Keys one by one, but Ctrl-C stays the signal that it is; Windows has only the one without the other.
  const ask = (): void => Deno.stdin.setRaw(true, { cbreak: Deno.build.os !== "windows" });
  let stream: ReadStream;
  try {
    ask();
    // A read of Deno's own on a terminal cannot be taken back and keeps the program from ending; this one can.
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
  // A terminal that was closed gives errors; the hang-up signal says the same.
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
