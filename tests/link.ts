/**
 * Slow links: two network namespaces, a veth between them, and `tc … tbf` on the sender's side. The measure is the age of a
 * frame when the server takes it, from its capture to its arrival: both programs are on one machine, so it is one clock.
 */

import { assert } from "@std/assert";
import { probe, startClient, type StartOptions, startServer, temporaryFolder } from "./harness.ts";

/** The server's address on the cable. */
export const SERVER_ADDRESS = "10.77.0.1";
const CLIENT_ADDRESS = "10.77.0.2";

async function run(command: string): Promise<boolean> {
  const [program, ...args] = command.split(" ");
  try {
    const { success } = await new Deno.Command(program!, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** Two machines that are none, and the cable between them. */
export class Link implements AsyncDisposable {
  readonly server: StartOptions;
  readonly client: StartOptions;
  readonly #names: readonly [string, string];

  private constructor(names: readonly [string, string]) {
    this.#names = names;
    this.server = { inside: ["ip", "netns", "exec", names[0]] };
    this.client = { inside: ["ip", "netns", "exec", names[1]] };
  }

  /** Lays a cable of that many Mbit/s; nothing where namespaces cannot be made. */
  static async lay(megabits?: number): Promise<Link | undefined> {
    const id = `chamada-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
    const names = [`${id}-s`, `${id}-c`] as const;
    const link = new Link(names);
    const commands = [
      `ip netns add ${names[0]}`,
      `ip netns add ${names[1]}`,
      `ip -n ${names[0]} link add call type veth peer name call netns ${names[1]}`,
      `ip -n ${names[0]} address add ${SERVER_ADDRESS}/24 dev call`,
      `ip -n ${names[1]} address add ${CLIENT_ADDRESS}/24 dev call`,
      `ip -n ${names[0]} link set call up`,
      `ip -n ${names[1]} link set call up`,
      ...(megabits === undefined ? [] : [
        `tc -n ${names[1]} qdisc add dev call root tbf ${shape(megabits)}`,
      ]),
    ];
    for (const command of commands) {
      if (await run(command)) continue;
      await link[Symbol.asyncDispose]();
      return undefined;
    }
    return link;
  }

  /** Pulls the plug on the client's side, or puts it back. */
  async plug(state: "up" | "down"): Promise<void> {
    assert(await run(`ip -n ${this.#names[1]} link set call ${state}`));
  }

  /** Lets that many Mbit/s through from now on. */
  async carry(megabits: number): Promise<void> {
    assert(await run(`tc -n ${this.#names[1]} qdisc change dev call root tbf ${shape(megabits)}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#names) await run(`ip netns delete ${name}`);
  }
}

function shape(megabits: number): string {
  return `rate ${Math.round(megabits * 1e6)}bit burst 4kb latency 400ms`;
}

/** A frame as the server took it. */
export interface Taken {
  readonly atMs: number;
  readonly ageMs: number;
}

/** Has a call over a link and gives what the server's log says of each frame. */
export async function callOver(
  link: Link,
  seconds: number,
  args: readonly string[],
  during?: () => Promise<void>,
): Promise<{ frames: Taken[]; exits: readonly [number, number]; recordedSeconds: number }> {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer([
    ...["--host", SERVER_ADDRESS, "--record", file, "--trace"],
  ], link.server);
  await using client = startClient(called.port, [
    ...["--host", SERVER_ADDRESS, "--duration", String(seconds), ...args],
  ], link.client);
  await client.says(/IN A CALL/);
  await during?.();
  const exits = [(await client.ended).code, (await called.server.ended).code] as const;
  const lines = called.server.stderr.matchAll(/^\[frame\] \d+ at (\d+) ms, (-?\d+) ms old$/gm);
  const frames = [...lines].map(([, at, age]) => ({ atMs: Number(at), ageMs: Number(age) }));
  return { frames, exits, recordedSeconds: (await probe(file)).seconds };
}

/** The value below which that part of them is. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)] ?? NaN;
}

/** True where namespaces can be made. */
export const canLink = Deno.build.os === "linux" && await (async (): Promise<boolean> => {
  await using link = await Link.lay(1);
  return link !== undefined;
})();

/** What a call over each link must reach: times in milliseconds, frames a second. */
export const ROWS = [
  { megabits: 20, codec: "raw", leastFps: 8, p95: 250 },
  { megabits: 5, codec: "raw", leastFps: 2, p95: 600 },
  { megabits: 5, codec: "mjpeg", leastFps: 19.5, p95: 100 },
  { megabits: 1, codec: "h264", leastFps: 19.5, p95: 200 },
] as const;
