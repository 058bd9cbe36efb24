/**
 * Inputs that are no cameras: the way to open the user's input with ffmpeg, and ffmpeg's words
 * about it. Pure.
 *
 * A name is a file first. To ffmpeg `aula:1.webm` is the protocol "aula", `shot%d.png` a numbered
 * sequence and `-x.mp4` an option. So the name is tried as a file's before ffmpeg's syntax is.
 */

import type { SourceError } from "../errors.ts";
import { PCM, SOUND_FPS, SOUND_FRAME_SAMPLES, type VideoFormat } from "../frame/format.ts";
import { TICK_FRAMES, TONE_HZ, TONE_PEAK } from "./test_tone.ts";

/**
 * The manner in which the pictures of an input come. Those of a `file` come as fast as they are
 * read, and our clock paces them. Those of a `live` input come as they are made. Those of a
 * `steady` stream do as well, but in bundles: its own times are right. A URL may lead to any of
 * these, and only the arrival of the pictures tells.
 */
export type Pace = "file" | "live" | "steady" | "unknown";

/** One way to open an input. The next way is tried if there is no such file. */
export interface Way {
  /** Arguments of ffmpeg, with the name of the input last. */
  readonly args: readonly string[];
  /** The manner in which its pictures come. */
  readonly pace: Pace;
  /** True if the times that it gives to its pictures are to be believed. */
  readonly timed: boolean;
  /** True of a file whose name promises that it opens no other one. */
  readonly alone: boolean;
}

/**
 * The scheme of a URL. It has two letters at least: one letter is a drive of Windows. Some
 * protocols of ffmpeg's have options behind a comma.
 */
const SCHEME = /^([a-z][a-z0-9+.-]+)[:,]/i;
const URL = /^[a-z][a-z0-9+.-]+:\/\//i;

/** Streams that are sent to us while their pictures are made. */
const LIVE = /^(rtsps?|rtmp[a-z]*|rtp|srtp?|rist|udp|udplite|tcp|tls|unix|mms[ht]?):|^\/dev\//i;

/**
 * The URLs that lead to a film by their name, such as `…/film.mp4?x=1`. Others may lead to the
 * stream of a camera.
 */
