/**
 * Child processes: every direction of their bytes, every kind of end, and scripts that only start
 * the real program.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { type Child, type ChildOptions, openChild, readCommand } from "../lib/media/child.ts";
import { within } from "../lib/clock.ts";
import { NotInstalledError } from "../lib/errors.ts";
import { endTree, treeOf } from "../scripts/kit/processes.ts";
import {
  commandLine,
  Running,
  startClient,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { test } from "./strict.ts";

/** The children here are scripts of the shell. Their processes are looked at in /proc. */
const onLinux = { ignore: Deno.build.os !== "linux" };

/** Starts a script of the shell. */
function shell(
  flow: ChildOptions["flow"],
  script: string,
  options: Pick<ChildOptions, "env" | "finishMs" | "onLine"> = {},
): Child {
  return openChild({ command: "sh", args: ["-c", script], flow, ...options });
}

async function textOf(child: Child, length: number): Promise<string | undefined> {
  const bytes = await child.read(new Uint8Array(length));
  return bytes ? new TextDecoder().decode(bytes) : undefined;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Waits until none of these processes is left. */
async function gone(pids: readonly number[]): Promise<void> {
  await until(`the end of ${pids.join(", ")}`, async () => {
    const left = await Promise.all(pids.map((pid) => isRunning(pid)));
    return left.includes(true) ? undefined : true;
  });
}

async function isRunning(pid: number): Promise<boolean> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  return status !== "" && !/^State:\s+Z/m.test(status);
}

test("a feeding child gives exactly what is asked for, and null when it ends before", async () => {
  await using child = shell("feeding", "printf abcdef; sleep 0.1; printf ghi");
  assertEquals(await textOf(child, 2), "ab");
  assertEquals(await textOf(child, 6), "cdefgh");
  assertEquals(await textOf(child, 2), undefined);
  assertEquals(await child.write(bytesOf("x")), false);
  assertEquals(await child.ended, { code: 0, signalled: false, lastLines: [] });
}, onLinux);

test("what a child has written may be read after its end", async () => {
  await using child = shell("feeding", "printf abc");
  await child.ended;
  assertEquals(await textOf(child, 3), "abc");
}, onLinux);

test("a fed child has all that was written when its input ends", async () => {
  await using folder = await temporaryFolder();
  await using child = shell("fed", `cat > ${folder.path}/got`);
  assertEquals(await child.write(bytesOf("one ")), true);
  assertEquals(await child.write(bytesOf("two")), true);
  assertEquals(await child.read(new Uint8Array(1)), null);
  assertEquals((await child.finish(30_000))?.code, 0);
  assertEquals(await Deno.readTextFile(`${folder.path}/got`), "one two");
  assertEquals(await child.write(bytesOf("three")), false);
}, onLinux);

test("a child may be fed and feed at once, more than its pipes hold", async () => {
  await using child = shell("through", "cat");
  const data = new Uint8Array(1_000_000).map((_, at) => at % 251);
  // The write cannot end before somebody reads.
  const writing = child.write(data);
  const got = await child.read(new Uint8Array(data.length));
  assert(got !== null && got.every((byte, at) => byte === data[at]));
  assertEquals(await writing, true);
  const { code } = (await child.finish(30_000))!;
  assertEquals(code, 0);
  assertEquals(await child.read(new Uint8Array(1)), null);
}, onLinux);

test(
  "a child that feeds and is fed is stopped while nobody reads it, and its write is over",
  async () => {
    await using child = shell("through", "exec cat", { finishMs: 60_000 });
    const writing = child.write(new Uint8Array(1_000_000));
    // It is in the middle of it once it has given the first byte.
    assert(await child.read(new Uint8Array(1)));
    // It ends because nobody can read it any more, long before it is sent a signal.
    assert(await within(child.stop(), 30_000));
    assertEquals(await writing, false);
    assertEquals(await child.write(new Uint8Array(1)), false);
    assertEquals(await child.read(new Uint8Array(1)), null);
  },
  onLinux,
);

test("a child that feeds and is fed may say any amount on stderr", async () => {
  await using child = shell("through", "head -c 1000000 /dev/zero | tr '\\0' x >&2; cat");
  assertEquals(await child.write(new Uint8Array([7])), true);
  assertEquals(await child.read(new Uint8Array(1)), new Uint8Array([7]));
}, onLinux);

test("stop ends by SIGKILL a child that feeds and is fed, and hears nothing", async () => {
  await using child = shell("through", "trap '' TERM; printf r; while :; do sleep 0.05; done");
  assert(await child.read(new Uint8Array(1)));
  const { code, signalled } = await child.stop();
  assertEquals([code, signalled], [128 + 9, true]);
}, onLinux);

