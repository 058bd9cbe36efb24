import { assertEquals } from "@std/assert";
import { readAddress } from "../lib/user/address.ts";
import { test } from "./strict.ts";

test("readAddress(): takes an address alone, with a port, in brackets and as a browser shows it", () => {
  const cases: Readonly<Record<string, readonly [string, string?]>> = {
    "192.168.1.7": ["192.168.1.7"],
    "192.168.1.7:8080": ["192.168.1.7", "8080"],
    "192.168.1.7:99999": ["192.168.1.7", "99999"],
    " 192.168.1.7 ": ["192.168.1.7"],
    "http://192.168.1.7:8080/": ["192.168.1.7", "8080"],
    "HTTPS://192.168.1.7/": ["192.168.1.7"],
    "tcp://notebook.local:9000": ["notebook.local", "9000"],
    "192.168.1.7/": ["192.168.1.7"],
    "localhost": ["localhost"],
    "notebook": ["notebook"],
    "PC_da_Ana": ["PC_da_Ana"],
    "máquina.local.": ["máquina.local."],
    "::1": ["::1"],
    "::": ["::"],
    "fe80::1%eth0": ["fe80::1%eth0"],
    "[::1]": ["::1"],
    "[::1]:8080": ["::1", "8080"],
    "[fe80::1%eth0]:1": ["fe80::1%eth0", "1"],
    "http://[2001:db8::7]:8080/": ["2001:db8::7", "8080"],
    "0.0.0.0:0": ["0.0.0.0", "0"],
  };
  for (const [text, [host, port]] of Object.entries(cases)) {
    assertEquals(readAddress(text), port === undefined ? { host } : { host, port }, text);
  }
});

test("readAddress(): refuses what is something else", () => {
  for (
    const text of [
      ...["", " ", "-", "--quiet", "-5", ".", "*", "*:8080", ":8080", "192.168.1.7:", "a:b", "a b"],
      ...["[::1", "[]", "[1.2.3.4]", "[::1]8080", "::1::", "1:2:3", "user@host", "a,b", "~"],
      ...["http://", "http:///", "rtsp://192.168.1.7/", "http://192.168.1.7/video", "video/a.mp4"],
      ...["file:///a", "('192.168.1.7', 8080)", "a\nb"],
    ]
  ) assertEquals(readAddress(text), undefined, text);
});
