import { assert, assertEquals } from "@std/assert";
import { Recorder } from "../lib/recorder.ts";
import { findUnfinished, isUnfinished } from "../lib/unfinished.ts";
import { DEFAULT_FORMAT } from "../lib/frame.ts";
import { temporaryFolder, until } from "./harness.ts";
import { numberedFrame } from "./numbered.ts";
import { test } from "./strict.ts";

/** A part of an AVI: where it begins, and its name, size and kind. */
type Part = readonly [at: number, kind: string, bytes: number];

const GIGABYTE = 1024 ** 3;

/** Makes a file that has these parts in it, and holes in between. */
async function writeParts(path: string, parts: readonly Part[]): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for (const [at, kind, bytes] of parts) {
    const header = new Uint8Array(12);
    header.set(new TextEncoder().encode(`RIFF....${kind}`));
    new DataView(header.buffer).setUint32(4, bytes, true);
    await file.seek(at, Deno.SeekMode.Start);
    await file.write(header);
  }
}

test("isUnfinished(): an AVI whose last part has no size yet, however long it is", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const cases: readonly (readonly [boolean, readonly Part[]])[] = [
    [true, [[0, "AVI ", 0]]],
    [true, [[0, "AVI ", 0xffffffff]]],
    [false, [[0, "AVI ", 4]]],
    [false, [[0, "WAVE", 0]]],
    [true, [[0, "AVI ", GIGABYTE], [GIGABYTE + 8, "AVIX", 0]]],
    [false, [[0, "AVI ", GIGABYTE], [GIGABYTE + 8, "AVIX", 4]]],
    [true, [
      ...[[0, "AVI ", GIGABYTE], [GIGABYTE + 8, "AVIX", GIGABYTE]] as const,
      [2 * GIGABYTE + 16, "AVIX", 0xffffffff],
    ]],
    // What follows is no part: then nothing is known to be missing.
    [false, [[0, "AVI ", 100], [108, "    ", 0]]],
  ];
  for (const [unfinished, parts] of cases) {
    await writeParts(path, parts);
    assertEquals(await isUnfinished(path), unfinished, JSON.stringify(parts));
  }
});

test("isUnfinished(): what is empty, cut or no file at all is not one", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  for (const text of ["", "RIFF", "RIFF\0\0\0\0AVI"]) {
    await Deno.writeTextFile(path, text);
    assert(!await isUnfinished(path), text);
  }
  assert(!await isUnfinished(folder.path));
});

test("findUnfinished(): all of that name, whichever of them are missing, and no other file", async () => {
  await using folder = await temporaryFolder();
  const names = ["video.avi", "video-3.avi", "video-12.avi", "other.avi", "video-x.avi", "video-3"];
  for (const name of names) await writeParts(`${folder.path}/${name}`, [[0, "AVI ", 0]]);
  const found = await findUnfinished(`${folder.path}/video.avi`);
  assertEquals(
    found,
    ["video-12.avi", "video-3.avi", "video.avi"].map((name) => `${folder.path}/${name}`),
  );
  await Deno.remove(`${folder.path}/video.avi`);
  assertEquals((await findUnfinished(`${folder.path}/video.avi`)).length, 2);
  assertEquals(await findUnfinished(`${folder.path}/none/video.avi`), []);
});

test("findUnfinished(): what is being recorded to is not among them", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const recorder = new Recorder({ path, format: DEFAULT_FORMAT, fps: 20, stamps: "capture" });
  for (let number = 0; number < 10; number++) recorder.push(numberedFrame(number, DEFAULT_FORMAT));
  await until("a file without an end", async () => await isUnfinished(path) ? true : undefined);
  assertEquals(await findUnfinished(path), []);
  await recorder.close();
});
