/**
 * The judgement of what `--doctor` has found out: a line for each fact, good, bad, or neither. A
 * thing that the user's command would not use is never bad. Pure.
 */

import type { DoctorWords } from "./doctor_words.ts";
import type { AddressReason } from "./doctor_words.ts";
import type { VideoFormat } from "../frame/format.ts";
import { describe, describeConnect, describeListen } from "./problems.ts";
import { installCommand, type Messages } from "./sentences.ts";

/** A line of the doctor's. */
export interface Finding {
  /** `bad` names what helps. `open` is no problem of a call, or cannot be known. */
  readonly state: "good" | "bad" | "open";
  /** The sentence. */
  readonly text: string;
}

/** The result of looking, or the error in its place. */
export type Look<T> = { readonly found: T } | { readonly problem: unknown };

/** The words to judge in. */
export interface Judge {
  /** The sentences of the user's language. */
  readonly messages: Messages;
  /** The doctor's own. */
  readonly words: DoctorWords;
  /** The system, by the names of `Deno.build.os`. */
  readonly system: string;
}

/** The oldest Deno that is tried. */
const LEAST_DENO = "2.9.0";

/** The encoders that calls and recordings use. */
const ENCODERS: readonly string[] = ["mpeg4", "mjpeg", "libx264", "libopus"];

/** The sound, in decibels, below which a microphone gives nothing that anybody could hear. */
const SILENCE_DB = -80;

/**
 * Bytes of a recording in a second, in 320x240 at 20 frames a second. Measured: 126 kB with much
 * that moves.
 */
const RECORDED_BYTES = 130_000;

/** A version, and the encoders where it has any. */
export interface Version {
  /** The version in its own words. */
  readonly version: string;
  /** The names of its encoders. */
  readonly encoders: ReadonlySet<string>;
}

/** Deno, by its version. */
export function judgeDeno(version: string, { words }: Judge): Finding {
  const [have, least] = [version, LEAST_DENO].map((one) => one.split(".").map(Number));
  const at = have!.findIndex((part, index) => part !== least![index]);
  return at >= 0 && have![at]! < (least![at] ?? 0)
    ? bad(words.denoOld(version, LEAST_DENO))
    : good(words.deno(version));
}

/** The ffmpeg, and each encoder that it lacks. */
export function judgeFfmpeg(look: Look<Version>, judge: Judge): Finding[] {
  const { messages, words, system } = judge;
  if ("problem" in look) return [bad(sentence(look.problem, judge))];
  const { version, encoders } = look.found;
  const has = ENCODERS.filter((one) => encoders.has(one));
  const lacks = ENCODERS.filter((one) => !encoders.has(one));
  return [
    good(words.ffmpeg(version, has.join(", ") || "-")),
    ...lacks.map((one) => bad(messages.ffmpegLacks(one, installCommand(system)))),
  ];
}

/** The player, which windows and sound need. */
export function judgeFfplay(look: Look<string>, isWanted: boolean, judge: Judge): Finding {
  if ("found" in look) return good(judge.words.ffplay(look.found));
  return problem(sentence(look.problem, judge), isWanted);
}

/** The screen, by the driver for its windows: `none` if the user wants none. */
export function judgeScreen(driver: string | undefined, { messages, words }: Judge): Finding {
  if (driver === "none") return open(words.noWindows);
  return driver === undefined ? bad(messages.noScreen) : good(words.screen(driver));
}

/** A camera of the list, and whether it gave a picture. */
export interface CameraLook {
  /** Its number and name. */
  readonly name: string;
  /** The error with which it could not be opened, if it could not. */
  readonly problem?: unknown;
}

/** Every camera. */
export function judgeCameras(
  look: Look<readonly CameraLook[]>,
  isWanted: boolean,
  judge: Judge,
): Finding[] {
  if ("problem" in look) return [problem(sentence(look.problem, judge), isWanted)];
  if (look.found.length === 0) return [problem(judge.messages.noCameras, isWanted)];
  return look.found.map(({ name, problem: error }) =>
    error === undefined ? good(judge.words.camera(name)) : problem(sentence(error, judge), isWanted)
  );
}

/** The microphone that a call would open, by its loudest sound. */
export function judgeMicrophone(
  look: Look<{ readonly name: string; readonly peak: number }>,
  isWanted: boolean,
  judge: Judge,
): Finding {
  if ("problem" in look) return problem(sentence(look.problem, judge), isWanted);
  const { name, peak } = look.found;
  const decibels = 20 * Math.log10(peak);
  return decibels < SILENCE_DB
    ? problem(judge.words.microphoneMute(name), isWanted)
    : good(judge.words.microphone(name, decibels));
}

/** The loudspeakers; nothing where the system does not list them. */
export function judgeLoudspeakers(
  names: readonly string[] | undefined,
  isWanted: boolean,
  { words }: Judge,
): Finding {
  if (names === undefined) return open(words.loudspeakersUnknown);
  return names.length > 0
    ? good(words.loudspeakers(names.join(", ")))
    : problem(words.noLoudspeaker, isWanted);
}

/** The address that others are told. */
export interface AddressLook {
  /** The address. */
  readonly address: string;
  /** The name of its card. */
  readonly card: string;
  /** The reason for the choice. */
  readonly why: AddressReason;
  /** The other ones. */
  readonly others: readonly string[];
}

/** The addresses of this machine. */
export function judgeAddress(
  look: AddressLook | undefined,
  { messages, words }: Judge,
): Finding[] {
  if (look === undefined) return [bad(messages.noAddress)];
  const { address, card, why, others } = look;
  return [
    good(words.address(address, card, why)),
    ...others.length > 0 ? [open(words.others(others.join(", ")))] : [],
  ];
}

