/** `--verbose` and `--trace`: the words for somebody who looks for a fault. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { type ChildWatch, openChild, readCommand, shellLine } from "../lib/media/child.ts";
import { startClient, startServer, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

const onLinux = { ignore: Deno.build.os !== "linux" };

/** Keeps the news of children, without ids. */
class Heard implements ChildWatch {
  readonly lines: string[] = [];

  started(child: string, words: readonly string[]): void {
    this.#keep(child, words.join("|"));
  }

  said(child: string, line: string): void {
    this.#keep(child, line);
  }

  ended(child: string, code: number): void {
    this.#keep(child, String(code));
  }

  #keep(child: string, text: string): void {
    this.lines.push(`${child.replace(/ \d+$/, "")}: ${text}`);
  }
}

test("a child's start, its lines and its end are told to whoever watches", async () => {
  const watch = new Heard();
  const args = ["-c", "echo one >&2; echo two >&2; exit 3"];
  await using child = openChild({ command: "sh", args, flow: "none", env: { A: "b c" }, watch });
  await child.ended;
  const all = [`sh: A=b c|sh|-c|${args[1]}`, "sh: one", "sh: two", "sh: 3"];
  assertEquals(watch.lines, all);
  watch.lines.length = 0;
  await readCommand("sh", args, 30_000, { env: { A: "b c" }, watch });
  assertEquals(watch.lines, all);
}, onLinux);

test("shellLine: what it gives is read by a shell as the words that it was given", async () => {
  const words = ["a", "it's", "", '$HOME `x` "y" \\', "*", "select='if(1,2)'", "two\nlines", "ç"];
  const line = shellLine(["printf", "%s|", ...words], "linux");
  const { text } = await readCommand("sh", ["-c", line], 30_000);
  assertEquals(text, words.map((word) => `${word}|`).join(""));
}, onLinux);

test("shellLine: words of Windows stand in double quotes", () => {
  const line = shellLine(["ffmpeg", "-i", "video=HD Camera", '-vf "x"'], "windows");
  assertEquals(line, 'ffmpeg -i "video=HD Camera" "-vf \\"x\\""');
});

test("--verbose shows versions, children with what they say, and no single frame", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/it's.avi`;
  await using called = await startServer(["--record", file, "--verbose"]);
  await using client = startClient(called.port, ["--duration", "1", "--verbose"]);
  const [caller, server] = [(await client.exits(0)).stderr, (await called.server.exits(0)).stderr];
  for (const [program, text] of [["client", caller], ["server", server]] as const) {
    const versions = `[${program}] chamada ${config.version}, deno ${Deno.version.deno}, `;
    assert(text.includes(versions + Deno.build.target), text);
    assertMatch(text, new RegExp(`^\\[${program}\\] ffmpeg \\S+$`, "m"));
    assert(!/^\[frame\]/m.test(text), text);
  }
  assertMatch(server, /^\[ffmpeg \d+\] ffmpeg .* 'file:.*\/it'\\''s\.avi'$/m);
  const [, pid] = /^\[ffmpeg (\d+)\] ffmpeg .* -f lavfi -i testsrc2=.* pipe:1$/m.exec(caller)!;
  assertMatch(caller, new RegExp(`^\\[ffmpeg ${pid}\\] .*Input #0, lavfi`, "m"));
  assertMatch(caller, new RegExp(`^\\[ffmpeg ${pid}\\] ended with status \\d+$`, "m"));
}, onLinux);

test("--trace shows every frame as well", async () => {
  await using called = await startServer(["--no-record", "--trace"]);
  await using client = startClient(called.port, ["--duration", "1"]);
  const [, sent] = /Sent .*, (\d+) frames/.exec((await client.exits(0)).stdout)!;
  const { stderr } = await called.server.exits(0);
  assertEquals(stderr.match(/^\[frame\] \d+ at \d+ ms, -?\d+ ms old$/gm)?.length, Number(sent));
  assertMatch(stderr, /^\[server\] chamada /m);
});

test("--verbose shows each way that was tried to open a camera", async () => {
  await using folder = await temporaryFolder();
  // A camera that refuses every rate. It gives a picture if it is asked for none.
  const script = `#!/bin/sh
PATH=\${PATH#*:}
case "$*" in
  *-version* | *-encoders*) exec ffmpeg "$@" ;;
  *-framerate*)
    echo "/dev/video7: Invalid argument" >&2
    exit 1 ;;
esac
while [ "$1" != -an ]; do shift; done
exec ffmpeg -nostdin -loglevel warning -f lavfi -i testsrc2=size=320x240:rate=20 "$@"
`;
  await Deno.writeTextFile(`${folder.path}/ffmpeg`, script, { mode: 0o755 });
  const env = { PATH: `${folder.path}:${Deno.env.get("PATH")}` };
  await using called = await startServer(["--no-record"]);
  const args = ["--camera", "7", "--duration", "1", "--verbose"];
  await using client = startClient(called.port, args, { env });
  const { stderr } = await client.exits(0);
  await called.server.exits(0);
  const ways = [...stderr.matchAll(/^\[source\] way (\d) of 3, (.*?): (\w+)/gm)]
    .map(([, number, words, outcome]) => [number, words, outcome]);
  const asked = "-framerate 20 -video_size 320x240 -i /dev/video7";
  assertEquals(ways, [
    ["1", `-f v4l2 ${asked}`, "unreadable"],
    ["2", `-f v4l2 -input_format mjpeg ${asked}`, "unreadable"],
    ["3", "-f v4l2 -i /dev/video7", "opened"],
  ]);
}, onLinux);
