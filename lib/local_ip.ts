/**
 * This machine's address on its network, as the report's `get_wifi_ip` finds it, from the list of interfaces: no packet is
 * sent, and a tunnel or a container's bridge is not taken for the network.
 */

/** What is needed of an interface; `Deno.NetworkInterfaceInfo` has it. */
export interface Interface {
  /** The kind of its address. */
  readonly family: "IPv4" | "IPv6";
  /** As the system calls it. */
  readonly name: string;
  /** The address in its usual notation. */
  readonly address: string;
}

/** The address that others should call, and the other candidates, best first. */
export interface LocalAddress {
  /** The address in its usual notation. */
  readonly address: string;
  /** The other addresses that can be called. */
  readonly others: readonly string[];
}

/** Interfaces that lead into a tunnel, a container or a virtual machine rather than to the network. */
const VIRTUAL =
  /^(utun|tun|tap|wg|tailscale|zt|docker|veth|br-|virbr|vmnet|vboxnet|lxc|lxdbr|podman|cni|flannel|cali|ppp|ipsec|gif|stf|awdl|llw|anpi|ham|vethernet)|tailscale|zerotier|wireguard|openvpn|nordlynx|hamachi|virtualbox|vmware|hyper-v|vethernet|wsl|loopback|bluetooth/i;

/** Chooses the address of this machine, or `undefined` where it is on no network. Pure. */
export function chooseAddress(interfaces: readonly Interface[]): LocalAddress | undefined {
  const ranked = interfaces
    .filter(({ name }) => !VIRTUAL.test(name))
    .map(({ family, address }, order) => ({ address, order, rank: rank(family, address) }))
    .filter(({ rank }) => rank > 0)
    .sort((a, b) => b.rank - a.rank || a.order - b.order);
  const addresses = [...new Set(ranked.map(({ address }) => address))];
  const [address, ...others] = addresses;
  return address === undefined ? undefined : { address, others };
}

/** How likely an address is the one that a neighbour can call; 0 for one that none can. */
function rank(family: Interface["family"], address: string): number {
  if (family === "IPv6") {
    // fe80 needs the name of an interface behind it, which differs on every machine.
    if (/^(::1?$|fe[89ab]|ff)/i.test(address)) return 0;
    return /^f[cd]/i.test(address) ? 2 : 1;
  }
  const [a = 0, b = 0] = address.split(".").map(Number);
  if (a === 0 || a === 127 || a >= 224 || (a === 169 && b === 254)) return 0;
  // 100.64/10 is what providers and overlay networks use among themselves.
  if (a === 100 && b >= 64 && b < 128) return 0;
  if (a === 192 && b === 168) return 6;
  if (a === 10) return 5;
  // Containers and virtual machines like this range best; some real networks have it, too.
  if (a === 172 && b >= 16 && b < 32) return 4;
  return 3;
}
