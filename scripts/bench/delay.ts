/**
 * The delay to the eye: the age of a picture from the write at one end to the pixel at the other.
 */

import { DEFAULT_FORMAT, type VideoFormat } from "../../lib/frame/format.ts";
import { encodePickle } from "../../lib/wire/pickle.ts";
import { encodeFrameHeader, encodeHello, MAX_HELLO_BYTES } from "../../lib/wire/session.ts";
import { Wire } from "../../lib/wire/wire.ts";
import { numberedFrame, paintNumber } from "../../tests/numbered.ts";
import { Screen } from "../../tests/screen.ts";
import { residentBytes } from "../kit/processes.ts";
import { startServer } from "../kit/programs.ts";
import { start } from "./command.ts";
import { Eye, WIDE_SCREEN } from "./eye.ts";
import { figureOf, percentile } from "./figure.ts";
import { REPORT } from "./goals.ts";
import { openLiveClient } from "./live_client.ts";
import { look, type Seen, type Writer } from "./look.ts";
import { livePicture } from "./pictures.ts";
import { OPENCV, type Pair, PAIRS, REPORT_PAIR } from "./pairs.ts";
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

/** Seconds that a contender may take to settle in a smoke run. */
const QUICK_SECONDS = 4;

/** The section. */
export const delay: Section = {
  name: "delay",
  title: "Delay of a picture",
  async run(bench: Bench): Promise<Findings> {
    const rows: Row[] = [];
    // A smoke run does not wait for contenders that take long to show the present.
    const [pairs, slow] = [true, false].map((wanted) =>
      PAIRS.filter((pair) => (!bench.smoke || pair.settlesInSeconds <= QUICK_SECONDS) === wanted)
    ) as [Pair[], Pair[]];
    const skips: Skip[] = slow.map(({ name }) => ({
      what: `picture into the sender to pixel: ${name}`,
      why: "takes too long to settle for a smoke run",
    }));
    for (const fps of bench.smoke ? [20] : [20, 30]) {
      const format = { ...DEFAULT_FORMAT, fps };
      const rounds = bench.smoke ? 1 : 3;
      const seconds = bench.smoke ? 1.5 : 10;
      const kinds = [
        {
          id: `delay.wire.${fps}`,
          what: `write to the receiver's socket to pixel, ${fps} fps`,
          contenders: [ourReceiver(bench, format, seconds), reportReceiver(bench, format, seconds)],
        },
        {
          id: `delay.chain.${fps}`,
          what: `picture into the sender to pixel, ${fps} fps`,
          contenders: [
            ourChain(bench, format, seconds),
            ...pairs.map((pair) => pairChain(bench, pair, format, seconds)),
          ],
        },
      ];
      for (const { id, what, contenders } of kinds) {
        const medians: Values = new Map();
        const late: Values = new Map();
        skips.push(
          ...await inTurn<Seen>(bench, {
            rounds,
            what,
            contenders,
            take(name, { delaysMs }): void {
              note(medians, name, percentile(delaysMs, 50));
              note(late, name, percentile(delaysMs, 95));
            },
          }),
        );
        rows.push(delayRow(`${id}.median`, `${what}: median`, medians));
        rows.push(delayRow(`${id}.p95`, `${what}: 95 of 100`, late));
      }
    }
    if (bench.minutes > 0) rows.push(...await longCall(bench));
    else skips.push({ what: "the same after some minutes", why: "not in a run of 0 minutes" });
    return { rows, skips };
  },
};

/** A row of delays. */
export function delayRow(id: string, what: string, values: Values): Row {
  return { id, what, unit: "ms", better: "less", figures: figuresOf(values) };
}

/** Our server, called by us. */
function ourReceiver(bench: Bench, format: VideoFormat, seconds: number): Contender<Seen> {
  return {
    name: OURS,
    needs: ["Xvfb", "ffplay"],
    measure: (): Promise<Seen> =>
      withOurServer(bench, async (port, eye) => {
        await using caller = await openCaller(port, format);
        return await look(eye, caller.write, { format, settlesInSeconds: 1.5, seconds });
      }),
  };
}

/** The report's receiver, called by us. */
function reportReceiver(bench: Bench, format: VideoFormat, seconds: number): Contender<Seen> {
  return {
    name: REPORT,
    needs: ["Xvfb", OPENCV],
    async measure(): Promise<Seen> {
      await using screen = await Screen.open(WIDE_SCREEN);
      const eye = new Eye(screen, WIDE_SCREEN, format);
      const { display } = screen;
      const record = `${bench.folder}/report.avi`;
      await using server = start(REPORT_PAIR.receiver({ format, port: 0, display, record }));
      const [, port] = await server.says(/PORT (\d+)/);
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      connection.setNoDelay(true);
      const wire = new Wire(connection, { expecting: () => false });
      const { before, after } = encodePickle(format);
      const write = (number: number): Promise<void> =>
        wire.writeMessage(before, paintNumber(number, format), after);
      const seen = await look(eye, write, { format, settlesInSeconds: 1.5, seconds });
      wire.close();
      return seen;
    },
  };
}

