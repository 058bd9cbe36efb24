import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FramePool } from "../lib/frame/pool.ts";
import { test } from "./strict.ts";

test("FramePool gives memory again once nobody holds what was in it", () => {
  const pool = new FramePool(100);
  const memory = pool.take();
  assertEquals(memory.length, 100);
  const lease = pool.lease(memory);
  lease.hold();
  lease.letGo();
  assert(pool.take() !== memory);
  lease.letGo();
  assertStrictEquals(pool.take(), memory);
  assert(pool.take() !== memory);
});

test("FramePool keeps no more than a few buffers that nobody needs", () => {
  const pool = new FramePool(1);
  const used = Array.from({ length: 100 }, () => pool.take());
  for (const memory of used) pool.lease(memory).letGo();
  const known = new Set(used);
  let again = 0;
  while (known.has(pool.take())) again++;
  assert(again > 0 && again < 20, `${again}`);
});

test("a lease that is let go once too often is refused: another frame may be there by now", () => {
  const lease = new FramePool(1).lease(new Uint8Array(1));
  lease.letGo();
  assertThrows(() => lease.letGo(), Error, "nobody holds");
});
