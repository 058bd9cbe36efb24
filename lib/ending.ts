/**
 * The end of a call: somebody hung up, or something went wrong. All that was sent, came and was
 * recorded is told then, and the exit status is decided.
 */

import { endsInOrder, PeerLostError } from "./errors.ts";
import { NO_PICTURES } from "./media/recorder.ts";
import type { FinishedFile } from "./media/recording.ts";
import type { RecordedFiles } from "./recordings.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";
import { describe } from "./user/problems.ts";
import { messagesIn, other, type Party, type Summary } from "./user/sentences.ts";
import type { LineFigures, Peer } from "./wire/line.ts";

/** The end of a call: somebody hung up, or something went wrong. */
export type End =
  | { readonly kind: "hang-up"; readonly by: Party; readonly reason: string }
  | { readonly kind: "error"; readonly error: unknown };

/** The facts of a call that is over. */
export interface FinishedCall {
  /** The end of it. */
  readonly end: End;
  /** Our role in it. */
  readonly we: Party;
  /** The peer, by its introduction. */
  readonly peer: Pick<Peer, "format" | "sound">;
  /** True if this end gives sound. */
  readonly givesSound: boolean;
  /** The figures of its line. */
  readonly figures: LineFigures;
  /** Frames that did not arrive, or are not in the recording. */
  readonly lost: number;
  /** Seconds of what was given and of what came. */
  readonly seconds: { readonly given: number; readonly came: number };
  /** True if the network was gone at the end. */
  readonly isGone: boolean;
  /** The files of both ends. */
  readonly files: RecordedFiles;
  /** The problem with the recording that the user has been told of during the call. */
  readonly recordingProblem: string | undefined;
}

/** The result of a call for its program. */
export interface Result {
  /** The exit status for it. */
  readonly exit: number;
  /** True if its recording is not whole. */
  readonly recordingFailed: boolean;
}

/** Tells all of a call that is over: what was sent, what came, the files, how it ended. */
export async function tellCall(call: FinishedCall, around: Surroundings): Promise<Result> {
  const { log, messages } = around;
  const { figures: { sent: frames, dropped, sound }, seconds, files, isGone } = call;
  if (frames > 0 || sound.sent > 0) {
    log.say(messages.sent({ seconds: seconds.given, frames, dropped, sound: sound.sent > 0 }));
  }
  const telling = new FileTelling(call.recordingProblem, around);
  // A problem with the one is no reason to keep quiet about the other.
  const cameProblem = await tellWhatCame(call, telling, around);
  const ownProblem = await tellOwn(call, telling);
  const problem = cameProblem ?? ownProblem;
  if (isGone && files.theirs.length > 0) log.warn(messages.recordingCutShort);
  if (problem) log.error(problem);
  const exit = tellEnd(call, problem !== undefined, around);
  for (const path of telling.made) log.made(path);
  return { exit, recordingFailed: telling.problem !== undefined };
}

/** Tells of the frames that came and of their files. Returns the problem with them. */
async function tellWhatCame(
  { we, peer, figures, lost, seconds, files: { theirs: files } }: FinishedCall,
  telling: FileTelling,
  { log, messages }: Surroundings,
): Promise<string | undefined> {
  if (peer.format === undefined && peer.sound === undefined) return undefined;
  const { received } = figures;
  const sound = figures.sound.received > 0;
  const nothing = files.some(({ failure }) => failure === NO_PICTURES) ||
    received === 0 && lost > 0;
  if (nothing) {
    for (const { path } of files) await Deno.remove(path).catch(() => {});
  }
  // The last file's sentence tells of the frames that did not arrive. An earlier file's sentence
  // tells of its own losses.
  const lostEarlier = files.slice(0, -1).reduce((sum, file) => sum + file.lost, 0);
  for (const [index, file] of nothing ? [] : files.entries()) {
    await telling.tell(file, {
      received: files.length > 1 ? file.frames : received,
      lost: index === files.length - 1 ? Math.max(lost - lostEarlier, 0) : file.lost,
      sound,
    });
  }
  if (nothing || files.length === 0) {
    const unseen = files.reduce((sum, file) => sum + file.lost, figures.lost);
    const all = { seconds: seconds.came, received, lost: nothing ? unseen : lost, sound };
    log.say(messages.notRecorded(all));
  }
  // The peer is to blame that there is nothing to record, not the recording.
  return nothing && peer.format ? messages.noPictures(other(we), peer.format) : telling.problem;
}

/** Tells of the files of our own frames. Returns the problem with them. */
async function tellOwn(
  { files, givesSound: sound }: FinishedCall,
  telling: FileTelling,
): Promise<string | undefined> {
  for (const file of files.ours) {
    await telling.tell(file, { received: file.frames, lost: file.lost, sound });
  }
  return telling.problem;
}

/** Tells of files, one after the other, and of the first problem with them. */
class FileTelling {
  readonly #around: Surroundings;
  /** The files that the call leaves behind. */
  readonly made: string[] = [];
  problem: string | undefined;

  constructor(problem: string | undefined, around: Surroundings) {
    this.problem = problem;
    this.#around = around;
  }

  async tell(
    { path: file, seconds, frames, failure }: FinishedFile,
    counted: Pick<Summary, "received" | "lost" | "sound">,
  ): Promise<void> {
    const { log, messages } = this.#around;
    this.made.push(file);
    const { size: bytes } = await Deno.stat(file).catch(() => ({ size: 0 }));
    log.say(messages.summary({ ...counted, seconds, frames, file, bytes }));
    if (failure === undefined || this.problem) return;
    log.error(messages.recordingFailed(file, failure));
    this.problem = messages.recordingIncomplete(file);
  }
}

/** Tells how the call ended. Returns the exit status. */
function tellEnd(
  { end, we }: FinishedCall,
  isIncomplete: boolean,
  { log, messages, system }: Surroundings,
): number {
  const them = other(we);
  if (end.kind === "hang-up") {
    // The peer may have hung up for a reason of its own.
    if (end.by === them && !isUsual(end.reason)) log.warn(messages.complaint(them, end.reason));
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

/** True for the reasons that are no complaint. */
export function isUsual(reason: string): boolean {
  return reason === "" || endsInOrder(reason);
}

/** The reason for the peer: why a side hung up, or its mistake. */
export function endReason(end: End): string {
  if (end.kind === "hang-up") return end.reason;
  if (end.error instanceof PeerLostError) return messagesIn("en").lostHow[end.error.how];
  return end.error instanceof Error ? end.error.message : String(end.error);
}
