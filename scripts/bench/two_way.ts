/**
 * A call in which both ends show themselves. Its cost stands beside that of two calls one way, in
 * opposite directions. The age of a picture in either direction stands beside that of one way.
 *
 * The same pictures are made, encoded, shown and recorded in both cases, by as many ffmpegs and
 * ffplays. Our programs are two in place of four, and are told of by themselves.
 */

import { DEFAULT_FORMAT, type VideoFormat } from "../../lib/frame/format.ts";
import { Screen } from "../../tests/screen.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { writeAll } from "../kit/writing.ts";
import { cpuSeconds, timedOn } from "./command.ts";
import { Eye, WIDE_SCREEN } from "./eye.ts";
import { percentile } from "./figure.ts";
import { ONE_WAY, OPPOSITE } from "./goals.ts";
import { openLiveClient } from "./live_client.ts";
import { look, type Seen, type Writer } from "./look.ts";
import { liveHeader, livePicture } from "./pictures.ts";
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
import { watchPrograms } from "./watched.ts";

/** Seconds of the call that the processor time is told for. */
const TOLD_SECONDS = 60;

/** The format of both directions. */
const FORMATS: readonly VideoFormat[] = [
  DEFAULT_FORMAT,
  { kind: "video", codec: "h264", width: 1280, height: 720, fps: 30 },
];

/** Room for four windows of either format. */
const SCREEN = { width: 1600, height: 900 } as const;

/** The cost of both ends. */
interface Cost {
  /** Seconds of processor time, with all children. */
  readonly cpu: number;
  /** The share of our programs alone. */
  readonly own: number;
  /** The most memory that one of our programs had, in MB. */
  readonly peak: number;
}

/** The section. */
export const twoWay: Section = {
  name: "two-way",
  title: "A call both ways",
  async run(bench: Bench): Promise<Findings> {
    const rows: Row[] = [];
    const skips: Skip[] = [];
    for (const format of FORMATS) {
      const costs = await costsOf(bench, format);
      rows.push(...costs.rows);
      skips.push(...costs.skips);
    }
    for (const end of ["server", "client"] as const) {
      const delays = await delaysOf(bench, end);
      rows.push(...delays.rows);
      skips.push(...delays.skips);
    }
    return { rows, skips };
  },
};

async function costsOf(bench: Bench, format: VideoFormat): Promise<Findings> {
  const seconds = bench.smoke ? 2 : TOLD_SECONDS;
  const [cpu, own, peak]: [Values, Values, Values] = [new Map(), new Map(), new Map()];
  await using screen = bench.missing(["Xvfb"]) === undefined
    ? await Screen.open(SCREEN)
    : undefined;
  const have = (both: boolean): Promise<Cost> =>
    callCost({ format, seconds, both, display: screen?.display, folder: bench.folder });
  const { codec, width, height, fps } = format;
  const what = `${width}x${height} at ${fps}, ${codec}`;
  const needs = ["ffmpeg", "ffplay", "Xvfb"];
  const skips = await inTurn<Cost>(bench, {
    rounds: bench.smoke ? 1 : 2,
    what: `cost both ways, ${what}`,
    contenders: [
      { name: OURS, needs, measure: () => have(true) },
      {
        name: OPPOSITE,
        needs,
        async measure(): Promise<Cost> {
          const [one, other] = await Promise.all([have(false), have(false)]);
          return {
            cpu: one.cpu + other.cpu,
            own: one.own + other.own,
            peak: Math.max(one.peak, other.peak),
          };
        },
      },
    ],
    take(name, cost): void {
      const scale = TOLD_SECONDS / seconds;
      note(cpu, name, cost.cpu * scale);
      note(own, name, cost.own * scale);
      note(peak, name, cost.peak);
    },
  });
  const id = `two-way.${height}`;
  const better = "less";
  const time = { unit: "CPU s", better } as const;
  return {
    rows: [
      {
        ...{ ...time, id: `${id}.cpu`, what: `both ends for a minute, seen and recorded, ${what}` },
        figures: figuresOf(cpu),
      },
      {
        ...{ ...time, id: `${id}.own`, what: `of that our programs, without their children` },
        figures: figuresOf(own),
      },
      {
        ...{ id: `${id}.memory`, what: `peak of the larger program, ${what}`, unit: "MB", better },
        figures: figuresOf(peak),
      },
    ],
    skips,
  };
}

interface CallOptions {
  readonly format: VideoFormat;
  readonly seconds: number;
  /** True if the server shows itself as well. */
  readonly both: boolean;
  readonly display: string | undefined;
  readonly folder: string;
}

