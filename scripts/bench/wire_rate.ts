/**
 * The frames a second that go through the code of the wire, from memory to memory, between two
 * processes.
 */

import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import { paintNumber } from "../../tests/numbered.ts";
import { FLOOR, REPORT } from "./goals.ts";
import { PYTHON } from "./pairs.ts";
import { type Command, start, worker } from "./command.ts";
import {
  type Bench,
  figuresOf,
  type Findings,
  inTurn,
  note,
  OURS,
  type Section,
  type Skip,
  type Values,
} from "./section.ts";

/**
 * The floor for a program that hands frames on. The next frame needs another buffer while the last
 * one is still being shown and recorded.
 */
const FRESH = "bytes copied, a buffer a frame";

/** The two ends of a way to send. */
export interface Ends {
  readonly name: string;
  readonly needs: readonly string[];
  receiver(seconds: number): Command;
  sender(port: string): Command;
}

/** The section. */
export const wireRate: Section = {
  name: "wire",
  title: "Frames a second through the code of the wire",
  async run(bench: Bench): Promise<Findings> {
    const seconds = bench.smoke ? 0.4 : 3;
    const values: Values = new Map();
    const skips: Skip[] = await inTurn<number>(bench, {
      rounds: bench.smoke ? 1 : 5,
      what: "frames from memory to memory",
      contenders: ENDS.map((ends) => ({
        name: ends.name,
        needs: ends.needs,
        measure: (): Promise<number> => rateOf(ends, seconds),
      })),
      take: (name, rate) => note(values, name, rate),
    });
    const figures = figuresOf(values);
    const rows = (["plain", "call"] as const).flatMap((mode) => {
      const own = figures[ourName(mode)];
      if (!own) return [];
      const others = [FLOOR, FRESH, REPORT].flatMap((name) =>
        figures[name] ? [[name, figures[name]]] : []
      );
      return [
        {
          id: `wire.${mode}`,
          what: `from memory to memory, ${mode}`,
          unit: "fps",
          better: "more",
          figures: { [OURS]: own, ...Object.fromEntries(others) },
        } as const,
      ];
    });
    return { rows, skips };
  },
};

/** Copied bytes and nothing else. `way` names the kind of receiving end. */
function floorEnds(name: string, way: "bytes" | "fresh"): Ends {
  return {
    name,
    needs: [],
    receiver: (seconds) => worker("wire_end.ts", ["receive", way, `${seconds}`]),
    sender: (port) => worker("wire_end.ts", ["send", "bytes", port]),
  };
}

const REPORT_ENDS: Ends = {
  name: REPORT,
  needs: ["numpy"],
  receiver: (seconds) => ({
    program: PYTHON,
    args: ["scripts/bench/peers/report_server.py", "--seconds", `${seconds}`],
  }),
  sender: (port) => ({
    program: PYTHON,
    args: [
      ...["scripts/bench/peers/report_client.py", port],
      ...[`${DEFAULT_FORMAT.width}`, `${DEFAULT_FORMAT.height}`, "--repeat"],
    ],
  }),
};

/** The two ends of a line of ours, or of a sealed one. */
export function ourEnds(mode: "plain" | "call" | "sealed"): Ends {
  const way = mode === "sealed" ? "sealed" : "wire";
  return {
    name: ourName(mode),
    needs: [],
    receiver: (seconds) => worker("wire_end.ts", ["receive", way, `${seconds}`]),
    sender: (port) => worker("wire_end.ts", ["send", mode, port]),
  };
}

function ourName(mode: "plain" | "call" | "sealed"): string {
  return `${OURS}, ${mode}`;
}

const ENDS: readonly Ends[] = [
  floorEnds(FLOOR, "bytes"),
  floorEnds(FRESH, "fresh"),
  ourEnds("plain"),
  ourEnds("call"),
  REPORT_ENDS,
];

/** One round: frames a second. */
export async function rateOf(ends: Ends, seconds: number): Promise<number> {
  await using receiver = start(ends.receiver(seconds));
  const [, port] = await receiver.says(/PORT (\d+)/);
  await using sender = start(ends.sender(port!));
  // The report's sender takes the picture that it repeats from its input.
  if (ends === REPORT_ENDS) await sender.write(paintNumber(1, DEFAULT_FORMAT));
  const { stdout } = await receiver.exits(0);
  const [, frames, took] = /FRAMES ([\d.]+) SECONDS ([\d.]+)/.exec(stdout) ?? [];
  if (frames === undefined) throw new Error(`Cannot read a rate in "${stdout.trim()}"`);
  return Number(frames) / Number(took);
}
