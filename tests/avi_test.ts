import { assert, assertEquals } from "@std/assert";
import { AviReader } from "../lib/media/avi.ts";
import { type Codec, DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import { bytes, text } from "./bytes.ts";
import { encodedFrames, encoderCommand } from "./encoded.ts";
import { Random } from "./random.ts";
import { test } from "./strict.ts";

/** The most bytes a frame may have in these tests. */
const MAX_BYTES = 1000;

/** Four bytes, the smallest part first. */
function u32(value: number): Uint8Array {
  return Uint8Array.from([value, value >>> 8, value >>> 16, value >>> 24]);
}

/** A chunk as it stands in an AVI: name, length, data, and a byte more if the length is odd. */
function chunk(name: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  return bytes(text(name), u32(data.length), data, "00".repeat(data.length % 2));
}

/**
 * The bytes before the frames. A writer into a pipe does not know the lengths of parts that are not
 * over yet.
 */
function preamble(...lists: readonly Uint8Array[]): Uint8Array {
  return bytes(
    ...[text("RIFF"), u32(0), text("AVI ")],
    ...(lists.length > 0 ? lists : [chunk("LIST", bytes(text("hdrl"), "0102030405"))]),
    ...[text("LIST"), u32(0), text("movi")],
  );
}

/** Frames of these lengths, each of its own bytes. */
function framesOf(...lengths: readonly number[]): Uint8Array[] {
  return lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
}

/** All frames that a reader finds in there. */
async function read(avi: Uint8Array, maxFrameBytes = MAX_BYTES): Promise<Uint8Array[]> {
  let at = 0;
  const reader = new AviReader((into) => {
    const found = avi.subarray(at, at += into.length);
    if (found.length < into.length) return Promise.resolve(null);
    into.set(found);
    return Promise.resolve(into);
  }, maxFrameBytes);
  const frames: Uint8Array[] = [];
  let frame: Uint8Array | null;
  while ((frame = await reader.next()) !== null) frames.push(frame);
  return frames;
}

test("AviReader gives each frame as it stands there, of odd and of even lengths", async () => {
  const frames = framesOf(1, 2, 3, 4, 999, 1000);
  assertEquals(
    await read(bytes(preamble(), ...frames.map((frame) => chunk("00dc", frame)))),
    frames,
  );
});

test("AviReader passes over what is no frame: other lists, junk, sound, empty frames, the index", async () => {
  const [one, two] = framesOf(5, 6);
  const lists = [
    chunk("LIST", bytes(text("hdrl"), chunk("avih", new Uint8Array(56)))),
    chunk("JUNK", new Uint8Array(777)),
    chunk("LIST", bytes(text("INFO"), chunk("ISFT", text("Lavf59")))),
  ];
  const avi = bytes(
    ...[preamble(...lists), chunk("JUNK", new Uint8Array(3)), chunk("00dc"), chunk("00dc", one)],
    ...[chunk("01wb", new Uint8Array(21)), chunk("00dc"), chunk("00dc", two)],
    ...[chunk("idx1", new Uint8Array(64)), chunk("00dc", one)],
  );
  assertEquals(await read(avi), [one!, two!]);
});

test("AviReader gives pictures and sound in their order, and says that there is sound", async () => {
  const header = (kind: string): Uint8Array =>
    chunk("LIST", bytes(text("strl"), chunk("strh", bytes(text(kind), new Uint8Array(52)))));
  const [one, two, three] = framesOf(5, 6, 7);
  for (const hasSound of [true, false]) {
    const streams = [header("vids"), ...(hasSound ? [header("auds")] : [])];
    const avi = bytes(
      preamble(chunk("LIST", bytes(text("hdrl"), ...streams))),
      ...[chunk("00dc", one), chunk("01wb", two), chunk("01wb"), chunk("00dc", three)],
      ...[chunk("02tx", two), chunk("01wb", new Uint8Array(MAX_BYTES + 1)), chunk("00dc", one)],
    );
    let at = 0;
    const reader = new AviReader((into) => {
      into.set(avi.subarray(at, at += into.length));
      return Promise.resolve(at > avi.length ? null : into);
    }, MAX_BYTES);
    const frames = [await reader.nextOfAny(), await reader.nextOfAny(), await reader.nextOfAny()];
    assertEquals(frames, [
      { stream: 0, data: one! },
      { stream: 1, data: two! },
      { stream: 0, data: three! },
    ]);
    assertEquals(reader.hasSound, hasSound);
    // A frame of sound that is too long ends it, as a picture does.
    assertEquals(await reader.nextOfAny(), null);
  }
});

test("AviReader gives no part of a frame: an AVI that is cut short anywhere", async () => {
  const frames = framesOf(5, 6, 7);
  const head = preamble();
  const avi = bytes(head, ...frames.map((frame) => chunk("00dc", frame)));
  // The end of each frame, with the byte that fills it up.
  const ends = [head.length + 14, head.length + 28, head.length + 44];
  assertEquals(ends.at(-1), avi.length);
  for (let length = 0; length <= avi.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    assertEquals(await read(avi.subarray(0, length)), frames.slice(0, whole), `${length}`);
  }
});

test("AviReader takes a frame of the most bytes, and ends at one of a byte more", async () => {
  const [most, more] = framesOf(MAX_BYTES, MAX_BYTES + 1);
  const avi = bytes(preamble(), chunk("00dc", most), chunk("00dc", more), chunk("00dc", most));
  assertEquals(await read(avi), [most!]);
  assertEquals(await read(bytes(preamble(), text("00dc"), u32(0xffffffff))), []);
  assertEquals(await read(bytes(preamble(), text("JUNK"), u32(0xffffffff))), []);
});

test("AviReader gives nothing of what is no AVI", async () => {
  const frame = chunk("00dc", new Uint8Array(5));
  for (
    const stream of [
      new Uint8Array(0),
      new Uint8Array(10_000),
      text("GIF89a and much more of what is no AVI at all"),
      bytes(text("RIFF"), u32(0), text("WAVE"), text("LIST"), u32(0), text("movi"), frame),
      bytes(text("RIFX"), u32(0), text("AVI "), text("LIST"), u32(0), text("movi"), frame),
      bytes("ffd8ffe0", new Uint8Array(500)),
      bytes("0000000167", new Uint8Array(500)),
      bytes(text("RIFF"), u32(0), text("AVI "), text("hdrl"), u32(0xffffffff)),
      bytes(text("RIFF"), u32(0), text("AVI "), text("LIST"), u32(0xffffffff), text("hdrl")),
    ]
  ) assertEquals(await read(stream), []);
});

test("AviReader gives up on a preamble that does not end", async () => {
  const junk = chunk("JUNK", new Uint8Array(100_000));
  const [frame] = framesOf(5);
  const after = (...before: readonly Uint8Array[]): Promise<Uint8Array[]> =>
    read(bytes(preamble(...before), chunk("00dc", frame)));
  assertEquals(await after(...new Array<Uint8Array>(10).fill(junk)), [frame!]);
  assertEquals(await after(...new Array<Uint8Array>(11).fill(junk)), []);
  // Nor does a reader get anything out of 1.6 MB of chunks without data.
  assertEquals(await after(text("JUNK\0\0\0\0".repeat(200_000))), []);
});

test("AviReader ends at a list that is shorter than its own name", async () => {
  for (const length of [0, 1, 2, 3]) {
    const list = bytes(text("LIST"), u32(length), text("hdrl"));
    assertEquals(
      await read(bytes(preamble(list), chunk("00dc", new Uint8Array(5)))),
      [],
      `${length}`,
    );
  }
});

test("AviReader comes to an end whatever bytes come", async () => {
  const random = new Random(6);
  const avi = bytes(preamble(), ...framesOf(5, 60, 700, 8).map((frame) => chunk("00dc", frame)));
  for (let round = 0; round < 3000; round++) {
    const mutated = avi.slice();
    for (let count = 1 + random.below(5); count > 0; count--) {
      mutated[random.below(round % 2 === 0 ? 80 : mutated.length)] = random.below(256);
    }
    for (const frame of await read(mutated)) assert(frame.length <= MAX_BYTES);
  }
});

const FORMATS: readonly (readonly [string, VideoFormat])[] = [
  ["320x240", DEFAULT_FORMAT],
  ["an odd size", { ...DEFAULT_FORMAT, width: 321, height: 241 }],
  ["the smallest", { ...DEFAULT_FORMAT, width: 16, height: 16 }],
  ["29.97 frames a second", { ...DEFAULT_FORMAT, fps: 29.97 }],
];

for (const codec of ["mjpeg", "h264"] satisfies Codec[]) {
  for (const [name, format] of FORMATS) {
    test(`AviReader gives every frame of a real ffmpeg, whole: ${codec}, ${name}`, async () => {
      const frames = await encodedFrames({ ...format, codec }, 30);
      assertEquals(frames.length, 30);
      for (const frame of frames) {
        if (codec === "mjpeg") {
          assertEquals([...frame.subarray(0, 2)], [0xff, 0xd8]); // start of image
          assertEquals([...frame.subarray(-2)], [0xff, 0xd9]); // end of image
        } else {
          assertEquals([...frame.subarray(0, 4)], [0, 0, 0, 1]); // start code
        }
      }
    });
  }
}

test("AviReader is not misled by how a pipe splits what it carries", async () => {
  const format: VideoFormat = { ...DEFAULT_FORMAT, codec: "mjpeg" };
  const whole = await encodedFrames(format, 10);
  const { stdout } = await new Deno.Command("ffmpeg", { args: encoderCommand(format, 10) })
    .output();
  assertEquals(await read(stdout, 1_000_000), whole);
  const random = new Random(7);
  // Fills the buffer from pieces of any length, each in its own turn.
  let at = 0;
  const reader = new AviReader(async (into) => {
    for (let filled = 0; filled < into.length;) {
      if (at === stdout.length) return null;
      const piece = stdout.subarray(
        at,
        at + Math.min(1 + random.below(5000), into.length - filled),
      );
      into.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      await Promise.resolve();
    }
    return into;
  }, 1_000_000);
  for (const frame of whole) assertEquals(await reader.next(), frame);
  assertEquals(await reader.next(), null);
});
