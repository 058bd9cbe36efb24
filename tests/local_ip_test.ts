import { assertEquals } from "@std/assert";
import { chooseAddress, type Interface } from "../lib/local_ip.ts";
import { test } from "./strict.ts";

/** A list of interfaces, each written as `name address`. */
function interfaces(...lines: readonly string[]): Interface[] {
  return lines.map((line) => {
    const cut = line.lastIndexOf(" ");
    const address = line.slice(cut + 1);
    return {
      name: line.slice(0, cut),
      address,
      family: address.includes(":") ? "IPv6" : "IPv4",
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
