/**
 * `deno task soak [minutes]`: a long call between the two programs on this machine. It has to end
 * as it began: every frame recorded, the duration true, memory flat after the first minute, the
 * delay at the end as at the start. Ten minutes, if not told otherwise. The exit status is 1 if any
 * of this is not so.
 */

import { temporaryFolder } from "./kit/folder.ts";
import { residentBytes } from "./kit/processes.ts";
import { startClient, startServer } from "./kit/programs.ts";
import { probe } from "./kit/recording.ts";
import { print } from "./kit/writing.ts";

const FPS = 20;

const minutes = Number(Deno.args[0] ?? "10");
if (!(minutes > 0)) {
  print("Usage: deno task soak [minutes]");
  Deno.exitCode = 2;
} else {
  await soak(minutes);
}

/** Has the call and prints a line for each property. */
async function soak(minutes: number): Promise<void> {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  const seconds = minutes * 60;
  await using called = await startServer(["--record", file, "--no-display", "--trace"]);
  await using client = startClient(called.port, ["--duration", `${seconds}`, "--no-display"]);
  print(`A call of ${minutes} minutes at ${FPS} frames a second…`);

  const memory: { atSeconds: number; server: number; client: number }[] = [];
  const startMs = performance.now();
  const sample = async (): Promise<void> => {
    const [server, sender] = [called.server.pid, client.pid].map(residentMegabytes);
    const atSeconds = (performance.now() - startMs) / 1000;
    memory.push({ atSeconds, server: await server!, client: await sender! });
  };
  const sampling = setInterval(() => void sample().catch(() => {}), 2000);
  const [sent, received] = [await client.ended, await called.server.ended];
  clearInterval(sampling);

  const { frames, seconds: recorded } = await probe(file);
  const expected = Math.round(seconds * FPS);
  const ages = [...received.stderr.matchAll(/^\[frame\] .* (-?\d+) ms old$/gm)].map(([, age]) =>
    Number(age)
  );
  const edge = Math.min(Math.floor(ages.length / 4), 30 * FPS);
  const [first, last] = [median(ages.slice(0, edge)), median(ages.slice(-edge))];
  const settled = memory.filter(({ atSeconds }) => atSeconds >= Math.min(60, seconds / 2));
  const peak = (of: "server" | "client", part: typeof memory): number =>
    Math.max(...part.map((one) => one[of]));
  const half = Math.ceil(settled.length / 2);
  const growth = (of: "server" | "client"): number =>
    peak(of, settled.slice(half)) - peak(of, settled.slice(0, half));

  check(
    "both programs ended well",
    sent.code === 0 && received.code === 0,
    `${sent.code}, ${received.code}`,
  );
  check("every frame is in the file", frames === expected, `${frames} of ${expected}`);
  check(
    "the duration is true",
    Math.abs(recorded - seconds) <= 0.5,
    `${recorded} s of ${seconds} s`,
  );
  check("the delay is as at the start", last - first <= 20, `median ${first} ms, then ${last} ms`);
  for (const program of ["server", "client"] as const) {
    const [all, grown] = [peak(program, memory), growth(program)];
    check(
      `memory of ${program} is flat`,
      grown <= 10,
      `peak ${all.toFixed(0)} MB, ${grown.toFixed(1)} MB more at the end`,
    );
  }
}

function check(what: string, good: boolean, figure: string): void {
  print(`${good ? "ok  " : "FAIL"} ${what}: ${figure}`);
  if (!good) Deno.exitCode = 1;
}

async function residentMegabytes(pid: number): Promise<number> {
  return await residentBytes(pid) / 1e6;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
