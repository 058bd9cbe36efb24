import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { createCipheriv } from "node:crypto";
import { concat } from "@std/bytes/concat";
import { SealError } from "../lib/errors.ts";
import { Opener, Sealer, TAG_BYTES } from "../lib/wire/seal.ts";
import { Wire } from "../lib/wire/wire.ts";
import { bytes, length, text } from "./bytes.ts";
import { type FakePair, openPair } from "./fake_connection.ts";
import { test } from "./strict.ts";

const ONE = new Uint8Array(32).fill(1);
const TWO = new Uint8Array(32).fill(2);

/** A message as the far end seals it as the next one. */
const sealed = (seal: Sealer, message: Uint8Array): Uint8Array => seal.seal([message]).slice();

function sealWire(wire: Wire, ours: Uint8Array, theirs: Uint8Array): void {
  wire.sealWith(new Sealer(ours));
  wire.openWith(new Opener(theirs));
}

interface SealedPair extends FakePair {
  readonly wire: Wire;
  readonly peer: Sealer;
}

/** A sealed wire on the near end of a pair, and the sealer of its peer. */
function openSealed(): SealedPair {
  const pair = openPair();
  const wire = new Wire(pair.near);
  sealWire(wire, ONE, TWO);
  return {
    ...pair,
    wire,
    peer: new Sealer(TWO),
    [Symbol.dispose](): void {
      wire.close();
      pair[Symbol.dispose]();
    },
  };
}

// RFC 8439, sections 2.8.2 and A.5. Its nonces and associated data are not ours: the primitive is
// what is tested here.
const SUNSCREEN =
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " +
  "the future, sunscreen would be it.";
test("the platform's cipher is that of RFC 8439", () => {
  const key = Uint8Array.from({ length: 32 }, (_, at) => 0x80 + at);
  const nonce = bytes("07 00 00 00 40 41 42 43 44 45 46 47");
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bytes("50 51 52 53 c0 c1 c2 c3 c4 c5 c6 c7"), { plaintextLength: 114 });
  // In two parts, at no border of a block.
  const hidden = concat([
    cipher.update(text(SUNSCREEN.slice(0, 21))),
    cipher.update(text(SUNSCREEN.slice(21))),
    cipher.final(),
  ]);
  assertEquals(
    hidden.toHex(),
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
      "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
      "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
      "3ff4def08e4b7a9de576d26586cec64b6116",
  );
  assertEquals(
    new Uint8Array(cipher.getAuthTag()),
    bytes("1a e1 0b 59 4f 09 e2 6a 7e 90 2e cb d0 60 06 91"),
  );
});

test("a sealed message is its length, the hidden bytes and the tag, and the length is vouched for", () => {
  const message = new Sealer(ONE).seal([text("ab"), text("c")]);
  assertEquals(message.length, 8 + 3 + TAG_BYTES);
  assertEquals(message.subarray(0, 8), length(3 + TAG_BYTES));
  // The same by hand: the number of the message is its nonce.
  const hand = createCipheriv("chacha20-poly1305", ONE, new Uint8Array(12), { authTagLength: 16 });
  hand.setAAD(length(19), { plaintextLength: 3 });
  const hidden = concat([hand.update(text("abc")), hand.final(), hand.getAuthTag()]);
  assertEquals(message.subarray(8), new Uint8Array(hidden));
});

test("the nonce counts the messages of a direction, little-endian", () => {
  const seal = new Sealer(ONE);
  for (let at = 0; at < 0x0102; at++) seal.seal([]);
  const nonce = bytes("00 00 00 00 02 01 00 00 00 00 00 00");
  const hand = createCipheriv("chacha20-poly1305", ONE, nonce, { authTagLength: 16 });
  hand.setAAD(length(17), { plaintextLength: 1 });
  const hidden = concat([hand.update(text("a")), hand.final(), hand.getAuthTag()]);
  assertEquals(seal.seal([text("a")]).subarray(8), new Uint8Array(hidden));
});

test("a sealed wire carries messages as any other, in whatever pieces they come", async () => {
  using pair = openPair({ readBytes: () => 1 + Math.floor(Math.random() * 40) });
  const [one, other] = [new Wire(pair.near), new Wire(pair.far)];
  sealWire(one, ONE, TWO);
  sealWire(other, TWO, ONE);
  try {
    const large = crypto.getRandomValues(new Uint8Array(5000));
    for (const message of [text("hello"), new Uint8Array(0), large, text("bye")]) {
      await one.writeMessage(message.subarray(0, 2), message.subarray(2));
      assertEquals(await other.readMessage(5000), message);
      await other.writeMessage(message);
      assertEquals(await one.readMessage(5000), message);
    }
    await one.finish(0);
    assertEquals(await other.readMessage(5000), null);
  } finally {
    one.close();
    other.close();
  }
});

