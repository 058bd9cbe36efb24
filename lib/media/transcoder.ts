/**
 * Frames out of one codec into another: an ffmpeg of ours that is fed and feeds. Each frame that
 * comes out has the capture time of the one that went in.
 *
 * ```
 *  push ─► box (newest wins) ─► Matroska ─► ffmpeg ─► frames
 *                                             └─► stderr: the number of each frame
 * ```
 *
 * ffmpeg makes nothing of a frame that is broken. It therefore says the number of each frame that it
 * decodes: its time in the container is its number. PCM cannot be broken. It is told by its order: a
 * frame in, a packet out.
 */

import { nowUs } from "../clock.ts";
import {
  type Format,
  isInterCoded,
  maxDecodedPixels,
  maxFrameBytes,
  PCM_FRAME_BYTES,
  rawFrameBytes,
  SOUND_FPS,
  SOUND_FRAME_MS,
  SOUND_FRAME_SAMPLES,
  type VideoFormat,
} from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { FrameQueue, NewestFrame } from "../frame/mailbox.ts";
import { FramePool, type Lease } from "../frame/pool.ts";
import type { Sink } from "../frame/sink.ts";
import type { Source } from "../frame/source.ts";
import { AviReader } from "./avi.ts";
import { type Child, type ChildWatch, openChild } from "./child.ts";
import { codingArguments } from "./conversion.ts";
import { hasIdr } from "./h264.ts";
import { isMeasured } from "./input.ts";
import { MatroskaWriter } from "./matroska.ts";

/** Seconds that pictures may wait for ffmpeg. Then all of them are dropped. */
const WAITING_SECONDS = 0.4;

/** The frames of sound that may wait for ffmpeg: 200 ms. */
const MAX_SOUNDS = 20;

/**
 * Bytes of a packet of Opus that ffmpeg makes: 32 kbit/s, all of one size. A container would add 10
 * to 440 ms (measured); packets of one size need none.
 */
const OPUS_PACKET_BYTES = 40;

/**
 * The filter for decoded sound. It says the number of each frame of 10 ms, and leaves out all others:
 * a packet may unfold to 120 ms, and would make late all that follow.
 */
const WHOLE_FRAMES =
  `aselect='if(eq(samples_n,${SOUND_FRAME_SAMPLES}),1+0*print(round(t*${SOUND_FPS}),32),0)'`;

/**
 * The frames that may be inside ffmpeg: far more than its pipes hold, which is some 1000 packets of
 * Opus. More of them are broken ones that never come out.
 */
const MAX_INSIDE = 4096;

/** The frames to change, and the listeners. */
export interface TranscoderOptions {
  /** The format of the frames that are pushed. */
  readonly from: Format;
  /** The format of the frames that come out, of the same kind. */
  readonly to: Format;
  /** Hears what its ffmpeg does. */
  readonly watch?: ChildWatch | undefined;
  /** Hears once that ffmpeg has failed. Nothing comes out any more. */
  readonly onFailed?: ((detail: string) => void) | undefined;
}

/** Arguments of ffmpeg for this change. */
export function transcoderArguments({ from, to }: TranscoderOptions): string[] {
  const start = ["-hide_banner", "-nostats", "-loglevel", "level+info"];
  // Each further thread of a decoder would hold a frame back.
  const input = [
    "-probesize",
    "32",
    "-analyzeduration",
    "0",
    "-threads",
    "1",
    "-flags",
    "low_delay",
  ];
  const container = ["-f", "matroska", "-i", "pipe:0"];
  if (from.kind === "video") {
    const guard = from.codec === "raw" ? [] : ["-max_pixels", `${maxDecodedPixels(from)}`];
    return [...start, ...input, ...guard, ...container, ...codingArguments(to as VideoFormat)];
  }
  const output = to.codec === "opus"
    ? [
      ...["-c:a", "libopus", "-application", "lowdelay", "-frame_duration", `${SOUND_FRAME_MS}`],
      ...["-b:a", "32k", "-vbr", "off", "-f", "data"],
    ]
    : ["-af", WHOLE_FRAMES, "-ac", "1", "-ar", "48000", "-f", "s16le"];
  return [
    ...start,
    ...input,
    ...container,
    "-map",
    "0:a",
    ...output,
    "-flush_packets",
    "1",
    "pipe:1",
  ];
}

/** Opens a transcoder. Throws `NotInstalledError` if there is no ffmpeg. */
export function openTranscoder(options: TranscoderOptions): Transcoder {
  return new Transcoder(options);
}

/** Frames that wait for ffmpeg. */
interface Box {
  push(frame: Frame): void;
  take(): Promise<Frame | undefined>;
  close(): void;
}

/** The facts about a frame that is inside ffmpeg. */
interface Inside {
  readonly number: number;
  readonly captureUs: number;
}

/** A frame as it comes out of ffmpeg. */
interface Made {
  readonly data: Uint8Array;
  readonly lease?: Lease;
}

/** A sink and a source: what is pushed comes out in another codec. */
export class Transcoder implements Sink, Source {
  readonly #options: TranscoderOptions;
  readonly #child: Child;
  readonly #box: Box;
  readonly #writer: MatroskaWriter;
  readonly #inside: Inside[] = [];
  readonly #numbers = new FrameQueue<number>(Infinity, MAX_INSIDE);
  readonly #feeding: Promise<void>;
  #closing = false;
  #over = false;

