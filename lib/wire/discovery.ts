/**
 * The words with which a client finds servers on its network. Each is one UDP datagram. Pure.
 *
 * ```
 *  all:        magic[8]   version:u8 = 1   flags:u8   port:u16   nonce[16]       little-endian
 *  question    "CHAMADA?"  flags 1: it went to one address alone    then zeros, 128 bytes in all
 *                          flags 2: what came of the probe is asked for
 *  answer      "CHAMADA!"  flags 1: a code is wanted   port of calls   then id[8] length:u8 name
 *  relay       "CHAMADA>"                              port of the asker   then its address[4]
 *  probe       "CHAMADA%"                              then zeros, 1,200 bytes in all
 *  report      "CHAMADA#"                              then count:u32 span:u32 in microseconds
 * ```
 *
 * An answer is shorter than its question, so nobody gains by a question under another's address. A
 * reader ignores bytes behind those that it knows: later versions may add.
 */

import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { formatIpv4, readIpv4 } from "./subnet.ts";

/** The UDP port at which servers hear questions. */
export const DISCOVERY_PORT = 24167;

/** The group of addresses that servers hear questions for. It never leaves a network. */
export const DISCOVERY_GROUP = "224.0.0.167";

/** The length of a question, and the most that an answer may have. */
export const QUESTION_BYTES = 128;

/** The longest datagram that is looked at, apart from a probe. */
const MAX_BYTES = 512;

/** The length of a probe. It fits every network whole. */
export const PROBE_BYTES = 1200;

/** The most bytes of a name. */
const MAX_NAME_BYTES = 64;

const VERSION = 1;
const MAGIC = {
  question: "CHAMADA?",
  answer: "CHAMADA!",
  relay: "CHAMADA>",
  probe: "CHAMADA%",
  report: "CHAMADA#",
} as const;
const HEADER_BYTES = 28;
const ID_BYTES = 8;

/** A question for servers. */
export interface Question {
  /** Sixteen bytes that answers repeat, so that nobody answers what was not asked. */
  readonly nonce: Uint8Array;
  /** True if one address alone was asked, and other servers of that machine did not hear it. */
  readonly alone: boolean;
  /** True if the report on the probe of that nonce is asked for, and no answer. */
  readonly reports?: boolean;
}

/** A server's answer. It proves nothing: anybody may send one. */
export interface Answer {
  /** The nonce of the question. */
  readonly nonce: Uint8Array;
  /** The TCP port at which calls are answered. */
  readonly port: number;
  /** True if callers need a code. */
  readonly wantsCode: boolean;
  /** Eight bytes of the server's own, the same at each of its addresses. */
  readonly id: Uint8Array;
  /** The server's name for itself, in its own words. */
  readonly name: string;
}

/** A question that a server hands on to the other servers of its machine. */
export interface Relay {
  /** The nonce of the question. */
  readonly nonce: Uint8Array;
  /** The address and the port of the asker. */
  readonly host: string;
  /** See `host`. */
  readonly port: number;
}

/** The bytes of a question. */
export function encodeQuestion(
  { nonce, alone, reports = false }: Question,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(QUESTION_BYTES);
  bytes.set(header("question", Number(alone) + 2 * Number(reports), 0, nonce));
  return bytes;
}

/** Reads a question. Gives `undefined` for anything else. */
export function decodeQuestion(bytes: Uint8Array): Question | undefined {
  if (bytes.length < QUESTION_BYTES) return undefined;
  const found = readHeader("question", bytes);
  if (!found) return undefined;
  const { nonce, flags } = found;
  return { nonce, alone: (flags & 1) !== 0, reports: (flags & 2) !== 0 };
}

/** The bytes of an answer. A name that is too long is cut between two characters. */
export function encodeAnswer(answer: Answer): Uint8Array<ArrayBuffer> {
  const name = new Uint8Array(MAX_NAME_BYTES);
  const { written } = new TextEncoder().encodeInto(answer.name, name);
  return concat([
    header("answer", Number(answer.wantsCode), answer.port, answer.nonce),
    answer.id,
    Uint8Array.of(written),
    name.subarray(0, written),
  ]);
}

