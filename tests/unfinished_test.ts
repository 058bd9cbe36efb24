import { assert, assertEquals } from "@std/assert";
import { Recorder } from "../lib/media/recorder.ts";
import { numberedPath } from "../lib/media/recording_file.ts";
import { findUnfinished, isUnfinished, mend } from "../lib/media/unfinished.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { temporaryFolder, until } from "./harness.ts";
import { numberedFrame, readNumbers } from "./numbered.ts";
import { test } from "./strict.ts";

/** A part of an AVI: its position, and its name, size and kind. */
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
    // The next bytes are no part: then nothing is known to be missing.
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
  const names = [
    "video.avi",
    "video-3.avi",
    "video-12.avi",
    "other.avi",
    "video-x.avi",
    "video-3",
    "video-3-own.avi",
  ];
  for (const name of names) await writeParts(`${folder.path}/${name}`, [[0, "AVI ", 0]]);
  const found = await findUnfinished(`${folder.path}/video.avi`);
  assertEquals(
    found,
    ["video-12.avi", "video-3-own.avi", "video-3.avi", "video.avi"].map((name) =>
      `${folder.path}/${name}`
    ),
  );
  await Deno.remove(`${folder.path}/video.avi`);
  assertEquals((await findUnfinished(`${folder.path}/video.avi`)).length, 3);
  assertEquals(await findUnfinished(`${folder.path}/none/video.avi`), []);
});

test("findUnfinished(): a name with the day and the time is that of each such recording", async () => {
  await using folder = await temporaryFolder();
  const name = "2026-11-25_14-03-09_Ana";
  for (const one of [`${name}.avi`, `${name}-2.avi`, "video.avi"]) {
    await writeParts(`${folder.path}/${one}`, [[0, "AVI ", 0]]);
  }
  const found = await findUnfinished(`${folder.path}/{date}_{time}_{peer}.avi`);
  assertEquals(found, [`${folder.path}/${name}-2.avi`, `${folder.path}/${name}.avi`]);
  assertEquals(await findUnfinished(`${folder.path}/{peer}.avi`), []);
});

test("findUnfinished(): of very many, the few that were written last are looked into", async () => {
  await using folder = await temporaryFolder();
  const wanted = `${folder.path}/video.avi`;
  // This one is older than all others. It could not be read in time if every file was looked into.
  for (let number = 1; number <= 600; number++) {
    const path = numberedPath(wanted, number);
    await writeParts(path, [[0, "AVI ", number % 100 === 50 ? 0 : 4]]);
    const isNew = number > 500 || number === 50;
    await Deno.utime(path, isNew ? 2e9 : 1e9 + number, isNew ? 2e9 : 1e9 + number);
  }
  const found = [50, 550, 450, 350, 250, 150].map((number) => numberedPath(wanted, number));
  assertEquals(await findUnfinished(wanted), found.sort());
  await Deno.utime(numberedPath(wanted, 150), 1, 1);
  assertEquals(
    await findUnfinished(wanted),
    found.filter((path) => path !== numberedPath(wanted, 150)),
  );
});

test(
  "findUnfinished() and mend() find the recording behind a link and `..`, and no other",
  async () => {
    await using folder = await temporaryFolder();
    const root = await Deno.realPath(folder.path);
    await Deno.mkdir(`${root}/disk/videos`, { recursive: true });
    await Deno.symlink("disk/videos", `${root}/videos`);
    const path = `${root}/disk/v.avi`;
    const recorder = new Recorder({ path, format: DEFAULT_FORMAT, fps: 20, stamps: "capture" });
    for (let number = 0; number < 5; number++) recorder.push(numberedFrame(number, DEFAULT_FORMAT));
    await recorder.close();
    // A killed program leaves the file like this: no size, no index.
    const bytes = await Deno.readFile(path);
    bytes.fill(0, 4, 8);
    await Deno.writeFile(path, bytes);
    await Deno.utime(path, 1e9, 1e9);
    assertEquals(await findUnfinished(`${root}/videos/../v.avi`), [path]);
    assert(await mend(path, new AbortController().signal));
    assertEquals(await readNumbers(path), [0, 1, 2, 3, 4]);
    assertEquals(await findUnfinished(`${root}/videos/../v.avi`), []);
    assertEquals(await findUnfinished(`${root}/missing/../v.avi`), []);
    // A link in the place of a recording is none of ours.
    await writeParts(`${root}/disk/other`, [[0, "AVI ", 0]]);
    await Deno.symlink("other", `${root}/disk/v-2.avi`);
    assertEquals(await findUnfinished(`${root}/disk/v.avi`), []);
  },
  { ignore: Deno.build.os === "windows" },
);

test("findUnfinished(): what is being recorded to is not among them", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/video.avi`;
  const recorder = new Recorder({ path, format: DEFAULT_FORMAT, fps: 20, stamps: "capture" });
  for (let number = 0; number < 10; number++) recorder.push(numberedFrame(number, DEFAULT_FORMAT));
  await until("a file without an end", async () => await isUnfinished(path) ? true : undefined);
  assertEquals(await findUnfinished(path), []);
  await recorder.close();
});
