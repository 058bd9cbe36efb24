/**
 * The messages of a call session: their bytes, and nothing of when they are sent. Every number is little-endian.
 *
 * ```
 *  hello  01 "CHAMADA1" JSON                                   { version, name, video } or { version, accept, reason? }
 *  video  02 flags:u8 00 00  sequence:u32  captureUs:u64 data  flags: 1 = keyframe
 *  ack    03 00 00 00  sequence:u32                            the receiver has taken this frame
 *  bye    04 reason:UTF-8                                      a hang-up
 * ```
 */

import { equals } from "@std/bytes/equals";
import { ProtocolError } from "../errors.ts";
import {
  type Codec,
  CODECS,
  formatProblem,
  type Frame,
  isInterCoded,
  maxFrameBytes,
  type VideoFormat,
} from "../frame/frame.ts";

/** The version of these messages. A peer of another version is refused with both versions named. */
const PROTOCOL_VERSION = 1;

/** The most bytes a hello may take, a bye too. */
export const MAX_HELLO_BYTES = 65536;

/** Bytes of a video message before its data. */
export const VIDEO_HEADER_BYTES = 16;

/** Bytes of an ack. */
export const ACK_BYTES = 8;

/** The first byte of every message. */
export const KIND = { hello: 1, video: 2, ack: 3, bye: 4 } as const;

const MAGIC = new TextEncoder().encode("CHAMADA1");
const KEYFRAME = 1;

/** What a caller says first: who it is, in its own words, and what it will send. */
export interface Hello {
  /** What the caller calls itself. */
  readonly name: string;
  /** What its frames will be. */
  readonly video: VideoFormat;
  /** The caller's clock in microseconds: it will tell capture times on the server's, if the answer tells that. */
  readonly clockUs?: number;
}

/** What the server answers; without `accept`, why not. */
export interface Answer {
  /** Whether the call is taken. */
  readonly accept: boolean;
  /** Why not. */
  readonly reason?: string;
  /** What the server calls itself. */
  readonly name?: string;
  /** The server's clock, in microseconds, when it had heard the hello and when it answers. */
  readonly clock?: { readonly heardUs: number; readonly answeredUs: number };
}

/** Whether a first payload opens a call session: a kind byte and the magic. */
export function isHello(payload: Uint8Array): boolean {
  return payload[0] === KIND.hello && equals(payload.subarray(1, 1 + MAGIC.length), MAGIC);
}

/** Bytes of a caller's hello. */
export function encodeHello(hello: Hello): Uint8Array {
  const { codec, width, height, fps } = hello.video;
  return encodeJson({
    version: PROTOCOL_VERSION,
    name: hello.name,
    video: { codec, width, height, fps },
    clock: hello.clockUs,
  });
}

/** Reads a caller's hello. Throws `ProtocolError` with what is wrong with it. */
export function decodeHello(message: Uint8Array): Hello {
  const { name, video, clock } = decodeJson(message);
  if (typeof name !== "string") throw new ProtocolError("the hello has no name");
  if (!isRecord(video)) throw new ProtocolError("the hello does not say what video comes");
  const { codec, width, height, fps } = video;
  const known = CODECS.find((one) => one === codec);
  if (known === undefined) {
    throw new ProtocolError(`the codec ${shown(codec)} is none of ${CODECS.join(", ")}`);
  }
  if (typeof width !== "number" || typeof height !== "number" || typeof fps !== "number") {
    throw new ProtocolError("the hello has no width, height and fps as numbers");
  }
  const format: VideoFormat = { codec: known, width, height, fps };
  const problem = formatProblem(format);
  if (problem) throw new ProtocolError(problem);
  const hello = { name: printable(name), video: format };
  return isTime(clock) ? { ...hello, clockUs: clock } : hello;
}

/** Bytes of the server's answer to a hello. */
export function encodeAnswer(answer: Answer): Uint8Array {
  const { clock, ...rest } = answer;
  return encodeJson({
    version: PROTOCOL_VERSION,
    ...rest,
    heard: clock?.heardUs,
    clock: clock?.answeredUs,
  });
}

/** Reads the server's answer. Throws `ProtocolError` with what is wrong with it. */
export function decodeAnswer(message: Uint8Array): Answer {
  if (!isHello(message)) throw new ProtocolError("the answer is not one of Chamada's");
  const { accept, reason, name, heard, clock } = decodeJson(message, { anyVersion: true });
  if (typeof accept !== "boolean") throw new ProtocolError("the answer says neither yes nor no");
  // A refusal is understood whatever its version: it may be the version that it refuses.
  if (accept) decodeJson(message);
  return {
    accept,
    ...(typeof reason === "string" ? { reason: printable(reason) } : {}),
    ...(typeof name === "string" ? { name: printable(name) } : {}),
    ...(isTime(heard) && isTime(clock) ? { clock: { heardUs: heard, answeredUs: clock } } : {}),
  };
}

