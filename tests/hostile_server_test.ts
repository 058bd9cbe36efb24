/**
 * Nonsense from a server, seen from outside: the client names the mistake, keeps its recording, and
 * ends.
 */

import { assertEquals, assertGreaterOrEqual, assertLess, assertMatch } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import {
  decodeAck,
  decodeHello,
  encodeAck,
  encodeAnswer,
  encodeBye,
  encodeFrameHeader,
  encodeRest,
  type Hello,
  KIND,
  MAX_HELLO_BYTES,
  newCallId,
  type Streams,
} from "../lib/wire/session.ts";
import { Wire } from "../lib/wire/wire.ts";
import { bytes, framed, helloWith, length, text } from "./bytes.ts";
import { encodedFrames } from "./encoded.ts";
import { probe, residentBytes, startClient, temporaryFolder } from "./harness.ts";
import { treeOf } from "../scripts/kit/processes.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

/** A connection of a client's whose hello was read. */
interface Guest extends Disposable {
  readonly connection: Deno.TcpConn;
  readonly wire: Wire;
  readonly hello: Hello;
}

/** A server with the answers of a test. */
class Host implements Disposable {
  readonly id = newCallId();
  #closed = false;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  get port(): number {
    return this.#listener.addr.port;
  }

  async accept(): Promise<Guest> {
    const connection = await this.#listener.accept();
    const wire = new Wire(connection, { expecting: () => false });
    const message = await wire.readMessage(MAX_HELLO_BYTES);
    const hello = decodeHello(message!);
    return { connection, wire, hello, [Symbol.dispose]: () => wire.close() };
  }

  /** Takes the next call, or takes it back. */
  async answer(streams: Streams = [DEFAULT_FORMAT], call = this.id): Promise<Guest> {
    const guest = await this.accept();
    await guest.wire.writeMessage(encodeAnswer({ accept: true, name: "x", streams, call }));
    return guest;
  }

  /** Listens no longer. Safe twice. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.#listener.close();
    this.#closed = true;
  }
}

function picture(sequence: number, format: VideoFormat = DEFAULT_FORMAT): Frame {
  const data = new Uint8Array(format.width * format.height * 3).fill(sequence);
  return { stream: 0, data, captureUs: 1e15 + sequence * 50_000, sequence, keyframe: true };
}

/** A frame as it stands on the wire. */
function sent(frame: Frame, stream = 0): Uint8Array<ArrayBuffer> {
  return framed(encodeFrameHeader({ ...frame, stream }), frame.data) as Uint8Array<ArrayBuffer>;
}

/** Writes all bytes, as far as the client takes them. */
async function writeAll({ connection }: Guest, data: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < data.length;) at += await connection.write(data.subarray(at));
  } catch {
    // The client has let go.
  }
}

/** Sends a frame and waits until the client has it. */
async function say(guest: Guest, frame: Frame): Promise<void> {
  await writeAll(guest, sent(frame));
  while (true) {
    const message = await guest.wire.readMessage(1_000_000);
    if (message?.[0] === KIND.ack && decodeAck(message).sequence === frame.sequence) return;
  }
}

/** Reads and forgets the client's words, until it lets go. */
async function drain({ connection }: Guest): Promise<void> {
  const into = new Uint8Array(65536);
  try {
    while (await connection.read(into) !== null);
  } catch {
    // This end has closed it.
  }
}

/** The most memory that one of these processes has until the watch is stopped. */
function watchMemory(pid: number): { stop(): number } {
  let most = 0;
  const timer = setInterval(async () => {
    for (const one of await treeOf(pid)) {
      most = Math.max(most, await residentBytes(one).catch(() => 0));
    }
  }, 100);
  return {
    stop: (): number => {
      clearInterval(timer);
      return most;
    },
  };
}

/** The number of good pictures before the nonsense. */
const GOOD = 5;

