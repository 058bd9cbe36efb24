/**
 * One call: our frames go to the line; the line's frames are shown, played and recorded. It is the
 * only wiring, the same for both programs.
 *
 * ```
 *  outgoing ─┬─► line ════ peer ════► line ─► incoming ─┬─ pictures ─► display
 *            ├─► self view                              ├─ sound ────► loudspeaker
 *            └─► recording (our voice)                  └─ both ─────► recording
 * ```
 *
 * All that a call opens is on one stack. The call is over when the stack is unwound. Only then
 * ending.ts tells its summary and its last sentence.
 */

import { nowUs } from "./clock.ts";
import { type End, endReason, type FinishedCall, type Result, tellCall } from "./ending.ts";
import { type PeerLostError, REASON } from "./errors.ts";
import { type Format, SOUND_FPS, type VideoFormat } from "./frame/format.ts";
import type { Frame } from "./frame/frame.ts";
import type { Display, DisplayOptions } from "./media/display.ts";
import type { Loudspeaker } from "./media/loudspeaker.ts";
import { openTranscoder } from "./media/transcoder.ts";
import { Incoming } from "./incoming.ts";
import { followLink, watchLink } from "./link.ts";
import type { Outgoing, Taker } from "./outgoing.ts";
import { Recordings, type RecordPlan } from "./recordings.ts";
import { openDisplay, openLoudspeaker } from "./showing.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";
import { tellTranscoder } from "./transcoders.ts";
import { type NarrowCure, other, type Party, type Status } from "./user/sentences.ts";
import { Meter, Span } from "./user/meter.ts";
import { type Line, type LineFigures, NO_SOUND, type Peer } from "./wire/line.ts";
import { TellLimit } from "./wire/door.ts";

/** The parts of a call. */
export interface CallParts {
  /** Our role in it. */
  readonly we: Party;
  /** The peer, by its introduction. */
  readonly peer: Peer;
  /** Takes the call. Resolves to its line. */
  readonly open: () => Promise<Line>;
  /** Our source, shared by the calls of this end. */
  readonly outgoing?: Outgoing | undefined;
  /** Resolves when our source is over, if that ends the call. */
  readonly sourceOver?: Promise<End> | undefined;
  /** Seconds of our source after which we hang up by ourselves. */
  readonly durationSeconds?: number | undefined;
  /** True if the codec of our pictures follows the link. */
  readonly auto: boolean;
  /** The address of the peer. */
  readonly host: string;
  /** The recordings to make. Nothing for none. */
  readonly record: RecordPlan | undefined;
  /** True if the peer's sound is to be heard. */
  readonly play: boolean;
  /** The window for the peer's frames. */
  readonly window: Pick<DisplayOptions, "title" | "place">;
  /** The name of the call among several. */
  readonly label?: (() => string) | undefined;
  /** The cure if the link is too narrow for our frames. */
  readonly narrowCure?: NarrowCure | undefined;
  /** Seconds that a lost network is waited for. */
  readonly patienceSeconds: number;
  /** Hears that the call has begun in earnest: with the first frame, if the peer sends any. */
  readonly onBegun?: (() => void) | undefined;
  /**
   * True if a call that ends like this before it has begun was only a stranger's visit. Never true
   * if not given.
   */
  readonly isStranger?: ((end: End) => boolean) | undefined;
}

/** The result of a call. */
export interface CallOutcome extends Result {
  /** The end of the call. */
  readonly end: End;
  /** Frames that did not arrive, or are not in the recording. */
  readonly lost: number;
  /** True if it was a stranger's visit: then nothing was said of it. */
  readonly isStranger: boolean;
}

/**
 * The milliseconds and the number of frames after which the call looks for pictures in the frames.
 */
const PICTURES_MS = 5000;
const LEAST_FRAMES = 10;

/** A call, from the moment at which it can be taken. */
export class Call implements Taker {
  readonly #parts: CallParts;
  readonly #around: Surroundings;
  readonly #local = Promise.withResolvers<End>();
  readonly #up = new Meter();
  readonly #down = new Meter();
  #line: Line | undefined;
  #recordings: Recordings | undefined;
  #display: Display | undefined;
  #loudspeaker: Loudspeaker | undefined;
  /** True while the peer has muted its microphone. */
  #isPeerMuted = false;
  readonly #given = new Span();
  readonly #came = new Span();
  /** Warnings that wait until the call has begun: strangers must not cause any. */
  #warnings: string[] | undefined = [];
  #fileBytes: number | undefined;
  /** True while the network is gone, and at the end if it has not come back. */
  #isGone = false;
  #tellsGone = false;
  readonly #losses = new TellLimit();
  readonly #mutes = new TellLimit();
  /** Lets the last frames leave when the duration is over. */
  #finishing: Promise<void> | undefined;

