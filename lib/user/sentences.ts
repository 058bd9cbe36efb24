/**
 * Every sentence that a user reads, with the moment at which it is said. The texts are in
 * english.ts and in portuguese.ts. The report's own sentences keep its words in Portuguese. A
 * sentence names the cause and the cure.
 */

import type { CodeError, MicrophoneError, PeerLostError, SourceError } from "../errors.ts";
import type { NearMiss } from "../near_miss.ts";
import { english } from "./english.ts";
import { portuguese } from "./portuguese.ts";

/** The languages of the sentences. */
export type Language = "pt" | "en";

/** The two roles in a call. */
export type Party = "CLIENT" | "HOST";

/** The other party. */
export function other(party: Party): Party {
  return party === "CLIENT" ? "HOST" : "CLIENT";
}

/** The result of a recording or a sending, for its one line of summary. */
export interface Summary {
  /** Seconds that it lasts. */
  readonly seconds: number;
  /** Frames in the file. */
  readonly frames: number;
  /** Frames that were received, if that is another number. */
  readonly received: number;
  /** Frames that were sent or received and are not in the file. */
  readonly lost: number;
  /** The file, under the name by which the user can open it. */
  readonly file: string;
  /** The size of the file. */
  readonly bytes: number;
  /** True if there was sound. */
  readonly sound?: boolean;
}

/** The cure for a link that is too narrow: another codec, or less to send. */
export type NarrowCure = "mjpeg" | "h264" | "smaller" | "slower";

/** The figures of the live line. An unknown figure is left out. */
export interface Status {
  /** The name of the call, where there can be several. */
  readonly label?: string | undefined;
  /** Seconds since the call began. */
  readonly seconds: number;
  /** Frames a second, lately: those that go and those that come. */
  readonly fps: { readonly up: number | undefined; readonly down: number | undefined };
  /** Milliseconds since the network was lost; nothing while it is there. */
  readonly waitingMs?: number | undefined;
  /** Milliseconds that a frame is late at the receiver. */
  readonly delayMs?: number | undefined;
  /** Frames that were left out since the call began. */
  readonly dropped: number;
  /** Bytes a second that cross the network, lately. */
  readonly bytesPerSecond: number;
  /** The microphones that are muted. */
  readonly muted?: { readonly ours: boolean; readonly theirs: boolean } | undefined;
  /** The size of the recording so far. */
  readonly fileBytes?: number | undefined;
}

/** The titles of the windows: the report's words in either language. */
export const TITLES = {
  receiving: { CLIENT: "RECEBENDO VIDEO (CLIENTE)", HOST: "RECEBENDO VIDEO (HOST)" },
  sending: "TRANSMITINDO VIDEO",
} as const;

const INSTALL: Readonly<Record<string, string>> = {
  linux: "sudo apt install ffmpeg",
  darwin: "brew install ffmpeg",
  windows: "winget install Gyan.FFmpeg",
};

/**
 * The sentences of one language, each with the moment at which it is said. A `detail` is in
 * English: it is an error's text.
 */
export interface Messages {
  /** The server starts: the address that a caller has to use. */
  hostIp(address: string): string;
  /** The server can be called from now on. */
  listening(host: string, port: number): string;
  /** Behind `listening`: the command to type on the peer's machine. */
  dialHint(command: string): string;
  /**
   * In place of `dialHint`, where the server can be found: the command, and the one with an address.
   */
  findHint(command: string, withAddress: string): string;
  /** Behind `dialHint`: the port is not shared on which servers are looked for. */
  cannotBeFound(detail: string): string;
  /** In place of `dialHint`, where no other machine can call: the command to type on this one. */
  onlyHere(command: string): string;
  /** Behind `dialHint`, where the address is that of one cable and names a card of this machine. */
  readonly scopeHint: string;
  /** Behind `dialHint`, where the user chose no address and the machine has more than one. */
  otherAddresses(list: string): string;
  /** The server can be called by those who have this code. */
  code(code: string): string;
  /** The same, where the code is the user's own, out of the environment. */
  readonly ownCode: string;
  /** The server can be called by anybody, and the user has not asked for that. */
  readonly openToAll: string;
  /** Either program is started without `--host` on a machine that is in no network. */
  readonly noAddress: string;
  /** The server cannot listen: another program listens on the port. */
  portTaken(host: string, port: number): string;
  /** The server cannot listen: the system keeps such a port for its own programs. */
  portForbidden(port: number): string;
  /** The server cannot listen: `--host` is another machine's address. */
  addressNotHere(host: string): string;
  /** Either program is given an address of one cable, without the card that the cable is in. */
  scopeMissing(host: string): string;

