/** Our source, shared by any number of calls, out of sources made by hand. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Format, OPUS, PCM, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { FramePool } from "../lib/frame/pool.ts";
import type { Sink } from "../lib/frame/sink.ts";
import type { Source } from "../lib/frame/source.ts";
import { Incoming } from "../lib/incoming.ts";
import { Outgoing, type OutgoingOptions, type Taker } from "../lib/outgoing.ts";
import type { Transcoding } from "../lib/transcoders.ts";
import { peerOf } from "../lib/wire/line.ts";
import { FakeTime } from "./fake_time.ts";
import { until } from "./harness.ts";
import { test } from "./strict.ts";

const FORMAT: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };

function picture(sequence: number): Frame {
  return { stream: 0, data: new Uint8Array(768), captureUs: 0, sequence, keyframe: true };
}

/** A camera made by hand. Only one user may have it open at a time. */
class Camera {
  /** The number of attempts to open it. */
  opened = 0;
  /** Resolves when it may be closed. */
  mayClose: Promise<void> = Promise.resolve();
  #isOpen = false;
  #give: ((frame: Frame | Error | null) => void) | undefined;

  /** True while it has a user. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True while somebody waits for its next frame. */
  get isAwaited(): boolean {
    return this.#give !== undefined;
  }

  /** Opens it. Throws if it is open. */
  open(signal: AbortSignal): Promise<Source> {
    signal.throwIfAborted();
    this.opened++;
    if (this.#isOpen) return Promise.reject(new Error("busy"));
    this.#isOpen = true;
    const next = (): Promise<Frame | Error | null> => new Promise((give) => this.#give = give);
    const close = async (): Promise<void> => {
      this.#give?.(null);
      this.#give = undefined;
      await this.mayClose;
      this.#isOpen = false;
    };
    return Promise.resolve({
      async *frames(): AsyncGenerator<Frame, void, undefined> {
        for (let frame = await next(); frame !== null; frame = await next()) {
          if (frame instanceof Error) throw frame;
          yield frame;
        }
      },
      [Symbol.asyncDispose]: close,
    });
  }

  /** Gives a frame, or fails, or ends, as soon as somebody waits for it. */
  async give(what: Frame | Error | null): Promise<void> {
    const give = await until("somebody who takes from the camera", () => this.#give, 1);
    this.#give = undefined;
    give(what);
  }
}

/** A taker that notes the sequences of its frames. */
function taker(): Taker & { readonly numbers: number[] } {
  const numbers: number[] = [];
  return { numbers, push: ({ sequence }): void => void numbers.push(sequence) };
}

async function count(one: { readonly numbers: number[] }, wanted: number): Promise<void> {
  await until("the frames", () => one.numbers.length === wanted ? true : undefined, 1);
}

function outgoing(
  camera: Camera,
  onOver: (error?: unknown) => void,
  openView: () => Sink | undefined = (): undefined => undefined,
): Outgoing {
  return new Outgoing({
    formats: [FORMAT],
    given: [FORMAT],
    openSource: (signal) => camera.open(signal),
    openView,
    onOver,
  });
}

/** The listener for cameras that are not to end by themselves. */
function neverOver(): void {
  assert(false, "nothing was over by itself");
}

test("Outgoing opens its camera once for any number of calls, and closes it with the last", async () => {
  const camera = new Camera();
  await using given = outgoing(camera, neverOver);
  const takers = [taker(), taker(), taker()] as const;
  for (const [n, one] of takers.entries()) {
    given.join(one);
    await camera.give(picture(n));
    await count(one, 1);
  }
  await given.leave(takers[0]);
  await camera.give(picture(3));
  await count(takers[2], 2);
  assertEquals(takers.map(({ numbers }) => numbers), [[0, 1, 2], [1, 2, 3], [2, 3]]);
  // A taker that leaves twice, or was never there, takes nothing away from the others.
  await given.leave(takers[0]);
  await given.leave(takers[1]);
  assert(camera.isOpen);
  await given.leave(takers[2]);
  assertEquals([camera.isOpen, camera.opened], [false, 1]);
});

test("Outgoing opened before anybody takes from it gives the first frame to the first call", async () => {
  const camera = new Camera();
  await using given = outgoing(camera, neverOver);
  await given.open(new AbortController().signal);
  assertEquals([camera.opened, camera.isOpen], [1, true]);
  const one = taker();
  given.join(one);
  await camera.give(picture(0));
  await count(one, 1);
  await given.leave(one);
  assertEquals([camera.opened, camera.isOpen], [1, false]);
});

test("Outgoing opened for a look and disposed of has closed its camera", async () => {
  const camera = new Camera();
  const given = outgoing(camera, neverOver);
  await given.open(new AbortController().signal);
  await given[Symbol.asyncDispose]();
  await given[Symbol.asyncDispose]();
  assertEquals([camera.opened, camera.isOpen], [1, false]);
});

test("Outgoing hands on why its camera cannot be opened: to who opens it, or when somebody joins", async () => {
  const camera = new Camera();
  const other = await camera.open(new AbortController().signal);
  const over: unknown[] = [];
  await using given = outgoing(camera, (error) => over.push(error));
  await assertRejects(() => given.open(new AbortController().signal), Error, "busy");
  assertEquals(over, []);
  const one = taker();
  given.join(one);
  await until("the failure", () => over.length > 0 ? true : undefined, 1);
  assertEquals(over.map((error) => (error as Error).message), ["busy"]);
  // The call goes on without it, and the next one finds the camera free.
  await other[Symbol.asyncDispose]();
  given.join(taker());
  await camera.give(picture(0));
  await count(one, 1);
});

test("Outgoing is not opened for who has hung up, and gives up what is being opened", async () => {
  const camera = new Camera();
  const reason = new Error("hung up");
  await using given = outgoing(camera, neverOver);
  await assertRejects(() => given.open(AbortSignal.abort(reason)), Error, "hung up");
  assertEquals(camera.opened, 0);

  const hangUp = new AbortController();
  const slow = new Outgoing({
    formats: [FORMAT],
    given: [FORMAT],
    openSource: (signal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true })
      ),
    openView: () => undefined,
    onOver: neverOver,
  });
  const opening = assertRejects(() => slow.open(hangUp.signal), Error, "hung up");
  hangUp.abort(reason);
  await opening;
  await slow[Symbol.asyncDispose]();
});

test("Outgoing shows what it gives in one view, open as long as the camera is", async () => {
  const camera = new Camera();
  const [seen, views]: [number[], string[]] = [[], []];
  const view: Sink = {
    push: ({ sequence }): void => void seen.push(sequence),
    [Symbol.asyncDispose](): Promise<void> {
      views.push("closed");
      return Promise.resolve();
    },
  };
  await using given = outgoing(camera, neverOver, () => {
    views.push("opened");
    return view;
  });
  const [first, second] = [taker(), taker()];
  await given.open(new AbortController().signal);
  assertEquals(views, []);
  given.join(first);
  given.join(second);
  for (const n of [0, 1]) await camera.give(picture(n));
  await count(second, 2);
  await given.leave(first);
  assertEquals([seen, views], [[0, 1], ["opened"]]);
  await given.leave(second);
  assertEquals(views, ["opened", "closed"]);
});

test("Outgoing lets go of a frame when all who took it have", async () => {
  const camera = new Camera();
  await using given = outgoing(camera, neverOver);
  const pool = new FramePool(768);
  const data = pool.take();
  const lease = pool.lease(data);
  let kept = 0;
  const keeps: Taker = {
    push: (frame): void => {
      frame.lease!.hold();
      kept++;
    },
  };
  given.join(keeps);
  given.join(taker());
  await camera.give({ ...picture(0), data, lease });
  await until("the frame", () => kept > 0 ? true : undefined, 1);
  // The camera is asked for the next frame when this one was handed on.
  await until("the next wait", () => camera.isAwaited || undefined, 1);
  assert(pool.take() !== data, "it is taken while somebody keeps it");
  lease.letGo();
  assert(pool.take() === data, "nobody keeps it, and it does not come back");
});

test("Outgoing waits for its camera to be closed before it opens it for the next call", async () => {
  const camera = new Camera();
  const over: unknown[] = [];
  await using given = outgoing(camera, (error) => over.push(error));
  const [first, second] = [taker(), taker()];
  given.join(first);
  await camera.give(picture(0));
  await count(first, 1);
  const { promise, resolve } = Promise.withResolvers<void>();
  camera.mayClose = promise;
  const leaving = given.leave(first);
  given.join(second);
  assertEquals(camera.opened, 1);
  resolve();
  await leaving;
  await camera.give(picture(1));
  await count(second, 1);
  assertEquals([camera.opened, first.numbers, second.numbers], [2, [0], [1]]);
  await given.leave(second);
  assertEquals(over, []);
});

test("Outgoing does not open its camera for a call that is over before it could", async () => {
  const camera = new Camera();
  await using given = outgoing(camera, () => assert(false, "nothing was over by itself"));
  const [first, second] = [taker(), taker()];
  given.join(first);
  await camera.give(picture(0));
  const { promise, resolve } = Promise.withResolvers<void>();
  camera.mayClose = promise;
  const leaving = [given.leave(first)];
  given.join(second);
  leaving.push(given.leave(second));
  resolve();
  await Promise.all(leaving);
  assertEquals(camera.opened, 1);
});

for (const [how, end] of [["ends", null], ["fails", new Error("unplugged")]] as const) {
  test(`Outgoing tells once that its source ${how}, and opens it anew for the next call`, async () => {
    const camera = new Camera();
    const over: unknown[] = [];
    await using given = outgoing(camera, (error) => over.push(error));
    const [first, second] = [taker(), taker()];
    given.join(first);
    await camera.give(picture(0));
    await camera.give(end);
    await until("its end", () => over.length > 0 ? true : undefined, 1);
    given.join(second);
    await camera.give(picture(1));
    await count(second, 1);
    assertEquals(first.numbers, [0, 1]);
    await given.leave(first);
    await given.leave(second);
    assertEquals(over, [end ?? undefined]);
    assertEquals(camera.opened, 2);
  });
}

/** A transcoder made by hand: what comes out is said by the test. */
class Codec implements Transcoding {
  readonly from: Format;
  readonly to: Format;
  readonly pushed: number[] = [];
  isOpen = true;
  readonly #onFailed: (detail: string) => void;
  #give: ((frame: Frame | undefined) => void) | undefined;

