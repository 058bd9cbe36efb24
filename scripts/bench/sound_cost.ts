/**
 * The cost of sound: a call both ways with sound, beside the same call without, and beside two
 * people's ffmpegs and ffplays. All of them with windows, and nothing is recorded: ffplay cannot.
 */

import { Screen } from "../../tests/screen.ts";
import { startClient, startServer } from "../kit/programs.ts";
import type { Running, StartOptions } from "../kit/running.ts";
import { SoundServer } from "../kit/sound_server.ts";
import { cpuSeconds, timed, timedOn } from "./command.ts";
import { WIDE_SCREEN } from "./eye.ts";
import { SILENT, TALK_PAIRS } from "./goals.ts";
import { SOUND_SERVER } from "./packages.ts";
import {
  type Bench,
  figuresOf,
  type Findings,
  inTurn,
  note,
  OURS,
  type Section,
  type Values,
} from "./section.ts";
import { TYPED_TALK } from "./talk_pairs.ts";
import { openPairTalk, startOf, type TalkPlace } from "./talks.ts";
import { watchPrograms } from "./watched.ts";

/** Seconds of the call that the processor time is told for. */
const TOLD_SECONDS = 60;

/** The cost of both ends. */
interface Cost {
  /** Seconds of processor time, with all children. */
  readonly cpu: number;
  /** The most memory that one of our programs had, in MB. */
  readonly peak?: number;
}

/** The section. */
export const soundCost: Section = {
  name: "sound-cost",
  title: "Cost of sound",
  async run(bench: Bench): Promise<Findings> {
    const seconds = bench.smoke ? 1 : TOLD_SECONDS;
    const [cpu, peak]: [Values, Values] = [new Map(), new Map()];
    const needs = ["ffmpeg", "ffplay", "Xvfb", SOUND_SERVER];
    const contenders = [
      {
        ...{ name: OURS, needs },
        measure: () => withPlace((place) => callCost(place, seconds, true)),
      },
      {
        ...{ name: SILENT, needs },
        measure: () => withPlace((place) => callCost(place, seconds, false)),
      },
      {
        ...{ name: TALK_PAIRS, needs },
        measure: () => withPlace((place) => pairsCost(place, seconds)),
      },
    ];
    const skips = await inTurn<Cost>(bench, {
      rounds: bench.smoke ? 1 : 2,
      what: "cost of sound",
      contenders: bench.smoke ? contenders.slice(0, 2) : contenders,
      take(name, cost): void {
        note(cpu, name, cost.cpu * TOLD_SECONDS / seconds);
        if (cost.peak !== undefined) note(peak, name, cost.peak);
      },
    });
    return {
      rows: [
        {
          ...{ id: "sound.cpu", unit: "CPU s", better: "less", figures: figuresOf(cpu) },
          what: "a call both ways of a minute, seen and heard, both ends",
        },
        {
          ...{ id: "sound.memory", unit: "MB", better: "less", figures: figuresOf(peak) },
          what: "peak of the larger program",
        },
      ],
      skips,
    };
  },
};

async function withPlace<T>(use: (place: TalkPlace) => Promise<T>): Promise<T> {
  await using screen = await Screen.open(WIDE_SCREEN);
  await using sound = await SoundServer.open({ loudspeakers: 2, microphones: 2 });
  return await use({ sound, display: screen.display });
}

/** Has a call of ours. Each end shows the other's picture and its own. */
async function callCost(place: TalkPlace, seconds: number, talk: boolean): Promise<Cost> {
  const options = (end: 0 | 1): StartOptions => ({ ...timedOn(), ...startOf(place, end) });
  const both = talk ? ["--talk"] : [];
  const access = talk ? ["--open"] : [];
  await using called = await startServer(
    ["--no-record", "--input", "test", ...access, ...both],
    options(0),
  );
  await using client = startClient(
    called.port,
    [...both, "--duration", `${seconds}`],
    options(1),
  );
  const programs = [client, called.server];
  const patienceMs = (seconds + 30) * 1000;
  const ended = Promise.all(programs.map((program) => program.exits(0, patienceMs)));
  const watched = await watchPrograms(programs, ended);
  return {
    cpu: sum((await ended).map(cpuSeconds)),
    peak: Math.max(...watched.map(({ peak }) => peak)),
  };
}

/** Two people with a sender and a receiver each. */
async function pairsCost(place: TalkPlace, seconds: number): Promise<Cost> {
  const options = { seconds, wrap: timed };
  await using there = await openPairTalk(TYPED_TALK, place, options);
  await using back = await openPairTalk(TYPED_TALK, place, { ...options, back: true });
  const all: Running[] = [there.sender, there.receiver, back.sender, back.receiver];
  const patienceMs = (seconds + 30) * 1000;
  const outcomes = await Promise.all(all.map((one) => one.exits(0, patienceMs)));
  return { cpu: sum(outcomes.map(cpuSeconds)) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}
