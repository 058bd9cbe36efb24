/** The loudspeaker, heard at the monitor of a sound server of the test's own. */

import { assertEquals, assertThrows } from "@std/assert";
import type { ChildWatch } from "../lib/media/child.ts";
import { clockOf, Loudspeaker } from "../lib/media/loudspeaker.ts";
import { NotInstalledError } from "../lib/errors.ts";
import { pause } from "../lib/clock.ts";
import { PCM_FRAME_BYTES, SOUND_FRAME_MS } from "../lib/frame/format.ts";
import { canHear, clickSamples, type Ear, SoundServer } from "../scripts/kit/sound_server.ts";
import { until } from "../scripts/kit/waiting.ts";
import { type Manner, test } from "./strict.ts";

/** The most milliseconds to the ear, on a shared machine. A quiet one needs 45 to 70 (measured). */
const SOON_MS = 160;

/** Milliseconds between clicks: more than one takes, so that none is another's. */
const APART_MS = 300;

const SILENCE = new Uint8Array(PCM_FRAME_BYTES);

/** A frame with a click at its beginning. */
const CLICK = ((): Uint8Array => {
  const data = new Uint8Array(PCM_FRAME_BYTES);
  const view = new DataView(data.buffer);
  clickSamples().forEach((sample, index) => view.setInt16(2 * index, sample * 32_767, true));
  return data;
})();

/** A frame of a steady tone of 1,000 Hz. */
const TONE = ((): Uint8Array => {
  const data = new Uint8Array(PCM_FRAME_BYTES);
  const view = new DataView(data.buffer);
  for (let at = 0; at < PCM_FRAME_BYTES / 2; at++) {
    view.setInt16(2 * at, 10_000 * Math.cos(2 * Math.PI * at / 48), true);
  }
  return data;
})();

/** A test with a sound server. */
function heard(name: string, fn: () => Promise<void>, manner: Manner = {}): void {
  test(`Loudspeaker ${name}`, fn, { ...manner, ignore: !canHear });
}

/** A peer that speaks: a frame each 10 ms, until it is disposed of. */
class Voice implements AsyncDisposable {
  /** The moments of its clicks. */
  readonly clicksMs: number[] = [];
  /** The longest time that a push took. */
  slowestMs = 0;
  /** True while it is muted: nothing comes. */
  muted = false;
  /** True while the network stands: what is said comes later, all at once. */
  stalled = false;
  readonly #loudspeaker: Loudspeaker;
  readonly #running: Promise<void>;
  #ended = false;

  constructor(loudspeaker: Loudspeaker, { tone = false, jitterMs = 0 } = {}) {
    this.#loudspeaker = loudspeaker;
    this.#running = this.#run(tone, jitterMs);
  }

  async #run(tone: boolean, jitterMs: number): Promise<void> {
    const startMs = performance.now();
    const late: Uint8Array[] = [];
    for (let count = 0; !this.#ended; count++) {
      const dueMs = startMs + count * SOUND_FRAME_MS + Math.random() * jitterMs;
      await pause(Math.max(dueMs - performance.now(), 0));
      const isClick = !tone && count % (APART_MS / SOUND_FRAME_MS) === 0;
      if (this.muted) continue;
      late.push(isClick ? CLICK : tone ? TONE : SILENCE);
      if (isClick) this.clicksMs.push(performance.now());
      if (!this.stalled) late.splice(0).forEach((data) => this.#push(data, count));
    }
  }

  #push(data: Uint8Array, sequence: number): void {
    const startMs = performance.now();
    this.#loudspeaker.push({ stream: 0, data, captureUs: 0, sequence, keyframe: true });
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#running;
  }
}

/** The delay of each click since a moment, of those that were heard. */
function delays(voice: Voice, ear: Ear, sinceMs: number): number[] {
  return voice.clicksMs.filter((ms) => ms >= sinceMs).flatMap((ms) => {
    const heardMs = ear.clicksMs.find((heardMs) => heardMs >= ms);
    return heardMs === undefined || heardMs - ms > APART_MS ? [] : [heardMs - ms];
  });
}

