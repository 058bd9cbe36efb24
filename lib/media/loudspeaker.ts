/**
 * A loudspeaker: frames of PCM into ffplay, whose backlog is held (backlog.ts). It is heard 42 to
 * 73 ms after the push (measured).
 *
 * A device may go, and a sound server may be started anew. The player is then replaced, again and
 * again until there is sound. On Linux, ffplay notices neither: it plays on to nobody at its usual
 * pace (SDL 2.26 with PulseAudio, measured). Beside it stands a witness, an ffmpeg that plays
 * silence. ffmpeg ends within 30 ms of such a loss.
 */

import { type Child, type ChildEnd, type ChildWatch, openChild } from "./child.ts";
import { type Timer, within } from "../clock.ts";
import { PCM, PCM_FRAME_BYTES } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import type { Sink } from "../frame/sink.ts";
import { Backlog } from "./backlog.ts";

/** Milliseconds between two looks at a backlog whose player says nothing. */
const LOOK_MS = 250;

/** Milliseconds between the end of a player that failed and the next try. */
const RETRY_MS = 1000;

/** Milliseconds that a sound server may take to be started anew. */
const RENEWAL_MS = 300;

/**
 * Milliseconds after its start from which on a witness is believed. One that ends sooner cannot play
 * here at all.
 */
const WITNESS_MS = 2000;

/** Ten milliseconds of silence. */
const SILENCE = new Uint8Array(PCM_FRAME_BYTES);

/** A line of ffplay's statistics. It begins with the seconds that were played, or `nan`. */
const CLOCK = /^(-?\d+\.\d+|nan)\s+M-A:/;

/** Any line of the statistics, also before there is a clock. */
const STATISTICS = /^(-?\d+\.\d+|nan)\s.*\bfd=/;

/** Hears of a loudspeaker. */
export interface LoudspeakerOptions {
  /** True to notice the end of a sound server by a witness. So on Linux if not given. */
  readonly hasWitness?: boolean;
  /** Variables for ffplay, such as those that choose a device. */
  readonly env?: Readonly<Record<string, string>>;
  /** Hears what its ffplay does. */
  readonly watch?: ChildWatch | undefined;
  /**
   * Hears once that nothing can be heard any more, with ffplay's last words or nothing. Further
   * tries are made without a word.
   */
  readonly onSilent?: (detail: string) => void;
  /** Hears that there is sound again after that. */
  readonly onHeard?: () => void;
}

/** Arguments of ffplay. One channel is its default: version 7 ends on `-ac`. */
export function loudspeakerArguments(): string[] {
  return [
    // The statistics hold its clock.
    ...["-hide_banner", "-stats", "-loglevel", "warning", "-nodisp", "-autoexit"],
    ...["-probesize", "32", "-analyzeduration", "0"],
    ...["-f", "s16le", "-sample_rate", `${PCM.rate}`, "-i", "pipe:0"],
  ];
}

/** Arguments of the ffmpeg that plays silence to a sound server, for as long as there is one. */
export function witnessArguments(): string[] {
  return [
    ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning"],
    ...["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono"],
    // The larger the buffer, the less it has to do, and the longer it takes to end.
    ...["-f", "pulse", "-buffer_duration", "500", "Chamada"],
  ];
}

/** The clock that a line of ffplay tells, in milliseconds; `undefined` if it tells none. */
export function clockOf(line: string): number | undefined {
  const seconds = Number(CLOCK.exec(line)?.[1]);
  return Number.isNaN(seconds) ? undefined : seconds * 1000;
}

/** Plays frames of PCM, as near to their push as the device allows. */
export class Loudspeaker implements Sink {
  readonly #options: LoudspeakerOptions;
  readonly #closing = Promise.withResolvers<true>();
  readonly #running: Promise<void>;
  #player: Player | undefined;
  #silent = false;
  #closed = false;

  /** Opens a loudspeaker. Throws `NotInstalledError` if there is no ffplay. */
  constructor(options: LoudspeakerOptions = {}) {
    this.#options = options;
    this.#running = this.#run(this.#open());
  }

  /** Plays a frame, unless there is too much to play already. */
  push(frame: Frame): void {
    this.#player?.push(frame.data);
  }

  /**
   * Opens the device anew, without a word if that succeeds. For a caller who knows that the sound
   * server was gone: ffplay does not notice that.
   */
  renew(): void {
    this.#player?.lose("renewed", "");
  }

