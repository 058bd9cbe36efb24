/**
 * The arguments with which an ffmpeg turns any input into frames for the wire. The pictures are
 * cropped to shape, mirrored if wanted, in time, raw or encoded, and in colours that everybody
 * takes for the same. Pure.
 */

import { type Codec, PCM, SOUND_FRAME_SAMPLES, type VideoFormat } from "../frame/format.ts";
import type { Ffmpeg } from "./ffmpeg.ts";

/**
 * The size above which a picture is worth all processors, and x264 has to be quick rather than
 * thorough.
 */
const LARGE_PIXELS = 640 * 480;

/** The encoder of each codec, for the way out of ffmpeg. */
export const ENCODERS: Readonly<Record<Codec, string>> = {
  raw: "rawvideo",
  mjpeg: "mjpeg",
  h264: "libx264",
};

/** The manner in which an input becomes frames. */
export interface OutputOptions {
  /** True if left and right are exchanged. */
  readonly mirror: boolean;
  /** True if frames pass as they come. Otherwise their rate is made constant. */
  readonly live: boolean;
  /** True if the first picture stands for ever. */
  readonly still?: boolean;
  /**
   * The words of ffmpeg for `InputWords`: the lead of each picture over its time, or the news that
   * there is a second one.
   */
  readonly observed?: "lead" | "second" | undefined;
  /**
   * The sound of the input beside its pictures, if it has any: `steady` in step with them by its
   * times, or `fast` as it comes.
   */
  readonly sound?: "fast" | "steady" | undefined;
  /** The option that keeps ffmpeg from making up frames. */
  readonly passthrough?: Ffmpeg["passthrough"];
}

/**
 * Arguments that turn any input into frames for the wire: cropped to shape rather than stretched,
 * mirrored if wanted, bgr24 rows or encoded frames on stdout. Of several streams ffmpeg takes the
 * one with the largest pictures, and a cover last.
 */
export function outputArguments(format: VideoFormat, options: OutputOptions): string[] {
  const { width, height } = format;
  const { mirror, live, passthrough = "-fps_mode" } = options;
  const { scaling } = COLOURS[format.codec];
  const filters = [
    ...(live ? liveFilters(format, options) : fileFilters(format, options)),
    // The picture fills the frame in the shape in which it is meant to be seen: pixels need not be
    // square.
    `scale='max(${width},round(${height}*dar))':'max(${height},round(${width}/dar))'${scaling}`,
    "setsar=1",
    // Without `exact`, pictures with halved colour are cropped to even sizes.
    `crop=${width}:${height}:exact=1`,
    ...(mirror ? ["hflip"] : []),
    ...pixelFilters(format),
  ];
  const { sound } = options;
  return [
    ...[...(sound ? [] : ["-an"]), "-sn", "-dn", "-vf", filters.join(",")],
    ...[passthrough, "passthrough"],
    ...(live && format.codec !== "raw" ? ["-enc_time_base", slotOf(format)] : []),
    ...encoderArguments(format),
    ...(sound ? soundArguments(sound) : containerArguments(format)),
    "pipe:1",
  ];
}

/**
 * Arguments for the sound of an input, in frames of 10 ms of one channel, and for AVI with both. If
 * the input has none, there are pictures only.
 *
 * Steady sound is in step with the pictures: it begins with the input, holes are filled, and it ends
 * with the pictures. The muxer puts both in the order of their times, and holds pictures back for
 * that. Live ones must not wait: the muxer `fifo` hands each frame on as it comes. It makes ffmpeg
 * choose no streams, so they are named: the first one of each kind, and no cover.
 */
function soundArguments(sound: "fast" | "steady"): string[] {
  const filters = [
    sound === "fast" ? `aresample=${PCM.rate}` : `aresample=${PCM.rate}:async=1:first_pts=0,apad`,
    "aformat=sample_fmts=s16:channel_layouts=mono",
    `asetnsamples=${SOUND_FRAME_SAMPLES}`,
  ].join(",");
  return [
    ...["-c:a", "pcm_s16le", "-af", filters],
    ...(sound === "fast"
      ? [
        "-map",
        "0:V:0",
        "-map",
        "0:a:0?",
        "-f",
        "fifo",
        "-fifo_format",
        "avi",
        "-format_opts",
        "flush_packets=1",
      ]
      : ["-shortest", "-flush_packets", "1", "-f", "avi"]),
  ];
}

/** The container of pictures alone. Raw ones need none. */
function containerArguments({ codec }: VideoFormat): string[] {
  return codec === "raw" ? ["-f", "rawvideo"] : ["-flush_packets", "1", "-f", "avi"];
}

/**
 * Arguments that turn pictures of this size, which come one by one, into frames of this format on
 * stdout, each as soon as it came. ffmpeg says the time of each on stderr, in ticks.
 */
export function codingArguments(format: VideoFormat): string[] {
  const { width, height } = format;
  const { scaling } = COLOURS[format.codec];
  const filters = [
    "select='1+0*print(pts,32)'",
    `settb=${slotOf(format)}`,
    "setpts=N",
    `scale=${width}:${height}${scaling}`,
    "setsar=1",
    ...pixelFilters(format),
  ];
  return [
    ...["-an", "-sn", "-dn", "-vf", filters.join(","), "-fps_mode", "passthrough"],
    ...(format.codec === "raw" ? [] : ["-enc_time_base", slotOf(format)]),
    ...[...encoderArguments(format), ...containerArguments(format), "pipe:1"],
  ];
}

