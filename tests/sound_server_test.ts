/** The sound server that the tests of sound stand on: `scripts/kit/sound_server.ts`. */

import { assertEquals } from "@std/assert";
import { processesNaming } from "../scripts/kit/processes.ts";
import { canHear, SoundServer } from "../scripts/kit/sound_server.ts";
import { until } from "../scripts/kit/waiting.ts";
import { test } from "./strict.ts";

/** A test with a sound server. */
function withSound(name: string, fn: () => Promise<void>): void {
  test(`sound server: ${name}`, fn, { ignore: !canHear });
}

/** Leads a microphone to a loudspeaker, and clicks until it is heard there. */
async function hearsItself(server: SoundServer, number: number): Promise<void> {
  const source = server.microphones[number]!;
  const ear = server.ears[number]!;
  await server.control(
    "load-module",
    "module-loopback",
    `source=${source.name}`,
    `sink=${ear.name}`,
  );
  const startMs = performance.now();
  await until("a click", () => {
    const heard = ear.clicksMs.some((ms) => ms >= startMs);
    if (!heard) source.click();
    return heard ? true : undefined;
  }, 100);
}

withSound("a click into a microphone is heard at its own loudspeaker alone", async () => {
  await using server = await SoundServer.open({ loudspeakers: 2, microphones: 2 });
  await hearsItself(server, 1);
  assertEquals(server.ears[0]!.clicksMs, []);
  assertEquals(server.ears[0]!.loudest(0), 0);
  assertEquals(server.ears[1]!.loudest(0) > 0.5, true);
});

withSound("devices and the server go and come back", async () => {
  await using server = await SoundServer.open();
  await server.unplug(server.ears[0]!);
  await server.unplug(server.microphones[0]!);
  assertEquals((await server.control("list", "short", "sources")).trim(), "");
  await server.plug(server.ears[0]!);
  await server.plug(server.microphones[0]!);
  await hearsItself(server, 0);
  await server.kill();
  await server.start();
  await hearsItself(server, 0);
});

withSound("nothing is left of it, not even after a failure", async () => {
  let path = "";
  try {
    await using server = await SoundServer.open();
    path = server.client().PULSE_COOKIE!.replace("/cookie", "");
    assertEquals((await processesNaming(path)).length, 1);
    throw new Error("a failure");
  } catch (error) {
    assertEquals((error as Error).message, "a failure");
  }
  assertEquals(await processesNaming(path), []);
  assertEquals(await Deno.stat(path).catch(() => "no folder"), "no folder");
});
