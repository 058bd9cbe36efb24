/** The recording as the command line asks for it, in whole calls. */

import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { outputOf } from "./encoded.ts";
import {
  commandLine,
  probe,
  Running,
  startClient,
  startServer,
  temporaryFolder,
} from "./harness.ts";
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

test(
  "--record-each: two files with the same number, one of each end, of the same length",
  async () => {
    await using folder = await temporaryFolder();
    // The first number is taken for one of the two.
    await Deno.writeTextFile(`${folder.path}/v-own.avi`, "mine");
    const theirs = `${folder.path}/v.avi`;
    await using called = await startServer([...BOTH, "--record", theirs, "--record-each"]);
    const ours = `${folder.path}/ours.mkv`;
    const args = [...BOTH, "--record", ours, "--record-each", "--quiet", "--duration", "3"];
    await using client = startClient(called.port, args);
    const { stdout } = await client.exits(0);
    assertEquals(stdout, `${ours}\n${folder.path}/ours-own.mkv\n`);
    await called.server.exits(0);
    const names = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
    assertEquals(names, ["ours-own.mkv", "ours.mkv", "v-2-own.avi", "v-2.avi", "v-own.avi"]);
    assertEquals(await Deno.readTextFile(`${folder.path}/v-own.avi`), "mine");
    for (const name of ["v-2-own.avi", "v-2.avi"]) {
      assertEquals(await codecs(`${folder.path}/${name}`), ["mpeg4", "pcm_s16le"]);
    }
    const [one, other] = await Promise.all(
      ["v-2-own.avi", "v-2.avi"].map((name) => probe(`${folder.path}/${name}`)),
    );
    assertLess(Math.abs(one!.seconds - other!.seconds), 0.6);
  },
  { slow: true },
);

test("--record-each: an end that gives nothing has no file", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/v.avi`;
  await using called = await startServer(["--record", file, "--record-each"]);
  await using client = startClient(called.port, ["--codec", "raw", "--duration", "0.5"]);
  await client.exits(0);
  await called.server.exits(0);
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["v.avi"]);
});