test("a child that has gone takes no more, and nobody hears of it but who writes", async () => {
  await using child = shell("fed", "exit 3");
  assertEquals((await child.ended).code, 3);
  assertEquals(await child.write(new Uint8Array(1_000_000)), false);
  assertEquals(await child.write(new Uint8Array(1)), false);
}, onLinux);

test("an end by a signal has the status that a shell gives it", async () => {
  await using child = shell("none", "kill -TERM $$");
  assertEquals(await child.ended, { code: 128 + 15, signalled: true, lastLines: [] });
}, onLinux);

test("the last 20 lines of a child are kept, each handed on as it comes", async () => {
  const heard: string[] = [];
  const script = "for i in $(seq 30); do echo $i >&2; done; printf 'a\\rb\\r\\n  \\nlast' >&2";
  await using child = shell("none", script, { onLine: (line) => heard.push(line) });
  const { lastLines } = await child.ended;
  const all = [...Array.from({ length: 30 }, (_, at) => String(at + 1)), "a", "b", "last"];
  assertEquals(heard, all);
  assertEquals(lastLines, all.slice(-20));
}, onLinux);

test("a line is heard before the child ends", async () => {
  const heard = Promise.withResolvers<string>();
  await using child = shell("fed", "echo ready >&2; cat", { onLine: heard.resolve });
  assertEquals(await heard.promise, "ready");
  await child.stop();
}, onLinux);

test("a child may say any amount, in lines of any length", async () => {
  const script = "head -c 9000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2";
  await using child = shell("none", script);
  const { code, lastLines } = await child.ended;
  assertEquals(code, 0);
  assertEquals(lastLines.length, 2);
  assert(lastLines[0]!.length <= 32_768);
  assertEquals(lastLines[1], "end");
}, onLinux);

test("a program that is not there is named", async () => {
  const command = "no-such-program-of-chamada";
  const error = assertThrows(
    () => openChild({ command, args: [], flow: "none" }),
    NotInstalledError,
  );
  assertInstanceOf(error, NotInstalledError);
  assertEquals(error.command, command);
  await assertRejects(() => readCommand(command, [], 1000), NotInstalledError);
});

test("variables are added to those that are there", async () => {
  const env = { CHAMADA_TEST: "a b" };
  await using child = shell("none", 'echo "$CHAMADA_TEST, ${PATH:+path}" >&2', { env });
  assertEquals((await child.ended).lastLines, ["a b, path"]);
  const { text } = await readCommand("sh", ["-c", 'echo "$CHAMADA_TEST"'], 30_000, { env });
  assertEquals(text, "a b\n");
}, onLinux);

test("stop ends a child by the end of its input, and twice is safe", async () => {
  await using child = shell("fed", "cat; echo whole >&2; exit 4");
  const [one, other] = await Promise.all([child.stop(), child.stop()]);
  assertEquals(one, { code: 4, signalled: false, lastLines: ["whole"] });
  assertEquals(other, one);
}, onLinux);

test("stop ends by SIGTERM a child that feeds, so that it can leave in order", async () => {
  const script = "trap 'echo bye >&2; exit 5' TERM; printf ready; while :; do sleep 0.05; done";
  await using child = shell("feeding", script);
  assertEquals(await textOf(child, 5), "ready");
  assertEquals(await child.stop(), { code: 5, signalled: false, lastLines: ["bye"] });
}, onLinux);

test(
  "stop ends by SIGKILL a child that hears neither the end of its input nor SIGTERM",
  async () => {
    const heard = Promise.withResolvers<string>();
    await using child = shell(
      "fed",
      "trap '' TERM; echo ready >&2; while :; do sleep 0.05; done",
      { onLine: heard.resolve },
    );
    await heard.promise;
    const { code, signalled } = await child.stop();
    assertEquals([code, signalled], [128 + 9, true]);
  },
  onLinux,
);

test("a read that waits is over when the child is stopped", async () => {
  await using child = shell("feeding", "exec sleep 60");
  const reading = child.read(new Uint8Array(1));
  await child.stop();
  assertEquals(await reading, null);
}, onLinux);

test("a script that started another program ends without it, its last lines kept", async () => {
  // The streams of the script that the real program holds.
  for (const flow of ["none", "fed", "feeding"] as const) {
    const started = Promise.withResolvers<string>();
    await using child = shell(flow, "sleep 60 & echo $! >&2; exit 6", { onLine: started.resolve });
    const other = await started.promise;
    try {
      const end = await within(child.ended, 20_000);
      assertEquals(end, { code: 6, signalled: false, lastLines: [other] }, flow);
      assertEquals((await child.stop()).code, 6);
    } finally {
      endTree([Number(other)]);
    }
  }
}, onLinux);

