import { assertEquals } from "@std/assert";
import { chooseAddress, type Interface } from "../lib/wire/local_ip.ts";
import { test } from "./strict.ts";

/**
 * A list of interfaces, each written as `name address`, `name address/24` or `name mac address/24`.
 */
function interfaces(...lines: readonly string[]): Interface[] {
  return lines.map((line) => {
    const [, name, mac, cidr] = /^(.*?)(?: (..:..:..:..:..:..))? (\S+)$/.exec(line)!;
    const [address, length] = cidr!.split("/");
    return {
      name: name!,
      address: address!,
      family: address!.includes(":") ? "IPv6" : "IPv4",
      ...(length === undefined ? {} : { cidr: cidr! }),
      ...(mac === undefined ? {} : { mac }),
    };
  });
}

function chosen(...lines: readonly string[]): string | undefined {
  return chooseAddress(interfaces(...lines))?.address;
}

test("local address: a common notebook gives that of its Wi-Fi", () => {
  assertEquals(
    chooseAddress(interfaces(
      "lo 127.0.0.1",
      "lo ::1",
      "wlp3s0 192.168.1.7",
      "wlp3s0 fe80::1c2d:3e4f:5a6b:7c8d",
    )),
    { address: "192.168.1.7", others: [] },
  );
});

test("local address: none on no network, with the loopback only, or with addresses of nobody's", () => {
  assertEquals(chooseAddress([]), undefined);
  assertEquals(chosen("lo 127.0.0.1", "lo ::1", "lo 127.0.1.1"), undefined);
  assertEquals(chosen("lo 127.0.0.1", "eth0 169.254.17.3"), undefined);
  assertEquals(chosen("eth0 fe80::1", "eth1 0.0.0.0", "eth2 ::"), undefined);
  assertEquals(chosen("eth0 224.0.0.1", "eth0 ff02::1", "eth0 255.255.255.255"), undefined);
});

test("local address: a VPN's is not taken for the network's", () => {
  for (
    const name of [
      "utun3",
      "wg0",
      "tailscale0",
      "Tailscale",
      "tun0",
      "tap0",
      "ppp0",
      "ipsec0",
      "zt7nnig26",
      "ZeroTier One [8056c2e21c000001]",
      "NordLynx",
      "OpenVPN TAP-Windows6",
      "WireGuard Tunnel",
      "Hamachi",
    ]
  ) {
    assertEquals(chosen(`${name} 10.8.0.2`), undefined, name);
    assertEquals(chosen(`${name} 192.168.50.2`, "eth0 172.16.4.9"), "172.16.4.9", name);
  }
});

test("local address: a container's or virtual machine's bridge is not taken for the network's", () => {
  for (
    const name of [
      "docker0",
      "br-3f5c1d2e4a6b",
      "veth1a2b3c4",
      "vEthernet (WSL)",
      "vEthernet (Default Switch)",
      "vEthernet (WSL (Hyper-V firewall))",
      "virbr0",
      "vmnet8",
      "vboxnet0",
      "VirtualBox Host-Only Network",
      "VMware Network Adapter VMnet8",
      "lxdbr0",
      "podman0",
      "cni0",
    ]
  ) {
    assertEquals(chosen(`${name} 192.168.122.1`), undefined, name);
    assertEquals(chosen(`${name} 192.168.122.1`, "eth0 10.0.0.5"), "10.0.0.5", name);
  }
});

test("local address: 172.17 is Docker's on its bridge, and an address like any other on a real card", () => {
  assertEquals(chosen("docker0 172.17.0.1"), undefined);
  assertEquals(chosen("docker0 172.17.0.1", "eth0 192.168.0.9"), "192.168.0.9");
  assertEquals(chosen("lo 127.0.0.1", "eth0 172.17.0.2"), "172.17.0.2");
});

test("local address: two cards give one address and the other as a candidate, in a steady order", () => {
  assertEquals(
    chooseAddress(interfaces("eth0 10.1.2.3", "wlan0 192.168.1.7")),
    { address: "192.168.1.7", others: ["10.1.2.3"] },
  );
  assertEquals(
    chooseAddress(interfaces("eth0 192.168.1.7", "wlan0 192.168.1.8")),
    { address: "192.168.1.7", others: ["192.168.1.8"] },
  );
  assertEquals(
    chooseAddress(interfaces("wlan0 192.168.1.8", "eth0 192.168.1.7")),
    { address: "192.168.1.8", others: ["192.168.1.7"] },
  );
});

