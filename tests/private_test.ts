/** Private calls, seen from outside and from the network between. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { nowUs, pause } from "../lib/clock.ts";
import { dial } from "../lib/dial.ts";
import { PCM } from "../lib/frame/format.ts";
import { Guesses } from "../lib/wire/guesses.ts";
import { readOffer } from "../lib/wire/offer.ts";
import { newCallId } from "../lib/wire/session.ts";
import { readCode } from "../lib/wire/code.ts";
import { treeOf } from "../scripts/kit/processes.ts";
import { framed, text } from "./bytes.ts";
import {
  commandLine,
  probe,
  processesNaming,
  Running,
  startClient,
  type StartOptions,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { Stranger, type Tamper } from "./stranger.ts";
import { test } from "./strict.ts";
import { hasTerminals, Terminal } from "./terminal.ts";

const HERE = ["--host", "127.0.0.1", "--no-display"];
const isLinux = Deno.build.os === "linux";

/** A server that is private, and its code as it shows it. */
interface PrivateServer extends AsyncDisposable {
  readonly server: Running;
  readonly port: number;
  readonly code: string;
}

async function startPrivate(
  args: readonly string[],
  options?: StartOptions,
): Promise<PrivateServer> {
  const called = await startServer(["--private", "--no-display", ...args], options);
  const [, code] = await called.server.says(/^Code: (\d{3}-\d{4}-\d{4})$/m);
  return { ...called, code: code! };
}

/** Starts a client with this code in its environment. */
function call(port: number, code: string | undefined, args: readonly string[] = []): Running {
  return startClient(port, ["--no-display", ...args], { env: { CHAMADA_CODE: code } });
}

test("a private call: the network sees no word of it, and the code is nowhere", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  await using called = await startPrivate(
    ["--record", file, "--input", "test", "--name", "Rui Discreto", "--trace"],
  );
  await using stranger = new Stranger(called.port);
  const grey = `${folder.path}/grey.avi`;
  await makeGrey(grey);
  await using client = startClient(
    stranger.port,
    ["--no-display", "--input", grey, "--name", "Ana Secreta", "--trace", "--duration", "1"],
    { env: { CHAMADA_CODE: called.code } },
  );
  await called.server.says(/\[frame\] 5 at/);
  const digits = readCode(called.code);
  if (isLinux) {
    for (const shown of [called.code, digits]) assertEquals(await processesNaming(shown), []);
    const programs = [called.server.pid, client.pid];
    const children = (await Promise.all(programs.map(treeOf))).flat()
      .filter((pid) => !programs.includes(pid));
    assertGreater(children.length, 1);
    for (const pid of children) {
      const variables = await Deno.readTextFile(`/proc/${pid}/environ`).catch(() => "");
      assertFalse(variables.includes("CHAMADA_CODE"), variables);
    }
  }
  const [sent, served] = [await client.exits(0), await called.server.exits(0)];
  assertStringIncludes(served.stdout, "Call ended by the CLIENT");

  const grey64 = new Uint8Array(64).fill(0x80);
  const words = ["Ana Secreta", "Rui Discreto", "duration reached", "version", called.code, digits];
  for (const word of [...words.map(text), grey64]) {
    assertFalse(stranger.hasSeen(word), new TextDecoder().decode(word));
  }
  const { length } = stranger.seen.client.filter((message) => message.length > 230_000);
  assertGreater(length, 10);

  const recording = new TextDecoder("latin1").decode(await Deno.readFile(file));
  for (const shown of [called.code, digits]) {
    assertEquals(served.stdout.split(shown).length - 1, shown === called.code ? 1 : 0);
    for (const output of [served.stderr, sent.stdout, sent.stderr, recording]) {
      assertFalse(output.includes(shown));
    }
  }
});

test("of the sound of a private call the network hears nothing, as it does in the clear", async () => {
  const code = "48217093554";
  const data = crypto.getRandomValues(new Uint8Array(960));
  for (const isPrivate of [true, false]) {
    using guesses = new Guesses();
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using stranger = new Stranger(listener.addr.port);
    const connect = (): Promise<Deno.TcpConn> =>
      Deno.connect({ hostname: "127.0.0.1", port: stranger.port });
    const never = (): Promise<undefined> => Promise.resolve(undefined);
    const answering = listener.accept().then(async (connection) => {
      const offer = await readOffer(connection, 20, isPrivate ? { lock: { code, guesses } } : {});
      return await offer!.accept({ name: "Rui", streams: [] }, newCallId(), never);
    });
    const callee = { host: "127.0.0.1", port: stranger.port, connect };
    const { signal } = new AbortController();
    const ana = { name: "Ana", streams: [PCM] };
    const given = isPrivate ? code : undefined;
    await using caller = await dial(await connect(), callee, ana, 0, signal, given);
    await using called = await answering;
    caller.push({ stream: 0, data, captureUs: nowUs(), sequence: 0, keyframe: true });
    for await (const frame of called.frames()) {
      assertEquals(frame.data, data);
      break;
    }
    assertEquals(stranger.hasSeen(data.subarray(100, 116)), !isPrivate);
    await Promise.all([caller.hangUp(""), called.hangUp("")]);
  }
});

