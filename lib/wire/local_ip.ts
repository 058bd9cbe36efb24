/**
 * This machine's address on its network, as the report's `get_wifi_ip` finds it. No packet is sent.
 *
 * Anybody may invent a name for an interface, so the choice goes by properties. A tunnel has no
 * hardware address, or a network of one address. A bridge of our own has the first address of its
 * network, and no way out of it. The interface of the network has a router, if the network has one.
 * Names decide only if these properties do not.
 */

/** The properties of an interface that are looked at; `Deno.NetworkInterfaceInfo` has them. */
export interface Interface {
  /** The kind of its address. */
  readonly family: "IPv4" | "IPv6";
  /** The name that the system gives it. */
  readonly name: string;
  /** The address in its usual notation. */
  readonly address: string;
  /** The address with the length of its network's prefix: `192.168.1.7/24`. */
  readonly cidr?: string;
  /** The hardware address. It is zeros if there is none. */
  readonly mac?: string;
}

/** The address that others should call, and the other candidates, best first. */
export interface LocalAddress {
  /** The address in its usual notation. */
  readonly address: string;
  /** The other addresses that can be called. */
  readonly others: readonly string[];
}

/** Names of tunnels, and of interfaces that carry no call. */
const TUNNEL_NAME =
  /^(utun|tun|tap|wg|tailscale|zt|ppp|ipsec|gif|stf|awdl|llw|anpi|ham)|tailscale|zerotier|wireguard|openvpn|nordlynx|hamachi|loopback|bluetooth/i;

/** Names of bridges into containers and virtual machines. */
const BRIDGE_NAME =
  /^(docker|veth|br-|virbr|vmnet|vboxnet|lxc|lxdbr|podman|cni|flannel|cali)|virtualbox|vmware|hyper-v|vethernet|wsl/i;

/** No hardware address, or that of OpenVPN's driver for Windows. */
const TUNNEL_MAC = /^(00:00:00:00:00:00|00:ff:)/i;

/** The hardware addresses of Docker, LXC and Xen, VMware, VirtualBox, Hyper-V and QEMU. */
const BRIDGE_MAC = /^(02:42|00:16:3e|00:50:56|0a:00:27|00:15:5d|52:54:00):/i;

/** The doubts about an address. An address in grave doubt is not offered beside a better one. */
const DOUBT = { none: 0, some: 1, grave: 2 } as const;

/**
 * The distance of an interface from other networks. A default route over a router has its metric,
 * in IPv6 with this added; then come interfaces with any other way out, then those without one.
 */
const DISTANCE = { ipv6: 2 ** 32, partial: 2 ** 33, none: Infinity } as const;

/**
 * Chooses the address of this machine, or `undefined` if it is on no network. Pure. `routes` holds
 * the lines of Linux's `/proc/net/route` and `/proc/net/ipv6_route`, if they are known.
 */
export function chooseAddress(
  interfaces: readonly Interface[],
  routes = "",
): LocalAddress | undefined {
  const distances = parseRoutes(routes);
  const candidates = interfaces.map((one) => {
    // Behind the colon stands the name of a second address of the same interface.
    const distance = distances.get(one.name.replace(/:.*/, "")) ?? DISTANCE.none;
    const isFar = distance === DISTANCE.none;
    const isLater = one.family === "IPv6";
    return {
      ...one,
      isFar,
      rank: rank(one),
      doubt: doubt(one, distance),
      keys: [Number(isFar), Number(isLater), distance, -rank(one)],
    };
  });
  const [best, ...rest] = candidates
    .filter(({ rank }) => rank > 0)
    .filter(({ name }) => !TUNNEL_NAME.test(name))
    // A bridge may hold the address of this machine on its network: the network is behind it then.
    .filter(({ name, isFar, doubt }) =>
      !BRIDGE_NAME.test(name) || !isFar || (routes === "" && doubt === DOUBT.none)
    )
    .sort((a, b) => a.doubt - b.doubt || compare(a.keys, b.keys));
  if (best === undefined) return undefined;
  const { address } = best;
  const offered = rest.filter(({ doubt }) => doubt <= Math.max(best.doubt, DOUBT.some));
  const others = new Set(offered.map((one) => one.address));
  others.delete(address);
  return { address, others: [...others] };
}

