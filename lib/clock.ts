/**
 * Time: the one clock of the program, which never goes back and which no setting of the system's time moves, and waiting
 * with a bound.
 */

/** Microseconds since 1970 by the system's time when the program started, and steady since. */
export function nowUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** A running timer. */
export type Timer = ReturnType<typeof setTimeout>;

/** Waits for a promise, but no longer than that: `undefined` when the time is over first. */
export async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: Timer | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits that long. */
export function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}