/** The words of a server after some good pictures, and the words of the client about them. */
const NONSENSE: readonly (readonly [string, Uint8Array, RegExp])[] = [
  [
    "a frame of a stream that it did not announce",
    sent(picture(9), 1),
    /stream 1 was not announced/,
  ],
  ["a length of 2^63", length(2n ** 63n), /9223372036854775808 bytes is too long/],
  ["a byte more than any message has", length(230_417), /230417 bytes is too long/],
  [
    "a frame that is too short",
    framed(encodeFrameHeader(picture(9)), "00"),
    /a frame of 1 bytes/,
  ],
  ["noise", new Random(4).bytes(4096), /is too long|has no place here/],
  ["an ack for the future", framed(encodeAck(0, 1_000_000)), /frame 1000000, which was never sent/],
  ["an ack of a stream that there is not", framed(encodeAck(1, 0)), /stream 1 was not announced/],
  ["an ack of 7 bytes", framed(encodeAck(0, 0).subarray(1)), /has no place here/],
  [
    "a rest of a stream that there is not",
    framed(encodeRest(1, true)),
    /stream 1 was not announced/,
  ],
  [
    "a second answer",
    framed(encodeAnswer({ accept: true, name: "x", streams: [], call: newCallId() })),
    /a message of kind 1 has no place here/,
  ],
  ["an empty message", length(0), /an empty message has no place here/],
  ["a goodbye that does not end", framed("04", new Uint8Array(65_536)), /65537 bytes is too long/],
];

for (const [name, words, sentence] of NONSENSE) {
  test(`a server that sends ${name}: said, exit 1, and the recording is whole`, async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    using host = new Host();
    await using client = startClient(host.port, ["--record", file]);
    using guest = await host.answer();
    for (let number = 0; number < GOOD; number++) await writeAll(guest, sent(picture(number)));
    await writeAll(guest, words);
    await drain(guest);
    const { stderr } = await client.exits(1);
    assertMatch(stderr, sentence);
    assertGreaterOrEqual((await probe(file)).frames, GOOD);
  });
}