  /** Without `--host`, a server is found on the network. It is called next. */
  found(server: string, wantsCode: boolean): string;
  /** Without `--host`, several are found. Behind it stands a list of commands. */
  readonly foundSeveral: string;
  /** Without `--host`, none is found. This machine is called next. */
  readonly foundNone: string;
  /** Without `--host` and with `--wait`, none is found yet. */
  readonly findingOn: string;
  /** In the lists of servers, behind the name of one. */
  readonly wantsCode: string;
  /** `--find`: nobody has answered yet, and each of these addresses is asked by itself. */
  askingEach(addresses: string): string;
  /** `--find`: above the list. */
  readonly servers: string;
  /** `--find`: in place of an empty list. */
  readonly noServers: string;
  /** With `--wait`, behind the sentence for a call that was not answered. */
  readonly callingOn: string;
  /** The client starts to call. */
  calling(host: string, port: number): string;
  /** Either program is given a name with `--host` that does not resolve. */
  nameUnknown(host: string): string;
  /** The machine that is called is there, and no server listens on it. */
  nobodyListens(host: string, port: number): string;
  /** The machine that is called does not answer. */
  unreachable(host: string): string;
  /** Listening or calling fails for a rarer reason, in the system's words. */
  network(detail: string): string;

  /** A caller connects to a server that is free. */
  received(host: string, port: number): string;
  /** The server lets a stranger go before a call began: its words, or that it said none. */
  stranger(host: string, detail: string): string;
  /** A stranger goes by itself before it says anything, as a port scanner does. */
  leftSilently(host: string): string;
  /** More strangers came to a server than it told of one by one. */
  moreStrangers(count: number): string;
  /** A caller without the code reaches a server that wants one. */
  withoutCode(host: string): string;
  /** Callers have tried wrong codes: their number so far, and their addresses. */
  wrongCodes(count: number, hosts: string): string;
  /** A caller reaches a server that has as many calls as it may. */
  busyStranger(host: string): string;

