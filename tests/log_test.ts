/**
 * Words on their way out: their order, their bound, and programs whose terminal or pipe has stopped
 * reading.
 */

import { assert, assertEquals, assertGreaterOrEqual, assertMatch } from "@std/assert";
import { Log } from "../lib/user/log.ts";
import type { WordStream } from "../lib/user/outlet.ts";
import { freePort, untilListening } from "../scripts/kit/port.ts";
import {
  commandLine,
  probe,
  Running,
  startClient,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { test } from "./strict.ts";

const ERASE = "\r\x1b[K";

/** A stream that keeps the bytes written to it, and can be stopped. */
class FakeStream implements WordStream {
  text = "";
  /** Writes that are under way. */
  pending = 0;
  /** Bytes that it takes at once. */
  most = Infinity;
  error: Error | undefined;
  readonly #terminal: boolean;
  #stopped: PromiseWithResolvers<void> | undefined;

  constructor({ terminal = false } = {}) {
    this.#terminal = terminal;
  }

  isTerminal(): boolean {
    return this.#terminal;
  }

  stop(): void {
    this.#stopped = Promise.withResolvers();
  }

  goOn(): void {
    this.#stopped?.resolve();
    this.#stopped = undefined;
  }

  async write(data: Uint8Array): Promise<number> {
    this.pending++;
    assertEquals(this.pending, 1, "two writes are under way at a time");
    await this.#stopped?.promise;
    this.pending--;
    if (this.error) throw this.error;
    const taken = data.subarray(0, this.most);
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

function dropped(lines: number): string {
  return `${lines} dropped`;
}

function terminalLog(): { log: Log; screen: FakeStream } {
  // One screen, like that of a terminal for both streams.
  const screen = new FakeStream({ terminal: true });
  const options = { quiet: false, verbose: true, trace: false, dropped };
  return { log: new Log(options, { stdout: screen, stderr: screen }), screen };
}

function pipedLog(): { log: Log; stdout: FakeStream; stderr: FakeStream } {
  const [stdout, stderr] = [new FakeStream(), new FakeStream()];
  return {
    log: new Log({ quiet: false, verbose: true, trace: false, dropped }, { stdout, stderr }),
    stdout,
    stderr,
  };
}

test("Log keeps sentences in their order on a terminal, the live line always below them", async () => {
  const { log, screen } = terminalLog();
  log.say("one");
  log.status("00:01");
  await log.close();
  assertEquals(screen.text, "one\n");

  const { log: other, screen: shown } = terminalLog();
  other.status("00:01");
  await settled();
  other.say("one");
  other.warn("two");
  await settled();
  other.status("00:02");
  await settled();
  await other.close();
  assertEquals(shown.text, `00:01${ERASE}one\ntwo\n00:01${ERASE}00:02${ERASE}`);
});

test("Log waits for nobody: of a stopped terminal's live lines the newest one is shown", async () => {
  const { log, screen } = terminalLog();
  screen.stop();
  log.status("00:01");
  await settled();
  for (let second = 2; second < 10_000; second++) log.status(`00:${second}`);
  log.say("hello");
  assertEquals(screen.text, "");
  screen.goOn();
  await settled();
  assertEquals(screen.text, `00:01${ERASE}hello\n00:9999`);
  await log.close();
});

test("Log keeps 64 KiB for a stream that has stopped, drops the oldest, and says so once", async () => {
  const { log, stdout } = pipedLog();
  stdout.stop();
  log.say("first");
  await settled();
  const line = (number: number): string => `${String(number).padStart(6, "0")} ${"x".repeat(92)}`;
  for (let number = 0; number < 2000; number++) log.say(line(number));
  stdout.goOn();
  await log.close();
  const lines = stdout.text.trimEnd().split("\n");
  // 100 bytes a line: 655 of them fit.
  assertEquals(lines.slice(0, 3), ["first", "1345 dropped", line(1345)]);
  assertEquals(lines.length, 2 + 655);
  assertEquals(lines.at(-1), line(1999));
});

test("Log hands on the words of one stream while the other has stopped", async () => {
  const { log, stdout, stderr } = pipedLog();
  stderr.stop();
  log.warn("stuck");
  log.say("goes on");
  await until("the other stream", () => stdout.text !== "" || undefined);
  log.say("and on");
  await settled();
  assertEquals([stdout.text, stderr.text], ["goes on\nand on\n", ""]);
  log.warn("stuck, too");
  stderr.goOn();
  await log.close();
  assertEquals(stderr.text, "stuck\nstuck, too\n");
});

test("Log keeps the order of both streams, which may lead to one file", async () => {
  const { log, stdout, stderr } = pipedLog();
  const written: string[] = [];
  for (const stream of [stdout, stderr]) {
    const write = stream.write.bind(stream);
    stream.write = (data): Promise<number> => {
      written.push(new TextDecoder().decode(data));
      return write(data);
    };
  }
  for (const text of ["one", "two"]) {
    log.say(text);
    log.warn(`${text}!`);
  }
  await log.close();
  assertEquals(written, ["one\n", "one!\n", "two\n", "two!\n"]);
});

test("Log clears the live line for a sentence that goes into a pipe", async () => {
  const [stdout, stderr] = [new FakeStream(), new FakeStream({ terminal: true })];
  const log = new Log({ quiet: false, verbose: false, trace: false, dropped }, { stdout, stderr });
  log.status("00:01");
  await settled();
  log.say("hello");
  await settled();
  log.status("00:02");
  await settled();
  await log.close();
  assertEquals([stdout.text, stderr.text], ["hello\n", `00:01${ERASE}00:02${ERASE}`]);
});

test("Log hands sentences into a pipe while the screen of the live line has stopped", async () => {
  const [stdout, stderr] = [new FakeStream(), new FakeStream({ terminal: true })];
  const options = { quiet: false, verbose: false, trace: false, dropped };
  const log = new Log(options, { stdout, stderr });
  log.status("00:01");
  await settled();
  stderr.stop();
  log.status("00:02");
  log.say("one");
  await until("the pipe", () => stdout.text !== "" || undefined);
  log.say("two");
  await settled();
  assertEquals([stdout.text, stderr.text], ["one\ntwo\n", "00:01"]);
  stderr.goOn();
  await log.close();
});

test("Log writes every byte to a stream that takes a few at a time, or none for a while", async () => {
  const { log, stdout } = pipedLog();
  stdout.most = 3;
  const wanted = Array.from({ length: 300 }, (_, number) => `ola ${number}`);
  for (const line of wanted) log.say(line);
  await settled();
  stdout.error = new Deno.errors.WouldBlock();
  log.say("after");
  await settled();
  assertEquals(stdout.text, wanted.map((line) => `${line}\n`).join(""));
  stdout.error = undefined;
  await log.close();
  assertEquals(stdout.text, [...wanted, "after"].map((line) => `${line}\n`).join(""));
});

test("Log is silent where nobody reads any more", async () => {
  const { log, stdout, stderr } = pipedLog();
  stdout.error = new Deno.errors.BrokenPipe();
  log.say("hello");
  log.warn("careful");
  await log.close();
  assertEquals([stdout.text, stderr.text], ["", "careful\n"]);
});

test("Log gives the last words a second to leave, and no more", async () => {
  const { log, stdout } = pipedLog();
  stdout.stop();
  log.say("hello");
  const startMs = performance.now();
  await log.close();
  assert(performance.now() - startMs >= 900);
  stdout.goOn();
  await settled();
  assertEquals(stdout.text, "hello\n");
});

/** Lets everything happen that waits for nothing. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

/** Runs a command on a full terminal or pipe that nobody reads. Its status is the command's. */
const STOPPED = String.raw`
import fcntl, os, signal, sys, termios
kind, *command = sys.argv[1:]
if kind == "terminal":
    unread, end = os.openpty()
    filling = os.open(os.ttyname(end), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
else:
    unread, end = os.pipe()
    filling = os.open(f"/proc/self/fd/{end}", os.O_WRONLY | os.O_NONBLOCK)
for size in (4096, 1):
    try:
        while True:
            os.write(filling, b"." * size)
    except BlockingIOError:
        pass
os.close(filling)
pid = os.fork()
if pid == 0:
    os.setsid()
    os.dup2(end if kind == "terminal" else os.open(os.devnull, os.O_RDONLY), 0)
    if kind == "terminal":
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.dup2(end, 1)
    os.dup2(end, 2)
    os.execvp(command[0], command)
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

const onLinux = { ignore: Deno.build.os !== "linux" };

for (const kind of ["terminal", "pipe"] as const) {
  const inside = ["python3", "-c", STOPPED, kind];

  test(`a server whose ${kind} has stopped answers, records and ends`, async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const port = freePort();
    const args = ["--host", "127.0.0.1", "--port", String(port), "--record", file, "--no-display"];
    await using server = new Running(commandLine("server", [...args, "--verbose"]), { inside });
    await untilListening(port);
    await using client = startClient(port, ["--duration", "2", "--no-display"]);
    const { stdout } = await client.exits(0);
    const [, sent] = /Sent .*, (\d+) frames, \d+ dropped/.exec(stdout)!;
    await server.exits(0);
    assertGreaterOrEqual((await probe(file)).frames, Number(sent));
  }, { ...onLinux, slow: true });

  test(`a client whose ${kind} has stopped sends, and ends when it is told to`, async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    await using called = await startServer(["--record", file]);
    await using client = startClient(called.port, ["--no-display"], { inside });
    await called.server.says(/CONNECTION RECEIVED/);
    // Live lines become due in that time.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    client.signal("SIGTERM");
    await client.exits(0);
    const { stdout } = await called.server.exits(0);
    assertMatch(stdout, / lost[^]*Call ended by the CLIENT/);
    assert((await probe(file)).frames >= 30);
  }, { ...onLinux, slow: true });

  test(`a program whose ${kind} has stopped keeps its exit status`, async () => {
    await using unknown = new Running(commandLine("client", ["--unknown"]), { inside });
    await unknown.exits(2);
    const nobody = ["--host", "127.0.0.1", "--port", String(freePort()), "--input", "test"];
    await using alone = new Running(commandLine("client", nobody), { inside });
    await alone.exits(1);
  }, { ...onLinux, slow: true });
}

test(
  "every word of --help goes through a pipe, and a reader that leaves early is no error",
  async () => {
    const shell = ["sh", "-c", '"$@" | cat', "sh"];
    await using whole = new Running(commandLine("server", ["--help"]), { inside: shell });
    assertMatch((await whole.exits(0)).stdout, /^Answers .*\n[^]*silent for too long\n$/);
    const early = ["sh", "-c", '{ "$@"; echo "status $?" >&2; } | head -n 1', "sh"];
    await using first = new Running(commandLine("server", ["--help"]), { inside: early });
    const { stdout, stderr } = await first.exits(0);
    assertEquals(stdout.split("\n").length, 2);
    assertEquals(stderr, "status 0\n");
  },
  { ignore: Deno.build.os === "windows" },
);
