/**
 * Calls over links that stop: for a while, or for good. The limits here are generous;
 * docs/protocol.md has the figures.
 */

import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { callOver, canLink, Link, quantile, ROWS } from "./link.ts";
import { test } from "./strict.ts";

/**
 * The stops of a link, and their lengths. The row of the link tells the quality to come back to.
 */
const STOPS = [
  ...ROWS.map((row) => ({ ...row, seconds: 5, how: "jammed" as const })),
  { ...ROWS[2], seconds: 3, how: "unplugged" as const },
];

for (const { megabits, codec, p95, seconds, how } of STOPS) {
  test(
    `${codec} over ${megabits} Mbit/s, ${how} for ${seconds} s: no old pictures, fresh ones within 2 s`,
    async () => {
      await using link = await Link.lay(megabits);
      assert(link);
      const lasts = seconds + 7;
      const call = await callOver(link, lasts, ["--codec", codec], async () => {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        await (how === "jammed" ? link.carry(0.001) : link.plug("down"));
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        await (how === "jammed" ? link.carry(megabits) : link.plug("up"));
      });
      const { frames, exits, recordedSeconds } = call;
      assertEquals(exits, [0, 0]);
      // The recording has the gap in it: it lasts as long as the call did.
      assertLessOrEqual(Math.abs(recordedSeconds - lasts), lasts * 0.05);
      const gap = frames.findIndex(({ atMs }, index) =>
        index > 0 && atMs - frames[index - 1]!.atMs > seconds * 700
      );
      assert(gap > 0, "the link never stopped");
      const back = frames.slice(gap);
      const old = back.filter(({ ageMs }) => ageMs > p95 * 2 + 500);
      const fresh = back.filter(({ atMs }) => atMs > back[0]!.atMs + 2000).map(({ ageMs }) =>
        ageMs
      );
      // deno-lint-ignore no-console
      console.log(
        `${codec} ${megabits} Mbit/s away ${back[0]!.atMs - frames[gap - 1]!.atMs} ms; then ` +
          `${old.length} old pictures, after 2 s ${fresh.length} of p95 ${
            quantile(fresh, 0.95)
          } ms`,
      );
      // The frames under way when the link stopped come late: half a second of frames at the most.
      assertLessOrEqual(old.length, 12);
      assertLessOrEqual(quantile(fresh, 0.95), p95 * 2);
    },
    { ignore: !canLink, slow: true },
  );
}

test(
  "a network that is gone for good is a loss at both ends, and the recording is whole",
  async () => {
    await using link = await Link.lay();
    assert(link);
    const patience = ["--patience", "3"];
    let cutMs = 0;
    const cut = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await link.plug("down");
      cutMs = performance.now();
    };
    const { frames, exits, recordedSeconds } = await callOver(link, 30, patience, cut, patience);
    assertEquals(exits, [3, 3]);
    // Two seconds of silence, three of patience, and the time of a busy machine to end four
    // processes.
    assertLessOrEqual(performance.now() - cutMs, 10_000);
    assertGreaterOrEqual(recordedSeconds, (frames.length - 1) / DEFAULT_FORMAT.fps);
  },
  { ignore: !canLink, slow: true },
);
