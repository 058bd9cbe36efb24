/**
 * Inputs that are no cameras: how ffmpeg is to open what the user named, and what it says of it. Pure.
 *
 * A name is a file first. To ffmpeg `aula:1.webm` is the protocol "aula", `shot%d.png` a numbered sequence and `-x.mp4` an
 * option. What somebody has called a file is therefore tried as one before ffmpeg's syntax is.
 */

import type { SourceError } from "../errors.ts";

/**
 * How the pictures of an input come. Of a `file` they come as fast as they are read, and our clock paces them. Those of
 * something `live` come as they are made. Those of a `steady` stream do as well, but in bundles: its own times are right.
 * Behind a URL there may be any of these, which only its arrival tells.
 */
export type Pace = "file" | "live" | "steady" | "unknown";

/** One way to open an input; the next one is tried where there is no such file. */
export interface Way {
  /** Arguments of ffmpeg, with the name of the input last. */
  readonly args: readonly string[];
  /** How its pictures come. */
  readonly pace: Pace;
  /** True where the times that it gives to its pictures are to be believed. */
  readonly timed: boolean;
  /** True of a file whose name promises that it opens no other one. */
  readonly alone: boolean;
}

/** Two letters at least: one is a drive of Windows. Some protocols of ffmpeg's have options behind a comma. */
const SCHEME = /^([a-z][a-z0-9+.-]+)[:,]/i;
const URL = /^[a-z][a-z0-9+.-]+:\/\//i;

/** Streams that are sent to us as their pictures are made. */
const LIVE = /^(rtsps?|rtmp[a-z]*|rtp|srtp?|rist|udp|udplite|tcp|tls|unix|mms[ht]?):|^\/dev\//i;

