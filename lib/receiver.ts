/**
 * The receiving end of the wire: finds out from the first payload what a caller speaks, answers it, and gives its frames
 * whichever way they came. It knows nothing of windows, files or Deno.
 */

import { PeerLostError, ProtocolError } from "./errors.ts";
import {
  DEFAULT_FORMAT,
  type Frame,
  maxFrameBytes,
  rawFrameBytes,
  type VideoFormat,
} from "./frame.ts";
import { nowUs } from "./clock.ts";
import { NewestFrame } from "./mailbox.ts";
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
  VIDEO_HEADER_BYTES,
} from "./session.ts";
import { type Connection, Wire, type WireOptions } from "./wire.ts";

/** What a peer speaks. */
export type WireMode = "plain" | "call";

/** How the frames of a caller ended, where they did not end in an error. */
export interface Goodbye {
  /** Its reason, as it said it; nothing in modes that have no goodbye but the end of the stream. */
  readonly reason: string;
}

/** A caller that has said what it wants and waits for an answer. */
export interface Offer {
  readonly mode: WireMode;
  /** What it will send. A `plain` caller announces no rate: the format then has the one that was handed in. */
  readonly format: VideoFormat;
  /** What it calls itself, if it does. */
  readonly name: string;
  /** Takes the call. */
  accept(): Promise<Receiver>;
  /** Says no and why, then lets go. */
  refuse(reason: string): Promise<void>;
}

/** A call that is taken. */
export interface Receiver {
  readonly format: VideoFormat;
  /** Whether the frames' times are those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
  /** Bytes received so far. */
  readonly receivedBytes: number;
  /** The next frame, or how the caller ended it. Throws `PeerLostError` or `ProtocolError`. */
  read(): Promise<Frame | Goodbye>;
  /** Hangs up: says why, where the mode has words for it, and closes. Wakes a `read` that waits. Safe twice. */
  hangUp(reason: string): Promise<void>;
}

/**
 * Waits for the first words of a caller. Resolves to `null` when it leaves without any. `fps` is the rate assumed of a
 * caller that announces none. Throws `PeerLostError`; `ProtocolError` after the caller was told, where it can be.
 */
export async function readOffer(
  connection: Connection,
  fps: number,
  options: WireOptions = {},
): Promise<Offer | null> {
  const wire = new Wire(connection, options);
  try {
    return await readFirst(wire, fps);
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

async function readFirst(wire: Wire, fps: number): Promise<Offer | null> {
  const plain = { ...DEFAULT_FORMAT, fps };
  const plainBytes = rawFrameBytes(plain);
  const length = await wire.readLength();
  if (length === null) {
    wire.close();
    return null;
  }
  if (length === plainBytes) {
    const first = new Uint8Array(plainBytes);
    await wire.read(first);
    return {
      mode: "plain",
      format: plain,
      name: "",
      accept: (): Promise<Receiver> => Promise.resolve(new PlainReceiver(wire, plain, first)),
      refuse: (): Promise<void> => wire.finish(),
    };
  }
  if (length === 0 || length > MAX_HELLO_BYTES) {
    throw new ProtocolError(
      `a first message of ${length} bytes is neither a frame of ${plainBytes} nor a hello`,
    );
  }
  const hello = new Uint8Array(length);
  await wire.read(hello);
  if (!isHello(hello)) {
    throw new ProtocolError(`the first ${length} bytes are no hello of Chamada's`);
  }
  const { name, video } = decodeHello(hello);
  if (video.codec !== "raw") throw new ProtocolError(`the codec ${video.codec} is not spoken here`);
  return {
    mode: "call",
    format: video,
    name,
    async accept(): Promise<Receiver> {
      await wire.writeMessage(encodeAnswer({ accept: true }));
      return new CallReceiver(wire, video);
    },
    async refuse(reason: string): Promise<void> {
      await wire.writeMessage(encodeAnswer({ accept: false, reason })).catch(() => {});
      await wire.finish();
    },
  };
}

/** Frames of bgr24, one after the other; the end of the stream between two of them is a hang-up. */
class PlainReceiver implements Receiver {
  readonly stamps = "arrival";
  readonly format: VideoFormat;
  readonly #wire: Wire;
  #first: Uint8Array | undefined;
  #sequence = 0;

  constructor(wire: Wire, format: VideoFormat, first: Uint8Array) {
    this.#wire = wire;
    this.format = format;
    this.#first = first;
  }

  get receivedBytes(): number {
    return this.#wire.receivedBytes;
  }

  async read(): Promise<Frame | Goodbye> {
    const data = this.#first ?? await this.#next();
    this.#first = undefined;
    if (data === null) return { reason: "" };
    return { data, captureUs: nowUs(), sequence: this.#sequence++, keyframe: true };
  }

  async #next(): Promise<Uint8Array | null> {
    const length = await this.#wire.readLength();
    if (length === null) return null;
    const expected = rawFrameBytes(this.format);
    if (length !== expected) {
      throw new ProtocolError(`a message of ${length} bytes is not a frame of ${expected}`);
    }
    const data = new Uint8Array(expected);
    await this.#wire.read(data);
    return data;
  }

  hangUp(): Promise<void> {
    return this.#wire.finish();
  }
}

/** Typed messages: video in, acks out. */
class CallReceiver implements Receiver {
  readonly stamps = "capture";
  readonly format: VideoFormat;
  readonly #wire: Wire;
  readonly #maxBytes: number;
  readonly #acks = new NewestFrame<number>();
  readonly #acking: Promise<void>;
  #hangingUp: Promise<void> | undefined;

  constructor(wire: Wire, format: VideoFormat) {
    this.#wire = wire;
    this.format = format;
    this.#maxBytes = VIDEO_HEADER_BYTES + maxFrameBytes(format);
    this.#acking = this.#writeAcks();
  }

  get receivedBytes(): number {
    return this.#wire.receivedBytes;
  }

  async read(): Promise<Frame | Goodbye> {
    const message = await this.#wire.readMessage(this.#maxBytes);
    if (message === null) throw new PeerLostError("no-bye");
    switch (message[0]) {
      case KIND.video: {
        const frame = decodeVideo(message, this.format);
        this.#acks.push(frame.sequence);
        return frame;
      }
      case KIND.bye:
        return { reason: decodeBye(message) };
      default:
        throw new ProtocolError(`a message of kind ${message[0]} has no place here`);
    }
  }

  hangUp(reason: string): Promise<void> {
    return this.#hangingUp ??= (async (): Promise<void> => {
      this.#acks.close();
      await this.#acking;
      await this.#wire.writeMessage(encodeBye(reason)).catch(() => {});
      await this.#wire.finish();
    })();
  }

  /** An ack says that everything up to it has arrived: where the caller reads slowly, the newest one is enough. */
  async #writeAcks(): Promise<void> {
    let sequence: number | undefined;
    while ((sequence = await this.#acks.take()) !== undefined) {
      try {
        await this.#wire.writeMessage(encodeAck(sequence));
      } catch {
        return; // The same loss reaches whoever reads.
      }
    }
  }
}
