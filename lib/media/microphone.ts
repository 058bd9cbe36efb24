/**
 * A microphone, through an ffmpeg that gives 10 ms of sound at a time. Read in pieces of exactly
 * that size, each is 0.3 ms old (measured).
 */

import { nowUs, Patience, within } from "../clock.ts";
import { MicrophoneError } from "../errors.ts";
import { PCM_FRAME_BYTES } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import type { Source } from "../frame/source.ts";
import { ArrivalClock } from "./arrival_clock.ts";
import { type Child, type ChildOptions, openChild } from "./child.ts";
import { namesOf, type System } from "./devices.ts";
import { causeOf, diagnose } from "./input.ts";
import {
  findMicrophone,
  type ListMicrophones,
  listMicrophones,
  type MicrophoneAddress,
  microphoneArguments,
  type Microphones,
  OWN,
} from "./microphones.ts";
import { TestTone } from "./test_tone.ts";

/** The microphone to open. */
export interface MicrophoneOptions extends Pick<ChildOptions, "env" | "watch"> {
  /** A microphone by index or name, `test` for a tone that ticks, or nothing: the system's own. */
  readonly wanted: string | undefined;
  /** The system it runs on. */
  readonly system: System;
}

/** Milliseconds until a microphone that gives nothing counts as silent. */
const SILENCE_MS = 5000;

/** Milliseconds that an ffmpeg without further sound may take to end. */
const ENDING_MS = 1000;

const OUTPUT = ["-f", "s16le", "pipe:1"];

const BEFORE_INPUT = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning"];

/** The number of lines with problems that are kept. */
const KEPT_PROBLEMS = 20;

/** Gives 10 ms of sound, or nothing at the end. */
type Sound = Uint8Array<ArrayBuffer> | null;

/**
 * Opens a microphone; resolves when its first sound is there. Its frames are of `PCM`, and the only
 * stream. Their times are those of the beginning of their sound. Old sound is left out and counted.
 * Throws `MicrophoneError`, `NotInstalledError`, or the signal's reason when aborted before.
 */
export async function openMicrophone(
  options: MicrophoneOptions,
  signal: AbortSignal,
  list: ListMicrophones = (system) => listMicrophones(system, options),
): Promise<Source> {
  signal.throwIfAborted();
  if (options.wanted === "test") return new TestTone();
  return new Microphone(await openOnce(options, signal, list), options.wanted ?? "");
}

/** An ffmpeg that gives sound, and the first 10 ms of it. */
class Opening {
  readonly child: Child;
  readonly #problems: string[] = [];
  readonly #patience = new Patience(SILENCE_MS);
  #first: Sound | undefined;

  constructor(way: readonly string[], { env, watch }: MicrophoneOptions) {
    this.child = openChild({
      command: "ffmpeg",
      args: [...BEFORE_INPUT, ...way, ...OUTPUT],
      flow: "feeding",
      onLine: (line) => this.#hear(line),
      watch,
      ...(env && { env }),
    });
  }

  /** Waits for the first sound. Resolves to nothing if there is none in that time. */
  async begin(): Promise<Sound | undefined> {
    return this.#first = await this.#patience.within(this.#read());
  }

  /** The next sound, or nothing if there is none in that time. */
  async next(): Promise<Sound | undefined> {
    const first = this.#first;
    this.#first = undefined;
    return first ?? await this.#patience.within(this.#read());
  }

