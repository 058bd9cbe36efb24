/**
 * The codec that a link carries, for a call whose codec follows the link.
 *
 * Terms. A picture's *time* is the time for which it occupies the link. Sound that comes behind it
 * waits for as long. The *share* is the part of the link that pictures and sound take together.
 *
 * Goal. Raw pictures where one takes so little time that sound is not late, else MJPEG, else H.264
 * with Opus. It is settled within a second. A link that gets worse is noticed within three. A
 * stall is no reason to change.
 *
 * Start. A call begins with MJPEG. A link that measures quick is believed at once. One that looks
 * slow is given more than half a second, because programs are busy with their beginning. Then it
 * is slow if no ack has come, if a fifth of the pictures were dropped, or if it measures slow even
 * with the round trip taken off. Where that is not known, only acks and drops decide.
 *
 * Call. A fifth of the pictures dropped in two seconds running means a step down.
 *
 * Way up. A step up is a try, which ends as soon as it is slow. The user is not told of it, and the
 * sound stays as it is. The first one comes soon, and mends a start that was wrong. After each
 * failure the next one is later. There is none where the link measures slow as it is.
 *
 * Limits. Nothing is known of a link that carries other people's bytes a moment later.
 *
 * Pure: the caller hands in the time.
 */

import { type Codec, rawFrameBytes, type SoundCodec, type VideoFormat } from "../frame/format.ts";
import { type Delivery, type LinkFacts, rateOf } from "./send_window.ts";

/** The most milliseconds of the link that a raw picture may take. */
const RAW_MS = 15;

/** The most milliseconds that it may take by a first measure, so that it is worth a try. */
const TRY_RAW_MS = 60;

/** Milliseconds of a try of raw pictures at most. A try of MJPEG is judged from then on. */
const TRY_MS = 400;

/** Milliseconds of a try of MJPEG that succeeds. */
const TRY_JPEG_MS = 1500;

/** Milliseconds after which a quick link is believed, and those after which a slow one is. */
const QUICK_MS = 150;
const SLOW_MS = 600;

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

/** The part of the pictures that may be dropped. */
const MOST_DROPPED = 0.2;

/** Milliseconds until a way up is tried, at first and at most. */
const FIRST_UP_MS = 5000;
const MOST_UP_MS = 600_000;

/** How many times later the next try is after one that failed. */
const LATER = 4;

/**
 * The least milliseconds until a way up from H.264 is tried, but for the first. A try that fails
 * makes sound late for a moment.
 */
const UP_FROM_H264_MS = 60_000;

/** The size of a JPEG as a part of the raw picture's, before one was seen (measured: 1/19 to 1/7). */
const JPEG_PART = 1 / 12;

/** What is known of a line that sends. */
export interface SendFacts extends LinkFacts {
  /** Pictures handed to the link since the call began. */
  readonly sent: number;
  /** Pictures that found no room in it. */
  readonly dropped: number;
  /** Bytes of pictures handed to the link. */
  readonly pictureBytes: number;
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

/** Facts and their time, from which later ones are counted. */
interface Since {
  readonly facts: SendFacts;
  readonly ms: number;
}

/** Chooses the codec of one call. It begins with MJPEG and PCM. */
export class CodecChoice {
  readonly #format: VideoFormat;
  readonly #has: ReadonlySet<Codec>;
  readonly #rawBytes: number;
  #codec: Codec = "mjpeg";
  #phase: "starting" | "trying" | "settled" = "starting";
  /** The codec that was settled before a try. Nothing until one is. */
  #before: Codec | undefined;
  #since: Since | undefined;
  #badWindows = 0;
  #upMs = FIRST_UP_MS;
  #upAtMs = 0;
  /** The mean size of the latest JPEGs. */
  #jpegBytes: number;

  /** For pictures of this size and rate, in the codecs that there are. */
  constructor(format: VideoFormat, codecs: readonly Codec[]) {
    this.#format = format;
    this.#has = new Set(codecs);
    this.#rawBytes = rawFrameBytes(format);
    this.#jpegBytes = this.#rawBytes * JPEG_PART;
  }