  constructor(from: Format, to: Format, onFailed: (detail: string) => void) {
    this.from = from;
    this.to = to;
    this.#onFailed = onFailed;
  }

  /** Fails, as when its ffmpeg is killed. */
  fail(): void {
    this.#give?.(undefined);
    this.#onFailed("Killed");
  }

  push({ sequence }: Frame): void {
    this.pushed.push(sequence);
  }

  async *frames(): AsyncGenerator<Frame, void, undefined> {
    while (this.isOpen) {
      const frame = await new Promise<Frame | undefined>((give) => this.#give = give);
      if (frame === undefined) return;
      yield frame;
    }
  }

  async give(sequence: number, keyframe = true): Promise<void> {
    const give = await until("somebody who takes from the transcoder", () => this.#give, 1);
    this.#give = undefined;
    give({ ...picture(sequence), keyframe });
    await until("the next wait", () => this.#give ?? (this.isOpen ? undefined : true), 1);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isOpen = false;
    this.#give?.(undefined);
    return Promise.resolve();
  }
}

const MJPEG: VideoFormat = { ...FORMAT, codec: "mjpeg" };
const H264: VideoFormat = { ...FORMAT, codec: "h264" };

/** Sources in several codecs, with what was heard of them. */
class Rig {
  readonly camera = new Camera();
  readonly microphone = new Camera();
  readonly codecs: Codec[] = [];
  readonly told: string[] = [];
  readonly outgoing: Outgoing;

  constructor(options: Partial<OutgoingOptions> = {}) {
    this.outgoing = new Outgoing({
      formats: [MJPEG, FORMAT, H264, PCM, OPUS],
      given: [FORMAT, PCM],
      openSource: (signal) => this.camera.open(signal),
      openMicrophone: (signal) => this.microphone.open(signal),
      openTranscoder: (from, to, onFailed): Codec => {
        const codec = new Codec(from, to, onFailed);
        this.codecs.push(codec);
        return codec;
      },
      openView: () => undefined,
      onOver: (error) => this.told.push(`over: ${error}`),
      onSilent: (error) => this.told.push(`silent: ${(error as Error)?.message}`),
      onHeard: () => this.told.push("heard"),
      onTranscoderFailed: ({ to, detail, isLasting }) =>
        this.told.push(`${to.codec}: ${detail}${isLasting ? ", lasting" : ""}`),
      ...options,
    });
  }

  /** Gives a frame of the camera, and waits until it was handed on. */
  async see(sequence: number): Promise<void> {
    await this.camera.give(picture(sequence));
    await until("the camera's next wait", () => this.camera.isAwaited || undefined, 1);
  }

  async hear(sequence: number): Promise<void> {
    await this.microphone.give({ ...picture(sequence), data: new Uint8Array(960) });
    await until("the microphone's next wait", () => this.microphone.isAwaited || undefined, 1);
  }
}

/** A taker that notes what it gets, as stream and sequence. */
function noting(): Taker & { readonly got: string[]; readonly own: string[] } {
  const [got, own]: [string[], string[]] = [[], []];
  return {
    ...{ got, own },
    push: ({ stream, sequence }): void => void got.push(`${stream}:${sequence}`),
    onRest: (stream): void => void got.push(`${stream} rests`),
    pushOwn: ({ sequence }, { codec }): void => void own.push(`${codec} ${sequence}`),
  };
}

test("Outgoing makes a stream of another codec when a call takes it, and only then", async () => {
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  const one = noting();
  outgoing.join(one);
  await rig.see(0);
  assertEquals(rig.codecs.map(({ from, to }) => [from.codec, to.codec]), [["raw", "mjpeg"]]);
  assertEquals(rig.codecs[0]!.pushed, [0]);
  await rig.codecs[0]!.give(0);
  await rig.hear(0);
  await until("the frame", () => one.got.length === 2 || undefined, 1);
  assertEquals(one.got.sort(), ["0:0", "3:0"]);
  assertEquals(one.own, ["raw 0", "pcm 0"]);
});

test("a call keeps its stream until the one that it chose begins with a keyframe", async () => {
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  const [one, other] = [noting(), noting()];
  outgoing.join(one);
  outgoing.join(other);
  await rig.see(0);
  const [mjpeg] = rig.codecs;
  await mjpeg!.give(0);
  outgoing.choose(one, 2);
  await rig.see(1);
  const [, h264] = rig.codecs;
  assertEquals([mjpeg!.pushed, h264!.pushed], [[0, 1], [1]]);
  await mjpeg!.give(1);
  await h264!.give(7, false);
  await mjpeg!.give(2);
  await h264!.give(8, true);
  await mjpeg!.give(3);
  await until("the last picture", () => other.got.length === 4 || undefined, 1);
  assertEquals(one.got, ["0:0", "0:1", "0:2", "2:8", "0 rests"]);
  assertEquals(other.got, ["0:0", "0:1", "0:2", "0:3"]);
  assert(mjpeg!.isOpen, "the other call takes from it");
  // The raw pictures need no transcoder.
  outgoing.choose(other, 1);
  await rig.see(4);
  assertEquals(other.got.slice(4), ["1:4", "0 rests"]);
  await until("the end of a transcoder", () => mjpeg!.isOpen ? undefined : true, 1);
  assert(h264!.isOpen);
  assertEquals([rig.codecs.length, rig.camera.opened], [2, 1]);
});

test("the last call to leave closes the transcoders with the sources", async () => {
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  const one = noting();
  outgoing.join(one);
  await rig.see(0);
  await outgoing.leave(one);
  assertEquals(rig.codecs.map(({ isOpen }) => isOpen), [false]);
  assertEquals([rig.camera.isOpen, rig.microphone.isOpen], [false, false]);
});

test("a muted microphone gives nothing, and says so on the stream that was taken", async () => {
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  const one = noting();
  outgoing.join(one);
  await rig.hear(0);
  outgoing.muted = true;
  await rig.hear(1);
  outgoing.muted = false;
  await rig.hear(2);
  assertEquals(one.got, ["3:0", "3 rests", "3:2"]);
  // A recording of our own voice has silence there, too.
  assertEquals(one.own, ["pcm 0", "pcm 2"]);
});

test("without a microphone the call goes on, and no sound is announced", async () => {
  const rig = new Rig({ openMicrophone: () => Promise.reject(new Error("no microphone")) });
  await using outgoing = rig.outgoing;
  await outgoing.open(new AbortController().signal);
  assertEquals(rig.told, ["silent: no microphone"]);
  assertEquals(outgoing.formats, [MJPEG, FORMAT, H264]);
  const one = noting();
  outgoing.join(one);
  outgoing.choose(one, 1);
  await rig.see(0);
  assertEquals(one.got, ["1:0"]);
});

test("a microphone that goes is told of once, tried again, and told of when it is back", async () => {
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  const one = noting();
  outgoing.join(one);
  await rig.hear(0);
  const { microphone } = rig;
  await microphone.give(new Error("unplugged"));
  await until("the news", () => rig.told.length > 0 || undefined, 1);
  await until("the next attempt", () => microphone.opened === 2 || undefined, 1);
  await microphone.give(new Error("unplugged"));
  await until("the attempt after it", () => microphone.opened === 3 || undefined, 1);
  assertEquals(rig.told, ["silent: unplugged"]);
  await rig.hear(1);
  assertEquals(rig.told, ["silent: unplugged", "heard"]);
  assertEquals(one.got, ["3:0", "3:1"]);
});

test("an input's own sound is taken in place of the microphone's", async () => {
  const camera = new Camera();
  const rig = new Rig({
    openSource: async (signal) =>
      Object.assign(await camera.open(signal), { formats: [FORMAT, PCM] }),
  });
  await using outgoing = rig.outgoing;
  await outgoing.open(new AbortController().signal);
  const one = noting();
  outgoing.join(one);
  outgoing.choose(one, 1);
  await camera.give({ ...picture(4), stream: 1 });
  await camera.give(picture(0));
  await until("the picture", () => one.got.length === 2 || undefined, 1);
  assertEquals(one.got, ["3:4", "1:0"]);
  assertEquals(rig.microphone.opened, 0);
});

test("a transcoder that fails is opened again with a later frame, every 2 s at most", async () => {
  using time = new FakeTime({ stands: true });
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  const one = noting();
  outgoing.join(one);
  await rig.see(0);
  await rig.codecs[0]!.give(0);
  rig.codecs[0]!.fail();
  assert(!rig.codecs[0]!.isOpen, "the dead one is let go");
  time.forwardMs = 1998;
  await rig.see(1);
  assertEquals(rig.codecs.length, 1);
  time.forwardMs = 2001;
  await rig.see(2);
  assertEquals([rig.codecs.length, rig.codecs[1]!.pushed], [2, [2]]);
  await rig.codecs[1]!.give(1);
  assertEquals([one.got, rig.told], [["0:0", "0:1"], ["mjpeg: Killed"]]);
  // A word of one that is gone changes nothing.
  rig.codecs[0]!.fail();
  assert(rig.codecs[1]!.isOpen);
  assertEquals(rig.told.length, 1);
});

test("three failures in a row are told once, and the call gets a stream that works", async () => {
  using time = new FakeTime({ stands: true });
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  const one = noting();
  outgoing.join(one);
  for (let n = 0; n < 3; n++) {
    await rig.see(n);
    rig.codecs[n]!.fail();
    time.forwardMs += 2001;
  }
  assertEquals(rig.told, ["mjpeg: Killed", "mjpeg: Killed", "mjpeg: Killed, lasting"]);
  await rig.see(3);
  assertEquals(one.got, ["1:3"]);
  // Neither a choice nor another call gets the broken one.
  const other = noting();
  outgoing.join(other);
  outgoing.choose(one, 0);
  await rig.see(4);
  assertEquals([one.got, other.got], [["1:3", "1:4"], ["1:4"]]);
  assertEquals(rig.codecs.length, 3);
});

test("failures far apart are never told, and a transcoder that cannot be opened has failed", async () => {
  using time = new FakeTime({ stands: true });
  const rig = new Rig();
  await using outgoing = rig.outgoing;
  outgoing.join(noting());
  for (let n = 0; n < 5; n++) {
    await rig.see(n);
    time.forwardMs += 10_001;
    rig.codecs[n]!.fail();
  }
  assertEquals(rig.told, Array(5).fill("mjpeg: Killed"));

  const bare = new Rig({
    openTranscoder: (): never => {
      throw new Error("no ffmpeg");
    },
  });
  await using bareOutgoing = bare.outgoing;
  bareOutgoing.join(noting());
  await bare.see(0);
  await bare.see(1);
  assertEquals(bare.told, ["mjpeg: no ffmpeg"]);
});

/** All that comes from a peer with these streams, and what was heard of it. */
function arriving(streams: readonly Format[]): {
  readonly incoming: Incoming;
  readonly codecs: Codec[];
  readonly told: boolean[];
  readonly seen: number[];
} {
  const codecs: Codec[] = [];
  const [told, seen]: [boolean[], number[]] = [[], []];
  const incoming = new Incoming(peerOf({ name: "", streams }), {
    openTranscoder: (from, to, onFailed): Codec => {
      codecs.push(new Codec(from, to, onFailed));
      return codecs.at(-1)!;
    },
    onTranscoderFailed: ({ isLasting }) => told.push(isLasting),
    onPicture: ({ sequence }) => seen.push(sequence),
    onSound: ({ sequence }) => seen.push(sequence),
  });
  return { incoming, codecs, told, seen };
}

test("what comes goes on after a failure, too, and lasting ones are told once", async () => {
  using time = new FakeTime({ stands: true });
  const { incoming: open, codecs, told, seen } = arriving([MJPEG, H264, PCM]);
  await using incoming = open;
  for (let n = 0; n < 5; n++) {
    incoming.push(picture(n));
    incoming.push(picture(n));
    codecs[n]!.fail();
    incoming.push({ ...picture(10 + n), stream: 2 });
    time.forwardMs += 2001;
  }
  assertEquals(told, [false, false, true, false, false]);
  assertEquals(seen, [10, 11, 12, 13, 14]);
  incoming.push(picture(5));
  await codecs[5]!.give(5);
  assertEquals(seen.at(-1), 5);
});

test("a transcoder that the peer has left for 10 s is closed, and opened again if it comes back", async () => {
  using time = new FakeTime({ stands: true });
  const { incoming: open, codecs, seen } = arriving([MJPEG, FORMAT, H264, PCM, OPUS]);
  await using incoming = open;
  const push = (sequence: number, stream: number): void =>
    incoming.push({ ...picture(sequence), stream });
  const isOpen = (): boolean[] => codecs.map(({ isOpen }) => isOpen);
  // The peer begins with raw pictures, and uses the transcoder that is ready for its first stream
  // only later.
  push(0, 1);
  time.forwardMs = 9998;
  push(1, 1);
  assertEquals(isOpen(), [true]);
  time.forwardMs = 10_001;
  push(2, 1);
  assertEquals(isOpen(), [false]);
  push(3, 0);
  assertEquals(codecs[1]!.pushed, [3]);
  await codecs[1]!.give(3);
  push(4, 4);
  time.forwardMs = 20_002;
  push(5, 3);
  assertEquals(isOpen(), [false, true, false], "sound takes the place of sound only");
  push(6, 2);
  assertEquals(isOpen(), [false, true, false, true], "the next one gives nothing yet");
  await codecs[3]!.give(6);
  assertEquals(isOpen(), [false, false, false, true]);
  assertEquals(seen, [0, 1, 2, 3, 5, 6]);
});
