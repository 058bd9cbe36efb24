/**
 * Bytes for tests, made by hand and by nothing of `lib/`. The wire must carry exactly these bytes.
 */

import { concat } from "@std/bytes/concat";

/** Joins fields. A string is hexadecimal, two digits a byte, with spaces anywhere. */
export function bytes(...fields: readonly (string | Uint8Array)[]): Uint8Array {
  return concat(
    fields.map((field) =>
      typeof field === "string" ? Uint8Array.fromHex(field.replaceAll(" ", "")) : field
    ),
  );
}

/** The UTF-8 bytes of a text. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/**
 * The eight bytes of a length on the wire, by division: little-endian means the smallest part
 * first.
 */
export function length(of: number | bigint): Uint8Array {
  let rest = BigInt(of);
  const field = new Uint8Array(8);
  for (let index = 0; index < field.length; index++) {
    field[index] = Number(rest % 256n);
    rest /= 256n;
  }
  return field;
}

/** A message as it stands on the wire: its length, and it. */
export function framed(...fields: readonly (string | Uint8Array)[]): Uint8Array {
  const payload = bytes(...fields);
  return concat([length(payload.length), payload]);
}

/** A hello of either end around any text, also one that no end would write: kind, magic, JSON. */
export function helloWith(json: string): Uint8Array {
  return bytes("01", text("CHAMADA1"), text(json));
}
