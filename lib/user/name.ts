/**
 * What the two ends of a call are called: a name that fits into a sentence, and how callers are told apart. A peer's name is
 * a stranger's text: it may be empty, endless, of characters that steer a terminal, or another caller's.
 */

import { cutText } from "./text_width.ts";

/** The most columns that a name takes. */
const MAX_COLUMNS = 40;

/** The most marks upon one character: no language has more. */
const MAX_MARKS = 3;

/** A caller: its name as it gave it, and where it calls from. */
export interface CallerIdentity {
  /** Its name, in its own words; may be empty. */
  readonly name: string;
  /** Its address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
}

/** A name as it is shown: one line of bounded width, without what is not seen or steers a terminal. */
export function shownName(text: string): string {
  const plain = text.toWellFormed().normalize("NFC")
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "")
    .replace(/[\p{C}\p{Z}\u2800]+/gu, " ")
    .replace(new RegExp(`(\\p{M}{${MAX_MARKS}})\\p{M}+`, "gu"), "$1")
    .trim();
  return cutText(plain, MAX_COLUMNS);
}

/** True if two callers would be taken for one another by their names. */
export function isNamesake(one: CallerIdentity, other: CallerIdentity): boolean {
  return comparable(one.name) === comparable(other.name);
}

/** A caller within a sentence: by its name, by its address where it has none, by both where another has the same name. */
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
