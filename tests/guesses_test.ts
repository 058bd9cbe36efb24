import { assert, assertEquals } from "@std/assert";
import { Guesses, type GuessPlace } from "../lib/wire/guesses.ts";
import { until } from "./harness.ts";
import { test } from "./strict.ts";

/** A limit whose clock stands, unless the test sets it, and whose callers wait for a moment. */
function openGuesses(): { guesses: Guesses; set: (ms: number) => void } & Disposable {
  let nowMs = 0;
  const guesses = new Guesses({ nowMs: () => nowMs, waitMs: 100 });
  return {
    guesses,
    set: (ms) => nowMs = ms,
    [Symbol.dispose]: () => guesses[Symbol.dispose](),
  };
}

/** Takes places until nobody is given one. */
async function takeAll(guesses: Guesses, host = "10.0.0.9"): Promise<GuessPlace[]> {
  const places: GuessPlace[] = [];
  for (let given = 0; given < 20; given++) places.push((await guesses.take(host))!);
  return places;
}

/** Notes the names of callers in the order in which they are given places. */
function note(order: string[], name: string, place: Promise<GuessPlace | undefined>): void {
  void place.then((given) => given && order.push(name));
}

test("Guesses: 20 places, then one a second, whatever becomes of them", async () => {
  using open = openGuesses();
  const { guesses } = open;
  for (const place of await takeAll(guesses)) place.use();
  const order: string[] = [];
  note(order, "next", guesses.take("10.0.0.9"));
  await guesses.take("10.0.0.8").then((late) => assertEquals(late, undefined));
  assertEquals(order, []);
  open.set(3500);
  for (const place of [await guesses.take("a"), await guesses.take("b"), await guesses.take("c")]) {
    assert(place);
    place.use();
  }
  assertEquals(await guesses.take("d"), undefined);
});

test("Guesses: a place that is given back is the next caller's, once", async () => {
  using open = openGuesses();
  const [first, ...others] = await takeAll(open.guesses);
  const waiting = open.guesses.take("10.0.0.7");
  first!.giveBack();
  assert(await waiting);
  first!.giveBack();
  others[0]!.use();
  others[0]!.giveBack();
  assertEquals(await open.guesses.take("10.0.0.6"), undefined);
});

test("Guesses: places that are taken do not grow anew meanwhile", async () => {
  using open = openGuesses();
  const places = await takeAll(open.guesses);
  open.set(1_000_000);
  assertEquals(await open.guesses.take("10.0.0.7"), undefined);
  for (const place of places) place.giveBack();
  for (const place of await takeAll(open.guesses)) place.use();
  assertEquals(await open.guesses.take("10.0.0.7"), undefined);
});

test("Guesses: an address without a place comes first, and of one address the newest", async () => {
  using open = openGuesses();
  const places = await takeAll(open.guesses, "10.0.0.9");
  const order: string[] = [];
  note(order, "crowd, old", open.guesses.take("10.0.0.9"));
  note(order, "other, old", open.guesses.take("10.0.0.8"));
  note(order, "other, new", open.guesses.take("10.0.0.8"));
  note(order, "crowd, new", open.guesses.take("10.0.0.9"));
  for (const place of places.slice(0, 4)) place.giveBack();
  await until("four places", () => order.length === 4 || undefined);
  assertEquals(order, ["other, new", "crowd, new", "other, old", "crowd, old"]);
});

test("Guesses: whoever waits when it is over is told so", async () => {
  using open = openGuesses();
  await takeAll(open.guesses);
  const waiting = open.guesses.take("10.0.0.7");
  open.guesses[Symbol.dispose]();
  assertEquals(await waiting, undefined);
  assertEquals(await open.guesses.take("10.0.0.7"), undefined);
});