test("local address: an address that is listed twice is one candidate", () => {
  assertEquals(
    chooseAddress(interfaces("eth0 192.168.1.7", "br0 192.168.1.7", "br0 10.0.0.1")),
    { address: "192.168.1.7", others: ["10.0.0.1"] },
  );
});

test("local address: every candidate is offered, the private IPv4 first, IPv6 last", () => {
  assertEquals(
    chooseAddress(interfaces(
      "eth0 2001:db8::7",
      "eth0 fd12:3456:789a::7",
      "eth1 150.161.6.9",
      "eth2 172.20.0.7",
      "eth3 10.0.0.7",
      "eth4 192.168.0.7",
    )),
    {
      address: "192.168.0.7",
      others: ["10.0.0.7", "172.20.0.7", "150.161.6.9", "fd12:3456:789a::7", "2001:db8::7"],
    },
  );
});

test("local address: a public IPv4 is taken where it is the only one, as on a university's network", () => {
  assertEquals(chosen("lo 127.0.0.1", "eth0 150.161.6.9"), "150.161.6.9");
  assertEquals(chosen("eth0 172.15.0.1"), "172.15.0.1");
  assertEquals(chosen("eth0 172.32.0.1", "eth1 172.31.0.1"), "172.31.0.1");
});

test("local address: where there is IPv6 only, the local range comes before the global, link-local never", () => {
  assertEquals(chosen("eth0 fe80::1", "eth0 fd00::7"), "fd00::7");
  assertEquals(chosen("eth0 2001:db8::7", "eth0 fc00::7"), "fc00::7");
  assertEquals(chosen("eth0 2001:db8::7", "eth0 fe80::7"), "2001:db8::7");
  assertEquals(chosen("eth0 fe80::7", "eth0 febf::7", "lo ::1"), undefined);
});

test("local address: what providers and overlay networks use among themselves is not offered", () => {
  assertEquals(chosen("wwan0 100.64.0.1", "eth9 100.127.255.254"), undefined);
  assertEquals(chosen("eth0 100.63.0.1"), "100.63.0.1");
  assertEquals(chosen("eth0 100.128.0.1"), "100.128.0.1");
});

test("local address: names of Windows and macOS, with spaces and accents, are those of real cards", () => {
  for (
    const name of [
      "Ethernet",
      "Ethernet 2",
      "Wi-Fi",
      "Conexão Local",
      "Conexão de Rede sem Fio 2",
      "Беспроводная сеть",
      "乙太網路",
      "en0",
      "en7",
      "eth0",
      "wlan0",
      "enp3s0f1",
      "enx00e04c680001",
      "bridge100",
      "br0",
      "bond0",
    ]
  ) {
    assertEquals(chosen("lo0 127.0.0.1", `${name} 192.168.15.4`), "192.168.15.4", name);
  }
});

test("local address: a Mac's and a Windows machine's usual clutter is left aside", () => {
  assertEquals(
    chooseAddress(interfaces(
      "lo0 127.0.0.1",
      "en0 fe80::4a:1b2c:3d4e:5f60",
      "en0 192.168.0.12",
      "awdl0 fe80::ac5b:21ff:fe3d:1a2b",
      "llw0 fe80::ac5b:21ff:fe3d:1a2b",
      "utun0 fe80::b1a2:c3d4:e5f6:1",
      "utun4 100.101.102.103",
      "utun4 fd7a:115c:a1e0::1",
    )),
    { address: "192.168.0.12", others: [] },
  );
  assertEquals(
    chooseAddress(interfaces(
      "vEthernet (WSL) 172.28.112.1",
      "Bluetooth Network Connection 169.254.10.20",
      "Conexão de Rede Bluetooth 169.254.10.21",
      "Local Area Connection* 1 169.254.80.1",
      "Wi-Fi 10.0.0.23",
      "Loopback Pseudo-Interface 1 127.0.0.1",
    )),
    { address: "10.0.0.23", others: [] },
  );
});

