/**
 * The receiving end of the wire: finds out from the first payload what a caller speaks, answers it, and gives its frames
 * whichever way they came. It knows nothing of windows, files or Deno.
 */

import { PeerLostError, ProtocolError } from "./errors.ts";
import {
  DEFAULT_FORMAT,
  type Frame,
  isInterCoded,
  maxFrameBytes,
  rawFrameBytes,
  type VideoFormat,
} from "./frame.ts";
import { nowUs, pause } from "./clock.ts";
import { NewestFrame } from "./mailbox.ts";
import { guessFirst, guessLength } from "./near_miss.ts";
import { decodePickle, MAX_PICKLE_BYTES, PICKLE_START } from "./pickle.ts";
import { FramePool } from "./pool.ts";
import { RateLimit, UNANNOUNCED_FPS } from "./rate_limit.ts";
import {
  decodeBye,
  decodeHello,
  decodeVideo,
  encodeAck,
  encodeAnswer,
  encodeBye,
  isHello,
  KIND,
  MAX_HELLO_BYTES,
  misplaced,
  VIDEO_HEADER_BYTES,
} from "./session.ts";
import { type Connection, FAREWELL_MS, LENGTH_BYTES, Wire, type WireOptions } from "./wire.ts";

/** How far acks are apart, in milliseconds, where frames come faster: half of what 240 a second leave. */
const ACKS_APART_MS = 2;

/**
 * The time for which frames may come that need one that did not, in milliseconds. Encoders make a
 * keyframe each second, some each 12 s. Without a bound, a line is held by pictures that nobody can see.
 */
const KEYFRAME_MS = 30_000;

/** What a peer speaks. */
export type WireMode = "plain" | "pickle" | "call";

/** How the frames of a caller ended, where they did not end in an error. */
export interface Goodbye {
  /** Its reason, as it said it; nothing in modes that have no goodbye but the end of the stream. */
  readonly reason: string;
}

/** A caller that has said what it wants and waits for an answer. */
export interface Offer {
  /** What it speaks. */
  readonly mode: WireMode;
  /** What it will send. A `plain` caller announces no rate: the format then has the one that was handed in. */
  readonly format: VideoFormat;
  /** What it calls itself, if it does. */
  readonly name: string;
  /** Takes the call; `name` is what this end calls itself. */
  accept(name?: string): Promise<Receiver>;
  /** Says no and why, then lets go. */
  refuse(reason: string): Promise<void>;
}

/** A call that is taken. */
export interface Receiver {
  /** What its frames are. */
  readonly format: VideoFormat;
  /** Whether the frames' times are those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
  /** True if the frames' times are on this machine's clock, as well as the caller could know it. */
  readonly sharesClock: boolean;
  /** Bytes received so far. */
  readonly receivedBytes: number;
  /** Frames that did not come, by the numbers of those that did, or came and need one that did not. */
  readonly lost: number;
  /** How long nothing has come, in milliseconds. */
  readonly quietMs: number;
  /** Says that the way to the caller was seen to be open: it is waited for a little longer. */
  reassure(): void;
  /** The next frame, or how the caller ended it. Throws `PeerLostError` or `ProtocolError`. */
  read(): Promise<Frame | Goodbye>;
  /** Hangs up: says why, where the mode has words for it, and closes. Wakes a `read` that waits. Safe twice. */
  hangUp(reason: string): Promise<void>;
}

/** The terms on which a caller is listened to. */
export interface OfferOptions extends WireOptions {
  /** The rate that its frames are held to, in place of the one it announces. */
  readonly limitFps?: number;
}

/**
 * Waits for the first words of a caller. Resolves to `null` when it leaves without any. `fps` is the rate assumed of a
 * caller that announces none. Throws `PeerLostError`; `ProtocolError` after the caller was told, where it can be.
 */
