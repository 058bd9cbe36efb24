/**
 * The words of a command line, read against a table of options. A word becomes a value here.
 * option_table.ts says which options exist, options.ts what they mean together. An error says what
 * to type instead.
 */

import { parseArgs } from "@std/cli/parse-args";
import { readAddress } from "./address.ts";
import { UsageError } from "../errors.ts";
import { DEFAULT_FORMAT, FORMAT_LIMITS, formatProblem } from "../frame/format.ts";
import { type Language, type Messages, messagesIn, type UsageMessages } from "./sentences.ts";
import { shownName } from "./name.ts";

/** The two programs. */
export type Program = "server" | "client";

/** An option: the part of it that the reader needs. */
export interface Option {
  /** Its name, without dashes. */
  readonly name: string;
  /** The programs that have it. */
  readonly programs: readonly Program[];
  /** The name of its value in each language; an option without one is a switch. */
  readonly value?: Readonly<Record<Language, string>>;
}

/** One end of a connection. A part that was not given is `undefined`. */
export interface Endpoint {
  /** A name or an address. */
  readonly host: string | undefined;
  /** A TCP port. */
  readonly port: number | undefined;
}

/** A command line in which every option has the same spelling. */
export interface Spelling {
  /** Each option as `--name=value`, with a value that is not empty, or as `--name`. */
  readonly options: readonly string[];
  /** The words that belong to no option. */
  readonly rest: readonly string[];
  /** The sentence for the first word that cannot be right, if there is one. */
  readonly problem: ((usage: UsageMessages) => string) | undefined;
}

/**
 * The start of an option, as typed. Editors and chats turn two dashes into one long dash. `-5` and
 * `-` are values.
 */
const DASHES = /^(?:--(?=.)|[-\u2010-\u2015\u2212](?=[^\s\d.,-]))/s;

/** Standard input, as ffmpeg and systems call it. */
const STANDARD_INPUT = /^(-|(pipe|fd):0?|\/dev\/(stdin|fd\/0)|\/proc\/self\/fd\/0)$/i;

/** Words that are never an address. */
const SWITCHED = /^(true|false)$/i;

/** Videos, by the endings of their names. */
const VIDEO = /\.(avi|mp4|m4v|mkv|webm|mov|mpe?g|ts|flv|wmv|3gp|ogv|gif)$/i;

/** The code of a private call as servers show it, or as people write it. Errors do not repeat it. */
const CODE = /(?<!\d)\d{3}[-\s]?\d{4}[-\s]?\d{4}(?!\d)/g;

/** The start of a URL. */
const URL_START = /^[a-z][a-z\d+.-]+:\/\//i;

/**
 * An option that a word was probably meant for. The program stands behind it if it is only one of
 * the two.
 */
type Meaning = readonly [option: string, isLikely: (word: string) => boolean, only?: Program];

/**
 * The options that a lone word was probably meant for, the likeliest first. A server rather
 * records, a client rather sends.
 */
const MEANT: readonly Meaning[] = [
  ["code", (word) => word.search(CODE) === 0 && word.replace(CODE, "") === "", "client"],
  ["camera", (word) => /^\d\d?$/.test(word), "client"],
  ["port", (word) => /^\d{1,5}$/.test(word)],
  ["size", (word) => readSize(word) !== undefined],
  ["codec", (word) => /^(raw|mjpeg|h264)$/i.test(word)],
  ["input", (word) => word === "test"],
  ["record", (word) => VIDEO.test(word) && !URL_START.test(word), "server"],
  ["input", (word) => VIDEO.test(word)],
  ["host", (word) => /[.:]/.test(word) && readAddress(word) !== undefined],
  ["input", (word) => URL_START.test(word)],
  ["record", (word) => /[/\\]/.test(word), "server"],
  ["input", (word) => /[/\\]/.test(word)],
];

/**
 * Spells a command line out: `-h` becomes `--help`, `--port 80` becomes `--port=80`. Versions of
 * parseArgs differ in empty values, in values of switches, in `--no-x=y` and in letters. All
 * versions read the result of this function alike.
 */