/** The attempt to listen; `problem` is the system's error. */
export function judgePort(
  host: string,
  port: number,
  error: unknown,
  { messages, words }: Judge,
): Finding {
  return error === undefined
    ? good(words.port(host, port))
    : bad(describeListen(error, messages, host, port));
}

/** The firewalls of a Linux, as far as anybody may read of them. */
export interface FirewallLook {
  /** The text of `ufw.conf`. */
  readonly ufw?: string | undefined;
  /** The rules of ufw, which only an administrator may read. */
  readonly ufwRules?: string | undefined;
  /** True if firewalld starts with the system. */
  readonly firewalld: boolean;
  /** The rules of nftables, if it starts with the system. */
  readonly nftables?: string | undefined;
}

/** The ports that callers need. */
export interface Ports {
  /** The TCP port of calls. */
  readonly tcp: number;
  /** The UDP port of those who look for servers. */
  readonly udp: number;
}

/** The firewall. */
export function judgeFirewall(look: FirewallLook, { tcp, udp }: Ports, judge: Judge): Finding {
  const { words, system } = judge;
  if (system !== "linux") return open(words.firewallUnknown);
  const { ufw, ufwRules, firewalld, nftables } = look;
  if (/^ENABLED=yes/im.test(ufw ?? "")) {
    const command = `sudo ufw allow ${tcp}/tcp; sudo ufw allow ${udp}/udp`;
    if (ufwRules === undefined) return open(words.firewallOn("ufw", command));
    const isOpen = new RegExp(`^### tuple ### allow (tcp|any) (${tcp}|any) `, "m").test(ufwRules);
    return isOpen ? good(words.firewallOpen("ufw")) : bad(words.firewallShut("ufw", command));
  }
  if (firewalld) {
    const command = `sudo firewall-cmd --add-port=${tcp}/tcp --add-port=${udp}/udp`;
    return open(words.firewallOn("firewalld", command));
  }
  // Who writes such rules knows them. Whether they let this port in is not easy to read.
  if (/\bpolicy\s+drop\b/.test(nftables ?? "")) {
    const command = `sudo nft add rule inet filter input tcp dport ${tcp} accept`;
    return open(words.firewallOn("nftables", command));
  }
  return open(words.noFirewall);
}

/** The room for recordings, in bytes. */
export function judgeDisk(look: Look<number>, folder: string, judge: Judge): Finding {
  const { words } = judge;
  if ("problem" in look) {
    const { problem: error } = look;
    return open(words.diskUnknown(error instanceof Error ? error.message : String(error)));
  }
  const hours = Math.floor(look.found / RECORDED_BYTES / 3600);
  return hours < 1
    ? bad(words.diskFull(look.found, folder))
    : good(words.disk(look.found, hours, folder));
}

/** The folder of recordings, which cannot be written. */
export function judgeFolder(error: unknown, judge: Judge): Finding {
  return bad(sentence(error, judge));
}

/** A server, seen from here without calling it. */
export interface CalleeLook {
  /** The way to it, or the error of the connection. */
  readonly route: Look<{
    readonly address: string;
    readonly own: string;
    readonly card: string;
    readonly isNear: boolean;
  }>;
  /** Its answer to a question, if it gave one. */
  readonly answer?: { readonly name: string; readonly wantsCode: boolean } | undefined;
  /** Milliseconds there and back, if they are known. */
  readonly roundTripMs?: number | undefined;
  /** Megabits a second that reach it, if they are known. */
  readonly megabits?: number | undefined;
}

/**
 * The parts of a raw picture's bits that the codecs need. Measured with moving pictures: 19 kB and
 * 2 kB of 230 kB.
 */
const NEEDS = [["raw", 1], ["mjpeg", 1 / 12], ["h264", 1 / 100]] as const;

/** The part of a measured rate that a call may count on. */
const USABLE = 0.8;

/** A server that the user's command would call. */
export function judgeCallee(
  look: CalleeLook,
  { host, port }: { readonly host: string; readonly port: number },
  format: VideoFormat,
  { messages, words }: Judge,
): Finding[] {
  const { route, answer, roundTripMs, megabits } = look;
  if ("problem" in route) return [bad(describeConnect(route.problem, messages, host, port))];
  const { address, own, card, isNear } = route.found;
  return [
    good(words.route(address, own, card, isNear)),
    answer ? good(words.answers(answer.name, answer.wantsCode)) : open(words.answersNot),
    ...roundTripMs === undefined ? [] : [good(words.roundTrip(roundTripMs))],
    megabits === undefined ? open(words.rateUnknown) : judgeRate(megabits, format, words),
  ];
}

function judgeRate(
  megabits: number,
  { width, height, fps }: VideoFormat,
  words: DoctorWords,
): Finding {
  const picture = `${width}x${height}, ${fps} fps`;
  const raw = width * height * 24 * fps / 1e6;
  const codec = NEEDS.find(([, part]) => raw * part <= megabits * USABLE)?.[0];
  return codec === undefined
    ? bad(words.rateLow(megabits, picture))
    : good(words.rate(megabits, codec, picture));
}

/** The mark in front of a line. */
export function markOf({ state }: Finding): string {
  return { good: "✓", bad: "✗", open: "–" }[state];
}

function sentence(error: unknown, { messages, system }: Judge): string {
  return describe(error, messages, system, "HOST");
}

function good(text: string): Finding {
  return { state: "good", text };
}

function bad(text: string): Finding {
  return { state: "bad", text };
}

function open(text: string): Finding {
  return { state: "open", text };
}

function problem(text: string, isWanted: boolean): Finding {
  return isWanted ? bad(text) : open(text);
}
