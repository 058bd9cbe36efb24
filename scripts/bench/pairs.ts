/**
 * The programs that people would use instead: pairs of a sender and a receiver. The sender takes
 * bgr24 pictures on its standard input in place of a camera. The receiver shows them and may
 * record. Pure: they are command lines.
 */

import { rawFrameBytes, type VideoFormat } from "../../lib/frame/format.ts";
import { REPORT } from "./goals.ts";
import type { Command } from "./command.ts";

/** The system's Python. The system's OpenCV belongs to it. */
export const PYTHON = "/usr/bin/python3";

/** The options of an end of a pair. */
export interface EndOptions {
  readonly format: VideoFormat;
  /** The port to call, or to listen on for the listening end. */
  readonly port: number;
  /** The screen for its window. Without one, it shows nothing. */
  readonly display?: string | undefined;
  /** A file to record to, if the end can. */
  readonly record?: string | undefined;
  /** Seconds after which a sender stops that makes its own pictures. */
  readonly seconds?: number | undefined;
}

/** A sender and a receiver. */
export interface Pair {
  readonly name: string;
  /** The tools that have to be installed. */
  readonly needs: readonly string[];
  /** The end that listens, and is started first. */
  readonly listens: "sender" | "receiver";
  /** True if the listening end chooses its port itself, and says `PORT n`. */
  readonly choosesPort?: boolean;
  /**
   * Seconds at the beginning in which it shows nothing or the past, while it finds out the format.
   */
  readonly settlesInSeconds: number;
  sender(options: EndOptions): Command;
  receiver(options: EndOptions): Command;
}

/** The names of the tools that have to be installed. */
export const OPENCV = "opencv";
export const GSTREAMER = "gstreamer";
export const GSTREAMER_CODECS = "gstreamer's H.264";

/** The report's own method: socket, pickle, OpenCV. */
export const REPORT_PAIR: Pair = {
  name: REPORT,
  needs: [OPENCV],
  listens: "receiver",
  choosesPort: true,
  settlesInSeconds: 1,
  sender({ format, port, display }): Command {
    return {
      program: PYTHON,
      args: [
        ...["scripts/bench/peers/report_client.py", `${port}`],
        ...[`${format.width}`, `${format.height}`, ...(display ? ["--window"] : [])],
      ],
      ...(display && { env: { DISPLAY: display } }),
    };
  },
  receiver({ display, record }): Command {
    return {
      program: PYTHON,
      args: [
        "scripts/bench/peers/report_server.py",
        ...(display ? ["--window"] : []),
        ...(record ? ["--record", record] : []),
      ],
      ...(display && { env: { DISPLAY: display } }),
    };
  },
};

const RAW_INPUT = (format: VideoFormat): string[] => [
  ...[
    "-f",
    "rawvideo",
    "-pixel_format",
    "bgr24",
    "-video_size",
    `${format.width}x${format.height}`,
  ],
  ...["-framerate", `${format.fps}`, "-i", "pipe:0"],
];

function ffplayPair(
  name: string,
  { input, encoder, player, settlesInSeconds }: {
    readonly input: readonly string[];
    readonly encoder: readonly string[];
    readonly player: readonly string[];
    readonly settlesInSeconds: number;
  },
): Pair {
  return {
    name,
    needs: ["ffmpeg", "ffplay"],
    listens: "receiver",
    settlesInSeconds,
    sender: ({ format, port }): Command => ({
      program: "ffmpeg",
      args: [
        ...["-hide_banner", "-loglevel", "error", ...input, ...RAW_INPUT(format)],
        ...[...encoder, `tcp://127.0.0.1:${port}`],
      ],
    }),
    receiver: ({ port, display }): Command => ({
      program: "ffplay",
      args: ["-hide_banner", "-loglevel", "error", ...player, `tcp://127.0.0.1:${port}?listen`],
      ...(display && { env: { DISPLAY: display } }),
    }),
  };
}

/** ffmpeg to ffplay as people type it. */
export const TYPED_PAIR: Pair = ffplayPair("ffplay as typed", {
  input: [],
  encoder: ["-f", "mpegts"],
  player: [],
  settlesInSeconds: 10,
});

