/**
 * The cost of a private call: the same measurements in the clear and sealed, in turn. Both ends of
 * the delay and of the beginning are in this process. Their ciphers work one after the other, as
 * they do between two machines.
 */

import { nowUs, pause } from "../../lib/clock.ts";
import { type Codec, DEFAULT_FORMAT, rawFrameBytes } from "../../lib/frame/format.ts";
import { Guesses } from "../../lib/wire/guesses.ts";
import type { CallLine, Line } from "../../lib/wire/line.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { cpuSeconds, timedOn } from "./command.ts";
import { percentile, type Unit } from "./figure.ts";
import { CLEAR } from "./goals.ts";
import { answerOver, callOver, CODE } from "./lines.ts";
import {
  type Bench,
  figuresOf,
  type Findings,
  inTurn,
  note,
  OURS,
  type Row,
  type Section,
  type Skip,
  type Values,
} from "./section.ts";
import { ourEnds, rateOf } from "./wire_rate.ts";

/** Seconds of the call that the processor time is told for. */
const TOLD_SECONDS = 60;

/** A thing to measure with and without a code. */
interface Measurement {
  readonly id: string;
  readonly what: string;
  readonly unit: Unit;
  readonly better: Row["better"];
  readonly rounds: number;
  measure(isPrivate: boolean): Promise<number>;
}

/** The section. */
export const privateCall: Section = {
  name: "private",
  title: "Cost of a private call",
  async run(bench: Bench): Promise<Findings> {
    const rows: Row[] = [];
    const skips: Skip[] = [];
    for (const { measure, rounds, ...row } of measurements(bench)) {
      const values: Values = new Map();
      const contenders = [[OURS, true], [CLEAR, false]] as const;
      skips.push(
        ...await inTurn<number>(bench, {
          rounds: bench.smoke ? 1 : rounds,
          what: row.what,
          contenders: contenders.map(([name, isPrivate]) => ({
            ...{ name, needs: [] },
            measure: (): Promise<number> => measure(isPrivate),
          })),
          take: (name, value) => note(values, name, value),
        }),
      );
      if (values.has(OURS)) rows.push({ ...row, figures: figuresOf(values) });
    }
    return { rows, skips };
  },
};

function measurements({ smoke }: Bench): readonly Measurement[] {
  const processor = (codec: Codec): Measurement => ({
    ...{ id: `private.cpu.${codec}`, unit: "CPU s", better: "less", rounds: 2 },
    what: `processor time of both ends for 60 s, ${codec}`,
    measure: (isPrivate) => processorTime(codec, isPrivate, smoke ? 1 : TOLD_SECONDS),
  });
  return [
    {
      ...{ id: "private.rate", unit: "fps", better: "more", rounds: 5 },
      what: "raw frames from memory to memory",
      measure: (isPrivate) => rateOf(ourEnds(isPrivate ? "sealed" : "call"), smoke ? 0.4 : 3),
    },
    {
      ...{ id: "private.delay", unit: "ms", better: "less", rounds: 5 },
      what: "push of a raw picture to picture out of the line: median",
      measure: (isPrivate) => pictureDelay(isPrivate, smoke ? 10 : 100),
    },
    {
      ...{ id: "private.beginning", unit: "ms", better: "less", rounds: 5 },
      what: "connection to both ends in the call: median",
      measure: (isPrivate) => beginning(isPrivate, smoke ? 3 : 30),
    },
    processor("raw"),
    processor("h264"),
  ];
}

/** Both ends of a call within this process. */
interface BothEnds extends AsyncDisposable {
  readonly caller: CallLine;
  readonly called: Line;
}

async function openCall(isPrivate: boolean): Promise<BothEnds> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using guesses = new Guesses();
  const lock = isPrivate ? { code: CODE, guesses } : undefined;
  const answering = listener.accept().then((connection) => {
    connection.setNoDelay(true);
    return answerOver(connection, DEFAULT_FORMAT.fps, { lock });
  });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  connection.setNoDelay(true);
  const caller = await callOver(connection, DEFAULT_FORMAT, isPrivate ? CODE : undefined);
  const called = await answering;
  return {
    caller,
    called,
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all([caller.hangUp(""), called.hangUp("")]);
    },
  };
}

/** The median of so many pictures at their rate, after some that do not count. */
async function pictureDelay(isPrivate: boolean, pictures: number): Promise<number> {
  await using call = await openCall(isPrivate);
  const { caller, called } = call;
  const delaysMs: number[] = [];
  const taking = (async (): Promise<void> => {
    for await (const { sequence, captureUs, lease } of called.frames()) {
      if (sequence >= 10) delaysMs.push((nowUs() - captureUs) / 1000);
      lease?.letGo();
    }
    await called.hangUp("");
  })();
  const acks = (async (): Promise<void> => {
    for await (const _ of caller.frames());
  })();
  const data = new Uint8Array(rawFrameBytes(DEFAULT_FORMAT)).fill(90);
  for (let sequence = 0; sequence < 10 + pictures; sequence++) {
    caller.push({ stream: 0, data, captureUs: nowUs(), sequence, keyframe: true });
    await pause(1000 / DEFAULT_FORMAT.fps);
  }
  await caller.flush();
  await Promise.all([caller.hangUp(""), taking, acks]);
  return percentile(delaysMs, 50);
}

/** The median of so many beginnings, after one that does not count. */
async function beginning(isPrivate: boolean, times: number): Promise<number> {
  const tookMs: number[] = [];
  for (let time = 0; time <= times; time++) {
    const startMs = performance.now();
    await using _call = await openCall(isPrivate);
    if (time > 0) tookMs.push(performance.now() - startMs);
  }
  return percentile(tookMs, 50);
}

/** The processor time of our two programs, without windows and recording. */
async function processorTime(codec: Codec, isPrivate: boolean, seconds: number): Promise<number> {
  const options = { ...timedOn(), env: isPrivate ? { CHAMADA_CODE: CODE } : {} };
  const access = isPrivate ? "--private" : "--open";
  await using called = await startServer(["--no-display", "--no-record", access], options);
  const { server, port } = called;
  const args = ["--no-display", "--codec", codec, "--duration", `${seconds}`];
  await using client = startClient(port, args, options);
  const patienceMs = (seconds + 30) * 1000;
  const sent = await client.exits(0, patienceMs);
  const served = await server.exits(0, patienceMs);
  return (cpuSeconds(sent) + cpuSeconds(served)) * TOLD_SECONDS / seconds;
}
