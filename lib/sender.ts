/**
 * The sending end of the wire: a sink that puts frames on a connection and never later than they are worth. A frame that
 * finds no room waits in a place for one; the next one takes that place. It knows nothing of cameras, windows or Deno.
 */

import { nowUs, type Timer } from "./clock.ts";
import { compareClocks, RecentMean } from "./delay.ts";
import { PeerLostError, ProtocolError, REASON, RefusedError } from "./errors.ts";
import type { Frame, VideoFormat } from "./frame.ts";
import {
  decodeAck,
  decodeAnswer,
  decodeBye,
  encodeBye,
  encodeHello,
  encodeVideoHeader,
  isHello,
  KIND,
  MAX_HELLO_BYTES,
  misplaced,
  VIDEO_HEADER_BYTES,
} from "./session.ts";
import { NewestFrame, newestOptions } from "./mailbox.ts";
import { beginningOf, guessLength } from "./near_miss.ts";
import { encodePickle } from "./pickle.ts";
import type { Sink } from "./sink.ts";
import { SendWindow } from "./send_window.ts";
import { type Connection, FAREWELL_MS, LENGTH_BYTES, SILENCE_MS, Wire } from "./wire.ts";
import type { Goodbye, WireMode } from "./receiver.ts";

/** How long the last frames may take to leave when the input has ended, in milliseconds: longer than a loss goes unnoticed. */
const FLUSH_MS = 10_000;

/** How long a hang-up may take whatever moves, in milliseconds: a peer may read a byte a second. */
const HANG_UP_MS = 15_000;

/** How often a hang-up looks whether anything moves, in milliseconds. */
const LOOK_MS = 250;

/** How long frames that need each other may wait for the link before all of them are dropped, in seconds. */
const WAITING_SECONDS = 0.4;

const NOTHING = new Uint8Array(0);

/** What to say and how. */
export interface SenderOptions {
  /** What to speak. */
  readonly mode: WireMode;
  /** What the frames are. */
  readonly format: VideoFormat;
  /** What this end calls itself. */
  readonly name: string;
  /** This machine's clock, in microseconds; that of the program if not given. */
  readonly now?: () => number;
}

/** A call that was accepted. */
export interface Sender extends Sink {
  /** What the peer calls itself, in its own words; may be empty. */
  readonly peerName: string;
  /** How the other end hung up. Rejects with `PeerLostError` or `ProtocolError`; never settles when we hang up. */
  readonly ended: Promise<Goodbye>;
  /** Frames handed to the wire. */
  readonly sent: number;
  /** Frames that were replaced before the wire. */
  readonly dropped: number;
  /** Bytes written, with all that is around the frames. */
  readonly sentBytes: number;
  /**
   * How old pictures have lately been when they arrived, in milliseconds: from the capture of a frame to its ack, less the
   * way of the ack, where the peer has told its clock. Nothing in modes without acks.
   */
  readonly delayMs: number | undefined;
  /** How long an ack has been missing, in milliseconds. */
  readonly quietMs: number;
  /** Says that the way to the other end was seen to be open: it is waited for a little longer. */
  reassure(): void;
  /** Resolves when every frame pushed has left, or nothing more moves. */
  flush(): Promise<void>;
  /** Hangs up: says why, where the mode has words for it, and closes. Safe twice. */
  hangUp(reason: string): Promise<void>;
}

/**
 * Opens a call on a connection, which is the sender's from then on. Throws `RefusedError` where the other end says no,
 * `ProtocolError` where it is none of ours, `PeerLostError`, or the signal's reason.
 */
export async function openSender(
  connection: Connection,
  options: SenderOptions,
  signal: AbortSignal,
): Promise<Sender> {
  let greeting = options.mode === "call";
  const wire: Wire = new Wire(connection, { expecting: () => greeting || sender.expecting });
  const sender = new WireSender(wire, options);
  let introduced = false;
  let leaving: Timer | undefined;
  // Who has introduced itself hears the answer before it takes its leave.
  const abort = (): void => {
    if (introduced) leaving = setTimeout(() => wire.close(), FAREWELL_MS);
    else wire.close();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    if (greeting) {
      const { name, format: video, now = nowUs } = options;
      const askedUs = now();
      await wire.writeMessage(encodeHello({ name, video, clockUs: askedUs }));
      introduced = true;
      const message = await readWord(wire);
      if (message === null) throw new PeerLostError("no-bye");
      const gotUs = now();
      if (beginningOf(message)) throw sends(message.length);
      const answer = decodeAnswer(message);
      if (!answer.accept) throw new RefusedError(answer.reason ?? "");
      greeting = false;
      sender.peerName = answer.name ?? "";
      if (answer.clock) sender.follow(compareClocks({ askedUs, ...answer.clock, gotUs }));
      if (signal.aborted) await sender.hangUp(REASON.hungUp);
      signal.throwIfAborted();
    }
  } catch (error) {
    wire.close();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(leaving);
    signal.removeEventListener("abort", abort);
  }
  wire.enterCall();
  sender.listen();
  return sender;
}

