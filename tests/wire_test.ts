import { assert, assertEquals, assertFalse, assertGreater, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { within } from "../lib/clock.ts";
import { PeerLostError, ProtocolError } from "../lib/errors.ts";
import { Wire, type WireOptions } from "../lib/wire/wire.ts";
import { bytes, framed, length, text } from "./bytes.ts";
import { type FakePair, type Habits, openPair } from "./fake_connection.ts";
import { until } from "./harness.ts";
import { test } from "./strict.ts";

/** Half a second: two looks at the silence. */
const SOON: WireOptions = { silenceMs: 500 };

interface OpenWire extends FakePair {
  readonly wire: Wire;
}

/** A wire on the near end of a pair. */
function openWire(options: WireOptions = {}, habits: Habits = {}): OpenWire {
  const pair = openPair(habits);
  const wire = new Wire(pair.near, options);
  return {
    ...pair,
    wire,
    [Symbol.dispose](): void {
      wire.close();
      pair[Symbol.dispose]();
    },
  };
}

/** Writes to the far end again and again until disposed of. */
function drip({ far }: FakePair, data: Uint8Array, everyMs: number): Disposable {
  const timer = setInterval(() => far.put(data), everyMs);
  return { [Symbol.dispose]: (): void => clearInterval(timer) };
}

/** The way in which a peer was lost. */
async function loss(run: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(run, PeerLostError)).how;
}

test("writeMessage() puts the length in front, eight bytes, the smallest part first", async () => {
  using open = openWire();
  await open.wire.writeMessage(text("abc"));
  assertEquals(
    await open.far.readExactly(11),
    bytes(
      "03 00 00 00 00 00 00 00", // length
      "61 62 63", // payload
    ),
  );
  await open.wire.writeMessage(new Uint8Array(0x0102), new Uint8Array(0x030000));
  assertEquals(
    await open.far.readExactly(8),
    bytes("02 01 03 00 00 00 00 00"), // both parts together: 0x030102
  );
  assertEquals((await open.far.readExactly(0x030102)).length, 0x030102);
});

test("writeMessage() writes any number of parts as one message, empty ones too", async () => {
  using open = openWire();
  const nothing = new Uint8Array(0);
  await open.wire.writeMessage(nothing, text("ab"), nothing, text("c"));
  assertEquals(await open.far.readExactly(11), bytes("03 00 00 00 00 00 00 00", "61 62 63"));
  assertEquals(open.near.writtenBytes, 11);
});

test("writeMessage() writes a message of no bytes as a length of zero", async () => {
  using open = openWire();
  await open.wire.writeMessage(new Uint8Array(0));
  assertEquals(await open.far.readExactly(8), bytes("00 00 00 00 00 00 00 00"));
  assertEquals(open.near.writtenBytes, 8);
});

test("writeMessage() writes all of both parts however little a write takes", async () => {
  const head = text("head");
  const body = Uint8Array.from({ length: 100 }, (_, index) => index);
  for (let most = 1; most <= 112; most++) {
    using open = openWire({}, { writeBytes: () => most });
    await open.wire.writeMessage(head, body);
    assertEquals(await open.far.readExactly(112), framed(head, body), `${most} bytes a write`);
    assertEquals(open.wire.sentBytes, 112);
  }
});

test("writeMessage() waits while the link takes nothing and goes on where it stopped", async () => {
  using open = openWire({}, { room: 10 });
  const writing = open.wire.writeMessage(text("head"), text("body"));
  await open.near.written(10);
  assertEquals(open.wire.sentBytes, 10);
  assertEquals(await open.far.readExactly(16), framed(text("headbody")));
  await writing;
  assertEquals(open.wire.sentBytes, 16);
});

test("readLength() reads a length as little-endian", async () => {
  using open = openWire();
  open.far.put(bytes("01 02 03 04 05 00 00 00"));
  assertEquals(await open.wire.readLength(), 0x05_04_03_02_01);
});

