/**
 * The wiring: what feeds what in a call, and what each end of one means.
 *
 * ```
 *  source ─► display (self view)                 receiver ─► display
 *      └───► sender ════════════ wire ══════════►    └─────► recorder
 * ```
 *
 * Connections are handed in. All that a call opens is on one stack, and the call is over when that is unwound: only then
 * are its summary and its last sentence printed.
 */

import { openSource, systemOf, withoutSecrets } from "./camera.ts";
import type { ChildWatch } from "./child.ts";
import { nowUs } from "./clock.ts";
import { FrameAges, RecentMean } from "./delay.ts";
import { Display, type DisplayOptions } from "./display.ts";
import { Door, StrangerLimit } from "./door.ts";
import {
  BUSY,
  NoCameraError,
  NotInstalledError,
  PeerLostError,
  ProtocolError,
  REASON,
} from "./errors.ts";
import type { Frame } from "./frame.ts";
import { LinkWatch } from "./link_watch.ts";
import { sayWhose, type Voice } from "./log.ts";
import {
  describe,
  describeConnect,
  describeNoCamera,
  installCommand,
  type Messages,
  messagesIn,
  type NarrowCure,
  type Party,
  type Status,
  TITLES,
  wrongWith,
} from "./messages.ts";
import { type CallerIdentity, callerLabel, isNamesake, shownName } from "./name.ts";
import type { ClientOptions, ServerOptions } from "./options.ts";
import { type Offer, readOffer, type Receiver } from "./receiver.ts";
import { NO_PICTURES, Recorder, type Recording, reserveFile } from "./recorder.ts";
import { openSender, type Sender } from "./sender.ts";
import type { Sink } from "./sink.ts";
import type { Source } from "./source.ts";
import { findUnfinished, mend } from "./unfinished.ts";
import type { Connection } from "./wire.ts";

/** What a call has around it. */
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

