import { assert, assertEquals } from "@std/assert";
import { type FinishedCall, tellCall } from "../lib/ending.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import type { FinishedFile } from "../lib/media/recording.ts";
import { EXIT, type Surroundings } from "../lib/surroundings.ts";
import { messagesIn } from "../lib/user/sentences.ts";
import { NO_SOUND } from "../lib/wire/line.ts";
import { test } from "./strict.ts";

/** Surroundings that note what is said, and the files that are named to scripts. */
function noting(): { around: Surroundings; said: string[]; made: string[] } {
  const [said, made]: [string[], string[]] = [[], []];
  const say = (sentence: string): void => void said.push(sentence);
  const log = {
    ...{ say, warn: say, error: say, lost: say },
    made: (path: string): void => void made.push(path),
  };
  const around = { log, messages: messagesIn("en"), system: "linux" } as unknown as Surroundings;
  return { around, said, made };
}

const file = (path: string, failure?: string): FinishedFile => ({
  ...{ path, seconds: 2, frames: 40, lost: 0 },
  failure,
} as FinishedFile);

const CALL: FinishedCall = {
  end: { kind: "hang-up", by: "CLIENT", reason: "" },
  we: "HOST",
  peer: { format: DEFAULT_FORMAT, sound: undefined },
  givesSound: false,
  figures: {
    ...{ sent: 40, dropped: 0, sentBytes: 1, pictureBytes: 1, delayMs: 1, sound: NO_SOUND },
    ...{ received: 40, lost: 0, receivedBytes: 1, waitingMs: undefined },
  },
  lost: 0,
  seconds: { given: 2, came: 2 },
  isGone: false,
  files: { theirs: [], ours: [] },
  recordingProblem: undefined,
};

test("tellCall(): a recording that failed hides nothing of the other one", async () => {
  for (const [their, own] of [["disk full", undefined], [undefined, "disk full"]] as const) {
    const { around, said, made } = noting();
    const files = { theirs: [file("a.avi", their)], ours: [file("b.avi", own)] };
    const { exit, recordingFailed } = await tellCall({ ...CALL, files }, around);
    assertEquals([exit, recordingFailed, made], [EXIT.failed, true, ["a.avi", "b.avi"]]);
    for (const path of made) {
      assert(said.some((one) => one.startsWith("Recorded") && one.includes(path)));
    }
  }
});
