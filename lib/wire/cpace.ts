/**
 * CPace, with X25519 and SHA-512 (draft-irtf-cfrg-cpace-21): two ends that know the same code get
 * the same secret. An end that does not know it gets another secret, and learns nothing of the code
 * but that its one guess was wrong.
 *
 * ```
 *  g   = map(SHA-512(lv_cat("CPace255", PRS, zeros, CI, sid)))       PRS: the code
 *  Y   = X25519(y, g)                                                y: random, Y: sent to the peer
 *  K   = X25519(y, the peer's Y)
 *  ISK = SHA-512(lv_cat("CPace255_ISK", sid, K) ‖ lv_cat(Ya, ADa) ‖ lv_cat(Yb, ADb))
 *  T   = HMAC-SHA-512(SHA-512("CPaceMac" ‖ sid ‖ ISK), lv_cat(Y, AD)), its first 32 bytes
 * ```
 *
 * The names are those of the draft: `a` is the end that calls, `b` the called one. The platform has
 * every primitive. The composition and the map to the curve are ours.
 */

import { timingSafeEqual } from "node:crypto";
import { concat } from "@std/bytes/concat";
import { ProtocolError } from "../errors.ts";

/** Bytes that TypeScript knows to be in memory of their own. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a point, of a scalar and of a proof. */
export const POINT_BYTES = 32;

/** Bytes of a block of SHA-512. The code fills the first one, whatever its length. */
const BLOCK_BYTES = 128;

const DSI = utf8("CPace255");
const DSI_ISK = utf8("CPace255_ISK");
const DSI_MAC = utf8("CPaceMac");

/** The bytes around a scalar that make it a private key in the form of PKCS #8. */
const PKCS8 = Uint8Array.fromHex("302e020100300506032b656e04220420");

/** Curve25519: v² = u³ + J·u² + u, modulo P. */
const P = 2n ** 255n - 19n;
const J = 486662n;

/** A half of an exchange: the public point of an end, and the data that goes with it. */
export interface Half {
  /** The public point. */
  readonly point: Uint8Array;
  /** The associated data: it is bound to the secret. */
  readonly data: Uint8Array;
}

/** Bytes of a text. */
export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** Each part behind its length, which is a number in LEB128. */
export function lvCat(...parts: readonly Uint8Array[]): Bytes {
  return concat(parts.flatMap((part) => [leb128(part.length), part]));
}

/** The point of a code from which an exchange with this `sid` starts. */
export async function generator(code: Uint8Array, ci: Uint8Array, sid: Uint8Array): Promise<Bytes> {
  const filled = lvCat(code).length + lvCat(DSI).length;
  const zeros = new Uint8Array(Math.max(0, BLOCK_BYTES - 1 - filled));
  const hash = await sha512(lvCat(DSI, code, zeros, ci, sid));
  return mapToCurve(hash.subarray(0, POINT_BYTES));
}

/**
 * A scalar times a point. Throws `ProtocolError` for a point whose product tells nothing of the
 * scalar: a peer sends such a point to know the secret without the code.
 */
export async function multiply(scalar: Uint8Array, point: Uint8Array): Promise<Bytes> {
  if (scalar.length !== POINT_BYTES || point.length !== POINT_BYTES) {
    throw new ProtocolError(`a key of ${point.length} bytes is not ${POINT_BYTES}`);
  }
  const key = concat([PKCS8, scalar]);
  const own = await crypto.subtle.importKey("pkcs8", key, "X25519", false, ["deriveBits"]);
  const other = await crypto.subtle.importKey("raw", point.slice(), "X25519", false, []);
  let product: Bytes;
  try {
    const algorithm = { name: "X25519", public: other };
    product = new Uint8Array(await crypto.subtle.deriveBits(algorithm, own, 256));
  } catch (error) {
    throw new ProtocolError("the key is one that nobody makes by chance", { cause: error });
  }
  if (product.every((byte) => byte === 0)) {
    throw new ProtocolError("the key is one that nobody makes by chance");
  }
  return product;
}

/** The secret of an exchange, from the product of its keys. */
export async function intermediateKey(
  sid: Uint8Array,
  product: Uint8Array,
  a: Half,
  b: Half,
): Promise<Bytes> {
  return await sha512(concat([
    lvCat(DSI_ISK, sid, product),
    lvCat(a.point, a.data),
    lvCat(b.point, b.data),
  ]));
}

/** The proof that an end knows the secret: it is another one for each end. */
export async function proof(sid: Uint8Array, isk: Uint8Array, half: Half): Promise<Bytes> {
  const secret = await sha512(concat([DSI_MAC, sid, isk]));
  const algorithm = { name: "HMAC", hash: "SHA-512" };
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const tag = await crypto.subtle.sign("HMAC", key, lvCat(half.point, half.data));
  return new Uint8Array(tag, 0, POINT_BYTES);
}

/** True if both are the same bytes. The time that it takes does not tell where they differ. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A key for one purpose, from the secret. */
export async function deriveKey(isk: Uint8Array, info: string): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", isk.slice(), "HKDF", false, ["deriveBits"]);
  const salt = new Uint8Array(0);
  const algorithm = { name: "HKDF", hash: "SHA-512", salt, info: utf8(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 256));
}

/** The map of 32 bytes to the curve: Elligator 2 of RFC 9380. The top bit does not count. */
export function mapToCurve(bytes: Uint8Array): Bytes {
  const r = littleEndian(bytes) % 2n ** 255n % P;
  // 1 + 2r² is never 0: -1/2 is no square.
  const u = P - J * power(1n + 2n * r * r, P - 2n) % P;
  const square = (u * u % P * u + J * u % P * u + u) % P;
  // Both candidates are made, and a sum is chosen: no branch depends on the code.
  const isSquare = BigInt(power(square, (P - 1n) / 2n) <= 1n);
  const other = (2n * P - u - J) % P;
  return toBytes((isSquare * u + (1n - isSquare) * other) % P);
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base % P];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = result * square % P;
    square = square * square % P;
  }
  return result;
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function toBytes(number: bigint): Bytes {
  return Uint8Array.from(
    { length: POINT_BYTES },
    (_, at) => Number(number >> BigInt(8 * at) & 255n),
  );
}

function leb128(number: number): Bytes {
  const digits: number[] = [];
  for (let left = number; digits.length === 0 || left > 0; left >>>= 7) {
    digits.push(left & 127 | (left > 127 ? 128 : 0));
  }
  return Uint8Array.from(digits);
}

async function sha512(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));
}
