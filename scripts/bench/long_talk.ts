/**
 * A long talk over a network with jitter, between two machines whose clocks are apart: the end of
 * it beside its beginning, and the holes in it. One voice clicks and is held to its delay. The other
 * hums and is held to its silence. Both have the same way.
 */

import { pause } from "../../lib/clock.ts";
import { hearClicks, untilHeard } from "../kit/clicks.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { SOUND_RATE, SoundServer } from "../kit/sound_server.ts";
import { UnsteadyRelay } from "../kit/unsteady_relay.ts";
import { figureOf, percentile, type Unit } from "./figure.ts";
import { type Bench, OURS, type Row } from "./section.ts";

/** Milliseconds by which an arrival may be later than another. */
const JITTER_MS = 20;

/** The clocks are as far apart as those of two sound cards. */
const APART = 100e-6;

/** Milliseconds between two looks at the silence. The ear remembers a minute. */
const LOOK_MS = 10_000;

/** Has the talk. */
export async function longTalk({ minutes, say }: Pick<Bench, "minutes" | "say">): Promise<Row[]> {
  say(`a talk of ${minutes} min over ${JITTER_MS} ms of jitter, clocks 100 ppm apart`);
  await using sound = await SoundServer.open({
    ...{ loudspeakers: 2, microphones: 2 },
    microphoneRate: SOUND_RATE * (1 + APART),
  });
  const both = ["--talk", "--no-display"];
  await using called = await startServer(["--open", "--no-record", "--input", "test", ...both], {
    env: sound.client(0),
  });
  await using relay = new UnsteadyRelay(called.port, JITTER_MS);
  await using client = startClient(relay.port, both, { env: sound.client(1) });
  await client.says(/pictures go out as/);
  await untilHeard(sound.microphones[1]!, sound.ears[0]!);
  sound.microphones[0]!.hums = true;
  // The beginning of the talk is not its first minute.
  await pause(5000);

  const ms = minutes * 60_000;
  const startMs = performance.now();
  const [silence, delays] = await Promise.all([
    silenceOf(sound, startMs, ms),
    delaysOf(sound, startMs, ms),
  ]);
  client.signal("SIGINT");
  await client.exits(0);
  const parts = delays.map(({ delaysMs }) => delaysMs);
  const all = parts.flat();
  const [first, last] = [parts.at(0)!, parts.at(-1)!];
  const lost = delays.reduce((sum, part) => sum + part.lost, 0);
  say(`${lost} of ${all.length + lost} clicks were not heard`);
  const what = `a talk of ${minutes} min, ${JITTER_MS} ms of jitter, clocks 100 ppm apart`;
  const row = (id: string, of: string, value: number, unit: Unit): Row => ({
    ...{ id: `sound.long.${id}`, what: `${what}: ${of}`, unit, better: "less" },
    figures: { [OURS]: figureOf([value]) },
  });
  return [
    row("first", "median of the first minute", percentile(first, 50), "ms"),
    row("last", "median of the last minute", percentile(last, 50), "ms"),
    row("growth", "growth", percentile(last, 50) - percentile(first, 50), "ms"),
    row("p95", "95 of 100", percentile(all, 95), "ms"),
    row("silence", "silence that should not be", 100 * silence / ms, "%"),
  ];
}

/** Milliseconds of silence in the voice that hums. */
async function silenceOf(sound: SoundServer, startMs: number, ms: number): Promise<number> {
  let silence = 0;
  for (let fromMs = startMs; fromMs < startMs + ms;) {
    await pause(LOOK_MS);
    const toMs = performance.now() - 1000;
    silence += sound.ears[1]!.silenceMs(fromMs, toMs);
    fromMs = toMs;
  }
  return silence;
}

/** The clicks of each minute. */
async function delaysOf(
  sound: SoundServer,
  startMs: number,
  ms: number,
): Promise<Awaited<ReturnType<typeof hearClicks>>[]> {
  const minutes: Awaited<ReturnType<typeof hearClicks>>[] = [];
  const partMs = Math.min(ms, 60_000);
  while (performance.now() < startMs + ms - partMs / 2) {
    // 400 ms and some shift each.
    const count = Math.round(partMs / 425);
    minutes.push(await hearClicks(sound.microphones[1]!, sound.ears[0]!, { count }));
  }
  return minutes;
}
