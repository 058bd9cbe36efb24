/**
 * One call: what this end gives goes to the line, what the line gives is shown and recorded. It is the only wiring, the same
 * for both programs, and says what each end of a call means.
 *
 * ```
 *  outgoing ─┬─► line ════ peer ════► line ─┬─► display
 *            └─► self view                  └─► recording
 * ```
 *
 * All that a call opens is on one stack, and the call is over when that is unwound: only then are its summary and its last
 * sentence printed.
 */

import { nowUs } from "./clock.ts";
import { NotInstalledError, PeerLostError, REASON } from "./errors.ts";
import type { VideoFormat } from "./frame/format.ts";
import type { Frame } from "./frame/frame.ts";
import type { ChildWatch } from "./media/child.ts";
import { openSource } from "./media/capture.ts";
import { systemOf } from "./media/devices.ts";
import { Display, type DisplayOptions, type WindowPlace } from "./media/display.ts";
import { withoutSecrets } from "./media/input.ts";
import type { Given } from "./user/options.ts";
import { NO_PICTURES } from "./media/recorder.ts";
import { type FinishedFile, Recording } from "./media/recording.ts";
import { Outgoing, type Taker } from "./outgoing.ts";
import type { Voice } from "./user/log.ts";
import { describe } from "./user/problems.ts";
import {
  installCommand,
  type Messages,
  messagesIn,
  type NarrowCure,
  type Party,
  type Status,
  TITLES,
} from "./user/sentences.ts";
import { Meter } from "./user/meter.ts";
import type { Line, LineFigures, Peer } from "./wire/line.ts";
import { LinkWatch } from "./wire/link_watch.ts";

/** What a program has around its calls. */
export interface Surroundings {
  /** Where it says what happens. */
  readonly log: Voice;
  /** Hears what becomes of child processes, where somebody wants to know. */
  readonly watch: ChildWatch | undefined;
  /** The sentences of the user's language. */
  readonly messages: Messages;
  /** What this end calls itself; may be empty. */
  readonly name: string;
  /** The system, by the names of `Deno.build.os`. */
  readonly system: typeof Deno.build.os;
  /** The driver for windows: `none` where there shall be none, nothing where there can be none. */
  readonly screen: string | undefined;
  /** Whether the `q` key is watched. */
  readonly keys: boolean;
  /** Aborted when the user hangs up in the terminal or the system wants us to end. */
  readonly hangUp: AbortSignal;
  /**
   * Is sent a `quit` when `q` is pressed. Whoever ends something else than the whole prevents what follows by itself, which is
   * the abort of `hangUp`.
   */
  readonly keyboard: EventTarget;
}

/** Exit statuses, the same for both programs. */
export const EXIT = { ok: 0, failed: 1, usage: 2, lost: 3 } as const;

/** How a call ended: somebody hung up, or something went wrong. */
export type End =
  | { readonly kind: "hang-up"; readonly by: Party; readonly reason: string }
  | { readonly kind: "error"; readonly error: unknown };

/** What a call is made of. */
export interface CallParts {
  /** Who we are in it. */
  readonly we: Party;
  /** The other end. */
  readonly peer: Peer;
  /** Takes the call, or gives the line on which it was taken. */
  readonly open: () => Promise<Line>;
  /** What we give. */
  readonly outgoing?: Outgoing | undefined;
  /** Resolves when what we give is over, where that ends the call. */
  readonly sourceOver?: Promise<End> | undefined;
  /** When to hang up by itself, in seconds of what we give. */
  readonly durationSeconds?: number | undefined;
  /** The file for what comes; nothing for no recording. */
  readonly record: string | undefined;
  /** The window for what comes. */
  readonly window: Pick<DisplayOptions, "title" | "place">;
  /** The name of the call among several. */
  readonly label?: (() => string) | undefined;
  /** What helps where the link is too narrow for what we give. */
  readonly narrowCure?: NarrowCure | undefined;
  /** How long a network that is gone is waited for, in seconds. */
  readonly patienceSeconds: number;
  /** Is told when the call has begun in earnest: with the first frame, where the peer sends any. */
  readonly onBegun?: (() => void) | undefined;
  /** True if a call that ends like this before it has begun was none. Never, if not given. */
  readonly isStranger?: ((end: End) => boolean) | undefined;
}

/** What a call came to. */
export interface CallOutcome {
  /** The exit status that it asks for. */
  readonly exit: number;
  /** Whether its recording is not whole. */
  readonly recordingFailed: boolean;
  /** How it ended. */
  readonly end: End;
  /** Frames that did not come, or are not in the recording. */
  readonly lost: number;
  /** True if it was no call: then nothing was said of it. */
  readonly isStranger: boolean;
}

