/**
 * Every sentence a user reads: which there are, and when each is said. The sentences themselves are in english.ts and in
 * portuguese.ts; with `pt`, those of the report stand as they are there. Sentences name the cause and the cure.
 */

import type { PeerLostError, SourceError } from "../errors.ts";
import type { NearMiss } from "../near_miss.ts";
import { english } from "./english.ts";
import { portuguese } from "./portuguese.ts";

/** The languages there are. */
export type Language = "pt" | "en";

/** Who is who in a call. */
export type Party = "CLIENT" | "HOST";

/** What a recording or a sending came to, for its one line of summary. */
export interface Summary {
  /** How long it is. */
  readonly seconds: number;
  /** Frames in the file. */
  readonly frames: number;
  /** Frames that were received, where that is another number. */
  readonly received: number;
  /** Frames that were sent or received and are not in the file. */
  readonly lost: number;
  /** The file, as the user can open it. */
  readonly file: string;
  /** The size of the file. */
  readonly bytes: number;
}

/** What helps where a link is too narrow: another codec, or less to send. */
export type NarrowCure = "mjpeg" | "h264" | "smaller" | "slower";

/** What the live line shows; a figure that is not known is left out. */
export interface Status {
  /** The name of the call, where there can be several. */
  readonly label?: string | undefined;
  /** Since the call began. */
  readonly seconds: number;
  /** Frames a second, lately: those that go and those that come. */
  readonly fps: { readonly up: number | undefined; readonly down: number | undefined };
  /** How long the network has been waited for; nothing while it is there. */
  readonly waitingMs?: number | undefined;
  /** How late a frame is at the receiver. */
  readonly delayMs?: number | undefined;
  /** Frames that were left out since the call began. */
  readonly dropped: number;
  /** What crosses the network, lately. */
  readonly bytesPerSecond: number;
  /** The size of the recording so far. */
  readonly fileBytes?: number | undefined;
}

/** Windows are named in the report's words in either language. */
export const TITLES = {
  receiving: { CLIENT: "RECEBENDO VIDEO (CLIENTE)", HOST: "RECEBENDO VIDEO (HOST)" },
  sending: "TRANSMITINDO VIDEO",
} as const;

const INSTALL: Readonly<Record<string, string>> = {
  linux: "sudo apt install ffmpeg",
  darwin: "brew install ffmpeg",
  windows: "winget install Gyan.FFmpeg",
};

/** The sentences of one language, each with the moment at which it is said. A `detail` is in English: it is an error's. */
export interface Messages {
  /** The server starts: the address under which it can be called. */
  hostIp(address: string): string;
  /** The server can be called from now on. */
  listening(host: string, port: number): string;
  /** Behind `listening`: what to type at the other end. */
  dialHint(command: string): string;
  /** In place of `dialHint`, where no other machine can call: what to type on this one. */
  onlyHere(command: string): string;
  /** Behind `dialHint`, where the address is that of one cable and names a card of this machine. */
  readonly scopeHint: string;
  /** Behind `dialHint`, where nobody chose the address and the machine has more than one. */
  otherAddresses(list: string): string;
  /** Either program is started without `--host` on a machine that is in no network. */
  readonly noAddress: string;
  /** The server cannot listen: somebody else does. */
  portTaken(host: string, port: number): string;
  /** The server cannot listen: the system keeps such a port for its own programs. */
  portForbidden(port: number): string;
  /** The server cannot listen: `--host` is another machine's address. */
  addressNotHere(host: string): string;
  /** Either program is given an address of one cable, and not the card that this is in. */
  scopeMissing(host: string): string;

  /** The client starts to call. */
  calling(host: string, port: number): string;
  /** Either program is given a name with `--host` that nobody can resolve. */
  nameUnknown(host: string): string;
  /** The machine that is called is there, and no server on it. */
  nobodyListens(host: string, port: number): string;
  /** The machine that is called does not answer. */
  unreachable(host: string): string;
  /** Listening or calling fails for a rarer reason, which the system tells. */
  network(detail: string): string;