/** The filters for the colours of a format. */
function pixelFilters({ codec, width, height }: VideoFormat): readonly string[] {
  const { pixels } = COLOURS[codec];
  // 4:2:0 halves both sides. An odd side needs 4:4:4, which not every JPEG decoder can read.
  const odd = codec === "h264" && (width % 2 !== 0 || height % 2 !== 0);
  return odd ? pixels.map((filter) => filter.replace("yuv420p", "yuv444p")) : pixels;
}

/**
 * The colours of each codec. Most films are BT.709, and their copies cannot say so: a JPEG is
 * BT.601 in full range, and bgr24 has neither. H.264 is made BT.601 as well, in the range of
 * television, and says it.
 */
const COLOURS: Readonly<Record<Codec, { scaling: string; pixels: readonly string[] }>> = {
  raw: { scaling: "", pixels: ["format=bgr24"] },
  mjpeg: {
    scaling: ":out_color_matrix=bt601:out_range=pc",
    pixels: ["format=yuvj420p", "setparams=range=pc:colorspace=bt470bg"],
  },
  h264: {
    scaling: ":out_color_matrix=bt601:out_range=tv",
    pixels: ["format=yuv420p", "setparams=range=tv:colorspace=smpte170m"],
  },
};

/** The duration of a frame in seconds, as a fraction. */
function slotOf({ fps }: VideoFormat): string {
  return `1000/${Math.round(fps * 1000)}`;
}

/** Filters that make the rate of an input constant, by the times of its pictures. */
function fileFilters({ fps }: VideoFormat, { still, observed, sound }: OutputOptions): string[] {
  return [
    ...(observed === "lead" ? [`select='${[...LEAD, "1"].join(";")}'`] : []),
    ...(observed === "second" ? ["select='if(eq(n,1),print(n,32));1'"] : []),
    ...(still ? ["loop=-1:1", `setpts=N/(${fps}*TB)`] : []),
    // Sound may begin before the first picture, which then stands from the beginning on.
    sound ? `fps=${fps}:start_time=0` : `fps=${fps}`,
  ];
}

/**
 * The filter that tells the lead: the seconds by which a picture is ahead of the time at which it
 * comes, counted from the first. It speaks from the second picture on, for some seconds.
 */
const LEAD = [
  ...["st(1,if(n,ld(1),time(0)))", "st(3,if(n,ld(3),t))"],
  "if(eq(n,1)+n*lt(time(0)-ld(1),4),print(t-ld(3)-time(0)+ld(1),32))",
];

/**
 * Filters that leave out the frames beyond a rate. They hold none back; `fps` holds one. They look
 * at the time at which a picture comes. A stream's own times may be made up, such as the 25 a
 * second of JPEGs over http.
 *
 * Time is counted in slots of 1/fps seconds, register 2. The frames that were let through are
 * counted as well, register 0. A frame passes if it is not more than one slot ahead of these. After
 * a jam the frames of the last quarter of a second may catch up. The count begins anew after the
 * system's clock was set back. The frames that are left are numbered, for the encoder.
 */
function liveFilters(format: VideoFormat, { observed }: OutputOptions): string[] {
  const { fps } = format;
  const expression = [
    ...(observed === "lead" ? LEAD : ["st(1,if(n,ld(1),time(0)))"]),
    `st(2,(time(0)-ld(1))*${fps})`,
    "if(lt(ld(2),ld(0)-3),st(0,ld(2)))",
    `if(gte(ld(2),ld(0)-1),1+0*st(0,max(ld(0)+1,ld(2)-${Math.max(fps / 4, 1)})),0)`,
  ];
  return [`select='${expression.join(";")}'`, `settb=${slotOf(format)}`, "setpts=N"];
}

/**
 * The encoder's arguments. `-threads 1` keeps an encoder from working on several frames at a time,
 * which would hold one back (51 ms at 20 fps, measured). x264 tuned to no latency divides the
 * picture instead, and may have all processors for a large one.
 *
 * H.264 has a keyframe each second: after a drop, the receiver waits no longer than that. It never
 * takes more than 0.4 bits a pixel (600 kbit/s at 320 x 240 and 20 fps), a quarter of a second's
 * worth at a time. So a keyframe crosses a link of 1 Mbit/s in the time of two frames.
 */
function encoderArguments(format: VideoFormat): string[] {
  const { codec, width, height, fps } = format;
  switch (codec) {
    case "raw":
      return ["-threads", "1", "-c:v", ENCODERS[codec]];
    case "mjpeg":
      return ["-threads", "1", "-c:v", ENCODERS[codec], "-q:v", "3"];
    case "h264": {
      const large = width * height > LARGE_PIXELS;
      const rate = Math.round(width * height * fps * 0.4);
      return [
        ...["-threads", large ? "0" : "1", "-c:v", ENCODERS[codec], "-tune", "zerolatency"],
        ...["-preset", large ? "ultrafast" : "veryfast", "-crf", "23", "-bf", "0"],
        ...["-maxrate", `${rate}`, "-bufsize", `${Math.round(rate / 4)}`],
        ...["-g", `${Math.max(Math.round(fps), 1)}`, "-colorspace", "smpte170m"],
        ...["-color_range", "tv"],
      ];
    }
  }
}