/** The 16 bytes before the data of a video message; `aheadUs` is added to its capture time. */
export function encodeVideoHeader(frame: Frame, aheadUs = 0): Uint8Array {
  const header = new Uint8Array(VIDEO_HEADER_BYTES);
  const view = new DataView(header.buffer);
  header[0] = KIND.video;
  header[1] = frame.keyframe ? KEYFRAME : 0;
  view.setUint32(4, frame.sequence, true);
  view.setBigUint64(8, BigInt(Math.max(Math.round(frame.captureUs + aheadUs), 0)), true);
  return header;
}

/** Reads a video message; the frame's data is a view of it. Throws `ProtocolError` where it is not of this format. */
export function decodeVideo(message: Uint8Array, format: VideoFormat): Frame {
  const bytes = message.length - VIDEO_HEADER_BYTES;
  const most = maxFrameBytes(format);
  if (bytes <= 0 || bytes > most || (format.codec === "raw" && bytes !== most)) {
    throw new ProtocolError(
      `a frame of ${Math.max(bytes, 0)} bytes is not a ${format.codec} picture of ` +
        `${format.width}x${format.height}`,
    );
  }
  const view = new DataView(message.buffer, message.byteOffset, VIDEO_HEADER_BYTES);
  const data = message.subarray(VIDEO_HEADER_BYTES);
  if (!beginsAs(format.codec, data)) {
    throw new ProtocolError(`a frame does not begin as ${format.codec} does`);
  }
  return {
    data,
    captureUs: Number(view.getBigUint64(8, true)),
    sequence: view.getUint32(4, true),
    keyframe: !isInterCoded(format.codec) || (view.getUint8(1) & KEYFRAME) !== 0,
  };
}

/** Whether data begins with a JPEG's marker, or a start code of H.264; raw pictures have no beginning. */
function beginsAs(codec: Codec, data: Uint8Array): boolean {
  switch (codec) {
    case "raw":
      return true;
    case "mjpeg":
      return data[0] === 0xff && data[1] === 0xd8;
    case "h264":
      return data[0] === 0 && data[1] === 0 && (data[2] === 1 || (data[2] === 0 && data[3] === 1));
  }
}

/** Bytes of the receiver's word that it has taken a frame. */
export function encodeAck(sequence: number): Uint8Array {
  const message = new Uint8Array(ACK_BYTES);
  message[0] = KIND.ack;
  new DataView(message.buffer).setUint32(4, sequence, true);
  return message;
}

/** The sequence number of an ack. Throws `ProtocolError`. */
export function decodeAck(message: Uint8Array): number {
  if (message.length !== ACK_BYTES) {
    throw new ProtocolError(`an ack of ${message.length} bytes is not ${ACK_BYTES}`);
  }
  return new DataView(message.buffer, message.byteOffset).getUint32(4, true);
}

/** Bytes of a goodbye. */
export function encodeBye(reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  const message = new Uint8Array(1 + text.length);
  message[0] = KIND.bye;
  message.set(text, 1);
  return message;
}

/** What is wrong with a message that has no place where it comes. */
export function misplaced(message: Uint8Array): string {
  return message.length === 0
    ? "an empty message has no place here"
    : `a message of kind ${message[0]} has no place here`;
}

/** The reason of a goodbye, fit to be shown. */
export function decodeBye(message: Uint8Array): string {
  return printable(new TextDecoder().decode(message.subarray(1)));
}

function encodeJson(value: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const message = new Uint8Array(1 + MAGIC.length + text.length);
  message[0] = KIND.hello;
  message.set(MAGIC, 1);
  message.set(text, 1 + MAGIC.length);
  return message;
}

function decodeJson(message: Uint8Array, { anyVersion = false } = {}): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(message.subarray(1 + MAGIC.length)),
    );
  } catch (error) {
    throw new ProtocolError("the hello is not JSON", { cause: error });
  }
  if (!isRecord(value)) throw new ProtocolError("the hello is not a JSON object");
  if (!anyVersion && value["version"] !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      `the peer speaks version ${
        shown(value["version"])
      }, this program version ${PROTOCOL_VERSION}`,
    );
  }
  return value;
}

/** True if a field holds a moment on a clock of microseconds. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A stranger's value, short enough and plain enough for a sentence. */
function shown(value: unknown): string {
  return value === undefined ? "(none)" : printable(JSON.stringify(value)).slice(0, 40);
}

/** A stranger's text without what could steer a terminal, at most 200 characters. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").slice(0, 200);
}