/** What is found behind a URL is a film by its name, such as `…/film.mp4?x=1`, or the stream of a camera. */
const WEB_FILM =
  /\.(mp4|m4v|mov|mkv|webm|avi|ogv|ogg|flv|m?2?ts|mpe?g|vob|mxf|wmv|asf|3gp|3g2|gif|m3u8|mpd)($|[?#])/i;

/** Formats without times: ffmpeg makes them up, 25 a second. */
const UNTIMED = /^(mpjpeg|mjpeg|\w+_pipe|h264|hevc|m4v|mpegvideo)$/;

/** Names of files that say that they lead to others. */
const NAMED_LIST = /\.(m3u8?|mpd|(ff)?concat|sdp|xml|avs|vpy)$/i;

/** Formats that make ffmpeg open other files, whatever the first one is called. */
const LISTS =
  /^(hls|applehttp|concat|dash|sdp|rtsp|imf|avisynth|vapoursynth|lavfi|webm_dash_manifest)/;

/**
 * Formats of video that open no other file: the usual ones. ffmpeg refuses the rest and names them, and those that are no
 * lists are then allowed as well.
 */
const ALONE = [
  ...["mov", "matroska", "avi", "flv", "mpegts", "mpeg", "mpegvideo", "ogg", "asf", "gif", "apng"],
  ...["image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe", "mjpeg", "mpjpeg"],
  ...["h264", "hevc", "m4v", "ivf", "mxf", "nut", "rm", "dv", "yuv4mpegpipe", "wav", "mp3", "aac"],
];

/** What a URL may lead to: the network, and never a file of this machine. Behind http ffmpeg sees to that itself. */
const NETWORK = [
  ...["http", "https", "httpproxy", "tls", "tcp", "udp", "udplite", "rtp", "srtp", "rtsp", "rtmp"],
  ...["rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts", "ffrtmpcrypt", "ffrtmphttp", "crypto", "data"],
  ...["srt", "rist", "ftp", "sftp", "smb"],
];

/** Endings that ffmpeg takes for a numbered sequence of pictures where there is a `%` in the name. */
const NUMBERED_PICTURE = /%.*\.(jpe?g|png|bmp|gif|tiff?|webp|p[bgnp]m|tga|jp2|exr|dpx|svg|ico)$/i;

/** Streams that wait for whoever sends them, and for nobody else afterwards. */
const LISTENING = /^[a-z][a-z0-9+.-]+:\/\/\S*[?&](listen(?!=0)|mode=listener)/i;

/** True for a stream that another program sends to us: whoever closes it has turned that program away. */
export function isSentToUs(input: string): boolean {
  return LISTENING.test(input);
}

/** The ways to open what the user named, the best first; the system by the names of `Deno.build.os`. */
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

/** Arguments that keep an input from opening what it must not; `also` is one more format that is allowed. */
export function guardArguments({ alone }: Way, also: string | undefined): string[] {
  return alone ? ["-format_whitelist", [...ALONE, ...(also ? [also] : [])].join(",")] : [];
}

/** The names under which ffmpeg may find what the user named. */
function namesOf(input: string, system: string): string[] {
  const [, scheme] = SCHEME.exec(input) ?? [];
  if (input.startsWith("/dev/")) return [input];
  if (scheme === undefined) return [`file:${input}`];
  if (scheme.toLowerCase() === "file") return [...new Set(filesOf(input.slice(5), system))];
  return URL.test(input) ? [input] : [`file:${input}`, input];
}

/** The files that may be meant by what stands behind `file:`: a path as it is, or the path of a URL. */
function filesOf(rest: string, system: string): string[] {
  const [, host, path] = /^\/\/([^/]*)(\/.*)$/.exec(rest) ?? [];
  if (path === undefined) return [`file:${rest}`, `file:${decoded(rest)}`];
  const own = host === "" || /^(localhost|127\.0\.0\.1)$/i.test(host!);
  const local = own ? path : system === "windows" ? `//${host}${path}` : rest;
  const drive = (one: string): string =>
    system === "windows" ? one.replace(/^\/([a-z])[:|](?=\/|$)/i, "$1:") : one;
  return [`file:${drive(decoded(local))}`, `file:${drive(local)}`];
}

/** A path without the percent signs of a URL, or as it is where they are none of those. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** What ffmpeg is told of a name besides. */
function optionsOf(name: string): string[] {
  const [, scheme] = SCHEME.exec(name) ?? [];
  // Whoever calls a file a list means what is on it.
  if (NAMED_LIST.test(name) && !URL.test(name)) return protocols("file");
  if (!URL.test(name) || /^file:/i.test(name)) return [];
  // A camera's few bytes a second would take long to be enough for ffmpeg to be sure what they are.
  if (/^https?:/i.test(name)) return WEB_FILM.test(name) ? [] : ["-formatprobesize", "32768"];
  return [
    // Many networks lose the datagrams of a camera; UDP is tried where the camera does not have TCP.
    ...(/^rtsps?$/i.test(scheme!) ? ["-rtsp_flags", "prefer_tcp"] : []),
    ...protocols(scheme!.toLowerCase()),
  ];
}

/** Arguments that let an input lead to the network, and by one protocol more. */
function protocols(also: string): string[] {
  return ["-protocol_whitelist", [...NETWORK, also].join(",")];
}

/** What ffmpeg says of an input that it has opened. */
export interface InputDescription {
  /** The names of its format, such as `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  /** True where it is known how long and how large it is, as of a file. */
  readonly whole: boolean;
}

/** How an input comes by what ffmpeg says of it, or `unknown` where only its arrival can tell. */
export function paceOf({ format, whole }: InputDescription): Pace {
  // Parts of a recording that goes on: each comes at once, and the next one after its time.
  if (/^(hls|applehttp|dash)/.test(format)) return "file";
  if (format === "mpjpeg") return "live";
  return whole ? "file" : "unknown";
}

/** True where the times that an input gives to its pictures are its own. */
export function isTimed({ format }: InputDescription): boolean {
  return !UNTIMED.test(format);
}

/** How many lines with problems are kept. */
const KEPT_PROBLEMS = 20;

/** Over how long the lead is looked at, in milliseconds, and by how much it may grow in that time, in seconds. */
const LEAD_MS = 500;
const LEAD_GROWTH = 0.25;

/** How long an input is looked at, in milliseconds, at least and at most. */
const LEAST_MS = 1000;
const MOST_MS = 3000;

/** No stream is this far ahead of its time, in seconds. */
const MAX_LEAD = 30;

/** A line that our filters say. */
const MEASURED = /\[info\] (-?\d+\.\d{6}|-?nan)$/;

/** True of a line that our filters say of a picture, which is for `InputWords` only. */
export function isMeasured(line: string): boolean {
  return MEASURED.test(line);
}

/**
 * Listens to an ffmpeg with `-loglevel level+info`. Our filters say for each picture how far it is ahead of the time at
 * which it comes, which is the lead, or that it is the second one.
 */
export class InputWords {
  /** Resolves when ffmpeg has opened the input. */
  readonly described: Promise<InputDescription>;
  readonly #describe: (description: InputDescription) => void;
  readonly #problems: string[] = [];
  readonly #leads: { readonly atMs: number; readonly lead: number }[] = [];
  #format = "";

  /** Nothing was said yet. */
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

  /** True where there was more than one picture. */
  get several(): boolean {
    return this.#leads.length > 0;
  }

  /** How the pictures come that came since `startMs`, as soon as that is clear. */
  verdict(startMs: number, atMs: number): "file" | "live" | undefined {
    const latest = this.#leads.at(-1)?.lead ?? 0;
    if (latest > MAX_LEAD) return "file";
    if (atMs - startMs < LEAST_MS) return undefined;
    const earlier = this.#leads.findLast((one) => one.atMs <= atMs - LEAD_MS)?.lead ?? 0;
    if (!(latest - earlier > LEAD_GROWTH)) return "live";
    return atMs - startMs >= MOST_MS ? "file" : undefined;
  }
}

/** What ffmpeg's last words say is the matter with a camera or an input. */
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

/** The format that an input has and may not have. */
export function refusedFormat(lastLines: readonly string[]): string | undefined {
  const line = lastLines.find((one) => /Format not on whitelist/.test(one));
  return /\[([^\]@]+?) @ [^\]]*\]/.exec(line ?? "")?.[1];
}

/** Lines that tell what followed from a failure and not why. */
const CONSEQUENCE =
  /Invalid data found|Input\/output error|I\/O error|Invalid argument|Error opening input|Did you mean|Immediate exit|Generic error|while decoding|splitting the input|Conversion failed|Nothing was (written|encoded)|Cannot determine format|Task finished|Terminating thread|Error (initializing|marking)|Error number|Server returned [45]XX/i;

/**
 * The line among ffmpeg's last ones that says why, without the part of ffmpeg that says it: that there is no picture in what it
 * read, or else the first one that is no mere consequence.
 */
export function causeOf(lastLines: readonly string[]): string {
  const errors = lastLines.filter((line) => /\[(error|fatal|panic)\]|HTTP error/.test(line));
  const lines = (errors.length > 0 ? errors : lastLines).map((line) =>
    line.replace(/^(\[[^\]]*\]\s*)+/, "")
  );
  return lines.find((line) => /matches no streams|does not contain any stream/.test(line)) ??
    lines.find((line) => !CONSEQUENCE.test(line)) ?? lines.at(-1) ?? "";
}

/** A URL, or a text with URLs in it, without the passwords that stand in them: it is going to be shown. */
export function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, "$1…@")
    .replace(/([?&](?:pass\w*|pwd|token|key|secret|auth)=)[^&\s]+/gi, "$1…");
}
