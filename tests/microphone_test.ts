import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { nowUs, pause } from "../lib/clock.ts";
import { MicrophoneError } from "../lib/errors.ts";
import { PCM_FRAME_BYTES } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import type { Source } from "../lib/frame/source.ts";
import { type MicrophoneOptions, openMicrophone } from "../lib/media/microphone.ts";
import { listMicrophones, type Microphones } from "../lib/media/microphones.ts";
import { TICK_FRAMES, toneFrame } from "../lib/media/test_tone.ts";
import { canSeeProcesses, childrenWith } from "../scripts/kit/processes.ts";
import { canHear, SoundServer } from "../scripts/kit/sound_server.ts";
import { temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

const never = new AbortController().signal;
const needsServer = { ignore: !canHear };

/** Opens a microphone of a sound server. */
function open(
  server: SoundServer,
  options: Partial<MicrophoneOptions> = {},
  microphone = 0,
): Promise<Source> {
  const env = server.client(0, microphone);
  return openMicrophone({ wanted: undefined, system: "linux", env, ...options }, never);
}

/** The loudest sample of a frame. */
function peak({ data }: Frame): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let loudest = 0;
  for (let at = 0; at < data.length; at += 2) {
    loudest = Math.max(loudest, Math.abs(view.getInt16(at, true)));
  }
  return loudest;
}

/** The place of the first loud sample of a frame. */
function onset({ data }: Frame): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < data.length; at += 2) {
    if (Math.abs(view.getInt16(at, true)) > 5000) return at / 2;
  }
  return -1;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

test(
  "microphone: its sound comes in frames of 10 ms, at once, with the times at which it was taken",
  async () => {
    await using server = await SoundServer.open();
    await using source = await open(server);
    const [microphone] = server.microphones;
    const delays: number[] = [];
    const errors: number[] = [];
    let clickMs: number | undefined;
    let last: Frame | undefined;
    for await (const frame of source.frames()) {
      assertEquals([frame.stream, frame.data.length], [0, PCM_FRAME_BYTES]);
      assert(frame.keyframe);
      if (last) assertEquals(frame.sequence, last.sequence + 1);
      last = frame;
      const place = onset(frame);
      if (clickMs !== undefined && place >= 0) {
        const clickUs = (performance.timeOrigin + clickMs) * 1000;
        // The frame is whole when its last sample was taken.
        delays.push((nowUs() - clickUs) / 1000 - (480 - place) / 48);
        errors.push((frame.captureUs - clickUs) / 1000 + place / 48);
        clickMs = undefined;
      }
      if (delays.length === 10) break;
      if (clickMs === undefined && frame.sequence % 15 === 14) clickMs = microphone!.click();
    }
    // At rest 1 ms: the bounds are for a busy machine.
    assertLess(median(delays), 20, `${delays}`);
    assertLess(Math.abs(median(errors)), 15, `${errors}`);
  },
  needsServer,
);

test("microphone: sound that nobody took is left out, and the present goes on", async () => {
  await using server = await SoundServer.open();
  await using source = await open(server);
  const frames = source.frames()[Symbol.asyncIterator]();
  const before: Frame = (await frames.next()).value;
  await pause(2000);
  const after: Frame = (await frames.next()).value;
  assertLess(nowUs() - after.captureUs, 150_000);
  // What was missed counts.
  assert(after.sequence - before.sequence > 50, `${after.sequence - before.sequence} frames`);
  let last = after;
  for (let count = 0; count < 20; count++) {
    const { value } = await frames.next();
    assert(value.captureUs >= last.captureUs);
    last = value;
  }
  assertEquals(last.sequence, after.sequence + 20);
}, needsServer);

