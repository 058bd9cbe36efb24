/**
 * The beginning of a private call: both ends prove that they know the code, and seal all that
 * follows. The messages of cpace.ts cross the network like this:
 *
 * ```
 *  client                                                  server
 *   05 "CHAMADA1" 01 sid[16] Ya[32]                 ─►
 *                                                   ◄─     05 "CHAMADA1" 01 Yb[32]
 *   06 Ta[32], and at once sealed(hello)            ─►                        the client proves first
 *                                                   ◄─     06 Tb[32], sealed(answer)
 * ```
 *
 * A connection is one guess. The server says no in the clear, with one of `CODE_REASON`.
 */

import { concat } from "@std/bytes/concat";
import { within } from "../clock.ts";
import { CodeError, PeerLostError, ProtocolError } from "../errors.ts";
import {
  type Bytes,
  deriveKey,
  generator,
  type Half,
  intermediateKey,
  isSame,
  lvCat,
  multiply,
  POINT_BYTES,
  proof,
  utf8,
} from "./cpace.ts";
import type { Guesses } from "./guesses.ts";
import { Opener, Sealer } from "./seal.ts";
import { decodeAnswer, isHello, isMagic, KIND, MAGIC, MAX_HELLO_BYTES } from "./session.ts";
import type { Wire } from "./wire.ts";

/** The one suite of this version: CPACE-X25519-SHA512 and ChaCha20-Poly1305. */
const SUITE = 1;

const SID_BYTES = 16;
const START = concat([Uint8Array.of(KIND.key), MAGIC, Uint8Array.of(SUITE)]);

/** The names of both ends, to which the secret is bound. */
const CI = lvCat(utf8("chamada call client"), utf8("chamada call server"));

const CLIENT_KEY = "chamada 2 client to server";
const SERVER_KEY = "chamada 2 server to client";

/** Milliseconds that a proof may take. Until then a caller holds a place that others wait for. */
const PROOF_MS = 2000;

/** The reasons of a server's no for which a code is the matter, as they stand on the wire. */
export const CODE_REASON: Readonly<Record<CodeError["kind"], string>> = {
  wrong: "code",
  wanted: "only those who have its code may call; serve --open lets everybody call",
  none: "this server has no code",
  later: "too many wrong codes",
};

/** The lock of a server that wants a code. */
export interface Lock {
  /** The code. */
  readonly code: string;
  /** The limit of wrong codes, which all callers share. */
  readonly guesses: Guesses;
}

/** The random part of a handshake. Tests give their own. */
export interface HandshakeSecrets {
  /** The scalar of an end. */
  readonly scalar?: Uint8Array;
  /** The id of the handshake, which the client chooses. */
  readonly sid?: Uint8Array;
}

/** The code of a caller and, in tests, its secrets. */
export interface CallerCode extends HandshakeSecrets {
  /** The code. */
  readonly code: string;
  /** Milliseconds that the server may take until it is ready to hear the proof. */
  readonly keyMs?: number | undefined;
}

/**
 * Begins a private call at the client. All that is written from then on is sealed. Resolves to a
 * function that awaits the server's proof; all that is read after it is opened. Both throw
 * `CodeError`, `ProtocolError` or `PeerLostError`. The caller of both closes the wire then.
 */
export async function proveAsCaller(
  wire: Wire,
  { code, keyMs, ...secrets }: CallerCode,
): Promise<() => Promise<void>> {
  const { scalar = random(POINT_BYTES), sid = random(SID_BYTES) } = secrets;
  const g = await generator(utf8(code), CI, sid);
  const a: Half = { point: await multiply(scalar, g), data: concat([START, sid]) };
  await wire.writeMessage(concat([a.data, a.point]));
  const reading = readKeyed(wire, KIND.key);
  const answer = keyMs === undefined ? await reading : await within(reading, keyMs);
  if (answer === undefined) {
    reading.catch(() => {});
    throw new CodeError("later");
  }
  if (answer.length !== START.length + POINT_BYTES) throw misshapen(answer);
  const b: Half = { point: answer.subarray(START.length), data: START };
  const isk = await intermediateKey(sid, await multiply(scalar, b.point), a, b);
  await wire.writeMessage(concat([Uint8Array.of(KIND.proof), await proof(sid, isk, a)]));
  wire.sealWith(new Sealer(await deriveKey(isk, CLIENT_KEY)));
  return async (): Promise<void> => {
    const told = await readKeyed(wire, KIND.proof);
    // Nobody but a stranger takes our proof and has none.
    if (!isSame(told.subarray(1), await proof(sid, isk, b))) throw new CodeError("wrong");
    wire.openWith(new Opener(await deriveKey(isk, SERVER_KEY)));
  };
}