test("local address: this machine's own list can be read", () => {
  const own = Deno.networkInterfaces();
  assertEquals(own.some(({ address }) => address === "127.0.0.1"), true);
  const address = chooseAddress(own)?.address;
  assertEquals(address === undefined || own.some((one) => one.address === address), true);
});

/**
 * A real card's hardware address, that of a tunnel, and those of Docker's, LXC's and VMware's
 * bridges.
 */
const CARD = "3c:7c:3f:1a:2b:3c";
const NONE = "00:00:00:00:00:00";
const DOCKER = "02:42:9f:aa:10:01";
const LXC = "00:16:3e:00:00:01";
const VMWARE = "00:50:56:c0:00:08";

/** The lines of /proc/net/route for routes as `ip route` writes them. */
function routes(...lines: readonly string[]): string {
  const hex = (address: string): string =>
    address.split(".").reverse().map((part) => Number(part).toString(16).padStart(2, "0")).join("")
      .toUpperCase();
  return lines.map((line) => {
    const [target = "", length = "0"] = line.split(" ")[0]!.replace("default", "0.0.0.0/0")
      .split("/");
    const word = (name: string, otherwise: string): string =>
      new RegExp(` ${name} (\\S+)`).exec(line)?.[1] ?? otherwise;
    const via = word("via", "0.0.0.0");
    const ones = 2 ** 32 - 2 ** (32 - Number(length));
    const mask = [24, 16, 8, 0].map((bits) => Math.floor(ones / 2 ** bits) % 256).join(".");
    const flags = via === "0.0.0.0" ? "0001" : "0003";
    const rest = [flags, "0", "0", word("metric", "0"), hex(mask), "0", "0", "0"];
    return [word("dev", ""), hex(target), hex(via), ...rest].join("\t") + "  \n";
  }).join("");
}

/** The header that stands above them. */
const HEADER =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT    \n";

/**
 * A default route of IPv6 in the form of /proc/net/ipv6_route, and the line of a machine without
 * any.
 */
function ipv6Default(card: string, metric = 1024): string {
  const [none, router] = ["0".repeat(32), `fe80${"0".repeat(27)}1`];
  const number = metric.toString(16).padStart(8, "0");
  return `${none} 00 ${none} 00 ${router} ${number} 00000001 00000000 00000003     ${card}\n`;
}
const IPV6_UNREACHABLE = `${"0".repeat(32)} 00 ${"0".repeat(32)} 00 ${"0".repeat(32)} ` +
  "ffffffff 00000001 00000000 00200200       lo\n";

interface Machine {
  readonly about: string;
  readonly interfaces: readonly string[];
  /** Left out if the system does not tell. */
  readonly routes?: string;
  /** The right address, and the others that are right to offer. */
  readonly right: readonly string[];
}

