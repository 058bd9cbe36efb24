/**
 * Stand-in for `@std/cli/parse-args` on a network without JSR: our own reading of a command line,
 * with the results of `@std/cli` 1.0.32, oddities included.
 *
 * Supported, and held to `tests/data/parse_args.jsonl` by `tests/std_contract_test.ts`:
 *
 * - `string`, `boolean`, `alias`, `default` and `unknown`, with names that hold no dot;
 * - `--name=value`, `--name value`, `-n value`, `-n=value`, `-n5`, several letters in one (`-nq`),
 *   `--`.
 *
 * Not supported: `collect`, `negatable`, `stopEarly`, `"--": true`, nested names (`--a.b`), and
 * other values glued to a letter (`-n/tmp`). Code of this project does without them.
 *
 * @module
 */

/** The part of std's options that is supported here. */
export interface ParseOptions {
  /** Options that take a value; `"_"` keeps positional arguments from becoming numbers. */
  string?: readonly string[];
  /** Options that are there or not: `false` when they are not. */
  boolean?: readonly string[];
  /** Other names of an option; the result carries the value under every name. */
  alias?: Record<string, string | readonly string[]>;
  /** Values of options that were not given. */
  default?: Record<string, unknown>;
  /**
   * Called for an option that is declared nowhere, with its name and value, and for a positional
   * argument, with nothing more; `false` keeps it out of the result.
   */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The result: a value for each option, and the rest under `_`. */
export type Args = Record<string, unknown> & { _: (string | number)[] };

/** `--name`, `--name=value`. */
const LONG = /^--(.+?)(?:=(.*))?$/s;
/** `-n`, `-nq`, `-n=value`, `-n5`; a lone `-` is no option. */
const LETTERS = /^-([^-][^=\d]*)(?:=(.*)|(\d.*))?$/s;

/** Reads command-line arguments. Throws nothing: `unknown` hears of mistakes. */
export function parseArgs(args: string[], options: ParseOptions = {}): Args {
  const { string = [], boolean = [], alias = {}, unknown = () => true } = options;
  const names = namesOf(alias);
  const expand = (keys: readonly string[]) => new Set(keys.flatMap((key) => names(key)));
  const strings = expand(string);
  const booleans = expand(boolean);

  const result: Args = { _: [] };
  const put = (key: string, value: unknown) => {
    for (const name of names(key)) result[name] = value;
  };
  const set = (arg: string, key: string, value: string | boolean) => {
    const declared = strings.has(key) || booleans.has(key) || names(key).length > 1;
    if (!declared && unknown(arg, key, value) === false) return;
    put(key, typeof value === "string" && !strings.has(key) ? numeric(value) : value);
  };

  const end = args.includes("--") ? args.indexOf("--") : args.length;
  for (let at = 0; at < end; at++) {
    const arg = args[at]!;
    // Gives an option the next word, if that can be its value.
    const setAlone = (key: string, canBeValue: (next: string) => boolean) => {
      const next = at + 1 < end ? args[at + 1]! : "";
      const isValue = booleans.has(key) ? /^(true|false)$/.test(next) : canBeValue(next);
      if (next === "" || !isValue) {
        set(arg, key, strings.has(key) ? "" : true);
      } else {
        at++;
        set(arg, key, booleans.has(key) ? next === "true" : next);
      }
    };
    const [, name, value] = LONG.exec(arg) ?? [];
    const [, letters, ...glued] = LETTERS.exec(arg) ?? [];
    if (name !== undefined && value !== undefined) {
      // `--no-record=x` gives its value to `record`, and "false" alone turns a switch off.
      const key = name.replace(/^no-(?=.)/, "");
      set(arg, key, booleans.has(key) ? value !== "false" : value);
    } else if (name !== undefined) {
      setAlone(name, (next) => !next.startsWith("-"));
    } else if (letters !== undefined) {
      const key = letters.at(-1)!;
      for (const letter of letters.slice(0, -1)) set(arg, letter, strings.has(letter) ? "" : true);
      // Behind a letter, unlike a name, "-" and "---" are values.
      const given = glued.find((one) => one !== undefined);
      if (given !== undefined) set(arg, key, given);
      else setAlone(key, (next) => !/^--?[^-]/.test(next));
    } else if (unknown(arg) !== false) {
      result._.push(strings.has("_") ? arg : numeric(arg));
    }
  }
  result._.push(...args.slice(end + 1));

  for (const [key, value] of Object.entries(options.default ?? {})) {
    if (!Object.hasOwn(result, key)) put(key, value);
  }
  for (const key of booleans) {
    if (!Object.hasOwn(result, key)) result[key] = false;
  }
  return result;
}

/** All the names of an option, its own first. */
function namesOf(
  alias: Record<string, string | readonly string[]>,
): (key: string) => readonly string[] {
  const groups = new Map<string, string[]>();
  for (const [key, others] of Object.entries(alias)) {
    const group = [key, ...(typeof others === "string" ? [others] : others)];
    for (const name of group) groups.set(name, group);
  }
  return (key) => groups.get(key) ?? [key];
}

/** A number if the text is one. std does so with everything that is not declared a string. */
function numeric(text: string): string | number {
  return /^([-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?|0x[0-9a-f]+)$/i.test(text) ? Number(text) : text;
}
