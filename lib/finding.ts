/**
 * The server to call where the user names none: the one that answers on this network. The client's
 * alone; it knows nothing of media. An answer is an address and proves nothing about who is there.
 */

import { pause } from "./clock.ts";
import type { Voice } from "./user/log.ts";
import { shownName } from "./user/name.ts";
import type { Messages } from "./user/sentences.ts";
import type { Interface } from "./wire/local_ip.ts";
import { type FoundServer, Search } from "./wire/search.ts";
import { isPrivate } from "./wire/subnet.ts";

/** Milliseconds between two searches, or calls, of a client that waits for a server. */
export const AGAIN_MS = 1000;

/** The surroundings of a search. */
export interface FindingOptions {
  /** The present cards of this machine. */
  readonly interfaces: () => readonly Interface[];
  /** The port that the user named. Only servers at that port count then. */
  readonly port: number | undefined;
  /** The log that tells of servers, and the sentences of the user's language. */
  readonly log: Voice;
  /** See `log`. */
  readonly messages: Messages;
  /** The command that calls somebody, without an address. */
  readonly command: string;
  /** Ends the search. */
  readonly signal: AbortSignal;
}

/** The server to call, or the reason why none is. */
export type Finding = { readonly host: string; readonly port: number } | "none" | "several";

/**
 * Looks for the server to call, with `wait` until there is one. Tells who was found; where there are
 * several, with the command for each.
 */
export async function findServer(options: FindingOptions, wait: boolean): Promise<Finding> {
  const { log, messages, signal } = options;
  const first = await findOnce(options);
  if (first !== "none" || !wait || signal.aborted) return first;
  log.say(messages.findingOn);
  while (true) {
    await pause(AGAIN_MS, signal);
    const found = signal.aborted ? "none" : await findOnce(options);
    if (found !== "none" || signal.aborted) return found;
  }
}

async function findOnce(options: FindingOptions): Promise<Finding> {
  const { interfaces, log, messages, signal } = options;
  using search = await Search.open(interfaces());
  await search.askAll(signal);
  const found = signal.aborted ? [] : wanted(search.found, options);
  const [only] = found;
  if (only === undefined) return "none";
  if (found.length > 1) {
    log.error(messages.foundSeveral);
    for (const line of listed(found, options)) log.error(line);
    return "several";
  }
  log.say(messages.found(label(only), only.wantsCode));
  return { host: only.host, port: only.port };
}

/**
 * Lists the servers of this network. If nobody answers, asks each address around `own`, our
 * addresses on it. Resolves to false if there is no server.
 */
export async function listServers(
  own: readonly string[],
  options: FindingOptions,
): Promise<boolean> {
  const { interfaces, log, messages, signal } = options;
  using search = await Search.open(interfaces());
  await search.askAll(signal);
  const around = own.filter(isPrivate);
  if (wanted(search.found, options).length === 0 && around.length > 0) {
    log.say(messages.askingEach(around.map((one) => one.replace(/\d+$/, "*")).join(", ")));
    await search.askEach(around, signal);
  }
  const found = wanted(search.found, options);
  if (found.length === 0) {
    log.error(messages.noServers);
    return false;
  }
  log.say(messages.servers);
  for (const line of listed(found, options)) log.say(line);
  return true;
}

function wanted(found: readonly FoundServer[], { port, log }: FindingOptions): FoundServer[] {
  const right = found.filter((one) => port === undefined || one.port === port);
  for (const one of right) {
    log.debug("find", `${one.host}:${one.port} answered after ${one.afterMs.toFixed(1)} ms`);
  }
  return right;
}

/** A line for each server: the command that calls it, and what it says of itself. */
function listed(found: readonly FoundServer[], { command, messages }: FindingOptions): string[] {
  const lines = found.map(({ host, port, name, wantsCode }) => ({
    call: `${command} --host ${host}${port === 8080 ? "" : ` --port ${port}`}`,
    about: [shownName(name), ...wantsCode ? [messages.wantsCode] : []].filter((one) => one !== ""),
  }));
  const width = Math.max(...lines.map(({ call }) => call.length));
  return lines.map(({ call, about }) => `  ${call.padEnd(width)}  ${about.join(", ")}`.trimEnd());
}

/** A server within a sentence. */
function label({ host, port, name }: FoundServer): string {
  const shown = shownName(name);
  return shown === "" ? `${host}:${port}` : `${shown} (${host}:${port})`;
}
