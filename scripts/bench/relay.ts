/** A connection led through this process, its bytes counted: the traffic of any sender. */

import { writeAll } from "../kit/writing.ts";

/** Stands between a caller and a listener on this machine. */
export class Relay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: number;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #running: Promise<void>;
  #bytes = 0;

  /** Leads each caller to that port. */
  constructor(target: number) {
    this.#target = target;
    this.#running = this.#run().catch(() => {});
  }

  /** The port to call. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Bytes carried until now, both ways together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lets go of everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    for await (const caller of this.#listener) {
      const callee = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
      for (const connection of [caller, callee]) {
        connection.setNoDelay(true);
        this.#open.add(connection);
      }
      this.#copy(caller, callee).catch(() => {});
      this.#copy(callee, caller).catch(() => {});
    }
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65536);
    try {
      let count: number | null;
      while ((count = await from.read(buffer)) !== null) {
        this.#bytes += count;
        await writeAll(to, buffer.subarray(0, count));
      }
    } finally {
      // The end does not matter: the peer must not wait for bytes that do not come.
      await to.closeWrite();
    }
  }
}
