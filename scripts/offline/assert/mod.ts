/**
 * Stand-in for `@std/assert` on a network without JSR, built on `node:assert/strict`: the
 * assertions exported here, from the root of the package, and nothing else.
 * `tests/std_contract_test.ts` holds it and the real package to the same behaviour.
 *
 * Three things differ and are not to be relied on: if 0 equals -0, if an object without a prototype
 * equals a plain one, and the words of a message beyond the given one.
 *
 * @module
 */

import node from "node:assert/strict";
import { inspect } from "node:util";

/** A class whose instances are `T`, whatever its constructor takes. */
// deno-lint-ignore no-explicit-any
type Class<T> = new (...args: any[]) => T;

/** The values that {@linkcode assertFalse} accepts. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** A failed assertion. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Fails always. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${msg ? `: ${msg}` : "."}`);
}

/** Fails when it is reached. */
export function unreachable(msg?: string): never {
  throw new AssertionError(`Unreachable${msg ? `: ${msg}` : ""}`);
}

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/** Fails unless both are equal in type, shape and value. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isLong(actual) && isLong(expected)) return assertLongEquals(actual, expected, msg);
  run(() => node.deepStrictEqual(actual, expected), msg);
}

/** Fails when both are equal in type, shape and value. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  run(() => node.notDeepStrictEqual(actual, expected), msg);
}

/** Fails unless both are the same, by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  run(() => node.strictEqual(actual, expected), msg);
}

/** Fails unless the numbers are at most `tolerance` apart: a ten-millionth of `expected`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance: number = Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7,
  msg?: string,
): void {
  if (Object.is(actual, expected) || Math.abs(expected - actual) <= tolerance) return;
  refuse(`Expected ${actual} to be within ${tolerance} of ${expected}`, msg);
}

/** Fails unless `actual` > `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) refuse(`Expected ${show(actual)} > ${show(expected)}`, msg);
}

/** Fails unless `actual` >= `expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) refuse(`Expected ${show(actual)} >= ${show(expected)}`, msg);
}

/** Fails unless `actual` < `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) refuse(`Expected ${show(actual)} < ${show(expected)}`, msg);
}

/** Fails unless `actual` <= `expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) refuse(`Expected ${show(actual)} <= ${show(expected)}`, msg);
}

/** Fails when `actual` is null or undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    refuse(`Expected anything but null and undefined, found ${actual}`, msg);
  }
}

/** Fails unless `actual` is an instance of `expected`. */
export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any
  expected: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is T {
  if (!(actual instanceof expected)) {
    refuse(`Expected an instance of ${expected.name}, found ${show(actual)}`, msg);
  }
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected ${show(expected)} in:\n${actual}`, msg);
}

/** Fails unless `expected` matches somewhere in `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (actual.match(expected) === null) {
    refuse(`Expected a match of ${expected} in:\n${actual}`, msg);
  }
}

/** Fails unless `fn` throws. Returns the thrown value. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `errorClass` with these words in its message. Returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const expected = expectation(classOrMsg, msgIncludes, msg);
  try {
    fn();
  } catch (error) {
    return judge(error, expected);
  }
  refuse("Expected function to throw", expected.msg);
}

/** Fails unless the promise of `fn` is rejected. Resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise of `fn` is rejected with an `errorClass` with these words. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const expected = expectation(classOrMsg, msgIncludes, msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    refuse("Function throws when expected to reject", expected.msg);
  }
  try {
    await promise;
  } catch (error) {
    return judge(error, expected);
  }
  refuse("Expected function to reject", expected.msg);
}

interface Expectation {
  errorClass: Class<Error> | undefined;
  msgIncludes: string | undefined;
  msg: string | undefined;
}

/** The arguments after the function, in either of their two orders. */
function expectation(
  classOrMsg: Class<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): Expectation {
  return typeof classOrMsg === "string"
    ? { errorClass: undefined, msgIncludes: undefined, msg: classOrMsg }
    : { errorClass: classOrMsg, msgIncludes, msg };
}

function judge(error: unknown, { errorClass, msgIncludes, msg }: Expectation): unknown {
  if (errorClass === undefined) return error;
  if (!(error instanceof errorClass)) {
    refuse(`Expected ${errorClass.name} to be thrown, found ${show(error)}`, msg);
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    refuse(`Expected the message to include ${show(msgIncludes)}, found ${show(error)}`, msg);
  }
  return error;
}

/** True for a frame. Node would print, and compare, its 230,400 bytes a line each. */
function isLong(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.constructor === Uint8Array && value.length > 1024;
}

function assertLongEquals(actual: Uint8Array, expected: Uint8Array, msg?: string): void {
  const shorter = Math.min(actual.length, expected.length);
  let at = 0;
  while (at < shorter && actual[at] === expected[at]) at++;
  if (at === shorter && actual.length === expected.length) return;
  refuse(
    `Bytes differ from index ${at} on:\n` +
      `actual   (${actual.length} bytes): ${show(actual.slice(at, at + 16))}\n` +
      `expected (${expected.length} bytes): ${show(expected.slice(at, at + 16))}`,
    msg,
  );
}

/** Runs one of Node's assertions. Its message, with the diff, becomes the message of ours. */
function run(check: () => void, msg: string | undefined): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof node.AssertionError)) throw error;
    refuse(error.message, msg);
  }
}

function refuse(what: string, msg: string | undefined): never {
  throw new AssertionError(msg ? `${what}: ${msg}` : what);
}

function show(value: unknown): string {
  return inspect(value, { breakLength: Infinity });
}
