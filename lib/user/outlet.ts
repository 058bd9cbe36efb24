/**
 * The way of words to a terminal, a pipe or a file. Each of these may stop taking words: nobody who
 * says something waits for it.
 *
 * One write is under way at a time, in a thread of Deno's. So lines keep their order where both
 * streams lead to one place. Meanwhile lines queue within a bound. The live line below them is only
 * remembered: its newest text is shown when its turn comes. Where a write takes long, the other
 * stream does not wait for it.
 */

import { pause, within } from "../clock.ts";

/** A stream that words are written to, such as `Deno.stdout`. */
export interface WordStream {
  /** Writes some of these bytes. Resolves to the number of bytes written. */
  write(data: Uint8Array): Promise<number>;
  /** True if a terminal shows them. */
  isTerminal(): boolean;
}

/** Bytes that may wait for a stream that takes nothing. Above it the oldest lines go. */
const MAX_WAITING_BYTES = 64 * 1024;

/** The most bytes of one write. Lines are joined up to it. */
const MAX_WRITE_BYTES = 16 * 1024;

/** Milliseconds that a write may take before the other stream goes on without it. */
const STALL_MS = 100;

/** Milliseconds of rest for a stream that would have to wait and must not. */
const FULL_MS = 50;

/** Moves to the beginning of the line and empties it. */
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
  readonly #dropped = new Map<WordStream, number>();
  #live = "";
  #shown = "";
  #writing: Promise<void> | undefined;
  /** Writes that take long, by the place that they go to. */
  readonly #stalled = new Map<WordStream, Promise<void>>();

  /**
   * Opens an outlet. `screen` takes the live line. `droppedNote` gives the line for a number of
   * dropped lines.
   */
  constructor(screen: WordStream, droppedNote: (lines: number) => string) {
    this.#screen = screen;
    this.#droppedNote = droppedNote;
  }

  /**
   * Waits until there is nothing more to write. A stream that takes nothing keeps the caller
   * waiting.
   */
  async idle(): Promise<void> {
    while (this.#writing || this.#stalled.size > 0) {
      await (this.#writing ?? Promise.race(this.#stalled.values()));
    }
  }

  /** Writes a line to a stream. */
  print(stream: WordStream, text: string): void {
    const bytes = encode(`${text}\n`);
    this.#waiting.push({ stream, bytes });
    this.#waitingBytes += bytes.length;
    while (this.#waitingBytes > MAX_WAITING_BYTES && this.#waiting.length > 1) {
      const oldest = this.#take(0);
      this.#dropped.set(oldest.stream, (this.#dropped.get(oldest.stream) ?? 0) + 1);
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
    // Lines that are said in one go are written in one go.
    await Promise.resolve();
    for (let next = this.#next(); next; next = this.#next()) {
      const place = this.#placeOf(next.stream);
      const writing = writeAll(next.stream, next.bytes);
      if (await within(writing.then(() => true), STALL_MS)) continue;
      this.#stalled.set(place, writing);
      writing.then(() => {
        this.#stalled.delete(place);
        this.#wake();
      });
    }
    // This happens at once: the next word needs to wake the writing again.
    this.#writing = undefined;
  }

  /** The place where the words of a stream arrive. All terminals are one screen. */
  #placeOf(stream: WordStream): WordStream {
    return stream.isTerminal() ? this.#screen : stream;
  }

  /** The next line to write, where nothing has stalled. */
  #next(): Line | undefined {
    const at = this.#waiting.findIndex(({ stream }) => !this.#stalled.has(this.#placeOf(stream)));
    const stream = this.#waiting[at]?.stream;
    const erase = this.#shown && ERASE;
    const isStopped = this.#stalled.has(this.#screen);
    if (stream?.isTerminal()) {
      this.#shown = "";
      return { stream, bytes: this.#linesFrom(at, erase) };
    }
    // The output of a pipe may land on the screen of the live line. The live line must not stand in
    // its way.
    if (stream && (erase === "" || isStopped)) return { stream, bytes: this.#linesFrom(at, "") };
    const live = stream ? "" : this.#live;
    if (live === this.#shown || isStopped) return undefined;
    this.#shown = live;
    return { stream: this.#screen, bytes: encode(`${erase}${live}`) };
  }

  /** The bytes of one write to the stream of the first line: as many waiting lines as fit. */
  #linesFrom(at: number, erase: string): Uint8Array {
    const { stream } = this.#waiting[at]!;
    const parts = [encode(erase)];
    const dropped = this.#dropped.get(stream);
    if (dropped !== undefined) parts.push(encode(`${this.#droppedNote(dropped)}\n`));
    this.#dropped.delete(stream);
    for (let size = 0; this.#waiting[at]?.stream === stream && size < MAX_WRITE_BYTES;) {
      const { bytes } = this.#take(at);
      parts.push(bytes);
      size += bytes.length;
    }
    return join(parts);
  }

  #take(at: number): Line {
    const [line] = this.#waiting.splice(at, 1);
    this.#waitingBytes -= line!.bytes.length;
    return line!;
  }
}

/**
 * Writes bytes until the stream has them all or refuses them: its reader has gone, or its disk is
 * full.
 */
async function writeAll(stream: WordStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    try {
      at += await stream.write(bytes.subarray(at));
    } catch (error) {
      // Another program has set this stream not to wait. We do not change that.
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
