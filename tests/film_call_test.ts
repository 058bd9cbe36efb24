/** Films with sound that are sent in a call: flash and click are together in the recording. */

import { assertEquals, assertLess } from "@std/assert";
import { clicksIn, flashesIn, makeFilm } from "./film.ts";
import { startClient, startServer, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

/** Seconds of the film. It flashes and clicks at the beginning of each. */
const SECONDS = 6;

/** Seconds by which a click may be off its flash. */
const IN_STEP = 0.04;

test("a film sent with its sound: each click is with its flash in the recording", async () => {
  await using folder = await temporaryFolder();
  const [film, recording] = [`${folder.path}/film.mp4`, `${folder.path}/video.avi`];
  await makeFilm(film, { seconds: SECONDS, flashMs: 200 });
  // The machine has no microphone, and nobody hears anything.
  const env = { PULSE_SERVER: "unix:/nowhere", HOME: "/nowhere" };
  const talk = ["--talk", "--no-display", "--no-sound"];
  const args = [...talk, "--open", "--no-camera", "--record", recording];
  await using called = await startServer(args, { env });
  await using client = startClient(called.port, [...talk, "--input", film], { env });
  await client.exits(0);
  await called.server.exits(0);
  const [flashes, clicks] = [await flashesIn(recording), await clicksIn(recording)];
  // None is missing, not even the one with which the film begins.
  assertEquals([flashes.length, clicks.length], [SECONDS, SECONDS]);
  for (const [at, flash] of flashes.entries()) {
    assertLess(Math.abs(clicks[at]! - flash), IN_STEP, `${flashes}: ${clicks}`);
  }
}, { slow: true });
