/** A talk in which something is unsteady: the network, or the loudspeaker. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { pause } from "../lib/clock.ts";
import { hearClicks, untilHeard } from "../scripts/kit/clicks.ts";
import { treeOf } from "../scripts/kit/processes.ts";
import { canHear, SoundServer } from "../scripts/kit/sound_server.ts";
import { UnsteadyRelay } from "../scripts/kit/unsteady_relay.ts";
import { Running, startClient, startServer, until } from "./harness.ts";
import { quantile } from "./link.ts";
import { test } from "./strict.ts";

const ignore = !canHear;

/** The most milliseconds from mouth to ear on a busy machine. A quiet one needs half. */
const SOON_MS = 300;

/** Both ends of a talk, the network between them, and the sound of both. */
interface Talk extends AsyncDisposable {
  readonly sound: SoundServer;
  readonly relay: UnsteadyRelay;
  readonly server: Running;
  readonly client: Running;
}

/** Begins a talk, and waits until each hears the other. */
async function openTalk(jitterMs: number, args: readonly string[] = []): Promise<Talk> {
  await using stack = new AsyncDisposableStack();
  const sound = stack.use(await SoundServer.open({ loudspeakers: 2, microphones: 2 }));
  const both = ["--talk", "--no-display", "--codec", "mjpeg", "--verbose", ...args];
  const called = stack.use(
    await startServer(["--open", "--no-record", "--input", "test", ...both], {
      env: sound.client(0),
    }),
  );
  const relay = stack.use(new UnsteadyRelay(called.port, jitterMs));
  const client = stack.use(startClient(relay.port, both, { env: sound.client(1) }));
  await client.says(/IN A CALL/);
  await untilHeard(sound.microphones[0]!, sound.ears[1]!);
  await untilHeard(sound.microphones[1]!, sound.ears[0]!);
  const owned = stack.move();
  return {
    ...{ sound, relay, client, server: called.server },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function hangUp({ client, server }: Talk): Promise<void> {
  client.signal("SIGINT");
  await client.exits(0);
  await server.exits(0);
}

/** The median from the server's mouth to the client's ear, of so many clicks. */
async function medianOf({ sound }: Talk, count: number): Promise<number> {
  const { delaysMs, lost } = await hearClicks(sound.microphones[0]!, sound.ears[1]!, { count });
  assert(lost <= count / 4, `${lost} of ${count} clicks were not heard`);
  return quantile(delaysMs, 0.5);
}

test("a talk over 20 ms of jitter: the voice does not fall behind", async () => {
  await using talk = await openTalk(20);
  const first = await medianOf(talk, 12);
  await medianOf(talk, 20);
  const last = await medianOf(talk, 12);
  // deno-lint-ignore no-console
  console.log(`20 ms of jitter: ${first.toFixed(0)} ms, then ${last.toFixed(0)} ms`);
  assertLess(last, SOON_MS);
  assertLess(last - first, 60);
  await hangUp(talk);
}, { ignore, slow: true, quiet: true });

test("a talk over a network that stands for 300 ms: the voice is back within 1 s", async () => {
  await using talk = await openTalk(0);
  await talk.relay.stand(300);
  await pause(1000);
  assertLess(await medianOf(talk, 5), SOON_MS);
  await hangUp(talk);
}, { ignore, slow: true, quiet: true });

test(
  "a talk whose loudspeaker stands for 3 s: the pictures go on, and then the present is heard",
  async () => {
    await using talk = await openTalk(0, ["--trace"]);
    const { client, sound } = talk;
    const player = await loudspeakerOf(client);
    const pictures = (): number => client.stderr.match(/\[frame\]/g)?.length ?? 0;
    Deno.kill(player, "SIGSTOP");
    const before = pictures();
    const stoppedMs = performance.now();
    await pause(2500);
    const during = pictures() - before;
    const seconds = (performance.now() - stoppedMs) / 1000;
    await pause(500);
    // It may have been replaced meanwhile.
    try {
      Deno.kill(player, "SIGCONT");
    } catch {
      // It was.
    }
    assert(during / seconds > 15, `${during} pictures in ${seconds} s`);
    // The other direction heard nothing of it.
    const [microphone, ear] = [sound.microphones[1]!, sound.ears[0]!];
    const other = await hearClicks(microphone, ear, { count: 3 });
    assertEquals(other.lost, 0);
    await until("the present", async () => {
      const { delaysMs, lost } = await hearClicks(sound.microphones[0]!, sound.ears[1]!, {
        count: 4,
      });
      return lost === 0 && delaysMs.every((ms) => ms < SOON_MS) ? true : undefined;
    });
    await hangUp(talk);
  },
  { ignore, slow: true, quiet: true },
);

/** The id of the ffplay that plays to this end. */
async function loudspeakerOf(end: Running): Promise<number> {
  for (const pid of await treeOf(end.pid)) {
    const line = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    if (/^ffplay\0|\/ffplay\0/.test(line) && line.includes("s16le")) return pid;
  }
  throw new Error("Cannot find the loudspeaker's ffplay");
}
