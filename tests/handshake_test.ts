/**
 * The beginning of a private call, with a stranger between both ends who changes what it likes. The
 * words of both ends cross a connection in memory.
 */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { concat } from "@std/bytes/concat";
import { CodeError, PeerLostError, ProtocolError, RefusedError } from "../lib/errors.ts";
import { Guesses } from "../lib/wire/guesses.ts";
import { CODE_REASON, type Lock } from "../lib/wire/handshake.ts";
import { makeOffer, readOffer } from "../lib/wire/offer.ts";
import {
  decodeAnswer,
  decodeBye,
  encodeAnswer,
  encodeBye,
  encodeHello,
} from "../lib/wire/session.ts";
import type { Wire } from "../lib/wire/wire.ts";
import { bytes, framed, text } from "./bytes.ts";
import { type FakeConnection, openPair } from "./fake_connection.ts";
import { test } from "./strict.ts";
import vectors from "./data/cpace.json" with { type: "json" };

const CODE = "48217093554";
const ANA = { name: "Ana Secreta", streams: [] };
const RUI = { name: "Rui Discreto", streams: [] };
const CALL = "00112233445566778899aabbccddeeff";
const START = bytes("05", text("CHAMADA1"), "01");
const never = new AbortController().signal;

/** A lock with a limit of its own. */
function openLock(code = CODE): Lock & Disposable {
  const guesses = new Guesses({ waitMs: 50 });
  return { code, guesses, [Symbol.dispose]: () => guesses[Symbol.dispose]() };
}

/** The guesses that a lock would still hear at once. */
async function guessesLeft({ guesses }: Lock): Promise<number> {
  const places = [];
  for (let place = await guesses.take("x"); place; place = await guesses.take("x")) {
    places.push(place);
  }
  for (const place of places) place.giveBack();
  return places.length;
}

/** A direction through the stranger: `c` from the client, `s` from the server. */
type Direction = "c" | "s";

/**
 * Changes a message on its way, with its length in front. It becomes any number of messages. `back`
 * sends bytes to its sender.
 */
type Tamper = (
  direction: Direction,
  message: Uint8Array,
  number: number,
  back: (message: Uint8Array) => void,
) => Uint8Array[];

/** The result at an end: the words that it took from the peer, or its error. */
type Result = string | Error;

/** The results at both ends, and all that crossed the network. */
interface Exchange {
  readonly client: Result;
  readonly server: Result;
  readonly seen: Readonly<Record<Direction, Uint8Array>>;
}

/**
 * A whole small call: handshake, hello, answer, and a bye from either end, all through a stranger.
 * A connection on which nothing moves any more is cut.
 */
async function exchange(
  tamper: Tamper = (_, message) => [message],
  { code = CODE, lock, idleMs = 5000 }: {
    code?: string;
    lock?: Lock;
    /** Milliseconds after which nothing moves any more. */
    idleMs?: number;
  } = {},
): Promise<Exchange> {
  using own = openLock();
  using left = openPair();
  using right = openPair();
  const seen: Record<Direction, Uint8Array[]> = { c: [], s: [] };
  let idle = 0;
  const relay = async (direction: Direction, from: FakeConnection, to: FakeConnection) => {
    try {
      for (let number = 0;; number++) {
        const message = framed(await from.readMessage());
        idle = 0;
        for (const part of tamper(direction, message, number, (one) => from.put(one))) {
          seen[direction].push(part);
          to.put(part);
        }
      }
    } catch {
      await to.closeWrite().catch(() => {});
    }
  };
  const relays = [relay("c", left.far, right.far), relay("s", right.far, left.far)];
  const watch = setInterval(() => {
    if ((idle += 10) > idleMs) {
      for (const one of [left.near, right.near]) one.closed || one.reset();
    }
  }, 10);
  const result = async (run: () => Promise<[Wire, string]>): Promise<Result> => {
    let wire: Wire | undefined;
    try {
      let peer: string;
      [wire, peer] = await run();
      await wire.writeMessage(encodeBye(`bye of ${peer}'s peer`));
      const bye = await wire.readMessage(1000);
      if (bye === null) throw new PeerLostError("no-bye");
      return `${peer}: ${decodeBye(bye)}`;
    } catch (error) {
      return error as Error;
    } finally {
      wire?.close();
    }
  };
  const client = result(async () => {
    const { wire, name } = await makeOffer(
      left.near,
      { ...ANA, call: CALL },
      never,
      { code },
    );
    return [wire, name];
  });
  const server = result(async () => {
    const offer = await readOffer(right.near, 20, { lock: lock ?? own });
    if (offer === null) throw new PeerLostError("no-bye");
    return [await offer.resume(RUI), offer.peer.name];
  });
  try {
    const results = { client: await client, server: await server };
    return { ...results, seen: { c: concat(seen.c), s: concat(seen.s) } };
  } finally {
    clearInterval(watch);
    for (const one of [left.near, right.near]) if (!one.closed) one.close();
    await Promise.all(relays);
  }
}

