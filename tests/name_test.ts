import { assert, assertEquals, assertFalse } from "@std/assert";
import { callerLabel, isNamesake, shownName } from "../lib/user/name.ts";
import { textWidth } from "../lib/user/text_width.ts";
import { test } from "./strict.ts";

const ANA = { name: "Ana", host: "192.168.1.9", port: 51324 };

test("name: ordinary names of any language stay as they are", () => {
  for (
    const name of [
      "Ana",
      "João da Silva",
      "sala-2",
      "Мария",
      "李小龍",
      "นิตยา",
      "ज़ोया",
      "O'Neil",
      "😀",
    ]
  ) {
    assertEquals(shownName(name), name.normalize("NFC"));
  }
});

test("name: what steers a terminal, turns text round or is not seen is gone", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", ""],
    [" \t\r\n\u00a0\u2003\u2028\u3000 ", ""],
    ["\u200b\u200d\ufeff\u00ad\u3164\u115f\u2800\u{e0041}", ""],
    ["a\u001b[31mb\u0007\u009bc", "a [31mb c"],
    ["one\ntwo\r\nthree", "one two three"],
    ["\u202eevil\u202c", "evil"],
    ["\u2066a\u2069", "a"],
    ["lone \ud800 half", "lone \ufffd half"],
    ["\ue000private", "private"],
    ["a\u0301", "á"],
  ];
  for (const [name, shown] of cases) assertEquals(shownName(name), shown, JSON.stringify(name));
});

test("name: it takes at most 40 columns and three marks a character", () => {
  for (const name of ["x".repeat(60_000), "漢".repeat(50), "😀".repeat(200), "x ".repeat(99)]) {
    const shown = shownName(name);
    assert(textWidth(shown) <= 40 && textWidth(shown) >= 38, shown);
    assert(shown.endsWith("…"));
    assert(shown.isWellFormed());
  }
  assertEquals(shownName("x".repeat(40)), "x".repeat(40));
  assertEquals(shownName(`z${"\u0335".repeat(500)}`), "z\u0335\u0335\u0335");
});

test("name: a caller is told by its name, by its address without one, by both beside a namesake", () => {
  const label = (caller: typeof ANA, hasNamesake = false): string =>
    callerLabel(caller, { hasNamesake });
  assertEquals(label(ANA), "Ana");
  assertEquals(label(ANA, true), "Ana (192.168.1.9:51324)");
  assertEquals(label({ ...ANA, name: "\u200b " }), "192.168.1.9:51324");
  assertEquals(label({ ...ANA, name: "" }, true), "192.168.1.9:51324");
  assertEquals(label({ name: "", host: "fe80::1", port: 7 }), "[fe80::1]:7");
});

test("name: names that look alike are namesakes", () => {
  const named = (name: string): typeof ANA => ({ ...ANA, name });
  for (const name of ["Ana", "ana", " ANA\u200b", "Ａｎａ", "A\u00adna"]) {
    assert(isNamesake(ANA, named(name)), name);
  }
  for (const name of ["", "Anna", "Ana 2"]) assertFalse(isNamesake(ANA, named(name)), name);
  assert(isNamesake(named("x".repeat(50)), named("x".repeat(60))));
});
