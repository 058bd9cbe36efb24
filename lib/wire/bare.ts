/**
 * Lines without a language: the report's pickled pictures and bare frames. They have one stream in
 * one direction, no hello and no ack. Their only bye is the end of the connection, and nobody comes
 * back into them.
 */

import { nowUs, within } from "../clock.ts";
import { ProtocolError, RefusedError } from "../errors.ts";
import { rawFrameBytes, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { NewestFrame, newestOptions } from "../frame/mailbox.ts";
import { FramePool } from "../frame/pool.ts";
import { beginningOf, guessLength } from "../near_miss.ts";
import { codeError } from "./handshake.ts";
import { type Goodbye, type Line, type LineFigures, NO_SOUND, type Peer, peerOf } from "./line.ts";
import { decodePickle, encodePickle, MAX_PICKLE_BYTES } from "./pickle.ts";
import { RateLimit, UNANNOUNCED_FPS } from "./rate_limit.ts";
import { decodeAnswer, isHello, MAX_HELLO_BYTES } from "./session.ts";
import { type Connection, FAREWELL_MS, LENGTH_BYTES, STILL_MS, Wire } from "./wire.ts";

/** Milliseconds that the last frame may take to leave when the input has ended. */
const FLUSH_MS = 10_000;

const NOTHING = new Uint8Array(0);

/** The protocols of bare lines. */
export type BareMode = "plain" | "pickle";

/** A picture and the time of its arrival in microseconds. Without headers there is no more. */
export type Picture = Pick<Frame, "data" | "captureUs" | "lease">;

/**
 * The next picture of a peer, or `null` at the end of the stream. Throws `PeerLostError` or
 * `ProtocolError`.
 */
export type NextPicture = () => Promise<Picture | null>;

/** Reads frames of bgr24 and nothing else. */
export function plainReader(wire: Wire, format: VideoFormat): NextPicture {
  const bytes = rawFrameBytes(format);
  const pool = new FramePool(bytes + LENGTH_BYTES);
  return async (): Promise<Picture | null> => {
    const length = await wire.readLength();
    if (length === null) return null;
    if (length !== bytes) {
      throw new ProtocolError(`a message of ${length} bytes is not a frame of ${bytes}`);
    }
    const memory = pool.take();
    const data = await wire.readPayload(length, memory);
    return { data, captureUs: nowUs(), lease: pool.lease(memory) };
  };
}

/** Reads pickled arrays, as the report's client sends them, all of one size. */
export function pickleReader(wire: Wire, format: VideoFormat): NextPicture {
  return async (): Promise<Picture | null> => {
    const message = await wire.readMessage(MAX_PICKLE_BYTES);
    if (message === null) return null;
    const { width, height, data } = decodePickle(message);
    if (width !== format.width || height !== format.height) {
      throw new ProtocolError(
        `the size changed from ${format.width}x${format.height} to ${width}x${height}`,
      );
    }
    return { data, captureUs: nowUs() };
  };
}

/** The common part of both directions: a connection that ends when either side closes it. */
abstract class BareLine implements Line {
  readonly peer: Peer;
  protected readonly wire: Wire;
  protected readonly end = Promise.withResolvers<Goodbye>();
  protected hangingUp: Promise<void> | undefined;

  constructor(wire: Wire, peer: Peer) {
    this.wire = wire;
    this.peer = peer;
    // The end may come when nobody waits for it any more.
    this.end.promise.catch(() => {});
  }

  get ended(): Promise<Goodbye> {
    return this.end.promise;
  }

  get figures(): LineFigures {
    return {
      ...{ sent: 0, dropped: 0, pictureBytes: 0, received: 0, lost: 0, sound: NO_SOUND },
      ...{ delayMs: undefined, waitingMs: undefined },
      sentBytes: this.wire.sentBytes,
      receivedBytes: this.wire.receivedBytes,
    };
  }

  abstract push(frame: Frame): void;
  abstract frames(): AsyncGenerator<Frame, void, undefined>;

  flush(): Promise<void> {
    return Promise.resolve();
  }

  hangUp(_reason: string): Promise<void> {
    return this.hangingUp ??= this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hangUp("");
  }

  protected close(): Promise<void> {
    return this.wire.finish();
  }

  protected fail(error: unknown): void {
    if (!this.hangingUp) this.end.reject(error);
  }

  protected settle(): void {
    if (!this.hangingUp) this.end.resolve({ reason: "" });
  }
}

/** A peer that sends pictures and hears nothing. */
class BareReceivingLine extends BareLine {
  readonly #next: NextPicture;
  readonly #limit: RateLimit;
  #first: Picture | undefined;
  #received = 0;

  /** A line from a peer whose first picture has come already. */
  constructor(
    wire: Wire,
    format: VideoFormat,
    first: Picture,
    next: NextPicture,
    limitFps: number = UNANNOUNCED_FPS,
  ) {
    super(wire, { ...peerOf({ name: "", streams: [format] }), stamps: "arrival" });
    this.#first = first;
    this.#next = next;
    this.#limit = new RateLimit(limitFps, performance.now());
    wire.enterCall();
  }

  override get figures(): LineFigures {
    return { ...super.figures, received: this.#received };
  }

  override push(_frame: Frame): void {}

  override async *frames(): AsyncGenerator<Frame, void, undefined> {
    try {
      while (true) {
        const picture = this.#first ?? await this.#next();
        this.#first = undefined;
        if (picture === null) return this.settle();
        if (this.hangingUp) return;
        this.#limit.count(performance.now());
        yield { stream: 0, ...picture, sequence: this.#received++, keyframe: true };
      }
    } catch (error) {
      this.fail(error);
    }
  }
}

/**
 * A server that receives pictures and says nothing. Without acks, the pace of its reading is the
 * only measure of the link.
 */
class BareSendingLine extends BareLine {
  readonly #mode: BareMode;
  readonly #pickle: ReturnType<typeof encodePickle>;
  readonly #waiting: NewestFrame<Frame>;
  #writing: Promise<void> | undefined;
  #sent = 0;

  /** A line to a server, for frames of this format. The connection is the line's from then on. */
  constructor(connection: Connection, mode: BareMode, format: VideoFormat) {
    const wire: Wire = new Wire(connection, { expecting: () => this.#writing !== undefined });
    super(wire, { ...peerOf({ name: "", streams: [] }), stamps: "arrival" });
    this.#mode = mode;
    this.#pickle = encodePickle(format);
    this.#waiting = new NewestFrame(newestOptions(format, 0));
    wire.enterCall();
  }

  override get figures(): LineFigures {
    return { ...super.figures, sent: this.#sent, dropped: this.#waiting.dropped };
  }

  override push(frame: Frame): void {
    if (this.hangingUp || this.#waiting.closed) return;
    frame.lease?.hold();
    this.#waiting.push(frame);
    this.#writing ??= this.#write();
  }

  /** Gives no frames. Notes the way in which the server ends the call. */
  // deno-lint-ignore require-yield
  override async *frames(): AsyncGenerator<Frame, void, undefined> {
    try {
      const message = await readWord(this.wire);
      if (message !== null) throw unasked(message);
      this.settle();
    } catch (error) {
      this.fail(error);
    } finally {
      this.#waiting.close();
    }
  }

  override async flush(): Promise<void> {
    if (this.#writing) await within(this.#writing, FLUSH_MS);
  }

  protected override async close(): Promise<void> {
    const isOver = this.#waiting.closed;
    this.#waiting.close();
    // Frames under way on a slow link arrive in their own time. A silence that has begun counts
    // from its beginning.
    const patienceMs = isOver ? FAREWELL_MS : Math.max(STILL_MS - this.wire.quietMs, FAREWELL_MS);
    await this.wire.hangUp(() => this.#writing ?? Promise.resolve(), patienceMs);
  }

  /** Writes the waiting frames, one after the other. */
  async #write(): Promise<void> {
    try {
      for (let frame = this.#waiting.poll(); frame; frame = this.#waiting.poll()) {
        this.#sent++;
        const { data, lease } = frame;
        const { before, after } = this.#pickle;
        const parts = this.#mode === "plain" ? [NOTHING, data] : [before, data, after];
        try {
          await this.wire.writeMessage(...(parts as [Uint8Array, ...Uint8Array[]]));
        } finally {
          lease?.letGo();
        }
      }
    } catch {
      // The same loss reaches `frames`.
    } finally {
      this.#writing = undefined;
    }
  }
}

/** The error for a server that speaks where none does. One of ours says why it turns us away. */
function unasked(message: Uint8Array): Error {
  const answer = isHello(message) ? decodeAnswer(message) : undefined;
  return answer?.accept === false
    ? codeError(answer.reason) ?? new RefusedError(answer.reason)
    : beginningOf(message)
    ? serverSends(message.length)
    : new ProtocolError("a server that only listens has spoken");
}

/**
 * A line from a peer that sends pictures, the first of which has come. The peer is held to
 * `limitFps`.
 */
export function openReceiving(
  wire: Wire,
  format: VideoFormat,
  first: Picture,
  next: NextPicture,
  limitFps?: number,
): Line {
  return new BareReceivingLine(wire, format, first, next, limitFps);
}

/** A line to a server, for frames of this format. The connection is the line's from then on. */
export function openSending(connection: Connection, mode: BareMode, format: VideoFormat): Line {
  return new BareSendingLine(connection, mode, format);
}

/**
 * Reads the first words of a server that has been silent. A server that sends pictures speaks in
 * large messages.
 */
export async function readWord(wire: Wire): Promise<Uint8Array | null> {
  const length = await wire.readLength();
  if (length === null) return null;
  if (length > MAX_HELLO_BYTES) {
    const miss = guessLength(length);
    throw miss ? new ProtocolError(miss) : serverSends(length);
  }
  return await wire.readPayload(length);
}

/** The error for a server that sends pictures itself. */
export function serverSends(bytes: number): ProtocolError {
  return new ProtocolError({ kind: "server-sends", bytes });
}