const GOOD = {
  client: "Rui Discreto: bye of Ana Secreta's peer",
  server: "Ana Secreta: bye of Rui Discreto's peer",
};

/** A tamper that changes one message of a direction. */
function change(
  direction: Direction,
  number: number,
  how: (message: Uint8Array, back: (message: Uint8Array) => void) => Uint8Array[],
): Tamper {
  return (one, message, at, back) =>
    one === direction && at === number ? how(message, back) : [message];
}

/** The result of an end as one word. */
function word(result: Result): string {
  return result instanceof CodeError ? result.kind : result instanceof Error ? result.name : "good";
}

test("two ends with one code have a call, of which the network sees no word", async () => {
  using lock = openLock();
  const { client, server, seen } = await exchange(undefined, { lock });
  assertEquals({ client, server }, GOOD);
  assertEquals(await guessesLeft(lock), 20);
  for (const direction of ["c", "s"] as const) {
    const shown = new TextDecoder("latin1").decode(seen[direction]);
    for (const secret of ["Ana", "Rui", "bye", "version", "accept", CALL, CODE, "482-1709"]) {
      assertFalse(shown.includes(secret), secret);
    }
  }
});

test("no two calls have a byte of their keys in common", async () => {
  const [one, other] = [await exchange(), await exchange()];
  for (const direction of ["c", "s"] as const) {
    const keys = [one, other].map(({ seen }) => seen[direction].slice(8 + START.length, 58));
    assertNotEquals(keys[0], keys[1]);
  }
});

test("a wrong code is no at both ends, and costs a guess; whoever leaves first costs none", async () => {
  using lock = openLock();
  const wrong = await exchange(undefined, { lock, code: "48217093555" });
  assertEquals([word(wrong.client), word(wrong.server)], ["wrong", "wrong"]);
  assertEquals(await guessesLeft(lock), 19);
  const left = await exchange((one, message, at) => one === "c" && at > 0 ? [] : [message], {
    lock,
    idleMs: 60,
  });
  assertEquals(word(left.server), "PeerLostError");
  assertEquals(await guessesLeft(lock), 19);
});

test("21 wrong codes at once: 20 are heard, and the last is told to come later", async () => {
  using lock = openLock();
  const wrong = { lock, code: "0" };
  const words = await Promise.all(Array.from({ length: 21 }, async () => {
    const { client, seen } = await exchange(undefined, wrong);
    return [word(client), seen.s.length > 8 + START.length && seen.s[8] === 5];
  }));
  assertEquals(words.filter(([kind]) => kind === "wrong").length, 20);
  assertEquals(words.filter(([kind]) => kind === "later"), [["later", false]]);
});

test("no byte of a private call can be changed", async () => {
  const { seen } = await exchange();
  for (const direction of ["c", "s"] as const) {
    for (let at = 0; at < seen[direction].length; at++) {
      // Of every seventh byte all bits, of the others one.
      for (const bit of at % 7 === 0 ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8]) {
        let from = 0;
        const { client, server } = await exchange((one, message) => {
          if (one !== direction) return [message];
          const place = at - from;
          from += message.length;
          if (place >= 0 && place < message.length) message[place]! ^= 1 << bit;
          return [message];
        }, { idleMs: 60 });
        const words = `${direction} ${at}.${bit}: ${word(client)}, ${word(server)}`;
        assert(client instanceof Error || client === GOOD.client, words);
        assert(server instanceof Error || server === GOOD.server, words);
        assert((direction === "c" ? server : client) instanceof Error, words);
      }
    }
  }
});

