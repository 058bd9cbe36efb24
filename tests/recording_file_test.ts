/** The names of recordings, the files under these names, and their folders. */

import { assert, assertEquals, assertFalse, assertLess, assertRejects } from "@std/assert";
import { RecordingError } from "../lib/errors.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { Recorder } from "../lib/media/recorder.ts";
import {
  checkFolder,
  isFolder,
  numberedPath,
  numberOf,
  reserveFile,
  reservePair,
  resolveFolder,
} from "../lib/media/recording_file.ts";
import { temporaryFolder } from "./harness.ts";
import { numberedFrame, readNumbers } from "./numbered.ts";
import { test } from "./strict.ts";

/** The names in a folder, in order. */
function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** The numbers from `first` up to, but not including, `end`. */
function numbers(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}

test("reserveFile() makes the file, and takes the next free number where there is one", async () => {
  await using folder = await temporaryFolder();
  const wanted = `${folder.path}/video.avi`;
  assertEquals(await reserveFile(wanted), wanted);
  assertEquals(await reserveFile(wanted), `${folder.path}/video-2.avi`);
  assertEquals(await reserveFile(wanted), `${folder.path}/video-3.avi`);
  await Deno.remove(`${folder.path}/video-2.avi`);
  assertEquals(await reserveFile(wanted), `${folder.path}/video-2.avi`);
  assertEquals(namesIn(folder.path), ["video-2.avi", "video-3.avi", "video.avi"]);
});

test("reserveFile() never touches a file that is there", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/video.avi`, "one");
  await Deno.writeTextFile(`${folder.path}/video-2.avi`, "two");
  await Deno.mkdir(`${folder.path}/video-3.avi`);
  assertEquals(await reserveFile(`${folder.path}/video.avi`), `${folder.path}/video-4.avi`);
  assertEquals(await Deno.readTextFile(`${folder.path}/video.avi`), "one");
  assertEquals(await Deno.readTextFile(`${folder.path}/video-2.avi`), "two");
});

test("reserveFile() among very many of the name: the first that is free, and few are tried", async () => {
  await using folder = await temporaryFolder();
  const wanted = `${folder.path}/video.avi`;
  const taken = [...numbers(1, 1000), ...numbers(1001, 2000)];
  for (const number of taken) await Deno.writeTextFile(numberedPath(wanted, number), "");
  const { open } = Deno;
  let opened = 0;
  Deno.open = (...args): Promise<Deno.FsFile> => {
    opened++;
    return open(...args);
  };
  try {
    assertEquals(await reserveFile(wanted), `${folder.path}/video-1000.avi`);
    assertEquals(await reserveFile(wanted), `${folder.path}/video-2000.avi`);
  } finally {
    Deno.open = open;
  }
  assertLess(opened, 50);
  const paths = await Promise.all(numbers(0, 20).map(() => reserveFile(wanted)));
  assertEquals(new Set(paths).size, 20);
  assertEquals(namesIn(folder.path).length, 2020);
});

test("numberOf() is the inverse of numberedPath(), and knows no other name", () => {
  for (
    const wanted of ["video.avi", "aula", "a-2.avi", "a.b.avi", ".avi", "-.avi", "vídeo\n.avi"]
  ) {
    for (const number of [1, 2, 3, 10, 20_001, 999_999_999]) {
      assertEquals(numberOf(wanted, numberedPath(wanted, number)), number);
    }
  }
  for (const name of ["video-1.avi", "video-02.avi", "video-2.AVI", "video2.avi", "video-.avi"]) {
    assertEquals(numberOf("video.avi", name), undefined, name);
  }
});

test(
  "reserveFile() and checkFolder() take `..` by the folders, as ffmpeg does, and not by the letters",
  async () => {
    await using folder = await temporaryFolder();
    const root = await Deno.realPath(folder.path);
    await Deno.mkdir(`${root}/disk/videos`, { recursive: true });
    await Deno.symlink("disk/videos", `${root}/videos`);
    await Deno.writeTextFile(`${root}/disk/v.avi`, "mine");
    const wanted = `${root}/videos/../v.avi`;
    await checkFolder(wanted);
    const path = await reserveFile(wanted);
    assertEquals(path, `${root}/disk/v-2.avi`);
    const recorder = new Recorder({ path, format: DEFAULT_FORMAT, fps: 20, stamps: "capture" });
    recorder.push(numberedFrame(7, DEFAULT_FORMAT));
    assertEquals((await recorder.close()).failure, undefined);
    assertEquals(await readNumbers(path), [7]);
    assertEquals(await Deno.readTextFile(`${root}/disk/v.avi`), "mine");
    assertEquals(namesIn(folder.path), ["disk", "videos"]);

    assertEquals(await reserveFile(`${root}/videos/v.avi`), `${root}/videos/v.avi`);
    assertEquals(await reserveFile(`${root}/disk/../w.avi`), `${root}/w.avi`);
    assertEquals(
      await reserveFile(`${root}/.x/../x.avi`).catch((error) => error.kind),
      "no-folder",
    );
    for (const missing of ["missing/../z.avi", "disk/v.avi/../z.avi", "videos/missing/../z.avi"]) {
      for (const check of [checkFolder, reserveFile]) {
        const error = await assertRejects(() => check(`${root}/${missing}`), RecordingError);
        assertEquals([error.kind, error.path], ["no-folder", `${root}/${missing}`]);
      }
    }
    assertEquals(namesIn(folder.path), ["disk", "videos", "w.avi"]);
  },
  { ignore: Deno.build.os === "windows" },
);

test("resolveFolder() leaves a path as it was given where it means one file only", async () => {
  for (
    const path of [
      "video.avi",
      "../v.avi",
      "./../../v.avi",
      "/v.avi",
      "a/b.avi",
      "a/..b/c",
      "/../v",
    ]
  ) {
    assertEquals(await resolveFolder(path), path);
  }
});

test("reserveFile() puts the number before the last dot of the name, or at its end", async () => {
  await using folder = await temporaryFolder();
  await Deno.mkdir(`${folder.path}/aulas.2023`);
  const cases: readonly (readonly [string, string])[] = [
    ["aula.01.avi", "aula.01-2.avi"],
    ["aula", "aula-2"],
    ["aulas.2023/aula", "aulas.2023/aula-2"],
    ["aulas.2023/aula.avi", "aulas.2023/aula-2.avi"],
    ["vídeo da aula (1).avi", "vídeo da aula (1)-2.avi"],
    ["line\nbreak.avi", "line\nbreak-2.avi"],
  ];
  for (const [wanted, second] of cases) {
    assertEquals(await reserveFile(`${folder.path}/${wanted}`), `${folder.path}/${wanted}`);
    assertEquals(await reserveFile(`${folder.path}/${wanted}`), `${folder.path}/${second}`);
  }
});

test("reserveFile() gives every one who asks at the same time a file of its own", async () => {
  await using folder = await temporaryFolder();
  const wanted = `${folder.path}/video.avi`;
  const paths = await Promise.all(numbers(0, 20).map(() => reserveFile(wanted)));
  assertEquals(new Set(paths).size, 20);
  assertEquals(namesIn(folder.path).length, 20);
});

test(
  "reserveFile() and checkFolder() do not follow a link that stands in the place of the file",
  async () => {
    await using folder = await temporaryFolder();
    await using other = await temporaryFolder();
    const wanted = `${folder.path}/video.avi`;
    await Deno.symlink(`${other.path}/planted.avi`, wanted);
    await checkFolder(wanted);
    assertEquals(await reserveFile(wanted), `${folder.path}/video-2.avi`);
    assertEquals(namesIn(other.path), []);
    await Deno.writeTextFile(`${other.path}/mine.txt`, "mine");
    await Deno.symlink(`${other.path}/mine.txt`, `${folder.path}/video-3.avi`);
    assertEquals(await reserveFile(wanted), `${folder.path}/video-4.avi`);
    assertEquals(await Deno.readTextFile(`${other.path}/mine.txt`), "mine");
  },
  { ignore: Deno.build.os === "windows" },
);

test("checkFolder() leaves nothing behind, whether the file is there or not", async () => {
  await using folder = await temporaryFolder();
  await checkFolder(`${folder.path}/video.avi`);
  assertEquals(namesIn(folder.path), []);
  await Deno.writeTextFile(`${folder.path}/video.avi`, "one");
  await checkFolder(`${folder.path}/video.avi`);
  assertEquals(namesIn(folder.path), ["video.avi"]);
  assertEquals(await Deno.readTextFile(`${folder.path}/video.avi`), "one");
});

test("checkFolder(), reserveFile(): a folder that does not exist, or is a file, is named", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/file.txt`, "");
  for (const wanted of ["nowhere/video.avi", "a/b/c.avi", "file.txt/video.avi"]) {
    for (const check of [checkFolder, reserveFile]) {
      const path = `${folder.path}/${wanted}`;
      const error = await assertRejects(() => check(path), RecordingError);
      assertEquals([error.kind, error.path], ["no-folder", path]);
    }
  }
  assertEquals(namesIn(folder.path), ["file.txt"]);
});