test("microphone: chosen by index or by name", async () => {
  await using server = await SoundServer.open({ microphones: 2 });
  const { found } = await listMicrophones("linux", { env: server.client() });
  assertEquals(found.map(({ device }) => device), ["mic0", "mic1"]);
  for (const wanted of ["1", "mic1"]) {
    await using source = await open(server, { wanted });
    server.microphones[1]!.say(new Float32Array(48_000 / 5).fill(0.5));
    let heard = 0;
    for await (const frame of source.frames()) {
      heard = Math.max(heard, peak(frame));
      if (heard > 5000) break;
      if (frame.sequence % 20 === 0) {
        server.microphones[1]!.say(new Float32Array(4800).fill(0.5));
      }
    }
  }
  const error = await assertRejects(
    () => open(server, { wanted: "spk0.monitor" }),
    MicrophoneError,
  );
  assertEquals([error.kind, error.microphone], ["unknown", "spk0.monitor"]);
}, needsServer);

test(
  "microphone: a sound server that dies is told, and its microphone can be opened again",
  async () => {
    await using server = await SoundServer.open();
    const take = async (most: number, onFrame: () => void): Promise<void> => {
      await using source = await open(server);
      for await (const frame of source.frames()) {
        onFrame();
        if (frame.sequence > most) break;
      }
    };
    let killing: Promise<void> | undefined;
    const lost = await assertRejects(
      () => take(Infinity, () => killing ??= server.kill()),
      MicrophoneError,
    );
    assertEquals([lost.kind, lost.microphone], ["stopped", ""]);
    await killing;
    const absent = await assertRejects(() => open(server), MicrophoneError);
    assertEquals(absent.kind, "no-server");
    await server.start();
    let frames = 0;
    await take(20, () => frames++);
    assert(frames > 10);
  },
  needsServer,
);

test(
  "microphone: the monitor of the own loudspeaker is refused, with those that there are",
  async () => {
    await using server = await SoundServer.open();
    await server.control("set-default-source", "spk0.monitor");
    const error = await assertRejects(() => open(server), MicrophoneError);
    assertEquals(error.kind, "monitor");
    assert(/^0: .*mic0/.test(error.detail), error.detail);
  },
  needsServer,
);

test("microphone: a machine with a sound server and no microphone has none", async () => {
  await using server = await SoundServer.open({ microphones: 0 });
  const error = await assertRejects(() => open(server), MicrophoneError);
  assertEquals([error.kind, error.detail], ["none", ""]);
}, needsServer);

test("microphone: without a sound server and without a sound card, both are missing", async () => {
  await using folder = await temporaryFolder();
  // The words of an ffmpeg on such a machine.
  await Deno.writeTextFile(
    `${folder.path}/ffmpeg`,
    [
      "#!/bin/sh",
      'case "$*" in',
      '  *"-sources pulse") echo "Cannot list sources: Generic error in an external library";;',
      "  *-sources*) ;;",
      '  *pulse*) echo "[error] default: No such process" >&2; exit 1;;',
      '  *) echo "[alsa @ 0x5] [error] cannot open audio device default (No such file or directory)" >&2',
      '     echo "[error] default: Input/output error" >&2; exit 1;;',
      "esac",
    ].join("\n"),
    { mode: 0o755 },
  );
  const env = { PATH: `${folder.path}:${Deno.env.get("PATH")}` };
  const error = await assertRejects(
    () => openMicrophone({ wanted: undefined, system: "linux", env }, never),
    MicrophoneError,
  );
  assertEquals(error.kind, "no-server");
  assert(/^cannot open audio device/.test(error.detail), error.detail);
}, { ignore: Deno.build.os === "windows" });

/** An ffmpeg that gives sound if it is asked for that device only, and notes what it was asked. */
async function fakeFfmpeg(path: string, words: string): Promise<Record<string, string>> {
  await Deno.writeTextFile(
    `${path}/ffmpeg`,
    `#!/bin/sh\ncase "$*" in *"${words}"*) exec cat /dev/zero;; esac\necho "[error] no" >&2\nexit 1\n`,
    { mode: 0o755 },
  );
  return { PATH: `${path}:${Deno.env.get("PATH")}` };
}

