/**
 * The part of `@std/cli`, `@std/bytes` and `@std/assert` that this project relies on. On a network
 * without JSR, `vendor/` holds the stand-ins of `scripts/offline/` in place of the real packages.
 * These tests pass with both, so that code that passes here behaves the same everywhere.
 *
 * They may only use functions that they pin. An assertion that never fails would pass every test.
 * So each is also seen to fail, through `throws` and `rejects`, which use none of them.
 */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "@std/assert";
import * as bytes from "@std/bytes";
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { parseArgs } from "@std/cli/parse-args";

/** The error that `fn` throws, which must be an {@linkcode AssertionError}. */
function throws(fn: () => unknown): AssertionError {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError) return error;
    throw error;
  }
  throw new Error(`Nothing thrown by ${fn}`);
}

/** The reason of the rejected promise of `fn`, which must be an {@linkcode AssertionError}. */
async function rejects(fn: () => Promise<unknown>): Promise<AssertionError> {
  try {
    await fn();
  } catch (error) {
    if (error instanceof AssertionError) return error;
    throw error;
  }
  throw new Error(`Not rejected: ${fn}`);
}

interface Refusal {
  arg: string;
  key?: string;
}

/** The options of a program much like ours, and its refusals. */
function parse(args: string[]): { parsed: Record<string, unknown>; refused: Refusal[] } {
  const refused: Refusal[] = [];
  const parsed = parseArgs(args, {
    string: ["_", "host", "port", "record", "fps"],
    boolean: ["no-record", "quiet", "help"],
    alias: { help: "h", quiet: ["q", "silent"] } as Record<string, string | string[]>,
    unknown: (arg: string, key?: string): boolean => {
      refused.push(key === undefined ? { arg } : { arg, key });
      return false;
    },
  }) as Record<string, unknown>;
  return { parsed, refused };
}

/** The result of a command line without options. */
const NOTHING = {
  _: [],
  "no-record": false,
  quiet: false,
  q: false,
  silent: false,
  help: false,
  h: false,
};

Deno.test("parseArgs() makes of 2,352 command lines what @std/cli 1.0.32 does", () => {
  // A line is a command line and the result of the real package: `args`, `parsed`, `refused`.
  const recorded = Deno.readTextFileSync(new URL("data/parse_args.jsonl", import.meta.url));
  const lines = recorded.trimEnd().split("\n");
  assertStrictEquals(lines.length, 2352);
  for (const line of lines) {
    const { args, parsed, refused } = JSON.parse(line);
    assertEquals(parse(args), { parsed, refused }, `of ${JSON.stringify(args)}`);
  }
});

Deno.test("parseArgs() leaves strings out and says false for booleans when nothing is given", () => {
  assertEquals(parse([]), { parsed: { ...NOTHING }, refused: [] });
});

Deno.test("parseArgs() reads --name=value and --name value as the text they are", () => {
  for (const value of ["20", "0x10", "-5", "a b", "http://a/?b=c&d=e", "ção", "true", "-"]) {
    assertEquals(parse([`--fps=${value}`]), { parsed: { ...NOTHING, fps: value }, refused: [] });
  }
  for (const value of ["20", "0x10", "a b", "http://a/?b=c&d=e", "ção", "true"]) {
    assertEquals(parse(["--fps", value]), { parsed: { ...NOTHING, fps: value }, refused: [] });
  }
});

Deno.test("parseArgs() gives an empty text to a string without a value", () => {
  assertEquals(parse(["--fps"]), { parsed: { ...NOTHING, fps: "" }, refused: [] });
  assertEquals(parse(["--fps="]), { parsed: { ...NOTHING, fps: "" }, refused: [] });
  assertEquals(parse(["--fps", "--quiet"]).parsed["fps"], "");
  assertEquals(parse(["--fps", "--quiet"]).parsed["quiet"], true);
  assertEquals(parse(["--fps", "--"]).parsed["fps"], "");
});

Deno.test("parseArgs() keeps the last of several values", () => {
  assertEquals(parse(["--fps", "20", "--fps=30"]).parsed["fps"], "30");
  assertEquals(parse(["--quiet", "--quiet=false"]).parsed["quiet"], false);
});

Deno.test("parseArgs() takes a declared no- option by its full name", () => {
  assertEquals(parse(["--no-record"]), {
    parsed: { ...NOTHING, "no-record": true },
    refused: [],
  });
  assertEquals(parse(["--record", "a.avi", "--no-record", "--port=0"]).parsed, {
    ...NOTHING,
    record: "a.avi",
    "no-record": true,
    port: "0",
  });
});

Deno.test("parseArgs() hands --no-name=value to name, which options must refuse first", () => {
  const { parsed, refused } = parse(["--no-record=a.avi"]);
  assertEquals(parsed, { ...NOTHING, record: "a.avi" });
  assertEquals(refused, []);
});