/**
 * Goes on with a private call at the server, from the client's first message. Everything is sealed
 * from then on. Throws `CodeError`, `ProtocolError` or `PeerLostError`.
 */
export async function proveAsCalled(
  wire: Wire,
  first: Uint8Array,
  host: string,
  { code, guesses }: Lock,
  { scalar = random(POINT_BYTES) }: HandshakeSecrets = {},
): Promise<void> {
  if (!isMagic(first, KIND.key)) throw new CodeError("wanted");
  if (!isSame(first.subarray(0, START.length), START)) {
    throw new ProtocolError(`the suite ${first[START.length - 1]} is not known`);
  }
  if (first.length !== START.length + SID_BYTES + POINT_BYTES) throw misshapen(first);
  const place = await guesses.take(host);
  if (place === undefined) throw new CodeError("later");
  try {
    const data = first.subarray(0, START.length + SID_BYTES);
    const sid = data.subarray(START.length);
    const a: Half = { point: first.subarray(data.length), data };
    const g = await generator(utf8(code), CI, sid);
    const b: Half = { point: await multiply(scalar, g), data: START };
    const isk = await intermediateKey(sid, await multiply(scalar, a.point), a, b);
    const [ours, theirs] = [await proof(sid, isk, b), await proof(sid, isk, a)];
    await wire.writeMessage(concat([START, b.point]));
    const told = await readProof(wire);
    if (!isSame(told, theirs)) {
      place.use();
      throw new CodeError("wrong");
    }
    wire.openWith(new Opener(await deriveKey(isk, CLIENT_KEY)));
    await wire.writeMessage(concat([Uint8Array.of(KIND.proof), ours]));
    wire.sealWith(new Sealer(await deriveKey(isk, SERVER_KEY)));
  } finally {
    place.giveBack();
  }
}

/** Reads the client's proof, which is all that it may say now. */
async function readProof(wire: Wire): Promise<Uint8Array> {
  const timer = setTimeout(() => wire.close(), PROOF_MS);
  try {
    const message = await wire.readMessage(1 + POINT_BYTES);
    if (message === null) throw new PeerLostError("no-bye");
    if (message.length !== 1 + POINT_BYTES || message[0] !== KIND.proof) throw misshapen(message);
    return message.subarray(1);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the server's next message of a handshake. A no in the clear throws its reason. */
async function readKeyed(wire: Wire, kind: number): Promise<Uint8Array> {
  const message = await wire.readMessage(MAX_HELLO_BYTES);
  if (message === null) throw new PeerLostError("no-bye");
  if (isHello(message)) throw refusedInClear(message);
  if (kind === KIND.proof && message[0] === kind) return message;
  if (!isMagic(message, kind)) throw misshapen(message);
  if (message[START.length - 1] !== SUITE) {
    throw new ProtocolError(`the suite ${message[START.length - 1]} is not known`);
  }
  return message;
}

/**
 * The error for words in the clear. Anybody on the network can say them, so they are worth nothing
 * but a no: they never lead to a call, nor to the end of one.
 */
function refusedInClear(message: Uint8Array): Error {
  const answer = decodeAnswer(message);
  return answer.accept ? new CodeError("none") : codeError(answer.reason) ?? new CodeError("none");
}

/** The error for a server's reason, if a code is the matter. */
export function codeError(reason: string): CodeError | undefined {
  const kinds = Object.keys(CODE_REASON) as CodeError["kind"][];
  const kind = kinds.find((one) => CODE_REASON[one] === reason);
  return kind && new CodeError(kind);
}

function misshapen(message: Uint8Array): ProtocolError {
  return new ProtocolError(
    `a message of kind ${message[0]} and ${message.length} bytes has no place in a handshake`,
  );
}

function random(bytes: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(bytes));
}
