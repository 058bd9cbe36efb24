/**
 * One end of a call whose frames come as fast as they are taken and are all recorded, run as a
 * process of its own:
 *
 *   recording_end.ts receive FILE RATE              says `PORT n`,
 *                                                   and at the end `FRAMES n LOST n SECONDS s`
 *                                                   recording_end.ts send PORT PICTURES COUNT RATE
 *                                                   sends that many of the pictures in a file,
 *                                                   again and again
 *
 * A frame's capture time is its sequence divided by RATE, so that each has a slot of its own in the
 * recording. The receiver pauses while much waits for ffmpeg. The aim is the most frames without a
 * loss.
 */

import { pause } from "../../lib/clock.ts";
import { DEFAULT_FORMAT } from "../../lib/frame/format.ts";
import { Recorder } from "../../lib/media/recorder.ts";
import {
  encodeBye,
  encodeFrameHeader,
  encodeHello,
  MAX_HELLO_BYTES,
} from "../../lib/wire/session.ts";
import { Wire } from "../../lib/wire/wire.ts";
import { print } from "../kit/writing.ts";
import { answerOver } from "./lines.ts";
import { ANY_RATE, readTestPictures } from "./pictures.ts";

/** Bytes that may wait for ffmpeg: a quarter of the recorder's room. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

const [role, ...rest] = Deno.args;
if (role === "receive") await receive(rest[0]!, Number(rest[1]));
else await send(Number(rest[0]), rest[1]!, Number(rest[2]), Number(rest[3]));

async function receive(path: string, rate: number): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  print(`PORT ${listener.addr.port}`);
  const connection = await listener.accept();
  connection.setNoDelay(true);
  const line = await answerOver(connection, rate, { limitFps: ANY_RATE });
  const startMs = performance.now();
  const format = DEFAULT_FORMAT;
  const recorder = new Recorder({ path, format, fps: rate, stamps: "capture" });
  for await (const frame of line.frames()) {
    recorder.push(frame);
    frame.lease?.letGo();
    while (recorder.waitingBytes > MAX_WAITING_BYTES) await pause(1);
  }
  const { frames, lost } = await recorder.close();
  print(`FRAMES ${frames} LOST ${lost} SECONDS ${(performance.now() - startMs) / 1000}`);
  await line.hangUp("");
}

async function send(port: number, path: string, count: number, rate: number): Promise<void> {
  const pictures = await readTestPictures(path, DEFAULT_FORMAT);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  const wire = new Wire(connection, { expecting: () => false });
  await wire.writeMessage(encodeHello({ name: "bench", streams: [DEFAULT_FORMAT] }));
  const acks = (async (): Promise<void> => {
    while (await wire.readMessage(MAX_HELLO_BYTES) !== null);
  })().catch(() => {});
  for (let sequence = 0; sequence < count; sequence++) {
    const data = pictures[sequence % pictures.length]!;
    const captureUs = Math.round(sequence * 1e6 / rate);
    const frame = { stream: 0, data, captureUs, sequence, keyframe: true };
    await wire.writeMessage(encodeFrameHeader(frame), data);
  }
  await wire.writeMessage(encodeBye("that was all"));
  await acks;
  wire.close();
}