  /** Takes the present facts, about ten times a second. Returns the choice if it is news. */
  look(facts: SendFacts, nowMs: number): Choice | undefined {
    if (facts.sent === 0) return undefined;
    const begin = { ...facts, sent: 0, dropped: 0, pictureBytes: 0 };
    const since = this.#since ??= { facts: begin, ms: nowMs };
    switch (this.#phase) {
      case "starting":
        return this.#start(facts, since, nowMs);
      case "trying":
        return this.#try(facts, since, nowMs);
      case "settled":
        return this.#watch(facts, since, nowMs);
    }
  }

  #start(facts: SendFacts, since: Since, nowMs: number): Choice | undefined {
    const elapsedMs = nowMs - since.ms;
    if (elapsedMs < QUICK_MS) return undefined;
    this.#noteJpeg(facts, since.facts);
    if (this.#mayTryRaw(facts)) return this.#begin("raw", facts, nowMs);
    if (this.#carriesJpeg(facts)) return this.#settle("mjpeg", facts, nowMs);
    if (elapsedMs < SLOW_MS) return undefined;
    return this.#settle(this.#isSlow(facts, since.facts) ? "h264" : "mjpeg", facts, nowMs);
  }

  /** Looks at a try, and ends it. */
  #try(facts: SendFacts, since: Since, nowMs: number): Choice | undefined {
    // The encoder may have to start.
    const hasBegun = facts.sent + facts.dropped > since.facts.sent + since.facts.dropped;
    if (!hasBegun) this.#since = { facts, ms: nowMs };
    const elapsedMs = nowMs - this.#since!.ms;
    const before = this.#before ?? "mjpeg";
    if (this.#codec === "raw") {
      if (this.#carriesRaw(facts)) return this.#settle("raw", facts, nowMs);
      return elapsedMs < TRY_MS ? undefined : this.#settle(before, facts, nowMs);
    }
    if (elapsedMs < TRY_MS) return undefined;
    this.#noteJpeg(facts, since.facts);
    if (this.#isSlow(facts, since.facts)) return this.#settle(before, facts, nowMs);
    return elapsedMs < TRY_JPEG_MS ? undefined : this.#settle("mjpeg", facts, nowMs);
  }

  /** Looks for drops, and for a way up when there were none for long. */
  #watch(facts: SendFacts, since: Since, nowMs: number): Choice | undefined {
    if (nowMs - since.ms < WINDOW_MS) return undefined;
    this.#since = { facts, ms: nowMs };
    this.#noteJpeg(facts, since.facts);
    const isBad = dropsMany(facts, since.facts) || this.#isLateRaw(facts);
    this.#badWindows = isBad ? this.#badWindows + 1 : 0;
    if (this.#badWindows >= BAD_WINDOWS) return this.#down(facts, nowMs);
    return this.#badWindows === 0 && nowMs >= this.#upAtMs ? this.#up(facts, nowMs) : undefined;
  }

  /** True if raw pictures take twice the time that they may. */
  #isLateRaw(facts: SendFacts): boolean {
    return this.#codec === "raw" && this.#rawMs(facts) > RAW_MS * 2;
  }

  #down(facts: SendFacts, nowMs: number): Choice | undefined {
    this.#upMs = Math.min(this.#upMs * 2, MOST_UP_MS);
    return this.#settle(this.#codec === "raw" ? "mjpeg" : "h264", facts, nowMs);
  }

  #up(facts: SendFacts, nowMs: number): Choice | undefined {
    this.#upAtMs = nowMs + this.#upMs;
    if (this.#codec === "h264" && !this.#measuresSlow(facts)) {
      return this.#begin("mjpeg", facts, nowMs);
    }
    if (this.#codec === "mjpeg" && this.#mayTryRaw(facts)) return this.#begin("raw", facts, nowMs);
    return undefined;
  }

