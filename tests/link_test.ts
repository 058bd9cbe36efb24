/** Calls over slow links. The limits here are generous; docs/protocol.md has the figures. */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertStringIncludes,
} from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { startClient, startServer, temporaryFolder, until } from "./harness.ts";
import { callOver, canLink, Link, quantile, ROWS, SERVER_ADDRESS } from "./link.ts";
import { readNumbers, writeNumbers } from "./numbered.ts";
import { test } from "./strict.ts";
import { hasTerminals, Terminal } from "./terminal.ts";

const SECONDS = Number(Deno.env.get("LINK_SECONDS") ?? 6);

for (const { megabits, codec, leastFps, p95 } of ROWS) {
  test(
    `${codec} over ${megabits} Mbit/s: enough frames, and none of them old${
      canLink ? "" : " (no namespaces here)"
    }`,
    async () => {
      await using link = await Link.lay(megabits);
      assert(link);
      const { frames } = await callOver(link, SECONDS, ["--codec", codec]);
      const ages = frames.map(({ ageMs }) => ageMs);
      const fps = frames.length / SECONDS;
      // deno-lint-ignore no-console
      console.log(
        `${codec} ${megabits} Mbit/s: ${fps.toFixed(1)} fps, median ${quantile(ages, 0.5)} ms, ` +
          `p95 ${quantile(ages, 0.95)} ms, oldest ${Math.max(...ages)} ms`,
      );
      assertGreaterOrEqual(fps, leastFps * 0.75);
      assertLessOrEqual(quantile(ages, 0.95), p95 * 2);
    },
    { ignore: !canLink, slow: true },
  );
}

test(
  "over a slow link both ends show the same delay, and the client has advice",
  async () => {
    await using link = await Link.lay(5);
    assert(link);
    await using server = new Terminal("server", [
      ...["--host", SERVER_ADDRESS, "--port", "0", "--no-record", "--no-display"],
    ], link.server);
    const [, port] = await server.shows(/LISTENING ON: \('[\d.]+', (\d+)\)/);
    await using client = new Terminal("client", [
      ...["--host", SERVER_ADDRESS, "--port", port!, "--input", "test", "--no-display"],
    ], link.client);
    const delays = ({ text }: Terminal): number[] =>
      [...text.matchAll(/delay (\d+) ms/g)].map(([, ms]) => Number(ms));
    await client.shows(/The network carries less than half of the pictures: try --codec mjpeg\./);
    // In the first seconds the window finds out the pace of the link.
    const [first, count] = [6, 10];
    await until(
      "delays at both ends",
      () => Math.min(delays(client).length, delays(server).length) >= first + count || undefined,
    );
    const [sent, received] = [client, server].map((end) =>
      quantile(delays(end).slice(first, first + count), 0.5)
    );
    assertEquals(client.text.match(/The network carries/g)?.length, 1);
    // deno-lint-ignore no-console
    console.log(`delay ${sent} ms at the client, ${received} ms at the server`);
    assertGreaterOrEqual(sent!, 250);
    // A tenth, and as much again for a busy machine.
    assertLessOrEqual(Math.abs(sent! - received!), sent! * 0.2);
  },
  { ignore: !canLink || !hasTerminals, slow: true },
);

test(
  "h264 over a link that is far too slow: many frames are dropped, none that is recorded is torn",
  async () => {
    await using link = await Link.lay(0.02);
    assert(link);
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    const input = `${folder.path}/numbers.avi`;
    await writeNumbers(input, Array.from({ length: 200 }, (_, n) => n * 37), DEFAULT_FORMAT);
    await using called = await startServer(
      ["--host", SERVER_ADDRESS, "--record", file],
      link.server,
    );
    await using client = startClient(called.port, [
      ...["--host", SERVER_ADDRESS, "--codec", "h264", "--input", input, "--size", "640x480"],
    ], link.client);
    const { stdout } = await client.exits(0);
    await called.server.exits(0);
    const [, dropped] = /frames?, (\d+) dropped/.exec(stdout) ?? [];
    assertGreaterOrEqual(Number(dropped), 10);
    // A torn picture is one that cannot be read.
    const numbers = await readNumbers(file);
    assertEquals(numbers, [...numbers].sort((a, b) => a - b));
  },
  { ignore: !canLink, slow: true },
);

test(
  "a machine that is not there, and a network that is not, are named within 4 s",
  async () => {
    await using link = await Link.lay();
    assert(link);
    // The one address belongs to nobody on the same cable. No cable leads to the other.
    for (const host of ["10.77.0.99", "198.51.100.7"]) {
      const startMs = performance.now();
      await using client = startClient(8080, ["--host", host], link.client);
      const { stderr } = await client.exits(1);
      assertStringIncludes(stderr, `${host} cannot be reached: check --host`);
      // Four seconds, and the time of a busy machine to start and end two processes.
      assertLessOrEqual(performance.now() - startMs, 8000);
    }
  },
  { ignore: !canLink },
);
