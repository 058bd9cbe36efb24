/** The time from the start of the sender to the first pixel at the receiver, and its parts. */

import { pause } from "../../lib/clock.ts";
import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import { Screen } from "../../tests/screen.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { type Command, pipeline } from "./command.ts";
import { Eye, WIDE_SCREEN } from "./eye.ts";
import { type Pair, PAIRS, REPORT_PAIR } from "./pairs.ts";
import { testPictures } from "./pictures.ts";
import { RunningPair } from "./running_pair.ts";
import {
  type Bench,
  type Contender,
  figuresOf,
  type Findings,
  inTurn,
  note,
  OURS,
  type Section,
  type Values,
} from "./section.ts";

/** Milliseconds that a first picture is waited for. */
const PATIENCE_MS = 20_000;

/** Milliseconds between two looks at the screen. */
const LOOK_MS = 4;

/** The steps to a first picture, in order: the name and the sign of each. */
const STEPS = [
  ["first.connected", "of that until the client has connected"],
  ["first.offered", "until it has a picture and says what it sends"],
  ["first.frame", "until its first frame is at the server"],
  ["first.shown", "until that is on the screen"],
] as const;

/** Moments after the start of the sender, in milliseconds; the pixel is the last of them. */
type Moments = readonly number[];

/** The section. */
export const firstPicture: Section = {
  name: "first",
  title: "From starting the client to the first picture at the server",
  async run(bench: Bench): Promise<Findings> {
    const pixels: Values = new Map();
    const steps: Record<string, Values> = {};
    const pairs = bench.smoke ? [REPORT_PAIR] : PAIRS;
    const skips = await inTurn<Moments>(bench, {
      rounds: bench.smoke ? 1 : 5,
      what: "first picture",
      contenders: [ourFirst(bench), ...pairs.map((pair) => pairFirst(bench, pair))],
      take(name, moments): void {
        note(pixels, name, moments.at(-1)!);
        if (name !== OURS) return;
        moments.forEach((moment, index) => {
          const [id] = STEPS[index]!;
          note(steps[id] ??= new Map(), name, moment - (moments[index - 1] ?? 0));
        });
      },
    });
    const common = { unit: "ms", better: "less" } as const;
    return {
      rows: [
        { ...common, id: "first.pixel", what: "start to pixel", figures: figuresOf(pixels) },
        ...STEPS.filter(([id]) => steps[id]).map(([id, what]) => ({
          ...common,
          id,
          what,
          figures: figuresOf(steps[id]!),
        })),
      ],
      skips,
    };
  },
};

function ourFirst(bench: Bench): Contender<Moments> {
  return {
    name: OURS,
    needs: ["Xvfb", "ffmpeg", "ffplay"],
    async measure(): Promise<Moments> {
      await using screen = await Screen.open(WIDE_SCREEN);
      const record = `${bench.folder}/first.avi`;
      await using called = await startServer(["--trace", "--record", record], {
        env: { DISPLAY: screen.display },
      });
      const { server, port } = called;
      const startMs = performance.now();
      const since = (): number => performance.now() - startMs;
      await using client = startClient(port, ["--no-display"]);
      const moments = await Promise.all([
        server.says(/CONNECTION RECEIVED/).then(since),
        server.says(/^\[server\] call /m).then(since),
        server.says(/^\[frame\] 0 /m).then(since),
        untilSeen(screen).then(since),
      ]);
      client.signal("SIGTERM");
      await Promise.all([client.ended, server.ended]);
      return moments;
    },
  };
}

function pairFirst(bench: Bench, pair: Pair): Contender<Moments> {
  return {
    name: pair.name,
    needs: ["Xvfb", "ffmpeg", ...pair.needs],
    async measure(): Promise<Moments> {
      await using screen = await Screen.open(WIDE_SCREEN);
      const camera = testPictures(DEFAULT_FORMAT, 30);
      // If the sender listens, the receiver can only be started after it. That is part of the wait,
      // too.
      let startMs = 0;
      await using _running = await RunningPair.open(pair, {
        format: DEFAULT_FORMAT,
        display: screen.display,
        ...(pair === REPORT_PAIR && { record: `${bench.folder}/first-report.avi` }),
        wrap(command, end): Command {
          if (end === "receiver") return command;
          startMs = performance.now();
          return pipeline(camera, command);
        },
      });
      await untilSeen(screen);
      return [performance.now() - startMs];
    },
  };
}

/**
 * Waits until there is colour on a screen. Windows are black, white or grey before their first
 * picture.
 */
async function untilSeen(screen: Screen): Promise<void> {
  const eye = new Eye(screen, WIDE_SCREEN, DEFAULT_FORMAT);
  const endMs = performance.now() + PATIENCE_MS;
  while (!eye.seesColour()) {
    if (performance.now() > endMs) throw new Error(`no picture within ${PATIENCE_MS / 1000} s`);
    await pause(LOOK_MS);
  }
}
