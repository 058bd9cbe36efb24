import { assert, assertEquals, assertFalse, assertLess } from "@std/assert";
import { nameInFolder, nameOf, patternOf, unknownPlace } from "../lib/media/recording_name.ts";
import { test } from "./strict.ts";

const AT = new Date(2026, 10, 25, 14, 3, 9);

function named(wanted: string, peer = "Ana", host = "192.168.1.7"): string {
  return nameOf(wanted, { at: AT, peer, host });
}

test("nameOf(): the day, the time and the peer of a call, in the last part of a path alone", () => {
  assertEquals(named(nameInFolder("a")), "a/2026-11-25_14-03-09_Ana.avi");
  assertEquals(named(nameInFolder("a/")), "a/2026-11-25_14-03-09_Ana.avi");
  assertEquals(named("{peer}-{peer}.avi"), "Ana-Ana.avi");
  assertEquals(named("{date}/{time}.avi"), "{date}/14-03-09.avi");
  assertEquals(named("video.avi"), "video.avi");
});

test("nameOf(): a peer is its name made harmless, or else its address", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["../../etc/passwd", "etc-passwd"],
    ["..", "192.168.1.7"],
    ["", "192.168.1.7"],
    ["\u0000\u200b\u202e", "192.168.1.7"],
    ["C:\\Users\\x", "C-Users-x"],
    ["a\u0000b\nc", "a-b-c"],
    ["...hidden", "hidden"],
    ["-rf", "rf"],
    ["end. . ", "end"],
    ["{date}", "date"],
    ["CON", "CON-"],
    ["com1.txt", "com1-.txt"],
    ["console", "console"],
    ["João da Silva", "João-da-Silva"],
    ["a%d|b", "a-d-b"],
    ["\ud800", "\ufffd"],
  ];
  for (const [peer, left] of cases) assertEquals(named("{peer}", peer), left, JSON.stringify(peer));
  assertEquals(named("{peer}", "", "fe80::1%eth0"), "fe80-1-eth0");
});

test("nameOf(): of a very long name, as many whole characters are left as fit", () => {
  for (const letter of ["x", "é", "😀", "a\u0301\u0301"]) {
    const name = named("{peer}", letter.repeat(10_000));
    assertLess(new TextEncoder().encode(name).length, 81);
    assert(name.isWellFormed());
  }
});

test("unknownPlace(): the first place that is none, in the last part of a path alone", () => {
  assertEquals(unknownPlace("{date}{time}{peer}.avi"), undefined);
  assertEquals(unknownPlace("{x}/{date}.avi"), undefined);
  assertEquals(unknownPlace("{date}{day}{x}.avi"), "{day}");
  assertEquals(unknownPlace("{}.avi"), "{}");
  assertEquals(unknownPlace("{date.avi"), undefined);
});

test("patternOf(): finds the recordings of a name, numbered ones too, and no other file", () => {
  const pattern = patternOf("a.b {date}_{time}_{peer}.avi")!;
  const name = named("a.b {date}_{time}_{peer}.avi");
  for (const one of [name, name.replace(".avi", "-2.avi")]) assert(pattern.test(one), one);
  const others = ["video.avi", `x${name}`, `${name}.mending`, name.replace("a.b", "a-b")];
  for (const one of others) assertFalse(pattern.test(one), one);
  const plain = patternOf("{date}{time}.avi")!;
  assert(plain.test(named("{date}{time}-12.avi")));
  assertFalse(plain.test(named("{date}{time}-x.avi")));
  // An unfinished file of any name may be another program's.
  for (const wanted of ["video.avi", "{peer}.avi", "{date}.avi"]) {
    assertEquals(patternOf(wanted), undefined);
  }
});
