/** Ports of this machine. */

import type { StartOptions } from "./running.ts";
import { until } from "./waiting.ts";

/** A port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/**
 * Waits until somebody listens on a port, without connecting to it: a connection would take the
 * place of the caller. `inside` is a command line that runs others on another machine, if it is
 * there. Linux only.
 */
export async function untilListening(
  port: number,
  { inside = [] }: Pick<StartOptions, "inside"> = {},
): Promise<void> {
  await until(`a listener on port ${port}`, async () => {
    const lines = (await readTables(inside)).split("\n");
    return lines.some((line) => isListening(line, port)) ? true : undefined;
  }, 10);
}

/** Reads Linux's tables of connections. */
async function readTables(inside: readonly string[]): Promise<string> {
  const [program, ...args] = [...inside, "cat", "/proc/net/tcp", "/proc/net/tcp6"];
  const { stdout } = await new Deno.Command(program!, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

/** True if a line of Linux's table of connections is that of a listener on this port. */
function isListening(line: string, port: number): boolean {
  // The fields: number, own address and port in hexadecimal, those of the peer, state. 0A is
  // LISTEN.
  const [, own, , state] = line.trim().split(/\s+/);
  return state === "0A" && Number.parseInt(own?.split(":")[1] ?? "", 16) === port;
}
