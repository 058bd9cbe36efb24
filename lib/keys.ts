/**
 * The `q` key, where standard input is a terminal. It is watched by itself: waiting for a caller or for a frame does not
 * delay it. The terminal is given back as it was.
 */

import { ReadStream } from "node:tty";

/** Keys that are watched, where there is a terminal to watch, until disposed of. */
export interface Keys extends Disposable {
  /** Whether there is a terminal to watch. */
  readonly watching: boolean;
}

/** Calls `onQuit` when `q` is pressed. */
export function watchKeys(onQuit: () => void): Keys {
  if (!Deno.stdin.isTerminal()) return { watching: false, [Symbol.dispose](): void {} };
  // A read of Deno's own on a terminal cannot be taken back and keeps the program from ending; this one can.
  const stream = new ReadStream(0);
  // Keys one by one, but Ctrl-C stays the signal that it is.
  Deno.stdin.setRaw(true, { cbreak: true });
  const onData = (keys: Uint8Array): void => {
    if (/q/i.test(new TextDecoder().decode(keys))) onQuit();
  };
  stream.on("data", onData);
  // A terminal that was closed gives errors; the hang-up signal says the same.
  stream.on("error", () => {});
  return {
    watching: true,
    [Symbol.dispose](): void {
      try {
        Deno.stdin.setRaw(false);
      } catch {
        // The terminal is gone; there is nothing to give back.
      }
      stream.destroy();
    },
  };
}
