/** What frames are: their codec, size and rate, what may be asked for, and what follows from it for their bytes. Pure. */

/** How the bytes of a frame are to be read: bgr24 rows from the top, one JPEG, or one H.264 access unit. */
export type Codec = "raw" | "mjpeg" | "h264";

/** Every codec, in the order in which they are told. */
export const CODECS: readonly Codec[] = ["raw", "mjpeg", "h264"];

/** Width and height in pixels, and frames per second (any positive number, 29.97 too). */
export interface VideoFormat {
  /** How the bytes of a frame are read. */
  readonly codec: Codec;
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
}

/** What the report sends and what a caller gets who asks for nothing else: 320 x 240 at 20 frames a second. */
export const DEFAULT_FORMAT: VideoFormat = { codec: "raw", width: 320, height: 240, fps: 20 };

/** The least and the most a call may ask for (width and height in pixels, frames per second). */
export const FORMAT_LIMITS = {
  minWidth: 16,
  minHeight: 16,
  maxWidth: 3840,
  maxHeight: 2160,
  minFps: 1,
  maxFps: 120,
} as const;

/** A rate as files and ffmpeg say it: so many frames in so many seconds. */
export interface Rate {
  /** Frames, a whole number. */
  readonly frames: number;
  /** The seconds that they take, a whole number. */
  readonly seconds: number;
}

/** The largest number in a rate: MPEG-4 has 16 bits for it. */
const MAX_RATE_FRAMES = 65535;

/**
 * The nearest rate that every file can say, at most 1/131,070 off: 20 is 20/1, 29.97 is 2997/100. A decimal number, which each
 * program rounds in its own way, makes a long recording too long or too short.
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
 * The most bytes one frame of this format may take on the wire. A compressed picture larger than the same picture
 * uncompressed would be no compression; the 4 KiB are for the headers of very small pictures.
 */
export function maxFrameBytes(format: VideoFormat): number {
  return format.codec === "raw" ? rawFrameBytes(format) : rawFrameBytes(format) + 4096;
}

/** By how much the sides of a picture may grow in a decoder, which works in blocks, in pixels. */
const BLOCKS = 128;

/**
 * The most pixels that an encoded frame of this format may unfold to: a few bytes can claim to be a picture of gigabytes, and
 * a decoder believes them unless it is told.
 */
export function maxDecodedPixels({ width, height }: VideoFormat): number {
  return (width + BLOCKS) * (height + BLOCKS);
}

/** Whether frames of this codec need those before them: dropping one spoils the next ones, up to a keyframe. */
export function isInterCoded(codec: Codec): boolean {
  return codec === "h264";
}

/** What is wrong with a format somebody asks for, in English, or `undefined` when it may be had. */
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
