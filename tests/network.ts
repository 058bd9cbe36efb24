/**
 * A call both ways whose ends are watched from outside: the time of each picture, the words, and
 * the content of the files.
 */

import { assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import {
  type Outcome,
  probe,
  Running,
  type RunningServer,
  startClient,
  type StartOptions,
  startServer,
  until,
} from "./harness.ts";
import { pause } from "../lib/clock.ts";
import { writeAll } from "../scripts/kit/writing.ts";
import { Link, SERVER_ADDRESS } from "./link.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { readNumbers, writeNumbers } from "./numbered.ts";

/** A picture as an end took it. */
export interface Came {
  readonly sequence: number;
  /** The moment at which its line in the log was read, by `performance.now()`. */
  readonly atMs: number;
}

/** One end of a call. */
export class End {
  /** The pictures that it took, in the order in which they came. */
  readonly came: Came[] = [];
  /** The file that it records to. */
  readonly file: string;
  #running: Running | undefined;

  /** An end that records to this file. */
  constructor(file: string) {
    this.file = file;
  }

  /** The program. */
  get running(): Running {
    return this.#running!;
  }

  set running(running: Running) {
    this.#running = running;
  }

  /** Hears a line of the program. */
  readonly onLine = (line: string): void => {
    const [, sequence] = /^(?:.*: )?\[frame\] (\d+) at /.exec(line) ?? [];
    if (sequence !== undefined) {
      this.came.push({ sequence: Number(sequence), atMs: performance.now() });
    }
  };

  /** The first picture that came after that moment. */
  async cameAfter(atMs: number): Promise<Came> {
    return await until("a picture", () => this.came.find((one) => one.atMs > atMs));
  }

  /** The number of the newest picture. */
  get newest(): number {
    return this.came.at(-1)?.sequence ?? -1;
  }

  /** Waits until it has taken a picture of that number or a later one. */
  async taken(sequence: number): Promise<void> {
    await until(`picture ${sequence}`, () => this.newest >= sequence ? true : undefined);
  }
}

/** A call both ways. */
export interface WatchedCall extends AsyncDisposable {
  readonly server: End;
  readonly client: End;
  readonly port: number;
  /** Starts another client, into this file. */
  callAgain(file: string): End;
}

/** The manner in which a watched call is had. */
export interface WatchedOptions {
  /** The folder for recordings. */
  readonly folder: string;
  /** Further options of the server. */
  readonly serve?: readonly string[];
  /** Further options of the client. */
  readonly send?: readonly string[];
  readonly codec?: "raw" | "h264";
  /** The input of both ends. */
  readonly input?: string;
  /** The link between the two programs. Both run on this machine if not given. */
  readonly link?: Link;
  /** The port that the client calls, if it is not the server's own. */
  readonly through?: (port: number) => number;
}

/**
 * Begins a call both ways, each end recording, and waits until each has seen ten pictures of the
 * peer.
 */
export async function watchedCall(
  { folder, serve = [], send = [], codec = "raw", input = "test", link, through }: WatchedOptions,
): Promise<WatchedCall> {
  const owned = new AsyncDisposableStack();
  const host = link ? SERVER_ADDRESS : "127.0.0.1";
  const common = ["--host", host, "--codec", codec, "--input", input, "--trace"];
  const server = new End(`${folder}/server.avi`);
  const where = (end: End, given: StartOptions = {}): StartOptions => ({
    ...given,
    onLine: end.onLine,
  });
  const called: RunningServer & AsyncDisposable = owned.use(
    await startServer(
      [...common, "--no-display", "--record", server.file, ...serve],
      where(server, link?.server),
    ),
  );
  server.running = called.server;
  const port = through?.(called.port) ?? called.port;
  const callAgain = (file: string): End => {
    const end = new End(file);
    const args = [...common, "--no-display", "--record", file, ...send];
    end.running = owned.use(startClient(port, args, where(end, link?.client)));
    return end;
  };
  const client = callAgain(`${folder}/client.avi`);
  try {
    await Promise.all([server.taken(10), client.taken(10)]);
  } catch (error) {
    await owned.disposeAsync();
    throw error;
  }
  return {
    ...{ server, client, port, callAgain },
    [Symbol.asyncDispose]: (): Promise<void> => owned.disposeAsync(),
  };
}

/** Makes an input of that many seconds. Each picture shows its number. */
export async function numberedFile(folder: string, seconds: number): Promise<string> {
  const file = `${folder}/numbers.avi`;
  const count = seconds * DEFAULT_FORMAT.fps;
  await writeNumbers(file, Array.from({ length: count }, (_, n) => n), DEFAULT_FORMAT);
  return file;
}

/** The figures in the summary of an end. */
export function summaryOf({ stdout }: Outcome): { frames: number; lost: number } {
  const [, frames, lost] = /Recorded \S+, (\d+) frames[^,]*, (\d+) lost/.exec(stdout) ?? [];
  return { frames: Number(frames), lost: Number(lost) };
}

/**
 * Fails unless the recording of an end keeps the time of the numbered pictures that came. Each has
 * to stand in its place, and in a gap the one before it. Resolves to the distance from that, in
 * seconds.
 */
export async function assertKeepsTime(end: End, outcome: Outcome): Promise<number> {
  const numbers = await readNumbers(end.file);
  const [first = 0] = numbers;
  assertEquals(numbers, numbers.toSorted((a, b) => a - b), "not in order");
  const shown = new Set(numbers);
  const strays = numbers.filter((number, slot) =>
    (number !== numbers[slot - 1]) && Math.abs(number - first - slot) > 5
  );
  assertEquals(strays, [], `more than 0.25 s from their time: ${numbers}`);
  // The summary tells of all that came: nothing is lost without being counted.
  const { lost } = summaryOf(outcome);
  const came = end.came.length;
  assertGreaterOrEqual(came + lost, end.newest + 1);
  assertLessOrEqual(came + lost, end.newest + 1 + 1);
  assertGreaterOrEqual(shown.size, came - 2);
  const { seconds } = await probe(end.file);
  const lasted = (end.newest - first + 1) / DEFAULT_FORMAT.fps;
  assertLessOrEqual(Math.abs(seconds - lasted), 0.25);
  return seconds - lasted;
}

/** A relay between the ends, which can reset the connections through it. */
export class Relay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #copying = new Set<Promise<void>>();
  #accepting: Promise<void> | undefined;
  #holding = false;

  /** Leads to this port from now on. Returns its own. */
  lead(port: number): number {
    this.#accepting = this.#accept(port);
    return this.#listener.addr.port;
  }

  /** Resets the present connections. */
  async reset(): Promise<void> {
    // A connection that is closed with unread bytes is reset.
    this.#holding = true;
    await pause(200);
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    this.#holding = false;
    await Promise.all(this.#copying);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await this.reset();
  }

  async #accept(port: number): Promise<void> {
    try {
      for await (const caller of this.#listener) {
        const callee = await Deno.connect({ hostname: "127.0.0.1", port });
        for (const [from, to] of [[caller, callee], [callee, caller]] as const) {
          this.#open.add(from);
          const copying: Promise<void> = this.#copy(from, to)
            .finally(() => this.#copying.delete(copying));
          this.#copying.add(copying);
        }
      }
    } catch {
      // Closed.
    }
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const memory = new Uint8Array(65536);
    try {
      let count: number | null;
      while ((count = await from.read(memory)) !== null) {
        await writeAll(to, memory.subarray(0, count));
        while (this.#holding) await pause(20);
      }
      await to.closeWrite();
    } catch {
      // The connection was reset, by us or by one of the ends.
    }
  }
}

/** The sockets that a process has open. */
export async function openSockets(pid: number): Promise<number> {
  let count = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    if (target.startsWith("socket:")) count++;
  }
  return count;
}