/** Waits until clicks that are made from now on are heard soon, three in a row. */
async function untilSoon(voice: Voice, ear: Ear): Promise<void> {
  const sinceMs = performance.now();
  await until("clicks that are heard soon", () => {
    const last = delays(voice, ear, sinceMs).slice(-3);
    return last.length === 3 && last.every((ms) => ms < SOON_MS) ? true : undefined;
  });
}

/** Notes what a loudspeaker tells, and how many players it has. */
function notes(): {
  readonly told: string[];
  readonly options: { onSilent: () => void; onHeard: () => void; watch: ChildWatch };
  readonly players: { now: number; most: number; started: number };
  readonly pids: number[];
} {
  const told: string[] = [];
  const pids: number[] = [];
  const players = { now: 0, most: 0, started: 0 };
  const watch: ChildWatch = {
    started(child): void {
      if (!child.startsWith("ffplay")) return;
      pids.push(Number(child.split(" ")[1]));
      players.started++;
      players.most = Math.max(players.most, ++players.now);
    },
    said(_, line): void {
      if (clockOf(line) !== undefined) told.push("a clock");
    },
    ended(child): void {
      if (child.startsWith("ffplay")) players.now--;
    },
  };
  const onSilent = (): void => void told.push("silent");
  const onHeard = (): void => void told.push("heard");
  return { told, pids, players, options: { onSilent, onHeard, watch } };
}

test("clockOf reads the clock in ffplay's statistics, and nothing else", () => {
  assertEquals(clockOf("0.97 M-A:  0.000 fd=   0 aq=   52KB vq=    0KB sq=    0B f=0/0"), 970);
  assertEquals(clockOf("-0.03 M-A: -0.000 fd=   0 aq=    0KB"), -30);
  assertEquals(clockOf("nan    :  0.000 fd=   0 aq=    0KB"), undefined);
  assertEquals(clockOf("nan M-A:  0.000 fd=   0"), undefined);
  assertEquals(clockOf("SDL_OpenAudio (1 channels, 48000 Hz): no device"), undefined);
});

test("Loudspeaker says that there is no ffplay", () => {
  const error = assertThrows(
    () => new Loudspeaker({ env: { PATH: "/none" } }),
    NotInstalledError,
  );
  assertEquals(error.command, "ffplay");
}, { ignore: Deno.build.os === "windows" });

heard("is heard at the same short distance at every start, and tells nothing", async () => {
  const { told, options } = notes();
  for (let start = 0; start < 2; start++) {
    await using server = await SoundServer.open({ microphones: 0 });
    await using loudspeaker = new Loudspeaker({ ...options, env: server.client() });
    await using voice = new Voice(loudspeaker, { jitterMs: 20 });
    const ear = server.ears[0]!;
    await untilSoon(voice, ear);
    const sinceMs = performance.now();
    await until("ten clicks", () => delays(voice, ear, sinceMs).length >= 10 || undefined);
    const sorted = delays(voice, ear, sinceMs).sort((a, b) => a - b);
    assertEquals(sorted[5]! < SOON_MS, true, sorted.join(" "));
  }
  assertEquals(told, []);
}, { quiet: true, slow: true });

heard("plays a steady sound without holes", async () => {
  await using server = await SoundServer.open({ microphones: 0 });
  await using loudspeaker = new Loudspeaker({ env: server.client() });
  await using _voice = new Voice(loudspeaker, { tone: true, jitterMs: 10 });
  const ear = server.ears[0]!;
  await until("a tone", () => ear.loudest(0) > 0.2 || undefined);
  await pause(1000);
  const sinceMs = performance.now();
  await pause(3000);
  const holesMs = ear.silenceMs(sinceMs, sinceMs + 2900);
  assertEquals(holesMs <= 150, true, `${holesMs} ms of 2,900`);
}, { quiet: true, slow: true });

heard("has no more delay after a stall, and none after a muted time", async () => {
  await using server = await SoundServer.open({ microphones: 0 });
  await using loudspeaker = new Loudspeaker({ env: server.client() });
  await using voice = new Voice(loudspeaker);
  const ear = server.ears[0]!;
  await untilSoon(voice, ear);
  voice.stalled = true;
  await pause(1000);
  voice.stalled = false;
  await untilSoon(voice, ear);
  voice.muted = true;
  await pause(1500);
  voice.muted = false;
  await untilSoon(voice, ear);
}, { quiet: true, slow: true });

