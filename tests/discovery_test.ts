import { assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { AnswerLimit } from "../lib/wire/answer_limit.ts";
import {
  decodeAnswer,
  decodeProbe,
  decodeQuestion,
  decodeRelay,
  decodeReport,
  encodeAnswer,
  encodeProbe,
  encodeQuestion,
  encodeRelay,
  encodeReport,
  QUESTION_BYTES,
} from "../lib/wire/discovery.ts";
import { broadcastOf, isNeighbour, isPrivate, neighboursOf, readIpv4 } from "../lib/wire/subnet.ts";
import { bytes } from "./bytes.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const DOCUMENT = Deno.readTextFileSync(new URL("../docs/protocol.md", import.meta.url));
const NONCE = Uint8Array.from({ length: 16 }, (_, n) => n * 17);
const ANSWER = {
  ...{ nonce: NONCE, port: 8080, wantsCode: true, name: "Ana" },
  id: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
};

/** A datagram as it stands in docs/protocol.md. */
function vector(name: string): Uint8Array {
  const [, lines] = new RegExp("^```datagram " + name + "\\n([^`]*)^```$", "m").exec(DOCUMENT)!;
  return bytes(
    ...lines!.trimEnd().split("\n").map((line) => {
      const [, digits, times] = /^((?:[0-9a-f]{2} ?)+)(?:\*(\d+))?(?: {2,}.*)?$/.exec(line)!;
      return bytes(...Array<string>(Number(times ?? 1)).fill(digits!.trim()));
    }),
  );
}

test("the datagrams of docs/protocol.md are what is written and read", () => {
  const question = vector("question");
  assertEquals(encodeQuestion({ nonce: NONCE, alone: true }), question);
  assertEquals(decodeQuestion(question), { nonce: NONCE, alone: true, reports: false });
  const asked = encodeQuestion({ nonce: NONCE, alone: true, reports: true });
  assertEquals(decodeQuestion(asked)?.reports, true);
  assertEquals(encodeProbe(NONCE), vector("probe"));
  assertEquals(decodeProbe(vector("probe")), NONCE);
  assertEquals(decodeProbe(vector("probe").subarray(1)), undefined);
  const report = { nonce: NONCE, count: 64, spanUs: 100_000 };
  assertEquals(encodeReport(report), vector("report"));
  assertEquals(decodeReport(vector("report")), report);
  assertEquals(encodeAnswer(ANSWER), vector("found"));
  assertEquals(decodeAnswer(vector("found")), ANSWER);
  const relay = { nonce: NONCE, host: "192.168.1.9", port: 12345 };
  assertEquals(encodeRelay(relay), vector("relay"));
  assertEquals(decodeRelay(vector("relay")), relay);
});

test("discovery: a datagram that is cut anywhere is nothing, and one that is longer means the same", () => {
  const readers = {
    question: decodeQuestion,
    found: decodeAnswer,
    relay: decodeRelay,
    report: decodeReport,
  } as const;
  for (const [name, decode] of Object.entries(readers)) {
    const whole = vector(name);
    for (let end = 0; end < whole.length; end++) {
      assertEquals(decode(whole.subarray(0, end)), undefined, `${name} of ${end}`);
    }
    const longer = new Uint8Array(512);
    longer.set(whole);
    assertEquals(decode(longer) as unknown, decode(whole));
    assertEquals(decode(new Uint8Array([...longer, 0])), undefined);
    for (const at of [0, 7, 8]) {
      const wrong = Uint8Array.from(whole);
      wrong[at]! ^= 1;
      assertEquals(decode(wrong), undefined, `${name} with another byte ${at}`);
    }
    for (const [other, read] of Object.entries(readers)) {
      if (other !== name) assertEquals(read(whole), undefined, `${name} as ${other}`);
    }
  }
});

test("discovery: no answer is longer than a question, and a long name ends with a whole character", () => {
  for (const name of ["", "x".repeat(1000), "ã".repeat(99), "字".repeat(99), "x😀".repeat(99)]) {
    const answer = encodeAnswer({ ...ANSWER, name });
    assertLessOrEqual(answer.length, QUESTION_BYTES);
    const read = decodeAnswer(answer)!.name;
    assertEquals(name.startsWith(read) && read.isWellFormed(), true);
    assertLessOrEqual(name.length === 0 ? 0 : 60, new TextEncoder().encode(read).length);
  }
  const broken = Uint8Array.from(encodeAnswer(ANSWER));
  broken[37] = 0xff;
  assertEquals(decodeAnswer(broken), undefined);
  const long = new Uint8Array(200);
  long.set(encodeAnswer(ANSWER));
  long[36] = 64;
  assertEquals(decodeAnswer(long)?.name.length, 64);
  long[36] = 65;
  assertEquals(decodeAnswer(long), undefined);
  assertEquals(decodeAnswer(encodeAnswer({ ...ANSWER, port: 0 })), undefined);
  assertEquals(decodeRelay(encodeRelay({ nonce: NONCE, host: "1.2.3.4", port: 0 })), undefined);
  assertThrows(() => encodeRelay({ nonce: NONCE, host: "::1", port: 1 }), TypeError);
});

test("discovery: random bytes are read or refused, and nothing is thrown", () => {
  const random = new Random(24167);
  for (let round = 0; round < 3000; round++) {
    const datagram = Uint8Array.from(vector(["question", "found", "relay"][round % 3]!));
    for (let n = 0; n < 3; n++) datagram[random.below(datagram.length)] = random.below(256);
    decodeQuestion(datagram);
    decodeAnswer(datagram);
    decodeRelay(datagram);
    decodeReport(datagram);
    decodeProbe(datagram);
  }
});

test("subnets: neighbours, broadcast addresses and the addresses around one", () => {
  for (
    const [cidr, address, expected] of [
      ["192.168.1.7/24", "192.168.1.255", true],
      ["192.168.1.7/24", "192.168.2.0", false],
      ["10.1.2.3/8", "10.255.0.1", true],
      ["10.1.2.3/32", "10.1.2.3", true],
      ["10.1.2.3/32", "10.1.2.4", false],
      ["200.1.2.3/0", "9.9.9.9", true],
      ["fe80::1/64", "10.0.0.1", false],
      ["10.0.0.1/24", "::ffff:10.0.0.2", false],
      ["10.0.0.1/24", "10.0.0.256", false],
      ["10.0.0.1/33", "10.0.0.1", false],
    ] as const
  ) assertEquals(isNeighbour(cidr, address), expected, `${cidr} ${address}`);
  for (
    const [cidr, broadcast] of [
      ["192.168.1.7/24", "192.168.1.255"],
      ["172.16.5.4/12", "172.31.255.255"],
      ["10.0.0.1/30", "10.0.0.3"],
      ["10.0.0.1/31", undefined],
      ["10.0.0.1/32", undefined],
      ["nonsense", undefined],
    ] as const
  ) assertEquals(broadcastOf(cidr), broadcast, cidr);
  const around = neighboursOf("10.1.2.3/16");
  assertEquals([around.length, around[0], around.at(-1)], [253, "10.1.2.1", "10.1.2.254"]);
  assertEquals(around.includes("10.1.2.3"), false);
  assertEquals(neighboursOf("10.0.0.1/30"), ["10.0.0.2"]);
  for (const cidr of ["10.0.0.1/31", "10.0.0.1/32", "fe80::1/64"]) {
    assertEquals(neighboursOf(cidr), []);
  }
  assertEquals(["10.0.0.1", "172.31.0.1", "192.168.0.1"].every(isPrivate), true);
  assertEquals(["8.8.8.8", "172.32.0.1", "127.0.0.1", "::1"].some(isPrivate), false);
  assertEquals(readIpv4("1.2.3"), undefined);
});

test("AnswerLimit: one asker has its share, a flood of addresses the whole, and both grow again", () => {
  const limit = new AnswerLimit();
  const taken = (address: (n: number) => string, atMs: number, times = 2000): number =>
    Array.from({ length: times }, (_, n) => limit.take(address(n), atMs)).filter((one) => one)
      .length;
  assertEquals(taken(() => "a", 0), 30);
  assertEquals(taken(() => "b", 0), 30);
  assertEquals(taken(() => "a", 1000), 10);
  assertEquals(taken((n) => `${n}`, 1000), 300 - 10);
  assertEquals(taken(() => "c", 1000), 0);
  assertEquals(taken((n) => `${n}`, 2000), 100);
  assertEquals(taken(() => "c", 60_000), 30);
});
