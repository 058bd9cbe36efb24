/** Waiting for an event, with a bound. */

import { pause } from "../../lib/clock.ts";

/**
 * Milliseconds that an event is waited for before it counts as failed: generous, for slow and busy
 * machines.
 */
export const PATIENCE_MS = 30_000;

/** Looks again and again, that long apart, until there is a result; for 30 s. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  apartMs = 20,
): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(apartMs);
  }
  throw new Error(`Cannot find ${what}: it did not come in ${PATIENCE_MS / 1000} s`);
}