  /** Somebody connects to a server that is free. */
  received(host: string, port: number): string;
  /** Who connected is let go before a call began: what it said, or that it said nothing. */
  stranger(host: string, detail: string): string;
  /** Who connected goes by itself before it says anything, as a port scanner does. */
  leftSilently(host: string): string;
  /** So many strangers came to a server that not each of them was told of. */
  moreStrangers(count: number): string;
  /** Somebody calls a server that has as many calls as it may. */
  busyStranger(host: string): string;

  /** The client hears that its call is taken. */
  answered(host: string, port: number): string;
  /** The terminal's keys are watched: at a server that can be called, at a client in a call. */
  readonly hangUpHint: string;
  /** In place of `hangUpHint`, at a server that stays: q ends the calls that are on first. */
  stayHint(several: boolean): string;
  /** Behind `hangUpHint`, where there is a screen: the keys of a window. */
  readonly windowKeys: string;
  /** A call, or the wait for one, is over as somebody wanted: the last thing that is said. */
  endedBy(party: Party): string;
  /** Before `endedBy`, where the other end hung up for a reason of its own: what it said, in its words. */
  complaint(party: Party, reason: string): string;
  /** A call is over and nobody hung up: the last thing that is said. */
  lost(party: Party, how: PeerLostError["how"]): string;
  /** During a call, at a server that sends a file: it has been shown to its end. */
  readonly inputOver: string;
  /** During a call: nothing comes any more, or the connection is gone. It may come back. */
  networkGone(how: PeerLostError["how"], patienceSeconds: number): string;
  /** Behind `networkGone`, at the end of a call: the network has not come back. */
  readonly recordingCutShort: string;
  /** Behind `networkGone`: the call goes on. */
  networkBack(seconds: number): string;
  /** How a loss was noticed, within other sentences. */
  readonly lostHow: Readonly<Record<PeerLostError["how"], string>>;
  /** The client's call is not taken; `reason` is `BUSY` or what the server says, in English. */
  refused(reason: string): string;
  /** A call is over since the other end broke the protocol. */
  nonsense(party: Party, detail: string): string;
  /** Behind `nonsense`, in the same line. */
  readonly nonsenseCure: string;
  /** Within `nonsense` and `stranger`: what a peer said that speaks something near. */
  nearMiss(miss: NearMiss): string;

  /** During a call, twice a second: the line of the terminal with every figure. */
  status(status: Status): string;
  /** The same of all calls there are, in so many columns at the most. */
  statusLine(statuses: readonly Status[], columns: number): string;
  /** During a call, once, at the client: the link drops more than it carries. */
  narrowLink(cure: NarrowCure): string;
  /** A call was recorded. */
  summary(summary: Summary): string;
  /** A call was taken and not recorded. */
  notRecorded(summary: Pick<Summary, "seconds" | "received" | "lost">): string;
  /** The client's call is over. */
  sent(
    total: { readonly seconds: number; readonly frames: number; readonly dropped: number },
  ): string;

  /** During a call: the disk is full, or ffmpeg died. */
  recordingFailed(file: string, detail: string): string;
  /** Behind `recordingFailed`: another file is begun. */
  recordingGoesOn(file: string): string;
  /** During a call and at its end: nothing that came can be shown or recorded. */
  noPictures(
    party: Party,
    format: { readonly codec: string; readonly width: number; readonly height: number },
  ): string;
  /** At the end of a call, behind its summary: a reminder of `recordingFailed`. */
  recordingIncomplete(file: string): string;
  /** At the start, where an earlier recording was never finished: its program was killed, or the power failed. */
  mended(file: string): string;
  /** The same, where it could not be mended; it is kept as it was. */
  notMended(file: string): string;
  /** During a call, once: this machine is too slow to write what comes. */
  readonly recorderSlow: string;
  /** `--record` names a file in a folder that there is not. */
  noFolder(path: string): string;
  /** `--record` names a file in somebody else's folder. */
  notWritable(path: string): string;
  /** `--record` names a folder. */
  isFolder(path: string): string;
  /** The file of `--record` cannot be made for a rarer reason. */
  cannotRecord(path: string, detail: string): string;

  /** A call begins on a machine without a screen, and without `--no-display`. */
  readonly noScreen: string;
  /** A call begins on a machine that has ffmpeg, and not its player. */
  noFfplay(install: string): string;
  /** During a call, once: the window takes no more pictures, as when the user has paused it. */
  readonly displayStill: string;
  /** During a call: the window is gone, and nobody closed it. */
  displayFailed(detail: string): string;

