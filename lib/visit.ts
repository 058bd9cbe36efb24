/**
 * A look at a server that is not called: whether its port takes connections, who says to be there,
 * and the way to it. The server sees a connection that ends without a word, and some datagrams.
 */

import type { CalleeLook } from "./user/diagnosis.ts";
import { shownName } from "./user/name.ts";
import type { Interface } from "./wire/local_ip.ts";
import { Search } from "./wire/search.ts";
import { isNeighbour } from "./wire/subnet.ts";

/** The two addresses of a connection that was made and closed. */
export interface Knock {
  /** The server's address. */
  readonly address: string;
  /** Ours. */
  readonly own: string;
}

/** Looks at a server. `knock` makes a connection, and throws the system's error. */
export async function visit(
  port: number,
  interfaces: readonly Interface[],
  knock: () => Promise<Knock>,
  signal: AbortSignal,
): Promise<CalleeLook> {
  let way: Knock;
  try {
    way = await knock();
  } catch (problem) {
    return { route: { problem } };
  }
  const { address, own } = way;
  const card = interfaces.find((one) => one.address === own);
  const isNear = address === own || isNeighbour(card?.cidr ?? "", address);
  const route = { found: { address, own, card: card?.name ?? "-", isNear } };
  using search = await Search.open(interfaces);
  const measured = await search.measure(address, signal);
  const found = search.found.find((one) => one.port === port);
  const answer = found && { name: shownName(found.name), wantsCode: found.wantsCode };
  return { route, answer, ...measured };
}
