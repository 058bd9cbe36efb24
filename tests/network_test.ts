/** Networks that go and come back, for real: links cut between two machines that are none. */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { pause } from "../lib/clock.ts";
import { RefusedError } from "../lib/errors.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { makeOffer } from "../lib/wire/offer.ts";
import { newCallId } from "../lib/wire/session.ts";
import { treeOf } from "../scripts/kit/processes.ts";
import { type Outcome, probe, temporaryFolder } from "./harness.ts";
import { canLink, type Cut, Link, SERVER_ADDRESS } from "./link.ts";
import {
  assertKeepsTime,
  numberedFile,
  openSockets,
  Relay,
  summaryOf,
  type WatchedCall,
  watchedCall,
} from "./network.ts";
import { readNumbers } from "./numbered.ts";
import { test } from "./strict.ts";
import { hasTerminals, Terminal } from "./terminal.ts";

/** Seconds that a link is gone. By hand, 10 and 25 were tried as well. */
const AWAY = Number(Deno.env.get("AWAY_SECONDS") ?? 3);

const manner = { ignore: !canLink, slow: true };

/** Each kind of picture, and each place to cut a link. By hand, every pair of them was tried. */
const PLACES: readonly Cut[] = ["middle", "client", "server"];
const CUTS = Deno.env.has("AWAY_SECONDS")
  ? (["raw", "h264"] as const).flatMap((codec) => PLACES.map((where) => ({ codec, where })))
  : [
    { codec: "raw", where: "middle" },
    { codec: "raw", where: "server" },
    { codec: "h264", where: "client" },
  ] as const;

for (const { codec, where } of CUTS) {
  test(
    `${codec}, the link cut at ${where} for ${AWAY} s: the call goes on, and both files keep time`,
    async () => {
      await using folder = await temporaryFolder();
      await using link = await Link.lay();
      assert(link);
      const input = await numberedFile(folder.path, AWAY + 7);
      await using call = await watchedCall({ folder: folder.path, link, codec, input });
      const { server, client } = call;
      await link.plug("down", where);
      await pause(AWAY * 1000);
      await link.plug("up", where);
      const backMs = performance.now();
      const back = await Promise.all([server, client].map((end) => end.cameAfter(backMs)));
      const [upMs, downMs] = back.map(({ atMs }) => Math.round(atMs - backMs));
      const ended = await Promise.all([server, client].map((end) => end.running.exits(0)));
      const off = [
        await assertKeepsTime(server, ended[0]!),
        await assertKeepsTime(client, ended[1]!),
      ];
      const lost = ended.map((outcome) => summaryOf(outcome).lost);
      // deno-lint-ignore no-console
      console.log(
        `${codec} ${where} ${AWAY} s: at the server after ${upMs} ms, at the client after ${downMs} ms; ` +
          `lost ${lost}; files off by ${off.map((one) => one.toFixed(2))} s`,
      );
      // A second, and the delay of a busy machine on top.
      assertLessOrEqual(Math.max(upMs!, downMs!), 2000);
      for (const { stderr } of ended) {
        assertStringIncludes(stderr, "Nothing comes any more: waiting for the network");
        assertStringIncludes(stderr, "The network is back after");
        assertEquals(stderr.match(/Nothing comes any more/g)?.length, 1);
      }
    },
    manner,
  );
}

test(
  "a network that is gone for longer than the patience: both say so, the files end with what came",
  async () => {
    await using folder = await temporaryFolder();
    await using link = await Link.lay();
    assert(link);
    const patience = ["--patience", "4"];
    const input = await numberedFile(folder.path, 30);
    const given = { folder: folder.path, link, input, serve: patience, send: patience };
    await using call = await watchedCall(given);
    await link.plug("down", "middle");
    const downMs = performance.now();
    for (const end of [call.server, call.client]) {
      const { stdout, stderr } = await end.running.exits(3);
      assertStringIncludes(stderr, "Nothing comes any more: waiting for the network, 4 s at most.");
      assertStringIncludes(stderr, "The recording ends with the last picture that came.");
      assertMatch(stdout, /The (HOST|CLIENT) was lost: the network did not come back in time\./);
      const numbers = await readNumbers(end.file);
      assertEquals(numbers.at(-1), end.newest);
      assertEquals(numbers.length, end.newest + 1);
    }
    // Two seconds of silence and four of patience, and the delay of a busy machine on top.
    assertLessOrEqual(performance.now() - downMs, 12_000);
  },
  manner,
);

