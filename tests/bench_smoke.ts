/**
 * The smoke run of the bench (`deno task test:bench`): each of its sections gives a figure or tells
 * why not. It judges no times. The name keeps it out of the suite, which it would hold up for a
 * minute.
 */

import { assert, assertEquals } from "@std/assert";
import type { Run } from "../scripts/bench/document.ts";
import { OURS } from "../scripts/bench/section.ts";
import { SECTIONS } from "../scripts/bench/sections.ts";
import { Running, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

/** Milliseconds that a smoke run may take before the test fails: busy machines are slow. */
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
