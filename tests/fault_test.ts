/** What breaks in the middle of a call, broken for real: processes killed and stopped, disks filled, programs missing. */

import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame.ts";
import {
  commandLine,
  probe,
  processesNaming,
  Running,
  startClient,
  startServer,
  temporaryFolder,
} from "./harness.ts";
import { readNumbers, writeNumbers } from "./numbered.ts";
import { Screen, until } from "./screen.ts";
import { test } from "./strict.ts";

const options = { ignore: Deno.build.os !== "linux" };

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Waits until a file has that many bytes. */
async function grown(file: string, bytes = 50_000): Promise<void> {
  await until(`${bytes} bytes in ${file}`, async () => {
    const size = (await Deno.stat(file).catch(() => undefined))?.size ?? 0;
    return size >= bytes ? size : undefined;
  });
}

/** The ffmpeg that records to a file. */
async function recorderOf(file: string): Promise<number> {
  return await until("the recorder", async () => {
    for (const pid of await processesNaming(`file:${file}`)) return pid;
    return undefined;
  });
}

async function numberedInput(folder: string, count: number): Promise<string> {
  const input = `${folder}/numbers.avi`;
  await writeNumbers(input, Array.from({ length: count }, (_, n) => n), DEFAULT_FORMAT);
  return input;
}

test(
  "the recorder is killed: told at once and at the end, the call goes on, the file plays, exit 1",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    await using called = await startServer(["--record", file]);
    await using client = startClient(called.port, []);
    await grown(file);
    Deno.kill(await recorderOf(file), "SIGKILL");
    await called.server.says(/The recording stopped .*The call goes on/);
    await pause(0.5);
    client.signal("SIGINT");
    await client.exits(0);
    const { stderr } = await called.server.exits(1);
    assertStringIncludes(stderr, "The recording is not whole");
    assertGreater((await probe(file)).frames, 5);
  },
  options,
);

test(
  "server and recorder are killed at once: the file plays, and the next start mends its index",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    {
      await using called = await startServer(["--record", file]);
      await using client = startClient(called.port, []);
      await grown(file, 200_000);
      const recorder = await recorderOf(file);
      called.server.signal("SIGKILL");
      Deno.kill(recorder, "SIGKILL");
      await called.server.ended;
      await client.exits(3);
    }
    const { frames, seconds } = await probe(file);
    assertGreater(frames, 15);
    assertEquals(seconds, 0);
    await using called = await startServer(["--record", file]);
    await called.server.says(/never finished; it is mended now: /);
    called.server.signal("SIGTERM");
    await called.server.exits(0);
    const mended = await probe(file);
    assertEquals({ frames: mended.frames, tag: mended.tag }, { frames, tag: "XVID" });
    assertEquals(mended.seconds, frames / 20);
    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["video.avi"]);
  },
  options,
);

test("a recording that goes on is not mended by another server", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, []);
  await grown(file);
  await using other = await startServer(["--record", file]);
  await pause(1);
  other.server.signal("SIGTERM");
  const { stdout, stderr } = await other.server.exits(0);
  assert(!/mended/.test(stdout + stderr), stdout + stderr);
  client.signal("SIGTERM");
  await client.exits(0);
  await called.server.exits(0);
  assertGreater((await probe(file)).frames, 20);
}, options);

test("a server that is killed leaves no process behind", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using screen = await Screen.open(DEFAULT_FORMAT);
  await using called = await startServer(["--record", file], { env: { DISPLAY: screen.display } });
  await using client = startClient(called.port, ["--duration", "20"]);
  await grown(file);
  await screen.window("RECEBENDO VIDEO (CLIENTE)");
  called.server.signal("SIGKILL");
  await client.exits(3);
  await until(
    "the end of the recorder",
    async () => (await processesNaming(`file:${file}`)).length === 0 ? true : undefined,
  );
  await until("the end of the window", async () => {
    const windows = await screen.do("search", "--name", "RECEBENDO");
    return windows.trim() === "" ? true : undefined;
  });
  const { seconds, frames } = await probe(file);
  assertEquals(seconds, frames / 20);
}, options);