test(
  "a script that waits for another program is stopped, and that one cannot feed us",
  async () => {
    const heard = Promise.withResolvers<string>();
    await using child = shell("feeding", "echo ready >&2; yes; :", { onLine: heard.resolve });
    await heard.promise;
    const tree = await until("yes", async () => {
      const pids = await treeOf(child.pid);
      return pids.length === 2 ? pids : undefined;
    });
    assertEquals((await child.read(new Uint8Array(4)))?.length, 4);
    await child.stop();
    // Its pipe is closed: it has ended by itself.
    await gone(tree);
  },
  onLinux,
);

test("a write that is stuck in a pipe is given up when the child has ended", async () => {
  const heard = Promise.withResolvers<string>();
  await using child = shell("fed", "sleep 60 <&0 & echo $! >&2; wait", {
    onLine: heard.resolve,
  });
  const other = Number(await heard.promise);
  try {
    const writing = child.write(new Uint8Array(1_000_000));
    const { signalled } = await child.stop();
    assertEquals(signalled, true);
    assertEquals(await writing, false);
    assertEquals(await child.write(new Uint8Array(1)), false);
  } finally {
    endTree([other]);
  }
}, onLinux);

test("readCommand gives what was said on both outputs, and the status", async () => {
  const { code, text } = await readCommand("sh", ["-c", "echo out; echo err >&2; exit 7"], 30_000);
  assertEquals([code, text], [7, "out\nerr\n"]);
}, onLinux);

test("readCommand gives after its time what was said until then", async () => {
  const { code, text } = await readCommand("sh", ["-c", "echo out; exec sleep 60"], 500);
  assertEquals([code, text], [128 + 9, "out\n"]);
}, onLinux);

test("readCommand waits for no program that a script has started", async () => {
  await using folder = await temporaryFolder();
  const pid = `${folder.path}/pid`;
  for (const wait of ["exit 0", "wait"]) {
    const script = `echo out; sleep 60 & echo $! > ${pid}; ${wait}`;
    const got = await within(readCommand("sh", ["-c", script], 500), 20_000);
    endTree([Number(await Deno.readTextFile(pid))]);
    assertEquals(got?.text, "out\n", wait);
  }
}, onLinux);

/**
 * Puts scripts in front of ffmpeg and ffplay that start the real ones and wait, as those of package
 * managers do.
 */
async function wrap(folder: string): Promise<{ readonly PATH: string }> {
  for (const program of ["ffmpeg", "ffplay"]) {
    const script = `#!/bin/sh\nPATH=\${PATH#*:}\n${program} "$@"\nstatus=$?\nexit $status\n`;
    await Deno.writeTextFile(`${folder}/${program}`, script, { mode: 0o755 });
  }
  return { PATH: `${folder}:${Deno.env.get("PATH")}` };
}

test(
  "a call where ffmpeg is a script that starts it: recorded whole, nothing left running",
  async () => {
    await using folder = await temporaryFolder();
    const env = await wrap(folder.path);
    await using called = await startServer(["--record", `${folder.path}/video.avi`], { env });
    await using client = startClient(called.port, [], { env });
    await client.says(/IN A CALL/);
    // The file is there before its script has started the ffmpeg.
    const trees = await until("two programs, two scripts, two ffmpegs", async () => {
      const all = [...await treeOf(client.pid), ...await treeOf(called.server.pid)];
      return all.length >= 6 ? all : undefined;
    });
    client.signal("SIGINT");
    await client.exits(0);
    await called.server.exits(0);
    await called.server.says(/Recorded .* lost/);
    await gone(trees);
  },
  onLinux,
);

test("a silent input of an ffmpeg that a script has started is given up by Ctrl-C", async () => {
  await using folder = await temporaryFolder();
  const env = await wrap(folder.path);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using called = await startServer(["--no-record"]);
  const input = `tcp://127.0.0.1:${listener.addr.port}`;
  await using client = startClient(called.port, ["--input", input], { env });
  using silent = await listener.accept();
  const tree = await treeOf(client.pid);
  client.signal("SIGINT");
  await client.exits(0);
  // It can be told nothing while it waits for bytes. It goes with the first ones, or with their
  // end.
  silent.close();
  await gone(tree);
  called.server.signal("SIGTERM");
  await called.server.exits(0);
}, onLinux);

test(
  "a listing of cameras is bounded where a script has started the ffmpeg that hangs",
  async () => {
    await using folder = await temporaryFolder();
    await Deno.writeTextFile(`${folder.path}/ffmpeg`, "#!/bin/sh\nsleep 60\nexit 0\n", {
      mode: 0o755,
    });
    const env = { PATH: `${folder.path}:${Deno.env.get("PATH")}` };
    await using client = new Running(commandLine("client", ["--list-cameras"]), { env });
    const tree = await until("sleep", async () => {
      const pids = await treeOf(client.pid);
      return pids.length === 3 ? pids : undefined;
    });
    try {
      await client.exits(1);
    } finally {
      endTree(tree);
    }
  },
  { ...onLinux, slow: true },
);