test("a server that is killed is not waited for: nobody listens where it was", async () => {
  await using folder = await temporaryFolder();
  await using call = await watchedCall({ folder: folder.path });
  const killedMs = performance.now();
  call.server.running.signal("SIGKILL");
  const { stdout } = await call.client.running.exits(3);
  tell("the server killed, the client ends after", performance.now() - killedMs);
  assertLessOrEqual(performance.now() - killedMs, 4000);
  assertStringIncludes(stdout, "The HOST was lost: ");
});

test("a client that is killed is waited for 5 s, whatever the patience", async () => {
  await using folder = await temporaryFolder();
  await using call = await watchedCall({ folder: folder.path });
  const killedMs = performance.now();
  call.client.running.signal("SIGKILL");
  const { stdout, stderr } = await call.server.running.exits(3);
  tell("the client killed, the server ends after", performance.now() - killedMs);
  assertLessOrEqual(performance.now() - killedMs, 9000);
  assertStringIncludes(stderr, "The connection was cut: waiting for the network.");
  assertStringIncludes(stdout, "The CLIENT was lost: ");
}, { slow: true });

test(
  "a client whose address changes while the network is gone comes back into its call",
  async () => {
    await using folder = await temporaryFolder();
    await using link = await Link.lay();
    assert(link);
    const input = await numberedFile(folder.path, 8);
    await using call = await watchedCall({ folder: folder.path, link, input });
    await link.plug("down", "client");
    await pause(500);
    await link.moveClient();
    await link.plug("up", "client");
    const movedMs = performance.now();
    await call.client.running.says(/The network is back after/);
    tell("the address changed, back after", performance.now() - movedMs);
    const [served, sent] = await bothExit(call, 0);
    assertEquals(served.stdout.match(/RECEIVED FROM/g)?.length, 1);
    await assertKeepsTime(call.server, served);
    await assertKeepsTime(call.client, sent);
  },
  manner,
);

test(
  "a connection that is reset ten times in a row: the call goes on, nothing stays open",
  async () => {
    await using folder = await temporaryFolder();
    await using relay = new Relay();
    const through = (port: number): number => relay.lead(port);
    const input = await numberedFile(folder.path, 30);
    await using call = await watchedCall({ folder: folder.path, through, input });
    const { server, client } = call;
    const open = async (): Promise<number[]> =>
      await Promise.all([server, client].map(({ running }) => openSockets(running.pid)));
    const before = await open();
    for (let time = 0; time < 10; time++) {
      await relay.reset();
      const resetMs = performance.now();
      await Promise.all([server, client].map((end) => end.cameAfter(resetMs)));
      tell(`reset ${time}, back after`, performance.now() - resetMs);
    }
    assertEquals(await open(), before);
    client.running.signal("SIGINT");
    const [served, sent] = await bothExit(call, 0);
    for (const { stderr } of [served, sent]) {
      assertEquals(stderr.match(/The network is back after/g)?.length, 10);
    }
    await assertKeepsTime(server, served);
    await assertKeepsTime(client, sent);
  },
  { slow: true },
);

test(`a client whose machine sleeps for ${AWAY} s comes back into its call`, async () => {
  await using folder = await temporaryFolder();
  const send = ["--duration", String(AWAY + 5)];
  await using call = await watchedCall({ folder: folder.path, send });
  const { server, client } = call;
  const asleep = await treeOf(client.running.pid);
  for (const pid of asleep) Deno.kill(pid, "SIGSTOP");
  await server.running.says(/Nothing comes any more/);
  await pause(AWAY * 1000 - 2000);
  for (const pid of asleep.toReversed()) Deno.kill(pid, "SIGCONT");
  const awakeMs = performance.now();
  await server.cameAfter(awakeMs);
  tell("awake, back after", performance.now() - awakeMs);
  const [served, sent] = await bothExit(call, 0);
  assertStringIncludes(served.stderr, "The network is back after");
  for (const [end, outcome] of [[server, served], [client, sent]] as const) {
    const { seconds } = await probe(end.file);
    const [first, last] = [end.came[0]!, end.came.at(-1)!];
    const lasted = (last.atMs - first.atMs) / 1000 + 1 / DEFAULT_FORMAT.fps;
    assertLessOrEqual(Math.abs(seconds - lasted), 0.25, outcome.stdout);
  }
}, { slow: true, ignore: Deno.build.os !== "linux" });

