/**
 * The messages of a call, version 2: their bytes, without the time of their sending. Every number
 * is little-endian.
 *
 * ```
 *  hello  01 "CHAMADA1" JSON         caller: { version, name, streams, call? }
 *                                    answer: { version, name, streams, call, accept, reason? }
 *  frame  02 flags:u8 stream:u8 00   sequence:u32   captureUs:u64   data      flags: 1 = keyframe
 *  ack    03 00 stream:u8 00         sequence:u32                 the peer has taken this frame
 *  bye    04 reason:UTF-8                                         a hang-up
 *  key    05, proof 06                                            see handshake.ts
 *  rest   07 flags:u8 stream:u8 00                                flags: 1 = nothing comes until 0
 * ```
 *
 * Each side numbers its streams from 0, in the order of its hello.
 */

import { equals } from "@std/bytes/equals";
import { ProtocolError } from "../errors.ts";
import {
  CODECS,
  type Format,
  formatProblem,
  isInterCoded,
  maxFrameBytes,
  PCM,
  SOUND_CODECS,
  type SoundFormat,
  type VideoFormat,
} from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";

/** The version of these messages. A peer of another version is refused with both versions named. */
const PROTOCOL_VERSION = 2;

/** The most bytes of a hello, of a bye, and of any other message that is no frame. */
export const MAX_HELLO_BYTES = 65536;

/** Bytes of a frame message before its data. */
export const FRAME_HEADER_BYTES = 16;

/** Bytes of an ack. */
export const ACK_BYTES = 8;

/** Bytes of a rest. */
export const REST_BYTES = 4;

/**
 * The most streams that a side may announce. The number of a stream is a byte, and few are of use.
 */
export const MAX_STREAMS = 16;

/** The first byte of every message. */
export const KIND = { hello: 1, frame: 2, ack: 3, bye: 4, key: 5, proof: 6, rest: 7 } as const;

/** The bytes behind the kind of the messages that open a call. */
export const MAGIC: Uint8Array<ArrayBuffer> = new TextEncoder().encode("CHAMADA1");
const KEYFRAME = 1;
const RESTING = 1;

/** The only shape of sound in this version. */
const SOUND_SHAPE = { rate: PCM.rate, channels: PCM.channels } as const;

/** Random bytes that name a call, in hexadecimal. */
const CALL_ID = /^[0-9a-f]{32}$/;

/**
 * The streams of a side, by their numbers. A stream of a kind that this version does not know is
 * `undefined`.
 */
export type Streams = readonly (Format | undefined)[];

/** The first words of a side: its name and the streams that it will send. */
export interface Introduction {
  /** The name that it gives itself. It may be empty. */
  readonly name: string;
  /** The streams that it will send. */
  readonly streams: Streams;
}

/** The first words of a caller. */
export interface Hello extends Introduction {
  /** The id of the call that it comes back into after a loss. */
  readonly call?: string | undefined;
  /**
   * Its clock in microseconds. It will tell capture times by the server's clock if the answer tells
   * that.
   */
  readonly clockUs?: number | undefined;
}

/** The words of the called. */
export type Answer =
  | Acceptance
  | { readonly accept: false; readonly reason: string };

/** A yes. */
export interface Acceptance extends Introduction {
  /** The call is taken. */
  readonly accept: true;
  /** The id of the call, with which the caller can come back into it. */
  readonly call: string;
  /** The server's clock in microseconds, at the end of the hello and at the answer. */
  readonly clock?: { readonly heardUs: number; readonly answeredUs: number } | undefined;
}

/** True if both are the same streams, one by one. */
export function isSameStreams(one: Streams, other: Streams): boolean {
  const told = (streams: Streams): string => JSON.stringify(streams.map(describeStream));
  return told(one) === told(other);
}

/** Makes the id of a new call. */
export function newCallId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** True if a first payload opens a call: a kind byte and the magic. */
export function isHello(payload: Uint8Array): boolean {
  return isMagic(payload, KIND.hello);
}

/** True if a message is of this kind and has the magic behind it. */
export function isMagic(message: Uint8Array, kind: number): boolean {
  return message[0] === kind && equals(message.subarray(1, 1 + MAGIC.length), MAGIC);
}

/** Bytes of a caller's hello. */
export function encodeHello({ name, streams, call, clockUs }: Hello): Uint8Array {
  return encodeJson({ name, streams: encodeStreams(streams), call, clock: clockUs });
}

/** Reads a caller's hello. Throws `ProtocolError` with its mistake. */
export function decodeHello(message: Uint8Array): Hello {
  const value = decodeJson(message);
  const { call, clock } = value;
  if (call !== undefined && !isCallId(call)) {
    throw new ProtocolError("the hello names a call that can be none");
  }
  const clockUs = isTime(clock) ? clock : undefined;
  return {
    ...decodeIntroduction(value),
    ...(call === undefined ? {} : { call }),
    ...(clockUs === undefined ? {} : { clockUs }),
  };
}

