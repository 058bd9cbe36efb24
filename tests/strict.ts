/**
 * How every test of this project is declared: with Deno's sanitizers on, which are off by default since 2.8. A test that
 * leaves a timer, a read, a socket or a child behind fails, whatever it found.
 */

/** Declares a test. `ignore` leaves it out where this machine lacks what it needs. */
export function test(
  name: string,
  fn: () => void | Promise<void>,
  options: { ignore?: boolean } = {},
): void {
  Deno.test({
    name,
    fn,
    ignore: options.ignore ?? false,
    sanitizeOps: true,
    sanitizeResources: true,
  });
}
