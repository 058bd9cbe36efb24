/**
 * Links: two network namespaces, a switch between them in a third, and `tc … tbf` on the sender's
 * side, or on both, if the link is to be slow. The measure is the age of a frame when the server takes it, from
 * its capture to its arrival. Both programs are on one machine, so it is one clock.
 */

import { assert } from "@std/assert";
import { probe, startClient, type StartOptions, startServer, temporaryFolder } from "./harness.ts";

/** The server's address on the cable. */
export const SERVER_ADDRESS = "10.77.0.1";
/** The client's. */
export const CLIENT_ADDRESS = "10.77.0.2";

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

/**
 * The place where a link is cut. The plug of either end is one: that end's own machine tells it. In
 * the middle nobody is told, and all bytes are lost.
 */
export type Cut = "client" | "server" | "middle";

/** The end whose bytes take their time. */
export type SlowEnd = Exclude<Cut, "middle">;

/** Two machines that are none, and the cables between them. */
export class Link implements AsyncDisposable {
  readonly server: StartOptions;
  readonly client: StartOptions;
  readonly #names: Readonly<Record<Cut, string>>;
  readonly #slow: readonly SlowEnd[];

  private constructor(names: Readonly<Record<Cut, string>>, slow: readonly SlowEnd[]) {
    this.#names = names;
    this.#slow = slow;
    this.server = { inside: ["ip", "netns", "exec", names.server] };
    this.client = { inside: ["ip", "netns", "exec", names.client] };
  }

  /**
   * Lays a cable of that many Mbit/s for all that these ends send. Resolves to nothing if namespaces
   * cannot be made.
   */
  static async lay(
    megabits?: number,
    slow: readonly SlowEnd[] = ["client"],
  ): Promise<Link | undefined> {
    const id = `chamada-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
    const names = { server: `${id}-s`, client: `${id}-c`, middle: `${id}-m` };
    const { server, client, middle } = names;
    const link = new Link(names, slow);
    const commands = [
      ...[server, client, middle].map((name) => `ip netns add ${name}`),
      `ip -n ${middle} link add call type bridge`,
      `ip -n ${middle} link set call up`,
      ...([["s", server, SERVER_ADDRESS], ["c", client, CLIENT_ADDRESS]] as const).flatMap(
        ([port, name, address]) => [
          `ip -n ${middle} link add ${port} type veth peer name call netns ${name}`,
          `ip -n ${middle} link set ${port} master call up`,
          `ip -n ${name} address add ${address}/24 dev call`,
          `ip -n ${name} link set call up`,
        ],
      ),
      ...(megabits === undefined
        ? []
        : slow.map((end) => `tc -n ${names[end]} qdisc add dev call root tbf ${shape(megabits)}`)),
    ];
    for (const command of commands) {
      if (await run(command)) continue;
      await link[Symbol.asyncDispose]();
      return undefined;
    }
    return link;
  }

  /** Cuts the link, or mends it. */
  async plug(state: "up" | "down", where: Cut = "client"): Promise<void> {
    assert(await run(`ip -n ${this.#names[where]} link set call ${state}`));
  }

  /** Gives the client another address, like a move from the wireless network to a cable. */
  async moveClient(address = "10.77.0.3"): Promise<void> {
    assert(await run(`ip -n ${this.#names.client} address flush dev call`));
    assert(await run(`ip -n ${this.#names.client} address add ${address}/24 dev call`));
  }

  /** Lets that many Mbit/s through from now on. */
  async carry(megabits: number): Promise<void> {
    for (const end of this.#slow) {
      const change = `tc -n ${this.#names[end]} qdisc change dev call root tbf ${shape(megabits)}`;
      assert(await run(change));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of Object.values(this.#names)) await run(`ip netns delete ${name}`);
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

/** Has a call over a link. Resolves to the words of the server's log about each frame. */
export async function callOver(
  link: Link,
  seconds: number,
  args: readonly string[],
  during?: () => Promise<void>,
  serve: readonly string[] = [],
): Promise<{ frames: Taken[]; exits: readonly [number, number]; recordedSeconds: number }> {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer([
    ...["--host", SERVER_ADDRESS, "--record", file, "--trace", ...serve],
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

/** The value that is above that part of the values. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)] ?? NaN;
}

/** True where namespaces can be made. */
export const canLink = Deno.build.os === "linux" && await (async (): Promise<boolean> => {
  await using link = await Link.lay(1);
  return link !== undefined;
})();

/** The least quality of a call over each link: times in milliseconds, frames a second. */
export const ROWS = [
  { megabits: 20, codec: "raw", leastFps: 8, p95: 250 },
  { megabits: 5, codec: "raw", leastFps: 2, p95: 600 },
  { megabits: 5, codec: "mjpeg", leastFps: 19.5, p95: 100 },
  { megabits: 1, codec: "h264", leastFps: 19.5, p95: 200 },
] as const;
