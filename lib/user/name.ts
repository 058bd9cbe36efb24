/**
 * The names of the two ends of a call: a name has to fit into a sentence, and callers have to be
 * told apart. A peer's name is a stranger's text. It may be empty, endless, full of characters that
 * steer a terminal, or another caller's name.
 */

import { cutText } from "./text_width.ts";

/** The most columns that a name takes. */
const MAX_COLUMNS = 40;

/** The most marks upon one character: no language has more. */
const MAX_MARKS = 3;

/** A caller: the name that it gave, and the address that it calls from. */
export interface CallerIdentity {
  /** Its name, in its own words. It may be empty. */
  readonly name: string;
  /** Its address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
}

/**
 * A name as it is shown: one line of bounded width. Invisible characters and those that steer a
 * terminal are left out.
 */
export function shownName(text: string): string {
  const plain = text.toWellFormed().normalize("NFC")
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "")
    .replace(/[\p{C}\p{Z}\u2800]+/gu, " ")
    .replace(new RegExp(`(\\p{M}{${MAX_MARKS}})\\p{M}+`, "gu"), "$1")
    .trim();
  return cutText(plain, MAX_COLUMNS);
}

/** True if two callers have names that look the same. */
export function isNamesake(one: CallerIdentity, other: CallerIdentity): boolean {
  return comparable(one.name) === comparable(other.name);
}

/**
 * A caller within a sentence: its name, or its address where it has none. Both where another caller
 * has the same name.
 */
export function callerLabel(
  { name, host, port }: CallerIdentity,
  { hasNamesake }: { readonly hasNamesake: boolean },
): string {
  const shown = shownName(name);
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return shown === "" ? address : hasNamesake ? `${shown} (${address})` : shown;
}

function comparable(name: string): string {
  return shownName(name).normalize("NFKC").toLowerCase();
}
