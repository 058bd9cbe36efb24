/** The files of two recordings beside each other: the peer's and our own. */

import { reservePair } from "./recording_file.ts";

/** Two files under one number, made when the first of them is needed. */
export class RecordingPair implements AsyncDisposable {
  readonly #wanted: string;
  readonly #taken = new Set<string>();
  #paths: Promise<readonly [peer: string, own: string]> | undefined;

  /** Prepares a pair. Nothing is made yet. */
  constructor(wanted: string) {
    this.#wanted = wanted;
  }

  /** The file of an end, which is now in use. Throws `RecordingError`. */
  async reserve(end: "peer" | "own"): Promise<string> {
    this.#paths ??= reservePair(this.#wanted);
    const path = (await this.#paths)[end === "peer" ? 0 : 1];
    this.#taken.add(path);
    return path;
  }

  /** Removes the file of an end of which nothing came. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of await this.#paths?.catch(() => undefined) ?? []) {
      if (!this.#taken.has(path)) await Deno.remove(path).catch(() => {});
    }
  }
}