/** A caller at the door. */
export interface Caller {
  /** The connection, which is the call's from now on. */
  readonly connection: Connection;
  /** Its address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
}

/** Exit statuses, the same for both programs. */
export const EXIT = { ok: 0, failed: 1, usage: 2, lost: 3 } as const;

/** How a call ended: somebody hung up, or something went wrong. */
type End =
  | { readonly kind: "hang-up"; readonly by: Party; readonly reason: string }
  | { readonly kind: "error"; readonly error: unknown };

/** How often the live line is renewed, in milliseconds. */
const STATUS_MS = 500;

/** How often the link is looked at, in milliseconds. */
const LINK_MS = 250;

/** How long a silence lasts before the other machine is knocked at, and how often then, in milliseconds. */
const KNOCK_AFTER_MS = 2000;
const KNOCK_EVERY_MS = 500;

/** After how long, in milliseconds, and how many frames a call is asked whether there are pictures in what comes. */
const PICTURES_MS = 5000;
const LEAST_FRAMES = 10;

/**
 * Answers callers until the user hangs up or, without `stay`, until a call was had and is over. Resolves to the exit
 * status.
 */
export async function answerCalls(
  callers: AsyncIterable<Caller>,
  options: ServerOptions,
  around: Surroundings,
): Promise<number> {
  const { log, messages, hangUp } = around;
  const visits = new Set<Promise<void>>();
  const calls = new Set<AnsweredCall>();
  const door = new Door();
  const strangers = new StrangerLimit();
  const over = Promise.withResolvers<void>();
  let exit: number = EXIT.ok;
  let had = false;
  let closed = false;

  const sayUntold = (): void => {
    const untold = strangers.takeUntold();
    if (untold > 0) log.warn(messages.moreStrangers(untold));
  };

  const visit = async (caller: Caller): Promise<void> => {
    const { connection, host, port } = caller;
    // A connection from the other machine of a call may be a knock, which says that its network is back.
    const mayBeKnock = [...calls].filter((call) => call.reassure(host)).length > 0;
    const free = calls.size < options.maxCalls && !mayBeKnock;
    // Among several callers one is told apart by its name, which it has yet to say.
    const several = options.maxCalls > 1;
    const mayTell = free && strangers.take();
    let announced = false;
    const announce = (voice: Voice): void => {
      if (!announced) voice.say(messages.received(host, port));
      announced = true;
    };
    const cameToNothing = (sentence: string, voice: Voice = log): void => {
      log.debug("server", `${host}:${port}: ${sentence}`);
      if (closed) return;
      if (mayTell || announced) voice.warn(sentence);
      else if (free) strangers.skip();
    };
    if (mayTell) sayUntold();
    if (mayTell && !several) announce(log);
    door.enter(connection, host);
    let call: AnsweredCall;
    try {
      const offer = await readOffer(connection, options.fps);
      if (offer === null) return cameToNothing(messages.leftSilently(host));
      if (closed || calls.size >= options.maxCalls) {
        log.debug("server", `${host}:${port}: busy`);
        if (!closed) {
          if (strangers.take()) log.warn(messages.busyStranger(host));
          else strangers.skip();
        }
        return await offer.refuse(BUSY);
      }
      call = new AnsweredCall(offer, caller, options, around, () => announce(call.voice));
      call.slot = lowestFree([...calls].map(({ slot }) => slot));
    } catch (error) {
      return cameToNothing(strangerSentence(host, error, messages));
    } finally {
      door.leave(connection);
    }
    for (const other of calls) call.tellApart(other);
    calls.add(call);
    if (mayTell || (!free && strangers.take())) announce(call.voice);
    try {
      const outcome = await call.run();
      if (outcome.begun) {
        had = true;
        // A server that stays has not failed because a caller did; a recording that failed is another matter.
        if (call.recordingFailed) exit = EXIT.failed;
        else if (!options.stay && exit === EXIT.ok) exit = outcome.exit;
      } else {
        cameToNothing(outcome.sentence, call.voice);
      }
    } finally {
      calls.delete(call);
      if (!options.stay && had && calls.size === 0) over.resolve();
    }
  };

  const onQuit = (event: Event): void => {
    // One that was hung up already is ending: whoever presses q once more wants the server to end.
    const talking = [...calls].filter((call) => !call.isHungUp);
    if (!options.stay || talking.length === 0) return;
    event.preventDefault();
    for (const call of talking) call.hangUp();
  };
  around.keyboard.addEventListener("quit", onQuit);

  using _live = everyStatus(log, () => {
    for (const call of calls) call.measureFile();
    return messages.statusLine([...calls].map((call) => call.status()), log.columns);
  });
  const answering = (async (): Promise<void> => {
    for await (const caller of callers) {
      if (closed) {
        caller.connection.close();
        continue;
      }
      const one = visit(caller).catch((error) => {
        log.error(describe(error, messages, around.system, "CLIENT"));
        exit = EXIT.failed;
      }).finally(() => visits.delete(one));
      visits.add(one);
    }
  })().catch((error) => {
    log.error(describe(error, messages, around.system, "CLIENT"));
    exit = EXIT.failed;
  });
  const done = new AbortController();
  const mending = options.record === undefined
    ? undefined
    : mendEarlier(options.record, around, AbortSignal.any([done.signal, hangUp]));
  let hungUpIdle = false;
  const onHangUp = (): void => {
    hungUpIdle = !closed && calls.size === 0;
    over.resolve();
  };
  hangUp.addEventListener("abort", onHangUp, { once: true });
  if (hangUp.aborted) onHangUp();

  await Promise.race([over.promise, answering]);
  closed = true;
  around.keyboard.removeEventListener("quit", onQuit);
  done.abort();
  door.clear();
  await Promise.all([...visits, mending]);
  sayUntold();
  if (hungUpIdle) log.say(messages.endedBy("HOST"));
  return exit;
}

/** The lowest number from 0 that is not among these. */
function lowestFree(taken: readonly number[]): number {
  let number = 0;
  while (taken.includes(number)) number++;
  return number;
}

/** The sentence for somebody who was let go before a call began. */
function strangerSentence(host: string, error: unknown, messages: Messages): string {
  const detail = error instanceof PeerLostError
    ? messages.lostHow[error.how]
    : error instanceof ProtocolError
    ? wrongWith(error, messages)
    : (error as Error).message;
  return messages.stranger(host, detail);
}

/** Mends the recordings that earlier programs were killed over, while callers are answered already. */
async function mendEarlier(
  record: string,
  { log, messages, watch }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  for (const path of await findUnfinished(record)) {
    if (signal.aborted) return;
    // Whatever becomes of it, it is no reason not to answer. One that somebody still writes may wait for the next start.
    const mended = await mend(path, signal, watch).catch(() => false);
    if (mended) log.say(messages.mended(path));
    else if (!signal.aborted) log.warn(messages.notMended(path));
  }
}

/** The end of a call that was taken: an exit status, or the sentence for a caller that sent no frame. */
type Outcome =
  | { readonly begun: true; readonly exit: number }
  | { readonly begun: false; readonly sentence: string };

/** A call that was taken: shown and recorded. */
class AnsweredCall {
  readonly #offer: Offer;
  readonly #caller: Caller;
  readonly #options: ServerOptions;
  readonly #around: Surroundings;
  readonly #onBegin: () => void;
  readonly #hangUp = new AbortController();
  readonly #meter = new Meter();
  #hasNamesake = false;
  /** Warnings that wait for the first frame: strangers are not to make them. */
  readonly #warnings: string[] = [];
  #receiver: Receiver | undefined;
  #opening: Promise<Recorder | undefined> | undefined;
  #recorder: Recorder | undefined;
  #recordingProblem: string | undefined;
  #recorderSlow = false;
  #received = 0;
  #firstUs = 0;
  #lastUs = 0;
  readonly #ages = new FrameAges();
  readonly #delay = new RecentMean();
  #fileBytes: number | undefined;

