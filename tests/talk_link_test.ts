/** A talk over links of all kinds: the codec that each carries, and the way from mouth to ear. */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { pause } from "../lib/clock.ts";
import { untilHeard } from "../scripts/kit/clicks.ts";
import { canHear, SoundServer } from "../scripts/kit/sound_server.ts";
import { startClient, startServer } from "./harness.ts";
import { canLink, Link, quantile, SERVER_ADDRESS } from "./link.ts";
import { test } from "./strict.ts";

const ignore = !canHear || !canLink;

/** Both ends of a talk, the link between them, and the sound of both. */
async function talkOver(
  megabits: number | undefined,
  args: readonly string[] = [],
): Promise<
  AsyncDisposable & {
    readonly link: Link;
    readonly sound: SoundServer;
    readonly client: ReturnType<typeof startClient>;
    readonly server: Awaited<ReturnType<typeof startServer>>["server"];
  }
> {
  await using stack = new AsyncDisposableStack();
  const link = stack.use((await Link.lay(megabits))!);
  const sound = stack.use(await SoundServer.open({ loudspeakers: 2, microphones: 2 }));
  const both = ["--talk", "--no-display", ...args];
  const called = stack.use(
    await startServer(
      ["--host", SERVER_ADDRESS, "--open", "--no-record", "--no-camera", ...both],
      { ...link.server, env: sound.client(0) },
    ),
  );
  const client = stack.use(
    startClient(called.port, ["--host", SERVER_ADDRESS, "--verbose", ...both], {
      ...link.client,
      env: sound.client(1),
    }),
  );
  await client.says(/IN A CALL/);
  const moved = stack.move();
  return {
    ...{ link, sound, client, server: called.server },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** Clicks at the client's microphone. Returns the delays at the server's loudspeaker. */
async function delaysOf(sound: SoundServer, clicks: number): Promise<number[]> {
  const delays: number[] = [];
  for (let count = 0; count < clicks; count++) {
    const atMs = sound.microphones[1]!.click();
    await pause(350 + Math.random() * 60);
    const cameMs = sound.ears[0]!.clicksMs.find((ms) => ms >= atMs);
    if (cameMs !== undefined) delays.push(cameMs - atMs);
  }
  return delays;
}

const ROWS = [
  { megabits: undefined, codec: "raw", sound: "pcm", median: 90 },
  { megabits: 20, codec: "mjpeg", sound: "pcm", median: 120 },
  { megabits: 5, codec: "mjpeg", sound: "pcm", median: 120 },
  { megabits: 1, codec: "h264", sound: "opus", median: 180 },
] as const;

for (const { megabits, codec, sound: soundCodec, median } of ROWS) {
  test(
    `${megabits ?? "any"} Mbit/s: ${codec} and ${soundCodec}, and a voice is heard in time`,
    async () => {
      await using talk = await talkOver(megabits);
      const chosen = /pictures go out as (\w+), the sound as (\w+)/;
      const [, pictures, sound] = await talk.client.says(chosen);
      assertEquals([pictures, sound], [codec, soundCodec]);
      // What was sent before the codec was chosen may still be on its way.
      await delaysOf(talk.sound, 8);
      const delays = await delaysOf(talk.sound, 16);
      assert(delays.length >= 14, `${delays.length} of 16 clicks were heard`);
      // A busy machine takes its time. The bench holds the link to the figure itself.
      assertLess(quantile(delays, 0.5), 2 * median);
      talk.client.signal("SIGINT");
      await talk.client.exits(0);
    },
    { ignore, slow: true, quiet: true },
  );
}

test("a link that gets worse in the call: a smaller codec, with the same camera", async () => {
  await using talk = await talkOver(100);
  await talk.client.says(/pictures go out as (raw|mjpeg)/);
  await delaysOf(talk.sound, 4);
  await talk.link.carry(1);
  await talk.client.says(/pictures go out as h264, the sound as opus/);
  // What was under way at a hundred times the rate arrives first.
  await delaysOf(talk.sound, 8);
  await untilHeard(talk.sound.microphones[1]!, talk.sound.ears[0]!);
  const delays = await delaysOf(talk.sound, 6);
  assert(delays.length >= 4, `${delays.length} of 6 clicks were heard`);
  const { stderr } = talk.client;
  assertEquals(
    stderr.match(/^\[ffmpeg \d+\] ffmpeg .*testsrc2/gm)?.length,
    1,
    "the camera was opened once",
  );
  assertMatch(stderr, /libx264/);
  talk.client.signal("SIGINT");
  await talk.client.exits(0);
}, { ignore, slow: true, quiet: true });

test("a link that stands for 300 ms: the voice is back within a second", async () => {
  await using talk = await talkOver(undefined);
  await talk.client.says(/pictures go out as/);
  await delaysOf(talk.sound, 4);
  await talk.link.plug("down", "middle");
  await pause(300);
  await talk.link.plug("up", "middle");
  await pause(1000);
  const delays = await delaysOf(talk.sound, 4);
  assertEquals(delays.length, 4);
  assertLess(quantile(delays, 0.5), 250);
  talk.client.signal("SIGINT");
  await talk.client.exits(0);
}, { ignore, slow: true, quiet: true });
