/** Puts the pictures and the sound of a source into one list of frames. */

import type { Frame } from "../frame/frame.ts";

/**
 * The frames of both, as they come, until there are no more pictures. A frame of each is asked for
 * once the one before it is taken. Throws what either throws.
 */
export async function* merged(
  pictures: AsyncGenerator<Frame, void, undefined>,
  sound: AsyncGenerator<Frame, void, undefined>,
): AsyncGenerator<Frame, void, undefined> {
  type Arrival = {
    readonly from: typeof pictures;
    readonly result: Promise<IteratorResult<Frame>>;
  };
  const arrivals: Arrival[] = [];
  let wake = Promise.withResolvers<void>();
  const ask = (from: typeof pictures): void => {
    const result = from.next();
    const arrive = (): void => {
      arrivals.push({ from, result });
      wake.resolve();
    };
    result.then(arrive, arrive);
  };
  ask(pictures);
  ask(sound);
  while (true) {
    await wake.promise;
    wake = Promise.withResolvers();
    for (const { from, result } of arrivals.splice(0)) {
      const { value, done } = await result;
      if (!done) {
        yield value;
        ask(from);
      } else if (from === pictures) return;
    }
  }
}