Deno.test("parseArgs() reads a boolean alone, with = and before the words true and false", () => {
  assertEquals(parse(["--quiet"]).parsed["quiet"], true);
  assertEquals(parse(["--quiet=true"]).parsed["quiet"], true);
  assertEquals(parse(["--quiet=false"]).parsed["quiet"], false);
  assertEquals(parse(["--quiet", "false"]), { parsed: { ...NOTHING }, refused: [] });
  assertEquals(parse(["--quiet", "--fps", "20"]).parsed["fps"], "20");
});

Deno.test("parseArgs() sets an option under each of its names", () => {
  const quiet = { ...NOTHING, quiet: true, q: true, silent: true };
  for (const name of ["--quiet", "--silent", "-q"]) {
    assertEquals(parse([name]), { parsed: quiet, refused: [] });
  }
  assertEquals(parse(["-qh"]), { parsed: { ...quiet, help: true, h: true }, refused: [] });
});

Deno.test("parseArgs() hands what nobody declared to unknown, and keeps it out", () => {
  const refused = (args: string[], ...refusals: Refusal[]): void => {
    assertEquals(parse(args), { parsed: { ...NOTHING }, refused: refusals });
  };
  refused(["--bogus"], { arg: "--bogus", key: "bogus" });
  refused(["--bogus=1"], { arg: "--bogus=1", key: "bogus" });
  refused(["--bogus", "1"], { arg: "--bogus", key: "bogus" });
  refused(["--no-bogus"], { arg: "--no-bogus", key: "no-bogus" });
  refused(["--bogus="], { arg: "--bogus=", key: "bogus" });
  refused(["-x"], { arg: "-x", key: "x" });
  refused(["-5"], { arg: "-5", key: "5" });
  refused(["file"], { arg: "file" });
  refused(["7"], { arg: "7" });
  refused(["-"], { arg: "-" });
  refused([""], { arg: "" });
  refused(["--x", "--y"], { arg: "--x", key: "x" }, { arg: "--y", key: "y" });
});

Deno.test("parseArgs() puts what follows -- among the positionals, unseen by unknown", () => {
  const { parsed, refused } = parse(["--quiet", "--", "--fps", "7", "-x", "--"]);
  assertEquals((parsed["_"] as unknown[]).map(String), ["--fps", "7", "-x", "--"]);
  assertEquals(parsed["quiet"], true);
  assertEquals(refused, []);
});

Deno.test("parseArgs() turns positionals into numbers unless _ is a string", () => {
  const args = ["a", "7", "b7"];
  assertEquals(parseArgs(args, { boolean: ["help"] })._, ["a", 7, "b7"]);
  const parsed = parseArgs(args, { string: ["_"] }) as Record<string, unknown>;
  assertEquals(parsed["_"], ["a", "7", "b7"]);
});

Deno.test("parseArgs() fills defaults in for what is not given, under each name", () => {
  const read = (args: string[]) =>
    parseArgs(args, {
      string: ["port"],
      alias: { port: "p" },
      default: { port: "8080" },
    }) as Record<string, unknown>;
  assertEquals(read([]), { _: [], port: "8080", p: "8080" });
  assertEquals(read(["--port=0"]), { _: [], port: "0", p: "0" });
});

Deno.test("concat() joins arrays into a new one of its own", () => {
  const part = Uint8Array.of(1, 2);
  const whole = concat([part, new Uint8Array(), Uint8Array.of(3)]);
  assertEquals(whole, Uint8Array.of(1, 2, 3));
  assertStrictEquals(whole.byteOffset, 0);
  assertStrictEquals(whole.buffer.byteLength, 3);
  whole[0] = 9;
  assertStrictEquals(part[0], 1);
  assertEquals(concat([]), new Uint8Array());
  assertEquals(concat([whole.subarray(1), part]), Uint8Array.of(2, 3, 1, 2));
  assertStrictEquals(bytes.concat([part, part]).length, 4);
});

