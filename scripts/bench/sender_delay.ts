/** The delay of our sender alone: from a live stream's bytes to the same picture on the wire. */

import { pause, within } from "../../lib/clock.ts";
import { DEFAULT_FORMAT, rawFrameBytes, type VideoFormat } from "../../lib/frame/format.ts";
import { outputArguments } from "../../lib/media/conversion.ts";
import { readPicture } from "../../tests/numbered.ts";
import { startClient } from "../kit/programs.ts";
import { writeAll } from "../kit/writing.ts";
import { start } from "./command.ts";
import { percentile } from "./figure.ts";
import { FFMPEG } from "./goals.ts";
import { answerOver } from "./lines.ts";
import { liveHeader, livePicture, QUIETLY } from "./pictures.ts";
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

/** The number of first pictures that are not counted. */
const SETTLING = 30;

/** The section. */
export const senderDelay: Section = {
  name: "sender",
  title: "Delay of a picture through the sender alone",
  async run(bench: Bench): Promise<Findings> {
    const rows: Row[] = [];
    const skips: Skip[] = [];
    for (const fps of bench.smoke ? [20] : [20, 30]) {
      const format = { ...DEFAULT_FORMAT, fps };
      const seconds = bench.smoke ? 1 : 10;
      const what = `picture into the client to picture out of its socket, ${fps} fps`;
      const medians: Values = new Map();
      const late: Values = new Map();
      skips.push(
        ...await inTurn<number[]>(bench, {
          rounds: bench.smoke ? 1 : 3,
          what,
          contenders: [ourSender(format, seconds), ffmpegAlone(format, seconds)],
          take(name, delaysMs): void {
            note(medians, name, percentile(delaysMs, 50));
            note(late, name, percentile(delaysMs, 95));
          },
        }),
      );
      const common = { unit: "ms", better: "less" } as const;
      rows.push(
        {
          ...common,
          id: `sender.${fps}.median`,
          what: `${what}: median`,
          figures: figuresOf(medians),
        },
        {
          ...common,
          id: `sender.${fps}.p95`,
          what: `${what}: 95 of 100`,
          figures: figuresOf(late),
        },
      );
    }
    return { rows, skips };
  },
};

/** Our client, which calls this process. */
function ourSender(format: VideoFormat, seconds: number): Contender<number[]> {
  return {
    name: OURS,
    needs: ["ffmpeg"],
    async measure(): Promise<number[]> {
      using camera = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      using door = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using _client = startClient(door.addr.port, [
        ...["--input", `tcp://127.0.0.1:${camera.addr.port}`],
        ...["--fps", `${format.fps}`, "--no-display", "--no-mirror"],
      ]);
      const stream = await camera.accept();
      const take = async (seen: (picture: Uint8Array) => void): Promise<void> => {
        // The client calls when it has a picture to send.
        using connection = await door.accept();
        connection.setNoDelay(true);
        await using line = await answerOver(connection, format.fps);
        for await (const { data } of line.frames()) seen(data);
      };
      return await measureThrough(stream, take, format, seconds);
    },
  };
}

/**
 * ffmpeg with the arguments of our client, straight to this process: the least that a sender needs.
 */
function ffmpegAlone(format: VideoFormat, seconds: number): Contender<number[]> {
  return {
    name: FFMPEG,
    needs: ["ffmpeg"],
    async measure(): Promise<number[]> {
      using camera = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      using door = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const output = outputArguments(format, { mirror: false, live: true }).slice(0, -1);
      await using _ffmpeg = start({
        program: "ffmpeg",
        args: [
          ...[...QUIETLY, "-i", `tcp://127.0.0.1:${camera.addr.port}`],
          ...[...output, `tcp://127.0.0.1:${door.addr.port}`],
        ],
      });
      const stream = await camera.accept();
      const take = async (seen: (picture: Uint8Array) => void): Promise<void> => {
        using connection = await door.accept();
        const picture = new Uint8Array(rawFrameBytes(format));
        while (true) {
          for (let filled = 0; filled < picture.length;) {
            const count = await connection.read(picture.subarray(filled));
            if (count === null) return;
            filled += count;
          }
          seen(picture);
        }
      };
      return await measureThrough(stream, take, format, seconds);
    },
  };
}

/** Writes numbered pictures at their rate into `stream`, and notes when each comes out again. */
async function measureThrough(
  stream: Deno.TcpConn,
  take: (seen: (picture: Uint8Array) => void) => Promise<void>,
  format: VideoFormat,
  seconds: number,
): Promise<number[]> {
  const writtenMs: number[] = [];
  const delaysMs: number[] = [];
  const taking = take((picture) => {
    const atMs = performance.now();
    const { number } = readPicture(picture, format);
    if (number >= SETTLING) delaysMs.push(atMs - writtenMs[number]!);
  }).catch(() => {});
  stream.setNoDelay(true);
  const startMs = performance.now();
  await writeAll(stream, liveHeader(format));
  for (let number = 0; number < SETTLING + seconds * format.fps; number++) {
    const picture = livePicture(number, format);
    await pause(Math.max(startMs + number * 1000 / format.fps - performance.now(), 0));
    writtenMs.push(performance.now());
    await writeAll(stream, picture);
  }
  stream.close();
  await within(taking, 3000);
  return delaysMs;
}
