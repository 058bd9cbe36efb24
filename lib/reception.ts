/**
 * The calls of a server: callers are answered, the frames of our source go to all calls, and each
 * call is had by itself. The wiring of the server alone.
 */

import {
  Answering,
  type Caller,
  type HadCall,
  type IncomingCall,
  strangerSentence,
} from "./answer.ts";
import { Call, type CallOutcome } from "./call.ts";
import { isUsual } from "./ending.ts";
import { REASON } from "./errors.ts";
import { outgoingOf, watchMute } from "./giving.ts";
import { opensOnce } from "./media/capture.ts";
import { findUnfinished, mend } from "./media/unfinished.ts";
import type { Outgoing } from "./outgoing.ts";
import type { RecordPlan } from "./recordings.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";
import { everyStatus, sayWhose } from "./user/log.ts";
import { shownName } from "./user/name.ts";
import { describe } from "./user/problems.ts";
import { TITLES } from "./user/sentences.ts";
import type { ServerOptions } from "./user/options.ts";
import { isOneMachine } from "./wire/wire.ts";

/** The calls of this server, and the words about them. */
export class Reception {
  readonly #options: ServerOptions;
  readonly #around: Surroundings;
  readonly #calls = new Map<IncomingCall, Call>();
  readonly #hungUp = new Set<Call>();
  /** What this end gives, if it gives anything. */
  readonly outgoing: Outgoing | undefined;
  readonly #code: string | undefined;
  readonly #record: RecordPlan | undefined;
  #exit: number = EXIT.ok;

