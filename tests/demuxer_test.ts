import { assertEquals } from "@std/assert";
import { within } from "../lib/clock.ts";
import type { AviFrame } from "../lib/media/avi.ts";
import { Demuxer, type NumberedFrame } from "../lib/media/demuxer.ts";
import { SoundPacer } from "../lib/media/pacing.ts";
import { test } from "./strict.ts";

/** A pipe with pictures (`p`) and sound (`s`) in this order, and the count of frames read. */
function pipe(order: string, kind: "file" | "live" = "file"): { demuxer: Demuxer; read: number } {
  const pipe = {
    read: 0,
    demuxer: new Demuxer((): Promise<AviFrame | null> => {
      const letter = order[pipe.read];
      if (letter === undefined) return Promise.resolve(null);
      const stream = letter === "p" ? 0 : 1;
      return Promise.resolve({ stream, data: new Uint8Array([pipe.read++]) });
    }, kind),
  };
  return pipe;
}

const place = (frame: NumberedFrame | null): number | undefined => frame?.data[0];

test("demuxer: pictures and sound come in their order, each with its number, to the end", async () => {
  const { demuxer } = pipe("psspspp");
  const both = [demuxer.nextSound(), demuxer.nextPicture(), demuxer.nextSound()];
  assertEquals((await Promise.all(both)).map(place), [1, 0, 2]);
  assertEquals(await demuxer.nextSound(), { data: new Uint8Array([4]), number: 2 });
  assertEquals(await demuxer.nextPicture(), { data: new Uint8Array([3]), number: 1 });
  assertEquals(await demuxer.nextSound(), null);
  assertEquals(await demuxer.nextPicture(), { data: new Uint8Array([5]), number: 2 });
  assertEquals(place(await demuxer.nextPicture()), 6);
  assertEquals(await demuxer.nextPicture(), null);
});

test("demuxer: who waits for sound reads no more than some pictures ahead", async () => {
  const one = pipe("p".repeat(100) + "s");
  const sound = one.demuxer.nextSound();
  assertEquals(await within(sound, 20), undefined);
  assertEquals(one.read, 8);
  for (let count = 0; count < 100; count++) {
    assertEquals(place(await one.demuxer.nextPicture()), count);
  }
  assertEquals(place(await sound), 100);
});

test("demuxer: who waits for a picture is not kept by sound that nobody takes; the oldest is dropped", async () => {
  const one = pipe("s".repeat(100) + "p", "live");
  assertEquals(place(await one.demuxer.nextPicture()), 100);
  assertEquals(one.demuxer.soundWaiting, 25);
  assertEquals(await one.demuxer.nextSound(), { data: new Uint8Array([75]), number: 75 });
  one.demuxer.dropSound(4);
  assertEquals((await one.demuxer.nextSound())?.number, 80);
  one.demuxer.dropSound();
  assertEquals(await one.demuxer.nextSound(), null);
});

test("demuxer: ended, nobody waits any more", async () => {
  const one = pipe("p".repeat(100));
  const sound = one.demuxer.nextSound();
  assertEquals(await within(sound, 20), undefined);
  one.demuxer.end();
  assertEquals(await sound, null);
});

test("sound pacer: frames that always wait are left out, those of large packets are not", () => {
  const packets = new SoundPacer(new AbortController().signal);
  const stalled = new SoundPacer(new AbortController().signal);
  let left = 0;
  for (let frame = 0; frame < 1000; frame++) {
    // A packet of 170 ms each 170 ms.
    assertEquals(packets.surplus(16 - frame % 17), 0);
    const surplus = stalled.surplus(25 - left);
    left += surplus;
    if (frame < 49) assertEquals(surplus, 0);
  }
  assertEquals(left, 25);
});