test("isFolder(): a folder, a link to one, and a path that says so, but no file", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/file`, "");
  await Deno.mkdir(`${path}/a`);
  await Deno.symlink("a", `${path}/link`);
  for (const one of [path, `${path}/`, `${path}/.`, `${path}/a/..`, `${path}/link`, "none/"]) {
    assert(await isFolder(one), one);
  }
  for (const one of [`${path}/file`, `${path}/none`, "video.avi"]) {
    assertFalse(await isFolder(one), one);
  }
});

test(
  "checkFolder(), reserveFile(): a place where nobody may make files, not even root, is not writable",
  async () => {
    const path = "/sys/video.avi";
    for (const check of [checkFolder, reserveFile]) {
      const error = await assertRejects(() => check(path), RecordingError);
      assertEquals([error.kind, error.path], ["not-writable", path]);
    }
  },
  { ignore: Deno.build.os !== "linux" },
);

test(
  "checkFolder(): a folder without the right to write is not writable (root has every right)",
  async () => {
    await using folder = await temporaryFolder();
    await Deno.chmod(folder.path, 0o555);
    const path = `${folder.path}/video.avi`;
    const error = await assertRejects(() => checkFolder(path), RecordingError);
    assertEquals(error.kind, "not-writable");
    await Deno.chmod(folder.path, 0o755);
  },
  { ignore: Deno.build.os === "windows" || Deno.uid() === 0 },
);

test("checkFolder(): a name that no system takes is refused with the system's words", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/${"a".repeat(300)}.avi`;
  const error = await assertRejects(() => checkFolder(path), RecordingError);
  assertEquals([error.kind, error.path], ["other", path]);
  assert(error.cause instanceof Error && error.cause.message !== "");
});

test("reservePair(): the first number that is free for both, and nothing else is made", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/v-own.avi`, "");
  await Deno.writeTextFile(`${path}/v-2.avi`, "");
  assertEquals(await reservePair(`${path}/v.avi`), [`${path}/v-3.avi`, `${path}/v-3-own.avi`]);
  assertEquals(namesIn(path), ["v-2.avi", "v-3-own.avi", "v-3.avi", "v-own.avi"]);
  const error = await assertRejects(() => reservePair(`${path}/none/v.avi`), RecordingError);
  assertEquals(error.kind, "no-folder");
});