test("readLength() reads zero and the largest length that is a safe number", async () => {
  using open = openWire();
  open.far.put(bytes("00 00 00 00 00 00 00 00"));
  assertEquals(await open.wire.readLength(), 0);
  await open.wire.read(new Uint8Array(0));
  open.far.put(bytes("ff ff ff ff ff ff 1f 00")); // 2^53 - 1
  assertEquals(await open.wire.readLength(), Number.MAX_SAFE_INTEGER);
});

test("readLength() refuses 2^53, 2^63 and 2^64 - 1, and names them", async () => {
  for (
    const [field, named] of [
      ["00 00 00 00 00 00 20 00", "9007199254740992"],
      ["00 00 00 00 00 00 00 80", "9223372036854775808"],
      ["ff ff ff ff ff ff ff ff", "18446744073709551615"],
    ] as const
  ) {
    using open = openWire();
    open.far.put(bytes(field));
    await assertRejects(() => open.wire.readLength(), ProtocolError, named);
  }
});

test("messages are read whole at every split point of the stream, and then its end", async () => {
  const messages = [text("first"), new Uint8Array(0), text("third"), bytes("00 ff 08")];
  const stream = concat(messages.map((message) => framed(message)));
  for (let split = 0; split <= stream.length; split++) {
    using open = openWire();
    open.far.put(stream.subarray(0, split));
    open.far.put(stream.subarray(split));
    await open.far.closeWrite();
    for (const message of messages) {
      assertEquals(await open.wire.readMessage(5), message, `split at ${split}`);
    }
    assertEquals(await open.wire.readMessage(5), null, `split at ${split}`);
    assertEquals(open.wire.receivedBytes, stream.length);
  }
});

test("messages are read whole from reads of every size", async () => {
  const stream = concat([framed(text("first")), framed(text("second"))]);
  for (let most = 1; most <= stream.length; most++) {
    using open = openWire({}, { readBytes: () => most });
    open.far.put(stream);
    assertEquals(await open.wire.readMessage(6), text("first"), `${most} bytes a read`);
    assertEquals(await open.wire.readMessage(6), text("second"), `${most} bytes a read`);
  }
});

test("the stream ends well only between two messages: anywhere inside one it is cut", async () => {
  const stream = concat([framed(text("ab")), framed(text("cde"))]);
  const between = [0, 10, 21];
  for (let end = 0; end <= stream.length; end++) {
    using open = openWire();
    open.far.put(stream.subarray(0, end));
    await open.far.closeWrite();
    const readAll = async (): Promise<void> => {
      while (await open.wire.readMessage(3) !== null);
    };
    if (between.includes(end)) await readAll();
    else assertEquals(await loss(readAll), "cut", `ended after ${end} bytes`);
  }
});

test("a connection that is reset is a reset, before and inside a message", async () => {
  for (const start of [bytes(), length(5), framed(text("abcde")).subarray(0, 10)]) {
    using open = openWire();
    open.far.put(start);
    const reading = loss(() => open.wire.readMessage(5));
    while (open.wire.receivedBytes < start.length) await Promise.resolve();
    open.near.reset();
    assertEquals(await reading, "reset");
  }
});

test("writeMessage() says reset where the other end is gone, and keeps the cause", async () => {
  using open = openWire();
  open.far.close();
  const error = await assertRejects(() => open.wire.writeMessage(text("a")), PeerLostError);
  assertEquals(error.how, "reset");
  assert(error.cause instanceof Error);
});

test("readMessage() takes a message as long as the limit, and none of one byte more", async () => {
  using open = openWire();
  open.far.put(framed(new Uint8Array(1000).fill(7)));
  open.far.put(length(1001));
  open.far.put(new Uint8Array(1001));
  assertEquals(await open.wire.readMessage(1000), new Uint8Array(1000).fill(7));
  await assertRejects(
    () => open.wire.readMessage(1000),
    ProtocolError,
    "a message of 1001 bytes is too long: at most 1000 here",
  );
  // Of the long message, only the length was read, and no buffer was made for it.
  assertEquals(open.wire.receivedBytes, 8 + 1000 + 8);
  assertEquals(open.near.largestRead, 1000 + 8);
});

