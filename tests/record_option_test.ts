/** The recording as the command line asks for it, in whole calls. */

import { assertEquals } from "@std/assert";
import { outputOf } from "./encoded.ts";
import { startClient, startServer, temporaryFolder } from "./harness.ts";
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
