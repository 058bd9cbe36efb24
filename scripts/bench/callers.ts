/**
 * Many callers in one process. They cost as little as possible, so that the server is the one that
 * is measured:
 *
 *   callers.ts PORT CALLS SPACING SECONDS PICTURES
 *                      says at the end, for each call, `SENT n DROPPED n`
 *
 * Each sends the pictures of a file, made beforehand, at the rate of a camera, and for that long.
 * Each begins SPACING ms after the one before. The clocks of those that begin together are spread
 * over a frame's time.
 */

import { nowUs, pause } from "../../lib/clock.ts";
import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import type { Line } from "../../lib/wire/line.ts";
import { print } from "../kit/writing.ts";
import { callOver } from "./lines.ts";
import { readTestPictures } from "./pictures.ts";

const FORMAT = DEFAULT_FORMAT;

const [port, calls, spacing, seconds, path] = Deno.args;
const pictures = await readTestPictures(path!, FORMAT);
await Promise.all(Array.from({ length: Number(calls) }, (_, call) => have(call)));

/** Has one of the calls, from the connection to the end. */
async function have(call: number): Promise<void> {
  await pause(call * Number(spacing));
  await send(await open(Number(port)), call);
}

async function open(port: number): Promise<Line> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  return await callOver(connection, FORMAT);
}

async function send(line: Line, call: number): Promise<void> {
  const listening = (async (): Promise<void> => {
    for await (const _ of line.frames());
  })();
  const count = Math.round(Number(seconds) * FORMAT.fps);
  const periodMs = 1000 / FORMAT.fps;
  const firstMs = performance.now() + periodMs * call / Number(calls);
  for (let sequence = 0; sequence < count; sequence++) {
    const dueMs = firstMs + sequence * periodMs;
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) await pause(earlyMs);
    const data = pictures[(sequence + call) % pictures.length]!;
    // Its capture time is the time at which it was due. The delay of this process is no fault of
    // the server's.
    const captureUs = nowUs() + Math.round((dueMs - performance.now()) * 1000);
    line.push({ stream: 0, data, captureUs, sequence, keyframe: true });
  }
  await line.flush();
  const { sent, dropped } = line.figures;
  await line.hangUp("that was all");
  await listening;
  print(`SENT ${sent} DROPPED ${dropped}`);
}
