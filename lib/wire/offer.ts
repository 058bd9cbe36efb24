/**
 * The first words of a call, at both ends. The caller makes an offer; the called reads it and
 * answers. The caller's first payload tells its protocol. A stranger is told why it is turned away.
 */

import { nowUs, type Timer } from "../clock.ts";
import { CodeError, PeerLostError, ProtocolError, REASON, RefusedError } from "../errors.ts";
import { beginningOf, guessFirst, guessLength } from "../near_miss.ts";
import { DEFAULT_FORMAT, rawFrameBytes, type VideoFormat } from "../frame/format.ts";
import { compareClocks } from "./delay.ts";
import {
  type BareMode,
  openReceiving,
  pickleReader,
  type Picture,
  plainReader,
  readWord,
  serverSends,
} from "./bare.ts";
import {
  type CallerCode,
  CODE_REASON,
  codeError,
  type Lock,
  proveAsCalled,
  proveAsCaller,
} from "./handshake.ts";
import { type Again, CallLine, type Line, type Peer, peerOf } from "./line.ts";
import { decodePickle, MAX_PICKLE_BYTES, PICKLE_START } from "./pickle.ts";
import {
  type Acceptance,
  decodeAnswer,
  decodeHello,
  encodeAnswer,
  encodeBye,
  encodeHello,
  type Hello,
  type Introduction,
  isHello,
  KIND,
  MAX_HELLO_BYTES,
  misplaced,
  type Streams,
} from "./session.ts";
import { type Connection, FAREWELL_MS, Wire, type WireOptions } from "./wire.ts";

/** The protocols of a peer: the language of calls, or pictures without one. */
export type WireMode = "call" | BareMode;

/** A caller that has said its wish and waits for an answer. */
export interface Offer {
  /** The protocol that it speaks. */
  readonly mode: WireMode;
  /** The caller. If it announces no rate, it has the one that was handed in. */
  readonly peer: Peer;
  /** The streams that it will send. */
  readonly streams: Streams;
  /** The id of the call that it wants to come back into, if it does. */
  readonly call: string | undefined;
  /** Takes the call, under a new id. A bare line sends nothing and never comes back. */
  accept(ours: Introduction, call: string, again: Again): Promise<Line>;
  /** Takes the caller back into its call. Resolves to the connection to go on with. */
  resume(ours: Introduction): Promise<Wire>;
  /** Says no and why, then lets go. */
  refuse(reason: string): Promise<void>;
}

/** The comparison of the clocks of both ends. Nothing if the peer has told nothing of its own. */
export type Clocks = ReturnType<typeof compareClocks> | undefined;

/** The terms on which a caller is listened to. */
export interface OfferOptions extends WireOptions {
  /** The rate that its frames are held to, in place of the announced one. */
  readonly limitFps?: number;
  /** The lock that callers have to open. Without one, anybody may call. */
  readonly lock?: Lock | undefined;
  /** The caller's address: no address may use up all guesses at the lock. */
  readonly host?: string;
}

/**
 * Introduces us on a connection and hears the answer. When aborted, the answer is still heard, and
 * the peer is told that we hang up. It is not told so if we come back: the call may go on over
 * another connection. With a code, nothing is said in the clear. Throws `RefusedError` if the peer
 * says no, `CodeError` if it does so because of the code, `ProtocolError` if it is none of ours,
 * `SealError`, `PeerLostError`, or the signal's reason.
 */
