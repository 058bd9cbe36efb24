/**
 * Stand-in for `@std/bytes/equals`.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** True if both arrays hold the same bytes. */
export function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
