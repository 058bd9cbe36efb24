/**
 * The seal of a private call: each message is hidden, and nobody can change it, repeat it, swap it
 * with another or leave it out without being noticed. ChaCha20-Poly1305 of RFC 8439.
 *
 * ```
 *  0           8                8 + n       24 + n
 *  ┌───────────┬────────────────┬───────────┐
 *  │ n+16: u64 │ hidden message │ tag       │      nonce: 00000000 ‖ u64 number of the message
 *  └───────────┴────────────────┴───────────┘
 * ```
 *
 * The length is in the clear, and the tag vouches for it. Each direction has its own key, and
 * numbers its messages from 0. A number is never used again, so a key lives as long as a
 * connection.
 */

import { createCipheriv, createDecipheriv } from "node:crypto";
import { SealError } from "../errors.ts";

/** Bytes that the seal adds to a message. */
export const TAG_BYTES = 16;

/** Bytes of a key. */
export const KEY_BYTES = 32;

/** Bytes of the length in front of a message. */
const LENGTH_BYTES = 8;

/** Bytes that go through a cipher at once. */
const PIECE_BYTES = 65536;

/** Both ciphers of Node, as far as they are alike. */
interface CipherLike {
  update(data: Uint8Array): Uint8Array;
}

const ALGORITHM = "chacha20-poly1305";
const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** The nonces of a direction, one for each message. */
class Nonces {
  readonly #nonce = new Uint8Array(12);
  readonly #number = new DataView(this.#nonce.buffer, 4);
  #next = 0n;

  /** The nonce of the next message. It is valid until the one after. */
  take(): Uint8Array {
    this.#number.setBigUint64(0, this.#next++, true);
    return this.#nonce;
  }
}

/** Memory that is used again, and grows with the longest message. */
class Room {
  #memory = new Uint8Array(0);

  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#memory.length < bytes) this.#memory = new Uint8Array(bytes);
    return this.#memory.subarray(0, bytes);
  }
}

/** Seals the messages of a direction. */
export class Sealer {
  readonly #key: Uint8Array;
  readonly #nonces = new Nonces();
  readonly #room = new Room();

  /** A sealer with this key. The key must be new: no other sealer has it. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /**
   * A message given in parts, sealed, with its length in front. It is valid until the next one is
   * sealed.
   */
  seal(parts: readonly Uint8Array[]): Uint8Array {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const sealed = this.#room.take(LENGTH_BYTES + bytes + TAG_BYTES);
    const length = sealed.subarray(0, LENGTH_BYTES);
    writeLength(length, bytes + TAG_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#nonces.take(), OPTIONS);
    cipher.setAAD(length, { plaintextLength: bytes });
    let at = LENGTH_BYTES;
    for (const part of parts) {
      put(cipher, part, sealed.subarray(at));
      at += part.length;
    }
    cipher.final();
    sealed.set(cipher.getAuthTag(), at);
    return sealed;
  }
}

/** Opens the sealed messages of a direction. */
export class Opener {
  readonly #key: Uint8Array;
  readonly #nonces = new Nonces();
  readonly #room = new Room();

  /** An opener of the messages that a sealer with this key makes. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Room for a sealed message and what comes along behind it. It is used again. */
  room(bytes: number): Uint8Array<ArrayBuffer> {
    return this.#room.take(bytes);
  }

  /**
   * Opens a message without its length, into `memory` if that has room for it. Throws `SealError` if
   * it is not what the peer has sealed as its next one: nothing of it is then given.
   */
  open(sealed: Uint8Array, memory?: Uint8Array): Uint8Array {
    const bytes = sealed.length - TAG_BYTES;
    if (bytes < 0) throw new SealError();
    const opened = memory && memory.length >= bytes
      ? memory.subarray(0, bytes)
      : new Uint8Array(bytes);
    const length = new Uint8Array(LENGTH_BYTES);
    writeLength(length, sealed.length);
    const cipher = createDecipheriv(ALGORITHM, this.#key, this.#nonces.take(), OPTIONS);
    cipher.setAAD(length, { plaintextLength: bytes });
    cipher.setAuthTag(sealed.subarray(bytes));
    put(cipher, sealed.subarray(0, bytes), opened);
    try {
      cipher.final();
    } catch (error) {
      throw new SealError({ cause: error });
    }
    return opened;
  }
}

/**
 * Puts a part through a cipher. The cipher makes new memory for each of its results. Large pieces of
 * memory cost as much to get as the cipher does.
 */
function put(cipher: CipherLike, part: Uint8Array, into: Uint8Array): void {
  for (let at = 0; at < part.length; at += PIECE_BYTES) {
    into.set(cipher.update(part.subarray(at, at + PIECE_BYTES)), at);
  }
}

function writeLength(into: Uint8Array, length: number): void {
  new DataView(into.buffer, into.byteOffset).setBigUint64(0, BigInt(length), true);
}