test(
  "serve --talk is private: voices and names cross the network sealed, unless it is --open",
  async () => {
    const talk = ["--talk", "--no-camera", "--microphone", "test", "--no-sound"];
    for (const access of [[], ["--open"]]) {
      const args = [...talk, ...access, "--no-record", "--no-display", "--name", "Rui Discreto"];
      await using called = await startServer(args);
      const isPrivate = access.length === 0;
      const code = isPrivate ? (await called.server.says(/^Code: ([\d-]+)$/m))[1] : undefined;
      await using stranger = new Stranger(called.port);
      await using client = call(stranger.port, code, [...talk, "--name", "Ana Secreta"]);
      // Ten milliseconds of sound are a message.
      for (const seen of Object.values(stranger.seen)) {
        await until("sound each way", () => seen.length > 50 || undefined);
      }
      client.signal("SIGINT");
      await client.exits(0);
      await called.server.exits(0);
      for (const word of ["Ana Secreta", "Rui Discreto", "sound", "hung up"]) {
        assertEquals(stranger.hasSeen(text(word)), !isPrivate, word);
      }
    }
  },
  { ignore: !isLinux },
);

/** Makes a film of 3 s that is grey everywhere. */
async function makeGrey(file: string): Promise<void> {
  const source = "color=gray:size=320x240:rate=20:duration=3";
  const { success } = await new Deno.Command("ffmpeg", {
    args: ["-v", "error", "-f", "lavfi", "-i", source, "-c:v", "rawvideo", file],
    stdin: "null",
  }).output();
  assert(success);
}

/** Changes one message of the client in the middle of its call. */
function inTheMiddle(how: (message: Uint8Array, before: Uint8Array) => Uint8Array[]): Tamper {
  let before = new Uint8Array(0);
  return (message, direction, number) => {
    const changed = direction === "client" && number === 15 ? how(message, before) : [message];
    before = message.slice();
    return changed;
  };
}

/** Swaps two messages of the client in the middle of its call. */
function swapped(): Tamper {
  let held: Uint8Array | undefined;
  return (message, direction, number) => {
    if (direction !== "client" || number < 15 || number > 16) return [message];
    if (number === 16) return [message, held!];
    held = message;
    return [];
  };
}

const FAULTS: Readonly<Record<string, Tamper>> = {
  "a bit flipped": inTheMiddle((message) => {
    message[100_000]! ^= 4;
    return [message];
  }),
  "a message repeated": inTheMiddle((message) => [message, message]),
  "two messages swapped": swapped(),
  "a message left out": inTheMiddle(() => []),
  "a message cut short": inTheMiddle((message) => [framed(message.slice(8, -1))]),
  "a message of earlier": inTheMiddle((message, before) => [before, message]),
  "a word in the clear": inTheMiddle((message) => [framed("04", text("hung up")), message]),
};

test(
  "whoever interferes ends the call at once, with one sentence; the recording is whole",
  async () => {
    await using folder = await temporaryFolder();
    await using called = await startPrivate(["--stay", "--record", `${folder.path}/video.avi`]);
    const recorded = /Recorded \S+, (\d+) frames, \d+ lost: (.*\.avi) /g;
    for (const [at, [name, tamper]] of Object.entries(FAULTS).entries()) {
      // The server has room for the next caller once it has told the end of the call before.
      await until("the end of the call before", () => {
        return called.server.stderr.split("was changed on its way").length - 1 === at || undefined;
      });
      await using stranger = new Stranger(called.port);
      stranger.tamper = tamper;
      await using client = call(stranger.port, called.code);
      const { stdout, stderr } = await client.exits(0);
      // A machine that is too busy for its calls has more to say before.
      const [sentence] = stderr.trim().split("\n").slice(-1);
      assertEquals(sentence, "The HOST said why: a message was changed on its way.", name);
      assertStringIncludes(stdout, "Call ended by the HOST.");
    }
    const files = await until("a recording of each", () => {
      const found = [...called.server.stdout.matchAll(recorded)];
      return found.length === Object.keys(FAULTS).length ? found : undefined;
    });
    for (const [, frames, file] of files) {
      assertGreater(Number(frames), 3);
      assertEquals((await probe(file!)).frames, Number(frames));
    }
    called.server.signal("SIGINT");
    const { stderr } = await called.server.exits(0);
    const sentence = /What came from the CLIENT was changed on its way/g;
    assertEquals(stderr.match(sentence)?.length, Object.keys(FAULTS).length);
  },
  { ignore: !isLinux, slow: true },
);

