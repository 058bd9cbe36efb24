/** The choice of a codec on links made by hand, in no time. */

import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { type Codec, CODECS, DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { CodecChoice } from "../lib/wire/codec_choice.ts";
import { LinkRate, SendWindow } from "../lib/wire/send_window.ts";
import { test } from "./strict.ts";

/** Bytes of a picture of 320 x 240 in each codec: a moving test picture, measured. */
const BYTES: Readonly<Record<Codec, number>> = { raw: 230_400, mjpeg: 14_000, h264: 2800 };

/** Bytes a millisecond of a link of so many Mbit/s. */
function mbits(rate: number): number {
  return rate * 125;
}

interface Link {
  /** Bytes a millisecond at that time. */
  readonly rate: (ms: number) => number;
  /** Milliseconds there and back. */
  readonly roundTripMs?: number;
  /** Milliseconds of more delay for an ack at that time. */
  readonly jitterMs?: (ms: number) => number;
}

/** Each change of the codec on a link, with its time, and the codec at the end. */
function changes(
  { rate, roundTripMs = 1, jitterMs = () => 0 }: Link,
  seconds: number,
  codecs: readonly Codec[] = CODECS,
): { readonly all: readonly (readonly [number, Codec])[]; readonly settled: readonly Codec[] } {
  const linkRate = new LinkRate();
  const windows = new Map(codecs.map((codec) => [codec, new SendWindow(linkRate)]));
  const choice = new CodecChoice(DEFAULT_FORMAT, codecs);
  const all: (readonly [number, Codec])[] = [];
  const settled: Codec[] = [];
  const acks: { readonly atMs: number; readonly codec: Codec; readonly sequence: number }[] = [];
  const facts = { sent: 0, dropped: 0, pictureBytes: 0 };
  let codec: Codec = "mjpeg";
  let waiting = false;
  let freeMs = 0;
  for (let ms = 0; ms < seconds * 1000; ms++) {
    while (acks[0] && acks[0].atMs <= ms) {
      const { codec, sequence, atMs } = acks.shift()!;
      windows.get(codec)!.acknowledged(sequence, atMs);
    }
    if (ms % 50 === 0) {
      if (waiting) facts.dropped++;
      waiting = true;
    }
    const bytes = BYTES[codec];
    if (waiting && windows.get(codec)!.hasRoom(bytes, ms)) {
      waiting = false;
      windows.get(codec)!.sent(facts.sent, bytes, ms);
      // 96 kB of PCM a second, or little Opus, take their part of the link.
      const free = Math.max(rate(ms) - (codec === "h264" ? 7 : 105), rate(ms) / 10);
      freeMs = Math.max(freeMs, ms) + bytes / free;
      acks.push({ atMs: freeMs + roundTripMs + jitterMs(ms), codec, sequence: facts.sent });
      facts.sent++;
      facts.pictureBytes += bytes;
    }
    if (ms % 100 !== 0) continue;
    const known = linkRate.isKnown ? linkRate.best(ms) : undefined;
    const news = choice.look({ ...facts, linkRate: known, roundTripMs }, ms);
    if (news === undefined) continue;
    codec = news.codec;
    all.push([ms, codec]);
    if (!news.isTry) settled.push(codec);
    assertEquals(news.sound, codec === "h264" ? "opus" : "pcm");
  }
  return { all, settled };
}

const STEADY: readonly (readonly [string, Link, Codec])[] = [
  ["loopback", { rate: () => mbits(4000), roundTripMs: 0.5 }, "raw"],
  ["loopback on a busy machine", { rate: () => mbits(4000), roundTripMs: 3 }, "raw"],
  ["a gigabit", { rate: () => mbits(940), roundTripMs: 1 }, "raw"],
  ["Wi-Fi of 200 Mbit/s", { rate: () => mbits(200), roundTripMs: 3 }, "raw"],
  ["a gigabit at 10 ms", { rate: () => mbits(940), roundTripMs: 10 }, "raw"],
  ["a gigabit at 35 ms", { rate: () => mbits(940), roundTripMs: 35 }, "mjpeg"],
  ["5 Mbit/s at 20 ms", { rate: () => mbits(5), roundTripMs: 20 }, "mjpeg"],
  ["20 Mbit/s at 35 ms", { rate: () => mbits(20), roundTripMs: 35 }, "mjpeg"],
  ["50 Mbit/s", { rate: () => mbits(50) }, "mjpeg"],
  ["20 Mbit/s", { rate: () => mbits(20) }, "mjpeg"],
  ["5 Mbit/s", { rate: () => mbits(5) }, "mjpeg"],
  ["2 Mbit/s", { rate: () => mbits(2) }, "h264"],
  ["1 Mbit/s", { rate: () => mbits(1) }, "h264"],
  ["1 Mbit/s from afar", { rate: () => mbits(1), roundTripMs: 60 }, "h264"],
];

for (const [name, link, wanted] of STEADY) {
  test(`${name}: ${wanted}, settled within a second, and so it stays`, () => {
    const { all, settled } = changes(link, 1);
    assertEquals(settled, [wanted]);
    assertLessOrEqual(all.at(-1)![0], 1000);
    const later = changes(link, 600);
    assertEquals(later.settled.filter((codec) => codec !== wanted), []);
    // A try that fails costs a moment. It becomes rare.
    assertLess(later.all.length, 10);
  });
}

test("a link that gets worse: down within three seconds, without a stop in between", () => {
  const to = (rate: number): Link => ({ rate: (ms) => mbits(ms < 10_000 ? 940 : rate) });
  for (const [rate, wanted] of [[20, "mjpeg"], [5, "mjpeg"], [1, "h264"]] as const) {
    const { all } = changes(to(rate), 150);
    const after = all.filter(([ms]) => ms > 10_000);
    assert(after.length > 0 && after[0]![1] !== "raw", `${rate} Mbit/s`);
    assertLess(after[0]![0], 13_100, `${rate} Mbit/s`);
    assertEquals(all.at(-1)?.[1], wanted, `${rate} Mbit/s`);
  }
});

test("a link that gets better: up after a while", () => {
  const { all } = changes({ rate: (ms) => mbits(ms < 5000 ? 1 : 940) }, 120);
  assertEquals(all.at(-1)?.[1], "raw");
});

test("a stall of 300 ms, or jitter of 20 ms, changes nothing", () => {
  for (const rate of [940, 20, 5]) {
    const steady = changes({ rate: () => mbits(rate) }, 60).settled;
    for (const startMs of [10_000, 20_350, 30_700]) {
      const stalls = (ms: number): boolean => ms >= startMs && ms < startMs + 300;
      const stall = changes({
        rate: () => mbits(rate),
        jitterMs: (ms) => stalls(ms) ? startMs + 300 - ms : 0,
      }, 60);
      assertEquals(stall.settled, steady, `${rate} Mbit/s, a stall at ${startMs} ms`);
    }
    const jitter = changes({ rate: () => mbits(rate), jitterMs: (ms) => ms * 7 % 20 }, 60);
    assertEquals(jitter.settled.at(-1), steady.at(-1), `${rate} Mbit/s, jitter`);
  }
});

test("a link that comes and goes is not followed all the time", () => {
  const { all } = changes({ rate: (ms) => mbits(ms % 20_000 < 10_000 ? 5 : 1) }, 600);
  assertLess(all.length, 40);
});

test("a codec that this machine has not is not chosen", () => {
  const { settled } = changes({ rate: () => mbits(1) }, 5, ["mjpeg", "raw"]);
  assertEquals(settled, ["mjpeg"]);
  assert(changes({ rate: () => mbits(940) }, 5, ["mjpeg", "raw"]).settled.includes("raw"));
});