/** The error for a server that speaks where none speaks; one of ours says why it turns us away. */
function unasked(message: Uint8Array): Error {
  const answer = isHello(message) ? decodeAnswer(message) : undefined;
  return answer?.accept === false
    ? new RefusedError(answer.reason ?? "")
    : beginningOf(message)
    ? sends(message.length)
    : new ProtocolError("a server that only listens has spoken");
}

/** Reads the first words of a server. One that sends pictures speaks in large messages. */
async function readWord(wire: Wire): Promise<Uint8Array | null> {
  const length = await wire.readLength();
  if (length === null) return null;
  if (length > MAX_HELLO_BYTES) {
    const miss = guessLength(length);
    throw miss ? new ProtocolError(miss) : sends(length);
  }
  return await wire.readPayload(length);
}

/** The error for a server that sends pictures itself. */
function sends(bytes: number): ProtocolError {
  return new ProtocolError({ kind: "server-sends", bytes });
}

/** What a frame weighs in a call session. */
function wireBytes(frame: Frame): number {
  return LENGTH_BYTES + VIDEO_HEADER_BYTES + frame.data.length;
}

class WireSender implements Sender {
  peerName = "";
  readonly #wire: Wire;
  readonly #mode: WireMode;
  readonly #pickle: ReturnType<typeof encodePickle>;
  readonly #window = new SendWindow();
  /** Of frames under way, when they were captured and when they were sent. */
  readonly #times = new Map<number, { readonly captureUs: number; readonly sentUs: number }>();
  readonly #now: () => number;
  readonly #delay = new RecentMean();
  #peerAheadUs = 0;
  #roundTripUs: number | undefined;
  readonly #end = Promise.withResolvers<Goodbye>();
  readonly #waiting: NewestFrame<Frame>;
  #writing: Promise<void> = Promise.resolve();
  #writes = 0;
  #idle: (() => void) | undefined;
  #sent = 0;
  #over = false;
  #hangingUp: Promise<void> | undefined;

  constructor(wire: Wire, { mode, format, now = nowUs }: SenderOptions) {
    this.#wire = wire;
    this.#now = now;
    this.#mode = mode;
    this.#pickle = encodePickle(format);
    this.#waiting = new NewestFrame(newestOptions(format, WAITING_SECONDS));
    // The end may come while nobody waits for it any more.
    this.#end.promise.catch(() => {});
  }

  get ended(): Promise<Goodbye> {
    return this.#end.promise;
  }

  get sent(): number {
    return this.#sent;
  }

  get dropped(): number {
    return this.#waiting.dropped;
  }

  get sentBytes(): number {
    return this.#wire.sentBytes;
  }

  get quietMs(): number {
    return this.#wire.quietMs;
  }

  reassure(): void {
    this.#wire.reassure();
  }

  get delayMs(): number | undefined {
    const meanUs = this.#delay.value;
    return meanUs === undefined ? undefined : meanUs / 1000;
  }

  /** From the first frame on, tells capture times by the peer's clock. */
  follow({ aheadUs, roundTripUs }: ReturnType<typeof compareClocks>): void {
    this.#peerAheadUs = aheadUs;
    this.#roundTripUs = roundTripUs;
  }

  /** Whether an ack ought to come: without frames under way, silence is in order. */
  get expecting(): boolean {
    return this.#mode === "call" ? this.#window.count > 0 : this.#writes > 0;
  }

