/** The choice of a codec on links made by hand, in no time. */

import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { type Codec, CODECS, DEFAULT_FORMAT, type SoundCodec } from "../lib/frame/format.ts";
import { type Choice, CodecChoice, type SendFacts } from "../lib/wire/codec_choice.ts";
import { LinkRate, SendWindow } from "../lib/wire/send_window.ts";
import { test } from "./strict.ts";

/** Bytes of a picture of 320 x 240 in each codec: a moving test picture, measured. */
const BYTES: Readonly<Record<Codec, number>> = { raw: 230_400, mjpeg: 14_000, h264: 2400 };

/** Bytes of the first picture of a second in H.264. */
const KEYFRAME_BYTES = 10_000;

/** Bytes a millisecond of a link of so many Mbit/s. */
function mbits(rate: number): number {
  return rate * 125;
}

interface Link {
  /** Bytes a millisecond at that time. */
  readonly rate: (ms: number) => number;
  /** Milliseconds there and back. */
  readonly roundTripMs?: number;
  /** False if the ends have not compared their clocks. */
  readonly isRoundTripKnown?: boolean;
  /** Milliseconds by which it seemed longer at first. */
  readonly beyondMs?: number;
  /** Bytes that it takes at once after a pause. */
  readonly burstBytes?: number;
  /** Milliseconds of more delay for an ack at that time. */
  readonly jitterMs?: (ms: number) => number;
}

/** Each change of the codec on a link, with its time, and the codec at the end. */
function changes(
  link: Link,
  seconds: number,
  codecs: readonly Codec[] = CODECS,
): {
  readonly all: readonly (readonly [number, Codec])[];
  readonly settled: readonly Codec[];
  /** The most milliseconds that sound waited behind pictures, after the first two seconds. */
  readonly mostWaitMs: number;
} {
  const { rate, roundTripMs = 1, isRoundTripKnown = true, beyondMs = 0, burstBytes = 0 } = link;
  const { jitterMs = () => 0 } = link;
  const knownMs = isRoundTripKnown ? roundTripMs + beyondMs : undefined;
  const linkRate = new LinkRate(knownMs);
  const windows = new Map(codecs.map((codec) => [codec, new SendWindow(linkRate)]));
  const choice = new CodecChoice(DEFAULT_FORMAT, codecs);
  const all: (readonly [number, Codec])[] = [];
  const settled: Codec[] = [];
  const acks: { readonly atMs: number; readonly codec: Codec; readonly sequence: number }[] = [];
  const facts = { sent: 0, dropped: 0, pictureBytes: 0 };
  let codec: Codec = "mjpeg";
  let sound: SoundCodec = "pcm";
  let waiting = false;
  let freeMs = 0;
  let mostWaitMs = 0;
  for (let ms = 0; ms < seconds * 1000; ms++) {
    while (acks[0] && acks[0].atMs <= ms) {
      const { codec, sequence, atMs } = acks.shift()!;
      windows.get(codec)!.acknowledged(sequence, atMs);
    }
    if (ms % 50 === 0) {
      if (waiting) facts.dropped++;
      waiting = true;
    }
    const isKeyframe = codec === "h264" && facts.sent % 20 === 0;
    const bytes = isKeyframe ? KEYFRAME_BYTES : BYTES[codec];
    if (waiting && windows.get(codec)!.hasRoom(bytes, ms)) {
      waiting = false;
      windows.get(codec)!.sent(facts.sent, bytes, ms);
      // 96 kB of PCM a second, or little Opus, take their part of the link.
      const free = Math.max(rate(ms) - (sound === "opus" ? 7 : 105), rate(ms) / 10);
      freeMs = Math.max(freeMs, ms - burstBytes / free) + bytes / free;
      if (settled.length > 0 && ms > 2000) mostWaitMs = Math.max(mostWaitMs, freeMs - ms);
      acks.push({
        atMs: Math.max(freeMs, ms) + roundTripMs + jitterMs(ms),
        codec,
        sequence: facts.sent,
      });
      facts.sent++;
      facts.pictureBytes += bytes;
    }
    if (ms % 100 !== 0) continue;
    const news = choice.look({ ...facts, ...linkRate.facts(ms) }, ms);
    if (news === undefined) continue;
    ({ codec, sound } = news);
    all.push([ms, codec]);
    if (news.isTry) continue;
    settled.push(codec);
    assertEquals(news.sound, codec === "h264" ? "opus" : "pcm");
  }
  return { all, settled, mostWaitMs };
}