test("the other way round, the client says so, exit 1", async () => {
  await using called = await startPrivate(["--no-record", "--input", "test"]);
  await using stranger = new Stranger(called.port);
  stranger.tamper = (message, direction, number) => {
    if (direction === "server" && number === 15) message[message.length - 1]! ^= 1;
    return [message];
  };
  await using client = call(stranger.port, called.code);
  const { stderr } = await client.exits(1);
  assertMatch(stderr, /^What came from the HOST was changed on its way, .*\n$/);
});

test("a private call goes on after a loss, without asking again, and nobody else comes in", async () => {
  await using folder = await temporaryFolder();
  await using called = await startPrivate(["--record", `${folder.path}/video.avi`, "--trace"]);
  await using stranger = new Stranger(called.port);
  await using client = call(stranger.port, called.code);
  await called.server.says(/\[frame\] 10 at/);
  stranger.reset();
  await called.server.says(/The network is back after/);
  await client.says(/The network is back after/);
  // A stranger who has read all of it plays the whole first connection again.
  const early = stranger.seen.client.slice(0, 5);
  const replay = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
  for (const message of early) await replay.write(message).catch(() => 0);
  await until("an end", async () => await replay.read(new Uint8Array(1000)) === null || undefined);
  replay.close();
  client.signal("SIGINT");
  await client.exits(0);
  const { stdout, stderr } = await called.server.exits(0);
  assertEquals(stdout.match(/Recorded/g)?.length, 1);
  assertMatch(stderr, /^Wrong codes so far: 1, from 127\.0\.0\.1\./m);
});

test(
  "1,000 guesses on 50 connections: 20 are heard and then one a second, and the right code gets in",
  async () => {
    await using called = await startPrivate(["--no-record", "--stay", "--verbose"]);
    const startMs = performance.now();
    const over = new AbortController();
    let [left, answered] = [1000, 0];
    const guess = async (): Promise<void> => {
      while (left-- > 0 && !over.signal.aborted) {
        using connection = await Deno.connect({ hostname: "127.0.0.1", port: called.port });
        const stop = (): void => connection.close();
        over.signal.addEventListener("abort", stop);
        try {
          const random = crypto.getRandomValues(new Uint8Array(48));
          await connection.write(framed("05", text("CHAMADA1"), "01", random));
          const answer = new Uint8Array(1000);
          await connection.read(answer);
          // A key of the server's is what makes a guess possible.
          if (answer[8] !== 5) continue;
          answered++;
          await connection.write(framed("06", new Uint8Array(32)));
          while (await connection.read(answer) !== null);
        } catch {
          // Turned out.
        } finally {
          over.signal.removeEventListener("abort", stop);
        }
      }
    };
    const guessers = Array.from({ length: 50 }, () => guess().catch(() => {}));
    await until("20 guesses", () => answered >= 20 || undefined);
    const dialMs = performance.now();
    const connect = (): Promise<Deno.TcpConn> =>
      Deno.connect({ hostname: "127.0.0.1", port: called.port });
    const callee = { host: "127.0.0.1", port: called.port, connect };
    const ana = {
      name: "Ana",
      streams: [{ kind: "video", codec: "raw", width: 16, height: 16, fps: 20 }],
    } as const;
    const { signal } = new AbortController();
    const code = readCode(called.code);
    const line = await dial(await connect(), callee, ana, 0, signal, code);
    assertLess(performance.now() - dialMs, 3000);
    await pause(1500);
    const seconds = (performance.now() - startMs) / 1000;
    assertLessOrEqual(answered, 20 + seconds + 1);
    over.abort();
    await Promise.all(guessers);
    await line.hangUp("");
    called.server.signal("SIGINT");
    const { stderr } = await called.server.exits(0);
    const told = stderr.match(/^Wrong codes so far: \d+, from 127\.0\.0\.1\./gm);
    assert(told && told.length <= 2, `${told}`);
  },
  { ignore: !isLinux },
);

