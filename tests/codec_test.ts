/** Calls with encoded video: the recorded and the shown pictures are whole, in order, in time. */

import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { probe, startClient, startServer, temporaryFolder, until } from "./harness.ts";
import { readNumbers, readPictures, writeNumbers } from "./numbered.ts";
import { Screen } from "./screen.ts";
import { test } from "./strict.ts";

const FRAMES = 100;
const NUMBERS = Array.from({ length: FRAMES }, (_, n) => n);

for (const codec of ["mjpeg", "h264"]) {
  test(
    `${codec}: every frame is recorded once, in order, mirrored, and shown while it is sent`,
    async () => {
      await using folder = await temporaryFolder();
      const file = `${folder.path}/video.avi`;
      await writeNumbers(`${folder.path}/numbers.avi`, NUMBERS, DEFAULT_FORMAT);
      await using there = await Screen.forTwo(DEFAULT_FORMAT);
      await using here = await Screen.forTwo(DEFAULT_FORMAT);
      await using called = await startServer(["--record", file], {
        env: { DISPLAY: there.display },
      });
      await using client = startClient(called.port, [
        ...["--codec", codec, "--input", `${folder.path}/numbers.avi`],
      ], { env: { DISPLAY: here.display } });
      const first = await there.picture();
      assert(first.mirrored);
      assert((await here.picture()).mirrored);
      // The picture appears soon after the sender's own window shows it, and the pictures go on.
      await until(
        "a later picture",
        () => (there.number() ?? 0) > first.number + 10 ? true : undefined,
      );
      assertLess(Math.abs((await there.picture()).number - (await here.picture()).number), 40);
      await client.exits(0);
      const { stdout } = await called.server.exits(0);
      assertStringIncludes(stdout, `Recorded 00:00:05, ${FRAMES} frames, 0 lost`);
      const pictures = await readPictures(file);
      assertEquals(
        pictures.map(({ number }) => number),
        NUMBERS,
      );
      assert(pictures.every(({ mirrored }) => mirrored));
      const { tag, rate, seconds } = await probe(file);
      assertEquals({ tag, rate, seconds }, { tag: "XVID", rate: "20/1", seconds: 5 });
    },
    { ignore: Deno.build.os !== "linux", quiet: true },
  );

  test(
    `${codec}: a gap in what is sent is a still picture in the recording, of the same length`,
    async () => {
      await using folder = await temporaryFolder();
      const file = `${folder.path}/video.avi`;
      await writeNumbers(`${folder.path}/numbers.avi`, NUMBERS, DEFAULT_FORMAT);
      await using called = await startServer(["--record", file]);
      await using client = startClient(called.port, [
        ...["--codec", codec, "--input", `${folder.path}/numbers.avi`],
      ]);
      await client.says(/IN A CALL/);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      client.signal("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 2000));
      client.signal("SIGCONT");
      await client.exits(0);
      await called.server.exits(0);
      const numbers = await readNumbers(file);
      // The frame that waited while the client slept may be replaced by a newer one.
      const seen = [...new Set(numbers)];
      assertEquals(seen, [...seen].sort((a, b) => a - b));
      assertGreater(seen.length, FRAMES - 4);
      assertGreater(numbers.length, FRAMES + 30);
      assertLess(numbers.length, FRAMES + 55);
    },
    { ignore: Deno.build.os === "windows", slow: true },
  );

  test(`${codec}: 1920x1080 at 60 frames a second, odd sizes and broken rates are sent and recorded`, async () => {
    await using folder = await temporaryFolder();
    for (const [size, fps] of [["1920x1080", "60"], ["321x241", "29.97"]] as const) {
      const file = `${folder.path}/${size}.avi`;
      await using called = await startServer(["--record", file]);
      await using client = startClient(called.port, [
        ...["--codec", codec, "--size", size, "--fps", fps, "--duration", "1"],
      ]);
      await client.exits(0);
      await called.server.exits(0);
      const found = await probe(file);
      assertEquals(`${found.width}x${found.height} ${found.tag}`, `${size} XVID`);
      const [frames, seconds] = found.rate.split("/").map(Number);
      assertLess(Math.abs(frames! / seconds! - Number(fps)), 0.01);
      // The number of the largest frames that are carried depends on the machine.
      assertGreater(found.frames, 5);
      if (size !== "1920x1080") assertLess(Math.abs(found.seconds - 1), 0.5);
    }
  });
}
