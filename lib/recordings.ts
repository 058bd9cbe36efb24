/**
 * The recordings of a call: planned before it, opened with it. There is one of what the peer gives,
 * with our voice in it. With `--record-each` there are two, a file of each end.
 */

import { nowUs } from "./clock.ts";
import { RecordingError } from "./errors.ts";
import type { Format, VideoFormat } from "./frame/format.ts";
import type { Frame } from "./frame/frame.ts";
import type { SoundSize } from "./media/recorder.ts";
import { checkRecorder, type Encoder } from "./media/recorder_arguments.ts";
import { type FinishedFile, Recording, type RecordingOptions } from "./media/recording.ts";
import { checkFolder, isFolder, ownPath } from "./media/recording_file.ts";
import { LONGEST, nameInFolder, nameOf, unknownPlace } from "./media/recording_name.ts";
import { RecordingPair } from "./media/recording_pair.ts";
import type { Surroundings } from "./surroundings.ts";
import { usageError } from "./user/command_line.ts";
import { checkRecordName, type CommonOptions } from "./user/options.ts";
import { describe } from "./user/problems.ts";
import type { Party } from "./user/sentences.ts";
import type { Peer } from "./wire/line.ts";

/** A file that can be recorded to. */
export interface RecordTarget {
  /** The file, with places for the call. */
  readonly wanted: string;
  /** The encoder of its pictures. */
  readonly encoder: Encoder;
}

/** The recordings that each call is to have. */
export interface RecordPlan extends RecordTarget {
  /** True if our own frames are recorded as well, in a file beside it. */
  readonly each: boolean;
  /** The size of the sound. */
  readonly sound: SoundSize;
}

/**
 * Plans the recordings that the user wants. Nothing if there are to be none. Throws the error that
 * says why they cannot be made.
 */
export async function planRecordings(
  { record, recordEach, recordSound }: Pick<
    CommonOptions,
    "record" | "recordEach" | "recordSound"
  >,
  around: Pick<Surroundings, "messages" | "watch">,
): Promise<RecordPlan | undefined> {
  if (record === undefined) return undefined;
  return { ...await checkRecording(record, around), each: recordEach, sound: recordSound };
}

/**
 * Finds out if a recording can be made there, a file or a folder. Throws the error that says why it
 * cannot.
 */