  /** The server takes the client's call. */
  answered(host: string, port: number): string;
  /** The terminal's keys are watched: at a server that can be called, at a client in a call. */
  readonly hangUpHint: string;
  /** In place of `hangUpHint`, at a server that stays: q first ends the calls that are on. */
  stayHint(several: boolean): string;
  /** Behind `hangUpHint`, where there is a screen: the keys of a window. */
  readonly windowKeys: string;
  /** Behind `hangUpHint`, where this end sends sound: the key for the microphone. */
  readonly muteHint: string;
  /** Behind `muteHint`, where this end plays sound as well: headphones avoid an echo. */
  readonly headphones: string;
  /** The user has pressed `m`: the microphone is muted, or on again. */
  muted(muted: boolean): string;
  /** During a call: the peer has muted its microphone, or is heard again. */
  peerMuted(party: Party, muted: boolean): string;
  /** During a call: a microphone that was gone gives sound again. */
  readonly microphoneBack: string;
  /** During a call with sound: there is no loudspeaker, or it is gone. `detail` may be empty. */
  noLoudspeaker(detail: string): string;
  /** Behind `noLoudspeaker`: it is back. */
  readonly loudspeakerBack: string;
  /** During a call: ffmpeg fails again and again to turn one codec into another. */
  transcoderFailed(from: string, to: string, detail: string): string;
  /** During a call, where the codec follows the link: the codec of the pictures from now on. */
  codecChosen(codec: string, sound: string | undefined): string;
  /** A call, or the wait for one, ends because somebody wanted it: the last sentence. */
  endedBy(party: Party): string;
  /**
   * Before `endedBy`, where the peer hung up for a reason of its own: the reason, in the peer's
   * words.
   */
  complaint(party: Party, reason: string): string;
  /** A call is over and nobody hung up: the last sentence. */
  lost(party: Party, how: PeerLostError["how"]): string;
  /** During a call, at a server that sends a file: the file is over. */
  readonly inputOver: string;
  /** During a call: nothing comes any more, or the connection is gone. It may come back. */
  networkGone(how: PeerLostError["how"], patienceSeconds: number): string;
  /** Behind `networkGone`, at the end of a call: the network has not come back. */
  readonly recordingCutShort: string;
  /** Behind `networkGone`: the call goes on. */
  networkBack(seconds: number): string;
  /** The way in which a loss was noticed, as a part of other sentences. */
  readonly lostHow: Readonly<Record<PeerLostError["how"], string>>;
  /** The server refuses the client's call. `reason` is `BUSY` or the server's words, in English. */
  refused(reason: string): string;
  /** The client asks the user for the code of the server. */
  readonly askCode: string;
  /** There is no private call, because of its code. */
  codeProblem(kind: CodeError["kind"]): string;
  /** A call is over because somebody has changed what came from the peer. */
  changed(party: Party): string;
  /** A call is over because the peer broke the protocol. */
  nonsense(party: Party, detail: string): string;
  /** Behind `nonsense`, in the same line. */
  readonly nonsenseCure: string;
  /** Within `nonsense` and `stranger`: the words of a peer that speaks a similar protocol. */
  nearMiss(miss: NearMiss): string;

  /** During a call, twice a second: the line of the terminal with every figure. */
  status(status: Status): string;
  /** The same for all calls, in at most that many columns. */
  statusLine(statuses: readonly Status[], columns: number): string;
  /** During a call, once, at the client: the link drops more than it carries. */
  narrowLink(cure: NarrowCure): string;
  /** A call was recorded. */
  summary(summary: Summary): string;
  /** A call was taken and not recorded. */
  notRecorded(summary: Pick<Summary, "seconds" | "received" | "lost" | "sound">): string;
  /** The client's call is over. */
  sent(
    total: {
      readonly seconds: number;
      readonly frames: number;
      readonly dropped: number;
      readonly sound?: boolean;
    },
  ): string;

  /** During a call: the disk is full, or ffmpeg died. */
  recordingFailed(file: string, detail: string): string;
  /** Behind `recordingFailed`: another file is begun. */
  recordingGoesOn(file: string): string;
  /** During a call and at its end: no frame that came can be shown or recorded. */
  noPictures(
    party: Party,
    format: { readonly codec: string; readonly width: number; readonly height: number },
  ): string;
  /** At the end of a call, behind its summary: a reminder of `recordingFailed`. */
  recordingIncomplete(file: string): string;
  /**
   * At the start: an earlier recording was unfinished, because its program was killed or the power
   * failed. It is mended.
   */
  mended(file: string): string;
  /** The same, where the recording could not be mended. It is kept as it was. */
  notMended(file: string): string;
  /** During a call, once: this machine is too slow to write the frames that come. */
  readonly recorderSlow: string;
  /** `--record` names a file in a folder that does not exist. */
  noFolder(path: string): string;
  /** `--record` names a file in somebody else's folder. */
  notWritable(path: string): string;
  /** The file of `--record` cannot be made for a rarer reason. */
  cannotRecord(path: string, detail: string): string;

  /** A call begins on a machine without a screen, and without `--no-display`. */
  readonly noScreen: string;
  /** A call begins on a machine that has ffmpeg, but not its player. */
  noFfplay(install: string): string;
  /**
   * During a call, once: the window takes no more pictures, for instance because the user has
   * paused it.
   */
  readonly displayStill: string;
  /** During a call: the window is gone, and nobody closed it. */
  displayFailed(detail: string): string;

