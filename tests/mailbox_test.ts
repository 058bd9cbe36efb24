import { assert, assertEquals, assertFalse, assertLess } from "@std/assert";
import type { Frame } from "../lib/frame/frame.ts";
import { FrameQueue, NewestFrame, newestOptions } from "../lib/frame/mailbox.ts";
import { test } from "./strict.ts";

/** True if a promise is settled once all pending work has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  return settled;
}

test("NewestFrame gives the last item pushed and counts those it replaced", async () => {
  const box = new NewestFrame<string>();
  for (const item of ["a", "b", "c"]) box.push(item);
  assertEquals(await box.take(), "c");
  assertEquals(box.dropped, 2);
  box.push("d");
  assertEquals(await box.take(), "d");
  assertEquals(box.dropped, 2);
});

test("NewestFrame gives each item once: who takes again waits for the next", async () => {
  const box = new NewestFrame<string>();
  box.push("a");
  assertEquals(await box.take(), "a");
  const next = box.take();
  assertFalse(await isSettled(next));
  box.push("b");
  assertEquals(await next, "b");
  box.push("c");
  box.push("d");
  assertEquals(await box.take(), "d");
  assertEquals(box.dropped, 1);
});

test("NewestFrame holds items that are false by nature", async () => {
  const box = new NewestFrame<number>();
  box.push(0);
  assertEquals(await box.take(), 0);
  const waiting = box.take();
  box.push(0);
  assertEquals(await waiting, 0);
});

test("NewestFrame.close() drops what waits, wakes who waits, and is safe twice", async () => {
  const full = new NewestFrame<string>();
  full.push("a");
  full.close();
  full.close();
  assertEquals(await full.take(), undefined);
  full.push("b");
  assertEquals(await full.take(), undefined);

  const empty = new NewestFrame<string>();
  const waiting = empty.take();
  empty.close();
  assertEquals(await waiting, undefined);
  assertEquals(empty.dropped, 0);
});

/** A place for three, where only capital letters stand alone. */
function openThree(): NewestFrame<string> {
  return new NewestFrame({ room: 3, standsAlone: (item) => item === item.toUpperCase() });
}

/** All items that wait. */
function drain<T>(box: NewestFrame<T>): T[] {
  const items: T[] = [];
  for (let item = box.poll(); item !== undefined; item = box.poll()) items.push(item);
  return items;
}

test("NewestFrame with room for three gives three in order, and shows the first beforehand", async () => {
  const box = openThree();
  assertEquals(box.next, undefined);
  assertEquals(box.poll(), undefined);
  for (const item of ["A", "b", "c"]) box.push(item);
  assertEquals(box.next, "A");
  assertEquals(box.poll(), "A");
  assertEquals(await box.take(), "b");
  assertEquals(box.next, "c");
  box.push("d");
  box.push("e");
  assertEquals(drain(box), ["c", "d", "e"]);
  assertEquals(box.dropped, 0);
});

test("NewestFrame with too many drops all of them, and more up to one that stands alone", () => {
  const box = openThree();
  for (const item of ["A", "b", "c", "d", "e"]) box.push(item);
  assertEquals(box.next, undefined);
  assertEquals(box.dropped, 5);
  for (const item of ["F", "g"]) box.push(item);
  assertEquals(drain(box), ["F", "g"]);
  assertEquals(box.dropped, 5);
});

test("NewestFrame that is full keeps one that stands alone when it comes, and only that", () => {
  const box = openThree();
  for (const item of ["A", "b", "c", "D"]) box.push(item);
  assertEquals(drain(box), ["D"]);
  assertEquals(box.dropped, 3);
});

test("NewestFrame gives who waits nothing that needs what was dropped", async () => {
  const box = openThree();
  for (const item of ["A", "b", "c", "d"]) box.push(item);
  const waiting = box.take();
  box.push("e");
  assertFalse(await isSettled(waiting));
  box.push("F");
  assertEquals(await waiting, "F");
  assertEquals(box.dropped, 5);
});

test("newestOptions() are one frame, or some tenths of a second where frames need each other", () => {
  const frame = (keyframe: boolean): Frame => ({
    stream: 0,
    data: new Uint8Array(1),
    captureUs: 0,
    sequence: 0,
    keyframe,
  });
  for (const codec of ["raw", "mjpeg"] as const) {
    const { room, standsAlone } = newestOptions({ codec, fps: 20 }, 0.4);
    assertEquals([room, standsAlone], [undefined, undefined]);
  }
  const { room, standsAlone } = newestOptions({ codec: "h264", fps: 20 }, 0.4);
  assertEquals(room, 8);
  assertEquals([standsAlone?.(frame(true)), standsAlone?.(frame(false))], [true, false]);
  assertEquals(newestOptions({ codec: "h264", fps: 1 }, 0.4).room, 2);
});

test("NewestFrame begins anew with the first that stands alone, whether it waits or comes", () => {
  const box = openThree();
  for (const item of ["A", "b"]) box.push(item);
  assertEquals(box.poll(), "A");
  box.push("C");
  box.push("d");
  box.restart();
  assertEquals(drain(box), ["C", "d"]);
  for (const item of ["e", "f"]) box.push(item);
  box.restart();
  box.push("g");
  assertEquals(box.next, undefined);
  box.push("H");
  assertEquals(drain(box), ["H"]);
  assertEquals(box.dropped, 4);
});

