/**
 * The one way to declare a test of this project: with Deno's sanitizers on, which are off by
 * default since 2.8. A test that leaves a timer, a read, a socket or a child behind fails, whatever
 * it found.
 *
 * `TESTS` in the environment chooses a part of the tests: `quick` (`deno task test`), or `loud` and
 * then `quiet` (`deno task ok`). Without it all are run.
 */

/** The way a test is run. */
export interface Manner {
  /** Leaves it out if this machine lacks a tool for it. */
  readonly ignore?: boolean;
  /** It takes five seconds or more, nearly all of it waiting. `quick` leaves it out. */
  readonly slow?: boolean;
  /**
   * It holds each frame or its delay to account, and wants few others beside it. `quick` leaves it
   * out.
   */
  readonly quiet?: boolean;
}

const part = Deno.env.get("TESTS");

/** Declares a test. */
export function test(name: string, fn: () => void | Promise<void>, manner: Manner = {}): void {
  const { ignore = false, slow = false, quiet = false } = manner;
  // A test of the other part is not a skipped test.
  if (part === (quiet ? "loud" : "quiet")) return;
  Deno.test({
    name,
    fn,
    ignore: ignore || (part === "quick" && (slow || quiet)),
    sanitizeOps: true,
    sanitizeResources: true,
  });
}