test("a client without the right code is told what is missing, exit 1", async () => {
  await using called = await startPrivate(["--no-record", "--stay"]);
  const wanted = /^The server wants its code: .* A server with --open wants none\.$/m;
  const cases: readonly (readonly [string | undefined, readonly string[], RegExp])[] = [
    [undefined, [], wanted],
    ["", [], wanted],
    [undefined, ["--wire", "plain"], wanted],
    [undefined, ["--wire", "pickle"], wanted],
    ["111-1111-1111", [], /^The code is wrong: /m],
    [undefined, ["--code", "111-1111-1111"], /^The code is wrong: /m],
  ];
  await Promise.all(cases.map(async ([code, args, sentence]) => {
    await using client = call(called.port, code, args);
    const { stderr, stdout } = await client.exits(1);
    assertMatch(stderr, sentence);
    assertFalse((stdout + stderr).includes("1111"));
  }));
  await using client = call(called.port, undefined, ["--code", called.code, "--duration", "0.2"]);
  await client.exits(0);
  await called.server.says(/127\.0\.0\.1 wants to call and needs the code: .*--open\./);
  await called.server.says(/Wrong codes so far: 2, from 127\.0\.0\.1\./);
});

test("a server says if anybody can call it; a client with a code does not", async () => {
  await using open = await startServer(["--no-record", "--no-display", "--stay"]);
  await open.server.says(/^Anybody on this network can call and listen: --private .*$/m);
  assertFalse(open.server.stdout.includes("Code:"));
  await using client = call(open.port, "482-1709-3554");
  assertMatch((await client.exits(1)).stderr, /^The server knows no code, /m);
  await using bare = call(open.port, "482-1709-3554", ["--wire", "plain"]);
  assertMatch((await bare.exits(2)).stderr, /--wire plain and CHAMADA_CODE contradict each other/);

  await using chosen = await startServer([
    "--no-record",
    "--no-display",
    "--open",
    "--talk",
    "--input",
    "test",
  ]);
  assertFalse(/Anybody on this network|Code:/.test(chosen.server.stdout));
  // A code that nobody is told is of no use, however quiet the server is.
  const words = [...HERE, "--port", "0", "--no-record", "--talk", "--input", "test", "--quiet"];
  await using quiet = new Running(commandLine("server", words));
  await quiet.says(/^Code: \d{3}-\d{4}-\d{4}$/m);
});

test("a server takes a code of the user's own, if it is long enough", async () => {
  const env = { CHAMADA_CODE: "um código só meu" };
  await using called = await startServer(["--private", "--no-record", "--no-display"], { env });
  await called.server.says(/^Code: your own, from CHAMADA_CODE$/m);
  await using client = call(called.port, "Um código só meu");
  await client.exits(1);
  await using right = call(called.port, "um codigo só meu".replace("o", "o\u0301"), [
    "--duration",
    "0.2",
  ]);
  await right.exits(0);
  const { stdout, stderr } = await called.server.exits(0);
  assertFalse((stdout + stderr).includes("meu"));

  const words = commandLine("server", [...HERE, "--port", "0", "--private"]);
  await using short = new Running(words, { env: { CHAMADA_CODE: "12345-67890 a" } });
  assertMatch((await short.exits(2)).stderr, /^CHAMADA_CODE: .* at least 12 characters\. /);
});

test("in a terminal, the client asks for the code, hidden, and three times at most", async () => {
  await using called = await startPrivate(["--no-record", "--stay"]);
  const args = [...HERE, "--port", `${called.port}`, "--input", "test"];
  await using terminal = new Terminal("client", args);
  await terminal.shows(/wants its code: type it and press Enter/);
  await terminal.type("111-1111q\x7f-1111\r");
  await asks(terminal, 2);
  await terminal.shows(/The code is wrong/);
  await terminal.type(`  999\x15${called.code.replaceAll("-", " ")}\r`);
  await terminal.shows(/IN A CALL WITH/);
  await terminal.type("q");
  const { text: shown, status } = await terminal.ends();
  assertEquals(status, 0);
  assertEquals(shown.match(/wants its code/g)?.length, 2);
  for (const typed of ["1111", "999", called.code.slice(4, 8)]) assertFalse(shown.includes(typed));

  await using other = new Terminal("client", args);
  for (let tries = 1; tries <= 3; tries++) {
    await asks(other, tries);
    await other.type(`${tries}\r`);
  }
  assertEquals((await other.ends()).status, 1);
  await using left = new Terminal("client", args);
  await left.shows(/wants its code/);
  await left.type("123\x04");
  assertEquals((await left.ends()).status, 1);
}, { ignore: !hasTerminals });

/** Waits until a client has asked for the code that many times. */
async function asks(terminal: Terminal, times: number): Promise<void> {
  await until(
    `question ${times}`,
    () => terminal.text.match(/wants its code/g)?.length === times || undefined,
  );
}
