/** What this end gives, to any number of calls, out of sources made by hand. */

import { assert, assertEquals } from "@std/assert";
import type { VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import type { Source } from "../lib/frame/source.ts";
import { Outgoing, type Taker } from "../lib/outgoing.ts";
import { until } from "./harness.ts";
import { test } from "./strict.ts";

const FORMAT: VideoFormat = { codec: "raw", width: 16, height: 16, fps: 20 };

function picture(sequence: number): Frame {
  return { data: new Uint8Array(768), captureUs: 0, sequence, keyframe: true };
}

/** A camera made by hand, which one may have open at a time. */
class Camera {
  /** How often somebody has tried to open it. */
  opened = 0;
  /** Resolves when it may be closed. */
  mayClose: Promise<void> = Promise.resolve();
  #isOpen = false;
  #give: ((frame: Frame | Error | null) => void) | undefined;

  /** Opens it. Throws where it is open. */
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

  /** Gives a frame, or fails, or ends, when somebody waits for it. */
  async give(what: Frame | Error | null): Promise<void> {
    const give = await until("somebody who takes from the camera", () => this.#give, 1);
    this.#give = undefined;
    give(what);
  }
}

/** Somebody who notes the numbers of what it is given. */
function taker(): Taker & { readonly numbers: number[] } {
  const numbers: number[] = [];
  return { numbers, push: ({ sequence }): void => void numbers.push(sequence) };
}

async function count(one: { readonly numbers: number[] }, wanted: number): Promise<void> {
  await until("the frames", () => one.numbers.length === wanted ? true : undefined, 1);
}

function outgoing(camera: Camera, onOver: (error?: unknown) => void): Outgoing {
  return new Outgoing({
    format: FORMAT,
    openSource: (signal) => camera.open(signal),
    openView: () => undefined,
    onOver,
  });
}

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
