/**
 * The cost of a recorded call: processor time of both ends with all their children, scaled to a
 * call of a minute.
 */

import { outputArguments } from "../../lib/media/conversion.ts";
import { displayArguments } from "../../lib/media/display.ts";
import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import { recorderArguments } from "../../lib/media/recorder_arguments.ts";
import { Screen } from "../../tests/screen.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { type Command, cpuSeconds, pipeline, timed, timedOn } from "./command.ts";
import { WIDE_SCREEN } from "./eye.ts";
import { PAIR } from "./goals.ts";
import { type Pair, REPORT_PAIR } from "./pairs.ts";
import { QUIETLY, testPictures } from "./pictures.ts";
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
  type Skip,
  type Values,
} from "./section.ts";

/** Seconds of the call that the processor time is told for. */
const TOLD_SECONDS = 60;

/** The seconds of processor time that both ends of a call took. */
interface Cost {
  readonly sender: number;
  readonly receiver: number;
}

/** The call to have. */
interface CallOptions {
  readonly seconds: number;
  /** The screen of both ends. Without one, they show nothing. */
  readonly display: string | undefined;
  readonly record: string;
}

/** The section. */
export const processorTime: Section = {
  name: "cpu",
  title: "Processor time of a recorded call of 60 s",
  async run(bench: Bench): Promise<Findings> {
    const seconds = bench.smoke ? 2 : TOLD_SECONDS;
    const rows: Row[] = [];
    const skips: Skip[] = [];
    for (const windows of [false, true]) {
      const id = windows ? "cpu.windows" : "cpu.unseen";
      const what = windows ? "with both windows" : "without windows";
      const both: Values = new Map();
      const ends = { sender: new Map(), receiver: new Map() } as Record<keyof Cost, Values>;
      await using screen = windows && bench.missing(["Xvfb"]) === undefined
        ? await Screen.open(WIDE_SCREEN)
        : undefined;
      const call = (name: string): CallOptions => ({
        seconds,
        display: screen?.display,
        record: `${bench.folder}/${name}-${id}.avi`,
      });
      const needs = windows ? ["ffmpeg", "ffplay", "Xvfb"] : ["ffmpeg"];
      const contenders: Contender<Cost>[] = [
        { name: OURS, needs, measure: () => ourCost(call("ours")) },
        { name: PAIR, needs, measure: () => pairCost(DIRECT_PAIR, call("pair")) },
        {
          name: REPORT_PAIR.name,
          needs: [...needs, ...REPORT_PAIR.needs],
          measure: () => pairCost(REPORT_PAIR, call("report")),
        },
      ];
      skips.push(
        ...await inTurn<Cost>(bench, {
          rounds: bench.smoke ? 1 : 2,
          what: `processor time, ${what}`,
          contenders,
          take(name, { sender, receiver }): void {
            const scale = TOLD_SECONDS / seconds;
            note(ends.sender, name, sender * scale);
            note(ends.receiver, name, receiver * scale);
            note(both, name, (sender + receiver) * scale);
          },
        }),
      );
      const row = (suffix: string, whose: string, values: Values): Row => ({
        id: `${id}${suffix}`,
        what: `${whose}, ${what}`,
        unit: "CPU s",
        better: "less",
        figures: figuresOf(values),
      });
      rows.push(
        row("", "both ends", both),
        row(".sender", "of that the sender", ends.sender),
        row(".receiver", "of that the receiver", ends.receiver),
      );
    }
    return { rows, skips };
  },
};

/** Our two programs. */
async function ourCost({ seconds, display, record }: CallOptions): Promise<Cost> {
  const options = timedOn(display);
  const unseen = display ? [] : ["--no-display"];
  await using called = await startServer(["--record", record, ...unseen], options);
  const { server, port } = called;
  await using client = startClient(port, ["--duration", `${seconds}`, ...unseen], options);
  const patienceMs = (seconds + 30) * 1000;
  const sent = await client.exits(0, patienceMs);
  return { sender: cpuSeconds(sent), receiver: cpuSeconds(await server.exits(0, patienceMs)) };
}

/** A pair. An ffmpeg feeds it with the same pictures, and counts as its sender's camera does. */
async function pairCost(
  pair: Pair,
  { seconds, display, record }: CallOptions,
): Promise<Cost> {
  const format = DEFAULT_FORMAT;
  const camera = testPictures(format, seconds);
  await using running = await RunningPair.open(pair, {
    format,
    record,
    ...(display && { display, ownDisplay: display }),
    wrap: (command, end) =>
      timed(end === "sender" && pair !== DIRECT_PAIR ? pipeline(camera, command) : command),
    seconds,
  });
  const patienceMs = (seconds + 30) * 1000;
  const sent = await running.sender.exits(0, patienceMs);
  return {
    sender: cpuSeconds(sent),
    receiver: cpuSeconds(await running.receiver.exits(0, patienceMs)),
  };
}

/**
 * Two ffmpegs that do the same work as our two programs, and nothing else. One makes the pictures
 * and sends them through our filters. The other records them with our recorder's arguments. Each
 * feeds an ffplay if there are windows.
 */
const DIRECT_PAIR: Pair = {
  name: PAIR,
  needs: ["ffmpeg"],
  listens: "receiver",
  settlesInSeconds: 1,
  sender({ format, port, display, seconds }): Command {
    const { width, height, fps } = format;
    const output = outputArguments(format, { mirror: true, live: false }).slice(0, -1);
    const ffmpeg: Command = {
      program: "ffmpeg",
      args: [
        ...[...QUIETLY, "-re", "-t", `${seconds ?? 0}`, "-f", "lavfi"],
        ...["-i", `testsrc2=size=${width}x${height}:rate=${fps}`],
        ...[...output, `tcp://127.0.0.1:${port}`],
        ...(display ? [...output, "pipe:1"] : []),
      ],
    };
    return display ? pipeline(ffmpeg, player("TRANSMITINDO VIDEO", display)) : ffmpeg;
  },
  receiver({ format, port, display, record }): Command {
    const args = recorderArguments({
      path: record ?? "",
      format,
      fps: format.fps,
      stamps: "capture",
    }).map((arg) => arg === "pipe:0" ? `tcp://127.0.0.1:${port}?listen=1` : arg);
    const shown = ["-threads", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"];
    const ffmpeg: Command = { program: "ffmpeg", args: [...args, ...(display ? shown : [])] };
    return display ? pipeline(ffmpeg, player("RECEBENDO VIDEO (CLIENTE)", display)) : ffmpeg;
  },
};

function player(title: string, display: string): Command {
  return {
    program: "ffplay",
    args: displayArguments({ format: DEFAULT_FORMAT, title }),
    env: { DISPLAY: display },
  };
}
