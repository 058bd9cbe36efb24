import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { ProtocolError } from "../lib/errors.ts";
import {
  deriveKey,
  generator,
  type Half,
  intermediateKey,
  isSame,
  lvCat,
  mapToCurve,
  multiply,
  proof,
  utf8,
} from "../lib/wire/cpace.ts";
import vectors from "./data/cpace.json" with { type: "json" };
import { test } from "./strict.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.fromHex(text);
const X = vectors.exchange;
const SID = hex(X.sid);
const A: Half = { point: hex(X.Ya), data: hex(X.ADa) };
const B: Half = { point: hex(X.Yb), data: hex(X.ADb) };

test("generator() and the exchange are those of the draft's vectors", async () => {
  const g = await generator(hex(X.PRS), hex(X.CI), SID);
  assertEquals(g, hex(X.g));
  assertEquals(await multiply(hex(X.ya), g), A.point);
  assertEquals(await multiply(hex(X.yb), g), B.point);
  assertEquals(await multiply(hex(X.ya), B.point), hex(X.K));
  assertEquals(await multiply(hex(X.yb), A.point), hex(X.K));
});

test("intermediateKey() is the draft's, and changes with each part of it", async () => {
  assertEquals(await intermediateKey(SID, hex(X.K), A, B), hex(X.ISK_IR));
  const others = [
    await intermediateKey(SID, hex(X.K), B, A),
    await intermediateKey(SID.toReversed(), hex(X.K), A, B),
    await intermediateKey(SID, hex(X.K), { ...A, data: hex("00") }, B),
    await intermediateKey(SID, hex(X.K), A, { ...B, data: hex("00") }),
  ];
  for (const other of others) assertFalse(isSame(other, hex(X.ISK_IR)));
});

test("multiply() is the draft's for every point, and refuses those that must abort", async () => {
  const { s, cases } = vectors.scalar_mult_vfy;
  for (const { u, q, must_abort } of cases) {
    const product = multiply(hex(s), hex(u));
    if (must_abort) await assertRejects(() => product, ProtocolError, "by chance", u);
    else assertEquals(await product, hex(q), u);
  }
  assert(cases.some((one) => one.must_abort) && cases.some((one) => !one.must_abort));
  for (const length of [0, 31, 33]) {
    await assertRejects(() => multiply(hex(s), new Uint8Array(length).fill(9)), ProtocolError);
  }
});

test("lvCat() puts the length of each part in front, in LEB128", () => {
  assertEquals(lvCat(), new Uint8Array(0));
  assertEquals(lvCat(utf8("1234"), utf8("5"), utf8("")), hex("0431323334013500"));
  // The draft's own example of a part of 256 bytes, at both sides of where a second byte is needed.
  for (
    const [length, front] of [[127, "7f"], [128, "8001"], [255, "ff01"], [256, "8002"]] as const
  ) {
    const part = new Uint8Array(length).fill(7);
    assertEquals(lvCat(part), new Uint8Array([...hex(front), ...part]));
  }
});

test("mapToCurve() gives points of the curve, and does not look at the top bit", () => {
  for (let byte = 0; byte < 32; byte++) {
    const bytes = new Uint8Array(32).fill(byte * 8);
    const point = mapToCurve(bytes);
    bytes[31]! ^= 0x80;
    assertEquals(mapToCurve(bytes), point);
  }
  // r = 0 leads to -J, of which the curve has no point: the other candidate is 0.
  assertEquals(mapToCurve(new Uint8Array(32)), new Uint8Array(32));
});

test("proof() is 32 bytes, and another one for each end, secret and sid", async () => {
  const isk = hex(X.ISK_IR);
  const proofs = [
    await proof(SID, isk, A),
    await proof(SID, isk, B),
    await proof(SID, hex(X.ISK_SY), A),
    await proof(SID.toReversed(), isk, A),
    await proof(SID, isk, { ...A, data: B.data }),
  ];
  for (const one of proofs) assertEquals(one.length, 32);
  assertEquals(new Set(proofs.map((one) => one.toHex())).size, proofs.length);
  assertEquals(await proof(SID, isk, A), proofs[0]);
});

test("deriveKey() gives a key of 32 bytes for each purpose", async () => {
  const isk = hex(X.ISK_IR);
  const [one, other] = [await deriveKey(isk, "one"), await deriveKey(isk, "other")];
  assertEquals([one.length, other.length], [32, 32]);
  assertFalse(isSame(one, other));
});
