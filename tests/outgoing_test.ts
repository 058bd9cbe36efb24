/** Our source, shared by any number of calls, out of sources made by hand. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { FramePool } from "../lib/frame/pool.ts";
import type { Sink } from "../lib/frame/sink.ts";
import type { Source } from "../lib/frame/source.ts";
import { Outgoing, type Taker } from "../lib/outgoing.ts";
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
    format: FORMAT,
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
    format: FORMAT,
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
