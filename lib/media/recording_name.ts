/**
 * The name of a recording as the user wants it: a folder, or a name with places for the day, the
 * time and the peer of each call. The peer chooses its own name: only what is harmless in the name
 * of a file is left of it. Pure.
 */

import { splitPath } from "./recording_file.ts";

/** A place in a name, and the word in it. */
const PLACE = /\{([^{}]*)\}/g;

/** The places that a name may have. */
const PLACES = ["date", "time", "peer"] as const;

/** The texts that may stand in a place. */
const PATTERNS: Readonly<Record<string, string>> = {
  ...{ date: "\\d{4}-\\d\\d-\\d\\d", time: "\\d\\d-\\d\\d-\\d\\d", peer: ".+" },
  number: "(?:-[1-9]\\d*)?",
};

/** The name of a recording in a folder. */
const IN_FOLDER = "{date}_{time}_{peer}.avi";

/** The most bytes of a peer in a name: systems take 255 for all of it, encrypted folders 143. */
const MAX_PEER_BYTES = 80;

/** Characters that some system takes for something else, and those that nobody sees. */
const HARMFUL = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}"*/:<>?\\|{}%]+/gu;

/** Names that belong to devices on Windows, with any ending. */
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])(?=\.|$)/i;

/** A call, for the name of its recording. */
export interface CallNamed {
  /** The beginning of the call. */
  readonly at: Date;
  /** The name that the peer gave itself. It may be anything. */
  readonly peer: string;
  /** The address of the peer. */
  readonly host: string;
}

/** A call in whose name every place is as long as it can be. */
export const LONGEST: CallNamed = { at: new Date(0), peer: "x".repeat(MAX_PEER_BYTES), host: "" };

/** The first place in a name that no recording has, with its braces, or `undefined`. */
export function unknownPlace(wanted: string): string | undefined {
  const places: readonly string[] = PLACES;
  const [, name] = splitPath(wanted);
  return [...name.matchAll(PLACE)].find(([, place]) => !places.includes(place!))?.[0];
}

/**
 * A pattern for the names of the recordings that a name stands for, numbered ones too. Nothing for a
 * name that is the same for all calls, and for one that files of other programs may have as well.
 */
export function patternOf(name: string): RegExp | undefined {
  if (!name.includes("{date}") || !name.includes("{time}")) return undefined;
  const [, stem, ending] = /^(.*?)(\.[^.]*)?$/s.exec(name)!;
  const pattern = `${stem}{number}${ending ?? ""}`.split(PLACE).map((text, at) =>
    at % 2 ? PATTERNS[text] : escaped(text)
  );
  return new RegExp(`^${pattern.join("")}$`, "s");
}

/** The text of a pattern that is found as it stands. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** The name for recordings in a folder. */
export function nameInFolder(folder: string): string {
  return splitPath(folder)[1] === "" ? `${folder}${IN_FOLDER}` : `${folder}/${IN_FOLDER}`;
}

/**
 * The path for the recording of a call. Only its last part has places: neither a peer nor a new day
 * chooses a folder.
 */
export function nameOf(wanted: string, { at, peer, host }: CallNamed): string {
  const [date, time] = localTime(at);
  const words: Readonly<Record<string, string>> = { date, time, peer: safe(peer) || safe(host) };
  const [folder, name] = splitPath(wanted);
  return `${folder}${name.replace(PLACE, (place, word) => words[word] ?? place)}`;
}

/** The day and the time of the clock on the wall. */
function localTime(at: Date): readonly [date: string, time: string] {
  const two = (number: number): string => String(number).padStart(2, "0");
  return [
    `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join("-"),
  ];
}

/** What is left of a text that may stand in the name of a file. It may be empty. */
function safe(text: string): string {
  const plain = text.toWellFormed().normalize("NFC").replace(HARMFUL, "-");
  const short = cut(plain.replace(/^[-.\s]+/, ""), MAX_PEER_BYTES).replace(/[-.\s]+$/, "");
  return short.replace(RESERVED, "$1-");
}

/** As many whole characters of a text as fit into that many bytes. */
function cut(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes));
  return text.slice(0, read);
}
