/** The document that keeps a run: its tables between two marks, and its charts beside it. */

import { fileURLToPath as fromFileUrl } from "node:url";
import { drawingsOf } from "./charts.ts";
import { formatMachine, type Machine } from "./machine.ts";
import { type Chapter, formatMarkdown, missedGoals } from "./table.ts";

const DOCUMENT = new URL("../../docs/performance.md", import.meta.url);
const CHARTS = fromFileUrl(new URL("../../docs/performance", import.meta.url));

/** The marks around the results of a run. */
const MARKS = {
  table: ["<!-- The bench writes what follows. -->", "<!-- The bench wrote what precedes. -->"],
} as const;

/** A whole run, in the form in which it is kept. */
export interface Run {
  readonly machine: Machine;
  readonly smoke: boolean;
  readonly minutes: number;
  readonly chapters: readonly Chapter[];
}

/**
 * Puts a run's tables into a document, in the place of the old ones. Throws if it has no place for
 * them. Pure.
 */
export function withTables(document: string, run: Run): string {
  const [before, after] = MARKS.table;
  const start = document.indexOf(before);
  const end = document.indexOf(after);
  if (start < 0 || end < start) throw new Error("Cannot find the place for the tables");
  const missed = missedGoals(run.chapters);
  const goals = missed.length === 0
    ? ["Every goal is met."]
    : ["Goals that are not met:", "", ...missed.map((line) => `- ${line}`)];
  const rough = run.smoke ? " A smoke run: every figure is rough." : "";
  const tables = [
    ...["", `${formatMachine(run.machine)}.${rough}`, "", ...goals, ""],
    formatMarkdown(run.chapters),
  ].join("\n");
  return document.slice(0, start + before.length) + `\n${tables}\n` + document.slice(end);
}

/** Writes the tables and the charts of a run into docs/. Throws if one of them cannot be made. */
export async function writeDocument(run: Run): Promise<void> {
  await Deno.writeTextFile(DOCUMENT, withTables(await Deno.readTextFile(DOCUMENT), run));
  await deno(["fmt", "--quiet", fromFileUrl(DOCUMENT)]);
  await Deno.mkdir(CHARTS, { recursive: true });
  const draw = fromFileUrl(new URL("draw.ts", import.meta.url));
  await deno([
    ...["run", "--quiet", "--no-prompt", "--no-config", "--node-modules-dir=none"],
    ...["--allow-env", `--allow-write=${CHARTS}`, draw],
  ], JSON.stringify(drawingsOf(run.chapters, CHARTS)));
}

/** Runs Deno to its end with that on its standard input. Throws with its words if it fails. */
async function deno(args: readonly string[], input = ""): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const feeding = (async (): Promise<void> => {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  })().catch(() => {});
  const [{ success, stderr }] = await Promise.all([child.output(), feeding]);
  if (!success) throw new Error(`deno ${args[0]} failed: ${new TextDecoder().decode(stderr)}`);
}