/** Our client and our server, fed with a live stream. */
function ourChain(bench: Bench, format: VideoFormat, seconds: number): Contender<Seen> {
  return {
    name: OURS,
    needs: ["Xvfb", "ffplay"],
    measure: (): Promise<Seen> =>
      withOurServer(bench, async (port, eye) => {
        await using live = await openLiveClient(port, format);
        const write = (number: number): Promise<void> => live.write(livePicture(number, format));
        return await look(eye, write, { format, settlesInSeconds: 2, seconds });
      }),
  };
}

/** A pair, fed on the standard input of its sender. */
function pairChain(
  bench: Bench,
  pair: Pair,
  format: VideoFormat,
  seconds: number,
): Contender<Seen> {
  return {
    name: pair.name,
    needs: ["Xvfb", ...pair.needs],
    async measure(): Promise<Seen> {
      await using screen = await Screen.open(WIDE_SCREEN);
      const eye = new Eye(screen, WIDE_SCREEN, format);
      const record = pair === REPORT_PAIR ? { record: `${bench.folder}/report.avi` } : {};
      await using running = await RunningPair.open(pair, {
        format,
        display: screen.display,
        ...record,
      });
      const write = (number: number): Promise<void> =>
        running.sender.write(paintNumber(number, format));
      return await look(eye, write, {
        format,
        settlesInSeconds: pair.settlesInSeconds,
        seconds,
      });
    },
  };
}

/** Has a long call, and compares its end with its beginning. */
async function longCall(bench: Bench): Promise<Row[]> {
  bench.say(`delay after ${bench.minutes} min`);
  const format = DEFAULT_FORMAT;
  const seconds = bench.minutes * 60;
  const memory: number[] = [];
  const { delaysMs } = await withOurServer(bench, async (port, eye, pid) => {
    await using caller = await openCaller(port, format);
    const sampling = setInterval(() => {
      residentBytes(pid).then((bytes) => memory.push(bytes / 1e6), () => {});
    }, 2000);
    try {
      return await look(eye, caller.write, {
        format,
        settlesInSeconds: seconds,
        seconds: 10,
      });
    } finally {
      clearInterval(sampling);
    }
  });
  const what = `the same after ${bench.minutes} min`;
  // The first fifth is the start. The end is held against the rest.
  const settled = memory.slice(Math.floor(memory.length / 5));
  const half = Math.floor(settled.length / 2);
  const growth = Math.max(...settled.slice(half)) - Math.max(...settled.slice(0, half));
  return [
    delayRow("delay.long.median", `${what}: median`, new Map([[OURS, [percentile(delaysMs, 50)]]])),
    delayRow("delay.long.p95", `${what}: 95 of 100`, new Map([[OURS, [percentile(delaysMs, 95)]]])),
    {
      id: "memory.server.growth",
      what: `memory of the server grown within those ${bench.minutes} min`,
      unit: "MB",
      better: "less",
      figures: { [OURS]: figureOf([growth]) },
    },
  ];
}

/** Runs our server with a window and a recording. */
async function withOurServer<T>(
  bench: Bench,
  use: (port: number, eye: Eye, pid: number) => Promise<T>,
): Promise<T> {
  await using screen = await Screen.open(WIDE_SCREEN);
  const eye = new Eye(screen, WIDE_SCREEN, DEFAULT_FORMAT);
  await using called = await startServer(["--record", `${bench.folder}/ours.avi`], {
    env: { DISPLAY: screen.display },
  });
  const { server, port } = called;
  const result = await use(port, eye, server.pid);
  server.signal("SIGTERM");
  await server.ended;
  return result;
}

/** A caller that speaks `call`. */
async function openCaller(port: number, format: VideoFormat): Promise<Writer> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  const wire = new Wire(connection, { expecting: () => false });
  await wire.writeMessage(encodeHello({ name: "bench", streams: [format] }));
  await wire.readMessage(MAX_HELLO_BYTES);
  const acks = (async (): Promise<void> => {
    while (await wire.readMessage(MAX_HELLO_BYTES) !== null);
  })().catch(() => {});
  let sequence = 0;
  const startUs = performance.now() * 1000;
  return {
    async write(number: number): Promise<void> {
      const frame = {
        ...numberedFrame(number, format),
        sequence,
        captureUs: startUs + sequence * 1e6 / format.fps,
      };
      sequence++;
      await wire.writeMessage(encodeFrameHeader(frame), frame.data);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      wire.close();
      await acks;
    },
  };
}