/** Bytes of the answer to a hello. */
export function encodeAnswer(answer: Answer): Uint8Array {
  if (!answer.accept) return encodeJson({ name: "", streams: [], ...answer });
  const { name, streams, call, accept, clock } = answer;
  return encodeJson({
    ...{ name, streams: encodeStreams(streams), call, accept },
    ...{ heard: clock?.heardUs, clock: clock?.answeredUs },
  });
}

/** Reads the answer to a hello. Throws `ProtocolError` with its mistake. */
export function decodeAnswer(message: Uint8Array): Answer {
  if (!isHello(message)) throw new ProtocolError("the answer is not one of Chamada's");
  const { accept, reason } = decodeJson(message, { anyVersion: true });
  if (typeof accept !== "boolean") throw new ProtocolError("the answer says neither yes nor no");
  // A refusal is understood in every version: it may refuse the version itself.
  if (!accept) return { accept, reason: typeof reason === "string" ? printable(reason) : "" };
  const value = decodeJson(message);
  const { call, heard, clock } = value;
  if (!isCallId(call)) throw new ProtocolError("the answer does not name the call");
  return {
    ...{ ...decodeIntroduction(value), accept, call },
    ...(isTime(heard) && isTime(clock) ? { clock: { heardUs: heard, answeredUs: clock } } : {}),
  };
}

function isCallId(value: unknown): value is string {
  return typeof value === "string" && CALL_ID.test(value);
}

function encodeStreams(streams: Streams): unknown[] {
  return streams.flatMap((stream) => stream ? [describeStream(stream)] : []);
}

/** The words of a hello for a stream. */
function describeStream(format: Format | undefined): unknown {
  if (format?.kind !== "video") {
    return format && { kind: "sound", codec: format.codec, ...SOUND_SHAPE };
  }
  const { kind, codec, width, height, fps } = format;
  return { kind, codec, width, height, fps };
}

function decodeIntroduction({ name, streams }: Record<string, unknown>): Introduction {
  if (typeof name !== "string") throw new ProtocolError("the hello has no name");
  if (!Array.isArray(streams)) throw new ProtocolError("the hello does not list its streams");
  if (streams.length > MAX_STREAMS) {
    throw new ProtocolError(`${streams.length} streams are more than ${MAX_STREAMS}`);
  }
  return { name: printable(name), streams: streams.map(decodeStream) };
}

function decodeStream(stream: unknown): Format | undefined {
  if (!isRecord(stream) || typeof stream["kind"] !== "string") {
    throw new ProtocolError("a stream of the hello has no kind");
  }
  switch (stream["kind"]) {
    case "video":
      return decodeVideo(stream);
    case "sound":
      return decodeSound(stream);
    default:
      return undefined;
  }
}

function decodeSound({ codec, rate, channels }: Record<string, unknown>): SoundFormat {
  const known = SOUND_CODECS.find((one) => one === codec);
  if (known === undefined) {
    throw new ProtocolError(`sound in ${shown(codec)} is none of ${SOUND_CODECS.join(", ")}`);
  }
  if (rate !== SOUND_SHAPE.rate || channels !== SOUND_SHAPE.channels) {
    throw new ProtocolError(
      `sound of ${shown(rate)} samples a second and ${shown(channels)} channels is not of ` +
        `${SOUND_SHAPE.rate} and ${SOUND_SHAPE.channels}`,
    );
  }
  return { ...PCM, codec: known };
}

function decodeVideo({ codec, width, height, fps }: Record<string, unknown>): VideoFormat {
  const known = CODECS.find((one) => one === codec);
  if (known === undefined) {
    throw new ProtocolError(`the codec ${shown(codec)} is none of ${CODECS.join(", ")}`);
  }
  if (typeof width !== "number" || typeof height !== "number" || typeof fps !== "number") {
    throw new ProtocolError("the hello has no width, height and fps as numbers");
  }
  const format: VideoFormat = { kind: "video", codec: known, width, height, fps };
  const problem = formatProblem(format);
  if (problem) throw new ProtocolError(problem);
  return format;
}

/** The 16 bytes before the data of a frame message. `aheadUs` is added to the capture time. */
export function encodeFrameHeader(frame: Frame, aheadUs = 0): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  header[0] = KIND.frame;
  header[1] = frame.keyframe ? KEYFRAME : 0;
  header[2] = frame.stream;
  view.setUint32(4, frame.sequence, true);
  view.setBigUint64(8, BigInt(Math.max(Math.round(frame.captureUs + aheadUs), 0)), true);
  return header;
}