test("a recorder that stops for 3 s loses nothing", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  const input = await numberedInput(folder.path, 120);
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, ["--input", input]);
  await grown(file, 10_000);
  const recorder = await recorderOf(file);
  Deno.kill(recorder, "SIGSTOP");
  await pause(3);
  Deno.kill(recorder, "SIGCONT");
  await client.exits(0);
  await called.server.exits(0);
  assertEquals(await readNumbers(file), Array.from({ length: 120 }, (_, n) => n));
}, options);

test(
  "a window that stops for 3 s shows the present afterwards, and the recording does not notice",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const input = await numberedInput(folder.path, 160);
    await using screen = await Screen.open(DEFAULT_FORMAT);
    await using called = await startServer(["--record", file], {
      env: { DISPLAY: screen.display },
    });
    await using client = startClient(called.port, ["--input", input]);
    const first = await screen.picture();
    const startMs = performance.now();
    const window = await screen.window("RECEBENDO VIDEO (CLIENTE)");
    const player = Number(await screen.do("getwindowpid", window));
    Deno.kill(player, "SIGSTOP");
    await pause(3);
    Deno.kill(player, "SIGCONT");
    await pause(0.7);
    const shown = screen.number() ?? (await screen.picture()).number;
    const expected = first.number + (performance.now() - startMs) / 50;
    assertLess(Math.abs(shown - expected), 15, `${shown} is shown, ${expected} is being sent`);
    await client.exits(0);
    await called.server.exits(0);
    assertEquals(await readNumbers(file), Array.from({ length: 160 }, (_, n) => n));
  },
  options,
);

test("a client that sleeps for 3 s goes on, and the recording keeps the time", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, ["--duration", "7"]);
  await grown(file, 20_000);
  client.signal("SIGSTOP");
  await pause(3);
  client.signal("SIGCONT");
  await client.exits(0);
  await called.server.exits(0);
  assertLess(Math.abs((await probe(file)).seconds - 7), 0.35);
}, options);

test("a client that sleeps for 10 s is a loss at both ends", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, []);
  await grown(file);
  client.signal("SIGSTOP");
  const { stdout } = await called.server.exits(3);
  assertStringIncludes(stdout, "nothing came");
  client.signal("SIGCONT");
  await client.exits(3);
  assertGreater((await probe(file)).frames, 5);
}, options);

test(
  "a disk that fills is told at once; the call goes on, and what is on the disk plays",
  async () => {
    await using folder = await temporaryFolder();
    const disk = `${folder.path}/disk`;
    await Deno.mkdir(disk);
    const mount = new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=400k", "tmpfs", disk],
      stderr: "null",
    });
    assert((await mount.output()).success);
    try {
      await using called = await startServer(["--record", `${disk}/video.avi`]);
      await using client = startClient(called.port, ["--duration", "8"]);
      await called.server.says(/The recording stopped \(.*No space left on device.*\)/);
      await client.exits(0);
      const { stderr } = await called.server.exits(1);
      assertStringIncludes(stderr, "The recording is not whole");
      assertGreater((await probe(`${disk}/video.avi`)).frames, 20);
    } finally {
      await new Deno.Command("umount", { args: [disk] }).output();
    }
  },
  { ignore: options.ignore || Deno.uid() !== 0 },
);

test("without ffmpeg neither program starts, without ffplay the call goes on unseen", async () => {
  await using folder = await temporaryFolder();
  const line = ["--host", "127.0.0.1", "--port", "0"];
  const nothing = { env: { PATH: folder.path } };
  await using server = new Running(commandLine("server", line), nothing);
  assertStringIncludes((await server.exits(1)).stderr, "ffmpeg is not installed: sudo apt install");
  await using client = startClient(9, [], nothing);
  assertStringIncludes((await client.exits(1)).stderr, "ffmpeg is not installed: sudo apt install");

  const which = new Deno.Command("sh", { args: ["-c", "command -v ffmpeg"] });
  const ffmpeg = new TextDecoder().decode((await which.output()).stdout).trim();
  await Deno.symlink(ffmpeg, `${folder.path}/ffmpeg`);
  await using screen = await Screen.open(DEFAULT_FORMAT);
  await using called = await startServer(["--record", `${folder.path}/video.avi`], {
    env: { PATH: folder.path, DISPLAY: screen.display },
  });
  await using caller = startClient(called.port, ["--duration", "1"]);
  await caller.exits(0);
  const { stderr } = await called.server.exits(0);
  assertStringIncludes(stderr, "ffplay is not installed: the call goes on without a window");
}, options);
