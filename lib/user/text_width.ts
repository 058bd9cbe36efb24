/**
 * The width of text in a terminal, and the cutting of text to a width. Where terminals differ, the
 * wider figure counts: a line that is judged too wide is cut a little early, one that is judged too
 * narrow breaks.
 */

/** Characters of two columns: of East Asian scripts, their full-width forms, and emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/** Characters of no column: marks that are drawn upon the character before, and invisible ones. */
const NARROW = /[\p{Mn}\p{Me}\p{Cc}\p{Cf}]/u;

/** The columns that a text takes. */
export function textWidth(text: string): number {
  let columns = 0;
  for (const character of text) columns += characterWidth(character);
  return columns;
}

/** The text. If it is too wide: as much of its beginning as leaves a column for `…`. */
export function cutText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let kept = "";
  let left = columns - 1;
  for (const character of text) {
    left -= characterWidth(character);
    if (left < 0) break;
    kept += character;
  }
  return columns < 1 ? "" : `${kept.trimEnd()}…`;
}

function characterWidth(character: string): number {
  return NARROW.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}
