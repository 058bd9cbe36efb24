/**
 * The sending end of the wire: a sink that puts frames on a connection and never later than they are worth. A frame that
 * finds no room waits in a place for one; the next one takes that place. It knows nothing of cameras, windows or Deno.
 */

import { nowUs } from "./clock.ts";
import { PeerLostError, ProtocolError, RefusedError } from "./errors.ts";
import type { Frame, VideoFormat } from "./frame.ts";
import {
  decodeAck,
  decodeAnswer,
  decodeBye,
  encodeBye,
  encodeHello,
  encodeVideoHeader,
  KIND,
  MAX_HELLO_BYTES,
  VIDEO_HEADER_BYTES,
} from "./session.ts";
import type { Sink } from "./sink.ts";
import { SendWindow } from "./window.ts";
import { type Connection, LENGTH_BYTES, Wire } from "./wire.ts";
import type { Goodbye, WireMode } from "./receiver.ts";

/** How long a hang-up waits for what is being written, in milliseconds. */
const LAST_WORDS_MS = 1000;

/** How long the last frames may take to leave when the input has ended, in milliseconds. */
const FLUSH_MS = 5000;

/** What to say and how. */
export interface SenderOptions {
  readonly mode: WireMode;
  readonly format: VideoFormat;
  /** What this end calls itself. */
  readonly name: string;
}

/** A call that was accepted. */
export interface Sender extends Sink {
  /** How the other end hung up. Rejects with `PeerLostError` or `ProtocolError`; never settles when we hang up. */
  readonly ended: Promise<Goodbye>;
  /** Frames handed to the wire, frames replaced before it, bytes written. */
  readonly sent: number;
  readonly dropped: number;
  readonly sentBytes: number;
  /** From the capture of the last acknowledged frame to its ack, in milliseconds; nothing in modes without acks. */
  readonly delayMs: number | undefined;
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
  const sender = new WireSender(wire, options.mode);
  const abort = (): void => wire.close();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    if (greeting) {
      await wire.writeMessage(encodeHello({ name: options.name, video: options.format }));
      const message = await wire.readMessage(MAX_HELLO_BYTES);
      if (message === null) throw new PeerLostError("no-bye");
      const answer = decodeAnswer(message);
      if (!answer.accept) throw new RefusedError(answer.reason ?? "");
      greeting = false;
    }
  } catch (error) {
    wire.close();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
  sender.listen();
  return sender;
}

class WireSender implements Sender {
  readonly #wire: Wire;
  readonly #mode: WireMode;
  readonly #window = new SendWindow();
  readonly #captures = new Map<number, number>();
  readonly #end = Promise.withResolvers<Goodbye>();
  #waiting: Frame | undefined;
  #writing: Promise<void> = Promise.resolve();
  #writes = 0;
  #idle: (() => void) | undefined;
  #sent = 0;
  #dropped = 0;
  #delayMs: number | undefined;
  #over = false;
  #hangingUp: Promise<void> | undefined;

  constructor(wire: Wire, mode: WireMode) {
    this.#wire = wire;
    this.#mode = mode;
    // The end may come while nobody waits for it any more, after a hang-up of ours.
    this.#end.promise.catch(() => {});
  }

  get ended(): Promise<Goodbye> {
    return this.#end.promise;
  }

  get sent(): number {
    return this.#sent;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get sentBytes(): number {
    return this.#wire.sentBytes;
  }

  get delayMs(): number | undefined {
    return this.#delayMs;
  }

  /** Whether an ack ought to come: without frames under way, silence is in order. */
  get expecting(): boolean {
    return this.#mode === "call" ? this.#window.count > 0 : this.#writes > 0;
  }

  push(frame: Frame): void {
    if (this.#over) return;
    if (this.#waiting) this.#dropped++;
    this.#waiting = frame;
    this.#pump();
  }

  async flush(): Promise<void> {
    if (this.#over || !this.#waiting) return;
    const idle = Promise.withResolvers<void>();
    this.#idle = idle.resolve;
    const timer = setTimeout(idle.resolve, FLUSH_MS);
    await idle.promise;
    clearTimeout(timer);
  }

  hangUp(reason: string): Promise<void> {
    return this.#hangingUp ??= (async (): Promise<void> => {
      this.#over = true;
      this.#waiting = undefined;
      // Between two messages only: inside one, a goodbye would be taken for a part of a frame.
      const timer = setTimeout(() => this.#wire.close(), LAST_WORDS_MS);
      await this.#writing;
      if (this.#mode === "call") await this.#wire.writeMessage(encodeBye(reason)).catch(() => {});
      clearTimeout(timer);
      await this.#wire.finish();
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hangUp("");
  }

  /** Reads what the other end says until it ends. */
  async listen(): Promise<void> {
    try {
      while (true) {
        const message = await this.#wire.readMessage(MAX_HELLO_BYTES);
        if (message === null) {
          if (this.#mode === "call") throw new PeerLostError("no-bye");
          this.#end.resolve({ reason: "" });
          return;
        }
        if (this.#mode !== "call") throw new ProtocolError("a server that only listens has spoken");
        if (message[0] === KIND.bye) {
          this.#end.resolve({ reason: decodeBye(message) });
          return;
        }
        if (message[0] !== KIND.ack) {
          throw new ProtocolError(`a message of kind ${message[0]} has no place here`);
        }
        this.#acknowledged(decodeAck(message));
      }
    } catch (error) {
      this.#end.reject(error);
    } finally {
      this.#over = true;
      this.#idle?.();
    }
  }

  #acknowledged(sequence: number): void {
    this.#window.acknowledged(sequence, performance.now());
    const captureUs = this.#captures.get(sequence);
    if (captureUs !== undefined) this.#delayMs = Math.max((nowUs() - captureUs) / 1000, 0);
    for (const earlier of this.#captures.keys()) {
      if (earlier > sequence) break;
      this.#captures.delete(earlier);
    }
    this.#pump();
  }

  /** Sends the waiting frame if there is room for it. */
  #pump(): void {
    const frame = this.#waiting;
    if (!frame) {
      this.#idle?.();
      return;
    }
    const bytes = LENGTH_BYTES + VIDEO_HEADER_BYTES + frame.data.length;
    if (this.#mode === "call") {
      const nowMs = performance.now();
      if (!this.#window.hasRoom(bytes, nowMs)) return;
      this.#window.sent(frame.sequence, bytes, nowMs);
      this.#captures.set(frame.sequence, frame.captureUs);
    } else if (this.#writes > 0) {
      // No acks: the one measure of the link is that it takes what is written.
      return;
    }
    this.#waiting = undefined;
    this.#sent++;
    this.#writes++;
    this.#writing = this.#writing.then(() => this.#write(frame)).finally(() => {
      this.#writes--;
      this.#pump();
    });
  }

  async #write(frame: Frame): Promise<void> {
    try {
      if (this.#mode === "call") {
        await this.#wire.writeMessage(encodeVideoHeader(frame), frame.data);
      } else {
        await this.#wire.writeMessage(frame.data);
      }
    } catch {
      // The same loss reaches `listen`.
    }
  }
}
