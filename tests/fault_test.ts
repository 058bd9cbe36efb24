/**
 * Faults in the middle of a call, made for real: processes killed and stopped, disks filled,
 * programs missing.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import {
  commandLine,
  probe,
  processesNaming,
  residentBytes,
  Running,
  startClient,
  type StartOptions,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { assertAllSent, readNumbers, writeNumbers } from "./numbered.ts";
import { Screen } from "./screen.ts";
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

/** The sequence of the last frame that a tracing server says it has taken. */
function lastTaken(server: Running): number {
  const [, number] = server.stderr.matchAll(/^\[frame\] (\d+) at/gm).toArray().at(-1) ?? [];
  return Number(number ?? -1);
}

/** Waits until a tracing server has taken a frame of that sequence or a later one. */
async function taken(server: Running, number: number): Promise<void> {
  await until(`frame ${number}`, () => lastTaken(server) >= number ? true : undefined);
}

async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  return (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
}

/** Makes a program in a folder, as a script of the shell. */
async function writeProgram(path: string, script: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

async function pathOf(program: string): Promise<string> {
  const command = new Deno.Command("sh", { args: ["-c", `command -v ${program}`] });
  return new TextDecoder().decode((await command.output()).stdout).trim();
}

async function numberedInput(folder: string, count: number): Promise<string> {
  const input = `${folder}/numbers.avi`;
  await writeNumbers(input, Array.from({ length: count }, (_, n) => n), DEFAULT_FORMAT);
  return input;
}

test(
  "a client that is killed does not end a server that stays: the next one is recorded",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    await using called = await startServer(["--record", file, "--stay", "--trace"]);
    {
      await using client = startClient(called.port, []);
      await taken(called.server, 20);
      client.signal("SIGKILL");
      await called.server.says(/The CLIENT was lost: the connection/);
    }
    const [, frames, lost] = /Recorded \S+, (\d+) frames, (\d+) lost/.exec(called.server.stdout)!;
    assertGreaterOrEqual(Number(frames) + Number(lost), lastTaken(called.server) + 1);
    assertEquals((await probe(file)).frames, Number(frames));
    await using next = startClient(called.port, ["--duration", "1"]);
    await next.exits(0);
    await called.server.says(/Call ended by the CLIENT/);
    called.server.signal("SIGTERM");
    await called.server.exits(0);
    assertEquals((await probe(`${folder.path}/video-2.avi`)).frames, 20);
  },
  options,
);

test(
  "the recorder is killed: told at once and at the end, it goes on in another file, both play, exit 1",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    await using called = await startServer(["--record", file, "--trace"]);
    await using client = startClient(called.port, []);
    // An ffmpeg that fails sooner after its start is not followed by another.
    await taken(called.server, 50);
    const atKill = lastTaken(called.server);
    Deno.kill(await recorderOf(file), "SIGKILL");
    await called.server.says(/The recording stopped .*The call goes on/);
    const next = `${folder.path}/video-2.avi`;
    await grown(next, 10_000);
    await taken(called.server, lastTaken(called.server) + 10);
    client.signal("SIGINT");
    await client.exits(0);
    const { stdout, stderr } = await called.server.exits(1);
    assertStringIncludes(stderr, "The recording is not whole");
    for (const one of [file, next]) assertMatch(stdout, new RegExp(`Recorded .* lost: ${one} `));
    assertGreaterOrEqual((await probe(file)).frames, atKill + 1 - 2);
    const counted = stdout.matchAll(/Recorded \S+, (\d+) frames/g).map(([, n]) => Number(n));
    const inFiles = [(await probe(file)).frames, (await probe(next)).frames];
    assertEquals(inFiles[1], [...counted][1]);
    const all = inFiles[0]! + inFiles[1]!;
    assertLessOrEqual(Math.abs(all - lastTaken(called.server) - 1), 5);
  },
  options,
);

test(
  "server and recorder are killed at once: the file plays, and the next start mends its index",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    let atKill: number;
    {
      await using called = await startServer(["--record", file, "--trace"]);
      await using client = startClient(called.port, []);
      await taken(called.server, 40);
      const recorder = await recorderOf(file);
      atKill = lastTaken(called.server);
      // In this order: a recorder that sees its server go finishes the file within milliseconds.
      Deno.kill(recorder, "SIGKILL");
      called.server.signal("SIGKILL");
      await called.server.ended;
      await client.exits(3);
    }
    const { frames, seconds } = await probe(file);
    assertGreaterOrEqual(frames, atKill + 1 - 4, "more than 0.2 s are missing");
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
  { ...options, slow: true },
);

