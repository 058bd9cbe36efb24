import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeCode, readCode, shownCode } from "../lib/wire/code.ts";
import { test } from "./strict.ts";

test("makeCode() makes eleven digits, each as likely as the others", () => {
  const counts = new Array(10).fill(0);
  const codes = Array.from({ length: 2000 }, makeCode);
  for (const code of codes) {
    assertMatch(code, /^\d{11}$/);
    for (const digit of code) counts[Number(digit)]++;
  }
  assertEquals(new Set(codes).size, codes.length);
  // 2,200 of each are expected; one in some billion runs is further away than this.
  for (const count of counts) assert(Math.abs(count - 2200) < 300, counts.join(" "));
});

test("a code is shown in three groups, and read however it was typed", () => {
  assertEquals(shownCode("48217093554"), "482-1709-3554");
  for (
    const typed of ["482-1709-3554", " 482 1709 3554\n", "482–1709—3554", "4 8 2-1709\t3554"]
  ) assertEquals(readCode(typed), "48217093554");
  assertEquals(readCode("ma\u0303e de todos"), readCode("mãe-de-todos"));
  assertEquals(readCode("Ünïcödé"), "Ünïcödé");
});
