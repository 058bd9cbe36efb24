/**
 * How wide text is in a terminal, and text that is cut to a width. Where terminals differ, the wider figure is taken: a line
 * that is thought too wide is cut a little early, one that is thought too narrow breaks.
 */

/** Characters of two columns: of East Asian scripts, their full-width forms, and emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/** Characters of no column: what is drawn upon the one before, and what is not drawn. */
const NARROW = /[\p{Mn}\p{Me}\p{Cc}\p{Cf}]/u;

/** The columns that a text takes. */
export function textWidth(text: string): number {
  let columns = 0;
  for (const character of text) columns += characterWidth(character);
  return columns;
}

/** The text, or as much of its beginning as leaves a column for `…`. */
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