test(
  "what another program is still writing is not mended, and what lies beside it is not touched",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const own = `${file}.mending`;
    await Deno.writeTextFile(own, "mine");
    await using writer = new Running([
      ...["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi"],
      ...["-i", "testsrc2=size=320x240:rate=20", "-t", "9", "-c:v", "mpeg4", file],
    ]);
    await grown(file, 10_000);
    await using called = await startServer(["--record", file, "--stay"]);
    await writer.exits(0);
    assertEquals((await probe(file)).frames, 180);
    called.server.signal("SIGTERM");
    const { stdout, stderr } = await called.server.exits(0);
    assert(!/mended/.test(stdout + stderr), stdout + stderr);
    assertEquals(await Deno.readTextFile(own), "mine");
    assertEquals((await probe(file)).frames, 180);
  },
  { ...options, slow: true },
);

test("a pipe that bears the name of a recording holds nobody up", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  assert(await succeeds("mkfifo", file));
  await using called = await startServer(["--record", file]);
  await using client = startClient(called.port, ["--duration", "1"]);
  await client.exits(0);
  await called.server.exits(0);
  assertEquals((await probe(`${folder.path}/video-2.avi`)).frames, 20);
}, options);

test("a server that is killed leaves no process behind, and the client says so", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using screen = await Screen.forTwo(DEFAULT_FORMAT);
  await using called = await startServer(["--record", file], { env: { DISPLAY: screen.display } });
  await using client = startClient(called.port, ["--duration", "20"]);
  await grown(file);
  const window = await screen.window("RECEBENDO VIDEO (CLIENTE)");
  const player = Number(await screen.do("getwindowpid", window));
  const killedMs = performance.now();
  called.server.signal("SIGKILL");
  const { stdout } = await client.exits(3);
  assertStringIncludes(stdout, "The HOST was lost");
  assertLess(performance.now() - killedMs, 6000);
  await until("the end of the recorder and of the window", async () => {
    const recorders = await processesNaming(`file:${file}`);
    const windows = await processesNaming("RECEBENDO");
    return recorders.length > 0 || windows.includes(player) ? undefined : true;
  });
  // Three seconds, and the delay of a busy machine on top.
  assertLess(performance.now() - killedMs, 6000);
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
  const sent = await client.exits(0);
  await called.server.exits(0);
  assertAllSent(await readNumbers(file), 120, sent);
}, { ...options, slow: true });

test(
  "a recorder that stops for longer than frames can wait: said once, counted, memory bounded, true speed",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const format = { ...DEFAULT_FORMAT, width: 640, height: 480 };
    const input = `${folder.path}/numbers.avi`;
    await writeNumbers(input, Array.from({ length: 240 }, (_, n) => n), format);
    await using called = await startServer(["--record", file, "--trace"]);
    await using client = startClient(called.port, ["--input", input, "--size", "640x480"]);
    await grown(file, 20_000);
    const recorder = await recorderOf(file);
    Deno.kill(recorder, "SIGSTOP");
    // 64 MiB are 73 pictures, and a few more are in the pipe.
    await called.server.says(/The recorder cannot keep up/);
    await taken(called.server, lastTaken(called.server) + 40);
    const during = await residentBytes(called.server.pid);
    Deno.kill(recorder, "SIGCONT");
    await client.exits(0);
    const { stdout, stderr } = await called.server.exits(0);
    assertEquals(stderr.match(/cannot keep up/g)?.length, 1);
    assertLess(during, 250e6);
    const [, lost] = /(\d+) lost/.exec(stdout)!;
    assertGreater(Number(lost), 20);
    const numbers = await readNumbers(file);
    assertEquals(new Set(numbers).size + Number(lost), 240);
    assertEquals(numbers, numbers.toSorted((a, b) => a - b));
    assertLess(Math.abs((await probe(file)).seconds - 12), 0.24);
  },
  { ...options, slow: true, quiet: true },
);

test(
  "a window that stops for 3 s shows the present afterwards, and the recording does not notice",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const input = await numberedInput(folder.path, 160);
    await using screen = await Screen.forTwo(DEFAULT_FORMAT);
    await using called = await startServer(["--record", file], {
      env: { DISPLAY: screen.display },
    });
    await using client = startClient(called.port, ["--input", input]);
    const first = await screen.picture();
    const startMs = performance.now();
    const window = await screen.window("RECEBENDO VIDEO (CLIENTE)");
    const player = Number(await screen.do("getwindowpid", window));
    const before = await residentBytes(called.server.pid);
    Deno.kill(player, "SIGSTOP");
    await pause(3);
    assertLess(await residentBytes(called.server.pid) - before, 50e6);
    Deno.kill(player, "SIGCONT");
    const continuedMs = performance.now();
    await until("the present on the screen", () => {
      const expected = first.number + (performance.now() - startMs) / 50;
      return Math.abs((screen.number() ?? -100) - expected) < 15 ? true : undefined;
    });
    assertLess(performance.now() - continuedMs, 3000);
    const sent = await client.exits(0);
    await called.server.exits(0);
    assertAllSent(await readNumbers(file), 160, sent);
  },
  { ...options, slow: true },
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
}, { ...options, slow: true });