  /** The error that explains the end of the sound. */
  async failure(sound: null | undefined, name: string): Promise<MicrophoneError> {
    if (sound === undefined) {
      await this.stop();
      return new MicrophoneError("silent", name);
    }
    // ffmpeg ends in order if the sound server does.
    await within(this.child.ended, ENDING_MS);
    await this.stop();
    return new MicrophoneError("stopped", name, causeOf(this.#problems));
  }

  /** The error that explains why there was no sound at all. */
  refusal(name: string): MicrophoneError {
    const kind = diagnose(this.#problems);
    const detail = causeOf(this.#problems);
    if (kind === "busy" || kind === "forbidden") return new MicrophoneError(kind, name, detail);
    return new MicrophoneError("unreadable", name, detail);
  }

  /** Ends it. Safe twice. */
  async stop(): Promise<void> {
    this.#patience[Symbol.dispose]();
    await this.child.stop();
  }

  #hear(line: string): void {
    if (this.#problems.push(line) > KEPT_PROBLEMS) this.#problems.shift();
  }

  async #read(): Promise<Sound> {
    return await this.child.read(new Uint8Array(PCM_FRAME_BYTES));
  }
}

async function openOnce(
  options: MicrophoneOptions,
  signal: AbortSignal,
  list: ListMicrophones,
): Promise<Opening> {
  const { wanted, system } = options;
  if (wanted !== undefined) {
    const address = findMicrophone(wanted, await list(system));
    return await openWays(address, wanted, signal, options);
  }
  switch (system) {
    case "linux":
      return await openOwnOnLinux(options, signal, list);
    case "darwin":
      return await openWays(OWN.avfoundation, "", signal, options);
    case "windows": {
      // DirectShow has no name for it. The first one of the list is the system's own.
      const { layer, found: [first] } = await list(system);
      if (first) return await openWays({ layer, device: first.device }, "", signal, options);
      throw new MicrophoneError("none");
    }
  }
}

/**
 * Opens the system's own microphone, while the list is asked if it is one at all. Both take as long
 * as the other.
 */
async function openOwnOnLinux(
  options: MicrophoneOptions,
  signal: AbortSignal,
  list: ListMicrophones,
): Promise<Opening> {
  const refused = new AbortController();
  const either = AbortSignal.any([signal, refused.signal]);
  const opening = openWays(OWN.pulse, "", either, options);
  opening.catch(() => {});
  const microphones = await list(options.system);
  const { layer } = microphones;
  const problem = ownProblem(microphones);
  if (problem) {
    refused.abort(problem);
    await opening.then((opened) => opened.stop(), () => {});
    signal.throwIfAborted();
    throw problem;
  }
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof MicrophoneError) || layer !== "alsa") throw error;
  }
  try {
    return await openWays(OWN.alsa, "", signal, options);
  } catch (error) {
    if (!(error instanceof MicrophoneError) || error.kind !== "unreadable") throw error;
    throw new MicrophoneError("no-server", "", error.detail);
  }
}

/** The problem of the system's own microphone by what a sound server says of it. */
function ownProblem({ layer, found, monitor }: Microphones): MicrophoneError | undefined {
  if (layer !== "pulse") return undefined;
  if (found.length === 0) return new MicrophoneError("none");
  return monitor === undefined
    ? undefined
    : new MicrophoneError("monitor", monitor, namesOf(found));
}

/** Opens a microphone in the first way that works. */
async function openWays(
  address: MicrophoneAddress,
  name: string,
  signal: AbortSignal,
  options: MicrophoneOptions,
): Promise<Opening> {
  let failure: MicrophoneError | undefined;
  for (const way of microphoneArguments(address)) {
    signal.throwIfAborted();
    const opening = new Opening(way, options);
    const abort = (): void => void opening.stop();
    signal.addEventListener("abort", abort, { once: true });
    const first = await opening.begin();
    signal.removeEventListener("abort", abort);
    if (first && !signal.aborted) return opening;
    await opening.stop();
    signal.throwIfAborted();
    if (first === undefined) throw new MicrophoneError("silent", name);
    failure ??= opening.refusal(name);
    if (failure.kind !== "unreadable") break;
  }
  throw failure ?? new MicrophoneError("unreadable", name);
}

/** Sound out of an ffmpeg that has given its first. */
class Microphone implements Source {
  readonly #opening: Opening;
  readonly #name: string;
  #stopped = false;

  constructor(opening: Opening, name: string) {
    this.#opening = opening;
    this.#name = name;
  }

  async *frames(): AsyncGenerator<Frame, void, undefined> {
    const clock = new ArrivalClock();
    for (let sequence = 0;; sequence++) {
      const askedUs = nowUs();
      const data = await this.#opening.next();
      if (this.#stopped) return;
      if (!data) {
        const failure = await this.#opening.failure(data, this.#name);
        if (this.#stopped) return;
        throw failure;
      }
      const captureUs = clock.captureUs(askedUs, nowUs());
      if (captureUs !== undefined) yield { stream: 0, data, captureUs, sequence, keyframe: true };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#opening.stop();
  }
}