test("readMessage() sets nothing aside for a length of terabytes", async () => {
  using open = openWire();
  open.far.put(bytes("00 00 00 00 00 00 10 00")); // 2^52
  await assertRejects(() => open.wire.readMessage(65536), ProtocolError, "4503599627370496");
  assertEquals(open.near.largestRead, 8);
});

test("bytes are counted in both directions, lengths included", async () => {
  using open = openWire();
  open.far.put(framed(text("abc")));
  await open.wire.readMessage(3);
  await open.wire.writeMessage(text("de"), text("f"));
  assertEquals(open.wire.receivedBytes, 11);
  assertEquals(open.wire.sentBytes, 11);
});

test("a peer that says nothing, or stops inside a message, is lost by its silence", async () => {
  using never = openWire(SOON);
  using afterMessage = openWire(SOON);
  using insideLength = openWire(SOON);
  using insidePayload = openWire(SOON);
  afterMessage.far.put(framed(text("a")));
  await afterMessage.wire.readMessage(1);
  insideLength.far.put(length(5).subarray(0, 3));
  insidePayload.far.put(framed(text("abcde")).subarray(0, 10));
  const read = ({ wire }: OpenWire): Promise<string> => loss(() => wire.readMessage(5));
  assertEquals(
    await Promise.all([never, afterMessage, insideLength, insidePayload].map(read)),
    ["silence", "silence", "silence", "silence"],
  );
  assert(never.near.closed);
});

test("a peer that takes nothing of what is written is lost by its silence", async () => {
  using open = openWire(SOON, { room: 5 });
  assertEquals(await loss(() => open.wire.writeMessage(text("abc"))), "silence");
});

test("a byte at a time is silence; a slow link is not", async () => {
  // The one that lasts is looked at first: it would be lost before the other.
  using slow = openWire(SOON);
  using trickle = openWire(SOON);
  // 20 bytes a second, and 40,000.
  using _trickling = drip(trickle, new Uint8Array(1), 50);
  const slowly = drip(slow, new Uint8Array(2000), 50);
  trickle.far.put(length(100_000));
  slow.far.put(length(100_000));
  const reading = slow.wire.readMessage(100_000);
  reading.catch(() => {}); // Its failure is seen below.
  assertEquals(await loss(() => trickle.wire.readMessage(100_000)), "silence");
  slowly[Symbol.dispose]();
  assertFalse(slow.near.closed);
  slow.far.put(new Uint8Array(100_000));
  assertEquals((await reading)?.length, 100_000);
});

test("a message that drips for too long is lost, though never silent; in a call it may last longer", async () => {
  const message = new Uint8Array(150_000);
  const ends: string[] = [];
  const run = async (name: string, pieceBytes: number, inCall = false): Promise<void> => {
    using open = openWire(SOON);
    if (inCall) open.wire.enterCall();
    using _dripping = drip(open, new Uint8Array(pieceBytes), 100);
    open.far.put(length(message.length));
    const reading = open.wire.readMessage(message.length);
    ends.push(`${name}: ${await reading.then(() => "whole", (error) => error.how)}`);
  };
  // A second at the door, two in a call, and 1.2 s for its bytes. They would take 0.5 s, or 5 s.
  await Promise.all([run("link", 30_000), run("call", 3000, true), run("door", 3000)]);
  assertEquals(ends, ["link: whole", "door: slow", "call: slow"]);
});

test("a network that is gone for long makes no message slow, where its silence is looked at by others", async () => {
  using reads = openWire(SOON);
  using writes = openWire(SOON, { room: 5 });
  using slow = openWire(SOON);
  for (const { wire } of [reads, writes, slow]) wire.enterCall(() => true);
  const whole = framed(text("abc"));
  reads.far.put(whole.subarray(0, 9));
  const reading = reads.wire.readMessage(3);
  const writing = writes.wire.writeMessage(text("abc"));
  for (const one of [reading, writing]) one.catch(() => {}); // Its failure is seen below.
  // This one begins later. It is slow after as long as the others were silent.
  using _dripping = drip(slow, new Uint8Array(3000), 100);
  slow.far.put(length(150_000));
  assertEquals(await loss(() => slow.wire.readMessage(150_000)), "slow");
  assertGreater(reads.wire.quietMs, 2000);
  reads.far.put(whole.subarray(9));
  assertEquals(await reading, text("abc"));
  writes.near.makeRoom();
  await writing;
});