export async function makeOffer(
  connection: Connection,
  hello: Hello,
  signal: AbortSignal,
  code?: CallerCode,
): Promise<Acceptance & { readonly wire: Wire; readonly clocks: Clocks }> {
  const wire = new Wire(connection);
  let introduced = false;
  let leaving: Timer | undefined;
  const abort = (): void => {
    if (introduced) leaving = setTimeout(() => wire.close(), FAREWELL_MS);
    else wire.close();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const proven = code && await proveAsCaller(wire, code);
    const askedUs = nowUs();
    await wire.writeMessage(encodeHello({ ...hello, clockUs: askedUs }));
    introduced = true;
    await proven?.();
    const message = await readWord(wire);
    if (message === null) throw new PeerLostError("no-bye");
    const gotUs = nowUs();
    if (beginningOf(message)) throw serverSends(message.length);
    const answer = decodeAnswer(message);
    if (!answer.accept) throw codeError(answer.reason) ?? new RefusedError(answer.reason);
    if (signal.aborted && hello.call === undefined) {
      await wire.writeMessage(encodeBye(REASON.hungUp));
      await wire.finish();
    }
    signal.throwIfAborted();
    const clocks = answer.clock && compareClocks({ askedUs, ...answer.clock, gotUs });
    return { ...answer, wire, clocks };
  } catch (error) {
    wire.close();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(leaving);
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Waits for the first words of a caller. Resolves to `null` if it leaves without any. `fps` is the
 * rate of a caller that announces none. Throws `PeerLostError` or `SealError`. Throws
 * `ProtocolError` or `CodeError` after the caller was told, if it can be.
 */
export async function readOffer(
  connection: Connection,
  fps: number,
  options: OfferOptions = {},
): Promise<Offer | null> {
  const wire = new Wire(connection, options);
  try {
    return await (options.lock
      ? readLocked(wire, options.lock, options)
      : readFirst(wire, fps, options.limitFps));
  } catch (error) {
    if (error instanceof ProtocolError) await refuse(wire, error.message);
    if (error instanceof CodeError) await refuse(wire, CODE_REASON[error.kind]);
    wire.close();
    throw error;
  }
}

/** Reads the first words of a caller that has to know the code. Nothing else is listened to. */
async function readLocked(
  wire: Wire,
  lock: Lock,
  { limitFps, host = "" }: OfferOptions,
): Promise<Offer | null> {
  const length = await wire.readLength();
  if (length === null) {
    wire.close();
    return null;
  }
  // Who says more has no key to say, and is not listened to.
  if (length > MAX_HELLO_BYTES) throw new CodeError("wanted");
  await proveAsCalled(wire, await wire.readPayload(length), host, lock);
  const message = await wire.readMessage(MAX_HELLO_BYTES);
  if (message === null) {
    wire.close();
    return null;
  }
  const heardUs = nowUs();
  if (!isHello(message)) throw new ProtocolError(misplaced(message));
  return callOffer(wire, decodeHello(message), heardUs, limitFps);
}

async function readFirst(wire: Wire, fps: number, limitFps?: number): Promise<Offer | null> {
  const plain = { ...DEFAULT_FORMAT, fps };
  const plainBytes = rawFrameBytes(plain);
  const length = await wire.readLength();
  if (length === null) {
    wire.close();
    return null;
  }
  if (length === plainBytes) {
    const data = new Uint8Array(plainBytes);
    await wire.read(data);
    return bareOffer(wire, "plain", plain, { data, captureUs: nowUs() }, limitFps);
  }
  if (length === 0 || length > MAX_PICKLE_BYTES) {
    throw new ProtocolError(
      guessLength(length) ??
        `a first message of ${length} bytes is neither a frame of ${plainBytes} nor a hello`,
    );
  }
  // The first byte tells a hello from a pickle. It thereby tells the longest length of the message,
  // before memory is made for it.
  const kind = new Uint8Array(1);
  await wire.read(kind);
  if (kind[0] === PICKLE_START) {
    const { width, height, data } = decodePickle(await readRest(wire, kind, length));
    const format: VideoFormat = { kind: "video", codec: "raw", width, height, fps };
    return bareOffer(wire, "pickle", format, { data, captureUs: nowUs() }, limitFps);
  }
  if (kind[0] === KIND.key && length <= MAX_HELLO_BYTES) throw new CodeError("none");
  if (kind[0] !== KIND.hello || length > MAX_HELLO_BYTES) {
    throw new ProtocolError(
      kind[0] === KIND.hello
        ? `a hello of ${length} bytes is too long: at most ${MAX_HELLO_BYTES}`
        : guessFirst(length, kind[0]!) ??
          `a first message of ${length} bytes is neither a frame of ${plainBytes} nor a hello`,
    );
  }
  const message = await readRest(wire, kind, length);
  const heardUs = nowUs();
  if (!isHello(message)) {
    throw new ProtocolError(`the first ${length} bytes are no hello of Chamada's`);
  }
  return callOffer(wire, decodeHello(message), heardUs, limitFps);
}

/** The offer of a caller that sends pictures without words. Its first picture has come. */
function bareOffer(
  wire: Wire,
  mode: BareMode,
  format: VideoFormat,
  first: Picture,
  limitFps?: number,
): Offer {
  const next = mode === "plain" ? plainReader(wire, format) : pickleReader(wire, format);
  const line = openReceiving(wire, format, first, next, limitFps);
  return {
    mode,
    peer: line.peer,
    streams: [format],
    call: undefined,
    accept: (): Promise<Line> => Promise.resolve(line),
    resume: (): Promise<Wire> => Promise.reject(new Error("Cannot come back without a call")),
    refuse: (): Promise<void> => wire.finish(),
  };
}

/** The offer of a caller that has said hello. */
function callOffer(wire: Wire, theirs: Hello, heardUs: number, limitFps?: number): Offer {
  // A caller that has told its clock will tell its capture times by ours.
  const clocks = theirs.clockUs === undefined ? undefined : { aheadUs: 0 };
  const answer = async (ours: Introduction, call: string): Promise<void> => {
    const clock = clocks && { heardUs, answeredUs: nowUs() };
    try {
      await wire.writeMessage(encodeAnswer({ ...ours, accept: true, call, clock }));
    } catch (error) {
      wire.close();
      throw error;
    }
  };
  return {
    mode: "call",
    peer: peerOf(theirs),
    streams: theirs.streams,
    call: theirs.call,
    async accept(ours: Introduction, call: string, again: Again): Promise<Line> {
      await answer(ours, call);
      const options = { ours: ours.streams, theirs, again, clocks, limitFps };
      return new CallLine(wire, { ...options, beginsAtOnce: true });
    },
    async resume(ours: Introduction): Promise<Wire> {
      await answer(ours, theirs.call!);
      return wire;
    },
    refuse: (reason: string): Promise<void> => refuse(wire, reason),
  };
}

async function refuse(wire: Wire, reason: string): Promise<void> {
  await wire.writeMessage(encodeAnswer({ accept: false, reason })).catch(() => {});
  await wire.finish();
}

/** Reads the rest of a message whose first byte was read. Resolves to the whole message. */
async function readRest(wire: Wire, first: Uint8Array, length: number): Promise<Uint8Array> {
  const message = new Uint8Array(length);
  message.set(first);
  if (length > first.length) await wire.read(message.subarray(first.length));
  return message;
}
