/** The calls that a server answers and records at once, each of them whole. */

import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import { startServer } from "../kit/programs.ts";
import { probe } from "../kit/recording.ts";
import { startWorker } from "./command.ts";
import { figureOf } from "./figure.ts";
import { writeTestPictures } from "./pictures.ts";

import { type Bench, type Findings, OURS, type Row, type Section } from "./section.ts";

/** The number of different pictures of the callers. */
const PICTURES = 40;

/** The most calls that are tried: the server takes no more. */
const MOST = 64;

/**
 * The arrivals of calls. All at one moment is the hard case: as many ffmpegs start at that moment.
 */
const ARRIVALS = [
  { id: "calls", what: "one after the other", spacingMs: 100 },
  { id: "calls.burst", what: "all begun at one moment", spacingMs: 0 },
] as const;

/** The section. */
export const callsAtOnce: Section = {
  name: "calls",
  title: "Calls at once",
  async run(bench: Bench): Promise<Findings> {
    const missing = bench.missing(["ffmpeg", "ffprobe"]);
    if (missing !== undefined) {
      return { rows: [], skips: [{ what: "calls at once", why: missing }] };
    }
    const pictures = `${bench.folder}/call-pictures`;
    await writeTestPictures(pictures, DEFAULT_FORMAT, PICTURES);
    const rows: Row[] = [];
    for (const { id, what, spacingMs } of ARRIVALS) {
      const isWhole = async (calls: number): Promise<boolean> => {
        const folder = await Deno.makeTempDir({ dir: bench.folder });
        // All calls are there for a while, even if the last one begins late.
        const seconds = (bench.smoke ? 1 : 10) + calls * spacingMs / 1000;
        const problem = await problemOf({ calls, spacingMs, seconds, pictures, folder });
        await Deno.remove(folder, { recursive: true });
        bench.say(`${calls} calls, ${what}: ${problem ?? "each recorded whole"}`);
        return problem === undefined;
      };
      const figures: number[] = [];
      for (let round = 0; round < (bench.smoke ? 1 : 2); round++) {
        figures.push(bench.smoke ? await isWhole(2) ? 2 : 0 : await mostOf(isWhole));
      }
      rows.push({
        id: bench.smoke ? `${id}.smoke` : id,
        what: `calls of ${DEFAULT_FORMAT.fps} fps, each recorded whole, ${what}${
          bench.smoke ? ", of 2 tried" : ""
        }`,
        unit: "calls",
        better: "more",
        figures: { [OURS]: figureOf(figures) },
      });
    }
    return { rows, skips: [] };
  },
};

/**
 * The most calls that still go well. The number is doubled until it does not, then halved in on. A
 * bad try is repeated once.
 */
async function mostOf(isWhole: (calls: number) => Promise<boolean>): Promise<number> {
  const tried = async (calls: number): Promise<boolean> =>
    await isWhole(calls) || await isWhole(calls);
  let good = 0;
  let bad = 8;
  while (bad <= MOST && await tried(bad)) {
    good = bad;
    bad *= 2;
  }
  while (good < MOST && bad - good > Math.max(1, good / 16)) {
    const middle = Math.floor((good + bad) / 2);
    if (await tried(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** Has that many calls. Resolves to their losses, or to nothing. */
async function problemOf(
  { calls, spacingMs, seconds, pictures, folder }: {
    readonly calls: number;
    readonly spacingMs: number;
    readonly seconds: number;
    readonly pictures: string;
    readonly folder: string;
  },
): Promise<string | undefined> {
  await using called = await startServer([
    ...["--stay", "--max-calls", `${calls}`],
    ...["--record", `${folder}/video.avi`, "--no-display"],
  ]);
  await using callers = startWorker("callers.ts", [
    ...[`${called.port}`, `${calls}`, `${spacingMs}`, `${seconds}`, pictures],
  ]);
  // A caller that the server has lost ends them all: that many calls were too many.
  const ended = await callers.exits(0, (2 * seconds + 60) * 1000).catch((error: Error) => error);
  called.server.signal("SIGTERM");
  if (ended instanceof Error) return "a call did not begin, or was lost";
  const { stdout } = ended;
  await called.server.exits(0);
  const dropped = [...stdout.matchAll(/DROPPED (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  if (dropped > 0) return `${dropped} frames dropped before the wire`;
  const wanted = Math.round(seconds * DEFAULT_FORMAT.fps);
  const counts: number[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    counts.push((await probe(`${folder}/${name}`)).frames);
  }
  if (counts.length !== calls) return `${counts.length} recordings of ${calls} calls`;
  const wrong = counts.filter((count) => count !== wanted);
  return wrong.length === 0
    ? undefined
    : `${wrong.length} recordings with ${wrong.join(", ")} frames in place of ${wanted}`;
}
