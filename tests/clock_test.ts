import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { Patience, pause } from "../lib/clock.ts";
import { test } from "./strict.ts";

const never = (): Promise<string> => new Promise(() => {});

test("Patience gives what comes in time, and nothing where nothing comes", async () => {
  using patience = new Patience(60);
  assertEquals(await patience.within(Promise.resolve("first")), "first");
  assertEquals(await patience.within(never()), undefined);
  assertEquals(await patience.within(Promise.resolve("later")), "later");
});

test("Patience counts each wait from its own beginning", async () => {
  using patience = new Patience(200);
  for (let count = 0; count < 3; count++) {
    assertEquals(await patience.within(pause(120).then(() => "came")), "came");
  }
  const startMs = performance.now();
  assertEquals(await patience.within(never()), undefined);
  // A timer may be a millisecond early.
  assertGreaterOrEqual(performance.now() - startMs, 190);
});

test("Patience hands on an error", async () => {
  using patience = new Patience(60_000);
  const failed = await patience.within(Promise.reject(new Error("no"))).catch((error) => error);
  assertEquals(failed.message, "no");
});