test("no message of a private call can be repeated, left out, cut short or sent back", async () => {
  const ways: Readonly<Record<string, Parameters<typeof change>[2]>> = {
    "repeated": (message) => [message, message],
    "left out": () => [],
    "cut short": (message) => [framed(message.slice(8, -1))],
    "empty": () => [framed()],
    "sent back": (message, back) => {
      back(message);
      return [];
    },
  };
  // Key, proof, hello, bye; key, proof, answer, bye.
  for (const direction of ["c", "s"] as const) {
    for (const number of [0, 1, 2, 3]) {
      for (const [name, how] of Object.entries(ways)) {
        // Behind the last message nobody reads any more.
        if (name === "repeated" && number === 3) continue;
        const { client, server } = await exchange(change(direction, number, how), { idleMs: 60 });
        const words = `${name} ${direction} ${number}: ${word(client)}, ${word(server)}`;
        assert((direction === "c" ? server : client) instanceof Error, words);
        assert(client instanceof Error || client === GOOD.client, words);
        assert(server instanceof Error || server === GOOD.server, words);
      }
    }
  }
});

test("a proof that is sent back to its sender proves nothing", async () => {
  const { client, server } = await exchange((direction, message, number, back) => {
    if (direction === "s") return number === 0 ? [message] : [];
    if (number === 1) back(message);
    return number === 0 ? [message] : [];
  });
  assertEquals(word(client), "wrong");
  assertInstanceOf(server, Error);
});

test("a key that is sent back to its sender begins nothing", async () => {
  const { client } = await exchange((direction, message, number, back) => {
    if (direction === "s") return [];
    if (number === 0) back(framed(concat([START, message.subarray(-32)])));
    // The stranger has no secret to prove; the client's own proof is the best that it has.
    if (number === 1) back(message);
    return [];
  });
  assertEquals(word(client), "wrong");
});

test("an earlier call cannot be played again, to either end", async () => {
  const earlier = await exchange();
  const replay = (from: Direction): Tamper => (direction, message, number) => {
    if (direction !== from) return number === 0 ? [message] : [];
    return number === 0 ? [earlier.seen[from]] : [];
  };
  using lock = openLock();
  const again = await exchange(replay("c"), { lock });
  assertEquals(word(again.server), "wrong");
  assertEquals(await guessesLeft(lock), 19);
  const answered = await exchange(replay("s"), { lock });
  assertEquals(word(answered.client), "wrong");
});

test("the points that must abort do so at both ends, and cost no guess", async () => {
  using lock = openLock();
  for (const { u } of vectors.scalar_mult_vfy.cases.filter((one) => one.must_abort)) {
    const put = (message: Uint8Array): Uint8Array[] => {
      message.set(bytes(u), message.length - 32);
      return [message];
    };
    const { server, seen } = await exchange(change("c", 0, put), { lock });
    assertInstanceOf(server, ProtocolError, u);
    // The server's key is not sent either.
    assertEquals(seen.s[8], 1);
    const { client } = await exchange(change("s", 0, put), { lock });
    assertInstanceOf(client, ProtocolError, u);
  }
  assertEquals(await guessesLeft(lock), 20);
});

test("a client with a code says no clear word, whatever it is answered", async () => {
  const hello = (value: unknown): Uint8Array =>
    framed("01", text("CHAMADA1"), text(JSON.stringify(value)));
  const answers: readonly (readonly [string, Uint8Array])[] = [
    ["none", framed(encodeAnswer({ ...RUI, accept: true, call: CALL }))],
    ["none", framed(encodeAnswer({ accept: false, reason: "hung up" }))],
    ["none", framed(encodeAnswer({ accept: false, reason: "" }))],
    ["none", framed(encodeAnswer({ accept: false, reason: CODE_REASON.none }))],
    ["none", hello({ version: 1, accept: false, reason: "no hello" })],
    ["ProtocolError", hello({ version: 1, accept: true })],
    ["wanted", framed(encodeAnswer({ accept: false, reason: CODE_REASON.wanted }))],
    ["wrong", framed(encodeAnswer({ accept: false, reason: CODE_REASON.wrong }))],
    ["ProtocolError", framed("05", text("CHAMADA1"), "02", new Uint8Array(32).fill(9))],
    ["ProtocolError", framed("05", text("CHAMADA1"), "01", new Uint8Array(31).fill(9))],
    ["ProtocolError", framed("06", new Uint8Array(32).fill(9))],
    ["ProtocolError", framed(encodeHello(RUI).subarray(0, 12))],
    ["ProtocolError", framed()],
    ["ProtocolError", framed(encodeBye("hung up"))],
    ["PeerLostError", new Uint8Array(0)],
  ];
  for (const [kind, answer] of answers) {
    using pair = openPair();
    const made = makeOffer(pair.near, ANA, never, { code: CODE });
    made.catch(() => {});
    const key = await pair.far.readMessage();
    assertEquals([key.length, key.subarray(0, 10)], [58, START]);
    pair.far.put(answer);
    await pair.far.closeWrite();
    assertEquals(word(await made.then(() => new Error("a call"), (error) => error)), kind);
    assertEquals(await pair.far.readRest().catch(() => new Uint8Array(0)), new Uint8Array(0));
  }
});

