/**
 * Stand-in for `@std/bytes/concat`.
 *
 * @module
 */

/** All the arrays in one new array, which shares memory with none of them. */
export function concat(arrays: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  // Not `Buffer.concat`: it hands out a piece of Node's shared pool, and a `Buffer` at that.
  const whole = new Uint8Array(arrays.reduce((length, array) => length + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    whole.set(array, offset);
    offset += array.length;
  }
  return whole;
}
