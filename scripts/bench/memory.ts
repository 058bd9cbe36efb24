/**
 * The most memory of our two programs, and of the report's beside them. ffmpeg and ffplay are not
 * counted.
 */

import { pause } from "../../lib/clock.ts";
import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import { paintNumber } from "../../tests/numbered.ts";
import { peakBytes, residentBytes } from "../kit/processes.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { REPORT_PAIR } from "./pairs.ts";
import { RunningPair } from "./running_pair.ts";
import {
  type Bench,
  type Contender,
  figuresOf,
  type Findings,
  inTurn,
  note,
  OURS,
  type Row,
  type Section,
  type Values,
} from "./section.ts";

/** Milliseconds between two looks at the memory. */
const SAMPLE_MS = 500;

/** The memory of both ends. */
interface Memory {
  readonly sender: Course;
  readonly receiver: Course;
}

/** The memory of a process over a call, in megabytes. */
interface Course {
  readonly peak: number;
  /** The most memory of the last third, less that of the third before it. */
  readonly growth: number;
}

/** The section. */
export const memory: Section = {
  name: "memory",
  title: "Memory of the two programs",
  async run(bench: Bench): Promise<Findings> {
    const seconds = bench.smoke ? 3 : 60;
    const values: Record<string, Values> = {};
    const skips = await inTurn<Memory>(bench, {
      rounds: bench.smoke ? 1 : 2,
      what: "memory in a recorded call",
      contenders: [ourMemory(bench, seconds), reportMemory(bench, seconds)],
      take(name, { sender, receiver }): void {
        note(values["memory.client"] ??= new Map(), name, sender.peak);
        note(values["memory.server"] ??= new Map(), name, receiver.peak);
        if (name !== OURS) return;
        note(values["memory.client.growth"] ??= new Map(), name, sender.growth);
        note(values["memory.server.growth"] ??= new Map(), name, receiver.growth);
      },
    });
    const row = (id: string, what: string): Row[] =>
      values[id] ? [{ id, what, unit: "MB", better: "less", figures: figuresOf(values[id]) }] : [];
    const growth = `in the last third of ${seconds} s`;
    return {
      rows: [
        ...row("memory.server", "peak of the receiver"),
        ...row("memory.client", "peak of the sender"),
        ...row("memory.server.growth", `growth of the receiver ${growth}`),
        ...row("memory.client.growth", `growth of the sender ${growth}`),
      ],
      skips,
    };
  },
};

function ourMemory(bench: Bench, seconds: number): Contender<Memory> {
  return {
    name: OURS,
    needs: ["ffmpeg"],
    async measure(): Promise<Memory> {
      const record = `${bench.folder}/memory.avi`;
      await using called = await startServer(["--record", record, "--no-display"]);
      const { server, port } = called;
      await using client = startClient(port, ["--no-display"]);
      await server.says(/CONNECTION RECEIVED/);
      const both = await watch(client.pid, server.pid, seconds);
      client.signal("SIGTERM");
      await Promise.all([client.exits(0), server.exits(0)]);
      return both;
    },
  };
}

function reportMemory(bench: Bench, seconds: number): Contender<Memory> {
  return {
    name: REPORT_PAIR.name,
    needs: REPORT_PAIR.needs,
    async measure(): Promise<Memory> {
      const format = DEFAULT_FORMAT;
      const record = `${bench.folder}/memory-report.avi`;
      await using running = await RunningPair.open(REPORT_PAIR, { format, record });
      let number = 0;
      const feeding = setInterval(() => {
        running.sender.write(paintNumber(number++, format)).catch(() => {});
      }, 1000 / format.fps);
      try {
        return await watch(running.sender.pid, running.receiver.pid, seconds);
      } finally {
        clearInterval(feeding);
      }
    },
  };
}

/** Watches the memory of both ends for that long. */
async function watch(sender: number, receiver: number, seconds: number): Promise<Memory> {
  const samples = { sender: [] as number[], receiver: [] as number[] };
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    samples.sender.push(await residentBytes(sender) / 1e6);
    samples.receiver.push(await residentBytes(receiver) / 1e6);
    await pause(SAMPLE_MS);
  }
  return {
    sender: { peak: await peakBytes(sender) / 1e6, growth: growthOf(samples.sender) },
    receiver: { peak: await peakBytes(receiver) / 1e6, growth: growthOf(samples.receiver) },
  };
}

/** The most memory of the last third, less that of the third before it. */
export function growthOf(samples: readonly number[]): number {
  const third = Math.floor(samples.length / 3);
  const last = samples.slice(samples.length - third);
  const before = samples.slice(samples.length - 2 * third, samples.length - third);
  return Math.max(...last) - Math.max(...before);
}