const LINUX: readonly Machine[] = [
  {
    about: "Waydroid",
    interfaces: [`wlan0 ${CARD} 10.0.0.23/24`, `waydroid0 ${LXC} 192.168.240.1/24`],
    routes: routes(
      "default via 10.0.0.1 dev wlan0",
      "10.0.0.0/24 dev wlan0",
      "192.168.240.0/24 dev waydroid0",
    ),
    right: ["10.0.0.23"],
  },
  {
    about: "Multipass",
    interfaces: [`mpqemubr0 52:54:00:1b:2c:3d 192.168.64.1/24`, `enp3s0 ${CARD} 172.16.4.9/22`],
    routes: routes("default via 172.16.4.1 dev enp3s0 metric 100", "172.16.4.0/22 dev enp3s0"),
    right: ["172.16.4.9"],
  },
  {
    about: "CodeReady, whose network has no address in .1 here",
    interfaces: [`crc ${CARD} 192.168.130.11/24`, `wlp2s0 ${CARD} 10.0.0.23/24`],
    routes: routes("192.168.130.0/24 dev crc", "default via 10.0.0.1 dev wlp2s0 metric 600"),
    right: ["10.0.0.23", "192.168.130.11"],
  },
  {
    about: "a VPN that took the default route",
    interfaces: [`corp ${NONE} 10.64.0.2/32`, `wlan0 ${CARD} 172.20.0.7/24`],
    routes: routes("default dev corp", "198.51.100.4/32 via 172.20.0.1 dev wlan0"),
    right: ["172.20.0.7"],
  },
  {
    about: "a VPN with a network of its own and the two halves of everything",
    interfaces: [`corp ${NONE} 192.168.8.2/24`, `wlan0 ${CARD} 10.0.0.7/24`],
    routes: routes(
      "0.0.0.0/1 via 192.168.8.1 dev corp",
      "128.0.0.0/1 via 192.168.8.1 dev corp",
      "default via 10.0.0.1 dev wlan0 metric 600",
    ),
    right: ["10.0.0.7"],
  },
  {
    about: "the same on a card of the VPN's that looks like a real one",
    interfaces: [`corp ${CARD} 192.168.8.2/24`, `wlan0 ${CARD} 10.0.0.7/24`],
    routes: routes(
      "0.0.0.0/1 via 192.168.8.1 dev corp",
      "128.0.0.0/1 via 192.168.8.1 dev corp",
      "default via 10.0.0.1 dev wlan0 metric 600",
    ),
    right: ["10.0.0.7", "192.168.8.2"],
  },
  {
    about: "a VPN that took the default route, beside a network of virtual machines",
    interfaces: [
      `corp 02:11:22:33:44:55 10.64.0.2/32`,
      `crc ${CARD} 192.168.130.11/24`,
      `wlan0 ${CARD} 10.0.0.7/24`,
    ],
    routes: routes("default dev corp", "198.51.100.4/32 via 10.0.0.1 dev wlan0"),
    right: ["10.0.0.7", "192.168.130.11"],
  },
  {
    about: "Docker's networks under other names",
    interfaces: [
      `eth0 ${CARD} 10.1.2.3/16`,
      `team-net ${DOCKER} 172.18.0.1/16`,
      `halfnet ${DOCKER} 192.168.200.129/25`,
    ],
    routes: routes("default via 10.1.0.1 dev eth0", "172.18.0.0/16 dev team-net"),
    right: ["10.1.2.3"],
  },
  {
    about: "two cards with routers: the one that the system takes",
    interfaces: [`wlan0 ${CARD} 192.168.1.8/24`, `eth0 ${CARD} 10.0.0.7/24`],
    routes: routes(
      "default via 192.168.1.1 dev wlan0 metric 600",
      "default via 10.0.0.1 dev eth0 metric 100",
    ),
    right: ["10.0.0.7", "192.168.1.8"],
  },
  {
    about: "a laboratory's card without a router, and Wi-Fi",
    interfaces: [`eth0 ${CARD} 192.168.77.5/24`, `wlan0 ${CARD} 10.0.0.7/24`],
    routes: routes("192.168.77.0/24 dev eth0", "default via 10.0.0.1 dev wlan0 metric 600"),
    right: ["10.0.0.7", "192.168.77.5"],
  },
  {
    about: "the first end of a cable between two machines, and Wi-Fi",
    interfaces: [`eth0 ${CARD} 192.168.77.1/24`, `wlan0 ${CARD} 10.0.0.7/24`],
    routes: routes("192.168.77.0/24 dev eth0", "default via 10.0.0.1 dev wlan0 metric 600"),
    right: ["10.0.0.7", "192.168.77.1"],
  },
  {
    about: "a hotspot, and nothing else",
    interfaces: [`wlan0 ${CARD} 10.42.0.1/24`],
    routes: routes("10.42.0.0/24 dev wlan0"),
    right: ["10.42.0.1"],
  },
  {
    about: "a hotspot and the card that it shares",
    interfaces: [`wlan0 ${CARD} 10.42.0.1/24`, `eth0 ${CARD} 150.161.6.9/24`],
    routes: routes("default via 150.161.6.254 dev eth0"),
    right: ["150.161.6.9", "10.42.0.1"],
  },
  {
    about: "a hotspot on a machine with a bridge of containers",
    interfaces: [`br-1f2e ${DOCKER} 172.18.0.1/16`, `wlan0 ${CARD} 10.42.0.1/24`],
    routes: routes("10.42.0.0/24 dev wlan0", "172.18.0.0/16 dev br-1f2e"),
    right: ["10.42.0.1"],
  },
  {
    about: "an address in .1 of a wide network is like any other",
    interfaces: [`eth0 ${CARD} 10.5.7.1/16`, `virbr1 52:54:00:1b:2c:3d 192.168.122.1/24`],
    routes: routes("default via 10.5.0.1 dev eth0"),
    right: ["10.5.7.1"],
  },
  {
    about: "a bridge of a usual name that holds the address on the network",
    interfaces: [`br-lan ${CARD} 192.168.1.7/24`, `docker0 ${DOCKER} 172.17.0.1/16`],
    routes: routes("default via 192.168.1.1 dev br-lan", "172.17.0.0/16 dev docker0"),
    right: ["192.168.1.7"],
  },
  {
    about: "a bridge of a usual name and an unusual address, which leads nowhere",
    interfaces: [`virbr0 ${CARD} 192.168.122.254/24`, `eth0 ${CARD} 10.0.0.7/24`],
    routes: routes("default via 10.0.0.1 dev eth0"),
    right: ["10.0.0.7"],
  },
  {
    about: "a hoster's server with a network of one address",
    interfaces: [`ens4 42:01:0a:80:00:02 10.128.0.2/32`, `lxc-net ${LXC} 192.168.3.1/24`],
    routes: routes("default via 10.128.0.1 dev ens4", "10.128.0.1/32 dev ens4"),
    right: ["10.128.0.2"],
  },
  {
    about: "a container",
    interfaces: [`eth0 02:42:ac:11:00:02 172.17.0.2/16`],
    routes: routes("default via 172.17.0.1 dev eth0"),
    right: ["172.17.0.2"],
  },
  {
    about: "a service address on the loopback",
    interfaces: [`lo ${NONE} 10.9.9.9/32`, `eth0 ${CARD} 172.16.0.9/24`],
    routes: routes("default via 172.16.0.1 dev eth0"),
    right: ["172.16.0.9"],
  },
  {
    about: "a second address of the same card",
    interfaces: [`eth0 ${CARD} 10.0.0.7/24`, `eth0:1 ${CARD} 192.168.5.1/24`, "wlan0 10.7.7.7/24"],
    routes: routes("default via 10.0.0.1 dev eth0"),
    right: ["192.168.5.1", "10.0.0.7", "10.7.7.7"],
  },
  {
    about: "no hardware addresses, as in a sandbox that hides them",
    interfaces: [`wlan0 ${NONE} 192.168.1.7/24`, `rmnet0 ${NONE} 10.20.30.40/30`],
    routes: routes("default via 192.168.1.1 dev wlan0"),
    right: ["192.168.1.7", "10.20.30.40"],
  },
  {
    about: "two cards with IPv6 only, of which one has a router",
    interfaces: [`eth1 ${CARD} fd00::9/64`, `eth0 ${CARD} 2001:db8::7/64`],
    routes: ipv6Default("eth0") + IPV6_UNREACHABLE,
    right: ["2001:db8::7", "fd00::9"],
  },
  {
    about: "IPv6 only, beside a network of virtual machines",
    interfaces: [`vms ${CARD} 192.168.130.11/24`, `eth0 ${CARD} fd00::7/64`],
    routes: routes("192.168.130.0/24 dev vms") + ipv6Default("eth0"),
    right: ["fd00::7", "192.168.130.11"],
  },
  {
    about: "both kinds of IP, and a router for IPv6 only",
    interfaces: [`eth0 ${CARD} fd00::7/64`, `eth0 ${CARD} 192.168.1.7/24`],
    routes: routes("192.168.1.0/24 dev eth0") + ipv6Default("eth0"),
    right: ["192.168.1.7", "fd00::7"],
  },
  {
    about: "both kinds of IP on two cards",
    interfaces: [
      ...[`wlan0 ${CARD} 192.168.1.8/24`, `wlan0 ${CARD} fd00:1::8/64`],
      ...[`eth0 ${CARD} 10.0.0.7/24`, `eth0 ${CARD} fd00:2::7/64`],
    ],
    routes: routes(
      "default via 10.0.0.1 dev eth0 metric 100",
      "default via 192.168.1.1 dev wlan0 metric 600",
    ) + ipv6Default("wlan0", 600) + ipv6Default("eth0", 100),
    right: ["10.0.0.7", "192.168.1.8", "fd00:2::7", "fd00:1::8"],
  },
  {
    about: "a bridge's IPv6",
    interfaces: [`incusbr0 ${LXC} fd42:1:2:3::1/64`, `eth0 ${CARD} fd00::7/64`],
    routes: ipv6Default("eth0"),
    right: ["fd00::7"],
  },
];

