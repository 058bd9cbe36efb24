/** The recording as the command line asks for it, in whole calls. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { outputOf } from "./encoded.ts";
import { commandLine, Running, startClient, startServer, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

/** The codecs of a file's tracks. */
async function codecs(path: string): Promise<string[]> {
  const args = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path];
  const output = await outputOf("ffprobe", args, new Uint8Array());
  return new TextDecoder().decode(output).trim().split(/\s+/);
}

/** Both ends give a test picture and ticks, and play nothing. */
const BOTH = ["--input", "test", "--microphone", "test", "--no-sound", "--codec", "raw"];

test("--record-sound small, at both ends; the last word of --quiet is the file", async () => {
  await using folder = await temporaryFolder();
  const [theirs, ours] = [`${folder.path}/theirs.avi`, `${folder.path}/ours.avi`];
  const args = [...BOTH, "--record-sound", "small", "--record"];
  await using called = await startServer([...args, theirs]);
  await using client = startClient(called.port, [...args, ours, "--quiet", "--duration", "2"]);
  const { stdout } = await client.exits(0);
  await called.server.exits(0);
  assertEquals(stdout, `${ours}\n`);
  for (const path of [theirs, ours]) {
    assertEquals(await codecs(path), ["mpeg4", "adpcm_ima_wav"]);
  }
}, { slow: true });

test("--record takes a folder, and a peer's name cannot leave it", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer(["--record", `${folder.path}/`, "--stay"]);
  for (const name of ["../../Ana: Silva", "nul"]) {
    const args = ["--codec", "raw", "--duration", "0.5", "--name", name];
    await using client = startClient(called.port, args);
    await client.exits(0);
    await called.server.says(new RegExp(`_${name === "nul" ? "nul-" : "Ana-Silva"}\\.avi`));
  }
  const names = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
  assertEquals(names.length, 2);
  assertMatch(names[0]!, /^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_(Ana-Silva|nul-)\.avi$/);
});

test("--record with a place that is unknown names those that there are", async () => {
  const said = {
    en: "there is no {day}; the places in a name are",
    pt: "não há {day}; os lugares",
  };
  for (const [language, sentence] of Object.entries(said)) {
    const args = ["--lang", language, "--record", "{date}{day}.avi", "--port", "0"];
    await using server = new Running(commandLine("server", args));
    const { stderr } = await server.exits(2);
    assertStringIncludes(stderr, sentence);
    assertStringIncludes(stderr, "{date}, {time}");
  }
});
