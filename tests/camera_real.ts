/**
 * A call with a real camera (`deno task test:camera`): this machine's own, or that of another
 * machine. `CAMERA_RUN` then names a command that runs a command line there. That machine needs
 * this folder at the same path, for instance on a shared disk. If it reaches this machine, the
 * server runs here; otherwise the whole call is made there. `CAMERA_HOST` is the address for that.
 * 127.0.0.1 and 10.0.2.2, qemu's address of the machine around it, are tried without it.
 */

// deno-lint-ignore-file no-console

import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  commandLine,
  type Outcome,
  probe,
  Running,
  startServer,
  temporaryFolder,
} from "./harness.ts";
import { test } from "./strict.ts";

/** Seconds of a call, and milliseconds that a machine may take that has to boot first. */
const SECONDS = 8;
const PATIENCE_MS = 240_000;

const run = Deno.env.get("CAMERA_RUN");
const hosts = Deno.env.get("CAMERA_HOST") ?? "127.0.0.1 10.0.2.2";

/** An address within the camera's machine, for calls that do not leave it. */
const NOWHERE = ["--host", "127.0.0.1", "--port", "9"];

/** Runs a command line on the camera's machine, and waits for its end. */
async function atCamera(line: string): Promise<Outcome> {
  await using running = new Running(["sh", "-c", run ? `${run} ${quoted(line)}` : line]);
  const timer = setTimeout(() => running.signal("SIGTERM"), PATIENCE_MS);
  const outcome = await running.ended;
  clearTimeout(timer);
  return outcome;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function shellLine(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

/**
 * Lines that find an address under which this machine is reached from there, as `$host`. It is
 * empty if there is none.
 */
function findHost(port: number): string {
  return `host=; for h in ${hosts}; do
    if timeout 3 bash -c "exec 3<>/dev/tcp/$h/${port}" 2>/dev/null; then host=$h; break; fi; done`;
}

test("a call with a real camera: its pictures arrive, move, and are recorded at true speed", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startServer(["--record", file, "--stay"]);
  const options = ["--port", String(called.port), "--no-display", "--duration", String(SECONDS)];
  const send = `${shellLine(commandLine("client", options))} --host "$host"`;
  const { code, stdout, stderr } = await atCamera(`
    ${shellLine(commandLine("client", ["--list-cameras"]))}
    ${findHost(called.port)}
    test -n "$host" || exit 75
    ${send}`);
  console.log(stdout + stderr);
  if (code === 75) {
    console.log("This machine is not reached from there: the whole call is made there.");
    await callThere();
    return;
  }
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "Cameras:");
  assertStringIncludes(stdout, "Call ended by the CLIENT");
  await called.server.says(/Call ended by the CLIENT/);
  called.server.signal("SIGTERM");
  await called.server.exits(0);
  console.log(called.server.stdout);
  const { codec, tag, frames, seconds } = await probe(file);
  assertEquals(`${codec} ${tag}`, "mpeg4 XVID");
  assert(Math.abs(seconds - SECONDS) <= SECONDS * 0.05, `${seconds} s recorded of ${SECONDS}`);
  const distinct = await distinctFrames(file);
  console.log(
    `${frames} frames in ${seconds} s, ${distinct} of them different from the one before`,
  );
  assertGreater(distinct, frames / 2);
});

test("a camera that is not there, in use, or not ours to use is named with the cure", async () => {
  const call = (camera: string): string =>
    shellLine(commandLine("client", [...NOWHERE, "--camera", camera, "--no-display"]));
  // A listener is there, so that the failure is the camera's.
  const { stdout, stderr } = await atCamera(`
    ${shellLine(commandLine("server", [...NOWHERE, "--no-record", "--no-display"]))} \
      >/dev/null 2>&1 & server=$!
    sleep 5
    ${call("97")}; echo missing:$?
    DENO_DIR=$(mktemp -d) && chmod 777 "$DENO_DIR" && export DENO_DIR
    setpriv --reuid 65534 --clear-groups ${call("0")}; echo forbidden:$?
    ffmpeg -nostdin -loglevel quiet -f v4l2 -i /dev/video0 -f null - & holder=$!
    sleep 6
    ${call("0")}; echo busy:$?
    kill $holder $server; wait`);
  console.log(stdout + stderr);
  for (const what of ["missing:1", "forbidden:1", "busy:1"]) assertStringIncludes(stdout, what);
  assertStringIncludes(stderr, "was not found");
  assertStringIncludes(stderr, "may not be used: on Linux, join the group video");
  assertStringIncludes(stderr, "in use by another program");
});

