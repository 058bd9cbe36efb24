/**
 * The programs that people would use for a talk instead: pairs of a sender and a receiver of
 * pictures and sound. The sender makes its own pictures, in place of a camera, and takes the sound
 * of the default microphone. Pure: they are command lines.
 */

import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import type { Command } from "./command.ts";
import { GSTREAMER, GSTREAMER_CODECS } from "./pairs.ts";

/** The options of an end of a pair. */
export interface TalkEnd {
  /** The address and the ports of the listening end: one, or one for each kind. */
  readonly host: string;
  readonly ports: readonly [number, number];
  /** Seconds after which a sender stops by itself, if it can. */
  readonly seconds?: number | undefined;
}

/** A sender and a receiver. */
export interface TalkPair {
  readonly name: string;
  /** The tools that have to be installed. */
  readonly needs: readonly string[];
  /** The end that listens, and is started first. */
  readonly listens: "sender" | "receiver";
  /** Milliseconds that a click may take before it counts as lost. */
  readonly patienceMs: number;
  sender(end: TalkEnd): Command;
  receiver(end: TalkEnd): Command;
}

const { width, height, fps } = DEFAULT_FORMAT;

function ffplayPair(
  name: string,
  { early, microphone, encoder, player, patienceMs }: {
    readonly early: readonly string[];
    readonly microphone: readonly string[];
    readonly encoder: readonly string[];
    readonly player: readonly string[];
    readonly patienceMs: number;
  },
): TalkPair {
  return {
    ...{ name, needs: ["ffmpeg", "ffplay"], listens: "receiver", patienceMs },
    sender: ({ host, ports: [port], seconds }): Command => ({
      program: "ffmpeg",
      args: [
        ...["-hide_banner", "-loglevel", "error", "-nostdin", ...early],
        ...["-re", "-f", "lavfi", "-i", `testsrc2=size=${width}x${height}:rate=${fps}`],
        ...["-f", "pulse", ...microphone, "-i", "default"],
        ...(seconds === undefined ? [] : ["-t", `${seconds}`]),
        ...[...encoder, "-f", "mpegts", `tcp://${host}:${port}`],
      ],
    }),
    receiver: ({ host, ports: [port] }): Command => ({
      program: "ffplay",
      args: [
        ...["-hide_banner", "-loglevel", "error", "-autoexit", ...player],
        `tcp://${host}:${port}?listen`,
      ],
    }),
  };
}

/** ffmpeg to ffplay as people type it. */
export const TYPED_TALK: TalkPair = ffplayPair("ffplay as typed", {
  early: [],
  microphone: [],
  encoder: [],
  player: [],
  patienceMs: 15_000,
});

/**
 * The same with the options that forums recommend against delay. With `-probesize 32` ffplay finds
 * no sound.
 */
export const TUNED_TALK: TalkPair = ffplayPair("ffplay, low-latency flags", {
  early: ["-fflags", "nobuffer", "-flags", "low_delay"],
  microphone: ["-channels", "1", "-sample_rate", "48000", "-fragment_size", "960"],
  encoder: [
    ...["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"],
    ...["-pix_fmt", "yuv420p", "-g", `${fps}`],
    ...["-c:a", "libopus", "-application", "lowdelay", "-frame_duration", "10", "-b:a", "32k"],
    ...["-flush_packets", "1", "-muxdelay", "0", "-muxpreload", "0"],
  ],
  player: [
    ...["-fflags", "nobuffer", "-flags", "low_delay", "-framedrop"],
    ...["-probesize", "32768", "-analyzeduration", "500000"],
  ],
  patienceMs: 5000,
});

function gstreamerPair(
  name: string,
  { needs, pictures, sound }: {
    readonly needs: readonly string[];
    /** The ways to send and to get each kind. */
    readonly pictures: readonly [string, string];
    readonly sound: readonly [string, string];
  },
): TalkPair {
  const launch = (text: string): Command => ({
    program: "gst-launch-1.0",
    args: ["-q", ...text.split(" ")],
  });
  return {
    ...{ name, needs, listens: "sender", patienceMs: 3000 },
    sender: ({ host, ports: [one, other] }): Command =>
      launch(
        `videotestsrc is-live=true ! ` +
          `video/x-raw,width=${width},height=${height},framerate=${fps}/1 ! videoconvert ! ` +
          `${pictures[0]} ! tcpserversink host=${host} port=${one} sync=false ` +
          "pulsesrc buffer-time=20000 latency-time=10000 ! audio/x-raw,rate=48000,channels=1 ! " +
          `audioconvert ! ${sound[0]} ! rtpstreampay ! ` +
          `tcpserversink host=${host} port=${other} sync=false`,
      ),
    receiver: ({ host, ports: [one, other] }): Command =>
      launch(
        `tcpclientsrc host=${host} port=${one} ! ${pictures[1]} ! videoconvert ! ` +
          `ximagesink sync=false tcpclientsrc host=${host} port=${other} ! ` +
          `application/x-rtp-stream,media=audio,clock-rate=48000,${sound[1]} ! audioconvert ! ` +
          "pulsesink buffer-time=40000 latency-time=10000 sync=false",
      ),
  };
}

/** GStreamer's pipelines of JPEG pictures and PCM, side by side. */
export const GSTREAMER_TALK: TalkPair = gstreamerPair("GStreamer, JPEG and PCM", {
  needs: [GSTREAMER],
  pictures: ["jpegenc ! multipartmux", "multipartdemux ! jpegdec"],
  sound: [
    "rtpL16pay min-ptime=10000000 max-ptime=10000000",
    "encoding-name=L16,channels=1 ! rtpstreamdepay ! rtpL16depay",
  ],
});

/** The same of H.264 and Opus. */
export const GSTREAMER_SMALL_TALK: TalkPair = gstreamerPair("GStreamer, H.264 and Opus", {
  needs: [GSTREAMER, GSTREAMER_CODECS],
  pictures: [
    `x264enc tune=zerolatency speed-preset=ultrafast key-int-max=${fps} ! ` +
    "rtph264pay config-interval=-1 ! rtpstreampay",
    "application/x-rtp-stream,media=video,clock-rate=90000,encoding-name=H264 ! rtpstreamdepay ! " +
    "rtph264depay ! avdec_h264 max-threads=1",
  ],
  sound: [
    "opusenc frame-size=10 bitrate=32000 audio-type=restricted-lowdelay ! rtpopuspay",
    "encoding-name=OPUS,payload=96 ! rtpstreamdepay ! rtpopusdepay ! opusdec",
  ],
});