/** True for a card whose network has a way to other ones. */
export function isRouted(card: string, routes: string): boolean {
  return parseRoutes(routes).has(card.replace(/:.*/, ""));
}

/** The likelihood that a neighbour can call an address of this range. It is 0 if none can. */
function rank({ family, address }: Interface): number {
  if (family === "IPv6") {
    // fe80 needs the name of an interface behind it, which differs on every machine.
    if (/^(::1?$|fe[89ab]|ff)/i.test(address)) return 0;
    return /^f[cd]/i.test(address) ? 2 : 1;
  }
  const [a = 0, b = 0] = address.split(".").map(Number);
  if (a === 0 || a === 127 || a >= 224 || (a === 169 && b === 254)) return 0;
  // Providers and overlay networks use 100.64/10 among themselves.
  if (a === 100 && b >= 64 && b < 128) return 0;
  if (a === 192 && b === 168) return 6;
  if (a === 10) return 5;
  // Containers and virtual machines like this range best; some real networks have it, too.
  if (a === 172 && b >= 16 && b < 32) return 4;
  return 3;
}

/** The doubt that an address is one of the network: a tunnel's, or that of a bridge of our own. */
function doubt(one: Interface, distance: number): number {
  if (one.mac !== undefined && TUNNEL_MAC.test(one.mac)) return DOUBT.grave;
  // Some hosters give such an address to a real card, and a router outside of its network.
  if (isAlone(one)) return distance < DISTANCE.partial ? DOUBT.some : DOUBT.grave;
  if (!isFirst(one) || distance !== DISTANCE.none) return DOUBT.none;
  // It may be a hotspot that this machine gives, or one end of a cable between two machines.
  return BRIDGE_MAC.test(one.mac ?? "") ? DOUBT.grave : DOUBT.some;
}

/** True for an IPv4 address in whose network there is room for one peer at most. */
function isAlone({ family, cidr }: Interface): boolean {
  return family === "IPv4" && /\/3[12]$/.test(cidr ?? "");
}

/** True for the address of a machine that sets a network up: its first, or any that ends in .1. */
function isFirst({ family, address, cidr = "" }: Interface): boolean {
  if (family === "IPv6") return address.endsWith("::1");
  if (address.endsWith(".1")) return true;
  const length = Number(cidr.split("/")[1] ?? NaN);
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return number % 2 ** (32 - length) === 1;
}

/** The distance of each interface that has a way into other networks. */
function parseRoutes(routes: string): Map<string, number> {
  const distances = new Map<string, number>();
  for (const line of routes.split("\n")) {
    const route = parseRoute(line);
    if (route === undefined) continue;
    const { name, distance } = route;
    distances.set(name, Math.min(distance, distances.get(name) ?? DISTANCE.none));
  }
  return distances;
}

/** Reads a line of either file. Returns nothing if it is no way into other networks. */
function parseRoute(
  line: string,
): { readonly name: string; readonly distance: number } | undefined {
  const words = line.trim().split(/\s+/);
  // The columns stand in the kernel's net/ipv4/fib_trie.c and net/ipv6/route.c.
  const [one = "", two = "", three = "", four = "", , , seven = "", eight = ""] = words;
  const { name, isDefault, gateway, metric, flags } = words.length === 10
    ? {
      name: words[9]!,
      isDefault: /^0{32}$/.test(one) && two === "00",
      gateway: words[4]!,
      metric: parseInt(words[5]!, 16) + DISTANCE.ipv6,
      flags: words[8]!,
    }
    : {
      name: one,
      isDefault: two === "00000000" && eight === "00000000",
      gateway: three,
      metric: Number(seven),
      flags: four,
    };
  // A route that is up (1), and neither refuses (200) nor is a passing one (1000000).
  const isUsable = (parseInt(flags, 16) & 0x01000201) === 1;
  const hasRouter = /[1-9a-f]/i.test(gateway);
  if (!isUsable || !(isDefault || hasRouter)) return undefined;
  return { name, distance: isDefault && hasRouter ? metric : DISTANCE.partial };
}

/** The order of two lists of keys. The first difference decides. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((key, index) => key !== b[index]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