export async function readOffer(
  connection: Connection,
  fps: number,
  options: OfferOptions = {},
): Promise<Offer | null> {
  const wire = new Wire(connection, options);
  try {
    return await readFirst(wire, fps, options.limitFps);
  } catch (error) {
    if (error instanceof ProtocolError) {
      await wire.writeMessage(encodeAnswer({ accept: false, reason: error.message })).catch(
        () => {},
      );
      await wire.finish();
    }
    wire.close();
    throw error;
  }
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
    const first = { data, captureUs: nowUs() };
    return {
      mode: "plain",
      format: plain,
      name: "",
      accept: (): Promise<Receiver> =>
        Promise.resolve(new PlainReceiver(wire, plain, first, limitFps)),
      refuse: (): Promise<void> => wire.finish(),
    };
  }
  if (length === 0 || length > MAX_PICKLE_BYTES) {
    throw new ProtocolError(
      guessLength(length) ??
        `a first message of ${length} bytes is neither a frame of ${plainBytes} nor a hello`,
    );
  }
  // The first byte tells a hello from a pickle, and so how long the message may be, before there is room made for it.
  const kind = new Uint8Array(1);
  await wire.read(kind);
  if (kind[0] === PICKLE_START) {
    const picture = decodePickle(await readRest(wire, kind, length));
    const { width, height, data } = picture;
    const first = { data, captureUs: nowUs() };
    const format: VideoFormat = { codec: "raw", width, height, fps };
    return {
      mode: "pickle",
      format,
      name: "",
      accept: (): Promise<Receiver> =>
        Promise.resolve(new PickleReceiver(wire, format, first, limitFps)),
      refuse: (): Promise<void> => wire.finish(),
    };
  }
  if (kind[0] !== KIND.hello || length > MAX_HELLO_BYTES) {
    throw new ProtocolError(
      kind[0] === KIND.hello
        ? `a hello of ${length} bytes is too long: at most ${MAX_HELLO_BYTES}`
        : guessFirst(length, kind[0]!) ??
          `a first message of ${length} bytes is neither a frame of ${plainBytes} nor a hello`,
    );
  }
  const hello = await readRest(wire, kind, length);
  const heardUs = nowUs();
  if (!isHello(hello)) {
    throw new ProtocolError(`the first ${length} bytes are no hello of Chamada's`);
  }
  const { name, video, clockUs } = decodeHello(hello);
  const sharesClock = clockUs !== undefined;
  return {
    mode: "call",
    format: video,
    name,
    async accept(name = ""): Promise<Receiver> {
      try {
        await wire.writeMessage(encodeAnswer({
          accept: true,
          ...(name ? { name } : {}),
          ...(sharesClock ? { clock: { heardUs, answeredUs: nowUs() } } : {}),
        }));
      } catch (error) {
        wire.close();
        throw error;
      }
      return new CallReceiver(wire, video, sharesClock, limitFps);
    },
    async refuse(reason: string): Promise<void> {
      await wire.writeMessage(encodeAnswer({ accept: false, reason })).catch(() => {});
      await wire.finish();
    },
  };
}

/** The whole of a message of which the first byte was read. */
async function readRest(wire: Wire, first: Uint8Array, length: number): Promise<Uint8Array> {
  const message = new Uint8Array(length);
  message.set(first);
  if (length > first.length) await wire.read(message.subarray(first.length));
  return message;
}

/** What every call is that was taken, whatever its caller speaks. */
abstract class WireReceiver implements Receiver {
  abstract readonly stamps: "capture" | "arrival";
  readonly sharesClock: boolean = false;
  readonly format: VideoFormat;
  protected readonly wire: Wire;
  protected readonly limit: RateLimit;

  constructor(wire: Wire, format: VideoFormat, limitFps: number) {
    this.wire = wire;
    this.format = format;
    this.limit = new RateLimit(limitFps, performance.now());
    wire.enterCall();
  }

  get receivedBytes(): number {
    return this.wire.receivedBytes;
  }

  get quietMs(): number {
    return this.wire.quietMs;
  }

  reassure(): void {
    this.wire.reassure();
  }

  abstract readonly lost: number;
  abstract read(): Promise<Frame | Goodbye>;
  abstract hangUp(reason: string): Promise<void>;
}

/** A picture and when it came, in microseconds: all that there is in modes without headers. */
type Picture = Pick<Frame, "data" | "captureUs" | "lease">;

/** Pictures that carry no time and no number; the end of the stream between two of them is a hang-up. */
abstract class PictureReceiver extends WireReceiver {
  readonly stamps = "arrival";
  readonly lost = 0;
  #first: Picture | undefined;
  #sequence = 0;

  constructor(wire: Wire, format: VideoFormat, first: Picture, limitFps = UNANNOUNCED_FPS) {
    super(wire, format, limitFps);
    this.#first = first;
  }

  override async read(): Promise<Frame | Goodbye> {
    const picture = this.#first ?? await this.next();
    this.#first = undefined;
    if (picture === null) return { reason: "" };
    this.limit.count(performance.now());
    return { ...picture, sequence: this.#sequence++, keyframe: true };
  }

  /** The picture in the next message, or `null` at the end of the stream. */
  protected abstract next(): Promise<Picture | null>;

  override hangUp(): Promise<void> {
    return this.wire.finish();
  }
}

/** Frames of bgr24 and nothing else. */
class PlainReceiver extends PictureReceiver {
  readonly #bytes = rawFrameBytes(this.format);
  readonly #pool = new FramePool(this.#bytes + LENGTH_BYTES);