test("a message is opened into the memory that is given, or into memory of its own", async () => {
  using open = openSealed();
  const messages = ["first", "other", "third"].map((word) => sealed(open.peer, text(word)));
  open.far.put(concat(messages));
  const first = await open.wire.readMessage(10);
  const memory = new Uint8Array(100);
  const other = await open.wire.readMessage(10, memory);
  assertEquals(other?.buffer, memory.buffer);
  const third = await open.wire.readMessage(10, new Uint8Array(4));
  assertEquals([first, other, third], [text("first"), text("other"), text("third")]);
});

test("a message of many pieces is sealed and opened as one", () => {
  const large = new Uint8Array(200_000).map((_, at) => at % 251);
  const message = new Sealer(ONE).seal([large.subarray(0, 70_001), large.subarray(70_001)]);
  assertEquals(new Opener(ONE).open(message.subarray(8)), large);
  const hand = createCipheriv("chacha20-poly1305", ONE, new Uint8Array(12), { authTagLength: 16 });
  hand.setAAD(length(200_016), { plaintextLength: 200_000 });
  const hidden = concat([hand.update(large), hand.final(), hand.getAuthTag()]);
  assertEquals(message.subarray(8), new Uint8Array(hidden));
});

test("the limit of a length is that of the message, and is judged before a byte is stored", async () => {
  using open = openSealed();
  open.far.put(sealed(open.peer, new Uint8Array(10)));
  assertEquals((await open.wire.readMessage(10))?.length, 10);
  open.far.put(length(11 + TAG_BYTES));
  await assertRejects(() => open.wire.readMessage(10), SealError);
  assert(open.near.largestRead < 100);
});

test("a length below that of a tag is no message", async () => {
  for (const short of [0, 1, TAG_BYTES - 1]) {
    using open = openSealed();
    open.far.put(concat([length(short), new Uint8Array(short)]));
    await assertRejects(() => open.wire.readMessage(10), SealError);
  }
});

test("no bit of a sealed message can be changed", async () => {
  const message = text("a picture");
  for (let bit = 0; bit < 8 * (8 + message.length + TAG_BYTES); bit++) {
    using open = openSealed();
    const changed = sealed(open.peer, message);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    // A length that has grown takes what comes behind.
    open.far.put(concat([changed, new Uint8Array(300)]));
    await assertRejects(() => open.wire.readMessage(200), SealError);
  }
});

test("a message comes once, in its turn, from the peer, and whole", async () => {
  const [a, b, c] = ["one", "two", "three"].map(text) as [Uint8Array, Uint8Array, Uint8Array];
  const faults: Readonly<Record<string, (peer: Sealer) => Uint8Array[]>> = {
    repeated: (peer) => {
      const first = sealed(peer, a);
      return [first, first];
    },
    swapped: (peer) => {
      const [first, second] = [sealed(peer, a), sealed(peer, b)];
      return [second, first];
    },
    "left out": (peer) => {
      const [first, , third] = [sealed(peer, a), sealed(peer, b), sealed(peer, c)];
      return [first, third];
    },
    "sent back": () => [sealed(new Sealer(ONE), a)],
    "of another call": () => [sealed(new Sealer(new Uint8Array(32).fill(3)), a)],
    "cut short": (peer) => {
      const whole = sealed(peer, c);
      return [length(c.length + TAG_BYTES - 1), whole.subarray(8, -1)];
    },
    "in the clear": () => [length(20), new Uint8Array(20)],
  };
  for (const [name, make] of Object.entries(faults)) {
    using open = openSealed();
    open.far.put(concat(make(open.peer)));
    await open.far.closeWrite();
    const read = async (): Promise<void> => {
      while (await open.wire.readMessage(100) !== null);
    };
    await assertRejects(read, SealError, undefined, name);
  }
});

test("nothing of a message is given before its tag was judged", () => {
  const broken = sealed(new Sealer(TWO), new Uint8Array(100_000)).subarray(8);
  broken[99_999]! ^= 1;
  assertThrows(() => new Opener(TWO).open(broken), SealError);
});

test("equal messages look different, in both directions", () => {
  const seal = new Sealer(ONE);
  const [first, second] = [sealed(seal, text("same")), sealed(seal, text("same"))];
  assertNotEquals(first, second);
  assertNotEquals(first, sealed(new Sealer(TWO), text("same")));
});
