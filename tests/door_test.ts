import { assert, assertEquals, assertFalse } from "@std/assert";
import { Door, TellLimit } from "../lib/wire/door.ts";
import type { Connection } from "../lib/wire/wire.ts";
import { test } from "./strict.ts";

/** A connection that only notes that it was closed. */
function closable(): Connection & { readonly closed: boolean } {
  let closed = false;
  return {
    read: (): Promise<null> => Promise.resolve(null),
    write: (data): Promise<number> => Promise.resolve(data.length),
    closeWrite: (): Promise<void> => Promise.resolve(),
    close: (): void => void (closed = true),
    get closed(): boolean {
      return closed;
    },
  };
}

test("one address fills the door only for itself, however many come", () => {
  const door = new Door(64);
  const honest = closable();
  door.enter(honest, "10.0.0.7");
  const strangers = Array.from({ length: 1000 }, closable);
  for (const stranger of strangers) door.enter(stranger, "10.0.0.66");
  assertFalse(honest.closed);
  assertEquals(door.size, 64);
  // The newest 63 of them are still there.
  assertEquals(strangers.findIndex(({ closed }) => !closed), 1000 - 63);
});

test("of the address that has most at the door, the oldest is turned out", () => {
  const door = new Door(5);
  const [a1, b1, b2, b3, a2] = Array.from({ length: 5 }, closable);
  const hosts = ["a", "b", "b", "b", "a"];
  [a1, b1, b2, b3, a2].forEach((one, index) => door.enter(one!, hosts[index]!));
  const [c1, c2, c3] = Array.from({ length: 3 }, closable);
  door.enter(c1!, "c");
  assertEquals([a1, b1, b2, b3, a2].map((one) => one!.closed), [false, true, false, false, false]);
  // Now two addresses have as many callers: the oldest of all of these goes.
  door.enter(c2!, "c");
  assertEquals([a1, b2, b3, a2].map((one) => one!.closed), [true, false, false, false]);
  door.leave(b2!);
  door.enter(c3!, "d");
  assertEquals([b2, b3, a2, c1, c2].map((one) => one!.closed), Array(5).fill(false));
});

test("whoever has left the door is not turned out, and everybody else is in the end", () => {
  const door = new Door();
  const [answered, waiting] = [closable(), closable()];
  door.enter(answered, "a");
  door.enter(waiting, "a");
  door.leave(answered);
  door.leave(answered);
  door.clear();
  assertEquals([answered.closed, waiting.closed, door.size], [false, true, 0]);
});

test("a caller whose connection is closed already is turned out like the others", () => {
  const door = new Door(2);
  const gone = (): Connection => ({
    ...closable(),
    close: (): void => {
      throw new Deno.errors.BadResource("Bad resource ID");
    },
  });
  const waiting = closable();
  door.enter(gone(), "a");
  door.enter(gone(), "a");
  door.enter(gone(), "a");
  door.enter(waiting, "b");
  door.clear();
  assertEquals([waiting.closed, door.size], [true, 0]);
});

test("twenty strangers are told of at once, then one each three seconds; the rest is counted", () => {
  let nowMs = 1000;
  const limit = new TellLimit(() => nowMs);
  const told = (count: number): number =>
    Array.from({ length: count }, () => limit.take()).filter(Boolean).length;
  assertEquals(told(500), 20);
  nowMs += 3000;
  assertEquals(told(500), 1);
  nowMs += 1_000_000;
  assertEquals(told(500), 20);
  limit.skip();
  limit.skip();
  assertEquals([limit.takeUntold(), limit.takeUntold()], [2, 0]);
  nowMs += 3000;
  assert(limit.take());
});