test("a client that sleeps for longer than the patience is a loss at both ends", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file, "--patience", "2"]);
  await using client = startClient(called.port, []);
  await grown(file);
  client.signal("SIGSTOP");
  const { stdout } = await called.server.exits(3);
  assertStringIncludes(stdout, "The CLIENT was lost: the network did not come back in time.");
  client.signal("SIGCONT");
  await client.exits(3);
  assertGreater((await probe(file)).frames, 5);
}, { ...options, slow: true });

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
  { ignore: options.ignore || Deno.uid() !== 0, slow: true },
);

test("without ffmpeg neither program starts, without ffplay the call goes on unseen", async () => {
  await using folder = await temporaryFolder();
  const line = ["--host", "127.0.0.1", "--port", "0"];
  const nothing = { env: { PATH: folder.path } };
  await using server = new Running(commandLine("server", line), nothing);
  assertStringIncludes((await server.exits(1)).stderr, "ffmpeg is not installed: sudo apt install");
  await using client = startClient(9, [], nothing);
  assertStringIncludes((await client.exits(1)).stderr, "ffmpeg is not installed: sudo apt install");

  await Deno.symlink(await pathOf("ffmpeg"), `${folder.path}/ffmpeg`);
  await using screen = await Screen.forTwo(DEFAULT_FORMAT);
  await using called = await startServer(["--record", `${folder.path}/video.avi`], {
    env: { PATH: folder.path, DISPLAY: screen.display },
  });
  await using caller = startClient(called.port, ["--duration", "1"]);
  await caller.exits(0);
  const { stderr } = await called.server.exits(0);
  assertStringIncludes(stderr, "ffplay is not installed: the call goes on without a window");
}, options);

test("an ffmpeg that is too old, or lacks an encoder, is named with what to install", async () => {
  await using folder = await temporaryFolder();
  const real = await pathOf("ffmpeg");
  const env = { PATH: `${folder.path}:/usr/bin:/bin` };
  const line = ["--host", "127.0.0.1", "--port", "0", "--no-display"];
  const server = async (): Promise<string> => {
    await using server = new Running(commandLine("server", line), { cwd: folder.path, env });
    return (await server.exits(1)).stderr;
  };
  const client = async (port: number, ...args: string[]): Promise<string> => {
    await using client = startClient(port, ["--no-display", "--duration", "1", ...args], { env });
    const { code, stderr } = await client.ended;
    return `${code} ${stderr}`;
  };

  await writeProgram(`${folder.path}/ffmpeg`, 'echo "ffmpeg version 3.4.2 Copyright" >&2; exit 1');
  assertStringIncludes(await server(), "This ffmpeg (3.4.2) is too old, 4.0 or newer is needed: ");
  await using called = await startServer(["--no-record", "--stay"]);
  assertStringIncludes(await client(called.port), "1 This ffmpeg (3.4.2) is too old");
  const soundOnly = await client(called.port, "--talk", "--no-camera");
  assertStringIncludes(soundOnly, "1 This ffmpeg (3.4.2) is too old");

  const without = (encoder: string): string =>
    `case "$*" in
      *-encoders*) ${real} "$@" 2>&1 | grep -v " ${encoder} " ;;
      *${encoder}*) echo "Unknown encoder '${encoder}'" >&2; exit 1 ;;
      *) exec ${real} "$@" ;;
    esac`;
  await writeProgram(`${folder.path}/ffmpeg`, without("mpeg4"));
  assertStringIncludes(
    await server(),
    "built without the encoder mpeg4; the full one has it: sudo",
  );
  await writeProgram(`${folder.path}/ffmpeg`, without("libx264"));
  assertStringIncludes(
    await client(called.port, "--codec", "h264"),
    "1 This ffmpeg was built with",
  );
  assertEquals(await client(called.port, "--codec", "mjpeg"), "0 ");

  // An ffmpeg before 5.1 has another word for passing frames on. It is asked only after the new
  // word has failed.
  await writeProgram(
    `${folder.path}/ffmpeg`,
    `case "$*" in
      *-encoders*) ${real} "$@" 2>&1 | sed "s/^ffmpeg version [^ ]*/ffmpeg version 4.4.2/" ;;
      *-fps_mode*) echo "Unrecognized option 'fps_mode'." >&2; exit 1 ;;
      *) exec ${real} "$@" ;;
    esac`,
  );
  assertEquals(await client(called.port), "0 ");
  called.server.signal("SIGTERM");
  await called.server.exits(0);
}, options);

