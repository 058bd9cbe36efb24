/** The frames a second that are received and recorded, none of them lost. */

import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import { recorderArguments } from "../../lib/media/recorder_arguments.ts";
import { FFMPEG } from "./goals.ts";
import { runFfmpeg, writeTestPictures } from "./pictures.ts";
import { startWorker } from "./command.ts";
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

/** The number of different pictures. */
const PICTURES = 300;

/** The recording of a round. */
interface Job {
  /** The file of pictures. */
  readonly pictures: string;
  /** The number of times that all of them are recorded. */
  readonly times: number;
  /** A folder for the recordings. */
  readonly folder: string;
  /**
   * The rate of the recording. It is about that of the round, or our recorder takes the sender's
   * clock for a wrong one.
   */
  readonly rate: number;
}

/** The section. */
export const recordingRate: Section = {
  name: "recording",
  title: "Frames a second received and recorded",
  async run(bench: Bench): Promise<Findings> {
    const { folder } = bench;
    const pictures = `${folder}/pictures`;
    await writeTestPictures(pictures, DEFAULT_FORMAT, PICTURES);
    const times = bench.smoke ? 1 : 10;
    const rate = Math.round(await byFfmpeg({ pictures, times: 1, folder, rate: 1000 }));
    const job: Job = { pictures, times, folder, rate };
    const values: Values = new Map();
    const skips = await inTurn<number>(bench, {
      rounds: bench.smoke ? 1 : 5,
      what: "frames recorded",
      contenders: [
        { name: OURS, needs: ["ffmpeg"], measure: () => byUs(job) },
        { name: FFMPEG, needs: ["ffmpeg"], measure: () => byFfmpeg(job) },
      ],
      take: (name, value) => note(values, name, value),
    });
    return {
      rows: [{
        id: "recording",
        what: `${PICTURES * times} moving test pictures, none lost`,
        unit: "fps",
        better: "more",
        figures: figuresOf(values),
      }],
      skips,
    };
  },
};

/** One process sends, another receives and records. */
async function byUs({ pictures, times, folder, rate }: Job): Promise<number> {
  const count = PICTURES * times;
  const file = `${folder}/ours.avi`;
  await using receiver = startWorker("recording_end.ts", ["receive", file, `${rate}`]);
  const [, port] = await receiver.says(/PORT (\d+)/);
  await using sender = startWorker("recording_end.ts", [
    ...["send", port!, pictures, `${count}`, `${rate}`],
  ]);
  const { stdout } = await receiver.exits(0, 120_000);
  await sender.exits(0);
  const [, frames, lost, seconds] =
    /FRAMES (\d+) LOST (\d+) SECONDS ([\d.]+)/.exec(stdout)?.map(Number) ?? [];
  if (frames !== count || lost !== 0) {
    throw new Error(`${frames} frames recorded of ${count}, ${lost} lost`);
  }
  return count / seconds!;
}

/** ffmpeg alone reads from the file and records, with the arguments of our recorder. */
async function byFfmpeg({ pictures, times, folder, rate }: Job): Promise<number> {
  const args = recorderArguments({
    path: `${folder}/ffmpeg.avi`,
    format: DEFAULT_FORMAT,
    fps: rate,
    stamps: "capture",
  }).map((arg) => arg === "pipe:0" ? `file:${pictures}` : arg);
  // The first format is that of the input. The arguments before it hold for the input, too.
  const input = args.indexOf("-f");
  const startMs = performance.now();
  await runFfmpeg([
    ...[...args.slice(0, input), "-stream_loop", `${times - 1}`, ...args.slice(input)],
  ]);
  return PICTURES * times / ((performance.now() - startMs) / 1000);
}