Deno.test("equals() compares bytes, whatever buffer they lie in", () => {
  assert(equals(new Uint8Array(), new Uint8Array()));
  assert(equals(Uint8Array.of(0, 1, 2).subarray(1), Uint8Array.of(1, 2)));
  assertFalse(equals(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assertFalse(equals(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)));
  const long = new Uint8Array(5000);
  assert(equals(long, long.slice()));
  assertFalse(equals(long, long.with(4999, 1)));
  assert(bytes.equals(long, long));
});

Deno.test("assert() and assertFalse() judge truth, and fail with the message", () => {
  assert(1);
  assertFalse("");
  assertStrictEquals(throws(() => assert(0, "zero")).message, "zero");
  assertStrictEquals(throws(() => assertFalse([], "list")).message, "list");
});

Deno.test("assertEquals() and assertNotEquals() compare by value", () => {
  const pairs: [unknown, unknown, boolean][] = [
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, true],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [NaN, NaN, true],
    [new Map([["a", 1]]), new Map([["a", 1]]), true],
    [new Set([1, 2]), new Set([2, 1]), true],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2), true],
    [new Uint8Array(5000), new Uint8Array(5000), true],
    [1, "1", false],
    [1n, 1, false],
    [null, undefined, false],
    [{ a: undefined }, {}, false],
    [[1, 2], [2, 1], false],
    [new Map([["a", 1]]), new Map([["a", 2]]), false],
    [new Date(0), new Date(1), false],
    [Uint8Array.of(1, 2), [1, 2], false],
    [new Uint8Array(5000), new Uint8Array(5001), false],
    [new Uint8Array(5000), new Uint8Array(5000).with(4999, 1), false],
  ];
  for (const [a, b, same] of pairs) {
    if (same) {
      assertEquals(a, b);
      throws(() => assertNotEquals(a, b));
    } else {
      assertNotEquals(a, b);
      throws(() => assertEquals(a, b));
    }
  }
});

Deno.test("a failed assertEquals() shows both values and the message", () => {
  const { message } = throws(() => assertEquals({ fps: 20 }, { fps: 30 }, "the rate"));
  for (const part of ["20", "30", "the rate"]) assertStringIncludes(message, part);
});

Deno.test("assertStrictEquals() compares by identity", () => {
  const one = {};
  assertStrictEquals(one, one);
  assertStrictEquals(NaN, NaN);
  throws(() => assertStrictEquals(one, {}));
});

Deno.test("assertGreater() and its kin compare, ends included where they say so", () => {
  assertGreater(2, 1);
  assertGreaterOrEqual(1, 1);
  assertLess(1n, 2n);
  assertLessOrEqual(1, 1);
  throws(() => assertGreater(1, 1));
  throws(() => assertGreaterOrEqual(1, 2));
  throws(() => assertLess(1, 1));
  throws(() => assertLessOrEqual(2, 1));
  throws(() => assertLess(NaN, 1));
});

Deno.test("assertAlmostEquals() lets a tolerance pass", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(10, 11, 1);
  throws(() => assertAlmostEquals(10, 11));
  throws(() => assertAlmostEquals(10, 12, 1));
  throws(() => assertAlmostEquals(NaN, 1, 1));
});

Deno.test("assertExists() and assertInstanceOf() narrow what they let pass", () => {
  const value = [1].at(0);
  assertExists(value);
  assertStrictEquals(value.toFixed(1), "1.0");
  assertExists(0);
  throws(() => assertExists(null));
  throws(() => assertExists(undefined));

  const error: unknown = new RangeError("far");
  assertInstanceOf(error, Error);
  assertStrictEquals(error.message, "far");
  throws(() => assertInstanceOf(error, TypeError));
  throws(() => assertInstanceOf(null, Error));
});

Deno.test("assertStringIncludes() and assertMatch() look inside a text", () => {
  assertStringIncludes("chamada", "mad");
  assertMatch("chamada", /^ch/);
  throws(() => assertStringIncludes("chamada", "Mad"));
  throws(() => assertMatch("chamada", /^ham/));
});

Deno.test("assertThrows() judges class and message, and returns what was thrown", () => {
  const thrower = () => {
    throw new RangeError("too far away");
  };
  const error = assertThrows(thrower, RangeError, "far");
  assertStrictEquals(error.message, "too far away");
  assertInstanceOf(assertThrows(thrower, Error), RangeError);
  assertInstanceOf(assertThrows(thrower), RangeError);
  throws(() => assertThrows(() => {}));
  throws(() => assertThrows(thrower, TypeError));
  throws(() => assertThrows(thrower, RangeError, "near"));
  assertStringIncludes(
    throws(() => assertThrows(() => {}, Error, "", "nothing")).message,
    "nothing",
  );
});

Deno.test("assertRejects() judges class and message, and resolves with the reason", async () => {
  const rejecter = () => Promise.reject(new RangeError("too far away"));
  const error = await assertRejects(rejecter, RangeError, "far");
  assertStrictEquals(error.message, "too far away");
  assertInstanceOf(await assertRejects(rejecter), RangeError);
  await rejects(() => assertRejects(() => Promise.resolve()));
  await rejects(() => assertRejects(rejecter, TypeError));
  await rejects(() => assertRejects(rejecter, RangeError, "near"));
  await rejects(() =>
    assertRejects(() => {
      throw new RangeError("thrown, not rejected");
    })
  );
});

Deno.test("fail() and unreachable() always fail, with the message", () => {
  assertStringIncludes(throws(() => fail("why")).message, "why");
  assertStringIncludes(throws(() => unreachable("how")).message, "how");
});