  /** Starts an ffmpeg. Throws `NotInstalledError` if there is none. */
  constructor(options: TranscoderOptions) {
    this.#options = options;
    const { from, watch } = options;
    this.#box = from.kind === "video"
      ? new NewestFrame<Frame>({
        // While ffmpeg starts, no picture is left out: a recording may want each of them.
        room: Math.max(Math.ceil(from.fps * WAITING_SECONDS), 2),
        standsAlone: ({ keyframe }) => keyframe,
        onDrop: ({ lease }) => lease?.letGo(),
      })
      : oldestGoes(MAX_SOUNDS);
    this.#writer = new MatroskaWriter([from]);
    this.#child = openChild({
      command: "ffmpeg",
      args: transcoderArguments(options),
      flow: "through",
      finishMs: 0,
      onLine: (line) => this.#hear(line),
      watch: watch && {
        started: (name, words) => watch.started(name, words),
        said: (name, line) => void (isMeasured(line) || watch.said(name, line)),
        ended: (name, code) => watch.ended(name, code),
      },
    });
    this.#feeding = this.#feed();
    this.#child.ended.then(({ code, lastLines }) => {
      this.#over = true;
      this.#box.close();
      this.#numbers.close();
      if (this.#closing) return;
      const words = lastLines.filter((line) => !isMeasured(line));
      options.onFailed?.(words.at(-1) ?? `ffmpeg ended with status ${code}`);
    });
  }

  /** Takes a frame, or drops it if ffmpeg does not keep up. */
  push(frame: Frame): void {
    if (this.#closing || this.#over) return;
    frame.lease?.hold();
    this.#box.push(frame);
  }

  /** The frames that come out, until it is closed or ffmpeg fails. To be called once. */
  async *frames(): AsyncGenerator<Frame, void, undefined> {
    const { to } = this.#options;
    const next = this.#reader();
    for (let sequence = 0;; sequence++) {
      const made = await next();
      if (made === null) return;
      const captureUs = await this.#captureOf();
      if (captureUs === undefined) return;
      const keyframe = !isInterCoded(to.codec) || hasIdr(made.data);
      yield { ...made, stream: 0, captureUs, sequence, keyframe };
    }
  }

  /** Ends its ffmpeg. Safe twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.#box.close();
    this.#numbers.close();
    await this.#child.stop();
    await this.#feeding;
  }

  async #feed(): Promise<void> {
    const { from } = this.#options;
    if (!await this.#child.write(this.#writer.header())) return;
    for (let number = 0;; number++) {
      const frame = await this.#box.take();
      if (frame === undefined) return;
      const { data, captureUs, keyframe } = frame;
      this.#inside.push({ number, captureUs });
      if (this.#inside.length > MAX_INSIDE) this.#inside.shift();
      const timeUs = from.kind === "video" ? number * NUMBER_US : number * SOUND_FRAME_MS * 1000;
      const header = this.#writer.frameHeader(0, data.length, timeUs, { keyframe });
      const written = await this.#child.write(header) && await this.#child.write(data);
      frame.lease?.letGo();
      if (!written) return;
    }
  }

  /** Hears the number of a frame that ffmpeg decodes. */
  #hear(line: string): void {
    if (isMeasured(line)) this.#numbers.push(Number(line.split(" ").at(-1)), 0);
  }

  /** The capture time of the frame that has just come out. Resolves to nothing at the end. */
  async #captureOf(): Promise<number | undefined> {
    if (this.#options.from.codec === "pcm") return this.#inside.shift()?.captureUs ?? nowUs();
    const number = await this.#numbers.take();
    if (number === undefined) return undefined;
    // What is before it was broken.
    while (this.#inside.length > 0 && this.#inside[0]!.number < number) this.#inside.shift();
    return this.#inside.shift()?.captureUs ?? nowUs();
  }

  #reader(): () => Promise<Made | null> {
    const { to } = this.#options;
    const child = this.#child;
    switch (to.codec) {
      case "raw": {
        const pool = new FramePool(rawFrameBytes(to));
        return async (): Promise<Made | null> => {
          const data = await child.read(pool.take());
          return data && { data, lease: pool.lease(data) };
        };
      }
      case "mjpeg":
      case "h264": {
        const avi = new AviReader((into) => child.read(into), maxFrameBytes(to));
        return async (): Promise<Made | null> => {
          const data = await avi.next();
          return data && { data };
        };
      }
      case "pcm":
      case "opus": {
        const bytes = to.codec === "pcm" ? PCM_FRAME_BYTES : OPUS_PACKET_BYTES;
        return async (): Promise<Made | null> => {
          const data = await child.read(new Uint8Array(bytes));
          return data && { data };
        };
      }
    }
  }
}

/** A box for frames that stand alone. The oldest is dropped if they are too many. */
function oldestGoes(room: number): Box {
  const queue = new FrameQueue<Frame>(Infinity, room);
  return {
    push(frame: Frame): void {
      if (queue.push(frame, 0)) return;
      void queue.take().then((oldest) => oldest?.lease?.letGo());
      queue.push(frame, 0);
    },
    take: () => queue.take(),
    close(): void {
      for (const frame of queue.abandon()) frame.lease?.letGo();
    },
  };
}

/** Microseconds between two pictures in the container: a tick. Their number is their time. */
const NUMBER_US = 100;
