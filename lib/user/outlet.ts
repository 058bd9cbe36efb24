/**
 * The way of words to a terminal, a pipe or a file, which may stop taking them: nobody who says something waits for it.
 *
 * One write is under way at a time, in a thread of Deno's. Meanwhile lines queue within a bound, and the live line below
 * them is only remembered: the newest one is shown when its turn comes.
 */

import { pause } from "../clock.ts";

/** A stream that words are written to, such as `Deno.stdout`. */
export interface WordStream {
  /** Writes some of these bytes; resolves to how many. */
  write(data: Uint8Array): Promise<number>;
  /** True if a terminal shows them. */
  isTerminal(): boolean;
}

/** What may wait for a stream that takes nothing, in bytes; above it the oldest lines go. */
const MAX_WAITING_BYTES = 64 * 1024;

/** The most that is written at once, in bytes: lines are joined up to it. */
const MAX_WRITE_BYTES = 16 * 1024;

/** How long a stream that would have to wait, and must not, is left alone, in milliseconds. */
const FULL_MS = 50;

/** To the beginning of the line, and nothing in it. */
const ERASE = "\r\x1b[K";

interface Line {
  readonly stream: WordStream;
  readonly bytes: Uint8Array;
}

/** Lines on their way to a screen or a file, in order, and one live line below them. */
export class Outlet {
  readonly #screen: WordStream;
  readonly #droppedNote: (lines: number) => string;
  readonly #waiting: Line[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #live = "";
  #shown = "";
  #writing: Promise<void> | undefined;

  /** An outlet. `screen` is where the live line goes; `droppedNote` says that lines were dropped. */
  constructor(screen: WordStream, droppedNote: (lines: number) => string) {
    this.#screen = screen;
    this.#droppedNote = droppedNote;
  }

  /** Resolves when there is nothing more to write. A stream that takes nothing keeps it waiting. */
  get idle(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }

  /** Writes a line to one of the streams of this outlet. */
  print(stream: WordStream, text: string): void {
    const bytes = encode(`${text}\n`);
    this.#waiting.push({ stream, bytes });
    this.#waitingBytes += bytes.length;
    while (this.#waitingBytes > MAX_WAITING_BYTES && this.#waiting.length > 1) {
      this.#take();
      this.#dropped++;
    }
    this.#wake();
  }

  /** Shows this live line in place of the one before; an empty text removes it. */
  show(live: string): void {
    this.#live = live;
    this.#wake();
  }

  #wake(): void {
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // What is said in one go is written in one go.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#live !== this.#shown) {
      const [next] = this.#waiting;
      if (next === undefined) {
        const text = `${this.#shown && ERASE}${this.#live}`;
        this.#shown = this.#live;
        await writeAll(this.#screen, encode(text));
      } else {
        await writeAll(next.stream, this.#nextLines(next.stream));
      }
    }
    // At once: what is said from here on needs to wake it again.
    this.#writing = undefined;
  }

  /** As many lines for this stream as go into one write, the live line erased before them. */
  #nextLines(stream: WordStream): Uint8Array {
    const parts = [encode(this.#shown && ERASE)];
    this.#shown = "";
    if (this.#dropped > 0) parts.push(encode(`${this.#droppedNote(this.#dropped)}\n`));
    this.#dropped = 0;
    for (let size = 0; this.#waiting[0]?.stream === stream && size < MAX_WRITE_BYTES;) {
      const { bytes } = this.#take();
      parts.push(bytes);
      size += bytes.length;
    }
    return join(parts);
  }

  #take(): Line {
    const line = this.#waiting.shift()!;
    this.#waitingBytes -= line.bytes.length;
    return line;
  }
}

/** Writes bytes until the stream has them all, or refuses them: whoever read it has gone, or its disk is full. */
async function writeAll(stream: WordStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    try {
      at += await stream.write(bytes.subarray(at));
    } catch (error) {
      // Somebody else has set this stream not to wait. It is not for us to change that.
      if (!(error instanceof Deno.errors.WouldBlock)) return;
      await pause(FULL_MS);
    }
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
