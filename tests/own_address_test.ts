/**
 * Machines with several networks, each a namespace of its own. The address that the server shows is
 * the one on the network. The server listens there and for this machine alone, and it says who can
 * call.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { commandLine, Running, startServer } from "./harness.ts";
import { test } from "./strict.ts";

const OPTIONS = ["--port", "0", "--no-display", "--no-record", "--lang", "en"];
const LISTENING = /LISTENING ON: \('(.*)', (\d+)\)/;

async function ip(...args: string[]): Promise<boolean> {
  const options = { args, stdin: "null", stdout: "null", stderr: "null" } as const;
  return await new Deno.Command("ip", options).output().then(({ success }) => success, () => false);
}

/** A machine that is none: a network namespace with the interfaces that a test wants. */
class Machine implements AsyncDisposable {
  readonly #name = `own-${Deno.pid}-${crypto.randomUUID().slice(0, 4)}`;

  /** Words in front of a command line that runs it there. */
  get inside(): string[] {
    return ["ip", "netns", "exec", this.#name];
  }

  /** Makes one. Each line holds the words behind `ip`. */
  static async make(lines: readonly string[]): Promise<Machine> {
    const machine = new Machine();
    await ip("netns", "add", machine.#name);
    for (const line of ["link set lo up", ...lines]) {
      assert(await ip("-n", machine.#name, ...line.split(" ")), line);
    }
    return machine;
  }

  /** Runs a command to its end. Resolves to its output. */
  async run(...words: string[]): Promise<string> {
    await using running = new Running([...this.inside, ...words]);
    return (await running.exits(0)).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ip("netns", "delete", this.#name);
  }
}

async function hasNamespaces(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  const name = `own-${Deno.pid}-try`;
  return await ip("netns", "add", name) && await ip("netns", "delete", name);
}
const ignore = !await hasNamespaces();

/** A card with a cable in it, and its address. */
function card(name: string, address: string): string[] {
  return [
    `link add ${name} type veth peer name far-${name}`,
    ...up(name, address),
    `link set far-${name} up`,
  ];
}

function bridge(name: string, address: string): string[] {
  return [`link add ${name} type bridge`, ...up(name, address)];
}

function tunnel(name: string, address: string): string[] {
  return [`tuntap add mode tun name ${name}`, ...up(name, address)];
}

function up(name: string, address: string): string[] {
  const known = address.includes(":") ? ["nodad"] : [];
  return [["address add", address, "dev", name, ...known].join(" "), `link set ${name} up`];
}

const MACHINES: Readonly<Record<string, readonly [lines: readonly string[], right: string]>> = {
  "an emulator's bridge": [[
    ...card("wlan0", "10.0.0.23/24"),
    ...bridge("waydroid0", "192.168.240.1/24"),
    "route add default via 10.0.0.1",
  ], "10.0.0.23"],
  "a network of virtual machines without a first address": [[
    ...bridge("crc", "192.168.130.11/24"),
    ...card("wlan0", "10.0.0.23/24"),
    "route add default via 10.0.0.1",
  ], "10.0.0.23"],
  "a VPN that took the default route": [[
    ...tunnel("corp", "192.168.8.2/32"),
    ...card("wlan0", "10.0.0.23/24"),
    "route add 198.51.100.4 via 10.0.0.1",
    "route add default dev corp",
  ], "10.0.0.23"],
  "a VPN that took both halves of everything": [[
    ...tunnel("corp", "192.168.8.2/24"),
    ...card("wlan0", "10.0.0.23/24"),
    "route add default via 10.0.0.1",
    "route add 0.0.0.0/1 via 192.168.8.1",
    "route add 128.0.0.0/1 via 192.168.8.1",
  ], "10.0.0.23"],
  "two cards, by their metrics": [[
    ...card("wlan0", "192.168.1.8/24"),
    ...card("eth0", "10.0.0.7/24"),
    "route add default via 192.168.1.1 metric 600",
    "route add default via 10.0.0.1 metric 100",
  ], "10.0.0.7"],
  "a hotspot of this machine's own, and a tunnel": [[
    ...card("wlan0", "10.42.0.1/24"),
    ...tunnel("corp", "192.168.8.2/24"),
  ], "10.42.0.1"],
  "IPv6 only": [[
    ...bridge("vms", "192.168.130.1/24"),
    ...card("eth0", "fd00:77::7/64"),
    "-6 route add default via fd00:77::1",
  ], "fd00:77::7"],
};

test("the server shows the address of the network, whatever else the machine has", async () => {
  await Promise.all(
    Object.entries(MACHINES).map(async ([about, [lines, right]]) => {
      await using machine = await Machine.make(lines);
      await using server = new Running(commandLine("server", OPTIONS), { inside: machine.inside });
      const [, host, port] = await server.says(LISTENING);
      assertEquals(host, right, about);
      assertStringIncludes(server.stdout, `HOST IP: ${right}\n`, about);
      await server.says(
        new RegExp(`^On the other computer: .* --host ${right} --port ${port}$`, "m"),
      );
      server.signal("SIGTERM");
      await server.exits(0);
    }),
  );
}, { ignore });

test("two cards are both offered: the one with the default route first", async () => {
  await using machine = await Machine.make(MACHINES["two cards, by their metrics"]![0]);
  await using server = new Running(commandLine("server", OPTIONS), { inside: machine.inside });
  await server.says(/^This machine has other addresses, too: 192\.168\.1\.8 \(/m);
  server.signal("SIGTERM");
  await server.exits(0);
}, { ignore });

test(
  "a server that was told no address listens on its network and for this machine, no further",
  async () => {
    await using machine = await Machine.make([
      ...card("wlan0", "10.0.0.23/24"),
      ...card("eth1", "192.168.77.5/24"),
      "route add default via 10.0.0.1",
    ]);
    const stays = [...OPTIONS, "--stay", "--max-calls", "8"];
    await using server = new Running(commandLine("server", stays), { inside: machine.inside });
    const [, , port] = await server.says(LISTENING);
    const listening = (await machine.run("ss", "-Htln")).matchAll(/(\S+):(\d+) +\S+:\*/g);
    assertEquals(
      [...listening].map(([, host, port]) => `${host} ${port}`).sort(),
      ["10.0.0.23", "127.0.0.1", "127.0.1.1", "[::1]"].map((host) => `${host} ${port}`).sort(),
    );
    const hosts = [[], ["--host", "localhost"], ["--host", "127.0.1.1"], ["--host", "::1"]];
    await Promise.all(hosts.map(async (host) => {
      const args = ["--port", port!, "--input", "test", "--duration", "0.5", "--no-display"];
      const line = commandLine("client", [...host, ...args, "--lang", "en"]);
      await using client = new Running(line, { inside: machine.inside });
      await client.says(/^IN A CALL WITH: /m);
      await client.exits(0);
    }));
    server.signal("SIGTERM");
    await server.exits(0);
  },
  { ignore },
);

test(
  "a server whose port is taken on the loopback only serves its network nevertheless",
  async () => {
    await using machine = await Machine.make(card("wlan0", "10.0.0.23/24"));
    const here = ["--host", "127.0.0.1", "--port", "8080", ...OPTIONS.slice(2)];
    await using other = new Running(commandLine("server", here), { inside: machine.inside });
    await other.says(LISTENING);
    const both = ["--port", "8080", ...OPTIONS.slice(2)];
    await using server = new Running(commandLine("server", both), { inside: machine.inside });
    const [, host] = await server.says(LISTENING);
    assertEquals(host, "10.0.0.23");
    // The same command once more finds the port taken, as ever.
    await using third = new Running(commandLine("server", both), { inside: machine.inside });
    assertMatch((await third.exits(1)).stderr, /Port 8080 of 10\.0\.0\.23 is taken/);
    for (const one of [other, server]) {
      one.signal("SIGTERM");
      await one.exits(0);
    }
  },
  { ignore },
);

test("a server on every network shows an address that a caller can dial", async () => {
  const lines = [...card("wlan0", "10.0.0.23/24"), ...bridge("crc", "192.168.130.11/24")];
  await using machine = await Machine.make([...lines, "route add default via 10.0.0.1"]);
  await using nowhere = await Machine.make([...card("eth0", "fd00:77::7/64")]);
  const cases = [
    [machine, "0.0.0.0", "10.0.0.23", "On the other computer: "],
    [machine, "::", "10.0.0.23", "On the other computer: "],
    [nowhere, "::", "fd00:77::7", "On the other computer: "],
    // The machine has nothing but IPv6, which is not listened on.
    [nowhere, "0.0.0.0", "127.0.0.1", "Only this machine can call: "],
  ] as const;
  for (const [{ inside }, host, dialled, sentence] of cases) {
    await using server = new Running(commandLine("server", ["--host", host, ...OPTIONS]), {
      inside,
    });
    await server.says(new RegExp(`^${sentence}.* --host ${dialled} --port \\d+$`, "m"));
    server.signal("SIGTERM");
    await server.exits(0);
  }
}, { ignore });

test("an address of one cable is shown with what the other computer has to change", async () => {
  await using machine = await Machine.make([
    ...card("eth0", "10.0.0.23/24"),
    "address add fe80::77 dev eth0 nodad",
  ]);
  const host = ["--host", "fe80::77%eth0", ...OPTIONS];
  await using server = new Running(commandLine("server", host), { inside: machine.inside });
  await server.says(/^Behind the % the other computer puts the name of its own network card\.$/m);
  server.signal("SIGTERM");
  await server.exits(0);
  for (const program of ["server", "client"] as const) {
    const args = program === "server" ? OPTIONS : ["--input", "test", "--no-display"];
    const line = commandLine(program, ["--host", "fe80::77", ...args]);
    await using lost = new Running(line, { inside: machine.inside });
    assertMatch((await lost.exits(1)).stderr, /fe80::77 is an address of one cable only: add %/);
  }
}, { ignore });

for (const host of ["127.0.0.1", "localhost", "::1"]) {
  test(`a server at ${host} never says that another computer could call there`, async () => {
    for (const [lang, sentence] of [["en", "Only this machine"], ["pt", "Só esta máquina"]]) {
      await using called = await startServer(["--host", host, "--lang", lang!, "--no-record"]);
      await called.server.says(new RegExp(`^${sentence} .*: .* --host ${host} --port \\d+$`, "m"));
      assertEquals(/other computer|outro computador/.test(called.server.stdout), false);
      called.server.signal("SIGTERM");
      await called.server.exits(0);
    }
  });
}
