import { assert, assertEquals, assertRejects } from "@std/assert";
import { FfmpegError } from "../lib/errors.ts";
import { findFfmpeg, parseFfmpeg } from "../lib/media/ffmpeg.ts";
import { test } from "./strict.ts";

const LIST = [
  "Encoders:",
  " V..... = Video",
  " A..... = Audio",
  " .F.... = Frame-level multithreading",
  " ------",
  " V..... a64multi             Multicolor charset for Commodore 64 (codec a64_multi)",
  " V.S... mpeg4                MPEG-4 part 2",
  " V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC (codec h264)",
  " A....D aac                  AAC (Advanced Audio Coding)",
].join("\n");

test("parseFfmpeg(): the version, the encoders, and the word for passing frames on", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["3.4.11-0ubuntu0.1", "-vsync"],
    ["4.4.2-0ubuntu0.22.04.1", "-vsync"],
    ["n5.0", "-vsync"],
    ["5.1.9-0+deb12u1", "-fps_mode"],
    ["6", "-fps_mode"],
    ["n7.1", "-fps_mode"],
    ["10.0", "-fps_mode"],
    // Built from the sources of a day: the newest there are.
    ["N-109999-g1234567", "-fps_mode"],
    ["2025-01-02-git-abcdef-full_build-www.gyan.dev", "-fps_mode"],
  ];
  for (const [version, passthrough] of cases) {
    const found = parseFfmpeg(`ffmpeg version ${version} Copyright (c) 2000-2026\n${LIST}`);
    assertEquals([found.version, found.passthrough], [version, passthrough]);
    for (const one of ["a64multi", "mpeg4", "libx264", "aac"]) assert(found.encoders.has(one), one);
    assert(!found.encoders.has("="));
  }
});

test("findFfmpeg(): the one of this system has what recordings need, and not what nobody has", async () => {
  const { version, encoders } = await findFfmpeg("mpeg4");
  assert(version !== "");
  assert(encoders.has("rawvideo"));
  const error = await assertRejects(() => findFfmpeg("none such"), FfmpegError);
  assertEquals([error.kind, error.detail], ["lacks", "none such"]);
});
