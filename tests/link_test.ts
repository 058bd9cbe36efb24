/**
 * Calls over slow links: two network namespaces, a veth between them, and `tc … tbf` on the sender's side. What is measured
 * is the age of a frame when the server takes it, from its capture to its arrival: both programs are on one machine, so it is
 * one clock. The limits here are generous; docs/protocol.md has the figures.
 */

import { DEFAULT_FORMAT } from "../lib/frame.ts";
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertStringIncludes,
} from "@std/assert";
import { probe, startClient, type StartOptions, startServer, temporaryFolder } from "./harness.ts";
import { readNumbers, writeNumbers } from "./numbered.ts";
import { test } from "./strict.ts";

const SERVER_ADDRESS = "10.77.0.1";
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
class Link implements AsyncDisposable {
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
    const id = `chamada-${Deno.pid}-${crypto.randomUUID().slice(0, 4)}`;
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
interface Taken {
  readonly atMs: number;
  readonly ageMs: number;
}

/** Has a call over a link and gives what the server's log says of each frame. */
async function callOver(
  link: Link,
  seconds: number,
  args: readonly string[],
  during?: () => Promise<void>,
): Promise<{ frames: Taken[]; exits: readonly [number, number]; recordedSeconds: number }> {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer([
    ...["--host", SERVER_ADDRESS, "--record", file, "--verbose"],
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

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)] ?? NaN;
}

const canLink = Deno.build.os === "linux" && await (async (): Promise<boolean> => {
  await using link = await Link.lay(1);
  return link !== undefined;
})();

/** What a link must do; times in milliseconds, frames a second. */
const ROWS = [
  { megabits: 20, codec: "raw", leastFps: 8, p95: 250 },
  { megabits: 5, codec: "raw", leastFps: 2, p95: 600 },
  { megabits: 5, codec: "mjpeg", leastFps: 19.5, p95: 100 },
  { megabits: 1, codec: "h264", leastFps: 19.5, p95: 200 },
] as const;

const SECONDS = Number(Deno.env.get("LINK_SECONDS") ?? 6);

for (const { megabits, codec, leastFps, p95 } of ROWS) {
  test(
    `${codec} over ${megabits} Mbit/s: enough frames, and none of them old${
      canLink ? "" : " (no namespaces here)"
    }`,
    async () => {
      await using link = await Link.lay(megabits);
      assert(link);
      const { frames } = await callOver(link, SECONDS, ["--codec", codec]);
      const ages = frames.map(({ ageMs }) => ageMs);
      const fps = frames.length / SECONDS;
      // deno-lint-ignore no-console
      console.log(
        `${codec} ${megabits} Mbit/s: ${fps.toFixed(1)} fps, median ${quantile(ages, 0.5)} ms, ` +
          `p95 ${quantile(ages, 0.95)} ms, oldest ${Math.max(...ages)} ms`,
      );
      assertGreaterOrEqual(fps, leastFps * 0.75);
      assertLessOrEqual(quantile(ages, 0.95), p95 * 2);
    },
    { ignore: !canLink },
  );
}

/** How a link stops and for how long; what it must come back to is its row's. */
const STOPS = [
  ...ROWS.map((row) => ({ ...row, seconds: 5, how: "jammed" as const })),
  { ...ROWS[2], seconds: 3, how: "unplugged" as const },
];

for (const { megabits, codec, p95, seconds, how } of STOPS) {
  test(
    `${codec} over ${megabits} Mbit/s, ${how} for ${seconds} s: no old pictures, fresh ones within 2 s`,
    async () => {
      await using link = await Link.lay(megabits);
      assert(link);
      const lasts = seconds + 9;
      const call = await callOver(link, lasts, ["--codec", codec], async () => {
        await new Promise((resolve) => setTimeout(resolve, 3000));
        await (how === "jammed" ? link.carry(0.001) : link.plug("down"));
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        await (how === "jammed" ? link.carry(megabits) : link.plug("up"));
      });
      const { frames, exits, recordedSeconds } = call;
      assertEquals(exits, [0, 0]);
      // The recording has the gap in it: it lasts as long as the call did.
      assertLessOrEqual(Math.abs(recordedSeconds - lasts), lasts * 0.05);
      const gap = frames.findIndex(({ atMs }, index) =>
        index > 0 && atMs - frames[index - 1]!.atMs > seconds * 700
      );
      assert(gap > 0, "the link never stopped");
      const back = frames.slice(gap);
      const old = back.filter(({ ageMs }) => ageMs > p95 * 2 + 500);
      const fresh = back.filter(({ atMs }) => atMs > back[0]!.atMs + 2000).map(({ ageMs }) =>
        ageMs
      );
      // deno-lint-ignore no-console
      console.log(
        `${codec} ${megabits} Mbit/s away ${back[0]!.atMs - frames[gap - 1]!.atMs} ms; then ` +
          `${old.length} old pictures, after 2 s ${fresh.length} of p95 ${
            quantile(fresh, 0.95)
          } ms`,
      );
      // What was under way when the link stopped comes late: half a second of frames at the most.
      assertLessOrEqual(old.length, 12);
      assertLessOrEqual(quantile(fresh, 0.95), p95 * 2);
    },
    { ignore: !canLink },
  );
}

test(
  "h264 over a link that is far too slow: many frames are dropped, none that is recorded is torn",
  async () => {
    await using link = await Link.lay(0.02);
    assert(link);
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const input = `${folder.path}/numbers.avi`;
    await writeNumbers(input, Array.from({ length: 200 }, (_, n) => n * 37), DEFAULT_FORMAT);
    await using called = await startServer(
      ["--host", SERVER_ADDRESS, "--record", file],
      link.server,
    );
    await using client = startClient(called.port, [
      ...["--host", SERVER_ADDRESS, "--codec", "h264", "--input", input, "--size", "640x480"],
    ], link.client);
    const { stdout } = await client.exits(0);
    await called.server.exits(0);
    const [, dropped] = /frames?, (\d+) dropped/.exec(stdout) ?? [];
    assertGreaterOrEqual(Number(dropped), 10);
    // A torn picture is one that cannot be read.
    const numbers = await readNumbers(file);
    assertEquals(numbers, [...numbers].sort((a, b) => a - b));
  },
  { ignore: !canLink },
);

test(
  "a network that is gone for good is a loss at both ends, and the recording is whole",
  async () => {
    await using link = await Link.lay();
    assert(link);
    let cutMs = 0;
    const { frames, exits, recordedSeconds } = await callOver(link, 30, [], async () => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await link.plug("down");
      cutMs = performance.now();
    });
    assertEquals(exits, [3, 3]);
    // Seven seconds, and what a busy machine needs to end four processes.
    assertLessOrEqual(performance.now() - cutMs, 10_000);
    assertGreaterOrEqual(recordedSeconds, (frames.length - 1) / DEFAULT_FORMAT.fps);
  },
  { ignore: !canLink },
);

test(
  "a machine that is not there, and a network that is not, are named within 4 s",
  async () => {
    await using link = await Link.lay();
    assert(link);
    // On the same cable nobody has the one address; no cable leads to the other.
    for (const host of ["10.77.0.99", "198.51.100.7"]) {
      const startMs = performance.now();
      await using client = startClient(8080, ["--host", host], link.client);
      const { stderr } = await client.exits(1);
      assertStringIncludes(stderr, `${host} cannot be reached: check --host`);
      // Four seconds, and what a busy machine takes to start and end two processes.
      assertLessOrEqual(performance.now() - startMs, 8000);
    }
  },
  { ignore: !canLink },
);
