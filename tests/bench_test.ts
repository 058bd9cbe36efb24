/** The bench: that each of its sections gives a figure or says why not, and how figures are made and judged. No times. */

import { assert, assertEquals } from "@std/assert";
import type { Run } from "../scripts/bench/document.ts";
import { figureOf, formatFigure, percentile } from "../scripts/bench/figure.ts";
import { judge } from "../scripts/bench/goals.ts";
import { OURS, type Row } from "../scripts/bench/section.ts";
import { SECTIONS } from "../scripts/bench/sections.ts";
import { Running, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

/** How long a smoke run may take before the test fails, in milliseconds: busy machines are slow. */
const PATIENCE_MS = 300_000;

/** It reads processes, ports and screens in Linux's ways. */
const ignore = Deno.build.os !== "linux";

test(
  "a smoke run gives figures of ours in every section, and says what it leaves out",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/run.json`;
    await using bench = new Running([
      ...[Deno.execPath(), "task", "--quiet", "bench"],
      ...["--smoke", "--no-install", "--json", file],
    ]);
    const { stdout } = await bench.exits(0, PATIENCE_MS);
    const run: Run = JSON.parse(await Deno.readTextFile(file));
    assertEquals(run.chapters.map(({ name }) => name), SECTIONS.map(({ name }) => name));
    for (const { name, title, rows, skips } of run.chapters) {
      assert(rows.length > 0, `${name} gives no row`);
      assert(stdout.includes(title.toUpperCase()), `${name} is not in the table`);
      for (const { id, figures } of rows) {
        const ours = figures[OURS];
        assert(ours && Number.isFinite(ours.median), `${id} has no figure of ours`);
      }
      for (const { what, why } of skips) {
        assert(
          what !== "" && why !== "",
          `${name} skips in silence`,
        );
      }
    }
  },
  { ignore },
);

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
});
