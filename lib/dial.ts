/**
 * The call to a server, and the call back after a loss. The client's alone; it knows nothing of
 * media.
 *
 * After a loss the next attempt to connect begins before the one before it is over. A network that
 * is back answers a new attempt at once. An attempt that began without the network waits for TCP to
 * try again. The first attempt to succeed is taken.
 */

import { pause } from "./clock.ts";
import { CodeError, endsInOrder, PeerLostError, ProtocolError, RefusedError } from "./errors.ts";
import { type BareMode, openSending } from "./wire/bare.ts";
import type { CallerCode } from "./wire/handshake.ts";
import { type Again, CallLine, type Goodbye, type Line, waitMsFor } from "./wire/line.ts";
import { makeOffer } from "./wire/offer.ts";
import { type Introduction, isSameStreams, type Streams } from "./wire/session.ts";
import type { Connection, Wire } from "./wire/wire.ts";

/** Milliseconds between two attempts to come back, and milliseconds that one may take. */
const REDIAL_EVERY_MS = 250;
const REDIAL_MS = 3000;

/**
 * Milliseconds that a server may take for its key before it is called anew, at each attempt but the
 * last. A server that hears many wrong codes takes the newest caller first.
 */
const KEY_MS = [1500, 3000] as const;

/** The server to call, and the way to reach it. */
export interface Callee {
  /** Its address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** Makes the connection. Rejects with the system's error, or when aborted. */
  connect(signal: AbortSignal): Promise<Connection>;
}

/**
 * Introduces this end on a connection, which is the line's from then on. A lost network is waited
 * for `patienceMs` milliseconds. Throws `RefusedError` if the peer says no, `ProtocolError` if it
 * is none of ours, `CodeError` if the code is the matter, `SealError`, `PeerLostError`, or the
 * signal's reason.
 */
export async function dial(
  connection: Connection,
  callee: Callee,
  ours: Introduction,
  patienceMs: number,
  signal: AbortSignal,
  code?: string,
): Promise<CallLine> {
  const caller = code === undefined ? undefined : { code };
  const offering = caller
    ? offerPrivately(connection, callee, ours, signal, caller)
    : makeOffer(connection, ours, signal);
  const { wire, clocks, ...theirs } = await offering;
  const hello = { ...ours, call: theirs.call };
  const again = redial(callee, hello, theirs.streams, patienceMs, caller);
  return new CallLine(wire, { ours: ours.streams, theirs, again, clocks });
}

/** Makes an offer to a server that may be busy with the wrong codes of others. */
async function offerPrivately(
  connection: Connection,
  callee: Callee,
  ours: Introduction,
  signal: AbortSignal,
  code: CallerCode,
): ReturnType<typeof makeOffer> {
  let next = connection;
  for (const keyMs of KEY_MS) {
    try {
      return await makeOffer(next, ours, signal, { ...code, keyMs });
    } catch (error) {
      if (!(error instanceof CodeError) || error.kind !== "later") throw error;
    }
    next = await callee.connect(signal);
  }
  return await makeOffer(next, ours, signal, code);
}

/** Sends to a server that has no words: it is asked nothing, and gives no answer. */
export function dialBare(connection: Connection, mode: BareMode, ours: Introduction): Line {
  const format = ours.streams.find((stream) => stream?.kind === "video")!;
  return openSending(connection, mode, format);
}

/** Calls again, until the peer answers, nobody listens any more, or the patience is over. */
function redial(
  callee: Callee,
  hello: Introduction & { readonly call: string },
  streams: Streams,
  patienceMs: number,
  code: CallerCode | undefined,
): Again {
  let nextMs = 0;
  return async (lost, stop, goneMs): Promise<Wire | Goodbye | undefined> => {
    const waitMs = waitMsFor(lost, patienceMs, goneMs);
    if (waitMs <= 0) return undefined;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), waitMs);
    const signal = AbortSignal.any([stop, over.signal]);
    try {
      while (!signal.aborted) {
        // A peer that answers and is lost again, over and over, must not keep either end busy.
        await pause(Math.max(nextMs - performance.now(), 0));
        nextMs = performance.now() + REDIAL_EVERY_MS;
        const connection = await connectAgain(callee, signal);
        // Nobody listens at the peer's address: the peer has ended without a bye. It did so behind
        // our back if the network was gone.
        if (connection === undefined) {
          if (lost.how !== "silence" || signal.aborted) return undefined;
          throw new PeerLostError("no-bye");
        }
        const patience = AbortSignal.any([signal, AbortSignal.timeout(REDIAL_MS)]);
        try {
          const { wire, ...theirs } = await makeOffer(connection, hello, patience, code);
          if (theirs.call === hello.call && isSameStreams(theirs.streams, streams)) return wire;
          wire.close();
          throw new ProtocolError("the peer has come back as another one than it was");
        } catch (error) {
          // Either the peer has hung up since, or it has given us up.
          if (error instanceof RefusedError) {
            return endsInOrder(error.message) ? { reason: error.message } : undefined;
          }
          // A no in the clear may be anybody's. It ends no private call.
          const isWorthless = error instanceof PeerLostError || error instanceof CodeError && code;
          if (!isWorthless && !patience.aborted) throw error;
        }
      }
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  };
}

/**
 * The first connection that can be made. Resolves to nothing if nobody listens any more, or when
 * aborted.
 */
async function connectAgain(callee: Callee, signal: AbortSignal): Promise<Connection | undefined> {
  if (signal.aborted) return undefined;
  const first = Promise.withResolvers<Connection | undefined>();
  const others = new AbortController();
  const attempts: Promise<void>[] = [];
  const attempt = async (): Promise<void> => {
    const patience = [signal, others.signal, AbortSignal.timeout(REDIAL_MS)];
    try {
      const connection = await callee.connect(AbortSignal.any(patience));
      if (others.signal.aborted) return connection.close();
      others.abort();
      first.resolve(connection);
    } catch (error) {
      // Here the machine itself says no. A machine that cannot be reached says nothing.
      if (error instanceof Error && error.name === "ConnectionRefused") first.resolve(undefined);
    }
  };
  const timer = setInterval(() => attempts.push(attempt()), REDIAL_EVERY_MS);
  const onAbort = (): void => first.resolve(undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    attempts.push(attempt());
    return await first.promise;
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", onAbort);
    others.abort();
    await Promise.all(attempts);
  }
}
