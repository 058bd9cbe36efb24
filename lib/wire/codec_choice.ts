/**
 * The codec that a link carries, for a call whose codec follows the link.
 *
 * Terms. A picture's *time* is the time for which it occupies the link. Sound that comes behind it
 * waits for as long. The *share* is the part of the link that pictures and sound take together.
 *
 * Goal. Raw pictures where one takes so little time that sound is not late, else MJPEG, else H.264
 * with Opus. It is settled within a second. A link that gets worse is noticed within two. A stall
 * is no reason to change.
 *
 * Means. A call begins with MJPEG: on a slow link one picture of it is soon over, on a quick one it
 * is as good. No ack within 300 ms means a slow link. Its pictures are too small to measure a quick
 * link: the answer takes longer than the picture. So raw pictures are tried for a moment where that
 * cannot hurt, and their pace decides. During the call, a fifth of the pictures dropped in two
 * seconds running means that the codec is too much. A way up is tried after a while, and after each
 * failure later.
 *
 * Limits. Nothing is known of a link that carries other people's bytes a moment later.
 *
 * Pure: the caller hands in the time.
 */

import { type Codec, rawFrameBytes, type SoundCodec, type VideoFormat } from "../frame/format.ts";

/** The most milliseconds of the link that a raw picture may take. */
const RAW_MS = 15;

/** The most milliseconds that it may take by a first measure, so that it is worth a try. */
const TRY_RAW_MS = 60;

/** The most milliseconds of the try. */
const TRY_MS = 400;

/** Milliseconds without an ack after the first picture, which tell a slow link. */
const NO_ACK_MS = 300;

/** Milliseconds after which the first measure is trusted. */
const FIRST_MEASURE_MS = 150;

/**
 * The largest share of the link, and the largest on the way up from H.264: its small pictures
 * measure a link as slower than it is.
 */
const MOST_SHARE = 0.7;
const MOST_SHARE_UP = 0.85;

/** Bytes a second of PCM on the wire, with all that is around it. */
const PCM_BYTES_PER_SECOND = 105_000;

/** Milliseconds of a window in which drops are counted, and the windows in a row that decide. */
const WINDOW_MS = 1000;
const BAD_WINDOWS = 2;

/** The part of the pictures that may be dropped in a window. */
const MOST_DROPPED = 0.2;

/** Milliseconds until a way up is tried, at first and at most. */
const FIRST_UP_MS = 5000;
const MOST_UP_MS = 600_000;

/**
 * Milliseconds until a way up from H.264 is tried. Its small pictures fit into the buffers of a
 * slow link at once, and make it look quick. A try that fails costs a second of good sound.
 */
const UP_FROM_H264_MS = 60_000;

/** The size of a JPEG as a part of the raw picture's, before one was seen (measured: 1/19 to 1/7). */
const JPEG_PART = 1 / 12;

/** What is known of a line that sends. */
export interface SendFacts {
  /** Pictures handed to the link since the call began. */
  readonly sent: number;
  /** Pictures that found no room in it. */
  readonly dropped: number;
  /** Bytes of pictures handed to the link. */
  readonly pictureBytes: number;
  /** The rate of the link in bytes a millisecond. Nothing before the first ack. */
  readonly linkRate: number | undefined;
  /** The round trip of the link in milliseconds, as far as it is known. */
  readonly roundTripMs: number | undefined;
}

/** The codecs of a call from now on. */
export interface Choice {
  /** The codec of the pictures. */
  readonly codec: Codec;
  /** The codec of the sound. */
  readonly sound: SoundCodec;
  /** True while it is only a try, which is not worth a word. */
  readonly isTry: boolean;
}

/** Chooses the codec of one call. It begins with MJPEG and PCM. */
export class CodecChoice {
  readonly #format: VideoFormat;
  readonly #has: ReadonlySet<Codec>;
  #codec: Codec = "mjpeg";
  #phase: "unmeasured" | "trying" | "settled" = "unmeasured";
  #sinceMs: number | undefined;
  #window: { readonly facts: SendFacts; readonly sinceMs: number } | undefined;
  #badWindows = 0;
  #upMs = FIRST_UP_MS;
  #upAtMs = 0;
  #jpegBytes: number;

  /** For pictures of this size and rate, in the codecs that there are. */
  constructor(format: VideoFormat, codecs: readonly Codec[]) {
    this.#format = format;
    this.#has = new Set(codecs);
    this.#jpegBytes = rawFrameBytes(format) * JPEG_PART;
  }

  /** Takes the present facts, about ten times a second. Returns the choice if it is news. */
  look(facts: SendFacts, nowMs: number): Choice | undefined {
    if (facts.sent === 0) return undefined;
    this.#sinceMs ??= nowMs;
    const elapsedMs = nowMs - this.#sinceMs;
    switch (this.#phase) {
      case "unmeasured":
        return this.#measure(facts, elapsedMs, nowMs);
      case "trying":
        return elapsedMs < TRY_MS && !this.#carriesRaw(facts)
          ? undefined
          : this.#settle(this.#carriesRaw(facts) ? "raw" : "mjpeg", nowMs);
      case "settled":
        return this.#watch(facts, nowMs);
    }
  }