const STEADY: readonly (readonly [string, Link, Codec])[] = [
  ["loopback", { rate: () => mbits(4000), roundTripMs: 0.5 }, "raw"],
  ["loopback on a busy machine", { rate: () => mbits(4000), roundTripMs: 3 }, "raw"],
  ["a gigabit", { rate: () => mbits(940), roundTripMs: 1 }, "raw"],
  ["Wi-Fi of 200 Mbit/s", { rate: () => mbits(200), roundTripMs: 3 }, "raw"],
  ["a gigabit at 10 ms", { rate: () => mbits(940), roundTripMs: 10 }, "raw"],
  ["a gigabit at 35 ms", { rate: () => mbits(940), roundTripMs: 35 }, "raw"],
  ["5 Mbit/s at 20 ms", { rate: () => mbits(5), roundTripMs: 20 }, "mjpeg"],
  ["20 Mbit/s at 35 ms", { rate: () => mbits(20), roundTripMs: 35 }, "mjpeg"],
  ["100 Mbit/s at 35 ms", { rate: () => mbits(100), roundTripMs: 35 }, "mjpeg"],
  ["a gigabit at 60 ms", { rate: () => mbits(940), roundTripMs: 60 }, "mjpeg"],
  ["20 Mbit/s at 10 ms", { rate: () => mbits(20), roundTripMs: 10 }, "mjpeg"],
  ["20 Mbit/s at 60 ms", { rate: () => mbits(20), roundTripMs: 60 }, "mjpeg"],
  ["20 Mbit/s at 120 ms", { rate: () => mbits(20), roundTripMs: 120 }, "mjpeg"],
  ["5 Mbit/s at 10 ms", { rate: () => mbits(5), roundTripMs: 10 }, "mjpeg"],
  ["5 Mbit/s at 35 ms", { rate: () => mbits(5), roundTripMs: 35 }, "mjpeg"],
  ["5 Mbit/s at 60 ms", { rate: () => mbits(5), roundTripMs: 60 }, "mjpeg"],
  ["loopback that seemed to take 100 ms", {
    ...{ rate: () => mbits(4000), roundTripMs: 0.5, beyondMs: 100 },
  }, "raw"],
  ["20 Mbit/s at 60 ms that seemed to be 110", {
    ...{ rate: () => mbits(20), roundTripMs: 60, beyondMs: 50 },
  }, "mjpeg"],
  ["5 Mbit/s at 1 ms that seemed to be 51", {
    ...{ rate: () => mbits(5), beyondMs: 50 },
  }, "mjpeg"],
  ["2 Mbit/s at 1 ms that seemed to be 51", {
    ...{ rate: () => mbits(2), beyondMs: 50 },
  }, "h264"],
  ["1 Mbit/s at 1 ms that seemed to be 51", {
    ...{ rate: () => mbits(1), beyondMs: 50 },
  }, "h264"],
  ["100 Mbit/s at 1 ms that seemed to be 51", {
    ...{ rate: () => mbits(100), beyondMs: 50 },
  }, "mjpeg"],
  ["80 Mbit/s at 38 ms", { rate: () => mbits(80), roundTripMs: 38 }, "mjpeg"],
  ["Wi-Fi of 200 Mbit/s at 4 ms that seemed to be 8", {
    ...{ rate: () => mbits(200), roundTripMs: 4, beyondMs: 4 },
  }, "raw"],
  ["a gigabit at an unknown 35 ms", {
    ...{ rate: () => mbits(940), roundTripMs: 35, isRoundTripKnown: false },
  }, "mjpeg"],
  ["3 Mbit/s", { rate: () => mbits(3) }, "h264"],
  ["3 Mbit/s at 35 ms", { rate: () => mbits(3), roundTripMs: 35 }, "h264"],
  ["1 Mbit/s at 10 ms", { rate: () => mbits(1), roundTripMs: 10 }, "h264"],
  ["1 Mbit/s at 35 ms", { rate: () => mbits(1), roundTripMs: 35 }, "h264"],
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
  for (const [rate, roundTripMs] of [[940, 1], [20, 1], [5, 1], [940, 35], [20, 10], [5, 60]]) {
    const link = { rate: (): number => mbits(rate!), roundTripMs: roundTripMs! };
    const steady = changes(link, 60).settled;
    for (const startMs of [10_000, 20_350, 30_700]) {
      const stalls = (ms: number): boolean => ms >= startMs && ms < startMs + 300;
      const stall = changes({
        ...link,
        jitterMs: (ms) => stalls(ms) ? startMs + 300 - ms : 0,
      }, 60);
      const name = `${rate} Mbit/s, ${roundTripMs} ms, a stall at ${startMs} ms`;
      assertEquals(stall.settled, steady, name);
    }
    const jitter = changes({ ...link, jitterMs: (ms) => ms * 7 % 20 }, 60);
    assertEquals(jitter.settled.at(-1), steady.at(-1), `${rate} Mbit/s, ${roundTripMs} ms, jitter`);
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

test("the user is told once of a codec that a failed try comes back to", () => {
  const { all, settled } = changes({ rate: () => mbits(50) }, 600);
  assertEquals(settled, ["mjpeg"]);
  assert(all.length > 3, "there were tries");
});

/** A JPEG that came at once. */
const quick = { bytes: 14_000, ms: 14, frameBytes: 14_000 };

/** Looks at facts of so many looks a second, with two pictures between two. Returns the news. */
function looks(
  choice: CodecChoice,
  fromMs: number,
  toMs: number,
  next: (ms: number) => Partial<SendFacts>,
): readonly (Choice & { readonly atMs: number })[] {
  const news: (Choice & { readonly atMs: number })[] = [];
  for (let atMs = fromMs; atMs <= toMs; atMs += 100) {
    const sent = 1 + atMs / 50;
    const facts = {
      sent,
      dropped: 0,
      pictureBytes: sent * 14_000,
      delivery: undefined,
      sureTripMs: 1,
    };
    const one = choice.look({ ...facts, roundTripMs: 1, ...next(atMs) }, atMs);
    if (one) news.push({ ...one, atMs });
  }
  return news;
}

test("a step up from H.264 is a try, with the sound as it is until it has succeeded", () => {
  const choice = new CodecChoice(DEFAULT_FORMAT, CODECS);
  const news = looks(choice, 0, 9000, (ms) => ms <= 600 ? {} : { delivery: quick });
  assertEquals(news.slice(0, 3), [
    { codec: "h264", sound: "opus", isTry: false, atMs: 600 },
    { codec: "mjpeg", sound: "opus", isTry: true, atMs: 5600 },
    { codec: "mjpeg", sound: "pcm", isTry: false, atMs: 7100 },
  ]);
});

test("a try begins with its first picture: an encoder may have to start", () => {
  const choice = new CodecChoice(DEFAULT_FORMAT, CODECS);
  const stands = (ms: number): Partial<SendFacts> => {
    const sent = 1 + Math.min(ms, 5600) / 50;
    return ms <= 600 ? {} : { delivery: quick, sent, pictureBytes: sent * 14_000 };
  };
  assertEquals(looks(choice, 0, 20_000, stands).map(({ atMs }) => atMs), [600, 5600]);
});

test("only raw pictures tell that raw pictures are carried", () => {
  const choice = new CodecChoice(DEFAULT_FORMAT, CODECS);
  const delivery = { bytes: 14_000, ms: 1.2, frameBytes: 14_000 };
  const news = looks(choice, 0, 5000, () => ({ delivery }));
  assertEquals(news.map(({ codec, isTry }) => [codec, isTry]), [["raw", true], ["mjpeg", false]]);
});

test("raw pictures that leave before the ack of the one before are not less the round trip", () => {
  const choice = new CodecChoice(DEFAULT_FORMAT, CODECS);
  const jpeg = { bytes: 20_000, ms: 39.4, frameBytes: 20_000 };
  const raw = { bytes: 230_400, ms: 50, frameBytes: 230_400 };
  const news = looks(choice, 0, 5000, (ms) => ({
    ...{ delivery: ms <= 200 ? jpeg : raw, roundTripMs: 38, sureTripMs: 38 },
  }));
  assertEquals(news.map(({ codec, isTry }) => [codec, isTry]), [["raw", true], ["mjpeg", false]]);
});

test("a busy machine whose first ack takes half a second is not taken for a slow link", () => {
  for (const busyMs of [300, 400, 500]) {
    const jitterMs = (ms: number): number => Math.max(busyMs - ms, 0);
    const { settled } = changes({ rate: () => mbits(4000), jitterMs }, 60);
    assertEquals(settled, ["raw"], `${busyMs} ms`);
  }
});

test("a start that was wrong is mended within eight seconds", () => {
  for (const roundTripMs of [1, 10, 35]) {
    const link = { roundTripMs, jitterMs: (ms: number): number => Math.max(900 - ms, 0) };
    for (const rate of [10, 940]) {
      const { all, settled } = changes({ rate: () => mbits(rate), ...link }, 60);
      const name = `${rate} Mbit/s, ${roundTripMs} ms`;
      assertEquals(settled.slice(0, 2), ["h264", "mjpeg"], name);
      assertEquals(settled.at(-1), rate === 940 ? "raw" : "mjpeg", name);
      assertLess(all.findLast(([, codec]) => codec === "h264")![0], 1000, name);
      assertLess(all.find(([ms, codec]) => ms > 1000 && codec === "mjpeg")![0], 8000, name);
    }
  }
});

test("a round trip that seemed far longer does not make a slow link look fit for raw pictures", () => {
  for (const rate of [3, 5, 10, 20]) {
    for (const roundTripMs of [1, 10, 35]) {
      const { all } = changes({ rate: () => mbits(rate), roundTripMs, beyondMs: 100 }, 60);
      const name = `${rate} Mbit/s, ${roundTripMs} ms`;
      assertEquals(all.filter(([, codec]) => codec === "raw"), [], name);
    }
  }
});

test("a slow link is measured by keyframes, so that no try makes sound late", () => {
  for (const rate of [0.5, 1, 1.5, 2]) {
    for (const roundTripMs of [1, 10, 35, 60, 120]) {
      for (const burstBytes of [0, 4096]) {
        const link = { rate: () => mbits(rate), roundTripMs, burstBytes };
        const { all, mostWaitMs } = changes(link, 120);
        const name = `${rate} Mbit/s, ${roundTripMs} ms, ${burstBytes} bytes at once`;
        assertEquals(all, [[600, "h264"]], name);
        assertLessOrEqual(mostWaitMs, KEYFRAME_BYTES * 1.1 / (mbits(rate) - 7), name);
      }
    }
  }
});

test("a try of MJPEG ends after 0.4 s if it drops, and the next one is a minute later", () => {
  const choice = new CodecChoice(DEFAULT_FORMAT, CODECS);
  const drops = (ms: number): Partial<SendFacts> => {
    if (ms <= 600) return {};
    // Of 20 pictures a second one in three is dropped in tries, and none beside them.
    const tried = Math.min(Math.max(ms - 5600, 0), 400) + Math.min(Math.max(ms - 66_000, 0), 400);
    return { delivery: quick, dropped: Math.round(tried / 100) };
  };
  const news = looks(choice, 0, 100_000, drops);
  const [first, begin, end, next] = news;
  assertEquals([first!.atMs, begin!.atMs, end!.atMs], [600, 5600, 6000]);
  assertEquals(end, { codec: "h264", sound: "opus", isTry: true, atMs: 6000 });
  assertLessOrEqual(66_000, next!.atMs);
  assertLess(next!.atMs, 68_000);
});

test("a first picture that was slow because a program was busy decides nothing", () => {
  const choice = new CodecChoice(DEFAULT_FORMAT, CODECS);
  const news = looks(
    choice,
    0,
    400,
    (ms) => ({ delivery: ms < 400 ? { ...quick, ms: 200 } : quick }),
  );
  assertEquals(news.map(({ codec, atMs }) => [codec, atMs]), [["mjpeg", 400]]);
});