/** The options that forums recommend against delay. */
const TUNED = {
  input: ["-fflags", "nobuffer", "-flags", "low_delay"],
  player: [
    ...["-fflags", "nobuffer", "-flags", "low_delay", "-framedrop"],
    ...["-probesize", "32", "-analyzeduration", "0"],
  ],
  settlesInSeconds: 4,
};

/** The same with these flags. */
export const TUNED_PAIR: Pair = ffplayPair("ffplay, low-latency flags", {
  ...TUNED,
  encoder: [
    ...["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"],
    // A keyframe each second: `nobuffer` loses the first one, and the next would come after 250
    // pictures.
    ...["-pix_fmt", "yuv420p", "-g", "20", "-f", "mpegts"],
  ],
});

/**
 * The same with JPEG pictures, which MPEG-TS does not carry. One thread, so that none is held back.
 */
export const TUNED_JPEG_PAIR: Pair = ffplayPair("ffplay, low-latency flags, JPEG", {
  ...TUNED,
  encoder: [
    ...["-threads", "1", "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"],
    ...["-flush_packets", "1", "-f", "nut"],
  ],
});

function gstreamerPair(
  name: string,
  { coding, decoding, needs = [GSTREAMER] }: {
    readonly coding: (format: VideoFormat) => string;
    readonly decoding: (format: VideoFormat) => string;
    readonly needs?: readonly string[];
  },
): Pair {
  return {
    name,
    needs,
    listens: "sender",
    settlesInSeconds: 2,
    sender: ({ format, port }): Command => ({
      program: "gst-launch-1.0",
      args: [
        ...["-q", "fdsrc", "fd=0", `blocksize=${rawFrameBytes(format)}`, "!"],
        ...gstreamerRaw(format).split(" "),
        ...coding(format).split(" "),
        ...["!", "tcpserversink", "host=127.0.0.1", `port=${port}`],
      ],
    }),
    receiver: ({ format, port, display, record }): Command => ({
      program: "gst-launch-1.0",
      args: [
        ...["-q", "tcpclientsrc", "host=127.0.0.1", `port=${port}`, "!"],
        ...decoding(format).split(" "),
        ...(record
          ? ["!", "video/x-raw,format=BGR", "!", "filesink", `location=${record}`]
          : ["!", "ximagesink", "sync=false"]),
      ],
      ...(display && { env: { DISPLAY: display } }),
    }),
  };
}

function gstreamerRaw({ width, height, fps }: VideoFormat): string {
  const rate = Number.isInteger(fps) ? `${fps}/1` : `${Math.round(fps * 1000)}/1000`;
  return `rawvideoparse width=${width} height=${height} format=bgr framerate=${rate}`;
}

/**
 * GStreamer's pipeline of raw pictures. It records raw pictures, as all of GStreamer's pipelines do
 * here.
 */
export const GSTREAMER_RAW: Pair = gstreamerPair("GStreamer, raw", {
  coding: () => "! queue",
  decoding: (format) => `${gstreamerRaw(format)} ! videoconvert`,
});

/** GStreamer's pipeline of JPEG pictures. */
export const GSTREAMER_JPEG: Pair = gstreamerPair("GStreamer, JPEG", {
  coding: () => "! videoconvert ! jpegenc ! multipartmux",
  decoding: () => "multipartdemux ! jpegdec ! videoconvert",
});

/**
 * GStreamer's pipeline of H.264, tuned to no latency, in packets of RTP: these tell where a picture
 * ends. The decoder has one thread. With several it holds pictures back (33 ms at 30 a second).
 */
export const GSTREAMER_H264: Pair = gstreamerPair("GStreamer, H.264", {
  needs: [GSTREAMER, GSTREAMER_CODECS],
  coding: ({ fps }) =>
    `! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast ` +
    `key-int-max=${Math.round(fps)} ! rtph264pay config-interval=-1 ! rtpstreampay`,
  decoding: () =>
    "application/x-rtp-stream,media=video,clock-rate=90000,encoding-name=H264 ! rtpstreamdepay " +
    "! rtph264depay ! avdec_h264 max-threads=1 ! videoconvert",
});

/** All pairs at the size of the report. */
export const PAIRS: readonly Pair[] = [
  REPORT_PAIR,
  TYPED_PAIR,
  TUNED_PAIR,
  GSTREAMER_RAW,
  GSTREAMER_JPEG,
];