/** The words of a server in place of an answer, and the words of the client about them. */
const ANSWERS: readonly (readonly [string, Uint8Array, RegExp])[] = [
  [
    "17 streams",
    helloWith(JSON.stringify({
      ...{ version: 2, name: "x", accept: true, call: newCallId() },
      streams: Array(17).fill({ ...DEFAULT_FORMAT }),
    })),
    /17 streams are more than 16/,
  ],
  [
    "a picture of gigabytes",
    helloWith(JSON.stringify({
      ...{ version: 2, name: "x", accept: true, call: newCallId() },
      streams: [{ ...DEFAULT_FORMAT, width: 65_000, height: 65_000 }],
    })),
    /65000x65000/,
  ],
  ["a call that can be none", helloWith(`{"version":2,"accept":true,"call":"x"}`), /does not name/],
  ["noise", new Random(5).bytes(300), /not one of Chamada's/],
  ["no text", bytes("01", text("CHAMADA1"), "ff fe fd"), /not JSON/],
];

test("a server that answers with nonsense: said, exit 1, and no file", async () => {
  await using folder = await temporaryFolder();
  for (const [name, words, sentence] of ANSWERS) {
    using host = new Host();
    await using client = startClient(host.port, ["--record", `${folder.path}/video.avi`]);
    using guest = await host.accept();
    await writeAll(guest, framed(words));
    await drain(guest);
    assertMatch((await client.exits(1)).stderr, sentence, name);
  }
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

test(
  "a server that takes the call and never answers, or drips its answer: said, exit 3",
  async () => {
    for (const drips of [false, true]) {
      using host = new Host();
      await using client = startClient(host.port, []);
      using guest = await host.accept();
      const answer = framed(encodeAnswer({ accept: false, reason: "x".repeat(100) }));
      let at = 0;
      const dripping = drips
        ? setInterval(() => void writeAll(guest, answer.subarray(at, ++at)), 500)
        : undefined;
      await drain(guest);
      clearInterval(dripping);
      const { stdout } = await client.exits(3);
      assertMatch(stdout, /The HOST was lost: /);
    }
  },
  { slow: true },
);

test("a name of 60,000 letters that wants to steer the terminal is cut and made plain", async () => {
  using host = new Host();
  await using client = startClient(host.port, ["--verbose"]);
  using guest = await host.accept();
  const name = "\u001b[2J\u202e\n".repeat(100) + "a".repeat(60_000);
  await guest.wire.writeMessage(
    encodeAnswer({ accept: true, name, streams: [DEFAULT_FORMAT], call: host.id }),
  );
  await writeAll(guest, sent(picture(0)));
  await writeAll(guest, framed(encodeBye("\u001b[2J" + "b".repeat(50_000))));
  await drain(guest);
  const { stdout, stderr } = await client.exits(0);
  // deno-lint-ignore no-control-regex
  assertEquals(/[\u001b\u202e]/.test(stdout + stderr), false);
  assertEquals(/a{201}|b{201}/.test(stdout + stderr), false);
});

test("of 16 streams the first is recorded, and no frame of the others", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  using host = new Host();
  await using client = startClient(host.port, ["--record", file]);
  const small: VideoFormat = { ...DEFAULT_FORMAT, width: 16, height: 16 };
  using guest = await host.answer([DEFAULT_FORMAT, ...Array(15).fill(small)]);
  for (let number = 0; number < 40; number++) {
    await writeAll(guest, sent(picture(number)));
    for (let stream = 1; stream < 16; stream++) {
      await writeAll(guest, sent(picture(number, small), stream));
    }
  }
  await writeAll(guest, framed(encodeBye("")));
  await drain(guest);
  const { stdout } = await client.exits(0);
  assertMatch(stdout, /40 frames, 0 lost/);
  assertEquals((await probe(file)).frames, 40);
});

test(
  "floods of a server's smallest messages are ended with a reason, and memory is bounded",
  async () => {
    const tiny = { ...DEFAULT_FORMAT, codec: "mjpeg", width: 16, height: 16, fps: 120 } as const;
    const jpeg = { ...picture(0, tiny), data: new Uint8Array([0xff, 0xd8]) };
    const floods: readonly (readonly [string, (number: number) => Uint8Array, RegExp])[] = [
      ["frames", (sequence) => sent({ ...jpeg, sequence }), /frames come faster than 480 a second/],
      ["rests", (number) => framed(encodeRest(0, number % 2 === 0)), /messages come faster than/],
    ];
    for (const [name, word, sentence] of floods) {
      using host = new Host();
      await using client = startClient(host.port, []);
      using guest = await host.answer([tiny]);
      await client.says(/IN A CALL/);
      const memory = watchMemory(client.pid);
      const draining = drain(guest);
      for (let first = 0; first < 100_000; first += 1000) {
        await writeAll(
          guest,
          concat(Array.from({ length: 1000 }, (_, index) => word(first + index))),
        );
      }
      await draining;
      assertLess(memory.stop(), 300e6, name);
      assertMatch((await client.exits(1)).stderr, sentence, name);
    }
  },
  { ignore: Deno.build.os !== "linux" },
);

test("a picture of 16x16 that claims to unfold to gigabytes does not", async () => {
  await using folder = await temporaryFolder();
  const tiny = { ...DEFAULT_FORMAT, codec: "mjpeg", width: 16, height: 16 } as const;
  const [jpeg] = await encodedFrames(tiny, 1);
  const data = new Uint8Array(jpeg!);
  const at = data.findIndex((byte, index) => byte === 0xff && data[index + 1] === 0xc0);
  // The start of the frame: length, precision, height, width.
  data.set([0xfd, 0xe8, 0xfd, 0xe8], at + 5);
  using host = new Host();
  await using client = startClient(host.port, ["--record", `${folder.path}/video.avi`]);
  using guest = await host.answer([tiny]);
  const draining = drain(guest);
  let number = 0;
  const sending = setInterval(() => {
    void writeAll(guest, sent({ ...picture(number++, tiny), data }));
  }, 50);
  const memory = watchMemory(client.pid);
  await client.says(/No picture can be made of what the HOST sends/);
  clearInterval(sending);
  assertLess(memory.stop(), 300e6);
  await writeAll(guest, framed(encodeBye("")));
  await draining;
  await client.exits(1);
  assertEquals([...Deno.readDirSync(folder.path)], []);
}, { ignore: Deno.build.os !== "linux", slow: true });

test(
  "a server that resets the connection ten times in a row: the call goes on in one recording",
  async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    using host = new Host();
    await using client = startClient(host.port, ["--record", file]);
    for (let time = 0; time < 10; time++) {
      using guest = await host.answer();
      assertEquals(guest.hello.call, time === 0 ? undefined : host.id);
      await writeAll(guest, sent(picture(time)));
      // This end closes while words of the client's are unread, which resets the connection.
      await guest.wire.readMessage(1_000_000);
    }
    using guest = await host.answer();
    await writeAll(guest, sent(picture(10)));
    await writeAll(guest, framed(encodeBye("")));
    await drain(guest);
    const { stdout, stderr } = await client.exits(0);
    assertEquals(stderr.match(/The network is back after/g)?.length, 10, stderr);
    assertMatch(stdout, /11 received\), 0 lost|11 frames, 0 lost/);
    assertGreaterOrEqual((await probe(file)).frames, 11);
  },
  { slow: true },
);

