/**
 * A network that is unsteady: a relay whose bytes arrive by turns soon and late, all of them and in
 * order. It can stand for a while.
 */

import { pause } from "../../lib/clock.ts";
import { writeAll } from "./writing.ts";

/** The bytes that may be on their way in one direction. */
const MAX_BYTES = 1_000_000;

/** Bytes on their way, and the moment at which they arrive. */
interface UnderWay {
  readonly data: Uint8Array;
  readonly dueMs: number;
}

/** Stands between a caller and a listener on this machine. */
export class UnsteadyRelay implements AsyncDisposable {
  /** Milliseconds by which an arrival may be later than another. */
  readonly #jitterMs: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #running: Promise<void>;
  readonly #copying = new Set<Promise<void>>();
  #standsUntilMs = 0;

  /** Leads each caller to that port. */
  constructor(target: number, jitterMs: number) {
    this.#jitterMs = jitterMs;
    this.#running = this.#run(target);
  }

  /** The port to call. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Lets nothing through for that long. Resolves when that is over. */
  async stand(ms: number): Promise<void> {
    this.#standsUntilMs = performance.now() + ms;
    await pause(ms);
  }

  /** Lets go of everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#running;
    await Promise.all(this.#copying);
  }

  async #run(target: number): Promise<void> {
    try {
      for await (const caller of this.#listener) {
        const callee = await Deno.connect({ hostname: "127.0.0.1", port: target });
        for (const [from, to] of [[caller, callee], [callee, caller]] as const) {
          from.setNoDelay(true);
          this.#open.add(from);
          const copying: Promise<void> = this.#copy(from, to)
            .finally(() => this.#copying.delete(copying));
          this.#copying.add(copying);
        }
      }
    } catch {
      // Closed.
    }
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const queue: UnderWay[] = [];
    const [arrived, left] = [new Bell(), new Bell()];
    let bytes = 0;
    let isOver = false;
    const delivering = (async (): Promise<void> => {
      while (true) {
        const next = queue.shift();
        if (next === undefined) {
          if (isOver) return;
          await arrived.rings();
          continue;
        }
        for (let waitMs; (waitMs = this.#waitMs(next)) > 0;) await pause(waitMs);
        await writeAll(to, next.data);
        bytes -= next.data.length;
        left.ring();
      }
    })();
    // A failure ends the reading, too: then both are over.
    const failed = delivering.catch(() => {
      isOver = true;
      left.ring();
    });
    try {
      const memory = new Uint8Array(65536);
      for (let dueMs = 0, count; !isOver && (count = await from.read(memory)) !== null;) {
        // None overtakes another.
        dueMs = Math.max(dueMs, performance.now() + Math.random() * this.#jitterMs);
        queue.push({ data: memory.slice(0, count), dueMs });
        bytes += count;
        arrived.ring();
        while (bytes > MAX_BYTES && !isOver) await left.rings();
      }
    } catch {
      // Closed.
    }
    isOver = true;
    arrived.ring();
    await failed;
    await to.closeWrite().catch(() => {});
  }

  #waitMs({ dueMs }: UnderWay): number {
    return Math.max(dueMs, this.#standsUntilMs) - performance.now();
  }
}

/** Wakes one who waits. */
class Bell {
  #next = Promise.withResolvers<void>();

  /** Resolves with the next ring. */
  rings(): Promise<void> {
    return this.#next.promise;
  }

  /** Wakes whoever waits now. */
  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }
}