const WEB_FILM =
  /\.(mp4|m4v|mov|mkv|webm|avi|ogv|ogg|flv|m?2?ts|mpe?g|vob|mxf|wmv|asf|3gp|3g2|gif|m3u8|mpd)($|[?#])/i;

/** Formats without times. ffmpeg makes up times for them, 25 a second. */
const UNTIMED = /^(mpjpeg|mjpeg|\w+_pipe|h264|hevc|m4v|mpegvideo)$/;

/** Names of files that say that they lead to others. */
const NAMED_LIST = /\.(m3u8?|mpd|(ff)?concat|sdp|xml|avs|vpy)$/i;

/** Formats that make ffmpeg open other files, whatever the name of the first one. */
const LISTS =
  /^(hls|applehttp|concat|dash|sdp|rtsp|imf|avisynth|vapoursynth|lavfi|webm_dash_manifest)/;

/**
 * The usual formats of video that open no other file. ffmpeg refuses the rest and names them. A
 * refused format that is no list is then allowed as well.
 */
const ALONE = [
  ...["mov", "matroska", "avi", "flv", "mpegts", "mpeg", "mpegvideo", "ogg", "asf", "gif", "apng"],
  ...["image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe", "mjpeg", "mpjpeg"],
  ...["h264", "hevc", "m4v", "ivf", "mxf", "nut", "rm", "dv", "yuv4mpegpipe", "wav", "mp3", "aac"],
];

/**
 * The protocols that a URL may lead to: those of the network, and never a file of this machine.
 * ffmpeg itself sees to that behind http.
 */
const NETWORK = [
  ...["http", "https", "httpproxy", "tls", "tcp", "udp", "udplite", "rtp", "srtp", "rtsp", "rtmp"],
  ...["rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts", "ffrtmpcrypt", "ffrtmphttp", "crypto", "data"],
  ...["srt", "rist", "ftp", "sftp", "smb"],
];

/** Endings that ffmpeg takes for a numbered sequence of pictures if the name contains a `%`. */
const NUMBERED_PICTURE = /%.*\.(jpe?g|png|bmp|gif|tiff?|webp|p[bgnp]m|tga|jp2|exr|dpx|svg|ico)$/i;

/** Streams that wait for one sender, and for no other sender afterwards. */
const LISTENING = /^[a-z][a-z0-9+.-]+:\/\/\S*[?&](listen(?!=0)|mode=listener)/i;

/** True for a stream that another program sends to us. Closing it turns that program away. */
export function isSentToUs(input: string): boolean {
  return LISTENING.test(input);
}

/** The ways to open the user's input, the best first. `system` is a name of `Deno.build.os`. */
export function inputWays(input: string, system: string): Way[] {
  return namesOf(input, system).flatMap((name) => {
    const pace = LIVE.test(name) || /\.sdp$/i.test(name)
      ? "live"
      : URL.test(name)
      ? "unknown"
      : "file";
    const alone = /^file:/i.test(name) && !NAMED_LIST.test(name);
    const timed = pace === "file" || pace === "unknown" && WEB_FILM.test(name);
    const way = { args: [...optionsOf(name), "-i", name], pace, timed, alone } as const;
    if (!NUMBERED_PICTURE.test(name) || pace !== "file") return [way];
    return [{ ...way, args: ["-f", "image2", "-pattern_type", "none", ...way.args] }, way];
  });
}

/** The share of a frame's time by which a rounded time may be off. */
const ROUNDING = 0.01;

/**
 * The way to a moving test picture. With sound, a tone ticks at each whole second, and the picture
 * that begins there is white. Both come out of one graph, which keeps them in step.
 */
export function testWay({ width, height, fps }: VideoFormat, sound: boolean): Way {
  const picture = `testsrc2=size=${width}x${height}:rate=${fps}`;
  const flash = `drawbox=c=white:t=fill:enable='lt(mod(t+${ROUNDING / fps},1),${1 / fps})'`;
  const seconds = TICK_FRAMES / SOUND_FPS;
  const wave = `${TONE_PEAK}*sin(${2 * Math.PI * TONE_HZ}*t)*lt(mod(t,1),${seconds})`;
  const tick = `aevalsrc='${wave}':s=${PCM.rate}:n=${SOUND_FRAME_SAMPLES}`;
  const graph = sound ? `${picture},${flash}[out0];${tick}[out1]` : picture;
  return { args: ["-f", "lavfi", "-i", graph], pace: "file", timed: true, alone: false };
}

/**
 * Arguments that keep an input from opening what it must not. `also` is one more format that is
 * allowed.
 */
export function guardArguments({ alone }: Way, also: string | undefined): string[] {
  return alone ? ["-format_whitelist", [...ALONE, ...(also ? [also] : [])].join(",")] : [];
}

/** The names under which ffmpeg may find the user's input. */
function namesOf(input: string, system: string): string[] {
  const [, scheme] = SCHEME.exec(input) ?? [];
  if (input.startsWith("/dev/")) return [input];
  if (scheme === undefined) return [`file:${input}`];
  if (scheme.toLowerCase() === "file") return [...new Set(filesOf(input.slice(5), system))];
  return URL.test(input) ? [input] : [`file:${input}`, input];
}

/** The files that the text behind `file:` may mean: a path as it is, or the path of a URL. */
function filesOf(rest: string, system: string): string[] {
  const [, host, path] = /^\/\/([^/]*)(\/.*)$/.exec(rest) ?? [];
  if (path === undefined) return [`file:${rest}`, `file:${decoded(rest)}`];
  const own = host === "" || /^(localhost|127\.0\.0\.1)$/i.test(host!);
  const local = own ? path : system === "windows" ? `//${host}${path}` : rest;
  const drive = (one: string): string =>
    system === "windows" ? one.replace(/^\/([a-z])[:|](?=\/|$)/i, "$1:") : one;
  return [`file:${drive(decoded(local))}`, `file:${drive(local)}`];
}

/** A path with the percent signs of a URL decoded, or the path as it is if they are none. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The further options of ffmpeg that a name needs. */
function optionsOf(name: string): string[] {
  const [, scheme] = SCHEME.exec(name) ?? [];
  // A user who calls a file a list means the files on that list.
  if (NAMED_LIST.test(name) && !URL.test(name)) return protocols("file");
  if (!URL.test(name) || /^file:/i.test(name)) return [];
  // A camera gives few bytes a second. ffmpeg would wait long until they are enough to be sure of
  // their format.
  if (/^https?:/i.test(name)) return WEB_FILM.test(name) ? [] : ["-formatprobesize", "32768"];
  return [
    // Many networks lose the datagrams of a camera. UDP is tried if the camera does not have TCP.
    ...(/^rtsps?$/i.test(scheme!) ? ["-rtsp_flags", "prefer_tcp"] : []),
    ...protocols(scheme!.toLowerCase()),
  ];
}

/** Arguments that let an input lead to the network, and to one more protocol. */
function protocols(also: string): string[] {
  return ["-protocol_whitelist", [...NETWORK, also].join(",")];
}

/** The words of ffmpeg about an input that it has opened. */
export interface InputDescription {
  /** The names of its format, such as `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** True if its length and its size are known, as those of a file. */
  readonly whole: boolean;
}

/** The pace of an input by ffmpeg's words about it, or `unknown` if only its arrival can tell. */
export function paceOf({ format, whole }: InputDescription): Pace {
  // The parts of a running recording: each comes at once, and the next one after its time.
  if (/^(hls|applehttp|dash)/.test(format)) return "file";
  if (format === "mpjpeg") return "live";
  return whole ? "file" : "unknown";
}

/** True if the times that an input gives to its pictures are its own. */
export function isTimed({ format }: InputDescription): boolean {
  return !UNTIMED.test(format);
}

/** The number of lines with problems that are kept. */
const KEPT_PROBLEMS = 20;

/**
 * Milliseconds over which the lead is looked at, and the seconds that it may grow by in that time.
 */
const LEAD_MS = 500;
const LEAD_GROWTH = 0.25;

/** The least and the most milliseconds that an input is looked at. */
const LEAST_MS = 1000;
const MOST_MS = 3000;

/** Seconds by which no stream is ahead of its time. */
const MAX_LEAD = 30;

/** A line that our filters say. */
const MEASURED = /\[info\] (-?\d+\.\d{6}|-?nan)$/;

/** True of a line that our filters say of a picture, which is for `InputWords` only. */
export function isMeasured(line: string): boolean {
  return MEASURED.test(line);
}

/**
 * Listens to an ffmpeg with `-loglevel level+info`. Our filters tell the lead of each picture: the
 * seconds by which it is ahead of the time at which it comes. Or they tell that it is the second
 * one.
 */
export class InputWords {
  /** Resolves when ffmpeg has opened the input. */
  readonly described: Promise<InputDescription>;
  readonly #describe: (description: InputDescription) => void;
  readonly #problems: string[] = [];
  readonly #leads: { readonly atMs: number; readonly lead: number }[] = [];
  #format = "";
  #hasSound = false;

  /** Nothing has been said yet. */
  constructor() {
    const { promise, resolve } = Promise.withResolvers<InputDescription>();
    this.described = promise;
    this.#describe = resolve;
  }

  /** Hears a line; `atMs` is the time on a clock that never goes back. */
  hear(line: string, atMs = performance.now()): void {
    if (/\[(error|fatal|panic|warning)\]/.test(line)) {
      this.#problems.push(line);
      if (this.#problems.length > KEPT_PROBLEMS) this.#problems.shift();
      return;
    }
    if (/\[info\]\s+Stream #0.*: Audio: /.test(line)) this.#hasSound = true;
    const [, format] = /\[info\] Input #0, (.*), from /.exec(line) ?? [];
    if (format !== undefined) this.#format = format;
    const [, duration, bitrate] = /\[info\]\s+Duration: ([^,]*),.*bitrate: (.*)/.exec(line) ?? [];
    if (duration !== undefined && this.#format !== "") {
      const lasts = /[1-9]/.test(duration);
      this.#describe({ format: this.#format, whole: lasts && bitrate !== "N/A" });
    }
    const [, said] = MEASURED.exec(line) ?? [];
    if (said !== undefined) this.#leads.push({ atMs, lead: Number(said) });
  }

  /** The last lines that tell of a problem. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** True if the input says that it has sound. */
  get hasSound(): boolean {
    return this.#hasSound;
  }

  /** True if there was more than one picture. */
  get several(): boolean {
    return this.#leads.length > 0;
  }

  /** The pace of the pictures that came since `startMs`, as soon as that is clear. */
  verdict(startMs: number, atMs: number): "file" | "live" | undefined {
    const latest = this.#leads.at(-1)?.lead ?? 0;
    if (latest > MAX_LEAD) return "file";
    if (atMs - startMs < LEAST_MS) return undefined;
    const earlier = this.#leads.findLast((one) => one.atMs <= atMs - LEAD_MS)?.lead ?? 0;
    if (!(latest - earlier > LEAD_GROWTH)) return "live";
    return atMs - startMs >= MOST_MS ? "file" : undefined;
  }
}

/** The problem of a camera or an input, by ffmpeg's last words. */
export function diagnose(lastLines: readonly string[]): SourceError["kind"] {
  const text = lastLines.join("\n");
  if (/Device or resource busy|already in use|Could not run graph/i.test(text)) {
    return "busy";
  }
  if (/Permission denied|Operation not permitted|not authorized|40[13] (Unauth|Forb)/i.test(text)) {
    return "forbidden";
  }
  if (
    /No such (file|device)|Could not find (video device|no file with)|Could find no file with|Cannot open video device|Invalid device index|Video device not found|404 Not Found/i
      .test(text)
  ) return "missing";
  const refused = refusedFormat(lastLines);
  return refused !== undefined && LISTS.test(refused) ? "list" : "unreadable";
}

/** The format of an input that is not allowed to it. */
export function refusedFormat(lastLines: readonly string[]): string | undefined {
  const line = lastLines.find((one) => /Format not on whitelist/.test(one));
  return /\[([^\]@]+?) @ [^\]]*\]/.exec(line ?? "")?.[1];
}

/** Lines that tell the consequences of a failure and not its cause. */
const CONSEQUENCE =
  /Invalid data found|Input\/output error|I\/O error|Invalid argument|Error opening input|Did you mean|Immediate exit|Generic error|while decoding|splitting the input|Conversion failed|Nothing was (written|encoded)|Cannot determine format|Task finished|Terminating thread|Error (initializing|marking)|Error number|Server returned [45]XX/i;

/**
 * The line among ffmpeg's last ones that tells the cause, without the part of ffmpeg that says it.
 * It is the news that there is no picture in the input, or else the first line that is no mere
 * consequence.
 */
export function causeOf(lastLines: readonly string[]): string {
  const errors = lastLines.filter((line) => /\[(error|fatal|panic)\]|HTTP error/.test(line));
  const lines = (errors.length > 0 ? errors : lastLines).map((line) =>
    line.replace(/^(\[[^\]]*\]\s*)+/, "")
  );
  return lines.find((line) => /matches no streams|does not contain any stream/.test(line)) ??
    lines.find((line) => !CONSEQUENCE.test(line)) ?? lines.at(-1) ?? "";
}

/**
 * A URL, or a text with URLs in it, without the passwords in them: the text is going to be shown.
 */
export function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, "$1…@")
    .replace(/([?&](?:pass\w*|pwd|token|key|secret|auth)=)[^&\s]+/gi, "$1…");
}
