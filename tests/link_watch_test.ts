import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { LinkWatch } from "../lib/wire/link_watch.ts";
import { test } from "./strict.ts";

/**
 * The moments, in milliseconds, at which a watch speaks. `share` is the part of 20 frames a second
 * that is carried.
 */
function told(seconds: number, share: (atMs: number) => number): number[] {
  const watch = new LinkWatch();
  const moments: number[] = [];
  let [sent, dropped, owed] = [0, 0, 0];
  for (let atMs = 0; atMs < seconds * 1000; atMs += 50) {
    owed += share(atMs);
    const carried = owed >= 1 ? 1 : 0;
    owed -= carried;
    sent += carried;
    dropped += 1 - carried;
    if (atMs % 250 === 0 && watch.look({ sent, dropped }, atMs)) moments.push(atMs);
  }
  return moments;
}

test("link watch: a link that drops more than it carries is told of once, after 5 s", () => {
  for (const share of [0.4, 0.13, 0.05]) {
    const [first, ...more] = told(60, () => share);
    assert(first !== undefined && first >= 5000, `${share}: ${first}`);
    assertLessOrEqual(first, 8000);
    assertEquals(more, []);
  }
});

test("link watch: one that carries a frame in three seconds, too", () => {
  assertEquals(told(60, () => 1 / 60).length, 1);
});

test("link watch: a link that carries half or more is none of these", () => {
  for (const share of [1, 0.9, 0.6, 0.52]) assertEquals(told(120, () => share), [], `${share}`);
});

test("link watch: a stop, however long, is no narrow link", () => {
  for (const stopMs of [500, 1500, 2500, 4000, 6000, 20_000]) {
    for (let fromMs = 3000; fromMs < 6000; fromMs += 250) {
      const moments = told(60, (atMs) => atMs >= fromMs && atMs < fromMs + stopMs ? 0 : 1);
      assertEquals(moments, [], `${stopMs} ms from ${fromMs} ms on`);
    }
  }
});

test("link watch: a link that gets narrow in the middle of a call is told of then", () => {
  const [moment] = told(60, (atMs) => atMs < 30_000 ? 1 : 0.1);
  assert(moment !== undefined && moment >= 35_000 && moment <= 38_500, `${moment}`);
});

test("link watch: a camera or an encoder that gives fewer frames drops none", () => {
  const watch = new LinkWatch();
  for (let atMs = 0; atMs < 60_000; atMs += 250) {
    assertEquals(watch.look({ sent: Math.floor(atMs / 1000), dropped: 0 }, atMs), false);
  }
});
