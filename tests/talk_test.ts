/**
 * Two programs that talk: pictures and voices go both ways, from a real microphone to a real
 * loudspeaker.
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { pause } from "../lib/clock.ts";
import { canHear, SoundServer } from "../scripts/kit/sound_server.ts";
import { startClient, startServer, until } from "./harness.ts";
import { test } from "./strict.ts";
import { hasTerminals, Terminal } from "./terminal.ts";

const ignore = !canHear || !hasTerminals;

/** Waits until a click at a microphone is heard at a loudspeaker. Returns its delay. */
async function heard(sound: SoundServer, from: number, to: number): Promise<number> {
  while (true) {
    const atMs = sound.microphones[from]!.click();
    await pause(400);
    const cameMs = sound.ears[to]!.clicksMs.find((ms) => ms >= atMs);
    if (cameMs !== undefined) return cameMs - atMs;
  }
}

/** The median of the delays of a few clicks, in milliseconds. */
async function medianDelay(sound: SoundServer, from: number, to: number): Promise<number> {
  const delays: number[] = [];
  for (let count = 0; count < 9; count++) delays.push(await heard(sound, from, to));
  return delays.sort((one, other) => one - other)[4]!;
}

test("a talk: private, both hear each other, m mutes one, and both say so", async () => {
  await using sound = await SoundServer.open({ loudspeakers: 2, microphones: 2 });
  await using called = await startServer(
    ["--talk", "--input", "test", "--no-display", "--no-record"],
    { env: sound.client(0) },
  );
  const [, typed] = await called.server.says(/can call: .* send (.*)$/m);
  const [, code] = await called.server.says(/Code: ([\d-]+)/);
  // With what the server has printed, both are heard.
  const args = [...typed!.split(" "), "--input", "test", "--no-display"];
  await using terminal = new Terminal("client", args, { columns: 200, env: sound.client(1) });
  await terminal.shows(/code/i);
  await terminal.type(`${code}\r`);
  await terminal.shows(/headphones/);
  await terminal.shows(/pictures go out as (raw|mjpeg|h264)/);
  await called.server.says(/pictures go out as (raw|mjpeg|h264)/);
  for (const [from, to] of [[0, 1], [1, 0]] as const) {
    assertLess(await medianDelay(sound, from, to), 300);
  }

  await terminal.type("m");
  await terminal.shows(/The microphone is muted/);
  await called.server.says(/The CLIENT has muted the microphone/);
  await terminal.shows(/ muted /);
  // What was under way is over now. The other direction goes on.
  await pause(300);
  const mutedMs = sound.microphones[1]!.click();
  await heard(sound, 0, 1);
  assertEquals(sound.ears[0]!.loudest(mutedMs), 0);
  await terminal.type("m");
  await called.server.says(/The CLIENT can be heard again/);
  assertLess(await heard(sound, 1, 0), 300);

  await terminal.type("q");
  const { text, status } = await terminal.ends();
  assertEquals(status, 0);
  assertMatch(text, /Sent .*, with sound/);
  const { stdout } = await called.server.exits(0);
  assertMatch(stdout, /Received .*, with sound: not recorded/);
  assertMatch(stdout, /Sent .*, with sound/);
}, { ignore, slow: true });

test("a talk without a picture, at either end", async () => {
  await using sound = await SoundServer.open({ loudspeakers: 2, microphones: 2 });
  await using called = await startServer(
    ["--talk", "--open", "--no-camera", "--no-record"],
    { env: sound.client(0) },
  );
  await using client = startClient(called.port, ["--talk", "--no-camera", "--duration", "8"], {
    env: sound.client(1),
  });
  assert(await heard(sound, 0, 1) > 0);
  assert(await heard(sound, 1, 0) > 0);
  await client.exits(0);
  await called.server.exits(0);
}, { ignore, slow: true });

test(
  "without any sound server a talk goes on with its pictures, and says what is missing",
  async () => {
    const nowhere = { PULSE_SERVER: "unix:/nowhere", HOME: "/nowhere" };
    await using called = await startServer(
      ["--talk", "--open", "--input", "test", "--no-display", "--no-record"],
      { env: nowhere },
    );
    await using client = startClient(called.port, ["--talk", "--no-display", "--duration", "3"], {
      env: nowhere,
    });
    for (const end of [called.server, client]) await end.says(/microphone/i);
    await client.exits(0);
    const { stdout } = await called.server.exits(0);
    assertMatch(stdout, /Received 00:00:0[23], [456]\d frames/);
  },
  { ignore, slow: true },
);

test(
  "a sound server that is started anew: both microphones and loudspeakers come back",
  async () => {
    await using sound = await SoundServer.open({ loudspeakers: 2, microphones: 2 });
    await using called = await startServer(
      ["--talk", "--open", "--input", "test", "--no-display", "--no-record"],
      { env: sound.client(0) },
    );
    await using client = startClient(called.port, ["--talk", "--no-display"], {
      env: sound.client(1),
    });
    await heard(sound, 0, 1);
    await sound.kill();
    await client.says(/microphone/i);
    await sound.start();
    assert(await heard(sound, 0, 1) > 0);
    assert(await heard(sound, 1, 0) > 0);
    await client.says(/The microphone is back/);
    client.signal("SIGINT");
    await client.exits(0);
    await until("the end of the server", () => called.server.exits(0));
  },
  { ignore, slow: true },
);
