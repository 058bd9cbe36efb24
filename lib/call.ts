/**
 * One call: our frames go to the line; the line's frames are shown, played and recorded. It is the
 * only wiring, the same for both programs, and decides the meaning of each end of a call.
 *
 * ```
 *  outgoing ─┬─► line ════ peer ════► line ─► incoming ─┬─ pictures ─► display
 *            ├─► self view                              ├─ sound ────► loudspeaker
 *            └─► recording (our voice)                  └─ both ─────► recording
 * ```
 *
 * All that a call opens is on one stack. The call is over when the stack is unwound. Only then are
 * its summary and its last sentence printed.
 */

import { nowUs } from "./clock.ts";
import { endsInOrder, PeerLostError, REASON, RecordingError } from "./errors.ts";
import { type Format, SOUND_FPS, type VideoFormat } from "./frame/format.ts";
import type { Frame } from "./frame/frame.ts";
import type { Display, DisplayOptions } from "./media/display.ts";
import type { Loudspeaker } from "./media/loudspeaker.ts";
import { NO_PICTURES, type SoundSize } from "./media/recorder.ts";
import { checkRecorder, type Encoder } from "./media/recorder_arguments.ts";
import { openTranscoder } from "./media/transcoder.ts";
import { type FinishedFile, Recording, type RecordingOptions } from "./media/recording.ts";
import { checkFolder, isFolder, ownPath } from "./media/recording_file.ts";
import { RecordingPair } from "./media/recording_pair.ts";
import { LONGEST, nameInFolder, nameOf, unknownPlace } from "./media/recording_name.ts";
import { Incoming } from "./incoming.ts";
import type { Outgoing, Taker } from "./outgoing.ts";
import { openDisplay, openLoudspeaker } from "./showing.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";
import { tellTranscoder } from "./transcoders.ts";
import { usageError } from "./user/command_line.ts";
import { checkRecordName } from "./user/options.ts";
import { describe } from "./user/problems.ts";
import { messagesIn, type NarrowCure, other, type Party, type Status } from "./user/sentences.ts";
import { Meter } from "./user/meter.ts";
import { type Line, type LineFigures, NO_SOUND, type Peer } from "./wire/line.ts";
import { TellLimit } from "./wire/door.ts";
import { CodecChoice } from "./wire/codec_choice.ts";
import { LinkWatch } from "./wire/link_watch.ts";

/** The end of a call: somebody hung up, or something went wrong. */
export type End =
  | { readonly kind: "hang-up"; readonly by: Party; readonly reason: string }
  | { readonly kind: "error"; readonly error: unknown };

/** A recording that can be made. */
export interface RecordPlan {
  /** The file, with places for the call. */
  readonly wanted: string;
  /** The encoder of its pictures. */
  readonly encoder: Encoder;
}

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
  /** The recording of the peer's frames. Nothing for no recording. */
  readonly record: RecordPlan | undefined;
  /** True if the peer's sound is to be heard. */
  readonly play: boolean;
  /** True if our own frames are recorded as well, in a file beside it. */
  readonly recordEach: boolean;
  /** The size of the sound in the recording. */
  readonly recordSound: SoundSize;
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
export interface CallOutcome {
  /** The exit status for it. */
  readonly exit: number;
  /** True if its recording is not whole. */
  readonly recordingFailed: boolean;
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

/** Milliseconds between two looks at the link, for a narrow one and for the codec it carries. */
const LINK_MS = 250;
const CODEC_MS = 100;

/** A call, from the moment at which it can be taken. */
export class Call implements Taker {
  readonly #parts: CallParts;
  readonly #around: Surroundings;
  readonly #local = Promise.withResolvers<End>();
  readonly #up = new Meter();
  readonly #down = new Meter();
  #line: Line | undefined;
  #recording: Recording | undefined;
  #ownRecording: Recording | undefined;
  #recordingProblem: string | undefined;
  #recorderSlow = false;
  #display: Display | undefined;
  #loudspeaker: Loudspeaker | undefined;
  /** True while the peer has muted its microphone. */
  #isPeerMuted = false;
  readonly #given = new Span();
  readonly #came = new Span();
  /** Warnings that wait until the call has begun: strangers must not cause any. */
  #warnings: string[] | undefined = [];
  /** The files that the call leaves behind. */
  readonly #made: string[] = [];
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

