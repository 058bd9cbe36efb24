/**
 * The attempts to open an input, one way after the other. ffmpeg's words about a failure, or the
 * manner in which pictures come, may ask for the same way once more with other arguments.
 */

import { within } from "../clock.ts";
import { SourceError, type SourceIdentity } from "../errors.ts";
import type { VideoFormat } from "../frame/format.ts";
import type { Source } from "../frame/source.ts";
import type { ChildWatch } from "./child.ts";
import { ChildSource, ENDING_MS } from "./child_source.ts";
import { ENCODERS, outputArguments } from "./conversion.ts";
import { type Ffmpeg, findFfmpeg } from "./ffmpeg.ts";
import {
  causeOf,
  diagnose,
  guardArguments,
  isTimed,
  paceOf,
  refusedFormat,
  type Way,
  withoutSecrets,
} from "./input.ts";
import { Opening, type Picture } from "./opening.ts";

/** The frames to make of an input, and the listeners to its opening. */
export interface WayOptions {
  /** The format of the frames. */
  readonly format: VideoFormat;
  /** True if left and right are exchanged. */
  readonly mirror: boolean;
  /**
   * True if the sound of an input is wanted beside its pictures, where it has any. The test picture
   * then ticks and flashes.
   */
  readonly sound?: boolean | undefined;
  /** Hears once the name of an input that exists and has not given a picture yet. */
  readonly onWaiting?: (name: string) => void;
  /** Hears each way that was tried to open it, and the result. */
  readonly onWay?: (text: string) => void;
  /** Hears what its ffmpegs do. */
  readonly watch?: ChildWatch | undefined;
}

/**
 * Milliseconds that a source may take to give its first frame. A stream that can be shown may give
 * its first picture late. ffmpeg itself gives up after 5 s if nothing answers.
 */
const OPEN_MS = 10_000;
const STREAM_MS = 30_000;

/** Milliseconds after which the user hears that an input is waited for. */
const NOTICE_MS = 5000;

/** Milliseconds between two looks at a stream whose nature is not clear yet. */
const LOOK_MS = 100;

const BEFORE_INPUT = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info"];

/**
 * Opens a source in the first way that works. Resolves when its first frame is there. Throws
 * `SourceError`, `NotInstalledError`, `FfmpegError`, or the signal's reason when aborted before.
 */
export async function openWays(
  ways: readonly Way[],
  what: SourceIdentity,
  options: WayOptions,
  signal: AbortSignal,
): Promise<Source> {
  return await new Attempts(ways, what, options).run(signal);
}

/**
 * The result of an attempt: the way in which the input is to be opened, now that its pictures come,
 * or the reason why it is not open. A cover is the only picture of a song.
 */
type Look = Way | "cover" | "silent" | "failed";

/** The ways that are still to be tried, and all that earlier attempts have taught. */
class Attempts {
  readonly #ways: Way[];
  readonly #count: number;
  readonly #what: SourceIdentity;
  readonly #options: WayOptions;
  readonly #isStream: boolean;
  #notice: WayOptions["onWaiting"];
  #withSound: boolean;
  #passthrough: Ffmpeg["passthrough"] = "-fps_mode";
  #isAsked = false;
  /** A format that is allowed to the input beside the usual ones. */
  #also: string | undefined;
  #failure: SourceError | undefined;

  constructor(ways: readonly Way[], what: SourceIdentity, options: WayOptions) {
    const { isCamera } = what;
    this.#ways = [...ways];
    this.#count = ways.length;
    this.#what = what;
    this.#options = options;
    this.#isStream = !isCamera && ways.some(({ pace }) => pace !== "file");
    this.#notice = this.#isStream ? options.onWaiting : undefined;
    this.#withSound = (options.sound ?? false) && !isCamera;
  }

  async run(signal: AbortSignal): Promise<Source> {
    for (let way = this.#ways.shift(); way; way = this.#ways.shift()) {
      signal.throwIfAborted();
      const source = await this.#try(way, signal);
      if (source) return source;
    }
    throw this.#failure ?? new SourceError("unreadable", this.#what);
  }

