/** IPv4 subnets: the addresses that a card reaches without a router. Pure. */

/** The value of an IPv4 address, or `undefined` if the text is none. */
export function readIpv4(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  const parts = text.split(".").map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** The IPv4 address of a value. */
export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(value / 2 ** bits) % 256).join(".");
}

/** True if an address lies in the subnet of another one, given as `192.168.1.7/24`. */
export function isNeighbour(cidr: string, address: string): boolean {
  const [one, other] = [read(cidr), readIpv4(address)];
  return one !== undefined && other !== undefined && startOf(one.value, one.size) <= other &&
    other < startOf(one.value, one.size) + one.size;
}

/**
 * The address that all machines of a subnet hear. A subnet without room for others has none.
 */
export function broadcastOf(cidr: string): string | undefined {
  const own = read(cidr);
  if (own === undefined || own.size < 4) return undefined;
  return formatIpv4(startOf(own.value, own.size) + own.size - 1);
}

/** The other addresses among the 256 around this one that can be machines of its subnet. */
export function neighboursOf(cidr: string): string[] {
  const own = read(cidr);
  if (own === undefined) return [];
  const size = Math.min(own.size, 256);
  const start = startOf(own.value, size);
  const all = Array.from({ length: Math.max(size - 2, 0) }, (_, n) => start + 1 + n);
  return all.filter((value) => value !== own.value).map(formatIpv4);
}

/** True for an address that only machines of a local network have. */
export function isPrivate(address: string): boolean {
  return ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
    .some((range) => isNeighbour(range, address));
}

function read(cidr: string): { readonly value: number; readonly size: number } | undefined {
  const [, address = "", length = ""] = /^([\d.]+)\/(\d{1,2})$/.exec(cidr) ?? [];
  const value = readIpv4(address);
  if (value === undefined || Number(length) > 32) return undefined;
  return { value, size: 2 ** (32 - Number(length)) };
}

function startOf(value: number, size: number): number {
  return value - value % size;
}