test("a server that is lost at once whenever it is come back to is given up, and not called in a hurry", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/video.avi`;
  using host = new Host();
  await using client = startClient(host.port, ["--record", file, "--patience", "3"]);
  (await host.answer()).wire.close();
  let times = 0;
  let over = false;
  const calling = (async (): Promise<void> => {
    while (!over) {
      (await host.answer()).wire.close();
      times++;
    }
  })().catch(() => {});
  const { stderr } = await client.exits(3);
  over = true;
  host[Symbol.dispose]();
  await calling;
  assertEquals(stderr.match(/was cut: waiting/g)?.length, 1, stderr);
  assertEquals(stderr.includes("is back"), false, stderr);
  assertLess(times, 50);
});

/** The ways in which a server takes a client back, and the result of each. */
const BACK: readonly (readonly [string, (host: Host) => Promise<Guest>, number, RegExp])[] = [
  [
    "noise",
    async (host) => {
      const guest = await host.accept();
      await writeAll(guest, framed(new Random(6).bytes(100)));
      return guest;
    },
    1,
    /not one of Chamada's/,
  ],
  ["the name of another call", (host) => host.answer([DEFAULT_FORMAT], newCallId()), 1, /another/],
  [
    "other streams",
    (host) => host.answer([{ ...DEFAULT_FORMAT, width: 640, height: 480 }]),
    1,
    /another/,
  ],
  ["another stream besides", (host) => host.answer([DEFAULT_FORMAT, DEFAULT_FORMAT]), 1, /another/],
  [
    "a no",
    async (host) => {
      const guest = await host.accept();
      await guest.wire.writeMessage(encodeAnswer({ accept: false, reason: "who are you" }));
      return guest;
    },
    3,
    /The HOST was lost: /,
  ],
  ["a yes and nothing after it", (host) => host.answer(), 3, /The HOST was lost: /],
  ["silence", (host) => host.accept(), 3, /The HOST was lost: /],
];

for (const [name, takeBack, exit, sentence] of BACK) {
  test(`a server that takes its client back with ${name}: exit ${exit}, and the recording is whole`, async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    using host = new Host();
    await using client = startClient(host.port, ["--record", file, "--patience", "3"]);
    const first = await host.answer();
    for (let number = 0; number < GOOD; number++) await say(first, picture(number));
    first.wire.close();
    const guests: Guest[] = [];
    const taking = (async (): Promise<void> => {
      while (true) guests.push(await takeBack(host));
    })().catch(() => {});
    const { stdout, stderr } = await client.exits(exit);
    host[Symbol.dispose]();
    await taking;
    for (const { wire } of guests) wire.close();
    assertMatch(stdout + stderr, sentence);
    assertGreaterOrEqual((await probe(file)).frames, GOOD);
  });
}

for (
  const [name, words] of [
    ["a frame", sent(picture(9))],
    ["its goodbye", framed(encodeBye("x".repeat(60)))],
  ] as const
) {
  test(`a server that drips ${name} is given up: exit 3, and the recording is whole`, async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/video.avi`;
    using host = new Host();
    await using client = startClient(host.port, ["--record", file, "--patience", "3"]);
    using guest = await host.answer();
    for (let number = 0; number < GOOD; number++) await writeAll(guest, sent(picture(number)));
    const draining = drain(guest);
    let at = 0;
    const dripping = setInterval(() => void writeAll(guest, words.subarray(at, ++at)), 250);
    const { stdout } = await client.exits(3);
    clearInterval(dripping);
    await draining;
    assertMatch(stdout, /The HOST was lost: /);
    assertGreaterOrEqual((await probe(file)).frames, GOOD);
  }, { slow: true });
}