  /** Prepares a call. Nothing is opened yet. */
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
    const format = outgoing!.formats[frame.stream]!;
    // Where there are pictures, they make the duration.
    if (format.kind === "video") this.#given.add(frame.captureUs, 1e6 / format.fps);
    else if (!outgoing!.gives("video")) this.#given.add(frame.captureUs, 1e6 / SOUND_FPS);
    this.#line?.push(frame);
  }

  /** Tells the peer that nothing comes on a stream of ours for now. */
  onRest(stream: number): void {
    this.#line?.rest?.(stream);
  }

  /** Records a frame of ours as the source gives it. */
  pushOwn(frame: Frame, format: Format): void {
    this.#recordings?.pushOwn(frame, format);
  }

  /** The microphone is back: most likely the sound server was gone, and the loudspeaker with it. */
  onHeard(): void {
    this.#loudspeaker?.renew();
  }

  /** The figures of the live line. */
  status(): Status {
    const figures = this.#line?.figures ?? NOTHING;
    const { outgoing, peer } = this.#parts;
    const up = this.#up.read(figures.sent, figures.sentBytes);
    const down = this.#down.read(figures.received, figures.receivedBytes);
    const gives = outgoing?.gives("video") ?? false;
    this.#measureFile();
    return {
      label: this.#parts.label?.(),
      seconds: up.seconds,
      fps: { up: gives ? up.fps : undefined, down: peer.format && down.fps },
      bytesPerSecond: (outgoing ? up.bytesPerSecond : 0) +
        (peer.format || peer.sound ? down.bytesPerSecond : 0),
      muted: { ours: outgoing?.muted ?? false, theirs: this.#isPeerMuted },
      dropped: figures.dropped + this.#lost(figures),
      delayMs: figures.delayMs,
      waitingMs: figures.waitingMs,
      fileBytes: this.#fileBytes,
    };
  }

  /** True if there are pictures to see and no window for them. The user has been told why. */
  get cannotShow(): boolean {
    return this.#parts.peer.format !== undefined && this.#display === undefined;
  }

  /** Has the call and prints its end. */
  async run(): Promise<CallOutcome> {
    const { end, files } = await this.#have();
    this.#around.log.status("");
    const figures = this.#line?.figures ?? NOTHING;
    const lost = this.#lost(figures);
    const hasBegun = this.#warnings === undefined;
    const isStranger = !hasBegun && (this.#parts.isStranger?.(end) ?? false);
    if (isStranger) return { end, lost, isStranger, exit: EXIT.ok, recordingFailed: false };
    const { we, peer, outgoing } = this.#parts;
    const result = await tellCall({
      ...{ end, we, peer, figures, lost, files, isGone: this.#isGone },
      givesSound: outgoing?.gives("sound") ?? false,
      seconds: { given: this.#given.seconds, came: this.#came.seconds },
      recordingProblem: this.#recordings?.problem,
    }, this.#around);
    return { end, lost, isStranger, ...result };
  }

  /** Opens all that a call needs, waits for its end, and closes it. */
  async #have(): Promise<Pick<FinishedCall, "end" | "files">> {
    const { log, hangUp } = this.#around;
    const { outgoing, sourceOver, peer, we, narrowCure } = this.#parts;
    await using stack = new AsyncDisposableStack();
    const onHangUp = (): void => this.hangUp(REASON.hungUp);
    hangUp.addEventListener("abort", onHangUp);
    stack.defer(() => hangUp.removeEventListener("abort", onHangUp));
    if (hangUp.aborted) onHangUp();

    // A caller sends once it hears yes. Whatever starts slowly has to be started by then.
    const incoming = stack.use(this.#openIncoming());
    const warn = (sentence: string): void => this.#warn(sentence);
    if (incoming.picture) {
      const onClosed = (): void => this.hangUp(REASON.windowClosed);
      const options = { format: incoming.picture, ...this.#parts.window, onClosed };
      this.#display = stack.use(openDisplay(options, this.#around, warn));
    }
    if (incoming.sound && this.#parts.play) {
      this.#loudspeaker = stack.use(openLoudspeaker(this.#around, warn));
    }
    let line: Line;
    try {
      line = this.#line = await this.#parts.open();
    } catch (error) {
      return { end: { kind: "error", error }, files: { theirs: [], ours: [] } };
    }
    line.watch?.(this);
    this.#recordings = stack.use(this.#openRecordings(incoming));
    if (peer.format) {
      const looking = setTimeout(() => void this.#lookForPictures(), PICTURES_MS);
      stack.defer(() => clearTimeout(looking));
    }
    // If the peer cannot be a stranger, there is nothing to wait for.
    if (!peer.format || !this.#parts.isStranger) this.#begin();
    if (narrowCure) stack.use(watchLink(line, narrowCure, this.#around));
    outgoing?.join(this);
    if (outgoing?.gives("video") && this.#parts.auto) {
      stack.use(followLink(line, outgoing, this, this.#around));
    }
    const taking = this.#take(line, incoming);
    const end = await Promise.race([
      this.#local.promise,
      line.ended.then(
        ({ reason }): End => ({ kind: "hang-up", by: other(we), reason }),
        (error: unknown): End => ({ kind: "error", error }),
      ),
      // The last frames of a file are as good as the first. They leave before the bye does.
      ...(sourceOver ? [sourceOver.then((end) => line.flush().then(() => end))] : []),
    ]);
    if (end.kind === "hang-up") log.debug("call", `${end.by}: ${end.reason}`);
    // If the network was gone, the recording ends with the last picture that came.
    const untilNow = end.kind === "hang-up" && line.figures.waitingMs === undefined;
    // The recording is finished first and waits for nobody: byes and windows may take their time.
    const [files] = await Promise.all([
      this.#recordings?.close({ untilNow }) ?? { theirs: [], ours: [] },
      line.hangUp(endReason(end)),
      outgoing?.leave(this),
    ]);
    await taking;
    return { end, files };
  }

  /** Shows, plays and records the peer's frames, until the line ends. */
  async #take(line: Line, incoming: Incoming): Promise<void> {
    for await (const frame of line.frames()) {
      if (this.#came.firstUs === undefined) this.#begin();
      const arrivedUs = nowUs();
      this.#came.add(arrivedUs, 0);
      if (this.#parts.peer.streams[frame.stream]?.kind === "video") {
        this.#tellAge(frame, arrivedUs);
      }
      incoming.push(frame);
      frame.lease?.letGo();
      this.#recordings?.tellIfSlow();
    }
  }

  #openIncoming(): Incoming {
    return new Incoming(this.#parts.peer, {
      openTranscoder: (from, to, onFailed) =>
        openTranscoder({ from, to, onFailed, watch: this.#around.watch }),
      onTranscoderFailed: (failure) =>
        tellTranscoder(failure, this.#around, (sentence) => this.#warn(sentence)),
      onPicture: (frame) => {
        this.#display?.push(frame);
        this.#recordings?.push(frame);
      },
      onSound: (frame) => {
        this.#loudspeaker?.push(frame);
        this.#recordings?.pushSound(frame);
      },
    });
  }

  #openRecordings({ picture, sound }: Incoming): Recordings | undefined {
    const { record: plan, peer, host, we, outgoing } = this.#parts;
    return plan && new Recordings({
      ...{ plan, peer, host, them: other(we) },
      theirs: { picture, sound: sound !== undefined },
      ours: {
        picture: outgoing?.given("video") as VideoFormat | undefined,
        sound: outgoing?.gives("sound") ?? false,
      },
    }, this.#around);
  }

  /** Says the words that had to wait until the call has begun. */
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

  /**
   * Logs the age of a frame by the clocks of both ends, without the correction of the live line.
   */
  #tellAge(frame: Frame, arrivedUs: number): void {
    const { firstUs = arrivedUs } = this.#came;
    this.#around.log.trace("frame", () => {
      const [atMs, ageMs] = [arrivedUs - firstUs, arrivedUs - frame.captureUs]
        .map((us) => Math.round(us / 1000));
      return `${frame.sequence} at ${atMs} ms, ${ageMs} ms old`;
    });
  }

  /** The peer has muted its microphone, or is heard again. */
  onMuted(muted: boolean): void {
    const { log, messages } = this.#around;
    this.#isPeerMuted = muted;
    // A peer may do that as often as it likes.
    if (this.#mutes.take()) log.say(messages.peerMuted(other(this.#parts.we), muted));
  }

  /** The network is gone. */
  onGone(lost: PeerLostError): void {
    const { log, messages } = this.#around;
    this.#isGone = true;
    // A peer may be lost and come back as often as it likes.
    this.#tellsGone = this.#warnings === undefined && this.#losses.take();
    if (this.#tellsGone) log.warn(messages.networkGone(lost.how, this.#parts.patienceSeconds));
  }

  /** The network is back. */
  onBack(goneMs: number): void {
    const { log, messages } = this.#around;
    this.#isGone = false;
    if (this.#tellsGone) log.warn(messages.networkBack(goneMs / 1000));
  }

  /** Frames that did not arrive, or are not in the recording. */
  #lost(figures: LineFigures): number {
    return figures.lost + (this.#recordings?.lost ?? 0);
  }

  /** Finds out the present size of the recording, for the live line. */
  #measureFile(): void {
    const path = this.#recordings?.path;
    if (path === undefined) return;
    Deno.stat(path).then(
      ({ size }) => this.#fileBytes = size,
      () => this.#fileBytes = undefined,
    );
  }

  /** Tells the user if frames come and none can be shown. */
  async #lookForPictures(): Promise<void> {
    const { log, messages } = this.#around;
    const figures = this.#line?.figures ?? NOTHING;
    const nothing = figures.received > 0
      ? figures.received >= LEAST_FRAMES && await this.#recordings?.isEmpty()
      : this.#lost(figures) > 0;
    if (nothing) log.warn(messages.noPictures(other(this.#parts.we), this.#parts.peer.format!));
  }
}

/** The figures of a call that never had a line. */
const NOTHING: LineFigures = {
  ...{ sent: 0, dropped: 0, sentBytes: 0, pictureBytes: 0, delayMs: undefined, sound: NO_SOUND },
  ...{ received: 0, lost: 0, receivedBytes: 0, waitingMs: undefined },
};
