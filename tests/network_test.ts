/** Networks that go and come back, for real: links cut between two machines that are none. */

import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { pause } from "../lib/clock.ts";
import { temporaryFolder } from "./harness.ts";
import { canLink, type Cut, Link } from "./link.ts";
import { assertKeepsTime, numberedFile, summaryOf, watchedCall } from "./network.ts";
import { test } from "./strict.ts";

/** How long a link is gone, in seconds. By hand, 10 and 25 were tried as well. */
const AWAY = Number(Deno.env.get("AWAY_SECONDS") ?? 3);

const manner = { ignore: !canLink, slow: true };

const CUTS: readonly { readonly codec: "raw" | "h264"; readonly where: Cut }[] = [
  { codec: "raw", where: "middle" },
  { codec: "raw", where: "client" },
  { codec: "raw", where: "server" },
  { codec: "h264", where: "middle" },
  { codec: "h264", where: "client" },
  { codec: "h264", where: "server" },
];

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
