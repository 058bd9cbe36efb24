/** The four windows of a call both ways, as its two persons see and use them. */

import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import {
  type RunningServer,
  startClient,
  type StartOptions,
  startServer,
  temporaryFolder,
  until,
} from "./harness.ts";
import { canLink, Link, SERVER_ADDRESS } from "./link.ts";
import { writeNumbers } from "./numbered.ts";
import { Screen } from "./screen.ts";
import { type Manner, test } from "./strict.ts";

const TITLES = {
  self: "TRANSMITINDO VIDEO",
  server: "RECEBENDO VIDEO (CLIENTE)",
  client: "RECEBENDO VIDEO (HOST)",
} as const;

/** The first number of the server. The client's numbers begin at 0. */
const THEIRS = 10_000;

/** A test with a screen. Xvfb exists on Linux only; the set-up installs it there. */
function onScreen(name: string, fn: () => Promise<void>, manner: Manner = {}): void {
  test(name, fn, { ...manner, ignore: Deno.build.os !== "linux" || (manner.ignore ?? false) });
}

/** Makes the inputs of both ends, for half a minute. Resolves to the options for either end. */
async function inputs(folder: string): Promise<{ here: string[]; there: string[] }> {
  const numbers = (first: number): number[] => Array.from({ length: 600 }, (_, n) => first + n);
  await writeNumbers(`${folder}/client.avi`, numbers(0), DEFAULT_FORMAT);
  await writeNumbers(`${folder}/server.avi`, numbers(THEIRS), DEFAULT_FORMAT);
  return {
    here: ["--input", `${folder}/client.avi`],
    there: ["--input", `${folder}/server.avi`, "--no-record"],
  };
}

function shownOn(screen: Screen): StartOptions {
  return { env: { DISPLAY: screen.display } };
}

/** The corner and the size of a window. */
async function geometry(screen: Screen, title: string): Promise<string> {
  const text = await screen.do("getwindowgeometry", await screen.window(title));
  const [, corner, size] = /Position: (\S+) [^]*Geometry: (\S+)/.exec(text)!;
  return `${corner} ${size}`;
}

onScreen("two machines show both pictures side by side, each its own at the left", async () => {
  await using folder = await temporaryFolder();
  const { here, there } = await inputs(folder.path);
  await using left = await Screen.forTwo(DEFAULT_FORMAT);
  await using right = await Screen.forTwo(DEFAULT_FORMAT);
  await using link = (await Link.lay())!;
  const host = ["--host", SERVER_ADDRESS];
  const [near, far] = [{ ...link.client, ...shownOn(left) }, { ...link.server, ...shownOn(right) }];
  await using called = await startServer([...host, ...there], far);
  await using client = startClient(called.port, [...host, ...here], near);
  for (const [screen, end] of [[left, "client"], [right, "server"]] as const) {
    const pictures = await until("two pictures", () => {
      const found = screen.pictures();
      return found.length === 2 ? found : undefined;
    });
    const whose = pictures.map(({ number }) => number < THEIRS ? "client" : "server");
    assertEquals(whose, end === "client" ? ["client", "server"] : ["server", "client"]);
    assertEquals(await geometry(screen, TITLES.self), "0,0 320x240");
    assertEquals(await geometry(screen, TITLES[end]), "320,0 320x240");
  }
  client.signal("SIGINT");
  await client.exits(0);
  await called.server.exits(0);
}, { ignore: !canLink });

onScreen(
  "the four windows of a call on one screen lie apart, each with its own picture",
  async () => {
    await using folder = await temporaryFolder();
    const { here, there } = await inputs(folder.path);
    await using screen = await Screen.open({ ...DEFAULT_FORMAT, width: 1280 }, DEFAULT_FORMAT);
    await using called = await startServer(there, shownOn(screen));
    await using client = startClient(called.port, here, shownOn(screen));
    const pictures = await until("four pictures", () => {
      const found = screen.pictures();
      return found.length === 4 ? found : undefined;
    });
    assertEquals(pictures.map(({ left }) => left), [0, 320, 640, 960]);
    // The client itself, the client at the server, the server at the client, the server itself.
    const whose = pictures.map(({ number }) => number < THEIRS ? "client" : "server");
    assertEquals(whose, ["client", "client", "server", "server"]);
    assert(pictures.every(({ mirrored }) => mirrored));
    assertEquals(await geometry(screen, TITLES.server), "320,0 320x240");
    assertEquals(await geometry(screen, TITLES.client), "640,0 320x240");
    client.signal("SIGINT");
    await client.exits(0);
    await called.server.exits(0);
  },
);