  /** `--list-cameras`: above the list. */
  readonly cameras: string;
  /** `--list-cameras`: in place of an empty list. */
  readonly noCameras: string;
  /** Nobody asked for a camera, and there is none: what to type in place of it. */
  noCameraHere(command: string): string;
  /** Nobody asked for a camera, and the first one is not there: the others, and what to type. */
  otherCamera(list: string, command: string): string;
  /** An input is there, and has not given a picture for some seconds. */
  waitingFor(name: string): string;
  /** The camera gives no pictures: at once, or no longer. `detail` may be empty. */
  camera(kind: SourceError["kind"], device: string, detail: string): string;
  /** The same of another input. */
  input(kind: SourceError["kind"], name: string, detail: string): string;

  /** A program that is needed is not there. */
  notInstalled(command: string, install: string): string;
  /** The ffmpeg that is installed is from before what is needed. */
  ffmpegOld(version: string, install: string): string;
  /** The ffmpeg that is installed was built without an encoder that is needed. */
  ffmpegLacks(encoder: string, install: string): string;
  /** The program was started without one of Deno's permissions. */
  notAllowed(detail: string): string;
  /** A terminal or a pipe took nothing for so long that lines were dropped; it takes them again. */
  linesDropped(lines: number): string;
  /** Whatever nobody thought of. */
  failed(detail: string): string;

  /** The command line is wrong: which option, what is wanted, and where to read on. */
  readonly usage: UsageMessages;
}

/** What is said of a wrong command line. */
export interface UsageMessages {
  /** An option that there is not. */
  unknown(option: string): string;
  /** The same, where one with much the same name is there. */
  near(option: string, near: string): string;
  /** To the client: an option that the server has, as it was typed and as it is. */
  ofServer(typed: string, option: string): string;
  /** The same to the server. */
  ofClient(typed: string, option: string): string;
  /** A switch that was given a value, whole and without. */
  noValue(typed: string, option: string): string;
  /** A word that neither is an option nor belongs to one. */
  stray(word: string): string;
  /** The same, where it looks like the value of an option: the two together. */
  strayNear(word: string, near: string): string;
  /** An option without its value. */
  missing(option: string): string;
  /** An option with a value that it cannot have; `wanted` is one of those behind `seeHelp`. */
  bad(option: string, value: string, wanted: string): string;
  /** Two options of which only one can be meant. */
  conflict(one: string, other: string): string;
  /** An option that means nothing without one of some others. */
  needs(option: string, others: string): string;
  /** Behind each of the above, in the same line. */
  readonly seeHelp: string;
  /** Of `bad`: ports, numbers of calls. */
  number(min: number, max: number): string;
  /** Of `bad`: frames a second. */
  rate(min: number, max: number): string;
  /** Of `bad`: the size of a picture. */
  readonly size: string;
  /** Of `bad`: a duration. */
  readonly seconds: string;
  /** Of `bad`: a word out of a few. */
  oneOf(values: string): string;
  /** Of `bad`: an input that is no standard input. */
  readonly noStandardInput: string;
  /** Of `bad`: an address. */
  readonly address: string;
  /** Of `bad`: a file in a folder `~` that the shell has not replaced, and the option with it. */
  home(typed: string): string;
  /** Of `bad`: a recording under a name that is no AVI's, and the option with a right one. */
  recording(typed: string): string;
}

/** The sentences of a language. */
export function messagesIn(language: Language): Messages {
  return language === "pt" ? portuguese : english;
}

/** The language of the system: the first of these variables that is set decides; `locale` where none is. */
export function systemLanguage(
  variable: (name: string) => string | undefined,
  locale: string,
): Language {
  const set = ["LC_ALL", "LC_MESSAGES", "LANG"].map(variable).find((value) => value);
  return /^pt\b|^pt[_-]/i.test(set ?? locale) ? "pt" : "en";
}

/** How ffmpeg is installed on a system, by the names of `Deno.build.os`. */
export function installCommand(system: string): string {
  return INSTALL[system] ?? "https://ffmpeg.org/download.html";
}
