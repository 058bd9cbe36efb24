/**
 * What the parts of the benchmark have in common: what each is given, and what it gives back. A section measures one
 * thing for all contenders in turn, so that whatever slows the machine for a while slows all of them.
 */

import { type Figure, figureOf, type Unit } from "./figure.ts";

/** This project, among the contenders. */
export const OURS = "Chamada";

/** What was measured of one thing, by contender. */
export interface Row {
  /** Which goal it is held against, and its name in the JSON. */
  readonly id: string;
  /** What it is, in words. */
  readonly what: string;
  /** What it counts. */
  readonly unit: Unit;
  /** Whether the smaller figure is the better one. */
  readonly better: "less" | "more";
  /** The figures, ours among them. */
  readonly figures: Readonly<Record<string, Figure>>;
}

/** What was left out, and why. */
export interface Skip {
  /** What was not measured, or of whom. */
  readonly what: string;
  /** The reason. */
  readonly why: string;
  /** Whether it is ours and ought to have worked. */
  readonly failed?: boolean;
}

/** What came of a section. */
export interface Findings {
  readonly rows: readonly Row[];
  readonly skips: readonly Skip[];
}

/** What a section is given. */
export interface Bench {
  /** Whether a figure is wanted for everything, however rough, rather than a good one. */
  readonly smoke: boolean;
  /** How long the call is whose delay and memory are looked at again at its end, in minutes. 0: none. */
  readonly minutes: number;
  /** A folder that is gone when the run is over. */
  readonly folder: string;
  /** What is missing on this machine to run a contender, or nothing. */
  missing(tools: readonly string[]): string | undefined;
  /** Tells whoever waits what is going on. */
  say(text: string): void;
}

/** A part of the benchmark. */
export interface Section {
  /** Its name on the command line. */
  readonly name: string;
  /** Its heading. */
  readonly title: string;
  /** Measures. Throws where something failed that nobody counted on; the others go on. */
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
  /** What has to be installed for it. */
  readonly needs: readonly string[];
  measure(): Promise<Result>;
}

/**
 * Lets all contenders measure in turn, round after round, and hands out what each gave. One that lacks something is
 * skipped, one that fails is not asked again.
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

/** A message on one line: its first, and the last that a process said. */
function shortened(message: string): string {
  const [first, ...rest] = message.split("\n").filter((line) => line !== "" && !/^---/.test(line));
  return [first, ...rest.slice(-4)].join(" / ");
}

/** Makes a figure of each contender's values. */
export function figuresOf(values: Values): Row["figures"] {
  return Object.fromEntries([...values].map(([name, all]) => [name, figureOf(all)]));
}
