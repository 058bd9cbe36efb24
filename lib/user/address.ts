/** An address as people type it or copy it from somewhere. Nothing here asks a network. */

import { isIPv6 } from "node:net";

/** A machine, and a port where one was given. */
export interface Address {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  /** Digits, not yet judged. */
  readonly port?: string;
}

/**
 * The wrapping of an address: `http://192.168.1.7:8080/`. With a path behind it, it is no address.
 */
const WRAPPED = /^\s*(?:(?:https?|tcp):\/\/)?([^\s/]+?)\/?\s*$/i;
/** `[::1]`, `[::1]:8080`. */
const BRACKETED = /^\[([^\]]*)\](?::(\d+))?$/;
/** `192.168.1.7`, `notebook.local:8080`. */
const NAMED = /^([\p{L}\p{N}_][\p{L}\p{N}\p{M}_.-]*)(?::(\d+))?$/u;

/** Reads an address, or gives `undefined` where the text is none. */
export function readAddress(text: string): Address | undefined {
  const bare = WRAPPED.exec(text)?.[1] ?? "";
  if (isIPv6(bare)) return { host: bare };
  const [, inside, insidePort] = BRACKETED.exec(bare) ?? [];
  const [, host, port = insidePort] = inside === undefined ? NAMED.exec(bare) ?? [] : [, inside];
  if (host === undefined || (inside !== undefined && !isIPv6(inside))) return undefined;
  return port === undefined ? { host } : { host, port };
}