  /** Its number among the calls at the same time, which is the place of its window. */
  slot = 0;

  /** `onBegin` is told when the first frame is there: until then, the caller may be anybody. */
  constructor(
    offer: Offer,
    caller: Caller,
    options: ServerOptions,
    around: Surroundings,
    onBegin: () => void,
  ) {
    this.#offer = offer;
    this.#caller = caller;
    this.#options = options;
    // Where there is one call at a time, everybody knows whose sentences these are.
    this.#around = options.maxCalls === 1
      ? around
      : { ...around, log: sayWhose(around.log, () => this.label) };
    this.#onBegin = onBegin;
  }

  /** Where it says what happens to it. */
  get voice(): Voice {
    return this.#around.log;
  }

  /** What it is called among the others. */
  get label(): string {
    return callerLabel(this.#identity, { hasNamesake: this.#hasNamesake });
  }

  get #identity(): CallerIdentity {
    const { host, port } = this.#caller;
    return { name: this.#offer.name, host, port };
  }

  /** From now on, both are called by more than their name if they have the same. */
  tellApart(other: AnsweredCall): void {
    if (!isNamesake(this.#identity, other.#identity)) return;
    this.#hasNamesake = true;
    other.#hasNamesake = true;
  }

  /** Whether its recording is not whole. */
  get recordingFailed(): boolean {
    return this.#recordingProblem !== undefined;
  }

  /** True if it calls from there. Where it is silent, it is then waited for a little longer. */
  reassure(host: string): boolean {
    if (host !== this.#caller.host) return false;
    // The caller knocks by its own count of the silence, which may be ahead of ours.
    if ((this.#receiver?.quietMs ?? 0) >= KNOCK_AFTER_MS / 2) this.#receiver?.reassure();
    return true;
  }

  /** True if it was hung up by itself. */
  get isHungUp(): boolean {
    return this.#hangUp.signal.aborted;
  }

  /** Hangs it up, and no other call. */
  hangUp(): void {
    this.#hangUp.abort();
  }

  /** Finds out how large the recording is by now, for the live line. */
  measureFile(): void {
    if (!this.#recorder) return;
    Deno.stat(this.#recorder.path).then(
      ({ size }) => this.#fileBytes = size,
      () => this.#fileBytes = undefined,
    );
  }

  /** What the live line shows of it. */
  status(): Status {
    const delayUs = this.#delay.value;
    return {
      label: this.#options.maxCalls === 1 ? undefined : this.label,
      ...this.#meter.read(this.#received, this.#receiver?.receivedBytes ?? 0),
      delayMs: delayUs === undefined ? undefined : delayUs / 1000,
      dropped: this.#lost(),
      fileBytes: this.#fileBytes,
    };
  }

  /** Has the call and prints how it ended, if it ever began. */
  async run(): Promise<Outcome> {
    const { log } = this.#around;
    const { end, recording } = await this.#have();
    log.status("");
    const sentence = this.#received === 0 ? this.#strangerSentence(end) : undefined;
    if (sentence !== undefined) return { begun: false, sentence };
    return { begun: true, exit: await this.#conclude(end, recording) };
  }

  /** The sentence for a caller that is gone before its first frame, if it has had no call. */
  #strangerSentence(end: End): string | undefined {
    const { messages } = this.#around;
    const { host } = this.#caller;
    if (end.kind === "error") return strangerSentence(host, end.error, messages);
    // A hello and a goodbye are a short call, and where they may come again and again a stranger's.
    if (end.by === "HOST" || !this.#options.stay) return undefined;
    if (this.#lost() > 0) return messages.noPictures(this.#offer.format);
    return isUsual(end.reason)
      ? messages.leftSilently(host)
      : messages.complaint(end.by, end.reason);
  }

  /** Prints how the call ended. Resolves to the exit status. */
  async #conclude(end: End, recording: Recording | undefined): Promise<number> {
    const { log, messages, system } = this.#around;
    const nothing = recording?.failure === NO_PICTURES || this.#received === 0 && this.#lost() > 0;
    if (nothing && recording) await Deno.remove(this.#recorder!.path).catch(() => {});
    if (recording && this.#recorder && !nothing) {
      const { frames, seconds, failure } = recording;
      const file = this.#recorder.path;
      const bytes = (await Deno.stat(file).catch(() => undefined))?.size ?? 0;
      log.say(messages.summary({
        seconds,
        frames,
        received: this.#received,
        lost: this.#lost(),
        file,
        bytes,
      }));
      if (failure !== undefined && !this.#recordingProblem) {
        log.error(messages.recordingFailed(file, failure));
        this.#recordingProblem = messages.recordingIncomplete(file);
      }
    } else {
      const seconds = this.#received === 0 ? 0 : (this.#lastUs - this.#firstUs) / 1e6;
      const lost = this.#lost(recording?.lost);
      log.say(messages.notRecorded({ seconds, received: this.#received, lost }));
    }
    // That there is nothing to record is the caller's failure, not the recording's.
    const problem = nothing ? messages.noPictures(this.#offer.format) : this.#recordingProblem;
    if (problem) log.error(problem);
    if (end.kind === "hang-up") {
      if (end.by === "CLIENT") sayComplaint(end, this.#around);
      log.say(messages.endedBy(end.by));
      return problem ? EXIT.failed : EXIT.ok;
    }
    const sentence = describe(end.error, messages, system, "CLIENT");
    if (end.error instanceof PeerLostError) log.lost(sentence);
    else log.error(sentence);
    return end.error instanceof PeerLostError && !problem ? EXIT.lost : EXIT.failed;
  }

  async #have(): Promise<{ end: End; recording: Recording | undefined }> {
    const { log } = this.#around;
    const hangUp = AbortSignal.any([this.#around.hangUp, this.#hangUp.signal]);
    const local = Promise.withResolvers<End>();
    const end = (reason: string) => (): void =>
      local.resolve({ kind: "hang-up", by: "HOST", reason });
    await using stack = new AsyncDisposableStack();

    let over = false;
    const { mode, name, format } = this.#offer;
    log.debug(
      "server",
      `${mode} ${format.width}x${format.height} ${format.fps} fps ${format.codec} ${name}`,
    );
    const onHangUp = end(REASON.hungUp);
    hangUp.addEventListener("abort", onHangUp);
    stack.defer(() => hangUp.removeEventListener("abort", onHangUp));
    if (hangUp.aborted) onHangUp();

    const title = this.#options.maxCalls === 1
      ? TITLES.receiving
      : `${TITLES.receiving} ${this.label}`;
    const warn = (sentence: string): void => this.#warn(sentence);
    const inGrid = this.#options.maxCalls > 1;
    // The first place is that of the caller's own window.
    const place = inGrid || isHere(this.#caller.connection)
      ? { slot: this.slot + 1, inGrid }
      : undefined;
    const display = openDisplay(
      { format, title, place },
      { ...this.#around, warn },
      end(REASON.windowClosed),
    );
    if (display) stack.use(display);
    // Once it hears yes, the caller sends: by then whatever takes its time to start has been started.
    let receiver: Receiver;
    try {
      receiver = await this.#offer.accept(this.#around.name);
    } catch (error) {
      return { end: { kind: "error", error }, recording: undefined };
    }
    this.#receiver = receiver;
    const looking = setTimeout(() => void this.#lookForPictures(), PICTURES_MS);
    stack.defer(() => clearTimeout(looking));

    const receive = async (): Promise<End> => {
      try {
        while (!over) {
          const got = await receiver.read();
          if (over) break;
          if ("reason" in got) return { kind: "hang-up", by: "CLIENT", reason: got.reason };
          this.#count(got);
          display?.push(got);
          (await this.#recording())?.push(got);
          got.lease?.letGo();
          this.#watchRecorder();
        }
      } catch (error) {
        return { kind: "error", error };
      }
      return await local.promise;
    };
    const ended = await Promise.race([local.promise, receive()]);
    over = true;
    if (ended.kind === "hang-up") log.debug("server", `${ended.by}: ${ended.reason}`);
    // The recording is finished first and waits for nobody: goodbyes and windows may take their time.
    const untilNow = ended.kind === "hang-up";
    const [recording] = await Promise.all([
      // It may be in the middle of being opened: what was opened has to be closed.
      this.#opening?.then((recorder) => recorder?.close({ untilNow }), () => undefined),
      receiver.hangUp(endReason(ended)),
    ]);
    return { end: ended, recording };
  }

  #warn(sentence: string): void {
    if (this.#received > 0) this.#around.log.warn(sentence);
    else this.#warnings.push(sentence);
  }

  /** Frames that did not come, or are not in the recording. */
  #lost(recordingLost = this.#recorder?.lost ?? 0): number {
    return (this.#receiver?.lost ?? 0) + recordingLost;
  }

  #count(frame: Frame): void {
    const arrivedUs = nowUs();
    if (this.#received++ === 0) {
      this.#firstUs = arrivedUs;
      this.#onBegin();
      for (const sentence of this.#warnings) this.#around.log.warn(sentence);
    }
    this.#lastUs = arrivedUs;
    if (this.#offer.mode !== "call") return;
    // Where the caller does not know our clock, its times say nothing of the delay: no figure misleads less than a wrong one.
    const age = this.#receiver!.sharesClock
      ? this.#ages.age(frame.captureUs, arrivedUs)
      : undefined;
    if (age === undefined) this.#delay.clear();
    else this.#delay.add(age, arrivedUs);
    // By the clocks as they are told, without what is mended for the live line.
    const tookUs = arrivedUs - frame.captureUs;
    this.#around.log.trace("frame", () => {
      const [atMs, ageMs] = [arrivedUs - this.#firstUs, tookUs].map((us) => Math.round(us / 1000));
      return `${frame.sequence} at ${atMs} ms, ${ageMs} ms old`;
    });
  }

  /** The recording, which begins with the first frame: a caller that sends none leaves no file behind. */
  #recording(): Promise<Recorder | undefined> {
    const wanted = this.#options.record;
    if (wanted === undefined) return Promise.resolve(undefined);
    return this.#opening ??= this.#openRecorder(wanted);
  }

  async #openRecorder(wanted: string): Promise<Recorder | undefined> {
    const { log, messages, system, watch } = this.#around;
    let path: string | undefined;
    try {
      path = await reserveFile(wanted);
      const format = this.#offer.format;
      const { stamps } = this.#receiver!;
      const recorder = new Recorder({ path, format, fps: format.fps, stamps, watch });
      recorder.failed.then((detail) => {
        this.#recordingProblem = messages.recordingIncomplete(recorder.path);
        log.error(messages.recordingFailed(recorder.path, detail));
      });
      log.debug("recorder", path);
      return this.#recorder = recorder;
    } catch (error) {
      // Whatever it is, no file, no ffmpeg, no room for another process: the call goes on without.
      if (path !== undefined) await Deno.remove(path).catch(() => {});
      this.#recordingProblem = describe(error, messages, system, "CLIENT");
      log.error(this.#recordingProblem);
      return undefined;
    }
  }

  /** Tells the user where frames come and none can be shown. */
  async #lookForPictures(): Promise<void> {
    const { log, messages } = this.#around;
    const nothing = this.#received > 0
      ? this.#received >= LEAST_FRAMES && await this.#recorder?.isEmpty()
      : this.#lost() > 0;
    if (nothing) log.warn(messages.noPictures(this.#offer.format));
  }

  /** Tells the user, once, that frames find no room in the recording. */
  #watchRecorder(): void {
    const { log, messages } = this.#around;
    if (this.#recorderSlow || this.#recordingProblem || !this.#recorder?.lost) return;
    this.#recorderSlow = true;
    log.warn(messages.recorderSlow);
  }
}

/** Whom to call, and how to reach it. */
export interface Callee {
  /** Its address. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** The command line that calls it, to be typed again with more. */
  readonly command: string;
  /** Makes the connection; rejects with the system's error, or when aborted. */
  connect(signal: AbortSignal): Promise<Connection>;
}

/**
 * Calls a server and sends to it until somebody hangs up, the duration is reached or the source ends. The server hears nothing
 * of us before there is a picture. Resolves to the exit status.
 */
export async function makeCall(
  callee: Callee,
  options: ClientOptions,
  around: Surroundings,
): Promise<number> {
  const { log, messages, system, hangUp } = around;
  const { host, port } = callee;
  log.say(messages.calling(host, port));
  const opened = await openBoth(callee, options, around);
  if (opened.problem !== undefined) {
    if (hangUp.aborted) {
      log.say(messages.endedBy("CLIENT"));
      return EXIT.ok;
    }
    const { side, error } = opened.problem;
    log.error(
      side === "connection"
        ? describeConnect(error, messages, host, port)
        : error instanceof NoCameraError
        ? describeNoCamera(error, messages, callee.command)
        : describe(error, messages, system, "HOST"),
    );
    return EXIT.failed;
  }
  const { source, connection } = opened;
  const { ended, sent } = await send({ source, connection, callee, options, around });
  if (sent.frames > 0) log.say(messages.sent(sent));
  if (ended.kind === "hang-up") {
    if (ended.by === "HOST") sayComplaint(ended, around);
    log.say(messages.endedBy(ended.by));
    return EXIT.ok;
  }
  const sentence = describe(ended.error, messages, system, "HOST");
  if (ended.error instanceof PeerLostError) {
    log.lost(sentence);
    // What is lost before it has answered may never have been a server of ours.
    if (!sent.answered) log.lost(messages.nonsenseCure);
    return EXIT.lost;
  }
  log.error(sentence);
  return EXIT.failed;
}

type Opened =
  | { readonly source: Source; readonly connection: Connection; readonly problem?: undefined }
  | { readonly problem: { readonly side: "source" | "connection"; readonly error: unknown } };

/**
 * Opens the source, and with its first picture the connection. A source may take long, and a server does not wait long for
 * the first word; one of the report's takes the first connection for the call. Connecting costs a millisecond or two.
 */
async function openBoth(
  callee: Callee,
  { from, format, mirror }: ClientOptions,
  { log, messages, system, hangUp, watch }: Surroundings,
): Promise<Opened> {
  let source: Source;
  try {
    source = await openSource({
      ...{ from, format, mirror, system: systemOf(system) },
      onWaiting: (name) => log.say(messages.waitingFor(name)),
      onWay: (text) => log.debug("source", () => withoutSecrets(text)),
      watch,
    }, hangUp);
  } catch (error) {
    return { problem: { side: "source", error } };
  }
  try {
    hangUp.throwIfAborted();
    return { source, connection: await callee.connect(hangUp) };
  } catch (error) {
    await source[Symbol.asyncDispose]();
    return { problem: { side: "connection", error } };
  }
}

/** What an outgoing call is made of. */
interface OutgoingCall {
  readonly source: Source;
  readonly connection: Connection;
  readonly callee: Callee;
  readonly options: ClientOptions;
  readonly around: Surroundings;
}

/** What it came to. */
interface Sent {
  /** Whether the server took the call. */
  answered: boolean;
  seconds: number;
  frames: number;
  dropped: number;
}

/** Introduces us to the server, then sends until the end. All that was opened is closed when it resolves. */
async function send(
  { source, connection, callee, options, around }: OutgoingCall,
): Promise<{ readonly ended: End; readonly sent: Sent }> {
  const { log, messages, hangUp } = around;
  const { format, durationSeconds, wire: mode } = options;
  const sent: Sent = { answered: false, seconds: 0, frames: 0, dropped: 0 };
  await using stack = new AsyncDisposableStack();
  stack.use(source);
  const local = Promise.withResolvers<End>();
  const end = (reason: string) => (): void =>
    local.resolve({ kind: "hang-up", by: "CLIENT", reason });
  const onHangUp = end(REASON.hungUp);
  hangUp.addEventListener("abort", onHangUp);
  stack.defer(() => hangUp.removeEventListener("abort", onHangUp));
  if (hangUp.aborted) onHangUp();

  let sender: Sender;
  try {
    sender = await openSender(connection, { mode, format, name: around.name }, hangUp);
  } catch (error) {
    return { ended: hangUp.aborted ? await local.promise : { kind: "error", error }, sent };
  }
  stack.use(sender);
  sent.answered = true;
  log.say(messages.answered(callee.host, callee.port));
  if (sender.peerName) log.debug("client", `it calls itself ${shownName(sender.peerName)}`);
  if (around.keys) log.say(messages.hangUpHint);
  const place = isHere(connection) ? { slot: 0, inGrid: false } : undefined;
  const display = openDisplay(
    { format, title: TITLES.sending, place },
    { ...around, warn: (sentence) => log.warn(sentence) },
    end(REASON.windowClosed),
  );
  if (display) stack.use(display);
  if (display && around.keys) log.say(messages.windowKeys);
  const sinks: Sink[] = [sender, ...(display ? [display] : [])];

  const meter = new Meter();
  stack.use(everyStatus(log, () =>
    messages.statusLine([{
      ...meter.read(sender.sent, sender.sentBytes),
      delayMs: sender.delayMs,
      dropped: sender.dropped,
    }], log.columns)));

  const link = new LinkWatch();
  const watching = setInterval(() => {
    if (link.look(sender, performance.now())) log.warn(messages.narrowLink(narrowCure(options)));
  }, LINK_MS);
  stack.defer(() => clearInterval(watching));

  if (mode === "call") {
    // In the other modes the peer would take a knock for another call.
    const knocking = setInterval(() => knock(sender, callee), KNOCK_EVERY_MS);
    stack.defer(() => clearInterval(knocking));
  }

  let over = false;
  let firstUs: number | undefined;
  const pump = async (): Promise<End> => {
    try {
      for await (const frame of source.frames()) {
        if (over) break;
        firstUs ??= frame.captureUs;
        const elapsedUs = frame.captureUs - firstUs;
        if (durationSeconds !== undefined && elapsedUs >= durationSeconds * 1e6) {
          return { kind: "hang-up", by: "CLIENT", reason: REASON.durationReached };
        }
        sent.seconds = elapsedUs / 1e6 + 1 / format.fps;
        for (const sink of sinks) sink.push(frame);
        frame.lease?.letGo();
      }
      return { kind: "hang-up", by: "CLIENT", reason: REASON.inputEnded };
    } catch (error) {
      return { kind: "error", error };
    }
  };
  const remote = sender.ended.then(
    ({ reason }): End => ({ kind: "hang-up", by: "HOST", reason }),
    (error: unknown): End => ({ kind: "error", error }),
  );
  const pumping = pump().then(async (ended) => {
    // The last frames of a file are as good as the first: they leave before the goodbye does.
    await sender.flush();
    return ended;
  });
  const ended = await Promise.race([local.promise, remote, pumping]);
  over = true;
  if (ended.kind === "hang-up") log.debug("client", `${ended.by}: ${ended.reason}`);
  await sender.hangUp(endReason(ended));
  sent.frames = sender.sent;
  sent.dropped = sender.dropped;
  return { ended, sent };
}

/**
 * Where the other end has fallen silent, finds out whether its machine can be reached: a connection is made and left at once.
 * It tells both ends that it is worth waiting for TCP to find its way back.
 */
async function knock(sender: Sender, callee: Callee): Promise<void> {
  if (sender.quietMs < KNOCK_AFTER_MS) return;
  try {
    (await callee.connect(AbortSignal.timeout(KNOCK_EVERY_MS))).close();
    sender.reassure();
  } catch {
    // Not reached: the silence goes on until it is a loss.
  }
}

/** What to send less of: the next codec where there is one, otherwise fewer or smaller pictures. */
function narrowCure({ format, wire }: ClientOptions): NarrowCure {
  if (wire === "plain") return "slower";
  if (wire === "pickle") return "smaller";
  return format.codec === "raw" ? "mjpeg" : format.codec === "mjpeg" ? "h264" : "smaller";
}

/** True if both ends of a connection are on this machine, and their windows on one screen. */
function isHere({ localAddr, remoteAddr }: Connection): boolean {
  return localAddr !== undefined && localAddr.hostname === remoteAddr?.hostname;
}

/** Opens a window where there is to be one; where it cannot be, says so and goes on without. */
function openDisplay(
  options: Pick<DisplayOptions, "format" | "title" | "place">,
  { messages, system, screen, warn, watch }: Omit<Surroundings, "log"> & {
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

/** Renews the live line, where there is one, until disposed of. */
function everyStatus(log: Voice, text: () => string): Disposable {
  const timer = log.live ? setInterval(() => log.status(text()), STATUS_MS) : undefined;
  return {
    [Symbol.dispose](): void {
      clearInterval(timer);
      log.status("");
    },
  };
}

/** Says why the other end hung up, where that is none of the usual reasons. */
function sayComplaint(
  { by, reason }: { readonly by: Party; readonly reason: string },
  { log, messages }: Surroundings,
): void {
  if (!isUsual(reason)) log.warn(messages.complaint(by, reason));
}

/** True for the reasons that are no complaint. */
function isUsual(reason: string): boolean {
  const usual: readonly string[] = ["", ...Object.values(REASON)];
  return usual.includes(reason);
}

/** What is told to the other side: why a side hung up, or what it did wrong. */
function endReason(end: End): string {
  if (end.kind === "hang-up") return end.reason;
  if (end.error instanceof PeerLostError) return messagesIn("en").lostHow[end.error.how];
  return end.error instanceof Error ? end.error.message : String(end.error);
}

/** Rates for the live line: frames and bytes a second since it was last read. */
class Meter {
  readonly #startUs = nowUs();
  #atUs = this.#startUs;
  #frames = 0;
  #bytes = 0;

  read(
    frames: number,
    bytes: number,
  ): { seconds: number; fps: number; bytesPerSecond: number } {
    const atUs = nowUs();
    const tookSeconds = Math.max((atUs - this.#atUs) / 1e6, 0.001);
    const rates = {
      seconds: (atUs - this.#startUs) / 1e6,
      fps: (frames - this.#frames) / tookSeconds,
      bytesPerSecond: (bytes - this.#bytes) / tookSeconds,
    };
    this.#atUs = atUs;
    this.#frames = frames;
    this.#bytes = bytes;
    return rates;
  }
}