test("a camera that is unplugged in the middle ends the call at both ends, and the recording is whole", async () => {
  const server = [...NOWHERE, "--record", "video.avi", "--no-display"];
  const { code, stdout, stderr } = await atCamera(`
    # Only a driver made for tests can be unplugged by a command.
    v4l2-ctl -d /dev/video0 --list-ctrls 2>/dev/null | grep -q disconnect || exit 75
    project=$PWD; cd $(mktemp -d)
    ${shellLine(commandLine("server", server))} & server=$!
    sleep 8
    (cd $project && exec ${shellLine(commandLine("client", [...NOWHERE, "--no-display"]))}) \
      >client.txt 2>&1 & client=$!
    for second in $(seq 60); do grep -q 'IN A CALL' client.txt && break; sleep 1; done
    sleep 5
    v4l2-ctl -d /dev/video0 -c disconnect=1
    wait $client; echo client:$?
    wait $server; echo server:$?
    cat client.txt
    ffprobe -v error -count_frames -show_entries stream=nb_read_frames,duration -of compact video.avi`);
  console.log(stdout + stderr);
  if (code === 75) {
    console.log("No camera here can be unplugged by a command: not tried.");
    return;
  }
  assertStringIncludes(stdout, "client:1");
  assertStringIncludes(stdout, "server:0");
  assertMatch(stdout, /stopped giving pictures.*was it unplugged\?/);
  const [, recorded] = /Recorded \S+, ([\d,]+) frames/.exec(stdout)!;
  const [, duration, frames] = /duration=([\d.]+)\|nb_read_frames=(\d+)/.exec(stdout)!;
  assertEquals(frames, recorded!.replace(",", ""));
  assertGreater(Number(duration), 3);
});

/** Has the whole call on the camera's machine. ffprobe tells the content of its recording there. */
async function callThere(): Promise<void> {
  const server = ["--host", "127.0.0.1", "--port", "8080", "--record", "$folder/video.avi"];
  const client = ["--host", "127.0.0.1", "--no-display", "--duration", String(SECONDS)];
  const { stdout, stderr } = await atCamera(`
    folder=$(mktemp -d)
    ${
    shellLine(commandLine("server", [...server, "--no-display"])).replace(
      "'$folder/video.avi'",
      '"$folder/video.avi"',
    )
  } & server=$!
    sleep 8
    ${shellLine(commandLine("client", client))}; echo client:$?
    wait $server; echo server:$?
    ffprobe -v error -count_frames -show_entries stream=codec_tag_string,nb_read_frames,duration -of compact "$folder/video.avi"`);
  console.log(stdout + stderr);
  assertStringIncludes(stdout, "client:0");
  assertStringIncludes(stdout, "server:0");
  const [, seconds] = /codec_tag_string=XVID\|duration=([\d.]+)/.exec(stdout) ?? [];
  assert(Math.abs(Number(seconds) - SECONDS) <= SECONDS * 0.1, `${seconds} s of ${SECONDS}`);
}

/** The number of frames of a file that differ visibly from the one before. */
async function distinctFrames(path: string): Promise<number> {
  const { stderr } = await new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostats", "-i", path, "-vf", "mpdecimate,showinfo", "-f", "null", "-"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return new TextDecoder().decode(stderr).match(/ n: *\d+ /g)?.length ?? 0;
}