  /** Opens the input in a way. If it is not opened, the next attempt is in the first way left. */
  async #try(way: Way, signal: AbortSignal): Promise<Source | undefined> {
    const { format, mirror, watch } = this.#options;
    const { pace, timed, args } = way;
    const what = this.#what;
    const before = [...BEFORE_INPUT, ...guardArguments(way, this.#also), ...args];
    const sound = this.#withSound ? timed ? "steady" : "fast" : undefined;
    const output = { mirror, live: !timed, sound, passthrough: this.#passthrough } as const;
    const observed = pace === "unknown" ? "lead" : pace === "file" ? "second" : undefined;
    const watched = outputArguments(format, { ...output, observed });
    const opening = new Opening([...before, ...watched], { format, sound, watch });
    const look = await this.#look(opening, way, signal);
    if (typeof look === "object" && isRight(look, way, opening)) {
      this.#tell(way, `opened, ${look.pace === "live" ? "as it comes" : "paced by our clock"}`);
      const still = outputArguments(format, { ...output, sound: undefined, still: true });
      const hold = look.pace === "file"
        ? (): Opening => new Opening([...before, ...still], { format, watch })
        : undefined;
      return new ChildSource(opening, { format, what, pace: look.pace, hold });
    }
    await opening.stop();
    signal.throwIfAborted();
    await this.#learn(look, way, opening.words);
    return undefined;
  }

  /** Waits for the first picture, and finds out in what manner the pictures come. */
  async #look(opening: Opening, way: Way, signal: AbortSignal): Promise<Look> {
    const abort = (): void => void opening.stop();
    signal.addEventListener("abort", abort, { once: true });
    using _listening = { [Symbol.dispose]: () => signal.removeEventListener("abort", abort) };
    const first = await this.#first(opening);
    if (!first) return first === null ? "failed" : "silent";
    const isFilm = way.pace === "file" && opening.sound !== undefined;
    if (isFilm && await opening.isOnly(first, ENDING_MS)) return "cover";
    if (!isFilm) opening.putBack(first);
    return way.pace === "unknown" ? await judge(opening, way) : way;
  }

  /** The first picture, `null` if there is none, or nothing if it takes too long. */
  async #first(opening: Opening): Promise<Picture | null | undefined> {
    const slow = setTimeout(() => {
      this.#notice?.(this.#what.name);
      this.#notice = undefined;
    }, NOTICE_MS);
    const first = await within(opening.next(), this.#isStream ? STREAM_MS : OPEN_MS);
    clearTimeout(slow);
    return first;
  }

  /** Decides on the next attempt. Throws `SourceError` where another one is in vain. */
  async #learn(look: Look, way: Way, { problems, hasSound }: Opening["words"]): Promise<void> {
    if (look === "cover") {
      // A cover lasts until somebody hangs up. The song behind it does not.
      this.#withSound = false;
      this.#ways.unshift(way);
    } else if (typeof look === "object") {
      this.#tell(way, "opened otherwise than it comes");
      // It is another kind of input than the way assumed: it is opened once more from its
      // beginning.
      this.#ways.unshift(look);
    } else if (this.#withSound && hasSound) {
      // Its sound may be what cannot be read, or what never comes.
      this.#tell(way, "not with its sound");
      this.#withSound = false;
      this.#ways.unshift(way);
    } else if (look === "silent") {
      this.#tell(way, "no picture in time");
      throw new SourceError("silent", this.#what);
    } else {
      await this.#learnFrom(problems, way);
    }
  }

  /** Decides on the next attempt by ffmpeg's words about its failure. */
  async #learnFrom(problems: readonly string[], way: Way): Promise<void> {
    const kind = diagnose(problems);
    this.#tell(way, `${kind}, ${problems.at(-1) ?? "without a word"}`);
    const refused = kind === "list" ? undefined : refusedFormat(problems);
    if (this.#allow(refused) || await this.#askFfmpeg()) {
      this.#ways.unshift(way);
      return;
    }
    const cause = causeOf(problems).replace(`${way.args.at(-1)}: `, "");
    // The first failure is that of the wanted way. It does not count if it only says that a name is
    // no file's.
    const isVain = this.#failure?.kind === "missing" && !/^Protocol not found/.test(cause);
    if (!this.#failure || isVain) {
      this.#failure = new SourceError(kind, this.#what, withoutSecrets(cause));
    }
    if (this.#what.isCamera ? kind !== "unreadable" : kind === "list") this.#ways.length = 0;
  }

  /** Allows a format to the input. Returns false if that is nothing new. */
  #allow(format: string | undefined): boolean {
    const isNew = format !== undefined && format !== this.#also;
    if (isNew) this.#also = format;
    return isNew;
  }

  /**
   * Asks ffmpeg, once, what it is. Resolves to true if it wants other arguments. The question comes
   * late on purpose. It takes as long as a camera takes to open, and an ffmpeg that works need not
   * be asked.
   */
  async #askFfmpeg(): Promise<boolean> {
    if (this.#isAsked) return false;
    this.#isAsked = true;
    const { format, watch } = this.#options;
    const { passthrough } = await findFfmpeg(ENCODERS[format.codec], watch);
    const isOther = passthrough !== this.#passthrough;
    this.#passthrough = passthrough;
    return isOther;
  }

  #tell({ args }: Way, outcome: string): void {
    const number = this.#count - this.#ways.length;
    this.#options.onWay?.(`way ${number} of ${this.#count}, ${args.join(" ")}: ${outcome}`);
  }
}

/** True if an input that was opened in a way need not be opened in the better one. */
function isRight(better: Way, { timed }: Way, { skipped }: Opening): boolean {
  return better.timed === timed && (better.pace !== "file" || skipped === 0);
}

/**
 * The way to open what is behind a URL, now that its first picture is there. Where ffmpeg's
 * description does not tell, pictures are skipped until their pace is clear. A stream gives at once
 * what its server holds, and then no more than time brings. A film goes on at once. An input that
 * ends during the look is a film, or a picture.
 */
async function judge(opening: Opening, way: Way): Promise<Way> {
  const startMs = performance.now();
  const description = await within(opening.words.described, ENDING_MS);
  const told = description ? paceOf(description) : way.pace;
  const timed = description ? isTimed(description) : way.timed;
  if (told !== "unknown" || timed !== way.timed) return { ...way, pace: told, timed };
  while (true) {
    const goesOn = await opening.skip(LOOK_MS);
    const verdict = goesOn ? opening.words.verdict(startMs, performance.now()) : "file";
    if (verdict === "file") return { ...way, pace: "file", timed: true };
    if (verdict === "live") return { ...way, pace: timed ? "steady" : "live" };
  }
}