  /** Records our own voice, and our pictures if they have a file. */
  pushOwn(frame: Frame, { kind }: Format): void {
    if (!this.#parts.recordEach) {
      if (kind === "sound") this.#recording?.pushSound("own", frame);
    } else if (kind === "sound") {
      // In this file, our voice is the one that goes with the pictures.
      this.#ownRecording?.pushSound("peer", frame);
    } else {
      this.#ownRecording?.push(frame);
    }
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
    const { log, messages } = this.#around;
    const { end, files, ownFiles } = await this.#have();
    log.status("");
    const figures = this.#line?.figures ?? NOTHING;
    const lost = this.#lost(figures);
    const hasBegun = this.#warnings === undefined;
    const isStranger = !hasBegun && (this.#parts.isStranger?.(end) ?? false);
    if (isStranger) return { end, lost, isStranger, exit: EXIT.ok, recordingFailed: false };
    const { sent: frames, dropped, sound } = figures;
    if (frames > 0 || sound.sent > 0) {
      const { seconds } = this.#given;
      log.say(messages.sent({ seconds, frames, dropped, sound: sound.sent > 0 }));
    }
    const problem = await this.#tellWhatCame(files, figures) ?? await this.#tellOwn(ownFiles);
    if (this.#isGone && files.length > 0) log.warn(messages.recordingCutShort);
    if (problem) log.error(problem);
    const exit = this.#tellEnd(end, problem !== undefined);
    for (const path of this.#made) log.made(path);
    return { end, lost, isStranger, exit, recordingFailed: this.#recordingProblem !== undefined };
  }

  /** Opens all that a call needs, waits for its end, and closes it. */
  async #have(): Promise<Had> {
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
      return { end: { kind: "error", error }, files: [], ownFiles: [] };
    }
    line.watch?.(this);
    this.#openRecordings(incoming, stack);
    if (peer.format) {
      const looking = setTimeout(() => void this.#lookForPictures(), PICTURES_MS);
      stack.defer(() => clearTimeout(looking));
    }
    // If the peer cannot be a stranger, there is nothing to wait for.
    if (!peer.format || !this.#parts.isStranger) this.#begin();
    if (narrowCure) stack.use(this.#watchLink(line, narrowCure));
    outgoing?.join(this);
    if (outgoing?.gives("video") && this.#parts.auto) stack.use(this.#followLink(line, outgoing));
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
    const [[files, ownFiles]] = await Promise.all([
      Promise.all([
        this.#recording?.close({ untilNow }) ?? [],
        this.#ownRecording?.close({ untilNow }) ?? [],
      ]),
      line.hangUp(endReason(end)),
      outgoing?.leave(this),
    ]);
    await taking;
    return { end, files, ownFiles };
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
      this.#watchRecorder();
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
        this.#recording?.push(frame);
      },
      onSound: (frame) => {
        this.#loudspeaker?.push(frame);
        this.#recording?.pushSound("peer", frame);
      },
    });
  }

  /** Opens the recording of the call, or one of each end with the same beginning. */
  #openRecordings({ picture, sound }: Incoming, stack: AsyncDisposableStack): void {
    const { record, recordEach, peer, host, outgoing } = this.#parts;
    if (record === undefined) return;
    const wanted = nameOf(record.wanted, { at: new Date(), peer: peer.name, host });
    const ourSound = outgoing?.gives("sound") ?? false;
    const { stamps } = peer;
    if (!recordEach) {
      const hasSound = sound !== undefined || ourSound;
      if (picture || sound) {
        this.#recording = this.#openRecording({ wanted, format: picture, stamps }, hasSound);
      }
      return;
    }
    const pair = stack.use(new RecordingPair(wanted));
    const originUs = nowUs();
    if (picture || sound) {
      const reserve = (): Promise<string> => pair.reserve("peer");
      const parts = { originUs, reserve, wanted, format: picture, stamps };
      this.#recording = this.#openRecording(parts, sound !== undefined);
    }
    const format = outgoing?.given("video") as VideoFormat | undefined;
    if (format || ourSound) {
      const reserve = (): Promise<string> => pair.reserve("own");
      const parts = { originUs, reserve, wanted: ownPath(wanted), format } as const;
      this.#ownRecording = this.#openRecording({ ...parts, stamps: "capture" }, ourSound);
    }
  }

  #openRecording(
    parts: Pick<RecordingOptions, "wanted" | "format" | "stamps" | "originUs" | "reserve">,
    hasSound: boolean,
  ): Recording {
    const { log, messages, system, watch } = this.#around;
    const { record, recordSound, we } = this.#parts;
    let files = 0;
    return new Recording({
      ...parts,
      encoder: record?.encoder,
      sound: hasSound ? recordSound : undefined,
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

  /** Tells the user, once, that the link is too narrow. */
  #watchLink(line: Line, cure: NarrowCure): Disposable {
    const { log, messages } = this.#around;
    const watch = new LinkWatch();
    const timer = setInterval(() => {
      if (watch.look(line.figures, performance.now())) log.warn(messages.narrowLink(cure));
    }, LINK_MS);
    return { [Symbol.dispose]: (): void => clearInterval(timer) };
  }

  /** Sends in the codecs that the link carries. */
  #followLink(line: Line, outgoing: Outgoing): Disposable {
    const { log, messages } = this.#around;
    const { formats } = outgoing;
    const pictures = formats.filter((format) => format.kind === "video");
    const choice = new CodecChoice(pictures[0]!, pictures.map(({ codec }) => codec));
    const choose = (wanted: Format["codec"]): boolean => {
      const stream = formats.findIndex(({ codec }) => codec === wanted);
      if (stream >= 0) outgoing.choose(this, stream);
      return stream >= 0;
    };
    const look = (): void => {
      const { linkRate, roundTripMs } = line;
      const facts = { ...line.figures, linkRate, roundTripMs };
      const news = choice.look(facts, performance.now());
      if (news === undefined) return;
      choose(news.codec);
      const hasSound = choose(news.sound);
      log.debug("call", `${news.codec}${news.isTry ? ", for a try" : ""}`);
      if (!news.isTry) log.say(messages.codecChosen(news.codec, hasSound ? news.sound : undefined));
    };
    const timer = setInterval(look, CODEC_MS);
    return { [Symbol.dispose]: (): void => clearInterval(timer) };
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

  /** Tells of the frames that came and of their file. Returns the problem with them. */
  async #tellWhatCame(
    files: readonly FinishedFile[],
    figures: LineFigures,
  ): Promise<string | undefined> {
    const { log, messages } = this.#around;
    const { format, sound: soundFormat } = this.#parts.peer;
    if (format === undefined && soundFormat === undefined) return undefined;
    const sound = figures.sound.received > 0;
    const lost = this.#lost(figures);
    const nothing = files.some(({ failure }) => failure === NO_PICTURES) ||
      figures.received === 0 && lost > 0;
    if (nothing) {
      for (const { path } of files) await Deno.remove(path).catch(() => {});
    }
    // The last file's sentence tells of the frames that did not arrive. An earlier file's sentence
    // tells of its own losses.
    const lostEarlier = files.slice(0, -1).reduce((sum, file) => sum + file.lost, 0);
    for (const [index, file] of nothing ? [] : files.entries()) {
      this.#made.push(file.path);
      const isLast = index === files.length - 1;
      log.say(messages.summary({
        seconds: file.seconds,
        frames: file.frames,
        received: files.length > 1 ? file.frames : figures.received,
        lost: isLast ? Math.max(lost - lostEarlier, 0) : file.lost,
        file: file.path,
        sound,
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
      const all = { seconds, received: figures.received, lost: nothing ? unseen : lost, sound };
      log.say(messages.notRecorded(all));
    }
    // The peer is to blame that there is nothing to record, not the recording.
    return nothing && format
      ? messages.noPictures(other(this.#parts.we), format)
      : this.#recordingProblem;
  }

  /** Tells of the files of our own frames. Returns the problem with them. */
  async #tellOwn(files: readonly FinishedFile[]): Promise<string | undefined> {
    const { log, messages } = this.#around;
    for (const { path: file, seconds, frames, lost, failure } of files) {
      this.#made.push(file);
      const { size: bytes } = await Deno.stat(file).catch(() => ({ size: 0 }));
      const sound = this.#parts.outgoing?.gives("sound") ?? false;
      log.say(messages.summary({ seconds, frames, received: frames, lost, file, sound, bytes }));
      if (failure === undefined || this.#recordingProblem) continue;
      log.error(messages.recordingFailed(file, failure));
      this.#recordingProblem = messages.recordingIncomplete(file);
    }
    return this.#recordingProblem;
  }

  /** Tells how the call ended. Returns the exit status. */
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

  /** Tells why the peer hung up, unless the reason is a usual one. */
  #tellComplaint(reason: string): void {
    const { log, messages } = this.#around;
    if (!isUsual(reason)) log.warn(messages.complaint(other(this.#parts.we), reason));
  }

  /** Frames that did not arrive, or are not in the recording. */
  #lost(figures: LineFigures): number {
    return figures.lost + (this.#recording?.lost ?? 0);
  }

  /** Finds out the present size of the recording, for the live line. */
  #measureFile(): void {
    const path = this.#recording?.path;
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

/** The end of a call, and the files of both ends. */
interface Had {
  readonly end: End;
  readonly files: readonly FinishedFile[];
  readonly ownFiles: readonly FinishedFile[];
}

/** The figures of a call that never had a line. */
const NOTHING: LineFigures = {
  ...{ sent: 0, dropped: 0, sentBytes: 0, pictureBytes: 0, delayMs: undefined, sound: NO_SOUND },
  ...{ received: 0, lost: 0, receivedBytes: 0, waitingMs: undefined },
};

/** The span of time from the first frame to the last. */
class Span {
  firstUs: number | undefined;
  #endUs = 0;

  /** Adds a frame at that time, shown for so long. */
  add(atUs: number, forUs: number): void {
    this.firstUs ??= atUs;
    this.#endUs = atUs + forUs;
  }

  get seconds(): number {
    return this.firstUs === undefined ? 0 : (this.#endUs - this.firstUs) / 1e6;
  }
}

/**
 * Finds out if a recording can be made there, a file or a folder. Throws the error that says why it
 * cannot.
 */
export async function checkRecording(
  record: string,
  { messages, watch }: Pick<Surroundings, "messages" | "watch">,
): Promise<RecordPlan> {
  const wanted = await isFolder(record) ? nameInFolder(record) : record;
  const place = unknownPlace(wanted);
  if (place !== undefined) {
    const { usage } = messages;
    throw usageError(usage.bad("--record", record, usage.place(place)), messages);
  }
  try {
    await checkFolder(nameOf(wanted, LONGEST));
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    throw new RecordingError(error.kind, record, { cause: error.cause });
  }
  checkRecordName(wanted, messages);
  return { wanted, encoder: await checkRecorder(wanted, watch) };
}

/** True for the reasons that are no complaint. */
export function isUsual(reason: string): boolean {
  return reason === "" || endsInOrder(reason);
}

/** The reason for the peer: why a side hung up, or its mistake. */
function endReason(end: End): string {
  if (end.kind === "hang-up") return end.reason;
  if (end.error instanceof PeerLostError) return messagesIn("en").lostHow[end.error.how];
  return end.error instanceof Error ? end.error.message : String(end.error);
}
