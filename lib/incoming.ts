/**
 * All that a peer gives: its streams become one picture and one sound, fit for a window, a
 * loudspeaker and a recording. These do not change during a call, and the peer's codec may.
 *
 * ```
 *  line ─┬─ a peer with one picture stream ─────────────────────► picture, in its codec
 *        ├─ several: raw ───────────────────────────────────────► picture, raw
 *        ├─ several: encoded ─► transcoder ─────────────────────► picture, raw
 *        ├─ pcm ────────────────────────────────────────────────► sound, PCM
 *        └─ opus ─► transcoder ─────────────────────────────────► sound, PCM
 * ```
 *
 * A transcoder takes a while to start. One whose stream the peer has left stays open for some
 * seconds, in case that the peer comes back.
 */

import { type Format, PCM, type SoundFormat, type VideoFormat } from "./frame/format.ts";
import type { Frame } from "./frame/frame.ts";
import { type OpenTranscoder, type TranscoderFailure, Transcoders } from "./transcoders.ts";
import type { Peer } from "./wire/line.ts";

/** Milliseconds that a transcoder waits for the next frame while another stream gives frames. */
const IDLE_MS = 10_000;

/** The listeners, and the way to open transcoders. */
export interface IncomingOptions {
  /** Opens a transcoder. */
  readonly openTranscoder: OpenTranscoder;
  /** Hears that a transcoder has failed. */
  readonly onTranscoderFailed?: (failure: TranscoderFailure) => void;
  /** Hears of each picture. A frame that is to be kept has to be held. */
  readonly onPicture: (frame: Frame) => void;
  /** Hears of each frame of sound. */
  readonly onSound: (frame: Frame) => void;
}

/** The picture and the sound of a peer. */
export class Incoming implements AsyncDisposable {
  /** The format of its picture. Nothing if it sends none. */
  readonly picture: VideoFormat | undefined;
  /** The format of its sound. Nothing if it sends none. */
  readonly sound: SoundFormat | undefined;
  readonly #streams: Peer["streams"];
  readonly #options: IncomingOptions;
  readonly #transcoders: Transcoders;
  /** The newest stream of each kind, and the one whose frames are given. */
  readonly #newest = new Map<Format["kind"], number>();
  readonly #given = new Map<Format["kind"], number>();

  /** Prepares for the streams of a peer. */
  constructor({ streams, format, sound }: Peer, options: IncomingOptions) {
    const several = streams.filter((stream) => stream?.kind === "video").length > 1;
    this.picture = format && several ? { ...format, codec: "raw" } : format;
    this.sound = sound && PCM;
    this.#streams = streams;
    this.#options = options;
    this.#transcoders = new Transcoders({
      open: options.openTranscoder,
      onFrame: (frame, stream): void => this.#give(frame, stream, streams[stream]!.kind),
      onFailed: options.onTranscoderFailed,
    });
    // The peer begins with its first stream, as a rule.
    const first = streams.findIndex((stream) => stream?.kind === "video");
    if (several && format!.codec !== "raw") {
      this.#transcoders.prepare(first, format!, this.picture!);
    }
  }

  /** Takes a frame of one of the peer's streams. Never waits, never throws. */
  push(frame: Frame): void {
    const from = this.#streams[frame.stream];
    if (from === undefined) return;
    this.#newest.set(from.kind, frame.stream);
    const to = from.kind === "video" ? this.picture! : PCM;
    if (from.codec === to.codec) this.#give(frame, frame.stream, from.kind);
    else this.#transcoders.push(frame, frame.stream, from, to);
  }

  /** Closes the transcoders. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transcoders[Symbol.asyncDispose]();
  }

  /**
   * Gives a frame, unless the peer has gone over to another stream that gives frames already.
   * Closes what that peer has left.
   */
  #give(frame: Frame, stream: number, kind: Format["kind"]): void {
    if (this.#given.get(kind) !== stream) {
      if (this.#newest.get(kind) !== stream) return;
      this.#given.set(kind, stream);
    }
    for (const other of this.#transcoders.idleFor(IDLE_MS)) {
      if (other !== stream && this.#streams[other]!.kind === kind) this.#transcoders.close(other);
    }
    if (kind === "video") this.#options.onPicture(frame);
    else this.#options.onSound(frame);
  }
}