const GESTURES: readonly (readonly [string, (window: string) => string[]])[] = [
  ["q in", (window) => ["key", "--window", window, "q"]],
  ["closing", (window) => ["windowclose", window]],
];

for (const end of ["server", "client"] as const) {
  for (const title of [TITLES.self, TITLES[end]]) {
    for (const [what, gesture] of GESTURES) {
      onScreen(`${what} "${title}" at the ${end} hangs up`, async () => {
        await using screen = await Screen.forTwo(DEFAULT_FORMAT);
        const [shown, hidden] = [["--input", "test"], ["--no-display"]];
        await using called: RunningServer & AsyncDisposable = await startServer(
          ["--no-record", ...shown, ...(end === "server" ? [] : hidden)],
          shownOn(screen),
        );
        await using client = startClient(
          called.port,
          [...shown, ...(end === "client" ? [] : hidden)],
          shownOn(screen),
        );
        await screen.window(TITLES.self);
        await screen.window(TITLES[end]);
        const window = await screen.window(title);
        // A window takes keys a moment after it is there. A key that was pressed too early is
        // pressed again.
        let over = false;
        client.ended.then(() => over = true);
        await until("the end of the call", async () => {
          await screen.do(...gesture(window));
          return over ? true : undefined;
        });
        const last = `Call ended by the ${end === "server" ? "HOST." : "CLIENT"}`;
        for (const { stdout } of [await called.server.exits(0), await client.exits(0)]) {
          assertEquals(stdout.trimEnd().split("\n").at(-1), last);
        }
      });
    }
  }
}

onScreen("an end without a window sees nothing and is seen all the same", async () => {
  await using screen = await Screen.forTwo(DEFAULT_FORMAT);
  await using called = await startServer(["--no-record", "--input", "test"], shownOn(screen));
  await using client = startClient(called.port, ["--no-display"]);
  await screen.window(TITLES.self);
  await screen.window(TITLES.server);
  client.signal("SIGINT");
  const { stdout, stderr } = await client.exits(0);
  assertStringIncludes(stdout, "Received ");
  assertEquals(stderr, "");
  assertEquals((await called.server.exits(0)).stderr, "");
});

onScreen("pictures are as young in both directions at once as in one", async () => {
  await using folder = await temporaryFolder();
  const { here, there } = await inputs(folder.path);
  await using screen = await Screen.open({ ...DEFAULT_FORMAT, width: 1280 }, DEFAULT_FORMAT);
  await using called = await startServer(there, shownOn(screen));
  await using client = startClient(called.port, here, shownOn(screen));
  await until("four pictures", () => screen.pictures().length === 4 ? true : undefined);
  // The number of pictures by which each end is behind the peer's view of itself, looked at a
  // hundred times.
  const behind = { client: [] as number[], server: [] as number[] };
  while (behind.client.length < 100) {
    const [ours, oursThere, theirsHere, theirs] = screen.pictures();
    if (theirs && theirs.left === 960) {
      behind.client.push(ours!.number - oursThere!.number);
      behind.server.push(theirs.number - theirsHere!.number);
    }
    await new Promise((resolve) => setTimeout(resolve, 13));
  }
  for (const [end, pictures] of Object.entries(behind)) {
    const mean = pictures.reduce((sum, n) => sum + n, 0) / pictures.length;
    // Half a picture is 25 ms: the way over the wire takes less than a tenth of that.
    assertLess(Math.abs(mean), 0.5, end);
  }
  client.signal("SIGINT");
  await client.exits(0);
  await called.server.exits(0);
}, { quiet: true });