/** How often the live line is renewed, in milliseconds. */
const STATUS_MS = 500;

/** After how long, in milliseconds, and how many frames a call is asked whether there are pictures in what comes. */
const PICTURES_MS = 5000;
const LEAST_FRAMES = 10;

/** How often the link is looked at, in milliseconds. */
const LINK_MS = 250;

/** A call, from the moment at which it can be taken. */
export class Call implements Taker {
  readonly #parts: CallParts;
  readonly #around: Surroundings;
  readonly #local = Promise.withResolvers<End>();
  readonly #up = new Meter();
  readonly #down = new Meter();
  #line: Line | undefined;
  #recording: Recording | undefined;
  #recordingProblem: string | undefined;
  #recorderSlow = false;
  #display: Display | undefined;
  readonly #given = new Span();
  readonly #came = new Span();
  /** Warnings that wait until the call has begun: strangers are not to make them. */
  #warnings: string[] | undefined = [];
  #fileBytes: number | undefined;
  /** True while the network is gone, and at the end if it has not come back. */
  #isGone = false;
  /** Lets the last frames leave, when the duration is over. */
  #finishing: Promise<void> | undefined;

  /** Nothing is opened yet. */
  constructor(parts: CallParts, around: Surroundings) {
    this.#parts = parts;
    this.#around = around;
  }

  /** Hangs up for this reason. */
  hangUp(reason: string): void {
    this.#local.resolve({ kind: "hang-up", by: this.#parts.we, reason });
  }

