/**
 * A window: the newest frame into ffplay.
 *
 * `-framerate 60 -vf setpts=0` shows each frame when it arrives, whatever the real rate (12 to 16
 * ms from the write to the pixel, measured). An ffplay that is told a rate below the real one falls
 * behind for good. The declared rate is therefore always above the real one: at most 60 frames a
 * second are handed on.
 */

import { type Child, type ChildEnd, type ChildWatch, openChild, readCommand } from "./child.ts";
import { pause, within } from "../clock.ts";
import { isInterCoded, maxDecodedPixels, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import { NewestFrame, newestOptions } from "../frame/mailbox.ts";
import { MatroskaWriter } from "./matroska.ts";
import type { Sink } from "../frame/sink.ts";

/**
 * The rate that ffplay is told. Above 100 it shows the first picture up to a second late
 * (measured).
 */
const DECLARED_FPS = 60;

/**
 * Seconds that frames which need each other may wait for the window. Then all of them are dropped.
 */
const WAITING_SECONDS = 0.4;

/** Milliseconds that an ffplay may take to find out if there is a screen. */
const SCREEN_MS = 5000;

/** Milliseconds without a picture taken, after which a window counts as standing still. */
const STILL_MS = 3000;

/** The number of first frames that may wait until the window is open. */
const OPENING_FRAMES = 10;

/**
 * The size in pixels of the screen that every window shall fit on: a common small one, less its bar
 * at the bottom. ffplay does not tell the size of the real one.
 */
const SCREEN = { width: 1366, height: 728 } as const;

/**
 * The height of a window's title, in pixels. It is also the step from a window to one that lies on
 * it.
 */
const TITLE = 40;

/** The room for the picture of one window, beside a title and a frame. */
const LARGEST = { width: 1200, height: 675 } as const;

/** The place of a window beside others. */
export interface WindowPlace {
  /** Its number among them, from 0 at the left. */
  readonly slot: number;
  /** True if there may be more windows than fit into one row. */
  readonly inGrid: boolean;
}

/** The pictures to show, and the window for them. */
export interface DisplayOptions {
  /** The format of the frames. */
  readonly format: VideoFormat;
  /** The title of the window. */
  readonly title: string;
  /** The place beside other windows. The middle of the screen if not given. */
  readonly place?: WindowPlace | undefined;
  /** The video driver of the window system, for SDL. SDL's own choice if not given. */
  readonly driver?: string;
  /** Hears what its ffplay does. */
  readonly watch?: ChildWatch | undefined;
  /** Hears once that the window stands still, for instance because the user has paused it. */
  readonly onStill?: () => void;
}

/** The end of a window that we did not close: the user closed it or pressed `q`, or it broke. */
export type DisplayEnd =
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly detail: string };

/**
 * The size of a window: that of the picture, or smaller in the same shape if the picture is too
 * large.
 */
