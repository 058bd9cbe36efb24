/**
 * The only place that prints. Sentences for the user go to standard output; the log and the live line to standard error.
 */

// deno-lint-ignore-file no-console

/** How much is said. */
export interface LogOptions {
  /** Errors and warnings only. */
  readonly quiet: boolean;
  /** What happens inside, too. */
  readonly verbose: boolean;
}

/** Says things, and keeps one live line below them where standard error is a terminal. */
export class Log {
  readonly #quiet: boolean;
  readonly #verbose: boolean;
  readonly #terminal = Deno.stderr.isTerminal();
  #status = "";

  /** A log of that loudness. */
  constructor({ quiet, verbose }: LogOptions) {
    this.#quiet = quiet;
    this.#verbose = verbose;
  }

  /** A sentence for the user, on standard output. */
  say(sentence: string): void {
    if (!this.#quiet) this.#print(console.log, sentence);
  }

  /** How something was lost: a sentence like the others, and an error where only those are shown. */
  lost(sentence: string): void {
    if (this.#quiet) this.error(sentence);
    else this.say(sentence);
  }

  /** Something that did not stop the call. */
  warn(sentence: string): void {
    this.#print(console.error, sentence);
  }

  /** Something that did. */
  error(sentence: string): void {
    this.#print(console.error, sentence);
  }

  /** What happens inside, with the part that says it in front: `[recorder] …`. A text for each frame comes as a function. */
  debug(part: string, text: string | (() => string)): void {
    if (!this.#verbose) return;
    this.#print(console.error, `[${part}] ${typeof text === "string" ? text : text()}`);
  }

  /** Whether there is a live line: elsewhere nobody need find out what would be in it. */
  get live(): boolean {
    return this.#terminal && !this.#quiet;
  }

  /** Shows the live line, in place of the one before; an empty text removes it. */
  status(text: string): void {
    if (!this.live) return;
    this.#erase();
    this.#status = text.slice(0, Math.max(columns() - 1, 0));
    this.#write(this.#status);
  }

  #print(print: (text: string) => void, text: string): void {
    this.#erase();
    try {
      print(text);
    } catch {
      // Whoever read us has gone; the call is worth more than its words.
    }
    this.#write(this.#status);
  }

  #erase(): void {
    if (this.#status) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    if (!text) return;
    try {
      Deno.stderr.writeSync(new TextEncoder().encode(text));
    } catch {
      // As above: the terminal was closed.
    }
  }
}

/** What a call needs of a log. */
export type Voice = Pick<Log, keyof Log>;

/** A log whose sentences begin with whose they are; what happens inside, and the live line, stay as they are. */
export function sayWhose(log: Voice, whose: () => string): Voice {
  return {
    say: (sentence): void => log.say(`${whose()}: ${sentence}`),
    lost: (sentence): void => log.lost(`${whose()}: ${sentence}`),
    warn: (sentence): void => log.warn(`${whose()}: ${sentence}`),
    error: (sentence): void => log.error(`${whose()}: ${sentence}`),
    debug: (part, text): void => log.debug(part, text),
    get live(): boolean {
      return log.live;
    },
    status: (text): void => log.status(text),
  };
}

function columns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