test("microphone: the system's own one on each system", async () => {
  const found = [{ index: 0, name: "Fone", device: "Fone" }];
  const cases = [
    ["linux", { layer: "pulse", found }, "-f pulse -wallclock 0 -channels 1 -sample_rate 48000"],
    ["linux", { layer: "pulse", found }, "-f pulse -channels 1 -sample_rate 48000"],
    ["linux", { layer: "pulse", found }, "-f pulse -fragment_size 1920 -i default"],
    ["linux", { layer: "alsa", found: [] }, "-f alsa -channels 1 -sample_rate 48000 -i default"],
    ["darwin", { layer: "avfoundation", found }, "-f avfoundation -i :default"],
    ["windows", { layer: "dshow", found }, "-audio_buffer_size 20 -i audio=Fone"],
    ["windows", { layer: "dshow", found }, "-audio_buffer_size 50 -i audio=Fone"],
    ["windows", { layer: "dshow", found }, "-f dshow -i audio=Fone"],
  ] as const;
  for (const [system, microphones, words] of cases) {
    await using folder = await temporaryFolder();
    const env = await fakeFfmpeg(folder.path, words);
    const list = (): Promise<Microphones> => Promise.resolve(microphones);
    const source = await openMicrophone({ wanted: undefined, system, env }, never, list);
    await source[Symbol.asyncDispose]();
  }
  const none = (): Promise<Microphones> => Promise.resolve({ layer: "dshow", found: [] });
  const error = await assertRejects(
    () => openMicrophone({ wanted: undefined, system: "windows" }, never, none),
    MicrophoneError,
  );
  assertEquals(error.kind, "none");
}, { ignore: Deno.build.os === "windows" });

test(
  "microphone: aborted while it is being opened, it gives the signal's reason and leaves no ffmpeg behind",
  async () => {
    await using server = await SoundServer.open();
    // No sound comes from it: the opening waits.
    server.microphones[0]!.pause();
    const hangUp = new AbortController();
    const env = server.client();
    const opening = openMicrophone({ wanted: undefined, system: "linux", env }, hangUp.signal);
    await pause(300);
    hangUp.abort(new Error("hung up"));
    await assertRejects(() => opening, Error, "hung up");
    assertEquals(await childrenWith("-fragment_size"), []);
  },
  { ignore: !canHear || !canSeeProcesses },
);

test("microphone: one that gives nothing is silent after a while", async () => {
  await using server = await SoundServer.open();
  server.microphones[0]!.pause();
  const error = await assertRejects(() => open(server), MicrophoneError);
  assertEquals(error.kind, "silent");
}, { ...needsServer, slow: true });

test(
  "microphone: disposed of, its frames end, its ffmpeg too, and a second time changes nothing",
  async () => {
    await using server = await SoundServer.open();
    const source = await open(server);
    let disposing: PromiseLike<void> | undefined;
    for await (const _ of source.frames()) disposing ??= source[Symbol.asyncDispose]();
    await disposing;
    assertEquals(await childrenWith("-fragment_size"), []);
    await source[Symbol.asyncDispose]();
  },
  { ignore: !canHear || !canSeeProcesses },
);

test("microphone test: a tone at each whole second, by our own clock and without an ffmpeg", async () => {
  await using source = await openMicrophone({
    wanted: "test",
    system: "linux",
    env: { PATH: "" },
  }, never);
  const tone = toneFrame();
  let ticks = 0;
  let last: Frame | undefined;
  for await (const frame of source.frames()) {
    const inSecond = frame.captureUs % 1e6;
    assertEquals(inSecond % 10_000, 0);
    // A timer may come a little early.
    assert(nowUs() > frame.captureUs - 2000);
    if (last) {
      const steps = frame.sequence - last.sequence;
      assertEquals(frame.captureUs - last.captureUs, steps * 10_000);
    }
    const loud = inSecond < TICK_FRAMES * 10_000;
    assertEquals(frame.data, loud ? tone : new Uint8Array(PCM_FRAME_BYTES));
    if (loud) ticks++;
    last = frame;
    if (frame.sequence >= 150) break;
  }
  assert(ticks > 0);
  assertEquals(peak({ ...last!, data: tone }), Math.round(0.5 * 0x7fff));
});