test("a message that is read in parts is bounded as a whole", async () => {
  using open = openWire(SOON);
  using _dripping = drip(open, new Uint8Array(1000), 50);
  open.far.put(length(100_000));
  await open.wire.readLength();
  const parts = async (): Promise<void> => {
    for (let part = 0; part < 100; part++) await open.wire.read(new Uint8Array(1000));
  };
  assertEquals(await loss(parts), "slow");
});

test("a peer that takes a message slowly is lost, unless it speaks", async () => {
  const message = new Uint8Array(100_000);
  const run = async (speaks: boolean): Promise<string> => {
    using open = openWire(SOON, { room: 4000 });
    // 40,000 bytes a second: 2.5 s, and 1.8 s are allowed.
    const taking = setInterval(() => void open.far.read(new Uint8Array(4000)), 100);
    using _speaking = speaks ? drip(open, framed(text("a")), 100) : undefined;
    const reading = (async (): Promise<void> => {
      while (await open.wire.readMessage(1) !== null);
    })().catch(() => {});
    const written = await open.wire.writeMessage(message).then(() => "whole", (e) => e.how);
    clearInterval(taking);
    open.wire.close();
    await reading;
    return written;
  };
  assertEquals(await Promise.all([run(false), run(true)]), ["slow", "whole"]);
});

test("a link that takes what is written, slowly, is not silent", async () => {
  using open = openWire(SOON, { room: 2000 });
  using silent = openWire(SOON);
  const message = new Uint8Array(100_000);
  const writing = open.wire.writeMessage(message);
  writing.catch(() => {}); // Its failure is seen below.
  const taking = setInterval(() => open.far.read(new Uint8Array(2000)), 50);
  try {
    assertEquals(await loss(() => silent.wire.readLength()), "silence");
  } finally {
    clearInterval(taking);
  }
  assertFalse(open.near.closed);
  open.near.makeRoom();
  await writing;
});

test("where nothing is expected silence is no loss, but inside a message it is", async () => {
  using idle = openWire({ ...SOON, expecting: () => false });
  using started = openWire({ ...SOON, expecting: () => false });
  using other = openWire(SOON);
  const reading = idle.wire.readMessage(1);
  reading.catch(() => {}); // Its failure is seen below.
  started.far.put(framed(text("a")).subarray(0, 8));
  const lost = loss(() => started.wire.readMessage(1));
  // Another wire, made later and with the same patience, runs out of it; this one does not.
  assertEquals(await loss(() => other.wire.readMessage(1)), "silence");
  assertEquals(await lost, "silence");
  assertFalse(idle.near.closed);
  idle.far.put(framed(text("a")));
  assertEquals(await reading, text("a"));
});

test("in a call whose line looks at the silence itself, the wire counts it and closes nothing", async () => {
  let expects = true;
  using open = openWire(SOON);
  open.wire.enterCall(() => expects);
  using other = openWire(SOON);
  const reading = open.wire.readMessage(10_000);
  reading.catch(() => {}); // Its failure is seen below.
  assertEquals(await loss(() => other.wire.readMessage(1)), "silence");
  await until("a silence of twice that", () => open.wire.quietMs >= 1000 || undefined);
  assertFalse(open.near.closed);
  // A whole message ends it. So does the end of the expectation.
  open.far.put(framed(text("a")));
  assertEquals(await reading, text("a"));
  assertEquals(open.wire.quietMs, 0);
  await until("a silence", () => open.wire.quietMs > 0 || undefined);
  expects = false;
  await until("no silence", () => open.wire.quietMs === 0 || undefined);
  assertFalse(open.near.closed);
});