  #measure(facts: SendFacts, elapsedMs: number, nowMs: number): Choice | undefined {
    if (facts.linkRate === undefined) {
      const patienceMs = NO_ACK_MS + (facts.roundTripMs ?? 0);
      return elapsedMs >= patienceMs ? this.#settle("h264", nowMs) : undefined;
    }
    if (elapsedMs < FIRST_MEASURE_MS) return undefined;
    this.#noteJpeg(facts);
    const linkRate = this.#rate(facts);
    if (this.#mayTryRaw(linkRate)) return this.#tryRaw(nowMs);
    return this.#settle(this.#carriesJpeg(linkRate) ? "mjpeg" : "h264", nowMs);
  }

  /** Looks for drops, and for a way up when there were none for long. */
  #watch(facts: SendFacts, nowMs: number): Choice | undefined {
    const window = this.#window ??= { facts, sinceMs: nowMs };
    if (nowMs - window.sinceMs < WINDOW_MS) return undefined;
    this.#window = { facts, sinceMs: nowMs };
    const dropped = facts.dropped - window.facts.dropped;
    const all = facts.sent - window.facts.sent + dropped;
    if (this.#codec === "mjpeg") this.#noteJpeg(facts, window.facts);
    const isBad = all > 0 && dropped > all * MOST_DROPPED || this.#isLateRaw(facts);
    this.#badWindows = isBad ? this.#badWindows + 1 : 0;
    if (this.#badWindows >= BAD_WINDOWS) return this.#down(nowMs);
    return this.#badWindows === 0 && nowMs >= this.#upAtMs ? this.#up(facts, nowMs) : undefined;
  }

  /** True if raw pictures take twice the time that they may. */
  #isLateRaw({ linkRate = 0 }: SendFacts): boolean {
    return this.#codec === "raw" && rawFrameBytes(this.#format) > linkRate * RAW_MS * 2;
  }

  #down(nowMs: number): Choice | undefined {
    this.#upMs = Math.min(this.#upMs * 2, MOST_UP_MS);
    return this.#settle(this.#codec === "raw" ? "mjpeg" : "h264", nowMs);
  }

  #up(facts: SendFacts, nowMs: number): Choice | undefined {
    if (facts.linkRate === undefined || this.#codec === "raw") return undefined;
    const linkRate = this.#rate(facts);
    this.#upAtMs = nowMs + this.#upMs;
    if (this.#codec === "h264") {
      return this.#carriesJpeg(linkRate) ? this.#settle("mjpeg", nowMs) : undefined;
    }
    return this.#mayTryRaw(linkRate) ? this.#tryRaw(nowMs) : undefined;
  }

  #tryRaw(nowMs: number): Choice {
    this.#phase = "trying";
    this.#sinceMs = nowMs;
    this.#codec = "raw";
    return { codec: "raw", sound: "pcm", isTry: true };
  }

  #settle(wanted: Codec, nowMs: number): Choice | undefined {
    const codec = this.#has.has(wanted) ? wanted : "mjpeg";
    const wasTry = this.#phase === "trying";
    const isNews = this.#phase !== "settled" || codec !== this.#codec;
    if (wasTry && codec !== "raw") this.#upMs = Math.min(this.#upMs * 4, MOST_UP_MS);
    this.#phase = "settled";
    this.#codec = codec;
    this.#window = undefined;
    this.#badWindows = 0;
    this.#upAtMs = nowMs + Math.max(this.#upMs, codec === "h264" ? UP_FROM_H264_MS : 0);
    return isNews ? { codec, sound: codec === "h264" ? "opus" : "pcm", isTry: false } : undefined;
  }

  /**
   * The rate of the link without the round trip, which is in every measure. It matters where a
   * picture takes less time than its ack.
   */
  #rate({ linkRate = 0, roundTripMs = 0, pictureBytes, sent }: SendFacts): number {
    const bytes = sent > 0 ? pictureBytes / sent : 0;
    const tookMs = bytes / Math.max(linkRate, 1e-6);
    // The round trip is not known better than to a part of it.
    return bytes / Math.max(tookMs - roundTripMs, tookMs / 10, 0.05);
  }

  /** Notes the mean size of the JPEGs that were sent since then. */
  #noteJpeg(facts: SendFacts, since?: SendFacts): void {
    const count = facts.sent - (since?.sent ?? 0);
    if (count > 0) this.#jpegBytes = (facts.pictureBytes - (since?.pictureBytes ?? 0)) / count;
  }

  #mayTryRaw(linkRate: number): boolean {
    return this.#has.has("raw") && rawFrameBytes(this.#format) / linkRate <= TRY_RAW_MS;
  }

  #carriesRaw({ linkRate = 0 }: SendFacts): boolean {
    const bytes = rawFrameBytes(this.#format);
    return bytes <= linkRate * RAW_MS && this.#fits(bytes, linkRate);
  }

  #carriesJpeg(linkRate: number): boolean {
    return this.#fits(this.#jpegBytes, linkRate);
  }

  /**
   * True if pictures of that many bytes and PCM have room on the link. PCM that flows already has
   * its part of the link, and the measured rate is without it.
   */
  #fits(bytes: number, linkRate: number): boolean {
    const [more, share] = this.#codec === "h264"
      ? [PCM_BYTES_PER_SECOND, MOST_SHARE_UP]
      : [0, MOST_SHARE];
    return bytes * this.#format.fps + more <= linkRate * 1000 * share;
  }
}
