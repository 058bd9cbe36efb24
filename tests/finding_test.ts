/**
 * Servers that are found, between machines of the test's own. Each has two cards, and the default
 * route is on the other one.
 */

import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { commandLine, Running, type StartOptions, until } from "./harness.ts";
import { canLay, Lan, type LanMachine } from "./lan.ts";
import { test } from "./strict.ts";

const ignore = !canLay;
const EVERYWHERE = ["--host", "0.0.0.0", "--port", "0"];

/** The line of a list for a server of the first machine. */
function commandTo(port: number): string {
  return `  deno task send --host 10.78.0.1 --port ${port}`;
}

/** Starts a server there, and waits until it can be called. Resolves to its port as well. */
async function serve(
  { inside }: LanMachine,
  args: readonly string[],
): Promise<{ server: Running; port: number } & AsyncDisposable> {
  const options = [...args, "--no-display", "--no-record"];
  const server = new Running(commandLine("server", options), inside);
  try {
    const [, port] = await server.says(/LISTENING ON: \('.*', (\d+)\)/);
    await server.says(/^(On the other computer|Only this machine)/m);
    return {
      server,
      port: Number(port),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

function send({ inside }: LanMachine, args: readonly string[], more: StartOptions = {}): Running {
  return new Running(commandLine("client", args), { ...inside, ...more });
}

const CALL = ["--input", "test", "--duration", "0.5", "--no-display", "--verbose"];

/** Calls without an address. Resolves to the outcome of a call that was had. */
async function calls(client: LanMachine, address: string, port: number): Promise<string> {
  await using running = send(client, CALL);
  const { stdout, stderr } = await running.exits(0);
  assertStringIncludes(stdout, `CALLING: ('${address}', ${port})`);
  assertMatch(stdout, /^IN A CALL WITH: /m);
  const [, afterMs] = /\[find\] .* answered after ([\d.]+) ms/.exec(stderr)!;
  // Measured: 3 to 15 ms on a quiet machine.
  assertLess(Number(afterMs), 1000);
  return stdout;
}

/** Lists the servers. */
async function find(client: LanMachine, args: readonly string[] = []): Promise<string[]> {
  await using running = send(client, ["--find", ...args]);
  const { stdout, stderr } = await running.ended;
  return `${stdout}${stderr}`.trimEnd().split("\n");
}

test(
  "a server is found and called without its address, whatever has the default route",
  async () => {
    await using lan = await Lan.lay();
    const [one, other] = [await lan.add(), await lan.add()];
    await using called = await serve(one, [...EVERYWHERE, "--name", "Ana"]);
    const said = await calls(other, one.address, called.port);
    assertMatch(
      said,
      new RegExp(`^Found on this network: Ana \\(10\\.78\\.0\\.1:${called.port}\\)$`, "m"),
    );
    await called.server.exits(0);
  },
  { ignore },
);

for (const kinds of [["mcast"], ["bcast"]] as const) {
  test(`a server is found on a network that keeps back ${kinds}`, async () => {
    await using lan = await Lan.lay();
    const [one, other] = [await lan.add(), await lan.add()];
    await lan.filter(...kinds);
    await using called = await serve(one, EVERYWHERE);
    await calls(other, one.address, called.port);
    await called.server.exits(0);
  }, { ignore });
}

test(
  "on a network that keeps back both, --find asks each address and says so; a call goes to this machine",
  async () => {
    await using lan = await Lan.lay();
    const [one, other] = [await lan.add(), await lan.add()];
    await lan.filter("mcast", "bcast");
    await using called = await serve(one, [...EVERYWHERE, "--name", "Ana"]);
    const lines = await find(other);
    assertMatch(lines[0]!, /^No answer yet: asking each address of .*10\.78\.0\.\*.* by itself\.$/);
    assertEquals(lines.slice(1), [
      "Servers on this network:",
      `${commandTo(called.port)}  Ana`,
    ]);
    await using alone = send(other, CALL);
    const { stdout, stderr } = await alone.exits(1);
    assertMatch(stdout, /^No server answers on this network: calling this machine\./m);
    assertStringIncludes(stdout, "CALLING: ('192.168.2.2', 8080)");
    assertMatch(stderr, /^Nobody listens at/m);
  },
  { ignore },
);

test(
  "two servers on one machine are both listed, by group and by address alone, and none is called",
  async () => {
    await using lan = await Lan.lay();
    const [one, other] = [await lan.add(), await lan.add()];
    await using ana = await serve(one, [...EVERYWHERE, "--name", "Ana"]);
    await using rui = await serve(one, [...EVERYWHERE, "--name", "Rui"]);
    const both = [
      `${commandTo(ana.port)}  Ana`,
      `${commandTo(rui.port)}  Rui`,
    ].sort();
    await using client = send(other, CALL);
    const { stdout, stderr } = await client.exits(2);
    assertEquals(stdout, "");
    const told = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("["));
    assertEquals(
      told[0],
      "Several servers answer on this network, and none is called. Choose one:",
    );
    assertEquals(told.slice(1).sort(), both);
    // A port that is named chooses.
    await using chosen = send(other, [...CALL, "--port", String(rui.port)]);
    assertMatch((await chosen.exits(0)).stdout, /^Found on this network: Rui /m);
    await rui.server.exits(0);
    await using again = await serve(one, [...EVERYWHERE, "--name", "Rui"]);
    await lan.filter("mcast", "bcast");
    const found = await find(other);
    assertEquals(
      found.slice(2).sort(),
      [
        both.find((line) => line.endsWith("Ana"))!,
        `${commandTo(again.port)}  Rui`,
      ].sort(),
    );
  },
  { ignore },
);

test("a card that came after the server is heard as well", async () => {
  await using lan = await Lan.lay();
  const [one, other] = [await lan.add({ isPlugged: false }), await lan.add()];
  await using called = await serve(one, EVERYWHERE);
  await lan.plug(one);
  // What goes to all would be heard without joining anything.
  await lan.filter("bcast");
  await until("the late card", async () => {
    const lines = await find(other);
    return lines.some((line) => line.includes(` --host 10.78.0.1 --port ${called.port}`)) &&
        !lines.some((line) => line.startsWith("No answer yet")) || undefined;
  });
}, { ignore });

test("a server that is hidden, or listens elsewhere, answers nobody", async () => {
  await using lan = await Lan.lay();
  const [one, other] = [await lan.add(), await lan.add()];
  const nobody = "No server answers on this network: start one with serve, without --hidden, " +
    "or give its address with --host.";
  for (
    const args of [
      ["--hidden", ...EVERYWHERE],
      ["--host", "127.0.0.1", "--port", "0"],
      // It listens at the address with the default route.
      ["--port", "0"],
    ]
  ) {
    await using called = await serve(one, args);
    const hint = args.length === 2
      ? /^On the other computer: deno task send, or .* --host 192\.168\.1\.2 --port \d+$/m
      : /^(On the other computer|Only this machine can call): deno task send --host/m;
    assertMatch(called.server.stdout, hint);
    assertEquals((await find(other)).at(-1), nobody, args.join(" "));
  }
}, { ignore });

test("a client on the server's own machine finds it", async () => {
  await using lan = await Lan.lay();
  const one = await lan.add();
  await using called = await serve(one, ["--port", "0"]);
  await calls(one, "192.168.1.2", called.port);
  await called.server.exits(0);
}, { ignore });

/** A server that is none: it sends to whoever asks. `reply` makes the datagrams of a question. */
function forger(machine: LanMachine, reply: string): Running {
  return machine.script(`
    import { createSocket } from "node:dgram";
    const bytes = (text) => new TextEncoder().encode(text);
    const answer = (question, port, name, id = 1, length = bytes(name).length) => Uint8Array.of(
      ...bytes("CHAMADA!"), 1, 0, port & 255, port >> 8, ...question.subarray(12, 28),
      ...Array(8).fill(id), length, ...bytes(name),
    );
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    let asked = 0;
    socket.on("message", (question, from) => {
      const send = (data, port = from.port) => socket.send(data, port, from.address, () => {});
      asked++;
      ${reply}
    });
    socket.bind(24167, "0.0.0.0", () => {
      for (const { family, address } of Deno.networkInterfaces()) {
        if (family === "IPv4") socket.addMembership("224.0.0.167", address);
      }
      console.log("ready");
    });
  `);
}

test(
  "who has a code is led to a sentence about it by whoever else answers, never into a call",
  async () => {
    await using lan = await Lan.lay();
    const [one, other] = [await lan.add(), await lan.add()];
    const env = { CHAMADA_CODE: "482-1709-3554" };
    await using foreign = await serve(one, [...EVERYWHERE, "--private", "--name", "Ana"]);
    assertEquals((await find(other)).at(-1), `${commandTo(foreign.port)}  Ana, wants a code`);
    await using wrong = send(other, CALL, { env });
    const { stdout, stderr } = await wrong.exits(1);
    assertMatch(stdout, /^Found on this network: Ana \(.*\), wants a code$/m);
    assertMatch(stderr, /code is wrong/);
    assert(!/IN A CALL/.test(stdout) && !foreign.server.stdout.includes("CONNECTION RECEIVED"));
    foreign.server.signal("SIGTERM");
    await foreign.server.exits(0);
    // It says that it wants a code, and takes calls without one.
    await using open = await serve(one, ["--host", "0.0.0.0", "--port", "8080", "--hidden"]);
    await using forged = forger(
      one,
      `
    const data = answer(question, 8080, "Ana"); data[9] = 1; send(data);
  `,
    );
    await forged.says(/ready/);
    await using clear = send(other, CALL, { env });
    const told = await clear.exits(1);
    assertMatch(told.stdout, /^Found on this network: Ana \(.*\), wants a code$/m);
    assert(!/IN A CALL/.test(told.stdout), told.stderr);
    open.server.signal("SIGTERM");
  },
  { ignore },
);

test("a name cannot steer the terminal, and is no second line", async () => {
  await using lan = await Lan.lay();
  const [one, other] = [await lan.add(), await lan.add()];
  await using forged = forger(
    one,
    String.raw`
    send(answer(question, 8080, "\x1b[2J\x07Ana\nNo server\u202e\x9b31m" + "x".repeat(30)));
  `,
  );
  await forged.says(/ready/);
  const lines = await find(other);
  assertEquals(lines.length, 2);
  assertMatch(lines[1]!, /^ {2}deno task send --host 10\.78\.0\.1 {2}\[2J Ana No server 31mx+…?$/);
  assert(!/[\p{Cc}\p{Cf}]/u.test(lines.join("")), JSON.stringify(lines));
}, { ignore });

test(
  "answers that nobody asked for, broken ones, late ones and those of 64 KiB are nothing",
  async () => {
    await using lan = await Lan.lay();
    const [one, other] = [await lan.add(), await lan.add()];
    await using forged = forger(
      one,
      `
    const wrong = Uint8Array.from(question); wrong[12] ^= 1;
    send(answer(wrong, 8080, "another nonce"));
    send(answer(question, 0, "no port"));
    send(answer(question, 8080, "short", 1, 64));
    send(answer(question, 8080, "x".repeat(65)));
    send(answer(question, 8080, "cut").subarray(0, 38));
    send(Uint8Array.of(...answer(question, 8080, ""), 0xff).fill(1, 36, 37));
    const large = new Uint8Array(65507); large.set(answer(question, 8080, "large"));
    send(large);
    send(question);
    const version = answer(question, 8080, "version 2"); version[8] = 2; send(version);
    const elsewhere = createSocket({ type: "udp4" });
    elsewhere.send(answer(question, 8080, "another port"), from.port, from.address, () => elsewhere.close());
    setTimeout(() => send(answer(question, 8080, "late")), 5000);
  `,
    );
    await forged.says(/ready/);
    await using client = send(other, CALL);
    const { stdout } = await client.exits(1);
    assertMatch(stdout, /^No server answers on this network: calling this machine\./m);
  },
  { ignore },
);

test("a flood of answers is a list of bounded length, and its reader ends in time", async () => {
  await using lan = await Lan.lay();
  const [one, two, other] = [await lan.add(), await lan.add(), await lan.add()];
  await using forged = forger(
    one,
    `
    for (let port = 1; port <= 3000; port++) send(answer(question, port, "forged " + port, port));
  `,
  );
  await forged.says(/ready/);
  await using called = await serve(two, [...EVERYWHERE, "--name", "Ana"]);
  const began = performance.now();
  await using client = send(other, CALL);
  const { stderr } = await client.exits(2);
  // A list of what one machine says, and beside it the server that is one.
  const listed = stderr.split("\n").filter((line) => line.startsWith("  deno task send"));
  assertEquals(listed.filter((line) => line.includes("10.78.0.1 ")).length, 8);
  assertEquals(
    listed.filter((line) => line.includes(`10.78.0.2 --port ${called.port}`)).length,
    1,
    stderr,
  );
  assertLess(performance.now() - began, 30_000);
}, { ignore });

test("a flood of questions leaves the server its call, and others their answer", async () => {
  await using lan = await Lan.lay();
  const [one, flooding, other] = [await lan.add(), await lan.add(), await lan.add()];
  await using called = await serve(one, [...EVERYWHERE, "--stay", "--name", "Ana"]);
  await using flood = flooding.script(`
    import { createSocket } from "node:dgram";
    const question = new Uint8Array(128);
    question.set(new TextEncoder().encode("CHAMADA?")); question[8] = 1;
    const socket = createSocket({ type: "udp4" });
    let answers = 0, largest = 0, sent = 0;
    socket.on("message", (data) => { answers++; largest = Math.max(largest, data.length); });
    socket.bind(0, "10.78.0.2", async () => {
      for (let round = 0; round < 40; round++) {
        for (let n = 0; n < 25; n++) {
          sent++;
          socket.send(question, 24167, "10.78.0.1", () => {});
        }
        if (round === 20) console.log("flooding");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      console.log("sent", sent, "answers", answers, "largest", largest);
      socket.close();
    });
  `);
  await flood.says(/flooding/);
  await calls(other, one.address, called.port);
  const [, sent, answers, largest] = await flood.says(/sent (\d+) answers (\d+) largest (\d+)/);
  assertEquals(Number(sent), 1000);
  assertLess(Number(answers), 200);
  assertLess(Number(largest), 128);
  await flood.exits(0);
  // What goes on is heard again when the flood is over.
  await until("an answer", async () => {
    const lines = await find(other);
    return lines.some((line) => line.endsWith("Ana")) || undefined;
  });
}, { ignore });

test("--wait looks for a server, and calls until it is there", async () => {
  await using lan = await Lan.lay();
  const [one, other] = [await lan.add(), await lan.add()];
  await using finding = send(other, [...CALL, "--wait"]);
  await finding.says(/^No server answers on this network yet: /m);
  await using dialling = send(other, [...CALL, "--wait", "--host", one.address, "--port", "9090"]);
  await dialling.says(/^Calling again each second until somebody is there/m);
  assertStringIncludes(dialling.stderr, "Nobody listens at ('10.78.0.1', 9090)");
  await using called = await serve(one, [
    ...["--host", "0.0.0.0", "--port", "9090", "--max-calls", "2", "--stay"],
  ]);
  await finding.exits(0);
  await dialling.exits(0);
  assertEquals(dialling.stderr.match(/Nobody listens/g)?.length, 1);
  called.server.signal("SIGTERM");
  await called.server.exits(0);
  // The wait can be given up.
  await using vain = send(other, [...CALL, "--wait"]);
  await vain.says(/^No server answers on this network yet: /m);
  vain.signal("SIGINT");
  assertMatch((await vain.exits(0)).stdout, /^Call ended by the CLIENT$/m);
}, { ignore });