test("a client that is killed and started anew takes the place of its old call", async () => {
  await using folder = await temporaryFolder();
  await using call = await watchedCall({ folder: folder.path, serve: ["--max-calls", "1"] });
  const { server, client } = call;
  const oldNewest = server.newest;
  client.running.signal("SIGKILL");
  await client.running.ended;
  const next = call.callAgain(`${folder.path}/next.avi`);
  await next.taken(10);
  next.running.signal("SIGINT");
  await next.running.exits(0);
  const { stdout } = await server.running.exits(0);
  assertEquals(stdout.match(/Recorded/g)?.length, 2);
  assertGreaterOrEqual((await probe(server.file)).frames, oldNewest);
  assertGreaterOrEqual((await probe(`${folder.path}/server-2.avi`)).frames, 10);
});

test("somebody who guesses the name of a call is refused, and the call is undisturbed", async () => {
  await using folder = await temporaryFolder();
  const send = ["--duration", "4"];
  await using call = await watchedCall({ folder: folder.path, send });
  for (const guess of [newCallId(), "", "00"]) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: call.port });
    const hello = { name: "Eva", streams: [DEFAULT_FORMAT], call: guess };
    await assertRejects(
      () => makeOffer(connection, hello, new AbortController().signal),
      RefusedError,
    );
  }
  const [served, sent] = await bothExit(call, 0);
  assertEquals(served.stdout.match(/RECEIVED FROM/g)?.length, 1);
  for (const { stderr } of [served, sent]) assert(!stderr.includes("waiting for the network"));
  assertEquals(served.stderr.match(/^(?!\[).*$/gm)?.filter((line) => line !== ""), []);
});

for (const who of ["server", "client"] as const) {
  test(`whoever hangs up at the ${who} while the network is gone is out at once`, async () => {
    await using folder = await temporaryFolder();
    await using link = await Link.lay();
    assert(link);
    await using call = await watchedCall({ folder: folder.path, link });
    await link.plug("down", "middle");
    const { running } = call[who];
    await running.says(/Nothing comes any more/);
    const hungUpMs = performance.now();
    running.signal("SIGINT");
    const { stdout } = await running.exits(0);
    tell(`hung up at the ${who}, out after`, performance.now() - hungUpMs);
    assertLessOrEqual(performance.now() - hungUpMs, 3000);
    assertStringIncludes(stdout, `Call ended by the ${who === "server" ? "HOST" : "CLIENT"}`);
  }, manner);
}

test("a server that stays tells a client that comes back that it has hung up", async () => {
  await using folder = await temporaryFolder();
  await using link = await Link.lay();
  assert(link);
  await using server = new Terminal("server", [
    ...["--host", SERVER_ADDRESS, "--port", "0", "--stay", "--no-display", "--input", "test"],
    ...["--record", `${folder.path}/server.avi`],
  ], link.server);
  const [, port] = await server.shows(/LISTENING ON: \('[\d.]+', (\d+)\)/);
  await using client = new Terminal("client", [
    ...["--host", SERVER_ADDRESS, "--port", port!, "--input", "test", "--no-display"],
  ], link.client);
  await client.shows(/↓ (19|20)/);
  await link.plug("down", "middle");
  for (const end of [server, client]) await end.shows(/waiting for the network… 4 s/);
  await server.type("q");
  await server.shows(/Call ended by the HOST/);
  await link.plug("up", "middle");
  const { text, status } = await client.ends();
  assertStringIncludes(text, "Call ended by the HOST");
  assertEquals(status, 0);
  await server.type("q");
  assertEquals((await server.ends()).status, 0);
}, { ...manner, ignore: !canLink || !hasTerminals });

test(
  "an input that ends while the network is gone is followed by its goodbye when that is back",
  async () => {
    await using folder = await temporaryFolder();
    await using link = await Link.lay();
    assert(link);
    await using call = await watchedCall({ folder: folder.path, link, send: ["--duration", "4"] });
    await call.client.taken(40);
    await link.plug("down", "middle");
    // Silence is noticed after 2 s, and the four are over by then.
    await call.client.running.says(/Nothing comes any more/);
    await pause(2000);
    await link.plug("up", "middle");
    const [served, sent] = await bothExit(call, 0);
    for (const { stdout } of [served, sent]) {
      assertStringIncludes(stdout, "Call ended by the CLIENT");
    }
  },
  manner,
);

function tell(what: string, ms: number): void {
  // deno-lint-ignore no-console
  console.log(`${what} ${Math.round(ms)} ms`);
}

async function bothExit(
  { server, client }: WatchedCall,
  code: number,
): Promise<[Outcome, Outcome]> {
  return await Promise.all([server.running.exits(code), client.running.exits(code)]);
}