/**
 * Reads a frame message of one of these streams. The frame's data is a view of the message. Returns
 * `undefined` for a frame of a stream of unknown kind. Throws `ProtocolError` if it is not of its
 * stream's format.
 */
export function decodeFrame(
  message: Uint8Array,
  streams: Streams,
): Frame | undefined {
  if (message.length < FRAME_HEADER_BYTES) {
    throw new ProtocolError(`a frame message of ${message.length} bytes has no header`);
  }
  const stream = message[2]!;
  checkStream(stream, streams.length);
  const format = streams[stream];
  if (format === undefined) return undefined;
  const bytes = message.length - FRAME_HEADER_BYTES;
  const most = maxFrameBytes(format);
  const isOneSize = format.codec === "raw" || format.codec === "pcm";
  if (bytes <= 0 || bytes > most || (isOneSize && bytes !== most)) {
    const what = format.kind === "sound"
      ? `10 ms of ${format.codec} sound`
      : `a ${format.codec} picture of ${format.width}x${format.height}`;
    throw new ProtocolError(`a frame of ${bytes} bytes is not ${what}`);
  }
  const view = new DataView(message.buffer, message.byteOffset, FRAME_HEADER_BYTES);
  const data = message.subarray(FRAME_HEADER_BYTES);
  if (!beginsAs(format.codec, data)) {
    throw new ProtocolError(`a frame does not begin as ${format.codec} does`);
  }
  return {
    stream,
    data,
    captureUs: Number(view.getBigUint64(8, true)),
    sequence: view.getUint32(4, true),
    keyframe: !isInterCoded(format.codec) || (view.getUint8(1) & KEYFRAME) !== 0,
  };
}

/** Throws `ProtocolError` for a stream that is not among so many. */
export function checkStream(stream: number, count: number): void {
  if (stream >= count) throw new ProtocolError(`stream ${stream} was not announced`);
}

/**
 * True if data begins with a JPEG's marker, or a start code of H.264. Raw pictures and sound have no
 * beginning.
 */
function beginsAs(codec: Format["codec"], data: Uint8Array): boolean {
  switch (codec) {
    case "raw":
    case "pcm":
    case "opus":
      return true;
    case "mjpeg":
      return data[0] === 0xff && data[1] === 0xd8;
    case "h264":
      return data[0] === 0 && data[1] === 0 && (data[2] === 1 || (data[2] === 0 && data[3] === 1));
  }
}

/** Bytes of the ack for a frame of this stream. */
export function encodeAck(stream: number, sequence: number): Uint8Array {
  const message = new Uint8Array(ACK_BYTES);
  message[0] = KIND.ack;
  message[2] = stream;
  new DataView(message.buffer).setUint32(4, sequence, true);
  return message;
}

/** Reads an ack. Throws `ProtocolError`. */
export function decodeAck(
  message: Uint8Array,
): { readonly stream: number; readonly sequence: number } {
  if (message.length !== ACK_BYTES) {
    throw new ProtocolError(`an ack of ${message.length} bytes is not ${ACK_BYTES}`);
  }
  const view = new DataView(message.buffer, message.byteOffset);
  return { stream: message[2]!, sequence: view.getUint32(4, true) };
}

/** Bytes of the rest of a stream: nothing comes on it, or it is taken up again. */
export function encodeRest(stream: number, resting: boolean): Uint8Array {
  return new Uint8Array([KIND.rest, resting ? RESTING : 0, stream, 0]);
}

/** Reads a rest. Throws `ProtocolError`. */
export function decodeRest(
  message: Uint8Array,
): { readonly stream: number; readonly resting: boolean } {
  if (message.length !== REST_BYTES) {
    throw new ProtocolError(`a rest of ${message.length} bytes is not ${REST_BYTES}`);
  }
  return { stream: message[2]!, resting: (message[1]! & RESTING) !== 0 };
}

/** Bytes of a bye. */
export function encodeBye(reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  const message = new Uint8Array(1 + text.length);
  message[0] = KIND.bye;
  message.set(text, 1);
  return message;
}

/** The mistake of a message that has no place where it comes. */
export function misplaced(message: Uint8Array): string {
  return message.length === 0
    ? "an empty message has no place here"
    : `a message of kind ${message[0]} has no place here`;
}

/** The reason of a bye, fit to be shown. */
export function decodeBye(message: Uint8Array): string {
  return printable(new TextDecoder().decode(message.subarray(1)));
}

function encodeJson(value: Record<string, unknown>): Uint8Array {
  const text = new TextEncoder().encode(
    JSON.stringify({ version: PROTOCOL_VERSION, ...value }),
  );
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
