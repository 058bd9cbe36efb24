/**
 * One end of a connection that carries as many frames as it can, run as a process of its own:
 *
 *   wire_end.ts receive bytes|fresh|wire|sealed SECONDS
 *                                   says `PORT n`; at the end `FRAMES n SECONDS s`, the first tenth
 *                                   left out
 *   wire_end.ts send bytes|plain|call|sealed PORT
 *                                   sends until the peer has gone
 *
 * `bytes` is the floor: bytes copied from one end to the other, into one buffer again and again,
 * without any messages. `fresh` is the same with a new buffer for each frame, which every program
 * needs that hands frames on.
 */

import { nowUs } from "../../lib/clock.ts";
import { DEFAULT_FORMAT, rawFrameBytes } from "../../lib/frame/format.ts";
import { openSending } from "../../lib/wire/bare.ts";
import { Guesses } from "../../lib/wire/guesses.ts";
import type { Lock } from "../../lib/wire/handshake.ts";
import { print, writeAll } from "../kit/writing.ts";
import { answerOver, callOver, CODE } from "./lines.ts";
import { ANY_RATE } from "./pictures.ts";

const FRAME_BYTES = rawFrameBytes(DEFAULT_FORMAT);

/** The receiving end of a connection. */
interface Taker {
  /** Reads some bytes. Resolves to their number, or to `null` at the end. */
  take(): Promise<number | null>;
  /** Lets go. */
  end(): Promise<void>;
}

/** The receiving end of each way. */
const TAKERS: Readonly<Record<string, (connection: Deno.TcpConn) => Promise<Taker>>> = {
  bytes: (connection) => Promise.resolve(bytesTaker(connection, new Uint8Array(FRAME_BYTES))),
  fresh: (connection) => Promise.resolve(bytesTaker(connection)),
  wire: (connection) => openTaker(connection),
  sealed: (connection) => openTaker(connection, { code: CODE, guesses: new Guesses() }),
};

const [role, way, last] = Deno.args;
if (role === "receive") await receive(TAKERS[way!]!, Number(last));
else await send(way!, Number(last));

async function receive(
  open: (connection: Deno.TcpConn) => Promise<Taker>,
  seconds: number,
): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  print(`PORT ${listener.addr.port}`);
  const connection = await listener.accept();
  connection.setNoDelay(true);
  const taker = await open(connection);
  await countFor(taker, seconds / 10);
  const { bytes, tookSeconds } = await countFor(taker, seconds);
  print(`FRAMES ${bytes / FRAME_BYTES} SECONDS ${tookSeconds}`);
  await taker.end();
}

async function countFor(
  taker: Taker,
  seconds: number,
): Promise<{ readonly bytes: number; readonly tookSeconds: number }> {
  let bytes = 0;
  const startMs = performance.now();
  while (performance.now() - startMs < seconds * 1000) {
    const count = await taker.take();
    if (count === null) break;
    bytes += count;
  }
  return { bytes, tookSeconds: (performance.now() - startMs) / 1000 };
}

/** Reads whole frames of bytes, into the same buffer or, without one, each into its own. */
function bytesTaker(connection: Deno.TcpConn, same?: Uint8Array): Taker {
  return {
    async take(): Promise<number | null> {
      const into = same ?? new Uint8Array(FRAME_BYTES);
      for (let filled = 0; filled < into.length;) {
        const count = await connection.read(into.subarray(filled));
        if (count === null) return null;
        filled += count;
      }
      return into.length;
    },
    end(): Promise<void> {
      connection.close();
      return Promise.resolve();
    },
  };
}

async function openTaker(connection: Deno.TcpConn, lock?: Lock): Promise<Taker> {
  const line = await answerOver(connection, DEFAULT_FORMAT.fps, { limitFps: ANY_RATE, lock });
  const frames = line.frames()[Symbol.asyncIterator]();
  return {
    async take(): Promise<number | null> {
      const { value: frame, done } = await frames.next();
      if (done) return null;
      frame.lease?.letGo();
      return frame.data.length;
    },
    end: () => line.hangUp(""),
  };
}

async function send(way: string, port: number): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  const data = new Uint8Array(FRAME_BYTES).fill(90);
  try {
    if (way === "bytes") {
      while (true) await writeAll(connection, data);
    }
    const line = way === "plain"
      ? openSending(connection, "plain", DEFAULT_FORMAT)
      : await callOver(connection, DEFAULT_FORMAT, way === "sealed" ? CODE : undefined);
    let over = false;
    const listening = (async (): Promise<void> => {
      for await (const _ of line.frames());
      over = true;
    })();
    for (let sequence = 0; !over; sequence++) {
      line.push({ stream: 0, data, captureUs: nowUs(), sequence, keyframe: true });
      await line.flush();
    }
    await line.hangUp("");
    await listening;
  } catch {
    // The peer has seen enough.
  }
}
