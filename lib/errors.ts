/**
 * The error classes that somebody catches. Each says what happened in terms of its own layer; the sentence for the
 * user is made from it in one place, by `describe` of problems.ts.
 */

import { describeMiss, type NearMiss } from "./near_miss.ts";

/**
 * The peer is gone without a goodbye: reset, cut inside a message, silent for too long, waited for in vain behind a network
 * that is gone, or far too slow.
 */
export class PeerLostError extends Error {
  /** The name of the class. */
  override readonly name = "PeerLostError";
  /** How it was noticed. */
  readonly how: "reset" | "cut" | "silence" | "gone" | "slow" | "no-bye";

  /** An error of the connection, with its cause. */
  constructor(how: PeerLostError["how"], options?: ErrorOptions) {
    super(`Cannot go on with the call: ${how}`, options);
    this.how = how;
  }
}

/** The peer sent what the wire does not allow. The message names what was wrong, in English, and may be sent to it. */
export class ProtocolError extends Error {
  /** The name of the class. */
  override readonly name = "ProtocolError";
  /** A guess at what the peer meant, where it speaks something near. */
  readonly miss: NearMiss | undefined;

  /** What was wrong, in English, or a guess that says so. */
  constructor(what: string | NearMiss, options?: ErrorOptions) {
    super(typeof what === "string" ? what : describeMiss(what), options);
    this.miss = typeof what === "string" ? undefined : what;
  }
}

/** The reason with which a server that has no place left refuses a caller, as it stands on the wire. */
export const BUSY = "busy";

/** Why a side hangs up where nothing is wrong, as it says it in its bye. */
export const REASON = {
  hungUp: "hung up",
  windowClosed: "window closed",
  durationReached: "duration reached",
  inputEnded: "input ended",
} as const;

/** The other end answered and said no. The message is its reason. */
export class RefusedError extends Error {
  /** The name of the class. */
  override readonly name = "RefusedError";
}

/** A program that this one needs is not installed. */
export class NotInstalledError extends Error {
  /** The name of the class. */
  override readonly name = "NotInstalledError";
  /** The program's name: `ffmpeg` or `ffplay`. */
  readonly command: string;

  /** A program that is missing. */
  constructor(command: string, options?: ErrorOptions) {
    super(`Cannot run ${command}: not found`, options);
    this.command = command;
  }
}

/** The ffmpeg that is installed cannot do what is needed. */
export class FfmpegError extends Error {
  /** The name of the class. */
  override readonly name = "FfmpegError";
  /** Too old, or built without an encoder. */
  readonly kind: "old" | "lacks";
  /** Its version, or the name of the encoder. */
  readonly detail: string;

  /** What this ffmpeg is or lacks. */
  constructor(kind: FfmpegError["kind"], detail: string) {
    super(`Cannot use this ffmpeg: ${kind} ${detail}`);
    this.kind = kind;
    this.detail = detail;
  }
}

/** What pictures come from, or ought to. */
export interface SourceIdentity {
  /** Whether it is a camera, or another input. */
  readonly isCamera: boolean;
  /** The camera or input as the user would name it. */
  readonly name: string;
}

/** A camera or another input that gives no pictures. */
export class SourceError extends Error {
  /** The name of the class. */
  override readonly name = "SourceError";
  /** What is the matter with it. */
  readonly kind:
    | "missing"
    | "busy"
    | "forbidden"
    | "silent"
    | "stopped"
    | "none"
    | "list"
    | "unreadable";
  /** What it is. */
  readonly source: SourceIdentity;
  /** The last words of ffmpeg, or nothing. */
  readonly detail: string;

  /** What a source has come to. */
  constructor(kind: SourceError["kind"], source: SourceIdentity, detail = "") {
    super(`Cannot capture from ${source.name}: ${kind}${detail && ` (${detail})`}`);
    this.kind = kind;
    this.source = source;
    this.detail = detail;
  }
}

/** No camera was asked for, and the first one is not there. */
export class NoCameraError extends Error {
  /** The name of the class. */
  override readonly name = "NoCameraError";
  /** The cameras that there are. */
  readonly cameras: readonly { readonly index: number; readonly name: string }[];

  /** What there is in place of the first camera. */
  constructor(cameras: NoCameraError["cameras"], options?: ErrorOptions) {
    super("Cannot capture: there is no first camera", options);
    this.cameras = cameras;
  }
}

/** A wrong option or value. The message is the sentence for the user, in the language that was asked for. */
export class UsageError extends Error {
  /** The name of the class. */
  override readonly name = "UsageError";
}

/** The recording cannot be made where the user wants it. */
export class RecordingError extends Error {
  /** The name of the class. */
  override readonly name = "RecordingError";
  /** What is the matter with the place. */
  readonly kind: "no-folder" | "not-writable" | "is-folder" | "other";
  /** The path the user gave. */
  readonly path: string;

  /** What a place for recordings lacks. */
  constructor(kind: RecordingError["kind"], path: string, options?: ErrorOptions) {
    super(`Cannot record to ${path}: ${kind}`, options);
    this.kind = kind;
    this.path = path;
  }
}
