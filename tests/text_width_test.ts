import { assertEquals } from "@std/assert";
import { cutText, textWidth } from "../lib/user/text_width.ts";
import { test } from "./strict.ts";

test("text width: columns of letters, marks, East Asian characters and emoji", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["", 0],
    ["abc", 3],
    ["ação", 4],
    ["ac\u0327a\u0303o", 4],
    ["漢字", 4],
    ["かな", 4],
    ["한글", 4],
    ["ＡＢ", 4],
    ["😀", 2],
    ["Мария", 5],
    ["a\u200bb", 2],
    ["…", 1],
  ];
  for (const [text, columns] of cases) assertEquals(textWidth(text), columns, text);
});

test("text width: a text is cut between characters, never through one", () => {
  assertEquals(cutText("abcdef", 6), "abcdef");
  assertEquals(cutText("abcdef", 5), "abcd…");
  assertEquals(cutText("漢字漢字", 8), "漢字漢字");
  assertEquals(cutText("漢字漢字", 7), "漢字漢…");
  assertEquals(cutText("漢字漢字", 6), "漢字…");
  assertEquals(cutText("a\u0301bcd", 3), "a\u0301b…");
  assertEquals(cutText("😀😀", 3), "😀…");
  assertEquals(cutText("ab cd", 4), "ab…");
  assertEquals(cutText("abc", 1), "…");
  assertEquals(cutText("abc", 0), "");
  assertEquals(cutText("", 0), "");
});
