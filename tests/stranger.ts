/** A stranger between two programs, who reads every message and changes what it likes. */

import { concat } from "@std/bytes/concat";
import { writeAll } from "../scripts/kit/writing.ts";
import { framed } from "./bytes.ts";

/** The direction of a message: from the client, or from the server. */
export type Direction = "client" | "server";

/** Makes of a message, with its length in front, what goes on. `number` counts from 0. */
export type Tamper = (
  message: Uint8Array,
  direction: Direction,
  number: number,
) => readonly Uint8Array[];

/** Stands between callers and a server on this machine. */
export class Stranger implements AsyncDisposable {
  /** Every byte that it has seen, by its direction. */
  readonly seen: Readonly<Record<Direction, Uint8Array[]>> = { client: [], server: [] };
  /** Changes the messages from now on, until set anew. */
  tamper: Tamper = (message) => [message];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #copying = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  /** Leads callers to that port. */
  constructor(port: number) {
    this.#accepting = this.#accept(port).catch(() => {});
  }

  /** The port to call. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** True if these bytes have crossed the network anywhere. */
  hasSeen(bytes: Uint8Array): boolean {
    return Object.values(this.seen).some((parts) =>
      new TextDecoder("latin1").decode(concat(parts)).includes(
        new TextDecoder("latin1").decode(bytes),
      )
    );
  }

  /** Resets the present connections. */
  reset(): void {
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    this.reset();
    await Promise.all(this.#copying);
  }

  async #accept(port: number): Promise<void> {
    for await (const caller of this.#listener) {
      const callee = await Deno.connect({ hostname: "127.0.0.1", port });
      const ways = [[caller, callee, "client"], [callee, caller, "server"]] as const;
      for (const [from, to, direction] of ways) {
        this.#open.add(from);
        const copying: Promise<void> = this.#copy(from, to, direction)
          .catch(() => {})
          .finally(() => this.#copying.delete(copying));
        this.#copying.add(copying);
      }
    }
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn, direction: Direction): Promise<void> {
    try {
      for (let number = 0;; number++) {
        const header = await readExactly(from, 8);
        const bytes = Number(new DataView(header.buffer).getBigUint64(0, true));
        const message = framed(await readExactly(from, bytes));
        this.seen[direction].push(message);
        for (const part of this.tamper(message, direction, number)) await writeAll(to, part);
      }
    } finally {
      await to.closeWrite().catch(() => {});
    }
  }
}

async function readExactly(from: Deno.TcpConn, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const into = new Uint8Array(count);
  for (let filled = 0; filled < count;) {
    const got = await from.read(into.subarray(filled));
    if (got === null) throw new Error("The stream has ended");
    filled += got;
  }
  return into;
}
