/** Time that a test need not wait for. */

/**
 * Makes every interval shorter by that factor that begins during its life: five seconds of silence
 * are soon over.
 */
export function quickened(times: number): Disposable {
  const real = globalThis.setInterval;
  const quick = (run: () => void, everyMs?: number): ReturnType<typeof setInterval> =>
    real(run, (everyMs ?? 0) / times);
  globalThis.setInterval = quick as typeof setInterval;
  return { [Symbol.dispose]: (): void => void (globalThis.setInterval = real) };
}

/**
 * A clock that stands where it is set, in microseconds as `nowUs()` says them, until it is disposed
 * of.
 */
export class SetClock implements Disposable {
  readonly #real = performance.now;
  /** The moment. */
  us: number;

  constructor(us: number) {
    this.us = us;
    performance.now = () => this.us / 1000 - performance.timeOrigin;
  }

  [Symbol.dispose](): void {
    performance.now = this.#real;
  }
}

/**
 * A clock that is set forward by hand, until it is disposed of. It also runs by itself, unless it
 * is to stand.
 */
export class FakeTime implements Disposable {
  readonly #real = performance.now;
  /** Milliseconds that it is ahead of the real one. */
  forwardMs = 0;

  constructor({ stands = false } = {}) {
    const startMs = performance.now();
    performance.now = () => (stands ? startMs : this.#real.call(performance)) + this.forwardMs;
  }

  [Symbol.dispose](): void {
    performance.now = this.#real;
  }
}
