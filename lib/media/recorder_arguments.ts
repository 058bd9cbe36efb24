/**
 * The words to the ffmpeg of a recording. The ending of its name says the kind of the file.
 *
 * XVID is `-c:v mpeg4 -vtag XVID`, which OpenCV writes too. `-flush_packets 1` puts every packet on
 * the disk at once: even a killed ffmpeg leaves all but one frame (1.35 s are missing without it,
 * measured). An MP4 is written in fragments, and a Matroska in clusters: a kill loses the last one.
 */

import { maxDecodedPixels, nearestRate, type Rate, type VideoFormat } from "../frame/format.ts";
import type { ChildWatch } from "./child.ts";
import { findFfmpeg } from "./ffmpeg.ts";
import type { RecorderOptions, SoundSize } from "./recorder.ts";

/** The encoders of recordings. Every ffmpeg has the first one. */
export type Encoder = "mpeg4" | "libx264";

/** The kinds of files. */
type Container = "avi" | "mkv" | "mp4";

/**
 * The size up to which a second thread costs more than it gains: a quarter of the time at 320 x
 * 240, measured.
 */
const ONE_THREAD_PIXELS = 640 * 480;

/** Seconds between two pictures at which players can begin. */
const KEYFRAME_SECONDS = 2;

/** The codec of the sound in each kind of file. */
const SOUND_CODECS: Readonly<Record<Container, Readonly<Record<SoundSize, string>>>> = {
  avi: { full: "pcm_s16le", small: "adpcm_ima_wav" },
  mkv: { full: "pcm_s16le", small: "aac" },
  // Few players know PCM in an MP4.
  mp4: { full: "aac", small: "aac" },
};

/** The arguments of each kind of file. */
const CONTAINERS: Readonly<Record<Container, readonly string[]>> = {
  avi: ["-f", "avi"],
  mkv: ["-cluster_time_limit", "500", "-f", "matroska"],
  // The head is written with the first fragment: it says that the sound of an encoder begins before
  // its first sample. In a head that is written at once that is left out, and it is 21 ms late.
  mp4: [
    ...["-movflags", "+frag_keyframe+delay_moov+default_base_moof"],
    ...["-frag_duration", "500000", "-f", "mp4"],
  ],
};

/** Arguments of ffmpeg for this recording. */
export function recorderArguments(options: RecorderOptions): string[] {
  const { path, format, sound } = options;
  const container = containerOf(path);
  return [
    ...["-hide_banner", "-nostats", "-loglevel", "warning", "-y"],
    ...inputArguments(options),
    ...(format ? pictureArguments(format, options) : []),
    ...(sound
      ? ["-map", "0:a", "-c:a", SOUND_CODECS[container][sound], "-max_interleave_delta", "1"]
      : []),
    ...["-flush_packets", "1", ...CONTAINERS[container], `file:${path}`],
  ];
}

/** True if the pictures go into the file as they come. */
export function isCopied({ path, format }: RecorderOptions): boolean {
  return format?.codec === "h264" && containerOf(path) !== "avi";
}

/**
 * Finds out if there is an ffmpeg to record with. Resolves to the encoder for a file of that name.
 * Throws `NotInstalledError` or `FfmpegError`.
 */
export async function checkRecorder(name: string, watch?: ChildWatch): Promise<Encoder> {
  const { encoders } = await findFfmpeg("mpeg4", watch);
  return containerOf(name) !== "avi" && encoders.has("libx264") ? "libx264" : "mpeg4";
}

/** The kind of the file of that name. */
function containerOf(path: string): Container {
  const [, ending] = /\.(mkv|mp4)$/i.exec(path) ?? [];
  return (ending?.toLowerCase() ?? "avi") as Container;
}

function inputArguments(options: RecorderOptions): string[] {
  const { format, fps, sound } = options;
  const rate = rateText(nearestRate(fps));
  if (format?.codec === "raw" && sound === undefined) {
    return [
      ...["-f", "rawvideo", "-pixel_format", "bgr24"],
      ...["-video_size", `${format.width}x${format.height}`],
      // An ffmpeg that is told the rate of the input only takes the next usual rate for the output:
      // 1 in place of 1.00049.
      ...["-framerate", rate, "-i", "pipe:0", "-r", rate],
    ];
  }
  return [
    // One thread decodes: each further one would hold a frame back, which a kill would lose.
    // `-stats` counts the frames.
    ...["-stats", "-probesize", "32", "-analyzeduration", "0", "-threads", "1"],
    ...(format ? ["-max_pixels", `${maxDecodedPixels(format)}`] : []),
    ...["-f", "matroska", "-i", "pipe:0"],
    ...(format && sound ? ["-map", "0:v"] : []),
    ...(format?.codec === "raw" ? ["-r", rate] : []),
    // Players take the colours of this file for BT.601 in the range of television. The file has no
    // words for others.
    ...(format && format.codec !== "raw" && !isCopied(options)
      ? ["-vf", `fps=${rate},scale=out_color_matrix=bt601:out_range=tv`, "-pix_fmt", "yuv420p"]
      : []),
  ];
}

function pictureArguments({ width, height }: VideoFormat, options: RecorderOptions): string[] {
  if (isCopied(options)) return ["-c:v", "copy"];
  const { frames, seconds } = nearestRate(options.fps);
  const isAvi = containerOf(options.path) === "avi";
  // x264 halves the colours of whole pairs of pixels only.
  const isEven = width % 2 === 0 && height % 2 === 0;
  if (options.encoder === "libx264" && !isAvi && isEven) {
    const distance = Math.ceil(frames / seconds * KEYFRAME_SECONDS);
    return [
      // An encoder that looks ahead holds frames back, which a kill would lose.
      ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"],
      ...["-pix_fmt", "yuv420p", "-g", `${distance}`],
    ];
  }
  const large = width * height > ONE_THREAD_PIXELS;
  const tag = isAvi ? ["-vtag", "XVID"] : [];
  return ["-c:v", "mpeg4", "-threads", large ? "0" : "1", ...tag, "-q:v", "3"];
}

/** A rate as ffmpeg reads it without rounding. */
function rateText({ frames, seconds }: Rate): string {
  return seconds === 1 ? `${frames}` : `${frames}/${seconds}`;
}
