/**
 * The bench: its options, and the making and judging of figures. Its smoke run is in
 * bench_smoke.ts.
 */

import { assert, assertEquals } from "@std/assert";
import { displayArguments, windowSize } from "../lib/media/display.ts";
import { Eye } from "../scripts/bench/eye.ts";
import { figureOf, formatFigure, percentile } from "../scripts/bench/figure.ts";
import { judge } from "../scripts/bench/goals.ts";
import { OURS, type Row } from "../scripts/bench/section.ts";
import { Running, until } from "./harness.ts";
import { paintNumber } from "./numbered.ts";
import { Screen } from "./screen.ts";
import { test } from "./strict.ts";

test("bench rejects an option that it does not know, and a section that there is none of", async () => {
  for (const args of [["--smok"], ["--only", "wires"], ["--minutes", "-1"]]) {
    await using bench = new Running([Deno.execPath(), "task", "--quiet", "bench", ...args]);
    const { stdout } = await bench.exits(2);
    assert(stdout.includes("scripts/bench.ts"));
  }
});

test("figureOf() and percentile() take the one in the middle and how far they spread", () => {
  assertEquals(figureOf([3, 1, 2]), { median: 2, min: 1, max: 3, count: 3 });
  assertEquals(percentile([1, 2], 50), 1.5);
  assertEquals(percentile([5], 95), 5);
  assertEquals(formatFigure(figureOf([12.34]), "ms"), "12.3 ms");
  assertEquals(formatFigure(figureOf([1, 2000, 3000]), "fps"), "2,000 fps (1 to 3,000)");
});

test("judge() holds our median against a bound and against a contender's", () => {
  const row = (id: string, figures: Record<string, number>): Row => ({
    id,
    what: "",
    unit: "fps",
    better: "more",
    figures: Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, figureOf([value])]),
    ),
  });
  const met = (one: Row): (boolean | undefined)[] => judge(one).map(({ met }) => met);
  assertEquals(met(row("memory.server", { [OURS]: 90 })), [true]);
  assertEquals(met(row("memory.server", { [OURS]: 90.1 })), [false]);
  const wire = { [OURS]: 80, "bytes copied": 100, "report's method": 11 };
  assertEquals(met(row("wire.call", wire)), [true, false]);
  assertEquals(met(row("wire.call", { [OURS]: 80 })), [undefined, undefined]);
  assertEquals(met(row("no goal", { [OURS]: 1 })), []);
  const delay = { "GStreamer, H.264": 10, "ffplay, low-latency flags": 5 };
  assertEquals(met(row("hd.h264.median", { [OURS]: 38, ...delay })), [true, true]);
  assertEquals(met(row("hd.h264.median", { [OURS]: 41, ...delay })), [false, false]);
  assertEquals(met(row("hd.h264.median", { [OURS]: 38 })), [true, undefined]);
});

test(
  "an eye finds a large picture in a smaller window, and reads its number",
  async () => {
    const screenSize = { width: 1500, height: 800 };
    const format = { kind: "video", width: 1280, height: 720, codec: "raw", fps: 30 } as const;
    await using screen = await Screen.open(screenSize);
    await using ffplay = new Running(["ffplay", ...displayArguments({ format, title: "large" })], {
      env: { DISPLAY: screen.display },
      stdin: "piped",
    });
    await ffplay.write(paintNumber(777, format));
    const eye = new Eye(screen, screenSize, windowSize(format));
    await until("number 777 on the screen", () => eye.number() === 777 || undefined);
  },
  { ignore: Deno.build.os !== "linux" },
);
