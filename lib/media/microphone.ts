/** Sound out of a microphone: an ffmpeg of ours gives frames of 10 ms. */

import { nowUs } from "../clock.ts";
import { SourceError } from "../errors.ts";
import { PCM_FRAME_BYTES } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import type { Source } from "../frame/source.ts";
import { type Child, type ChildWatch, openChild } from "./child.ts";
import type { System } from "./devices.ts";

/** The microphone to open. */
export interface MicrophoneOptions {
  /** Its name. The system's own if not given. */
  readonly wanted: string | undefined;
  /** The system it runs on. */
  readonly system: System;
  /** Hears what its ffmpeg does. */
  readonly watch?: ChildWatch | undefined;
}

/** Arguments of ffmpeg for a microphone of PulseAudio. */
function microphoneArguments(name: string): string[] {
  return [
    ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning"],
    ...["-f", "pulse", "-channels", "1", "-sample_rate", "48000", "-fragment_size", "960"],
    ...["-i", name, "-af", "asetpts=N", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1"],
  ];
}

/**
 * Opens a microphone; resolves when its first frame is there. Throws `SourceError`,
 * `NotInstalledError`, or the signal's reason when aborted before.
 */
export async function openMicrophone(
  { wanted, watch }: MicrophoneOptions,
  signal: AbortSignal,
): Promise<Source> {
  signal.throwIfAborted();
  const name = wanted ?? "default";
  const child = openChild({
    ...{ command: "ffmpeg", args: microphoneArguments(name), flow: "feeding", watch },
  });
  const onAbort = (): void => void child.stop();
  signal.addEventListener("abort", onAbort, { once: true });
  const first = await child.read(new Uint8Array(PCM_FRAME_BYTES));
  signal.removeEventListener("abort", onAbort);
  signal.throwIfAborted();
  if (first) return new Microphone(child, first, name);
  const { lastLines } = await child.stop();
  throw new SourceError("unreadable", { isCamera: false, name }, lastLines.at(-1) ?? "");
}

class Microphone implements Source {
  readonly #child: Child;
  readonly #first: Uint8Array;
  readonly #name: string;
  #stopped = false;

  constructor(child: Child, first: Uint8Array, name: string) {
    this.#child = child;
    this.#first = first;
    this.#name = name;
  }

  async *frames(): AsyncGenerator<Frame, void, undefined> {
    let data: Uint8Array | null = this.#first;
    for (let sequence = 0; data !== null && !this.#stopped; sequence++) {
      yield { stream: 0, data, captureUs: nowUs(), sequence, keyframe: true };
      data = await this.#child.read(new Uint8Array(PCM_FRAME_BYTES));
    }
    if (!this.#stopped) {
      throw new SourceError("stopped", { isCamera: false, name: this.#name }, "");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#child.stop();
  }
}
