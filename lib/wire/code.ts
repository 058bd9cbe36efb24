/** The code of a private call: how it is made, written and read. */

/** Digits of a code that a server makes: 36 bits. */
const DIGITS = 11;

/** The fewest characters of a code that a user makes: users choose what others guess. */
export const LEAST_OWN = 12;

/** Makes a code at random. */
export function makeCode(): string {
  let code = "";
  while (code.length < DIGITS) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    // The bytes from 250 on would make the first six digits likelier.
    if (byte! < 250) code += String(byte! % 10);
  }
  return code;
}

/** A code as it is shown: 482-1709-3554. */
export function shownCode(code: string): string {
  return code.replace(/^(\d{3})(\d{4})(\d{4})$/, "$1-$2-$3");
}

/** A code as it was typed, without the blanks and dashes that people put in. */
export function readCode(typed: string): string {
  return typed.normalize("NFC").replaceAll(/[\s\p{Pd}]/gu, "");
}