/** Has a call with all windows. The pictures of each direction are recorded. */
async function callCost({ format, seconds, both, display, folder }: CallOptions): Promise<Cost> {
  const options = timedOn(display);
  const { codec, width, height, fps } = format;
  const shape = ["--codec", codec, "--size", `${width}x${height}`, "--fps", `${fps}`];
  const record = (): string[] => ["--record", `${folder}/${crypto.randomUUID()}.avi`];
  const given = both ? ["--input", "test", ...shape] : [];
  await using called = await startServer([...record(), ...given], options);
  await using client = startClient(called.port, [
    ...[...shape, ...(both ? record() : []), "--duration", `${seconds}`],
  ], options);
  const programs = [client, called.server];
  const patienceMs = (seconds + 30) * 1000;
  const ended = Promise.all(programs.map((program) => program.exits(0, patienceMs)));
  const watched = await watchPrograms(programs, ended);
  return {
    cpu: (await ended).map(cpuSeconds).reduce((sum, one) => sum + one, 0),
    own: watched.reduce((sum, { own }) => sum + own, 0),
    peak: Math.max(...watched.map(({ peak }) => peak)),
  };
}

/** The age of pictures at one end in a call both ways, and one way. */
async function delaysOf(bench: Bench, end: "server" | "client"): Promise<Findings> {
  const what = `picture into one end to pixel at the ${end}`;
  const [medians, late]: [Values, Values] = [new Map(), new Map()];
  const needs = ["Xvfb", "ffmpeg", "ffplay"];
  const contenders: Contender<Seen>[] = [
    {
      ...{ name: OURS, needs },
      measure: () => end === "server" ? ageAtServer(bench, true) : ageAtClient(bench),
    },
    // One way: pictures go to the server.
    { name: ONE_WAY, needs, measure: () => ageAtServer(bench, false) },
  ];
  const skips = await inTurn<Seen>(bench, {
    rounds: bench.smoke ? 1 : 3,
    what,
    contenders,
    take(name, { delaysMs }): void {
      note(medians, name, percentile(delaysMs, 50));
      note(late, name, percentile(delaysMs, 95));
    },
  });
  const id = `two-way.delay.${end}`;
  const common = { unit: "ms", better: "less" } as const;
  return {
    rows: [
      { ...common, id: `${id}.median`, what: `${what}: median`, figures: figuresOf(medians) },
      { ...common, id: `${id}.p95`, what: `${what}: 95 of 100`, figures: figuresOf(late) },
    ],
    skips,
  };
}

/** Looks at the server's window for the client's pictures. */
async function ageAtServer(bench: Bench, both: boolean): Promise<Seen> {
  await using screen = await Screen.open(WIDE_SCREEN);
  const { display } = screen;
  const given = both ? ["--input", "test"] : [];
  await using called = await startServer(["--no-record", ...given], { env: { DISPLAY: display } });
  const seen = await (async (): Promise<Seen> => {
    await using client = await openLiveClient(called.port, DEFAULT_FORMAT);
    return await seePictures(bench, screen, (picture) => client.write(picture));
  })();
  await called.server.ended;
  return seen;
}

/** Looks at the client's window for the server's pictures. */
async function ageAtClient(bench: Bench): Promise<Seen> {
  await using screen = await Screen.open(WIDE_SCREEN);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const starting = startServer([
    ...["--input", `tcp://127.0.0.1:${listener.addr.port}`, "--no-mirror"],
    ...["--no-record", "--no-display"],
  ]);
  // A server opens its source once before it listens, to find out if it works, and anew for the
  // call.
  {
    using first = await listener.accept();
    await writeAll(first, liveHeader(DEFAULT_FORMAT));
    await writeAll(first, livePicture(0, DEFAULT_FORMAT));
    await starting;
  }
  await using called = await starting;
  await using client = startClient(called.port, [], { env: { DISPLAY: screen.display } });
  using second = await listener.accept();
  second.setNoDelay(true);
  await writeAll(second, liveHeader(DEFAULT_FORMAT));
  const seen = await seePictures(bench, screen, (picture) => writeAll(second, picture));
  client.signal("SIGTERM");
  await client.ended;
  await called.server.ended;
  return seen;
}

/** Writes numbered pictures and looks for them. */
async function seePictures(
  { smoke }: Bench,
  screen: Screen,
  write: (picture: Uint8Array) => Promise<void>,
): Promise<Seen> {
  const format = DEFAULT_FORMAT;
  const eye = new Eye(screen, WIDE_SCREEN, format);
  const writeNumber: Writer["write"] = (number) => write(livePicture(number, format));
  const seconds = smoke ? 1.5 : 10;
  return await look(eye, writeNumber, { format, settlesInSeconds: 2, seconds });
}
