/**
 * Time: the program's one clock, and waiting with a bound. The clock never goes back, and no
 * setting of the system's time moves it.
 */

/**
 * Microseconds since 1970. They follow the system's time at the program's start, and run steadily
 * from there.
 */
export function nowUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** A running timer. */
export type Timer = ReturnType<typeof setTimeout>;

/**
 * Waits for a promise, but no longer than that. Resolves to `undefined` if the time is over first.
 */
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

/**
 * `within` for waits that follow each other closely, one at a time. They share a timer: to set one
 * for each frame of sound costs as much as to read the frame (measured).
 */
export class Patience {
  readonly #timeoutMs: number;
  #timer: Timer | undefined;
  #dueMs = Infinity;
  #giveUp: () => void = () => {};

  /** A bound for each wait, in milliseconds. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Waits for a promise, but no longer than the bound. Resolves to `undefined` if it is over. */
  async within<T>(promise: Promise<T>): Promise<T | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    this.#giveUp = (): void => resolve(undefined);
    this.#dueMs = performance.now() + this.#timeoutMs;
    this.#timer ??= setTimeout(() => this.#look(), this.#timeoutMs);
    try {
      return await Promise.race([promise, late]);
    } finally {
      this.#dueMs = Infinity;
    }
  }

  /** Waits for nothing any more. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const leftMs = this.#dueMs - performance.now();
    if (leftMs <= 0) this.#giveUp();
    else if (leftMs < Infinity) this.#timer = setTimeout(() => this.#look(), leftMs);
  }
}

/** Waits that many milliseconds, or until the signal. */
export function pause(timeMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, timeMs);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