  /** Begins a try. */
  #begin(codec: Codec, facts: SendFacts, nowMs: number): Choice {
    this.#before = this.#phase === "settled" ? this.#codec : undefined;
    this.#phase = "trying";
    this.#codec = codec;
    this.#since = { facts, ms: nowMs };
    return { codec, sound: soundWith(this.#before ?? "mjpeg"), isTry: true };
  }

  #settle(wanted: Codec, facts: SendFacts, nowMs: number): Choice | undefined {
    const codec = this.#has.has(wanted) ? wanted : "mjpeg";
    const phase = this.#phase;
    const isNews = phase !== "settled" || codec !== this.#codec;
    const hasFailed = phase === "trying" && codec === (this.#before ?? "mjpeg");
    if (hasFailed) this.#upMs = Math.min(this.#upMs * LATER, MOST_UP_MS);
    // Back from a try, the user is told nothing that he knows.
    const isTry = hasFailed && this.#before !== undefined;
    this.#phase = "settled";
    this.#codec = codec;
    this.#since = { facts, ms: nowMs };
    this.#badWindows = 0;
    const leastMs = codec === "h264" && phase !== "starting" ? UP_FROM_H264_MS : 0;
    this.#upAtMs = nowMs + Math.max(this.#upMs, leastMs);
    return isNews ? { codec, sound: soundWith(codec), isTry } : undefined;
  }

  /** Notes the mean size of the JPEGs that were sent since then. */
  #noteJpeg(facts: SendFacts, since: SendFacts): void {
    const count = facts.sent - since.sent;
    if (this.#codec !== "mjpeg" || count === 0) return;
    this.#jpegBytes = (facts.pictureBytes - since.pictureBytes) / count;
  }

  /** True if the link carries too little for MJPEG, by the pictures since then. */
  #isSlow(facts: SendFacts, since: SendFacts): boolean {
    return facts.delivery === undefined || dropsMany(facts, since) || this.#measuresSlow(facts);
  }

  /** True if the link is too slow for MJPEG even if the ack took the whole round trip. */
  #measuresSlow({ delivery, roundTripMs = Infinity }: SendFacts): boolean {
    return delivery !== undefined && !this.#fits(this.#jpegBytes, lessTrip(delivery, roundTripMs));
  }

  #mayTryRaw(facts: SendFacts): boolean {
    return this.#has.has("raw") && this.#rawMs(facts) <= TRY_RAW_MS;
  }

  /** True if the link carries raw pictures, by one of them. */
  #carriesRaw(facts: SendFacts): boolean {
    const isRaw = (facts.delivery?.frameBytes ?? 0) >= this.#rawBytes;
    return isRaw && this.#rawMs(facts) <= RAW_MS && this.#fits(this.#rawBytes, this.#rate(facts));
  }

  #carriesJpeg(facts: SendFacts): boolean {
    return this.#fits(this.#jpegBytes, this.#rate(facts));
  }

  /** Milliseconds of the link that a raw picture takes. */
  #rawMs(facts: SendFacts): number {
    return this.#rawBytes / this.#rate(facts);
  }

  /** The least rate of the link in bytes a millisecond. Zero before the first ack. */
  #rate({ delivery, sureTripMs }: SendFacts): number {
    if (delivery === undefined) return 0;
    // Where the next picture leaves before the ack, there may be no round trip in the measure.
    const isAlone = delivery.ms <= 900 / this.#format.fps;
    return isAlone ? lessTrip(delivery, sureTripMs) : rateOf(delivery);
  }

  /**
   * True if pictures of that many bytes and PCM have room on the link. PCM that flows already has
   * its part of the link, and the measured rate is without it.
   */
  #fits(bytes: number, linkRate: number): boolean {
    const [more, share] = this.#sound === "opus"
      ? [PCM_BYTES_PER_SECOND, MOST_SHARE_UP]
      : [0, MOST_SHARE];
    return bytes * this.#format.fps + more <= linkRate * 1000 * share;
  }

  /** The codec of the sound. It stays as it is during a try. */
  get #sound(): SoundCodec {
    return soundWith(this.#phase === "trying" ? this.#before ?? "mjpeg" : this.#codec);
  }
}

/** The rate of a delivery less the round trip, which is not known better than to a part. */
function lessTrip({ bytes, ms }: Delivery, roundTripMs: number): number {
  return bytes / Math.max(ms - roundTripMs, ms / 10, 0.05);
}

/** True if too many pictures were dropped since then. */
function dropsMany(facts: SendFacts, since: SendFacts): boolean {
  const dropped = facts.dropped - since.dropped;
  return dropped > (facts.sent - since.sent + dropped) * MOST_DROPPED;
}

/** The codec of the sound beside pictures of this one. */
function soundWith(codec: Codec): SoundCodec {
  return codec === "h264" ? "opus" : "pcm";
}
