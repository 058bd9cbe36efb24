/**
 * Frames for an ffmpeg or an ffplay of ours: a live Matroska, the plainest container that takes
 * every codec of a call, pictures and sound, and the time of each frame. An ffplay with a bare
 * stream shows a picture only when the next one begins (168 ms at 20 frames a second with H.264,
 * measured).
 *
 * ```
 *  EBML header   Segment (of unknown size) ─┬─ Info: a tick is 100 µs
 *                                           ├─ Tracks: a track for each format, from number 1
 *                                           ├─ Cluster (of unknown size): its time, then blocks
 *                                           ├─ Cluster …
 *  block  A3 size track:u8 ticks since the cluster's time:i16 80 frame
 * ```
 *
 * A cluster lasts 2 s at most: the time of a block is a small number. Sizes and numbers are
 * big-endian. Pure.
 */

import { concat } from "@std/bytes/concat";
import type { Format } from "../frame/format.ts";

/** Microseconds of a tick: times are rounded to it. */
const TICK_US = 100;

/** Ticks of a cluster. Those of a block since its cluster's beginning have 16 bits with a sign. */
const CLUSTER_TICKS = 20_000;

/** A size that is not known yet, in a field of one byte. */
const UNKNOWN_SIZE = 0xff;

/** The flags of a block whose frame can be shown without those before it. */
const KEYFRAME = 0x80;

/** The names of the codecs. Raw pictures and raw sound need a few words more. */
const CODEC_IDS: Readonly<Record<Format["codec"], string>> = {
  raw: "V_UNCOMPRESSED",
  mjpeg: "V_MJPEG",
  h264: "V_MPEG4/ISO/AVC",
  pcm: "A_PCM/INT/LIT",
  opus: "A_OPUS",
};

/**
 * The head of an Opus stream (RFC 7845, section 5.1): version 1, one channel, no samples to skip,
 * 48000 samples a second, no gain.
 */
const OPUS_HEAD = new Uint8Array([
  ...new TextEncoder().encode("OpusHead"),
  ...[1, 1, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0],
]);

/** The names of the parts, as the format numbers them. */
const ID = {
  ebml: 0x1a45dfa3,
  docType: 0x4282,
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  tracks: 0x1654ae6b,
  entry: 0xae,
  number: 0xd7,
  uid: 0x73c5,
  type: 0x83,
  lacing: 0x9c,
  defaultDuration: 0x23e383,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  video: 0xe0,
  width: 0xb0,
  height: 0xba,
  colourSpace: 0x2eb524,
  sound: 0xe1,
  samplingFrequency: 0xb5,
  channels: 0x9f,
  bitDepth: 0x6264,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
} as const;

/** Writes a live Matroska. The tracks are numbered as the formats are, from 0. */
export class MatroskaWriter {
  readonly #formats: readonly Format[];
  #clusterTick: number | undefined;

  /** A container for these formats. */
  constructor(formats: readonly Format[]) {
    this.#formats = formats;
  }

  /** The bytes before the first frame. */
  header(): Uint8Array {
    return concat([
      part(ID.ebml, part(ID.docType, text("matroska"))),
      bytesOf(ID.segment),
      new Uint8Array([UNKNOWN_SIZE]),
      part(ID.info, part(ID.timestampScale, number(TICK_US * 1000))),
      part(ID.tracks, ...this.#formats.map(entry)),
    ]);
  }

  /**
   * The bytes before the data of a frame of that many bytes. `timeUs` is its time in microseconds
   * from the beginning. Frames may come a little out of their order.
   */
  frameHeader(
    track: number,
    bytes: number,
    timeUs: number,
    { keyframe = true }: { readonly keyframe?: boolean } = {},
  ): Uint8Array {
    const tick = Math.max(Math.round(timeUs / TICK_US), 0);
    const begins = this.#clusterTick === undefined ||
      Math.abs(tick - this.#clusterTick) >= CLUSTER_TICKS;
    if (begins) this.#clusterTick = tick;
    const block = new Uint8Array(4);
    block[0] = 0x80 | (track + 1);
    new DataView(block.buffer).setInt16(1, tick - this.#clusterTick!);
    block[3] = keyframe ? KEYFRAME : 0;
    return concat([
      ...(begins
        ? [
          bytesOf(ID.cluster),
          new Uint8Array([UNKNOWN_SIZE]),
          part(ID.timestamp, number(tick)),
        ]
        : []),
      ...[bytesOf(ID.simpleBlock), size(block.length + bytes), block],
    ]);
  }
}

/** The description of a track. */
function entry(format: Format, index: number): Uint8Array {
  const isVideo = format.kind === "video";
  const common = [
    ...[part(ID.number, number(index + 1)), part(ID.uid, number(index + 1))],
    ...[part(ID.type, number(isVideo ? 1 : 2)), part(ID.lacing, number(0))],
    part(ID.codecId, text(CODEC_IDS[format.codec])),
    ...(format.codec === "opus" ? [part(ID.codecPrivate, OPUS_HEAD)] : []),
  ];
  if (isVideo) {
    const { width, height, codec, fps } = format;
    // A name of four characters in ffmpeg's list of pixel formats: bgr24 here.
    const colours = codec === "raw" ? [part(ID.colourSpace, text("BGR\x18"))] : [];
    const picture = [part(ID.width, number(width)), part(ID.height, number(height)), ...colours];
    // It tells how long the last picture lasts, in nanoseconds.
    const duration = part(ID.defaultDuration, number(Math.round(1e9 / fps)));
    return part(ID.entry, ...common, duration, part(ID.video, ...picture));
  }
  const { rate, channels, codec } = format;
  const depth = codec === "pcm" ? [part(ID.bitDepth, number(16))] : [];
  const sound = [part(ID.samplingFrequency, float(rate)), part(ID.channels, number(channels))];
  return part(ID.entry, ...common, part(ID.sound, ...sound, ...depth));
}

/** A part: its name, its size, and what is in it. */
function part(id: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, one) => sum + one.length, 0);
  return concat([bytesOf(id), size(length), ...content]);
}

/** A size in four bytes, the first of which says so. */
function size(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, 0x10000000 | length);
  return bytes;
}

/** A whole number in as few bytes as it takes, one at least. */
function bytesOf(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length === 0; rest = Math.floor(rest / 256)) {
    bytes.unshift(rest % 256);
  }
  return new Uint8Array(bytes);
}

const number = bytesOf;

function float(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value);
  return bytes;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
