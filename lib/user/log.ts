/**
 * The only place that prints. Sentences for the user go to standard output. The log and the live
 * line go to standard error. Nobody waits for either: a terminal or a pipe that stops reading costs
 * words, never the call.
 */

import { within } from "../clock.ts";
import { Outlet, type WordStream } from "./outlet.ts";
import { cutText } from "./text_width.ts";

/** The loudness of the log. */
export interface LogOptions {
  /** Prints errors and warnings only. */
  readonly quiet: boolean;
  /** Prints what happens inside, too. */
  readonly verbose: boolean;
  /** Prints every frame, too. */
  readonly trace: boolean;
  /**
   * True for a terminal that knows no escape codes. The live line is then a line of its own now and
   * then.
   */
  readonly plain?: boolean;
  /** Gives the sentence for a number of lines that were not printed. */
  readonly dropped: (lines: number) => string;
}

/** The two streams of a program. */
export interface Streams {
  /** The stream of sentences. */
  readonly stdout: WordStream;
  /** The stream of warnings, errors and the live line. */
  readonly stderr: WordStream;
}

/** Milliseconds that the last words may take to leave. */
const LEAVE_MS = 1000;

/** Milliseconds between two plain lines that stand for the live one. */
const PLAIN_MS = 10_000;

/** Milliseconds between two renewals of the live line. */
const STATUS_MS = 500;

/** Says things, and keeps one live line below them where standard error is a terminal. */
export class Log {
  readonly #quiet: boolean;
  readonly #verbose: boolean;
  readonly #trace: boolean;
  readonly #plain: boolean;
  #plainMs = performance.now();
  readonly #stdout: WordStream;
  readonly #stderr: WordStream;
  readonly #outlet: Outlet;

  /** A log of that loudness, on the streams of this program unless told otherwise. */
  constructor(
    { quiet, verbose, trace, plain = false, dropped }: LogOptions,
    { stdout, stderr }: Streams = { stdout: Deno.stdout, stderr: Deno.stderr },
  ) {
    this.#quiet = quiet;
    this.#verbose = verbose;
    this.#trace = trace;
    this.#plain = plain;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#outlet = new Outlet(stderr, dropped);
  }

  /** A sentence for the user, on standard output. */
  say(sentence: string): void {
    if (!this.#quiet) this.tell(sentence);
  }

  /** The same for a sentence without which nothing works, however quiet the rest is. */
  tell(sentence: string): void {
    // The live line is shown again with its next text. The output of a pipe needs a moment to reach
    // the screen.
    if (!this.#stdout.isTerminal()) this.#outlet.show("");
    this.#outlet.print(this.#stdout, sentence);
  }

  /** The path of a file that was made, for scripts: where nothing else tells of it. */
  made(path: string): void {
    if (this.#quiet) this.tell(path);
  }

  /** Tells of a loss: a sentence like the others, and an error where only errors are shown. */
  lost(sentence: string): void {
    if (this.#quiet) this.error(sentence);
    else this.say(sentence);
  }

  /** Warns of something that did not stop the call. */
  warn(sentence: string): void {
    this.#outlet.print(this.#stderr, sentence);
  }

  /** Tells of an error that stopped the call. */
  error(sentence: string): void {
    this.#outlet.print(this.#stderr, sentence);
  }

  /**
   * Logs what happens inside, behind the name of its part: `[recorder] …`. Text that takes work to
   * make comes as a function.
   */
  debug(part: string, text: string | (() => string)): void {
    if (!this.#verbose) return;
    this.#outlet.print(this.#stderr, `[${part}] ${typeof text === "string" ? text : text()}`);
  }

  /**
   * Logs what happens to each frame. The text comes as a function: most of the time nobody reads
   * it.
   */
  trace(part: string, text: () => string): void {
    if (this.#trace) this.#outlet.print(this.#stderr, `[${part}] ${text()}`);
  }

  /** True if there is a live line. Without one, nobody has to work out its text. */
  get live(): boolean {
    return this.#stderr.isTerminal() && !this.#quiet;
  }

  /** The columns that the live line may take. */
  get columns(): number {
    return Math.max(columns() - 1, 0);
  }

  /** Shows the live line, in place of the one before; an empty text removes it. */
  status(text: string): void {
    if (!this.live) return;
    if (!this.#plain) return this.#outlet.show(cutText(text, this.columns));
    const nowMs = performance.now();
    if (text !== "" && nowMs - this.#plainMs < PLAIN_MS) return;
    this.#plainMs = nowMs;
    if (text !== "") this.#outlet.print(this.#stderr, text);
  }

  /** Lets the last words leave, for a second at most. Nothing can be said afterwards. */
  async close(): Promise<void> {
    this.status("");
    await this.hasLeft();
  }

  /** Waits until all words have left, for a second at most. Resolves to true if they have. */
  async hasLeft(): Promise<boolean> {
    return await within(this.#outlet.idle().then(() => true), LEAVE_MS) ?? false;
  }
}

/** The part of a log that a call needs. */
export type Voice = Omit<Log, "close" | "hasLeft">;

/**
 * A log that begins each sentence with the name of its call. Debug lines and the live line stay as
 * they are.
 */
export function sayWhose(log: Voice, whose: () => string): Voice {
  return {
    say: (sentence): void => log.say(`${whose()}: ${sentence}`),
    tell: (sentence): void => log.tell(`${whose()}: ${sentence}`),
    // A script wants the path alone.
    made: (path): void => log.made(path),
    lost: (sentence): void => log.lost(`${whose()}: ${sentence}`),
    warn: (sentence): void => log.warn(`${whose()}: ${sentence}`),
    error: (sentence): void => log.error(`${whose()}: ${sentence}`),
    debug: (part, text): void => log.debug(part, text),
    trace: (part, text): void => log.trace(part, text),
    get live(): boolean {
      return log.live;
    },
    get columns(): number {
      return log.columns;
    },
    status: (text): void => log.status(text),
  };
}

/** Renews the live line, if there is one, until disposed of. */
export function everyStatus(log: Voice, text: () => string): Disposable {
  const timer = log.live ? setInterval(() => log.status(text()), STATUS_MS) : undefined;
  return {
    [Symbol.dispose](): void {
      clearInterval(timer);
      log.status("");
    },
  };
}

function columns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