test("bytes of a message end the silence of a call where they are more than a trickle", async () => {
  using open = openWire(SOON);
  open.wire.enterCall(() => true);
  const reading = open.wire.readMessage(100_000);
  reading.catch(() => {}); // The message never comes whole.
  open.far.put(length(100_000));
  open.far.put(new Uint8Array(100));
  await until("a silence", () => open.wire.quietMs >= 500 || undefined);
  open.far.put(new Uint8Array(5000));
  await until("no silence", () => open.wire.quietMs < 500 || undefined);
  assertFalse(open.near.closed);
  open.wire.close();
  assertEquals(await loss(() => reading), "reset");
});

test("patience is renewed by every message", async () => {
  using open = openWire(SOON);
  using other = openWire(SOON);
  using _talking = drip(open, framed(text("a")), 100);
  let count = 0;
  const reading = (async (): Promise<void> => {
    while (await open.wire.readMessage(1) !== null) count++;
  })();
  reading.catch(() => {}); // Its failure is seen below.
  assertEquals(await loss(() => other.wire.readMessage(1)), "silence");
  assertFalse(open.near.closed);
  assertGreater(count, 1);
  open.wire.close();
  assertEquals(await loss(() => reading), "reset");
});

test("finish() says that nothing more comes, then waits for the other end to finish too", async () => {
  using open = openWire();
  await open.wire.writeMessage(text("bye"));
  open.far.put(new Uint8Array(200_000)); // Unread: closing now would reset the connection.
  const finished = open.wire.finish();
  assertEquals(await open.far.readRest(), framed(text("bye")));
  assertFalse(open.near.closed);
  await open.far.closeWrite();
  await finished;
  assertEquals(open.near.ends, ["closeWrite", "close"]);
});

test("finish() lets go after a second of a peer that never finishes", async () => {
  using open = openWire();
  using _talking = drip(open, new Uint8Array(1000), 20);
  const start = performance.now();
  await within(open.wire.finish(), 3000);
  const tookMs = performance.now() - start;
  assert(tookMs > 900 && tookMs < 2000, `${tookMs} ms`);
  assert(open.near.closed);
});

test("finish() ends at once where the peer is gone already", async () => {
  using open = openWire();
  open.near.reset();
  const start = performance.now();
  await open.wire.finish();
  assert(performance.now() - start < 500);
  assert(open.near.closed);
});

test("finish() is safe twice, in turn and at once, and after close()", async () => {
  using open = openWire();
  const first = open.wire.finish();
  const second = open.wire.finish();
  assertEquals(await open.far.readRest(), bytes());
  assertFalse(open.near.closed);
  await open.far.closeWrite();
  await Promise.all([first, second]);
  await open.wire.finish();
  assertEquals(open.near.ends.filter((end) => end === "close"), ["close"]);

  using closed = openWire();
  closed.wire.close();
  await closed.wire.finish();
  assertEquals(closed.near.ends, ["close"]);
});

test("hangUp() lets the last words be written, then ends politely", async () => {
  using open = openWire({}, { room: 5 });
  const hungUp = open.wire.hangUp(() => open.wire.writeMessage(text("bye")), 5000);
  await open.near.written(5);
  open.near.makeRoom();
  assertEquals(await open.far.readRest(), framed(text("bye")));
  assertFalse(open.near.closed);
  await open.far.closeWrite();
  await hungUp;
  assertEquals(open.near.ends, ["closeWrite", "close"]);
});

test("hangUp() lets go where nothing moves, where the words fail, and where nobody answers them", async () => {
  using still = openWire({}, { room: 5 });
  using failed = openWire();
  using unanswered = openWire();
  failed.near.reset();
  const bye = ({ wire }: OpenWire): Promise<void> =>
    wire.hangUp(() => wire.writeMessage(text("bye")), 500);
  await within(Promise.all([still, failed, unanswered].map(bye)), 20_000);
  assert(still.near.closed && failed.near.closed && unanswered.near.closed);
  assertEquals(unanswered.near.ends, ["closeWrite", "close"]);
});

test("close() is safe twice and wakes a read that waits", async () => {
  using open = openWire();
  const reading = loss(() => open.wire.readMessage(1));
  open.wire.close();
  open.wire.close();
  assertEquals(await reading, "reset");
  assertEquals(open.near.ends, ["close"]);
});