  protected override async next(): Promise<Picture | null> {
    const length = await this.wire.readLength();
    if (length === null) return null;
    if (length !== this.#bytes) {
      throw new ProtocolError(`a message of ${length} bytes is not a frame of ${this.#bytes}`);
    }
    const memory = this.#pool.take();
    const data = await this.wire.readPayload(length, memory);
    return { data, captureUs: nowUs(), lease: this.#pool.lease(memory) };
  }
}

/** Pickled arrays, as the report's client sends them, all of one size. */
class PickleReceiver extends PictureReceiver {
  protected override async next(): Promise<Picture | null> {
    const message = await this.wire.readMessage(MAX_PICKLE_BYTES);
    if (message === null) return null;
    const { width, height, data } = decodePickle(message);
    if (width !== this.format.width || height !== this.format.height) {
      throw new ProtocolError(
        `the size changed from ${this.format.width}x${this.format.height} to ${width}x${height}`,
      );
    }
    return { data, captureUs: nowUs() };
  }
}

/** Typed messages: video in, acks out. */
class CallReceiver extends WireReceiver {
  readonly stamps = "capture";
  override readonly sharesClock: boolean;
  readonly #maxBytes: number;
  /** Raw frames are all of one size. */
  readonly #pool: FramePool | undefined;
  readonly #acks = new NewestFrame<number>();
  readonly #acking: Promise<void>;
  #nextSequence: number | undefined;
  #broken: boolean;
  #brokenMs = performance.now();
  #missing = 0;
  #torn = 0;
  #hangingUp: Promise<void> | undefined;

  constructor(wire: Wire, format: VideoFormat, sharesClock: boolean, limitFps = format.fps) {
    super(wire, format, limitFps);
    this.sharesClock = sharesClock;
    const frameBytes = VIDEO_HEADER_BYTES + maxFrameBytes(format);
    this.#maxBytes = Math.max(frameBytes, MAX_HELLO_BYTES);
    if (format.codec === "raw") this.#pool = new FramePool(frameBytes + LENGTH_BYTES);
    // The first frame has to stand alone, too.
    this.#broken = isInterCoded(format.codec);
    this.#acking = this.#writeAcks();
  }

  override get lost(): number {
    return this.#missing + this.#torn;
  }

  override async read(): Promise<Frame | Goodbye> {
    while (true) {
      const memory = this.#pool?.take();
      const message = await this.wire.readMessage(this.#maxBytes, memory);
      if (message === null) throw new PeerLostError("no-bye");
      switch (message[0]) {
        case KIND.video: {
          const frame = decodeVideo(message, this.format);
          this.limit.count(performance.now());
          this.#acks.push(frame.sequence);
          if (this.#isWhole(frame)) {
            return memory ? { ...frame, lease: this.#pool!.lease(memory) } : frame;
          }
          break;
        }
        case KIND.bye:
          if (message.length > MAX_HELLO_BYTES) {
            throw new ProtocolError(`a goodbye of ${message.length} bytes is too long`);
          }
          return { reason: decodeBye(message) };
        default:
          throw new ProtocolError(misplaced(message));
      }
    }
  }

  /** Whether a frame can be shown: one that needs a frame that was dropped would be a torn picture. */
  #isWhole(frame: Frame): boolean {
    const ahead = frame.sequence - (this.#nextSequence ?? frame.sequence);
    this.#nextSequence = frame.sequence + 1;
    // The numbers are the caller's own: more than it can have sent is not missing.
    const most = this.limit.most(performance.now());
    this.#missing = Math.min(this.#missing + Math.max(ahead, 0), most);
    const torn = this.#broken || (ahead !== 0 && isInterCoded(this.format.codec));
    const broken = torn && !frame.keyframe;
    const nowMs = performance.now();
    if (broken && !this.#broken) this.#brokenMs = nowMs;
    this.#broken = broken;
    if (!broken) return true;
    this.#torn++;
    if (nowMs - this.#brokenMs >= KEYFRAME_MS) {
      throw new ProtocolError(`no keyframe came for ${KEYFRAME_MS / 1000} s`);
    }
    return false;
  }

  override hangUp(reason: string): Promise<void> {
    return this.#hangingUp ??= (async (): Promise<void> => {
      this.#acks.close();
      // A caller that reads nothing keeps our last words from leaving; it is not waited for.
      const timer = setTimeout(() => this.wire.close(), FAREWELL_MS);
      await this.#acking;
      await this.wire.writeMessage(encodeBye(reason)).catch(() => {});
      clearTimeout(timer);
      await this.wire.finish();
    })();
  }

  /**
   * An ack says that everything up to it has arrived: where the caller reads slowly, or sends faster than any camera, the
   * newest one is enough.
   */
  async #writeAcks(): Promise<void> {
    let sequence: number | undefined;
    let lastMs = 0;
    while ((sequence = await this.#acks.take()) !== undefined) {
      try {
        await this.wire.writeMessage(encodeAck(sequence));
      } catch {
        return; // The same loss reaches whoever reads.
      }
      const nowMs = performance.now();
      if (nowMs - lastMs < ACKS_APART_MS) await pause(ACKS_APART_MS);
      lastMs = nowMs;
    }
  }
}