export function spell(
  program: Program,
  args: readonly string[],
  table: readonly Option[],
): Spelling {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const options: string[] = [];
  const rest: string[] = [];
  let problem: Spelling["problem"];
  for (let at = 0; at < end; at++) {
    const word = args[at]!;
    if (!DASHES.test(word)) {
      rest.push(word);
      continue;
    }
    const [, typed, glued] = /^([^=]*)(?:=(.*))?$/s.exec(word)!;
    const name = typed === "-h" ? "--help" : typed!;
    const option = table.find((one) => one.programs.includes(program) && `--${one.name}` === name);
    if (!option) {
      problem ??= unknown(program, word, table);
    } else if (option.value) {
      const next = at + 1 < end ? args[at + 1]! : "";
      const value = glued ?? (DASHES.test(next) ? "" : next);
      if (value !== "") options.push(`${name}=${value}`);
      else problem ??= (usage) => usage.missing(name);
      if (glued === undefined && value === next) at++;
    } else if (glued === undefined) {
      options.push(name);
    } else {
      problem ??= (usage) => usage.noValue(word, typed!);
    }
  }
  return { options, rest: [...rest, ...args.slice(end + 1)], problem };
}

/** The sentence for an option that the program does not have. */
function unknown(
  program: Program,
  word: string,
  table: readonly Option[],
): (usage: UsageMessages) => string {
  const name = word.replace(DASHES, "").replace(/=.*/s, "");
  const own = table.filter(({ programs }) => programs.includes(program));
  const other = table.filter((one) => !own.includes(one));
  const meant = other.find((one) => one.name === name)?.name ??
    nearest(name, own) ?? nearest(name, other);
  // A code of the user's own looks like anything.
  const shown = meant === "code" ? word.replace(/=.*/s, "") : word;
  return (usage) => {
    if (meant === undefined) return usage.unknown(shown);
    if (own.some((one) => one.name === meant)) return usage.near(shown, `--${meant}`);
    return (program === "client" ? usage.ofServer : usage.ofClient)(shown, `--${meant}`);
  };
}

/** The option whose name is nearest to a mistyped one, or `undefined` if none is near. */
function nearest(typed: string, options: readonly Option[]): string | undefined {
  const name = typed.toLowerCase().replaceAll("_", "-");
  const names = [...new Set(options.map((option) => option.name))];
  if (names.includes(name)) return name;
  const begun = names.filter((one) => one.startsWith(name));
  if (begun.length === 1) return begun[0];
  const most = Math.min(Math.max(1, Math.floor(name.length / 3)), 2);
  const [first] = names.map((one) => ({ one, slips: slipsBetween(name, one) }))
    .filter(({ slips }) => slips <= most).sort((a, b) => a.slips - b.slips);
  return name.length > 2 ? first?.one : undefined;
}

