/** The mixing of voices by their times, without any clock. */

import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { SoundTrack } from "../lib/frame/sound_track.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

const RATE = 48_000;

function steady(value: number, length = 480): Int16Array {
  return new Int16Array(length).fill(value);
}

/** A frame that begins with a click. */
function click(): Int16Array {
  return Int16Array.from({ length: 480 }, (_, at) => at < 48 ? 20_000 : 0);
}

/** The times in milliseconds at which something begins after silence. */
function onsets(samples: Int16Array): number[] {
  const found: number[] = [];
  let silence = Infinity;
  samples.forEach((sample, at) => {
    if (Math.abs(sample) < 5000) return void silence++;
    if (silence > 480) found.push(at * 1000 / RATE);
    silence = 0;
  });
  return found;
}

/** All that a track gives for a voice whose frames come at these times, taken 100 ms later. */
function recorded(
  frames: Iterable<readonly [string, Int16Array, number]>,
  untilUs: number,
): Int16Array {
  const track = new SoundTrack();
  const parts: Int16Array[] = [];
  for (const [voice, frame, atUs] of frames) {
    parts.push(track.take(Math.min(atUs - 100_000, untilUs)));
    track.add(voice, frame, atUs);
  }
  parts.push(track.take(untilUs));
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

test("SoundTrack gives each sample once, and silence where nobody speaks", () => {
  const track = new SoundTrack();
  assertEquals(track.take(0).length, 0);
  track.add("peer", steady(7), 10_000);
  assertEquals(track.take(15_000), Int16Array.from({ length: 720 }, (_, at) => at < 480 ? 0 : 7));
  assertEquals(track.take(15_000).length, 0);
  assertEquals(track.take(10_000).length, 0);
  assertEquals(track.take(25_000), Int16Array.from({ length: 480 }, (_, at) => at < 240 ? 7 : 0));
  assertEquals(track.takenUs, 25_000);
  assertEquals(track.take(3_600e6).length, 3600 * RATE - 1200);
});

test("SoundTrack mixes voices, and cuts what is too loud", () => {
  const track = new SoundTrack();
  track.add("peer", steady(1000), 0);
  track.add("own", steady(-300), 0);
  track.add("peer", steady(30_000), 10_000);
  track.add("own", steady(30_000), 10_000);
  track.add("peer", steady(-30_000), 20_000);
  track.add("own", steady(-30_000), 20_000);
  const samples = track.take(30_000);
  assertEquals([samples[0], samples[480], samples[960]], [700, 32_767, -32_768]);
});

test("frames whose times have jitter follow one another without a gap", () => {
  const random = new Random(7);
  const frames = Array.from({ length: 500 }, (_, number) => {
    const atUs = 200_000 + number * 10_000 + (random.next() - 0.5) * 20_000;
    return ["peer", steady(1000), atUs] as const;
  });
  const samples = recorded(frames, 5_400_000);
  const speech = samples.subarray(samples.indexOf(1000), samples.lastIndexOf(1000));
  assert(speech.every((sample) => sample === 1000));
  assertLessOrEqual(Math.abs(speech.length - 500 * 480), 480 * 2);
});

for (const drift of [100e-6, -100e-6, 5e-3, -5e-3]) {
  test(`a microphone whose clock is ${drift * 1e6} ppm off: its clicks stay at their times`, () => {
    const seconds = Math.abs(drift) > 1e-3 ? 60 : 600;
    const random = new Random(9);
    function* frames(): Generator<readonly [string, Int16Array, number]> {
      // Each frame holds 480 samples of a clock that is off, and is captured when it is full.
      const frameUs = 10_000 * (1 + drift);
      for (let number = 0; number * frameUs < seconds * 1e6; number++) {
        const atUs = number * frameUs + random.next() * 3000;
        yield ["peer", number % 100 === 50 ? click() : steady(0), atUs];
      }
    }
    const heard = onsets(recorded(frames(), seconds * 1e6));
    const frameMs = 10 * (1 + drift);
    const said = heard.map((_, count) => (50 + count * 100) * frameMs);
    assertGreater(heard.length, seconds * 0.98);
    for (const [count, ms] of heard.entries()) {
      assertLessOrEqual(Math.abs(ms - said[count]!), 10, `click ${count} of ${heard.length}`);
    }
  });
}

test("a voice that was away goes on at its time", () => {
  const frames = [0, 1, 2, 300, 301].map((number) =>
    ["peer", click(), 1_000_000 + number * 10_000] as const
  );
  const heard = onsets(recorded(frames, 5_000_000));
  assertEquals(heard.map(Math.round), [1000, 4000]);
});

test("sound that comes too late is lost and counted, and the rest is heard", () => {
  const track = new SoundTrack();
  track.add("peer", steady(1), 0);
  track.take(500_000);
  track.add("peer", steady(2), 10_000);
  assertEquals(track.lost, 1);
  track.add("peer", steady(3), 495_000);
  assertEquals(track.take(510_000), Int16Array.from({ length: 480 }, (_, at) => at < 240 ? 3 : 0));
});

test("times that cannot be cost nothing but their frames", () => {
  const track = new SoundTrack();
  const times = [NaN, Infinity, -Infinity, 1e300, -1e300, 2 ** 53, 3_600e6, -3_600e6];
  for (const atUs of times) track.add("peer", steady(1), atUs);
  assertEquals(track.lost, times.length);
  track.add("peer", steady(5), 0);
  const samples = track.take(20_000);
  assertEquals([samples[0], samples[479], samples[480]], [5, 5, 0]);
});