test("NewestFrame tells of each item that it drops, and of no other", () => {
  const dropped: string[] = [];
  const box = new NewestFrame<string>({
    room: 2,
    standsAlone: (item) => item === item.toUpperCase(),
    onDrop: (item) => dropped.push(item),
  });
  for (const item of ["A", "b", "c", "d", "E"]) box.push(item);
  assertEquals(dropped, ["A", "b", "c", "d"]);
  assertEquals(box.dropped, 4);
  assertEquals(box.poll(), "E");
  box.push("f");
  box.close();
  box.push("g");
  assertEquals(dropped, ["A", "b", "c", "d", "f"]);
  assertEquals(box.dropped, 5);
});

test("FrameQueue gives every item in order", async () => {
  const queue = new FrameQueue<number>(100, 1000);
  for (let item = 0; item < 100; item++) assert(queue.push(item, 1));
  for (let item = 0; item < 100; item++) assertEquals(await queue.take(), item);
});

test("FrameQueue takes as much as its bound, and nothing of one byte more", () => {
  const queue = new FrameQueue<string>(100, 1000);
  assert(queue.push("a", 60));
  assert(queue.hasRoom(40));
  assertFalse(queue.hasRoom(41));
  assertFalse(queue.push("b", 41));
  assert(queue.push("c", 40));
  assertFalse(queue.hasRoom(1));
  assert(queue.hasRoom(0));
  assertFalse(queue.push("d", 1));
});

test("FrameQueue drops the new, never the old, and has room again after a take", async () => {
  const queue = new FrameQueue<string>(100, 1000);
  queue.push("a", 50);
  queue.push("b", 50);
  queue.push("c", 50);
  assertEquals(await queue.take(), "a");
  assert(queue.push("d", 50));
  assertEquals(await queue.take(), "b");
  assertEquals(await queue.take(), "d");
});

test("FrameQueue takes a single item whatever it weighs, and no second beside it", async () => {
  const queue = new FrameQueue<string>(100, 1000);
  assert(queue.hasRoom(101));
  assert(queue.push("a", 101));
  assertFalse(queue.push("b", 1));
  assertEquals(await queue.take(), "a");
  assert(queue.push("c", 1000));
  assertEquals(await queue.take(), "c");
});

test("FrameQueue hands an item to who waits without weighing it", async () => {
  const queue = new FrameQueue<string>(100, 1000);
  const waiting = queue.take();
  assertFalse(await isSettled(waiting));
  assert(queue.push("a", 100));
  assertEquals(await waiting, "a");
  assert(queue.hasRoom(100));
  assert(queue.push("b", 100));
});

test("FrameQueue.close() takes nothing more, but what waits can be taken", async () => {
  const queue = new FrameQueue<string>(100, 1000);
  queue.push("a", 1);
  queue.push("b", 1);
  queue.close();
  queue.close();
  assertFalse(queue.hasRoom(0));
  assertFalse(queue.push("c", 1));
  assertEquals(await queue.take(), "a");
  assertEquals(await queue.take(), "b");
  assertEquals(await queue.take(), undefined);

  const empty = new FrameQueue<string>(100, 1000);
  const waiting = empty.take();
  empty.close();
  assertEquals(await waiting, undefined);
});

test("FrameQueue takes as many as its bound, however little they weigh", async () => {
  const queue = new FrameQueue<number>(100, 3);
  for (const item of [0, 1, 2]) assert(queue.push(item, 0));
  assertFalse(queue.hasRoom(0));
  assertFalse(queue.push(3, 0));
  assertEquals(await queue.take(), 0);
  assert(queue.push(4, 0));
  assertFalse(queue.push(5, 0));
  assertEquals([await queue.take(), await queue.take(), await queue.take()], [1, 2, 4]);
});

test("FrameQueue.abandon() gives what waits, in order, and ends it", async () => {
  const queue = new FrameQueue<string>(100, 100);
  for (const item of ["a", "b", "c"]) queue.push(item, 10);
  assertEquals(await queue.take(), "a");
  assertEquals(queue.abandon(), ["b", "c"]);
  assertEquals([queue.bytes, queue.push("d", 1)], [0, false]);
  assertEquals(await queue.take(), undefined);
  assertEquals(queue.abandon(), []);

  const empty = new FrameQueue<string>(100, 100);
  const waiting = empty.take();
  assertEquals(empty.abandon(), []);
  assertEquals(await waiting, undefined);
});

test("both mailboxes give each item in constant time, and in order, taken and pushed by turns", async () => {
  const many = 300_000;
  const queue = new FrameQueue<number>(many, many);
  const newest = new NewestFrame<number>({ room: many });
  const startMs = performance.now();
  let given = 0;
  for (let item = 0; item < many; item++) {
    queue.push(item, 1);
    newest.push(item);
    if (item % 3 !== 2) continue;
    assertEquals([await queue.take(), newest.poll()], [given, given]);
    given++;
  }
  while (newest.next !== undefined) {
    assertEquals([await queue.take(), newest.poll()], [given, given]);
    given++;
  }
  assertEquals(given, many);
  assertEquals(newest.dropped, 0);
  // It takes half a second on a machine on which `Array.shift` takes half a minute.
  assertLess(performance.now() - startMs, 15_000);
});