/** The number of slips between two words: letters left out, put in, exchanged or swapped. */
function slipsBetween(from: string, to: string): number {
  // rows[i][j]: the slips between the first i letters of one and the first j of the other.
  const rows = [Array.from({ length: to.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row.push(Math.min(
        rows[i - 1]![j]! + 1,
        row[j - 1]! + 1,
        rows[i - 1]![j - 1]! + same,
        swapped ? rows[i - 2]![j - 2]! + 1 : Infinity,
      ));
    }
    rows.push(row);
  }
  return rows[from.length]![to.length]!;
}

/** Reads a command line. Throws `UsageError`, in the language that the command line asks for. */
export function readWords(
  program: Program,
  args: readonly string[],
  table: readonly Option[],
  system: Language,
): Words {
  const { options, rest, problem } = spell(program, args, table);
  const own = table.filter(({ programs }) => programs.includes(program));
  const values = parseArgs([...options], {
    string: own.filter(({ value }) => value).map(({ name }) => name),
    boolean: own.filter(({ value }) => !value).map(({ name }) => name),
  }) as Record<string, unknown>;
  // The language comes first: the errors of the rest are said in it.
  const wanted = String(values["lang"] ?? system);
  const [, language] = /^(pt|en)(?:[-_.@].*)?$/i.exec(wanted) ?? [];
  const words = new Words({
    values,
    rest,
    program,
    language: language === undefined ? system : language.toLowerCase() as Language,
  });
  const { usage } = words.messages;
  if (language === undefined) {
    throw words.wrong(usage.bad("--lang", wanted, usage.oneOf("pt, en")));
  }
  if (problem) throw words.wrong(problem(usage));
  return words;
}

/** The error of a wrong command line, with a pointer to the help. It shows no code. */
export function usageError(problem: string, messages: Messages): UsageError {
  const what = problem.replaceAll(CODE, "…");
  return new UsageError(`${what}${what.endsWith("?") ? "" : "."} ${messages.usage.seeHelp}`);
}

/** A word as it has to be typed in a shell. */
export function quoted(word: string): string {
  return /^[\p{L}\p{M}\p{N}_.,:/\\~+=@%-]+$/u.test(word) ? word : `"${word}"`;
}

/** The words of a command line. Each one is a known option, or belongs to none. */
export class Words {
  /** The sentences of its language. */
  readonly messages: Messages;
  /** The language that the command line asks for, or else the system's. */
  readonly language: Language;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #rest: readonly string[];
  readonly #program: Program;

  /** The values of the program's options, and the words that belong to none. */
  constructor(parts: {
    readonly values: Readonly<Record<string, unknown>>;
    readonly rest: readonly string[];
    readonly program: Program;
    readonly language: Language;
  }) {
    this.#values = parts.values;
    this.#rest = parts.rest;
    this.#program = parts.program;
    this.language = parts.language;
    this.messages = messagesIn(parts.language);
  }

  /** True if a switch is on. */
  on(name: string): boolean {
    return this.#values[name] === true;
  }

  /** A value as it was typed. */
  value(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** A name for others to read. */
  name(name: string): string | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : shownName(value);
  }

  /** The name of a file. Only the shell knows which folder `~` is. */
  file(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || !/^~([/\\]|[\w.-]+[/\\]|$)/.test(value)) return value;
    throw this.#bad(name, value, this.messages.usage.home(`--${name} ${value}`));
  }

  /** The name of a file, or a URL. */
  input(name: string): string | undefined {
    const value = this.file(name);
    if (value === undefined || !STANDARD_INPUT.test(value)) return value;
    throw this.#bad(name, value, this.messages.usage.noStandardInput);
  }

  /** A whole number. */
  whole(name: string, min: number, max: number): number | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : this.#whole(name, value, { text: value, min, max });
  }

  /** Frames a second. */
  rate(): number | undefined {
    const { minFps, maxFps } = FORMAT_LIMITS;
    return this.#read("fps", readRate, ({ rate }) => rate(minFps, maxFps));
  }

  /** A time in seconds. */
  seconds(name: string): number | undefined {
    return this.#read(name, readSeconds, ({ seconds }) => seconds);
  }

  /** The size of a picture. */
  size(): { readonly width: number; readonly height: number } | undefined {
    return this.#read("size", readSize, ({ size }) => size);
  }

  /** A word out of a few, in small letters or large. */
  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const plain = (text: string): string => text.toLowerCase().replaceAll(/[\s._-]/g, "");
    return this.#read(
      name,
      (value) => values.find((one) => one === plain(value)),
      ({ oneOf }) => oneOf(values.join(", ")),
    );
  }

  /**
   * The address of `--host`. Where `alone` is allowed, a word without an option is read as the
   * address, too. The port is the address's own or that of `--port`.
   */
  address(
    { minPort, alone }: { readonly minPort: number; readonly alone: boolean },
  ): Endpoint {
    const named = this.value("host");
    const addresses = named === undefined ? [] : [{ shown: `--host ${named}`, text: named }];
    for (const word of this.#rest) {
      if (!alone || !this.#isAddress(word)) throw this.#stray(word);
      addresses.push({ shown: word, text: word });
    }
    const { usage } = this.messages;
    const read = addresses.map(({ shown, text }): Endpoint & { shown: string } => {
      const address = readAddress(text);
      if (!address) throw this.#bad("host", text, usage.address);
      const port = address.port === undefined
        ? undefined
        : this.#whole("host", text, { text: address.port, min: minPort, max: 65535 });
      return { shown, host: address.host, port };
    });
    const port = this.whole("port", minPort, 65535);
    if (port !== undefined) read.push({ shown: `--port ${port}`, host: read[0]?.host, port });
    // The same port said twice is no contradiction.
    const [first] = read;
    const [ported] = read.filter((one) => one.port !== undefined);
    const otherHost = read.find((one) => one.host !== first!.host);
    const otherPort = read.find((one) => one.port !== undefined && one.port !== ported!.port);
    if (otherHost) throw this.conflict(first!.shown, otherHost.shown);
    if (otherPort) throw this.conflict(ported!.shown, otherPort.shown);
    return { host: first?.host, port: ported?.port };
  }

  /** Refuses two options of which only one can be meant. */
  refuseBoth(one: string, other: string): void {
    if (this.given([one, other]).length === 2) throw this.conflict(`--${one}`, `--${other}`);
  }

  /** Those options among `names` that were given. */
  given(names: readonly string[]): string[] {
    return names.filter((name) => this.on(name) || this.value(name) !== undefined);
  }

  /** The error of two words that exclude each other. */
  conflict(one: string, other: string): UsageError {
    return this.wrong(this.messages.usage.conflict(one, other));
  }

  /** The error of a wrong command line. */
  wrong(what: string): UsageError {
    return usageError(what, this.messages);
  }

  #read<T>(
    name: string,
    read: (value: string) => T | undefined,
    wanted: (usage: UsageMessages) => string,
  ): T | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const found = read(value);
    if (found !== undefined) return found;
    throw this.#bad(name, value, wanted(this.messages.usage));
  }

  #whole(
    name: string,
    value: string,
    { text, min, max }: { readonly text: string; readonly min: number; readonly max: number },
  ): number {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (number >= min && number <= max) return number;
    throw this.#bad(name, value, this.messages.usage.number(min, max));
  }

  #bad(name: string, value: string, wanted: string): UsageError {
    return this.wrong(this.messages.usage.bad(`--${name}`, value, wanted));
  }

  #stray(word: string): UsageError {
    const { usage } = this.messages;
    const meant = this.#meant(word);
    return this.wrong(
      meant === undefined ? usage.stray(word) : usage.strayNear(word, `--${meant} ${quoted(word)}`),
    );
  }

  #isAddress(word: string): boolean {
    const meant = this.#meant(word) ?? "host";
    return meant === "host" && !SWITCHED.test(word) && readAddress(word) !== undefined;
  }

  #meant(word: string): string | undefined {
    return MEANT.find(([, isLikely, only = this.#program]) =>
      only === this.#program && isLikely(word)
    )?.[0];
  }
}