  /** Runs players, one after the other, until it is closed. */
  async #run(first: Player): Promise<void> {
    for (let player: Player | undefined = first; !this.#closed;) {
      this.#player = player;
      const { kind, detail }: Loss = await player?.lost ?? { kind: "failed", detail: "" };
      this.#player = undefined;
      // A short change is heard, but is no reason for a word.
      if (kind === "failed") this.#tell(detail);
      await player?.close();
      await within(this.#closing.promise, kind === "failed" ? RETRY_MS : RENEWAL_MS);
      if (this.#closed) return;
      try {
        player = this.#open();
      } catch {
        player = undefined;
      }
    }
  }

  #open(): Player {
    return new Player(this.#options, () => {
      if (this.#silent) this.#options.onHeard?.();
      this.#silent = false;
    });
  }

  #tell(detail: string): void {
    if (!this.#silent && !this.#closed) this.#options.onSilent?.(detail);
    this.#silent = true;
  }

  /** Ends it, and its player. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#closing.resolve(true);
    this.#player?.lose("renewed", "");
    await this.#running;
  }
}

/** The reason why a player is not wanted any more. */
interface Loss {
  readonly kind: "failed" | "renewed";
  readonly detail: string;
}

/** One ffplay, fed so that its backlog stays good. */
class Player {
  readonly #child: Child;
  readonly #backlog = new Backlog(performance.now());
  readonly #lost = Promise.withResolvers<Loss>();
  readonly #options: LoudspeakerOptions;
  readonly #looking: Timer;
  #witness: Child | undefined;
  #words = "";
  #begun = false;
  #isLost = false;
  /** Resolves when it is not wanted any more. */
  readonly lost: Promise<Loss> = this.#lost.promise;

  /** Starts ffplay. `onBegin` hears that there is sound. Throws `NotInstalledError`. */
  constructor(options: LoudspeakerOptions, onBegin: () => void) {
    const { env, watch } = options;
    this.#options = options;
    this.#child = openChild({
      command: "ffplay",
      args: loudspeakerArguments(),
      flow: "fed",
      ...(env && { env }),
      watch: watch && withoutClock(watch),
      // What is still to play is not worth waiting for.
      finishMs: 0,
      onLine: (line): void => {
        const clockMs = clockOf(line);
        if (clockMs !== undefined) this.#hear(clockMs, onBegin);
        else if (!STATISTICS.test(line)) this.#words = line;
      },
    });
    this.#child.ended.then((end) => this.lose("failed", this.#words || statusOf(end)));
    this.#look();
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Plays 10 ms of sound, or leaves it out. */
  push(data: Uint8Array): void {
    if (this.#backlog.takes(performance.now())) this.#child.write(data);
    this.#look();
  }

  /** Is not wanted any more. */
  lose(kind: Loss["kind"], detail: string): void {
    this.#isLost = true;
    clearInterval(this.#looking);
    this.#lost.resolve({ kind, detail });
  }

  /** Ends ffplay. One that is stopped by a signal is killed. */
  async close(): Promise<void> {
    await Promise.all([this.#child.stop(), this.#witness?.stop()]);
  }

  /** Loses the player when the sound server or its device goes. */
  #watchDevice(): void {
    const { env, watch, hasWitness = Deno.build.os === "linux" } = this.#options;
    if (!hasWitness) return;
    try {
      this.#witness = openChild({
        command: "ffmpeg",
        args: witnessArguments(),
        flow: "none",
        ...(env && { env }),
        watch,
      });
    } catch {
      // There is no ffmpeg: the loss is noticed later or not at all.
      return;
    }
    const startMs = performance.now();
    this.#witness.ended.then(() => {
      if (performance.now() - startMs > WITNESS_MS) this.lose("renewed", "");
    });
  }

  /** Hears ffplay's clock. With the first reading, there is sound. */
  #hear(clockMs: number, onBegin: () => void): void {
    if (this.#isLost) return;
    this.#backlog.heard(clockMs, performance.now());
    this.#look();
    if (this.#begun) return;
    this.#begun = true;
    this.#watchDevice();
    onBegin();
  }

  /**
   * Looks at the backlog: with each push and with each line of the player, each 30 ms. A timer would
   * wake us as often again.
   */
  #look(): void {
    const nowMs = performance.now();
    for (let frames = this.#backlog.silence(nowMs); frames > 0; frames--) {
      this.#child.write(SILENCE);
    }
    if (this.#backlog.isStill(nowMs)) this.lose("failed", this.#words);
  }
}

/** A listener that is spared the clock, which comes 30 times a second. */
function withoutClock(watch: ChildWatch): ChildWatch {
  return {
    started: (child, words): void => watch.started(child, words),
    said: (child, line): void => {
      if (!STATISTICS.test(line)) watch.said(child, line);
    },
    ended: (child, code): void => watch.ended(child, code),
  };
}

function statusOf({ code }: ChildEnd): string {
  return `status ${code}`;
}
