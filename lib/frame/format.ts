/**
 * The formats of frames: those of pictures and of sound, the limits of each, and the byte counts
 * that follow from them. Pure.
 */

/** The encoding of a frame's bytes: bgr24 rows from the top, one JPEG, or one H.264 access unit. */
export type Codec = "raw" | "mjpeg" | "h264";

/** Every codec, in the order in which they are listed. */
export const CODECS: readonly Codec[] = ["raw", "mjpeg", "h264"];

/** The size of a picture in pixels, and frames per second (any positive number, 29.97 too). */
export interface VideoFormat {
  /** Tells pictures from sound. */
  readonly kind: "video";
  /** The encoding of a frame's bytes. */
  readonly codec: Codec;
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
}

/**
 * The format of the report, and of a caller that asks for nothing else: 320 x 240 at 20 frames a
 * second.
 */
export const DEFAULT_FORMAT: VideoFormat = {
  kind: "video",
  codec: "raw",
  width: 320,
  height: 240,
  fps: 20,
};

/** The encoding of sound: signed 16-bit samples, little-endian, or packets of Opus. */
export type SoundCodec = "pcm" | "opus";

/** Every codec of sound, in the order in which they are listed. */
export const SOUND_CODECS: readonly SoundCodec[] = ["pcm", "opus"];

/** Sound of one channel, in frames of 10 ms. */
export interface SoundFormat {
  /** Tells sound from pictures. */
  readonly kind: "sound";
  /** The encoding of a frame's bytes. */
  readonly codec: SoundCodec;
  /** Samples a second. */
  readonly rate: 48000;
  /** One channel: a voice. */
  readonly channels: 1;
}

/** The format of a stream. */
export type Format = VideoFormat | SoundFormat;

/** Sound as it is: what microphones give and loudspeakers take. */
export const PCM: SoundFormat = { kind: "sound", codec: "pcm", rate: 48000, channels: 1 };

/** Sound for a link that has no room for PCM. */
export const OPUS: SoundFormat = { ...PCM, codec: "opus" };

/**
 * The milliseconds of a frame of sound. With 10 ms it takes 56 to 72 ms from mouth to ear over
 * loopback, with 20 ms more than 100 (measured).
 */
export const SOUND_FRAME_MS = 10;

/** Frames of sound a second. */
export const SOUND_FPS: number = 1000 / SOUND_FRAME_MS;

/** Samples of a frame of sound. */
export const SOUND_FRAME_SAMPLES: number = PCM.rate / SOUND_FPS;

/** Bytes of a frame of PCM. */
export const PCM_FRAME_BYTES: number = SOUND_FRAME_SAMPLES * 2;

/** The most bytes of a packet of Opus (RFC 6716, section 3.4). */
export const MAX_OPUS_BYTES = 1275;

/**
 * The least and the most that a call may ask for (width and height in pixels, frames per second).
 */
export const FORMAT_LIMITS = {
  minWidth: 16,
  minHeight: 16,
  maxWidth: 3840,
  maxHeight: 2160,
  minFps: 1,
  maxFps: 120,
} as const;

/** A rate in the manner of files and ffmpeg: so many frames in so many seconds. */
export interface Rate {
  /** Frames, a whole number. */
  readonly frames: number;
  /** The seconds that they take, a whole number. */
  readonly seconds: number;
}

/** The largest number in a rate: MPEG-4 has 16 bits for it. */
const MAX_RATE_FRAMES = 65535;

/**
 * The nearest rate that every file can say, at most 1/131,070 off: 20 is 20/1, 29.97 is 2997/100.
 * Each program rounds a decimal number in its own way, and a long recording becomes too long or too
 * short.
 */
export function nearestRate(fps: number): Rate {
  let nearest: Rate = { frames: Math.round(fps), seconds: 1 };
  let least = Infinity;
  for (let seconds = 1; least > 0 && Math.round(fps * seconds) <= MAX_RATE_FRAMES; seconds++) {
    const frames = Math.round(fps * seconds);
    const off = Math.abs(frames / seconds - fps);
    if (off >= least) continue;
    least = off;
    nearest = { frames, seconds };
  }
  return nearest;
}

/** Bytes of one uncompressed bgr24 picture of this format. */
export function rawFrameBytes(format: { readonly width: number; readonly height: number }): number {
  return format.width * format.height * 3;
}

/**
 * The most bytes that one frame of this format may take on the wire. A compressed picture that is
 * larger than the uncompressed one is no compression. The 4 KiB are for the headers of very small
 * pictures.
 */
export function maxFrameBytes(format: Format): number {
  if (format.kind === "sound") return format.codec === "pcm" ? PCM_FRAME_BYTES : MAX_OPUS_BYTES;
  return format.codec === "raw" ? rawFrameBytes(format) : rawFrameBytes(format) + 4096;
}

/** Pixels by which the sides of a picture may grow in a decoder, which works in blocks. */
const BLOCKS = 128;

/**
 * The most pixels that an encoded frame of this format may unfold to. A few bytes can claim to be a
 * picture of gigabytes, and a decoder believes them unless it has a limit.
 */
export function maxDecodedPixels({ width, height }: VideoFormat): number {
  return (width + BLOCKS) * (height + BLOCKS);
}

/**
 * True if frames of this codec need those before them. A dropped frame spoils the next ones, up to
 * a keyframe.
 */
export function isInterCoded(codec: Format["codec"]): boolean {
  return codec === "h264";
}

/**
 * The problem of a format that somebody asks for, in English, or `undefined` if the format may be
 * had.
 */
export function formatProblem(format: VideoFormat): string | undefined {
  const { width, height, fps } = format;
  const limits = FORMAT_LIMITS;
  if (
    !Number.isInteger(width) || !Number.isInteger(height) ||
    width < limits.minWidth || width > limits.maxWidth ||
    height < limits.minHeight || height > limits.maxHeight
  ) {
    return `a picture of ${width}x${height} is outside ${limits.minWidth}x${limits.minHeight} to ` +
      `${limits.maxWidth}x${limits.maxHeight}`;
  }
  if (!Number.isFinite(fps) || fps < limits.minFps || fps > limits.maxFps) {
    return `${fps} frames a second is outside ${limits.minFps} to ${limits.maxFps}`;
  }
  return undefined;
}