heard("plays the present when its player goes on after 3 s, and no push waits", async () => {
  const { options, pids } = notes();
  await using server = await SoundServer.open({ microphones: 0 });
  await using loudspeaker = new Loudspeaker({ ...options, env: server.client() });
  await using voice = new Voice(loudspeaker);
  const ear = server.ears[0]!;
  await untilSoon(voice, ear);
  voice.slowestMs = 0;
  const stopMs = performance.now();
  Deno.kill(pids[0]!, "SIGSTOP");
  await pause(2900);
  Deno.kill(pids[0]!, "SIGCONT");
  const goMs = performance.now();
  await untilSoon(voice, ear);
  // One that was written and one that was heard already, of nine.
  const old = ear.clicksMs.filter((ms) => ms > stopMs + SOON_MS && ms < goMs + APART_MS).length;
  assertEquals(old <= 3, true, `${old} clicks from the time of the stop`);
  assertEquals(voice.slowestMs < 500, true, `${voice.slowestMs} ms`);
}, { quiet: true, slow: true });

heard("replaces a player whose clock stands", async () => {
  const { told, options, pids, players } = notes();
  await using server = await SoundServer.open({ microphones: 0 });
  await using loudspeaker = new Loudspeaker({ ...options, env: server.client() });
  await using voice = new Voice(loudspeaker);
  const ear = server.ears[0]!;
  await untilSoon(voice, ear);
  Deno.kill(pids[0]!, "SIGSTOP");
  await until("two words", () => told[1]);
  await untilSoon(voice, ear);
  assertEquals([told, players.most], [["silent", "heard"], 1]);
}, { slow: true });

heard("is silent once when its device goes, and heard once when it is back", async () => {
  const { told, options, players } = notes();
  await using server = await SoundServer.open({ microphones: 0 });
  await using loudspeaker = new Loudspeaker({ ...options, env: server.client() });
  await using voice = new Voice(loudspeaker);
  const ear = server.ears[0]!;
  await untilSoon(voice, ear);
  // The witness is believed from then on.
  await pause(2500);
  await server.unplug(ear);
  await until("a word", () => told[0]);
  const { started } = players;
  await until("another try", () => players.started > started + 1 || undefined);
  await server.plug(ear);
  await until("another word", () => told[1]);
  await untilSoon(voice, ear);
  assertEquals([told, players.most], [["silent", "heard"], 1]);
}, { slow: true });

heard("comes back by itself when the sound server was started anew", async () => {
  const { options, players } = notes();
  await using server = await SoundServer.open({ microphones: 0 });
  await using loudspeaker = new Loudspeaker({ ...options, env: server.client() });
  await using voice = new Voice(loudspeaker);
  const ear = server.ears[0]!;
  await untilSoon(voice, ear);
  await pause(2500);
  await server.kill();
  await server.start();
  await untilSoon(voice, ear);
  assertEquals(players.most, 1);
}, { slow: true });

heard("comes back at once when it is told that the sound server has gone", async () => {
  const { options, players } = notes();
  await using server = await SoundServer.open({ microphones: 0 });
  const env = server.client();
  await using loudspeaker = new Loudspeaker({ ...options, env, hasWitness: false });
  await using voice = new Voice(loudspeaker);
  const ear = server.ears[0]!;
  await untilSoon(voice, ear);
  await server.kill();
  await server.start();
  loudspeaker.renew();
  await untilSoon(voice, ear);
  assertEquals(players.most, 1);
}, { slow: true });

heard("says once that there is no sound server, tries now and then, and ends at once", async () => {
  const { told, options, players } = notes();
  await using server = await SoundServer.open({ microphones: 0 });
  await server.kill();
  const loudspeaker = new Loudspeaker({ ...options, env: server.client() });
  try {
    await until("a third try", () => players.started >= 3 || undefined);
    assertEquals([told, players.most], [["silent"], 1]);
    await server.start();
    await until("a word", () => told[1]);
    assertEquals(told, ["silent", "heard"]);
  } finally {
    await loudspeaker[Symbol.asyncDispose]();
    await loudspeaker[Symbol.asyncDispose]();
  }
  assertEquals(players.now, 0);
}, { slow: true });