  push(frame: Frame): void {
    if (this.#over) return;
    frame.lease?.hold();
    this.#waiting.push(frame);
    this.#pump();
  }

  async flush(): Promise<void> {
    if (this.#over || this.#isIdle) return;
    const idle = Promise.withResolvers<void>();
    this.#idle = idle.resolve;
    const timer = setTimeout(idle.resolve, FLUSH_MS);
    await idle.promise;
    clearTimeout(timer);
  }

  hangUp(reason: string): Promise<void> {
    return this.#hangingUp ??= (async (): Promise<void> => {
      // What is under way on a slow link arrives in its own time, unless the other end has ended the call already. A silence
      // that has begun goes on where it was.
      const patienceMs = this.#over
        ? FAREWELL_MS
        : Math.max(SILENCE_MS - this.#wire.quietMs, FAREWELL_MS);
      this.#over = true;
      this.#waiting.close();
      let [before, stillMs, tookMs] = [this.#wire.sentBytes, 0, 0];
      const watching = setInterval(() => {
        stillMs = this.#wire.sentBytes === before ? stillMs + LOOK_MS : 0;
        tookMs += LOOK_MS;
        before = this.#wire.sentBytes;
        if (stillMs >= patienceMs || tookMs >= HANG_UP_MS) this.#wire.close();
      }, LOOK_MS);
      // Between two messages only: inside one, a goodbye would be taken for a part of a frame.
      await this.#writing;
      if (this.#mode === "call") await this.#wire.writeMessage(encodeBye(reason)).catch(() => {});
      clearInterval(watching);
      await this.#wire.finish(patienceMs);
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hangUp("");
  }

  /** Reads what the other end says until it ends. */
  async listen(): Promise<void> {
    try {
      while (true) {
        const message = this.#mode === "call"
          ? await this.#wire.readMessage(MAX_HELLO_BYTES)
          : await readWord(this.#wire);
        if (message === null) {
          if (this.#mode === "call") throw new PeerLostError("no-bye");
          this.#settle({ reason: "" });
          return;
        }
        if (this.#mode !== "call") throw unasked(message);
        if (message[0] === KIND.bye) {
          this.#settle({ reason: decodeBye(message) });
          return;
        }
        if (message[0] !== KIND.ack) {
          throw new ProtocolError(misplaced(message));
        }
        this.#acknowledged(decodeAck(message));
      }
    } catch (error) {
      if (!this.#hangingUp) this.#end.reject(error);
    } finally {
      this.#over = true;
      this.#idle?.();
    }
  }

  #settle(goodbye: Goodbye): void {
    if (!this.#hangingUp) this.#end.resolve(goodbye);
  }

  #acknowledged(sequence: number): void {
    this.#window.acknowledged(sequence, performance.now());
    this.#measure(sequence);
    this.#pump();
  }

  #measure(sequence: number): void {
    const times = this.#times.get(sequence);
    if (times !== undefined) {
      const nowUs = this.#now();
      if (this.#roundTripUs !== undefined) {
        // A busy machine may have made it seem longer than it is; no frame comes back sooner than it can.
        this.#roundTripUs = Math.min(this.#roundTripUs, nowUs - times.sentUs);
      }
      this.#delay.add(Math.max(nowUs - times.captureUs - (this.#roundTripUs ?? 0) / 2, 0), nowUs);
    }
    for (const earlier of this.#times.keys()) {
      if (earlier > sequence) break;
      this.#times.delete(earlier);
    }
  }

  /** Sends what waits, as far as there is room for it. */
  #pump(): void {
    while (this.#waiting.next && this.#hasRoom(this.#waiting.next)) {
      this.#send(this.#waiting.poll()!);
    }
    if (this.#isIdle) this.#idle?.();
  }

  /** Whether all that was pushed has been handed to the connection. */
  get #isIdle(): boolean {
    return !this.#waiting.next && this.#writes === 0;
  }

  /** Whether this frame may go now. */
  #hasRoom(frame: Frame): boolean {
    // Without acks, the one measure of the link is that it takes what is written.
    if (this.#mode !== "call") return this.#writes === 0;
    return this.#window.hasRoom(wireBytes(frame), performance.now());
  }

  #send(frame: Frame): void {
    if (this.#mode === "call") {
      this.#window.sent(frame.sequence, wireBytes(frame), performance.now());
      this.#times.set(frame.sequence, { captureUs: frame.captureUs, sentUs: this.#now() });
    }
    this.#sent++;
    this.#writes++;
    this.#writing = this.#writing.then(() => this.#write(frame)).finally(() => {
      frame.lease?.letGo();
      this.#writes--;
      this.#pump();
    });
  }

  async #write(frame: Frame): Promise<void> {
    try {
      switch (this.#mode) {
        case "call":
          return await this.#wire.writeMessage(
            encodeVideoHeader(frame, this.#peerAheadUs),
            frame.data,
          );
        case "plain":
          return await this.#wire.writeMessage(NOTHING, frame.data);
        case "pickle": {
          const { before, after } = this.#pickle;
          return await this.#wire.writeMessage(before, frame.data, after);
        }
      }
    } catch {
      // The same loss reaches `listen`.
    }
  }
}
