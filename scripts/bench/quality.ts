/**
 * The cost of a picture on the network, and its quality in the recording. All contenders are fed
 * the same clip. All recordings are in the format of our recorder. ffmpeg's `psnr` holds each
 * against the clip.
 */

import { within } from "../../lib/clock.ts";
import { outputArguments } from "../../lib/media/conversion.ts";
import { type Codec, CODECS, DEFAULT_FORMAT, type VideoFormat } from "../../lib/frame/format.ts";
import { recorderArguments } from "../../lib/media/recorder_arguments.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { type Command, pipeline } from "./command.ts";
import { type Figure, figureOf } from "./figure.ts";
import { type Pair, PAIRS, REPORT_PAIR, TUNED_PAIR, TYPED_PAIR } from "./pairs.ts";
import { QUIETLY, runFfmpeg } from "./pictures.ts";
import { Relay } from "./relay.ts";
import { RunningPair } from "./running_pair.ts";
import { type Bench, type Findings, inTurn, OURS, type Row, type Section } from "./section.ts";

/** The results of a way to send. */
interface Quality {
  /** Kilobits a second of the clip's time, both ways together. */
  readonly kilobits: number;
  /** Peak signal to noise of the recording, in decibels. */
  readonly decibels: number;
}

/** The clip that is sent. */
interface Clip {
  readonly path: string;
  readonly seconds: number;
  readonly format: VideoFormat;
}

/** The section. */
export const quality: Section = {
  name: "quality",
  title: "Bytes on the wire and quality of the recording",
  async run(bench: Bench): Promise<Findings> {
    const seconds = bench.smoke ? 1.5 : 10;
    const format = DEFAULT_FORMAT;
    const clip: Clip = { path: `${bench.folder}/clip.avi`, seconds, format };
    await writeClip(clip);
    const found = new Map<string, Quality>();
    const pairs = bench.smoke ? [REPORT_PAIR, TUNED_PAIR] : PAIRS;
    const skips = await inTurn<Quality>(bench, {
      rounds: 1,
      what: "bytes and quality",
      contenders: [
        ...CODECS.map((codec) => ({
          name: ourName(codec),
          needs: ["ffmpeg"],
          measure: () => ourQuality(bench, clip, codec),
        })),
        ...pairs.map((pair) => ({
          name: pair.name,
          needs: pair.needs,
          measure: () => pairQuality(bench, clip, pair),
        })),
      ],
      take: (name, one) => void found.set(name, one),
    });
    const rows = CODECS.flatMap((codec) => rowsOf(codec, found));
    return { rows, skips };
  },
};

function ourName(codec: Codec): string {
  return `${OURS}, ${codec}`;
}

/**
 * The two rows of a codec. The contenders stand beside the first only, which is the one that people
 * get who ask for nothing.
 */
function rowsOf(codec: Codec, found: ReadonlyMap<string, Quality>): Row[] {
  const own = found.get(ourName(codec));
  if (!own) return [];
  const peers = [...found].filter(([name]) => !name.startsWith(OURS) && codec === CODECS[0]);
  const figures = (of: (one: Quality) => number): Record<string, Figure> =>
    Object.fromEntries(
      [[OURS, own] as const, ...peers].map(([name, one]) => [name, figureOf([of(one)])]),
    );
  return [
    {
      id: `quality.${codec}.bytes`,
      what: `${codec}: on the wire`,
      unit: "kbit/s",
      better: "less",
      figures: figures(({ kilobits }) => kilobits),
    },
    {
      id: `quality.${codec}.psnr`,
      what: `${codec}: recording against source`,
      unit: "dB",
      better: "more",
      figures: figures(({ decibels }) => decibels),
    },
  ];
}

/**
 * Makes a clip without loss: a pattern that moves, as soft as a lens makes it, with the grain that
 * every camera has.
 */
async function writeClip({ path, seconds, format }: Clip): Promise<void> {
  const { width, height, fps } = format;
  await runFfmpeg([
    ...["-f", "lavfi", "-i", `mandelbrot=size=${width}x${height}:rate=${fps}`, "-t", `${seconds}`],
    ...[
      "-vf",
      "gblur=sigma=1.5,noise=alls=6:allf=t:all_seed=1",
      "-c:v",
      "ffv1",
      "-pix_fmt",
      "bgr0",
    ],
    `file:${path}`,
  ]);
}