test("a server that takes too long for its key is left for another attempt", async () => {
  using pair = openPair();
  const error = await assertRejects(
    () => makeOffer(pair.near, ANA, never, { code: CODE, keyMs: 20 }),
    CodeError,
  );
  assertEquals(error.kind, "later");
  assert(pair.near.closed);
});

test("a hang-up during the handshake says no clear word either", async () => {
  using pair = openPair();
  const hangUp = new AbortController();
  const made = makeOffer(pair.near, ANA, hangUp.signal, { code: CODE });
  made.catch(() => {});
  await pair.far.readMessage();
  hangUp.abort(new Error("hung up"));
  await assertRejects(() => made, Error, "hung up");
  assertEquals(await pair.far.readRest(), new Uint8Array(0));
});

test("a server with a code refuses all that is no key, with a reason that names --open", async () => {
  const first: readonly Uint8Array[] = [
    framed(encodeHello(ANA)),
    framed("01", text('CHAMADA1{"version":1,"name":"Ana"}')),
    framed(new Uint8Array(230_400)),
    framed("80 04 95", new Uint8Array(300)),
    framed(encodeBye("hung up")),
    framed(),
    framed("05", text("CHAMADA2"), "01", new Uint8Array(48)),
  ];
  for (const message of first) {
    using lock = openLock();
    using pair = openPair();
    const read = readOffer(pair.near, 20, { lock });
    read.catch(() => {});
    pair.far.put(message);
    assertEquals(decodeAnswer(await pair.far.readMessage()), {
      accept: false,
      reason: CODE_REASON.wanted,
    });
    await pair.far.closeWrite();
    assertEquals(word(await read.then(() => new Error("an offer"), (error) => error)), "wanted");
    assert(pair.near.largestRead <= 66_000);
    assertEquals(await guessesLeft(lock), 20);
  }
  assert(CODE_REASON.wanted.includes("--open"));
});

test("an unknown suite and a key of another length are a no", async () => {
  for (
    const [suite, length] of [["02", 48], ["00", 48], ["ff", 10], ["01", 47], ["01", 49]] as const
  ) {
    using lock = openLock();
    using pair = openPair();
    const read = readOffer(pair.near, 20, { lock });
    read.catch(() => {});
    pair.far.put(framed("05", text("CHAMADA1"), suite, new Uint8Array(length).fill(9)));
    const answer = decodeAnswer(await pair.far.readMessage());
    assertFalse(answer.accept);
    await pair.far.closeWrite();
    await assertRejects(() => read, ProtocolError);
    assertEquals(await guessesLeft(lock), 20);
  }
});

test("a server without a code tells a client with one so, and the client ends", async () => {
  using pair = openPair();
  const read = readOffer(pair.far, 20);
  read.catch(() => {});
  const made = await makeOffer(pair.near, ANA, never, { code: CODE })
    .then(() => new Error("a call"), (error) => error);
  assertEquals(word(made), "none");
  assertEquals(word(await read.then(() => new Error("an offer"), (error) => error)), "none");
});

test("a client without a code hears that the server wants one", async () => {
  using lock = openLock();
  using pair = openPair();
  const read = readOffer(pair.far, 20, { lock });
  read.catch(() => {});
  const made = await makeOffer(pair.near, ANA, never).then(() => undefined, (error) => error);
  assertEquals(word(made), "wanted");
  await read.catch(() => {});
});

test("a no behind the proofs is sealed, and is the server's own", async () => {
  using lock = openLock();
  using pair = openPair();
  const serving = readOffer(pair.far, 20, { lock }).then((offer) => offer!.refuse("busy"));
  await assertRejects(
    () => makeOffer(pair.near, ANA, never, { code: CODE }),
    RefusedError,
    "busy",
  );
  await serving;
});

test("a hello that is none, behind a right proof, is told so in the seal", async () => {
  using lock = openLock();
  using pair = openPair();
  const serving = readOffer(pair.far, 20, { lock });
  serving.catch(() => {});
  const problem = { name: 7 as unknown as string, streams: [] };
  await assertRejects(
    () => makeOffer(pair.near, problem, never, { code: CODE }),
    RefusedError,
    "name",
  );
  await assertRejects(() => serving, ProtocolError);
});
