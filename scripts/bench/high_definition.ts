/**
 * A call in high definition: the age of a picture when it is seen, and the cost of it at both ends.
 */

import { windowSize } from "../../lib/media/display.ts";
import type { Codec, VideoFormat } from "../../lib/frame/format.ts";
import { paintNumber, type Size } from "../../tests/numbered.ts";
import { Screen } from "../../tests/screen.ts";
import { startServer } from "../kit/programs.ts";
import { Eye } from "./eye.ts";
import { percentile } from "./figure.ts";
import { openLiveClient } from "./live_client.ts";
import { look, type LookOptions, type Seen } from "./look.ts";
import { GSTREAMER_H264, GSTREAMER_JPEG, type Pair, TUNED_JPEG_PAIR, TUNED_PAIR } from "./pairs.ts";
import { livePicture } from "./pictures.ts";
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

const SIZE: Size = { width: 1280, height: 720 };
const FPS = 30;

/** Large enough for a window of that size in its middle. */
const SCREEN: Size = { width: 1600, height: 900 };

/**
 * The number of pictures that are painted beforehand, since to paint one takes as long as to send
 * it. A receiver that is less than a second behind shows none whose number has come again.
 */
const NUMBERS = 32;

/** The contenders beside us, by codec. */
const BESIDE: readonly (readonly [Codec, readonly Pair[]])[] = [
  ["h264", [TUNED_PAIR, GSTREAMER_H264]],
  ["mjpeg", [TUNED_JPEG_PAIR, GSTREAMER_JPEG]],
];

/** The section. */
export const highDefinition: Section = {
  name: "hd",
  title: `A call of ${SIZE.width} x ${SIZE.height} at ${FPS} frames a second`,
  async run(bench: Bench): Promise<Findings> {
    const rows: Row[] = [];
    const skips: Skip[] = [];
    for (const [codec, pairs] of BESIDE) {
      const format: VideoFormat = { kind: "video", ...SIZE, codec, fps: FPS };
      for (const recorded of [false, true]) {
        const what = `picture into the sender to pixel, ${codec}${recorded ? ", recorded" : ""}`;
        const [medians, late, cpu]: [Values, Values, Values] = [new Map(), new Map(), new Map()];
        skips.push(
          ...await inTurn<Seen>(bench, {
            rounds: bench.smoke ? 1 : 3,
            what,
            contenders: [
              ourCall(bench, format, recorded),
              // The others do not record, or not the pictures that they show.
              ...(recorded ? [] : pairs.map((pair) => pairCall(bench, pair, format))),
            ],
            take(name, { delaysMs, cpuSeconds }): void {
              note(medians, name, percentile(delaysMs, 50));
              note(late, name, percentile(delaysMs, 95));
              note(cpu, name, cpuSeconds);
            },
          }),
        );
        const id = `hd.${codec}${recorded ? ".recorded" : ""}`;
        const better = "less";
        const delay = { unit: "ms", better } as const;
        rows.push(
          { ...delay, id: `${id}.median`, what: `${what}: median`, figures: figuresOf(medians) },
          { ...delay, id: `${id}.p95`, what: `${what}: 95 of 100`, figures: figuresOf(late) },
          {
            id: `${id}.cpu`,
            what: `both ends for a minute, ${codec}${recorded ? ", recorded" : ""}`,
            unit: "CPU s",
            better,
            figures: figuresOf(cpu),
          },
        );
      }
    }
    return { rows, skips };
  },
};

/** Our two programs, the server with a window. */
function ourCall(bench: Bench, format: VideoFormat, recorded: boolean): Contender<Seen> {
  return {
    name: OURS,
    needs: ["Xvfb", "ffmpeg", "ffplay"],
    async measure(): Promise<Seen> {
      await using screen = await Screen.open(SCREEN);
      const eye = new Eye(screen, SCREEN, windowSize(format));
      const record = recorded
        ? ["--record", `${bench.folder}/hd-${format.codec}.avi`]
        : ["--no-record"];
      await using called = await startServer(record, { env: { DISPLAY: screen.display } });
      const { server, port } = called;
      const pictures = painted((number) => livePicture(number, format));
      let seen: Seen;
      {
        await using client = await openLiveClient(port, format);
        seen = await look(
          eye,
          (number) => client.write(pictures[number]!),
          lookOptions(bench, format, { settles: 2, pids: [server.pid, client.pid] }),
        );
      }
      await server.ended;
      return seen;
    },
  };
}

/** A pair, fed on the standard input of its sender. */
function pairCall(bench: Bench, pair: Pair, format: VideoFormat): Contender<Seen> {
  return {
    name: pair.name,
    needs: ["Xvfb", ...pair.needs],
    async measure(): Promise<Seen> {
      await using screen = await Screen.open(SCREEN);
      const { display } = screen;
      const pictures = painted((number) => paintNumber(number, format));
      await using running = await RunningPair.open(pair, { format, display });
      const { sender, receiver } = running;
      return await look(
        new Eye(screen, SCREEN, format),
        (number) => sender.write(pictures[number]!),
        lookOptions(bench, format, {
          settles: pair.settlesInSeconds,
          pids: [sender.pid, receiver.pid],
        }),
      );
    },
  };
}

function painted(paint: (number: number) => Uint8Array): Uint8Array[] {
  return Array.from({ length: NUMBERS }, (_, number) => paint(number));
}

function lookOptions(
  { smoke }: Bench,
  format: VideoFormat,
  { settles, pids }: { readonly settles: number; readonly pids: readonly number[] },
): LookOptions {
  const seconds = smoke ? 1.5 : 10;
  return { format, settlesInSeconds: settles, seconds, numbers: NUMBERS, pids };
}