export async function checkRecording(
  record: string,
  { messages, watch }: Pick<Surroundings, "messages" | "watch">,
): Promise<RecordTarget> {
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

/** The frames that an end of a call gives to its recording. */
export interface RecordedEnd {
  /** The format of its pictures. Nothing if it gives none. */
  readonly picture: VideoFormat | undefined;
  /** True if it gives sound. */
  readonly sound: boolean;
}

/** A call, as far as its recordings need to know it. */
export interface RecordedCall {
  /** The plan of the user. */
  readonly plan: RecordPlan;
  /** The peer's role in the call. */
  readonly them: Party;
  /** The peer, by its introduction. */
  readonly peer: Pick<Peer, "name" | "stamps">;
  /** The address of the peer. */
  readonly host: string;
  /** The frames of the peer. */
  readonly theirs: RecordedEnd;
  /** The frames of this end. */
  readonly ours: RecordedEnd;
}

/** All files of a call, in order. */
export interface RecordedFiles {
  /** Those of what came, one unless ffmpeg failed during the call. */
  readonly theirs: readonly FinishedFile[];
  /** Those of our own frames. */
  readonly ours: readonly FinishedFile[];
}

/** The recordings of one call. Each begins with its first frame. */
export class Recordings implements AsyncDisposable {
  readonly #call: RecordedCall;
  readonly #around: Surroundings;
  readonly #pair: RecordingPair | undefined;
  readonly #theirs: Recording | undefined;
  readonly #ours: Recording | undefined;
  #problem: string | undefined;
  #isSlow = false;

  /** Prepares the recording of the call, or one of each end with the same beginning. */
  constructor(call: RecordedCall, around: Surroundings) {
    this.#call = call;
    this.#around = around;
    const { plan, peer: { name, stamps }, host, theirs, ours } = call;
    const wanted = nameOf(plan.wanted, { at: new Date(), peer: name, host });
    if (!plan.each) {
      const parts = { wanted, format: theirs.picture, stamps };
      if (gives(theirs)) this.#theirs = this.#open(parts, theirs.sound || ours.sound);
      return;
    }
    const pair = this.#pair = new RecordingPair(wanted);
    const originUs = nowUs();
    if (gives(theirs)) {
      const reserve = (): Promise<string> => pair.reserve("peer");
      const parts = { originUs, reserve, wanted, format: theirs.picture, stamps };
      this.#theirs = this.#open(parts, theirs.sound);
    }
    if (gives(ours)) {
      const reserve = (): Promise<string> => pair.reserve("own");
      const parts = { originUs, reserve, wanted: ownPath(wanted), format: ours.picture } as const;
      this.#ours = this.#open({ ...parts, stamps: "capture" }, ours.sound);
    }
  }

  /** The file of the peer's frames that is being recorded to. */
  get path(): string | undefined {
    return this.#theirs?.path;
  }

  /** Frames of the peer's that came and found no place. */
  get lost(): number {
    return this.#theirs?.lost ?? 0;
  }

  /** The problem with the recordings, if the user has been told of one. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** True if frames of the peer's came and ffmpeg has made nothing of them until now. */
  async isEmpty(): Promise<boolean> {
    return await this.#theirs?.isEmpty() ?? false;
  }

  /** Records a picture of the peer's. */
  push(frame: Frame): void {
    this.#theirs?.push(frame);
  }

  /** Records 10 ms of the peer's voice. */
  pushSound(frame: Frame): void {
    this.#theirs?.pushSound("peer", frame);
  }

  /** Records our own voice, and our pictures if they have a file. */
  pushOwn(frame: Frame, { kind }: Format): void {
    if (!this.#call.plan.each) {
      if (kind === "sound") this.#theirs?.pushSound("own", frame);
    } else if (kind === "sound") {
      // In this file, our voice is the one that goes with the pictures.
      this.#ours?.pushSound("peer", frame);
    } else {
      this.#ours?.push(frame);
    }
  }

  /** Tells the user, once, that frames find no room in the recording. */
  tellIfSlow(): void {
    if (this.#isSlow || this.#problem || this.lost === 0) return;
    this.#isSlow = true;
    this.#around.log.warn(this.#around.messages.recorderSlow);
  }

  /**
   * Finishes the open files. With `untilNow` they last until this moment if an end paused before.
   * Safe twice.
   */
  async close(options?: { readonly untilNow: boolean }): Promise<RecordedFiles> {
    const [theirs, ours] = await Promise.all([
      this.#theirs?.close(options) ?? [],
      this.#ours?.close(options) ?? [],
    ]);
    return { theirs, ours };
  }

  /** Finishes the open files. Removes the file of an end of which nothing came. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.#pair?.[Symbol.asyncDispose]();
  }

  #open(
    parts: Pick<RecordingOptions, "wanted" | "format" | "stamps" | "originUs" | "reserve">,
    hasSound: boolean,
  ): Recording {
    const { log, messages, system, watch } = this.#around;
    const { plan, them } = this.#call;
    let files = 0;
    return new Recording({
      ...parts,
      encoder: plan.encoder,
      sound: hasSound ? plan.sound : undefined,
      watch,
      onBegun: (path) => {
        log.debug("recorder", path);
        if (++files > 1) log.warn(messages.recordingGoesOn(path));
      },
      onRefused: (error) => {
        this.#problem = describe(error, messages, system, them);
        log.error(this.#problem);
      },
      onBroken: (path, detail) => {
        this.#problem = messages.recordingIncomplete(path);
        log.error(messages.recordingFailed(path, detail));
      },
    });
  }
}

function gives({ picture, sound }: RecordedEnd): boolean {
  return picture !== undefined || sound;
}