const ELSEWHERE: readonly Machine[] = [
  {
    about: "a Mac with a VPN and virtual machines",
    interfaces: [
      `utun6 ${NONE} 10.11.0.2/16`,
      `bridge100 3e:22:fb:01:02:64 192.168.64.1/24`,
      `en0 ${CARD} 10.0.0.12/24`,
    ],
    right: ["10.0.0.12", "192.168.64.1"],
  },
  {
    about: "a Mac that shares its cable over Wi-Fi",
    interfaces: [`en5 ${CARD} 150.161.6.9/24`, `bridge100 3e:22:fb:01:02:64 192.168.2.1/24`],
    right: ["150.161.6.9", "192.168.2.1"],
  },
  {
    about: "Windows with Hyper-V's own switch",
    interfaces: [
      "vEthernet (Default Switch) 00:15:5d:10:20:30 172.27.16.1/20",
      `Wi-Fi ${CARD} 172.20.0.7/24`,
    ],
    right: ["172.20.0.7"],
  },
  {
    about: "Windows with Hyper-V's switch on the network, which has the machine's address",
    interfaces: [
      "vEthernet (Default Switch) 00:15:5d:10:20:30 172.27.16.1/20",
      `vEthernet (LAN) ${CARD} 192.168.1.7/24`,
    ],
    right: ["192.168.1.7"],
  },
  {
    about: "Windows in another language, with VMware and OpenVPN",
    interfaces: [
      `Ethernet 2 ${VMWARE} 192.168.30.1/24`,
      "Ethernet 3 00:ff:1a:2b:3c:4d 192.168.99.6/24",
      `Ethernet ${CARD} 10.0.0.7/24`,
    ],
    right: ["10.0.0.7"],
  },
  {
    about: "Windows as a hotspot, and nothing else",
    interfaces: ["LAN-Verbindung* 10 3e:7c:3f:1a:2b:3c 192.168.137.1/24"],
    right: ["192.168.137.1"],
  },
  {
    about: "Windows with WireGuard under a name of the user's",
    interfaces: [`escritorio ${NONE} 192.168.9.4/32`, `Wi-Fi ${CARD} 10.0.0.7/24`],
    right: ["10.0.0.7"],
  },
  {
    about: "a tunnel of a strange name alone: better than nothing",
    interfaces: [`corp ${NONE} 10.64.0.2/32`],
    right: ["10.64.0.2"],
  },
];

for (const { about, interfaces: lines, routes, right } of [...LINUX, ...ELSEWHERE]) {
  test(`local address by properties: ${about}`, () => {
    const [address, ...others] = right;
    // The order in which a system lists its interfaces decides nothing here.
    for (const order of [lines, lines.toReversed()]) {
      const own = interfaces(...order);
      const known = routes === undefined ? "" : HEADER + routes;
      assertEquals(chooseAddress(own, known), { address: address!, others });
    }
  });
}

test("local address: routes that are none, or broken, change nothing", () => {
  const own = interfaces(`eth0 ${CARD} 10.0.0.7/24`, `eth1 ${CARD} 192.168.1.7/24`);
  const right = { address: "192.168.1.7", others: ["10.0.0.7"] };
  const down = "eth0\t00000000\t0100000A\t0002\t0\t0\t0\t00000000\t0\t0\t0\n";
  const refused = "eth0\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n";
  for (const text of ["", HEADER, down, refused, "eth0\n", "\0\xff", IPV6_UNREACHABLE, "\t\t\n"]) {
    assertEquals(chooseAddress(own, text), right, JSON.stringify(text));
  }
});