  /**
   * Prepares the calls. Nothing is opened, and nobody is answered yet. With a code, only those who
   * know it can call.
   */
  constructor(
    options: ServerOptions,
    around: Surroundings,
    { code, encoders, record }: {
      readonly record: RecordPlan | undefined;
      readonly code: string | undefined;
      readonly encoders: ReadonlySet<string>;
    },
  ) {
    this.#options = options;
    this.#code = code;
    this.#record = record;
    this.#around = around;
    const { log, messages, system } = around;
    this.outgoing = outgoingOf(options, encoders, around, {
      // On one screen with the caller's windows, the first places are taken.
      place: () => ({
        slot: this.#isCallerHere ? options.maxCalls + 2 : 0,
        inGrid: options.maxCalls > 1,
      }),
      isVain: () => [...this.#calls.values()].some((call) => call.cannotShow),
      onClosed: () => this.#hangUpAll(REASON.windowClosed),
      // The caller may have more to show: the call goes on without a picture of ours.
      onOver: (error) => {
        if (error === undefined) return log.warn(messages.inputOver);
        log.error(describe(error, messages, system, "HOST"));
        this.#exit = EXIT.failed;
      },
    });
  }

  /**
   * Finds out before anybody is answered if our source can be opened. The calls can then use it all
   * the same. Throws the source's error.
   */
  async checkSource(): Promise<void> {
    const { given } = this.#options;
    if (given && await opensOnce(given.from)) return;
    await this.outgoing?.open(this.#around.hangUp);
    await this.outgoing?.[Symbol.asyncDispose]();
  }

  /** Answers callers until it is over. Resolves to the exit status. */
  async run(callers: AsyncIterable<Caller>): Promise<number> {
    const { log, messages, hangUp, keyboard, system } = this.#around;
    const { maxCalls, stay, patienceSeconds, fps } = this.#options;
    const record = this.#record;
    const ours = { name: this.#around.name, streams: this.outgoing?.formats ?? [] };
    const answering = new Answering(
      { maxCalls, stay, patienceSeconds, fps, ours, code: this.#code },
      this.#around,
      (call) => this.#have(call),
    );
    let hungUpIdle = false;
    const onHangUp = (): void => {
      hungUpIdle = answering.count === 0;
      answering.stop();
    };
    const onQuit = (event: Event): void => {
      // A call that was hung up already is ending. A user who presses q once more wants the server
      // to end.
      if (stay && this.#hangUpAll(REASON.hungUp)) event.preventDefault();
    };
    hangUp.addEventListener("abort", onHangUp, { once: true });
    keyboard.addEventListener("quit", onQuit);
    if (hangUp.aborted) onHangUp();
    const done = new AbortController();
    const mending = record === undefined
      ? undefined
      : mendEarlier(record.wanted, this.#around, AbortSignal.any([done.signal, hangUp]));
    using _mute = watchMute(this.outgoing, this.#around);
    using _live = everyStatus(log, () => {
      const statuses = [...this.#calls.values()].map((call) => call.status());
      return messages.statusLine(statuses, log.columns);
    });
    try {
      await answering.run(callers);
    } catch (error) {
      log.error(describe(error, messages, system, "CLIENT"));
      this.#exit = EXIT.failed;
    } finally {
      hangUp.removeEventListener("abort", onHangUp);
      keyboard.removeEventListener("quit", onQuit);
      done.abort();
      await mending;
      await this.outgoing?.[Symbol.asyncDispose]();
    }
    if (hungUpIdle) log.say(messages.endedBy("HOST"));
    return this.#exit;
  }

  /** Hangs up every call that is on. Returns false if there is none. */
  #hangUpAll(reason: string): boolean {
    const talking = [...this.#calls.values()].filter((call) => !this.#hungUp.has(call));
    for (const call of talking) {
      this.#hungUp.add(call);
      call.hangUp(reason);
    }
    return talking.length > 0;
  }

  get #isCallerHere(): boolean {
    return [...this.#calls.keys()].some(({ caller }) => isOneMachine(caller.connection));
  }

  async #have(incoming: IncomingCall): Promise<HadCall> {
    const { peer } = incoming;
    const { maxCalls, patienceSeconds, given, play, auto } = this.#options;
    const several = maxCalls > 1;
    // With one call at a time, everybody knows whose sentences these are.
    const log = several ? sayWhose(this.#around.log, () => incoming.label) : this.#around.log;
    const call = new Call({
      ...{
        we: "HOST",
        peer,
        host: incoming.caller.host,
        record: this.#record,
        patienceSeconds,
        play,
        auto,
        outgoing: this.outgoing,
      },
      open: () => incoming.accept(),
      window: {
        title: several ? `${TITLES.receiving.CLIENT} ${incoming.label}` : TITLES.receiving.CLIENT,
        // The first place belongs to a picture of this screen's own: this end's, or that of a
        // caller on the same screen.
        place: several || given || isOneMachine(incoming.caller.connection)
          ? { slot: incoming.slot + 1, inGrid: several }
          : undefined,
      },
      label: several ? (): string => incoming.label : undefined,
      onBegun: () => incoming.begin(),
      // A hello and a bye are a short call. At a server that stays they may come again and again,
      // and are a stranger's.
      isStranger: (end) => end.kind === "error" || end.by === "CLIENT" && this.#options.stay,
    }, { ...this.#around, log });
    const { codec, width, height, fps } = peer.format ?? {};
    const picture = peer.format ? `${width}x${height} ${fps} fps ${codec}` : "no picture";
    log.debug("server", `${incoming.mode} ${picture} ${shownName(peer.name)}`);
    this.#calls.set(incoming, call);
    try {
      return this.#judge(incoming, await call.run());
    } finally {
      this.#calls.delete(incoming);
      this.#hungUp.delete(call);
    }
  }

  /** The meaning of a call's end for this server. */
  #judge(incoming: IncomingCall, outcome: CallOutcome): HadCall {
    const { end, exit, recordingFailed, isStranger } = outcome;
    if (isStranger) return { stranger: this.#strangerSentence(incoming, outcome) };
    // A server that stays has not failed because a caller did. A recording that failed is another
    // matter.
    if (recordingFailed) this.#exit = EXIT.failed;
    else if (!this.#options.stay && this.#exit === EXIT.ok && !incoming.replaced) this.#exit = exit;
    return { hungUp: end.kind === "hang-up" && end.by === "HOST" ? end.reason : undefined };
  }

  /** The sentence for a caller that is gone before its first frame. */
  #strangerSentence({ caller, peer }: IncomingCall, { end, lost }: CallOutcome): string {
    const { messages } = this.#around;
    const { host } = caller;
    if (end.kind === "error") return strangerSentence(host, end.error, messages);
    if (lost > 0 && peer.format) return messages.noPictures("CLIENT", peer.format);
    return isUsual(end.reason)
      ? messages.leftSilently(host)
      : messages.complaint(end.by, end.reason);
  }
}

/** Mends recordings whose programs were killed, while callers are answered already. */
async function mendEarlier(
  record: string,
  { log, messages, watch }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  for (const path of await findUnfinished(record)) {
    if (signal.aborted) return;
    // A failure to mend is no reason not to answer. A file that somebody still writes may wait for
    // the next start.
    const mended = await mend(path, signal, watch).catch(() => false);
    if (mended) log.say(messages.mended(path));
    else if (!signal.aborted) log.warn(messages.notMended(path));
  }
}
