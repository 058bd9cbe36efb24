/**
 * The error classes that somebody catches. Each tells what happened in terms of its own layer.
 * `describe` of problems.ts makes the user's sentence from it, in one place.
 */

import { describeMiss, type NearMiss } from "./near_miss.ts";

/**
 * The peer is gone without a bye. Its connection was reset or cut inside a message, it was silent
 * for too long or far too slow, or its network did not come back in time.
 */
export class PeerLostError extends Error {
  /** The name of the class. */
  override readonly name = "PeerLostError";
  /** The way in which the loss was noticed. */
  readonly how: "reset" | "cut" | "silence" | "gone" | "slow" | "no-bye";

  /** An error of the connection, with its cause. */
  constructor(how: PeerLostError["how"], options?: ErrorOptions) {
    super(`Cannot go on with the call: ${how}`, options);
    this.how = how;
  }
}

/**
 * The peer sent bytes that the wire does not allow. The message names the mistake in English, and
 * may be sent to the peer.
 */
export class ProtocolError extends Error {
  /** The name of the class. */
  override readonly name = "ProtocolError";
  /** A guess at what the peer meant, if it speaks something near. */
  readonly miss: NearMiss | undefined;

  /** An error with the peer's mistake, in English, or with a guess that tells it. */
  constructor(what: string | NearMiss, options?: ErrorOptions) {
    super(typeof what === "string" ? what : describeMiss(what), options);
    this.miss = typeof what === "string" ? undefined : what;
  }
}

/**
 * There is no private call, because of its code. The code was wrong, the server wants one, it has
 * none, or it has heard too many wrong ones.
 */
export class CodeError extends Error {
  /** The name of the class. */
  override readonly name = "CodeError";
  /** The matter with the code. */
  readonly kind: "wrong" | "wanted" | "none" | "later";

  /** An error with what is the matter. */
  constructor(kind: CodeError["kind"]) {
    super(`Cannot begin a private call: ${kind}`);
    this.kind = kind;
  }
}

/** A message of a private call is not what the peer has sealed: somebody in between has changed it. */
export class SealError extends Error {
  /** The name of the class. */
  override readonly name = "SealError";

  /** An error of a seal that is broken. */
  constructor(options?: ErrorOptions) {
    super("a message was changed on its way", options);
  }
}

/**
 * The reason, as it stands on the wire, with which a server without a free place refuses a caller.
 */
export const BUSY = "busy";

/** The reasons to hang up if nothing is wrong, as they stand in a bye. */
export const REASON = {
  hungUp: "hung up",
  windowClosed: "window closed",
  durationReached: "duration reached",
  inputEnded: "input ended",
} as const;

/** True for one of these reasons: nothing is wrong. */
export function endsInOrder(reason: string): boolean {
  return Object.values<string>(REASON).includes(reason);
}

/** The peer answered and said no. The message is its reason. */
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

  /** An error for a program that is missing. */
  constructor(command: string, options?: ErrorOptions) {
    super(`Cannot run ${command}: not found`, options);
    this.command = command;
  }
}

/** The ffmpeg that is installed cannot do all that is needed. */
export class FfmpegError extends Error {
  /** The name of the class. */
  override readonly name = "FfmpegError";
  /** Too old, or built without an encoder. */
  readonly kind: "old" | "lacks";
  /** Its version, or the name of the encoder. */
  readonly detail: string;

  /** An error with the fault of this ffmpeg. */
  constructor(kind: FfmpegError["kind"], detail: string) {
    super(`Cannot use this ffmpeg: ${kind} ${detail}`);
    this.kind = kind;
    this.detail = detail;
  }
}

/** The source that pictures come from, or ought to. */
export interface SourceIdentity {
  /** True if it is a camera, false if it is another input. */
  readonly isCamera: boolean;
  /** The user's name for the camera or input. */
  readonly name: string;
}

/** A camera or another input that gives no pictures. */
export class SourceError extends Error {
  /** The name of the class. */
  override readonly name = "SourceError";
  /** The kind of the failure. */
  readonly kind:
    | "missing"
    | "busy"
    | "forbidden"
    | "silent"
    | "stopped"
    | "none"
    | "list"
    | "unreadable";
  /** The source that failed. */
  readonly source: SourceIdentity;
  /** The last words of ffmpeg, or nothing. */
  readonly detail: string;

  /** An error of a source. */
  constructor(kind: SourceError["kind"], source: SourceIdentity, detail = "") {
    super(`Cannot capture from ${source.name}: ${kind}${detail && ` (${detail})`}`);
    this.kind = kind;
    this.source = source;
    this.detail = detail;
  }
}

/** The user asked for no camera, and the first one is missing. */
export class NoCameraError extends Error {
  /** The name of the class. */
  override readonly name = "NoCameraError";
  /** The cameras that the machine has. */
  readonly cameras: readonly { readonly index: number; readonly name: string }[];

  /** An error with the cameras that there are in place of the first one. */
  constructor(cameras: NoCameraError["cameras"], options?: ErrorOptions) {
    super("Cannot capture: there is no first camera", options);
    this.cameras = cameras;
  }
}

/** A microphone that gives no sound. */
export class MicrophoneError extends Error {
  /** The name of the class. */
  override readonly name = "MicrophoneError";
  /**
   * The kind of the failure. `none`: the machine has no microphone. `no-server`: there is neither a
   * sound server nor a sound card. `monitor`: the system's own microphone is what the loudspeaker
   * plays. `unknown`: no microphone has that name.
   */
  readonly kind:
    | "none"
    | "no-server"
    | "monitor"
    | "unknown"
    | "busy"
    | "forbidden"
    | "silent"
    | "stopped"
    | "unreadable";
  /** The user's name for it, or nothing for the system's own. */
  readonly microphone: string;
  /** The microphones that there are (`monitor`, `unknown`), or the last words of ffmpeg. */
  readonly detail: string;

  /** An error of a microphone. */
  constructor(kind: MicrophoneError["kind"], microphone = "", detail = "") {
    super(`Cannot hear ${microphone || "the microphone"}: ${kind}${detail && ` (${detail})`}`);
    this.kind = kind;
    this.microphone = microphone;
    this.detail = detail;
  }
}

/**
 * A wrong option or value. The message is the sentence for the user, in the language that the user
 * asked for.
 */
export class UsageError extends Error {
  /** The name of the class. */
  override readonly name = "UsageError";
}

/** The recording cannot be made where the user wants it. */
export class RecordingError extends Error {
  /** The name of the class. */
  override readonly name = "RecordingError";
  /** The kind of the failure. */
  readonly kind: "no-folder" | "not-writable" | "other";
  /** The path the user gave. */
  readonly path: string;

  /** An error with the fault of the place. */
  constructor(kind: RecordingError["kind"], path: string, options?: ErrorOptions) {
    super(`Cannot record to ${path}: ${kind}`, options);
    this.kind = kind;
    this.path = path;
  }
}