test("a window that cannot be started is a warning, and the call goes on", async () => {
  await using folder = await temporaryFolder();
  await Deno.mkdir(`${folder.path}/ffplay`);
  await Deno.symlink(await pathOf("ffmpeg"), `${folder.path}/ffmpeg`);
  await using screen = await Screen.forTwo(DEFAULT_FORMAT);
  await using called = await startServer(["--record", `${folder.path}/video.avi`], {
    env: { DISPLAY: screen.display, PATH: folder.path },
  });
  await using client = startClient(called.port, ["--duration", "1"]);
  await client.exits(0);
  const { stderr } = await called.server.exits(0);
  assertMatch(stderr, /without a window|The window failed/);
  assertEquals((await probe(`${folder.path}/video.avi`)).frames, 20);
}, options);

test("a folder that cannot be written to is refused before anybody is answered", async () => {
  await using folder = await temporaryFolder();
  const disk = `${folder.path}/disk`;
  await Deno.mkdir(disk);
  assert(await succeeds("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk));
  try {
    const args = ["--host", "127.0.0.1", "--port", "0", "--record", `${disk}/video.avi`];
    await using server = new Running(commandLine("server", args));
    const { stdout, stderr } = await server.exits(1);
    assertStringIncludes(stderr, "cannot be written: give a file in a folder of your own");
    assert(!stdout.includes("LISTENING"));
  } finally {
    await succeeds("umount", disk);
  }
}, { ignore: options.ignore || Deno.uid() !== 0 });

test("the password of a stream that does not open is not shown", async () => {
  // A listener is there: the failure is the stream's.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const verbose of [[], ["--verbose"]]) {
    const input = "rtsp://ana:se@same@127.0.0.1:9/door?token=sesame";
    await using client = startClient(listener.addr.port, ["--input", input, ...verbose]);
    const { stdout, stderr } = await client.exits(1);
    assertMatch(stderr, /rtsp:\/\/…@127.*cannot be read .*check --input/);
    assert(!/same/.test(stdout + stderr), stdout + stderr);
  }
});

test(
  "a server that takes one connection and no other has it when there is something to send",
  async () => {
    await using folder = await temporaryFolder();
    await writeProgram(`${folder.path}/ffmpeg`, `sleep 2.5; exec ${await pathOf("ffmpeg")} "$@"`);
    const slow = { env: { PATH: `${folder.path}:/usr/bin:/bin` } };
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using client = startClient(
      listener.addr.port,
      ["--wire", "plain", "--duration", "1"],
      slow,
    );
    const connection = await listener.accept();
    const received = new Response(connection.readable).bytes();
    await client.exits(0);
    assertEquals((await received).length, 20 * (8 + 320 * 240 * 3));
  },
  options,
);

/**
 * The places where Linux keeps a library that changes nothing but a program's time of day, and its
 * loaders.
 */
const LIBRARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
  .map((folder) => `${folder}/faketime/libfaketime.so.1`);
const LOADERS = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

async function firstThere(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await Deno.stat(path).catch(() => undefined)) return path;
  }
  return undefined;
}

const library = await firstThere(LIBRARIES);
const loader = await firstThere(LOADERS);

test(
  "the clock of both machines is set back an hour and forward a day: nothing notices",
  async () => {
    assert(library && loader);
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const time = `${folder.path}/time`;
    await Deno.writeTextFile(time, "+0");
    const input = await numberedInput(folder.path, 120);
    // A Deno with few rights starts no child if the library is in the environment. The loader
    // brings it in.
    const preload = `LD_PRELOAD=${library} exec ${await pathOf("ffmpeg")} "$@"`;
    await writeProgram(`${folder.path}/ffmpeg`, preload);
    const set: StartOptions = {
      inside: [loader, "--preload", library],
      env: {
        ...{ FAKETIME_TIMESTAMP_FILE: time, FAKETIME_NO_CACHE: "1" },
        ...{ FAKETIME_DONT_FAKE_MONOTONIC: "1", PATH: `${folder.path}:/usr/bin:/bin` },
        // It waits in `stat` for a semaphore that is gone when the program ends. That kills one
        // Deno in twenty at its end.
        NO_FAKE_STAT: "1",
      },
    };
    await using called = await startServer(["--record", file, "--trace"], set);
    await using client = startClient(called.port, ["--input", input], set);
    await taken(called.server, 30);
    await Deno.writeTextFile(time, "-1h");
    await taken(called.server, 60);
    await Deno.writeTextFile(time, "+1d");
    const sent = await client.exits(0);
    const { stdout } = await called.server.exits(0);
    assertStringIncludes(stdout, "Recorded 00:00:06, 120 frames");
    assertAllSent(await readNumbers(file), 120, sent);
  },
  { ignore: options.ignore || library === undefined || loader === undefined, slow: true },
);
