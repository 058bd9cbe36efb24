/**
 * Stand-in for `@std/cli/parse-args` on a network without JSR, built on `node:util`'s `parseArgs`,
 * which cuts the arguments into tokens; what the tokens mean is decided here, as std does.
 *
 * Supported, and held to std's behaviour by `tests/std_contract_test.ts`:
 *
 * - `string`, `boolean`, `alias`, `default` and `unknown`, with names that hold no dot;
 * - `--name=value`, `--name value`, `-n`, `-n value`, several switches in one (`-nq`), `--`.
 *
 * Not supported: `collect`, `negatable`, `stopEarly`, `"--": true`, nested names (`--a.b`), and a
 * value glued to a letter (`-n5`, `-n=5`). Code of this project must do without them.
 *
 * @module
 */

import { parseArgs as tokenize } from "node:util";

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

/** What was given: a value for each option, and the rest under `_`. */
export type Args = Record<string, unknown> & { _: (string | number)[] };

/** Reads command-line arguments. Throws nothing: what is wrong reaches `unknown`. */
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

  const { tokens } = tokenize({ args, strict: false, allowPositionals: true, tokens: true });
  let afterTerminator = false;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.kind === "option-terminator") {
      afterTerminator = true;
    } else if (token.kind === "positional") {
      if (afterTerminator) result._.push(token.value);
      else if (unknown(token.value) !== false) {
        result._.push(strings.has("_") ? token.value : numeric(token.value));
      }
    } else {
      const arg = args[token.index]!;
      const { key, value } = longForm(token.name, token.value);
      const next = tokens[i + 1];
      // A lone "-" is a value to a letter, but not to a name.
      const follower = next?.kind === "positional" && !(next.value === "-" && arg.startsWith("--"))
        ? next.value
        : "";
      if (value !== undefined) {
        set(arg, key, booleans.has(key) ? value !== "false" : value);
      } else if (booleans.has(key) && (follower === "true" || follower === "false")) {
        set(arg, key, follower === "true");
        i++;
      } else if (!booleans.has(key) && follower !== "") {
        set(arg, key, follower);
        i++;
      } else {
        set(arg, key, strings.has(key) ? "" : true);
      }
    }
  }

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

/** The name and the value std would see, two oddities of its own included. */
function longForm(name: string, value: string | undefined): { key: string; value?: string } {
  if (value === undefined) return { key: name };
  // `--fps=` is an option named `fps=`, which nobody has declared.
  if (value === "") return { key: `${name}=` };
  // `--no-record=x` gives a value to `record`, not to `no-record`.
  return { key: name.replace(/^no-(?=.)/, ""), value };
}

/** A number where the text is one: std does so with everything not declared a string. */
function numeric(text: string): string | number {
  return /^([-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?|0x[0-9a-f]+)$/i.test(text) ? Number(text) : text;
}