async function ourQuality(bench: Bench, clip: Clip, codec: Codec): Promise<Quality> {
  const record = `${bench.folder}/quality-${codec}.avi`;
  await using called = await startServer(["--record", record, "--no-display"]);
  await using relay = new Relay(called.port);
  await using client = startClient(relay.port, [
    ...["--input", clip.path, "--codec", codec],
    ...["--no-display", "--no-mirror"],
  ]);
  await client.exits(0, (clip.seconds + 30) * 1000);
  await called.server.exits(0);
  return await judge(clip, record, relay.bytes, false);
}

/** A pair. A receiver that cannot record is replaced by one that does. */
async function pairQuality(bench: Bench, clip: Clip, pair: Pair): Promise<Quality> {
  const { format, seconds } = clip;
  const name = pair.name.replaceAll(/[^a-z]+/gi, "-");
  const record = `${bench.folder}/quality-${name}.avi`;
  const raw = `${bench.folder}/quality-${name}.raw`;
  const camera: Command = {
    program: "ffmpeg",
    args: [
      ...[...QUIETLY, "-re", "-i", clip.path],
      ...outputArguments(format, { mirror: false, live: false }),
    ],
  };
  await using relays = new AsyncDisposableStack();
  let relay: Relay | undefined;
  await using running = await RunningPair.open(pair, {
    format,
    record: pair.listens === "sender" ? raw : record,
    wrap(command, end, port): Command {
      if (end === "sender") return pipeline(camera, command);
      return pair === TYPED_PAIR || pair === TUNED_PAIR
        ? streamRecorder(format, port, record)
        : command;
    },
    through: (port) => (relay = relays.use(new Relay(port))).port,
  });
  if (pair.listens === "sender") await running.sender.exits(0, (seconds + 30) * 1000);
  await within(running.receiver.ended, (seconds + 30) * 1000);
  if (pair.listens === "sender") await recordRaw(format, raw, record);
  return await judge(clip, record, relay!.bytes, pair === REPORT_PAIR);
}

/** An ffmpeg that waits for a stream and records it like our recorder. */
function streamRecorder(format: VideoFormat, port: number, path: string): Command {
  const args = recorderArguments({ path, format, fps: format.fps, stamps: "capture" });
  const input = args.indexOf("-f");
  const output = args.indexOf("-c:v");
  return {
    program: "ffmpeg",
    args: [
      ...[...args.slice(0, input), "-f", "mpegts", "-i", `tcp://127.0.0.1:${port}?listen=1`],
      ...["-fps_mode", "passthrough", ...args.slice(output)],
    ],
  };
}

/** Records a file of raw pictures like our recorder. */
async function recordRaw(format: VideoFormat, from: string, path: string): Promise<void> {
  const args = recorderArguments({ path, format, fps: format.fps, stamps: "capture" });
  await runFfmpeg(args.map((arg) => arg === "pipe:0" ? `file:${from}` : arg));
}

/**
 * Holds a recording against the clip, picture by picture. The colour is at half the size, as in the
 * recordings.
 */
async function judge(
  clip: Clip,
  record: string,
  bytes: number,
  mirrored: boolean,
): Promise<Quality> {
  const one = `${mirrored ? "hflip," : ""}setpts=N,format=yuv420p`;
  const text = await runFfmpeg([
    ...["-i", `file:${record}`, "-i", `file:${clip.path}`],
    ...["-lavfi", `[0:v]${one}[a];[1:v]setpts=N,format=yuv420p[b];[a][b]psnr=shortest=1`],
    ...["-f", "null", "-"],
  ]);
  const [, average] = /PSNR .*average:([\d.]+|inf)/.exec(text) ?? [];
  if (average === undefined) throw new Error("ffmpeg tells no PSNR");
  return { kilobits: bytes * 8 / 1000 / clip.seconds, decibels: Number(average) };
}