  /** `--list-cameras`: above the list. */
  readonly cameras: string;
  /** `--list-cameras`: in place of an empty list. */
  readonly noCameras: string;
  /** The user asked for no camera, and there is none: the command that needs none. */
  noCameraHere(command: string): string;
  /**
   * The user asked for no camera, and the first one is missing: the others, and the command for one
   * of them.
   */
  otherCamera(list: string, command: string): string;
  /** An input exists, and has not given a picture for some seconds. */
  waitingFor(name: string): string;
  /** The camera gives no pictures: from the beginning, or no longer. `detail` may be empty. */
  camera(kind: SourceError["kind"], device: string, detail: string): string;
  /** The same for another input. */
  input(kind: SourceError["kind"], name: string, detail: string): string;
  /** `--list-devices`: above the list of microphones. */
  readonly microphones: string;
  /** `--list-devices`: in place of an empty list of microphones. */
  readonly noMicrophones: string;
  /**
   * The microphone gives no sound: from the beginning, or no longer. No name is the system's own
   * microphone. `detail` may be empty.
   */
  microphone(kind: MicrophoneError["kind"], name: string, detail: string): string;

  /** A program that is needed is not installed. */
  notInstalled(command: string, install: string): string;
  /** The ffmpeg that is installed is older than the oldest one that works. */
  ffmpegOld(version: string, install: string): string;
  /** The ffmpeg that is installed was built without an encoder that is needed. */
  ffmpegLacks(encoder: string, install: string): string;
  /** The program was started without one of Deno's permissions. */
  notAllowed(detail: string): string;
  /**
   * A terminal or a pipe took nothing for so long that lines were dropped. It takes lines again.
   */
  linesDropped(lines: number): string;
  /** An error that has no sentence of its own. */
  failed(detail: string): string;

  /** The command line is wrong: the option, the values that it takes, and the place to read on. */
  readonly usage: UsageMessages;
}

/** The sentences for a wrong command line. */
export interface UsageMessages {
  /** An option that does not exist. */
  unknown(option: string): string;
  /** The same, where an option has almost that name. */
  near(option: string, near: string): string;
  /** To the client: an option of the server, as it was typed and as it is. */
  ofServer(typed: string, option: string): string;
  /** To the server: an option of the client. */
  ofClient(typed: string, option: string): string;
  /** A switch that was given a value: as typed, and without the value. */
  noValue(typed: string, option: string): string;
  /** A word that is no option and belongs to none. */
  stray(word: string): string;
  /** The same, where the word looks like the value of an option: the two together. */
  strayNear(word: string, near: string): string;
  /** An option without its value. */
  missing(option: string): string;
  /** An option with a value that it cannot have. `wanted` is one of the texts behind `seeHelp`. */
  bad(option: string, value: string, wanted: string): string;
  /** Two options that exclude each other. */
  conflict(one: string, other: string): string;
  /** An option that means nothing without one of some others. */
  needs(option: string, others: string): string;
  /** Behind each of the above, in the same line. */
  readonly seeHelp: string;
  /** The user's own code in the environment is too short. */
  shortCode(least: number): string;
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
  /** Of `bad`: a recording whose name is none of a recording, and the option with a right name. */
  recording(typed: string): string;
  /** Of `bad`: a recording whose name has an unknown place. */
  place(place: string): string;
}

/** The sentences of a language. */
export function messagesIn(language: Language): Messages {
  return language === "pt" ? portuguese : english;
}

/**
 * The language of the system. The first of these variables that is set decides; `locale` decides
 * where none is set.
 */
export function systemLanguage(
  variable: (name: string) => string | undefined,
  locale: string,
): Language {
  const set = ["LC_ALL", "LC_MESSAGES", "LANG"].map(variable).find((value) => value);
  return /^pt\b|^pt[_-]/i.test(set ?? locale) ? "pt" : "en";
}

/** The command that installs ffmpeg on a system, by the names of `Deno.build.os`. */
export function installCommand(system: string): string {
  return INSTALL[system] ?? "https://ffmpeg.org/download.html";
}