  /** Gives a frame of ours to the peer. */
  push(frame: Frame): void {
    const { durationSeconds, outgoing } = this.#parts;
    const elapsedUs = frame.captureUs - (this.#given.firstUs ?? frame.captureUs);
    if (durationSeconds !== undefined && elapsedUs >= durationSeconds * 1e6) {
      this.#finishing ??= this.#line?.flush().then(() => this.hangUp(REASON.durationReached));
      return;
    }
    this.#given.add(frame.captureUs, 1e6 / outgoing!.format.fps);
    this.#line?.push(frame);
  }

  /** What the live line shows of it. */
  status(): Status {
    const figures = this.#line?.figures ?? NOTHING;
    const { outgoing, peer } = this.#parts;
    const up = this.#up.read(figures.sent, figures.sentBytes);
    const down = this.#down.read(figures.received, figures.receivedBytes);
    const gives = outgoing !== undefined;
    this.#measureFile();
    return {
      label: this.#parts.label?.(),
      seconds: up.seconds,
      fps: { up: gives ? up.fps : undefined, down: peer.format && down.fps },
      bytesPerSecond: (gives ? up.bytesPerSecond : 0) + (peer.format ? down.bytesPerSecond : 0),
      dropped: figures.dropped + this.#lost(figures),
      delayMs: figures.delayMs,
      waitingMs: figures.waitingMs,
      fileBytes: this.#fileBytes,
    };
  }

  /** True where there is something to see and no window for it; why not was said. */
  get cannotShow(): boolean {
    return this.#parts.peer.format !== undefined && this.#display === undefined;
  }

  /** Has the call and prints how it ended. */
  async run(): Promise<CallOutcome> {
    const { log, messages } = this.#around;
    const { end, files } = await this.#have();
    log.status("");
    const figures = this.#line?.figures ?? NOTHING;
    const lost = this.#lost(figures);
    const hasBegun = this.#warnings === undefined;
    const isStranger = !hasBegun && (this.#parts.isStranger?.(end) ?? false);
    if (isStranger) return { end, lost, isStranger, exit: EXIT.ok, recordingFailed: false };
    const { sent: frames, dropped } = figures;
    if (frames > 0) log.say(messages.sent({ seconds: this.#given.seconds, frames, dropped }));
    const problem = await this.#tellWhatCame(files, figures);
    if (this.#isGone && files.length > 0) log.warn(messages.recordingCutShort);
    if (problem) log.error(problem);
    const exit = this.#tellEnd(end, problem !== undefined);
    return { end, lost, isStranger, exit, recordingFailed: this.#recordingProblem !== undefined };
  }

  /** Opens all that a call has, waits for its end, and closes it. */
  async #have(): Promise<{ readonly end: End; readonly files: readonly FinishedFile[] }> {
    const { log, hangUp } = this.#around;
    const { outgoing, sourceOver, peer, we, narrowCure } = this.#parts;
    await using stack = new AsyncDisposableStack();
    const onHangUp = (): void => this.hangUp(REASON.hungUp);
    hangUp.addEventListener("abort", onHangUp);
    stack.defer(() => hangUp.removeEventListener("abort", onHangUp));
    if (hangUp.aborted) onHangUp();

    // Once it hears yes, a caller sends: by then whatever takes its time to start has been started.
    if (peer.format) this.#openDisplay(peer.format, stack);
    let line: Line;
    try {
      line = this.#line = await this.#parts.open();
    } catch (error) {
      return { end: { kind: "error", error }, files: [] };
    }
    line.watch?.(this);
    const recording = this.#recording = this.#openRecording();
    if (peer.format) {
      const looking = setTimeout(() => void this.#lookForPictures(), PICTURES_MS);
      stack.defer(() => clearTimeout(looking));
    }
    // Where nobody can be a stranger, there is nothing to wait for.
    if (!peer.format || !this.#parts.isStranger) this.#begin();
    if (narrowCure) stack.use(this.#watchLink(line, narrowCure));
    outgoing?.join(this);
    const taking = this.#take(line);
    const end = await Promise.race([
      this.#local.promise,
      line.ended.then(
        ({ reason }): End => ({ kind: "hang-up", by: other(we), reason }),
        (error: unknown): End => ({ kind: "error", error }),
      ),
      // The last frames of a file are as good as the first: they leave before the goodbye does.
      ...(sourceOver ? [sourceOver.then((end) => line.flush().then(() => end))] : []),
    ]);
    if (end.kind === "hang-up") log.debug("call", `${end.by}: ${end.reason}`);
    // Where the network was gone, the recording ends with the last picture that came.
    const untilNow = end.kind === "hang-up" && line.figures.waitingMs === undefined;
    // The recording is finished first and waits for nobody: goodbyes and windows may take their time.
    const [files] = await Promise.all([
      recording?.close({ untilNow }) ?? [],
      line.hangUp(endReason(end)),
      outgoing?.leave(this),
    ]);
    await taking;
    return { end, files };
  }

  /** Shows and records what comes, until the line ends. */
  async #take(line: Line): Promise<void> {
    for await (const frame of line.frames()) {
      if (this.#came.firstUs === undefined) this.#begin();
      this.#came.add(nowUs(), 0);
      this.#tellAge(frame);
      this.#display?.push(frame);
      this.#recording?.push(frame);
      frame.lease?.letGo();
      this.#watchRecorder();
    }
  }

  #openRecording(): Recording | undefined {
    const { log, messages, system, watch } = this.#around;
    const { record: wanted, peer, we } = this.#parts;
    if (wanted === undefined || peer.format === undefined) return undefined;
    let files = 0;
    return new Recording({
      wanted,
      format: peer.format,
      stamps: peer.stamps,
      watch,
      onBegun: (path) => {
        log.debug("recorder", path);
        if (++files > 1) log.warn(messages.recordingGoesOn(path));
      },
      onRefused: (error) => {
        this.#recordingProblem = describe(error, messages, system, other(we));
        log.error(this.#recordingProblem);
      },
      onBroken: (path, detail) => {
        this.#recordingProblem = messages.recordingIncomplete(path);
        log.error(messages.recordingFailed(path, detail));
      },
    });
  }

  #openDisplay(format: VideoFormat, stack: AsyncDisposableStack): void {
    const around = { ...this.#around, warn: (sentence: string): void => this.#warn(sentence) };
    const onClosed = (): void => this.hangUp(REASON.windowClosed);
    this.#display = openDisplay({ format, ...this.#parts.window }, around, onClosed);
    if (this.#display) stack.use(this.#display);
  }

  /** Says what nobody was to hear before the call had begun. */
  #begin(): void {
    this.#parts.onBegun?.();
    const warnings = this.#warnings ?? [];
    this.#warnings = undefined;
    for (const sentence of warnings) this.#around.log.warn(sentence);
  }

  #warn(sentence: string): void {
    if (this.#warnings) this.#warnings.push(sentence);
    else this.#around.log.warn(sentence);
  }

  /** Tells the user, once, that the link is too narrow. */
  #watchLink(line: Line, cure: NarrowCure): Disposable {
    const { log, messages } = this.#around;
    const watch = new LinkWatch();
    const timer = setInterval(() => {
      if (watch.look(line.figures, performance.now())) log.warn(messages.narrowLink(cure));
    }, LINK_MS);
    return { [Symbol.dispose]: (): void => clearInterval(timer) };
  }

  /** How old a frame is by the clocks as they are told, without what is mended for the live line. */
  #tellAge(frame: Frame): void {
    const arrivedUs = nowUs();
    const { firstUs = arrivedUs } = this.#came;
    this.#around.log.trace("frame", () => {
      const [atMs, ageMs] = [arrivedUs - firstUs, arrivedUs - frame.captureUs]
        .map((us) => Math.round(us / 1000));
      return `${frame.sequence} at ${atMs} ms, ${ageMs} ms old`;
    });
  }

  /** The network is gone. */
  onGone(lost: PeerLostError): void {
    const { log, messages } = this.#around;
    this.#isGone = true;
    if (this.#warnings) return;
    log.warn(messages.networkGone(lost.how, this.#parts.patienceSeconds));
  }

  /** The network is back. */
  onBack(goneMs: number): void {
    const { log, messages } = this.#around;
    this.#isGone = false;
    if (this.#warnings === undefined) log.warn(messages.networkBack(goneMs / 1000));
  }

  /** Says what came and where it is. Gives what is wrong with that. */
  async #tellWhatCame(
    files: readonly FinishedFile[],
    figures: LineFigures,
  ): Promise<string | undefined> {
    const { log, messages } = this.#around;
    const { format } = this.#parts.peer;
    if (format === undefined) return undefined;
    const lost = this.#lost(figures);
    const nothing = files.some(({ failure }) => failure === NO_PICTURES) ||
      figures.received === 0 && lost > 0;
    if (nothing) {
      for (const { path } of files) await Deno.remove(path).catch(() => {});
    }
    // What did not come is told with the last file, what an earlier one has lost with that one.
    const lostEarlier = files.slice(0, -1).reduce((sum, file) => sum + file.lost, 0);
    for (const [index, file] of nothing ? [] : files.entries()) {
      const isLast = index === files.length - 1;
      log.say(messages.summary({
        seconds: file.seconds,
        frames: file.frames,
        received: files.length > 1 ? file.frames : figures.received,
        lost: isLast ? Math.max(lost - lostEarlier, 0) : file.lost,
        file: file.path,
        bytes: (await Deno.stat(file.path).catch(() => undefined))?.size ?? 0,
      }));
      if (file.failure !== undefined && !this.#recordingProblem) {
        log.error(messages.recordingFailed(file.path, file.failure));
        this.#recordingProblem = messages.recordingIncomplete(file.path);
      }
    }
    if (nothing || files.length === 0) {
      const { seconds } = this.#came;
      const unseen = files.reduce((sum, file) => sum + file.lost, figures.lost);
      const all = { seconds, received: figures.received, lost: nothing ? unseen : lost };
      log.say(messages.notRecorded(all));
    }
    // That there is nothing to record is the peer's failure, not the recording's.
    return nothing ? messages.noPictures(other(this.#parts.we), format) : this.#recordingProblem;
  }

  /** Says how the call ended. Gives the exit status. */
  #tellEnd(end: End, isIncomplete: boolean): number {
    const { log, messages, system } = this.#around;
    const them = other(this.#parts.we);
    if (end.kind === "hang-up") {
      if (end.by === them) this.#tellComplaint(end.reason);
      log.say(messages.endedBy(end.by));
      return isIncomplete ? EXIT.failed : EXIT.ok;
    }
    const sentence = describe(end.error, messages, system, them);
    if (!(end.error instanceof PeerLostError)) {
      log.error(sentence);
      return EXIT.failed;
    }
    log.lost(sentence);
    return isIncomplete ? EXIT.failed : EXIT.lost;
  }

  /** Says why the peer hung up, where that is none of the usual reasons. */
  #tellComplaint(reason: string): void {
    const { log, messages } = this.#around;
    if (!isUsual(reason)) log.warn(messages.complaint(other(this.#parts.we), reason));
  }

  /** Frames that did not come, or are not in the recording. */
  #lost(figures: LineFigures): number {
    return figures.lost + (this.#recording?.lost ?? 0);
  }

  /** Finds out how large the recording is by now, for the live line. */
  #measureFile(): void {
    const path = this.#recording?.path;
    if (path === undefined) return;
    Deno.stat(path).then(
      ({ size }) => this.#fileBytes = size,
      () => this.#fileBytes = undefined,
    );
  }

  /** Tells the user where frames come and none can be shown. */
  async #lookForPictures(): Promise<void> {
    const { log, messages } = this.#around;
    const figures = this.#line?.figures ?? NOTHING;
    const nothing = figures.received > 0
      ? figures.received >= LEAST_FRAMES && await this.#recording?.isEmpty()
      : this.#lost(figures) > 0;
    if (nothing) log.warn(messages.noPictures(other(this.#parts.we), this.#parts.peer.format!));
  }

  /** Tells the user, once, that frames find no room in the recording. */
  #watchRecorder(): void {
    const { log, messages } = this.#around;
    if (this.#recorderSlow || this.#recordingProblem || !this.#recording?.lost) return;
    this.#recorderSlow = true;
    log.warn(messages.recorderSlow);
  }
}

/** The figures of a call that came to nothing. */
const NOTHING: LineFigures = {
  ...{ sent: 0, dropped: 0, sentBytes: 0, delayMs: undefined },
  ...{ received: 0, lost: 0, receivedBytes: 0, waitingMs: undefined },
};

/** From when to when frames were. */
class Span {
  firstUs: number | undefined;
  #endUs = 0;

  /** A frame at that time, shown for so long. */
  add(atUs: number, forUs: number): void {
    this.firstUs ??= atUs;
    this.#endUs = atUs + forUs;
  }

  get seconds(): number {
    return this.firstUs === undefined ? 0 : (this.#endUs - this.firstUs) / 1e6;
  }
}

/** The other party. */
export function other(party: Party): Party {
  return party === "CLIENT" ? "HOST" : "CLIENT";
}

/** Opens a window where there is to be one; where it cannot be, says so and goes on without. */
export function openDisplay(
  options: Pick<DisplayOptions, "format" | "title" | "place">,
  { messages, system, screen, watch, warn }: Omit<Surroundings, "log"> & {
    readonly warn: (sentence: string) => void;
  },
  onClosed: () => void,
): Display | undefined {
  if (screen === "none") return undefined;
  if (screen === undefined) {
    warn(messages.noScreen);
    return undefined;
  }
  try {
    const onStill = (): void => warn(messages.displayStill);
    const display = new Display({ ...options, driver: screen, onStill, watch });
    display.ended.then((end) => {
      if (end.kind === "closed") onClosed();
      else warn(messages.displayFailed(end.detail));
    });
    return display;
  } catch (error) {
    warn(
      error instanceof NotInstalledError
        ? messages.noFfplay(installCommand(system))
        : messages.displayFailed((error as Error).message),
    );
    return undefined;
  }
}

/** What decides of the window in which an end sees itself, and who hears when its source is over. */
export interface GivenHost {
  /** The place of the window; the middle of the screen if none is given. */
  readonly place: () => WindowPlace | undefined;
  /** True if a window would fail as one of a call has failed, which was said. */
  readonly isVain: () => boolean;
  /** The window was closed. */
  readonly onClosed: () => void;
  /** The source is over: it has given its last frame, or fails with an error. */
  readonly onOver: (error?: unknown) => void;
}

/** Makes of what the user wants to give the source of all calls of this end. Nothing is opened yet. */
export function outgoingOf(given: Given, around: Surroundings, host: GivenHost): Outgoing {
  const { log, messages, system, watch } = around;
  const { format } = given;
  return new Outgoing({
    format,
    openSource: (signal) =>
      openSource({
        ...{ ...given, system: systemOf(system), watch },
        onWaiting: (name) => log.say(messages.waitingFor(name)),
        onWay: (text) => log.debug("source", () => withoutSecrets(text)),
      }, signal),
    openView: () =>
      host.isVain() ? undefined : openDisplay(
        { format, title: TITLES.sending, place: host.place() },
        { ...around, warn: (sentence) => log.warn(sentence) },
        host.onClosed,
      ),
    onOver: host.onOver,
  });
}

/** Renews the live line, where there is one, until disposed of. */
export function everyStatus(log: Voice, text: () => string): Disposable {
  const timer = log.live ? setInterval(() => log.status(text()), STATUS_MS) : undefined;
  return {
    [Symbol.dispose](): void {
      clearInterval(timer);
      log.status("");
    },
  };
}

/** True for the reasons that are no complaint. */
export function isUsual(reason: string): boolean {
  const usual: readonly string[] = ["", ...Object.values(REASON)];
  return usual.includes(reason);
}

/** What is told to the other side: why a side hung up, or what it did wrong. */
function endReason(end: End): string {
  if (end.kind === "hang-up") return end.reason;
  if (end.error instanceof PeerLostError) return messagesIn("en").lostHow[end.error.how];
  return end.error instanceof Error ? end.error.message : String(end.error);
}
