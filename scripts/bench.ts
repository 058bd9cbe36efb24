/**
 * `deno task bench`: Chamada beside the programs that people would use instead, measured in one run
 * on this machine. Linux only.
 *
 *   --smoke              a figure for everything within a minute and a half, however rough
 *   --only <name,…>      these sections only
 *   --minutes <n>        the length of the long call; 10, or 0 with --smoke
 *   --no-install         leave out the contenders that the system lacks, rather than install them
 *                        from Debian's packages
 *   --json <file>        keep the figures there
 *   --from <file>        show figures that were kept, and measure nothing
 *   --plots              put the tables and the charts into docs/performance.md
 *
 * The exit status is 1 if a measurement of ours failed, whatever the figures are, and 2 for a wrong
 * option.
 */

import { parseArgs } from "@std/cli/parse-args";
import { type Run, writeDocument } from "./bench/document.ts";
import { describeMachine, formatMachine } from "./bench/machine.ts";
import { preparePackages } from "./bench/packages.ts";
import type { Bench, Section } from "./bench/section.ts";
import { SECTIONS } from "./bench/sections.ts";
import { type Chapter, formatTable } from "./bench/table.ts";
import { print } from "./kit/writing.ts";

/** Minutes of the long call of a full run. */
const MINUTES = 10;

/** The options of a run. */
interface Options {
  readonly smoke: boolean;
  readonly install: boolean;
  readonly plots: boolean;
  readonly minutes: number;
  readonly sections: readonly Section[];
  readonly json: string | undefined;
  readonly from: string | undefined;
}

try {
  const options = parseOptions(Deno.args);
  const run = options.from === undefined
    ? await measure(options)
    : JSON.parse(await Deno.readTextFile(options.from)) as Run;
  print(`\n${formatMachine(run.machine)}\n\n${formatTable(run.chapters)}`);
  if (options.json !== undefined) {
    await Deno.writeTextFile(options.json, `${JSON.stringify(run, undefined, 2)}\n`);
  }
  if (options.plots) await writeDocument(run);
  const failed = run.chapters.some(({ skips }) => skips.some((skip) => skip.failed));
  if (failed) Deno.exitCode = 1;
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  print(`${error.message}. The options are at the top of scripts/bench.ts.`);
  Deno.exitCode = 2;
}

/** Reads the command line. Throws `TypeError` for a wrong option. */
function parseOptions(args: readonly string[]): Options {
  const parsed = parseArgs([...args], {
    boolean: ["smoke", "plots", "no-install"],
    string: ["only", "minutes", "json", "from"],
    unknown: (arg) => {
      throw new TypeError(`Unknown option: ${arg}`);
    },
  });
  const text = (name: string): string | undefined => {
    const value: unknown = parsed[name];
    return value === undefined ? undefined : String(value);
  };
  const smoke = parsed["smoke"] === true;
  const minutes = Number(text("minutes") ?? (smoke ? 0 : MINUTES));
  if (!(minutes >= 0)) throw new TypeError(`No number of minutes: ${text("minutes")}`);
  const names = text("only")?.split(",");
  const unknown = names?.find((name) => !SECTIONS.some((section) => section.name === name));
  if (unknown !== undefined) {
    const known = SECTIONS.map(({ name }) => name).join(", ");
    throw new TypeError(`No section ${unknown}: there are ${known}`);
  }
  return {
    smoke,
    minutes,
    install: parsed["no-install"] !== true,
    plots: parsed["plots"] === true,
    sections: SECTIONS.filter(({ name }) => names?.includes(name) ?? true),
    json: text("json"),
    from: text("from"),
  };
}

/** Runs the sections one after the other. A failed section is told of, and the others go on. */
async function measure({ smoke, minutes, install, sections }: Options): Promise<Run> {
  const machine = await describeMachine();
  const startMs = performance.now();
  const tell = (text: string): void => {
    print(`${((performance.now() - startMs) / 1000).toFixed(0).padStart(5)} s  ${text}`);
  };
  const missing = await preparePackages(install, tell);
  const folder = await Deno.makeTempDir({ prefix: "chamada-bench-" });
  const bench: Bench = { smoke, minutes, folder, missing, say: tell };
  const chapters: Chapter[] = [];
  try {
    for (const section of sections) chapters.push(await chapterOf(section, bench));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return { machine, smoke, minutes, chapters };
}

async function chapterOf(section: Section, bench: Bench): Promise<Chapter> {
  const { name, title } = section;
  try {
    const { rows, skips } = await section.run(bench);
    // A measurement without a figure is told among the left out ones.
    return {
      name,
      title,
      rows: rows.filter(({ figures }) => Object.keys(figures).length > 0),
      skips,
    };
  } catch (error) {
    const why = error instanceof Error ? error.stack ?? error.message : String(error);
    return { name, title, rows: [], skips: [{ what: title, why, failed: true }] };
  }
}