/** Reads an answer. Gives `undefined` for anything else. */
export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const found = readHeader("answer", bytes);
  const nameAt = HEADER_BYTES + ID_BYTES + 1;
  const length = bytes[nameAt - 1];
  if (!found || found.port === 0 || length === undefined || length > MAX_NAME_BYTES) {
    return undefined;
  }
  if (bytes.length < nameAt + length) return undefined;
  let name: string;
  try {
    const text = bytes.subarray(nameAt, nameAt + length);
    name = new TextDecoder("utf-8", { fatal: true }).decode(text);
  } catch {
    return undefined;
  }
  const id = bytes.slice(HEADER_BYTES, HEADER_BYTES + ID_BYTES);
  const { nonce, port, flags } = found;
  return { nonce, port, wantsCode: (flags & 1) !== 0, id, name };
}

/** The bytes of a relayed question. Throws `TypeError` if the host is no IPv4 address. */
export function encodeRelay({ nonce, host, port }: Relay): Uint8Array<ArrayBuffer> {
  const value = readIpv4(host);
  if (value === undefined) throw new TypeError(`Cannot relay for ${host}: no IPv4 address`);
  return concat([header("relay", 0, port, nonce), Uint8Array.from(host.split("."), Number)]);
}

/** Reads a relayed question. Gives `undefined` for anything else. */
export function decodeRelay(bytes: Uint8Array): Relay | undefined {
  const found = readHeader("relay", bytes);
  if (!found || found.port === 0 || bytes.length < HEADER_BYTES + 4) return undefined;
  const value = new DataView(bytes.buffer, bytes.byteOffset).getUint32(HEADER_BYTES);
  return { nonce: found.nonce, host: formatIpv4(value), port: found.port };
}

/** What came of a train of probes. */
export interface Report {
  /** The nonce of the probes. */
  readonly nonce: Uint8Array;
  /** The number of probes that came. */
  readonly count: number;
  /** Microseconds from the first to the last. */
  readonly spanUs: number;
}

/** The bytes of a probe. */
export function encodeProbe(nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PROBE_BYTES);
  bytes.set(header("probe", 0, 0, nonce));
  return bytes;
}

/** The nonce of a probe. Gives `undefined` for anything else. */
export function decodeProbe(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length !== PROBE_BYTES) return undefined;
  return readHeader("probe", bytes.subarray(0, HEADER_BYTES))?.nonce;
}

/** The bytes of a report. */
export function encodeReport({ nonce, count, spanUs }: Report): Uint8Array<ArrayBuffer> {
  const figures = new DataView(new ArrayBuffer(8));
  figures.setUint32(0, count, true);
  figures.setUint32(4, spanUs, true);
  return concat([header("report", 0, 0, nonce), new Uint8Array(figures.buffer)]);
}

/** Reads a report. Gives `undefined` for anything else. */
export function decodeReport(bytes: Uint8Array): Report | undefined {
  const found = readHeader("report", bytes);
  if (!found || bytes.length < HEADER_BYTES + 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    nonce: found.nonce,
    count: view.getUint32(HEADER_BYTES, true),
    spanUs: view.getUint32(HEADER_BYTES + 4, true),
  };
}

function header(
  kind: keyof typeof MAGIC,
  flags: number,
  port: number,
  nonce: Uint8Array,
): Uint8Array {
  const magic = new TextEncoder().encode(MAGIC[kind]);
  return concat([magic, Uint8Array.of(VERSION, flags, port & 255, port >> 8), nonce]);
}

function readHeader(
  kind: keyof typeof MAGIC,
  bytes: Uint8Array,
): { readonly flags: number; readonly port: number; readonly nonce: Uint8Array } | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_BYTES) return undefined;
  const magic = new TextEncoder().encode(MAGIC[kind]);
  if (!equals(bytes.subarray(0, magic.length), magic) || bytes[8] !== VERSION) {
    return undefined;
  }
  const port = bytes[10]! + bytes[11]! * 256;
  return { flags: bytes[9]!, port, nonce: bytes.slice(12, HEADER_BYTES) };
}