export function windowSize({ width, height }: Pick<VideoFormat, "width" | "height">): {
  readonly width: number;
  readonly height: number;
} {
  const scale = Math.min(1, LARGEST.width / width, LARGEST.height / height);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/**
 * The left upper corner of a window beside others. It stands next to the one before it, in the
 * middle of the screen's height, or in a grid. Where the grid is full, it stands a step aside. All
 * of it is on the screen.
 */
export function windowCorner(
  { width, height }: { readonly width: number; readonly height: number },
  { slot, inGrid }: WindowPlace,
): { readonly left: number; readonly top?: number } {
  const most = { left: SCREEN.width - width, top: SCREEN.height - height };
  if (!inGrid) {
    // Where the row has no room, each window shows the side of the one under it.
    const hidden = Math.max(slot - Math.floor(most.left / width) - 1, 0);
    return { left: Math.max(Math.min(slot * width, most.left) - hidden * TITLE, 0) };
  }
  const columns = Math.floor(SCREEN.width / width);
  const rows = Math.floor(SCREEN.height / (height + TITLE));
  const step = TITLE * Math.floor(slot / (columns * rows));
  const left = slot % columns * width + step;
  const top = TITLE + Math.floor(slot / columns) % rows * (height + TITLE) + step;
  return { left: Math.min(left, most.left), top: Math.min(top, most.top) };
}

/** Arguments of ffplay for these pictures. */
export function displayArguments({ format, title, place }: DisplayOptions): string[] {
  const { codec, width, height } = format;
  const raw = [
    ...["-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", `${width}x${height}`],
    ...["-framerate", `${DECLARED_FPS}`],
  ];
  // Without these arguments ffplay looks at the first seconds of the stream before it shows any
  // (2.4 s, measured).
  const encoded = [
    ...["-probesize", "32", "-analyzeduration", "0", "-flags", "low_delay"],
    ...["-max_pixels", `${maxDecodedPixels(format)}`, "-f", "matroska"],
  ];
  const size = windowSize(format);
  const { left, top } = place === undefined ? {} : windowCorner(size, place);
  return [
    ...["-hide_banner", "-nostats", "-loglevel", "warning"],
    ...(codec === "raw" ? raw : encoded),
    ...["-i", "pipe:0"],
    ...["-vf", "setpts=0", "-autoexit", "-window_title", title],
    ...(size.width < width ? ["-x", `${size.width}`, "-y", `${size.height}`] : []),
    ...(left === undefined ? [] : ["-left", `${left}`]),
    ...(top === undefined ? [] : ["-top", `${top}`]),
  ];
}

/**
 * The driver of SDL's that has a screen, or `undefined` if none has. An SDL that is told no driver
 * and finds no screen shows nothing and says nothing.
 */
export function displayDriver(
  system: string,
  variable: (name: string) => string | undefined,
): string | undefined {
  if (system !== "linux") return "default";
  if (variable("DISPLAY")) return "x11";
  if (variable("WAYLAND_DISPLAY")) return "wayland";
  return undefined;
}

/**
 * The meaning of an end of ffplay that we did not cause. `q` and the close button give 0, a
 * destroyed window gives 1. A destroyed window and a screen that went away are told in the same
 * words.
 */
export function displayEnd(end: ChildEnd): DisplayEnd | { kind: "gone"; detail: string } {
  // A line in brackets is a hint to the one before it.
  const detail = end.lastLines.findLast((line) => !line.startsWith("(")) ?? `status ${end.code}`;
  if (end.signalled) return { kind: "failed", detail: `status ${end.code}` };
  if (end.code === 0) return { kind: "closed" };
  const gone = /X Error of failed request|X connection to .* broken/;
  const isGone = end.code === 1 && end.lastLines.some((line) => gone.test(line));
  return { kind: isGone ? "gone" : "failed", detail };
}

/** True if windows can be opened. An ffplay without anything to show says so, and shows nothing. */
async function isScreenThere({ driver, watch }: DisplayOptions): Promise<boolean> {
  const args = ["-loglevel", "error", "-f", "rawvideo", "-i", "file:/dev/null/none"];
  try {
    const options = { env: variables(driver), watch };
    const { text } = await readCommand("ffplay", args, SCREEN_MS, options);
    return !/SDL|display/i.test(text);
  } catch {
    return false;
  }
}

/** The meaning of such an end. The screen is looked at if that decides. */
async function meaningOf(end: ChildEnd, options: DisplayOptions): Promise<DisplayEnd> {
  const meaning = displayEnd(end);
  if (meaning.kind !== "gone") return meaning;
  const { detail } = meaning;
  return await isScreenThere(options) ? { kind: "closed" } : { kind: "failed", detail };
}

/** The variables that tell SDL which driver to take. */
function variables(driver: string | undefined): Record<string, string> {
  return driver === undefined || driver === "default" ? {} : { SDL_VIDEODRIVER: driver };
}

/** A window that shows the newest frame. */
export class Display implements Sink {
  readonly #child: Child;
  readonly #format: VideoFormat;
  readonly #newest: NewestFrame<Frame>;
  readonly #feeding: Promise<void>;
  #onStill: (() => void) | undefined;
  #closing = false;
  /** Resolves when the window ends by itself, and never if we close it. */
  readonly ended: Promise<DisplayEnd>;

  /** Opens a window. Throws `NotInstalledError` if there is no ffplay. */
  constructor(options: DisplayOptions) {
    const { driver, format, watch } = options;
    this.#format = format;
    this.#onStill = options.onStill;
    this.#newest = new NewestFrame(newestOptions(format, WAITING_SECONDS));
    this.#child = openChild({
      command: "ffplay",
      args: displayArguments(options),
      flow: "fed",
      env: variables(driver),
      watch,
      // A paused window does not read: it would not see the end of its input.
      finishMs: 0,
    });
    this.#feeding = this.#feed();
    this.ended = new Promise((resolve) => {
      this.#child.ended.then((end) => {
        this.#newest.close();
        if (!this.#closing) resolve(meaningOf(end, options));
      });
    });
  }

  /** Shows a frame, unless a newer one comes first. */
  push(frame: Frame): void {
    if (this.#newest.closed) return;
    frame.lease?.hold();
    this.#newest.push(frame);
  }

  async #feed(): Promise<void> {
    const container = this.#format.codec === "raw"
      ? undefined
      : new MatroskaWriter([{ ...this.#format, fps: DECLARED_FPS }]);
    if (container && !await this.#child.write(container.header())) return;
    let lastMs = -Infinity;
    for (let count = 0;; count++) {
      const frame = await this.#next(lastMs);
      if (frame === undefined) return;
      lastMs = performance.now();
      const { data, keyframe } = frame;
      const atUs = count * 1e6 / DECLARED_FPS;
      const header = container?.frameHeader(0, data.length, atUs, { keyframe });
      const written = (!header || await this.#child.write(header)) &&
        await this.#write(data, count);
      frame.lease?.letGo();
      if (!written) return;
    }
  }

  /** Hands a frame to ffplay. The user is told if ffplay does not take it. */
  async #write(data: Uint8Array, count: number): Promise<boolean> {
    const written = this.#child.write(data);
    if (this.#onStill === undefined || count < OPENING_FRAMES) return await written;
    const taken = await within(written, STILL_MS);
    if (taken === undefined && !this.#closing) {
      this.#onStill();
      this.#onStill = undefined;
    }
    return taken ?? await written;
  }

  /**
   * The newest frame, at the declared distance from the last one or later; `undefined` when closed.
   */
  async #next(lastMs: number): Promise<Frame | undefined> {
    const frame = await this.#newest.take();
    // The time is looked at when there is a frame: a timer after each frame would wake us as often
    // again.
    const earlyMs = lastMs + 1000 / DECLARED_FPS - performance.now();
    // Frames that need each other cannot be thinned.
    if (frame === undefined || earlyMs <= 1 || isInterCoded(this.#format.codec)) return frame;
    await pause(earlyMs);
    const newer = this.#newest.poll();
    if (newer === undefined) return frame;
    frame.lease?.letGo();
    return newer;
  }

  /** Closes the window. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.#newest.close();
    await this.#child.stop();
    await this.#feeding;
  }
}
