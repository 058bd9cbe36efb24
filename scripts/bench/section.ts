/**
 * The common part of the benchmark's sections: their input and their results. A section measures
 * one thing for all contenders in turn. So a load that slows the machine for a while slows all of
 * them.
 */

import { type Figure, figureOf, type Unit } from "./figure.ts";

/** This project, among the contenders. */
export const OURS = "Chamada";

/** The figures of one measured thing, by contender. */
export interface Row {
  /** The id of its goal, which is also its name in the JSON. */
  readonly id: string;
  /** Its description in words. */
  readonly what: string;
  /** The unit of its figures. */
  readonly unit: Unit;
  /** The direction of the better figure. */
  readonly better: "less" | "more";
  /** The figures, ours among them. */
  readonly figures: Readonly<Record<string, Figure>>;
}

/** A measurement that was left out, and the reason. */
export interface Skip {
  /** The measurement, or the contender. */
  readonly what: string;
  /** The reason. */
  readonly why: string;
  /** True if it is ours and ought to have worked. */
  readonly failed?: boolean;
}

/** The results of a section. */
export interface Findings {
  readonly rows: readonly Row[];
  readonly skips: readonly Skip[];
}

/** The input of a section. */
export interface Bench {
  /** True if a rough figure for everything is wanted rather than a good one. */
  readonly smoke: boolean;
  /** Minutes of the call whose delay and memory are looked at again at its end. 0: none. */
  readonly minutes: number;
  /** A folder that goes when the run is over. */
  readonly folder: string;
  /** The tools for a contender that this machine lacks, or nothing. */
  missing(tools: readonly string[]): string | undefined;
  /** Tells the waiting user what is going on. */
  say(text: string): void;
}

/** A part of the benchmark. */
export interface Section {
  /** Its name on the command line. */
  readonly name: string;
  /** Its heading. */
  readonly title: string;
  /** Measures. Throws for an unexpected failure; the other sections go on. */
  run(bench: Bench): Promise<Findings>;
}

/** Values by contender, as they come in over the rounds. */
export type Values = Map<string, number[]>;

/** Adds a value of a contender's. */
export function note(values: Values, contender: string, value: number): void {
  values.set(contender, [...values.get(contender) ?? [], value]);
}

/** A contender, and one round of it. */
export interface Contender<Result> {
  readonly name: string;
  /** The tools that have to be installed for it. */
  readonly needs: readonly string[];
  measure(): Promise<Result>;
}

/**
 * Lets all contenders measure in turn, round after round, and hands out each result. A contender
 * that lacks a tool is skipped. One that fails is not asked again.
 */
export async function inTurn<Result>(
  bench: Bench,
  { rounds, what, contenders, take }: {
    readonly rounds: number;
    readonly what: string;
    readonly contenders: readonly Contender<Result>[];
    readonly take: (name: string, result: Result) => void;
  },
): Promise<Skip[]> {
  const skips: Skip[] = [];
  const out = new Set<string>();
  for (let round = 1; round <= rounds; round++) {
    for (const { name, needs, measure } of contenders) {
      if (out.has(name)) continue;
      const missing = bench.missing(needs);
      if (missing !== undefined) {
        out.add(name);
        skips.push({ what: `${what}: ${name}`, why: missing });
        continue;
      }
      bench.say(`${what}: ${name}, round ${round} of ${rounds}`);
      try {
        take(name, await measure());
      } catch (error) {
        out.add(name);
        const why = shortened((error as Error).message);
        skips.push({ what: `${what}: ${name}`, why, failed: name === OURS });
      }
    }
  }
  return skips;
}

/** A message on one line: its first line, and the last line of a process. */
function shortened(message: string): string {
  const [first, ...rest] = message.split("\n").filter((line) => line !== "" && !/^---/.test(line));
  return [first, ...rest.slice(-4)].join(" / ");
}

/** Makes a figure of each contender's values. */
export function figuresOf(values: Values): Row["figures"] {
  return Object.fromEntries([...values].map(([name, all]) => [name, figureOf(all)]));
}