/** `20`, `29.97`, `29,97`, `30fps`. */
function readRate(text: string): number | undefined {
  const [, digits] = /^(\d{1,3}(?:[.,]\d{1,3})?)(?: ?fps)?$/i.exec(text) ?? [];
  const rate = decimal(digits);
  return rate >= FORMAT_LIMITS.minFps && rate <= FORMAT_LIMITS.maxFps ? rate : undefined;
}

/** `640x480`, `640X480`, `640×480`, `640 * 480`. */
function readSize(text: string): { readonly width: number; readonly height: number } | undefined {
  const [, width, height] = /^(\d{1,5}) ?[x×*] ?(\d{1,5})$/i.exec(text) ?? [];
  const size = { width: Number(width), height: Number(height) };
  return formatProblem({ ...DEFAULT_FORMAT, ...size }) ? undefined : size;
}

/** A number with a decimal point or comma. */
const NUMBER = String.raw`\d{1,9}(?:[.,]\d{1,6})?`;

/** `90` or `1.5`, `1:30` or `1:00:00`, and `90s`, `1m30s`, `1 h`. */
const TIMES: readonly RegExp[] = [
  new RegExp(`^(?<s>${NUMBER})$`),
  /^(?:(?<h>\d{1,5}):(?=[0-5]\d:))?(?<m>\d{1,5}):(?<s>[0-5]\d(?:[.,]\d{1,6})?)$/,
  new RegExp(
    `^(?=.)(?:(?<h>${NUMBER}) ?h ?)?(?:(?<m>${NUMBER}) ?(?:min|m) ?)?` +
      `(?:(?<s>${NUMBER}) ?(?:seg|sec|s))?$`,
    "i",
  ),
];

/** A time in seconds, in one of the forms above. */
function readSeconds(text: string): number | undefined {
  const { h = "0", m = "0", s = "0" } = TIMES.map((form) => form.exec(text)?.groups)
    .find((groups) => groups) ?? {};
  const total = decimal(h) * 3600 + decimal(m) * 60 + decimal(s);
  return total > 0 && total < 1e9 ? total : undefined;
}

/** The value of a `NUMBER`. */
function decimal(text: string | undefined): number {
  return text === undefined ? NaN : Number(text.replace(",", "."));
}
