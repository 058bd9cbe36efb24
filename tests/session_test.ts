import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { ProtocolError } from "../lib/errors.ts";
import type { Codec, Frame, VideoFormat } from "../lib/frame/frame.ts";
import {
  ACK_BYTES,
  type Answer,
  decodeAck,
  decodeAnswer,
  decodeBye,
  decodeHello,
  decodeVideo,
  encodeAck,
  encodeAnswer,
  encodeBye,
  encodeHello,
  encodeVideoHeader,
  type Hello,
  isHello,
  MAX_HELLO_BYTES,
  VIDEO_HEADER_BYTES,
} from "../lib/wire/session.ts";
import { bytes, helloWith, text } from "./bytes.ts";
import { test } from "./strict.ts";

const SMALL: VideoFormat = { codec: "raw", width: 16, height: 16, fps: 20 };
const SMALL_BYTES = 768;

/** A caller's hello as its JSON, with parts changed or, where `undefined`, left out. */
function helloJson(
  { video, ...rest }: { [field: string]: unknown; video?: unknown } = {},
): Uint8Array {
  const wanted = typeof video === "object" && video !== null && !Array.isArray(video)
    ? { ...SMALL, ...video }
    : video;
  return helloWith(
    JSON.stringify({ version: 1, name: "ana", video: wanted ?? SMALL, ...rest }),
  );
}

function frame(parts: Partial<Frame> = {}): Frame {
  return { data: new Uint8Array(SMALL_BYTES), captureUs: 0, sequence: 0, keyframe: true, ...parts };
}

/** How the data of each codec begins. */
const BEGINNINGS = { raw: "", mjpeg: "ff d8", h264: "00 00 00 01" } as const;

/** A video message with that much data, which begins as the codec's does. */
function video(header: Uint8Array, dataBytes: number, codec: Codec = "raw"): Uint8Array {
  const data = new Uint8Array(dataBytes);
  data.set(bytes(BEGINNINGS[codec]).subarray(0, dataBytes));
  return bytes(header, data);
}

test("encodeHello() writes the kind, the magic and JSON", () => {
  assertEquals(
    encodeHello({ name: "Ana", video: { codec: "raw", width: 320, height: 240, fps: 29.97 } }),
    bytes(
      "01", // kind: hello
      "43 48 41 4d 41 44 41 31", // "CHAMADA1"
      text('{"version":1,"name":"Ana",'),
      text('"video":{"codec":"raw","width":320,"height":240,"fps":29.97}}'),
    ),
  );
});

test("encodeAnswer() writes the kind, the magic and JSON, with a reason where there is one", () => {
  assertEquals(
    encodeAnswer({ accept: true }),
    bytes("01", text("CHAMADA1"), text('{"version":1,"accept":true}')),
  );
  assertEquals(
    encodeAnswer({ accept: false, reason: "não" }),
    bytes(
      "01", // kind: hello
      text("CHAMADA1"),
      text('{"version":1,"accept":false,"reason":"n'),
      "c3 a3", // ã
      text('o"}'),
    ),
  );
});

test("encodeVideoHeader() writes kind, flags, sequence and capture time, little-endian", () => {
  assertEquals(
    encodeVideoHeader(frame({ sequence: 0x01020304, captureUs: 0x06_05_04_03_02_01 })),
    bytes(
      "02", // kind: video
      "01", // flags: keyframe
      "00 00", // nothing
      "04 03 02 01", // sequence
      "01 02 03 04 05 06 00 00", // capture time, µs
    ),
  );
  assertEquals(
    encodeVideoHeader(frame({ sequence: 0xffffffff, captureUs: 0.6, keyframe: false })),
    bytes(
      "02", // kind: video
      "00", // flags: none
      "00 00", // nothing
      "ff ff ff ff", // sequence
      "01 00 00 00 00 00 00 00", // capture time, whole µs
    ),
  );
});

test("encodeAck() writes kind, three empty bytes and the sequence", () => {
  assertEquals(encodeAck(0x01020304), bytes("03 00 00 00", "04 03 02 01"));
  assertEquals(encodeAck(0), bytes("03 00 00 00", "00 00 00 00"));
  assertEquals(encodeAck(0xffffffff), bytes("03 00 00 00", "ff ff ff ff"));
  assertEquals(ACK_BYTES, 8);
});

test("encodeBye() writes the kind and the reason", () => {
  assertEquals(encodeBye("adiós"), bytes("04", "61 64 69 c3 b3 73"));
  assertEquals(encodeBye(""), bytes("04"));
});

test("decodeHello() gives back what encodeHello() was given", () => {
  for (const codec of ["raw", "mjpeg", "h264"] satisfies Codec[]) {
    for (const [width, height] of [[16, 16], [320, 240], [3840, 2160], [17, 33]] as const) {
      for (const fps of [1, 20, 29.97, 120]) {
        for (const name of ["", "Ana", "João da Silva 👋", '"\\{}']) {
          const hello: Hello = { name, video: { codec, width, height, fps } };
          const message = encodeHello(hello);
          assert(isHello(message));
          assertEquals(decodeHello(message), hello);
        }
      }
    }
  }
});

test("decodeAnswer() gives back what encodeAnswer() was given", () => {
  const answers: Answer[] = [
    { accept: true },
    { accept: false },
    { accept: false, reason: "" },
    { accept: false, reason: "busy" },
    { accept: true, reason: "olá" },
  ];
  for (const answer of answers) assertEquals(decodeAnswer(encodeAnswer(answer)), answer);
});

test("decodeVideo() gives back the frame, whose data is a view of the message", () => {
  const data = Uint8Array.from({ length: SMALL_BYTES }, (_, index) => index % 251);
  for (const sequence of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
    for (const captureUs of [0, 1, 1_700_000_000_000_000, Number.MAX_SAFE_INTEGER]) {
      const sent = frame({ data, sequence, captureUs });
      const message = bytes(encodeVideoHeader(sent), data);
      const got = decodeVideo(message, SMALL);
      assertEquals(got, sent);
      assert(got.data.buffer === message.buffer);
    }
  }
});

test("decodeVideo() and decodeAck() read messages that lie anywhere in a buffer", () => {
  const message = bytes(encodeVideoHeader(frame({ sequence: 7, captureUs: 9 })), frame().data);
  const elsewhere = bytes("ff ff ff", message, "ff").subarray(3, 3 + message.length);
  const { sequence, captureUs, data } = decodeVideo(elsewhere, SMALL);
  assertEquals([sequence, captureUs, data.length], [7, 9, SMALL_BYTES]);
  assertEquals(decodeAck(bytes("ff ff", encodeAck(7), "ff").subarray(2, 10)), 7);
});

test("decodeAck() and decodeBye() give back what was encoded", () => {
  for (const sequence of [0, 1, 0x80000000, 0xffffffff]) {
    assertEquals(decodeAck(encodeAck(sequence)), sequence);
  }
  for (const reason of ["", "hung up", "até logo 👋"]) {
    assertEquals(decodeBye(encodeBye(reason)), reason);
  }
});

test("a frame is a keyframe by its flag in h264 and always in the other codecs", () => {
  for (
    const [codec, flags, keyframe] of [
      ["h264", "00", false],
      ["h264", "01", true],
      ["h264", "fe", false],
      ["raw", "00", true],
      ["mjpeg", "00", true],
    ] as const
  ) {
    const header = bytes("02", flags, "00 00", "00 00 00 00", "00 00 00 00 00 00 00 00");
    const got = decodeVideo(video(header, SMALL_BYTES, codec), { ...SMALL, codec });
    assertEquals(got.keyframe, keyframe, `${codec} ${flags}`);
  }
});

test("isHello() wants the kind and every byte of the magic", () => {
  assert(isHello(bytes("01", text("CHAMADA1"))));
  const whole = bytes("01", text("CHAMADA1"));
  for (let count = 0; count < whole.length; count++) assertFalse(isHello(whole.subarray(0, count)));
  for (let index = 0; index < whole.length; index++) {
    const other = whole.slice();
    other[index]! ^= 1;
    assertFalse(isHello(other), `byte ${index} changed`);
  }
});

test("decodeHello() refuses another version and names both", () => {
  for (
    const [version, named] of [[2, "2"], [0, "0"], ["1", '"1"'], [null, "null"], [[1], "[1]"]]
  ) {
    const refused = { words: `the peer speaks version ${named}, this program version 1` };
    assertThrows(() => decodeHello(helloJson({ version })), ProtocolError, refused.words);
  }
  assertThrows(
    () => decodeHello(helloJson({ version: undefined })),
    ProtocolError,
    "the peer speaks version (none), this program version 1",
  );
});

test("decodeHello() refuses what is no JSON", () => {
  for (const json of ["", "{", "{}x", "'a'", "undefined", "NaN", '{"version":1,}']) {
    assertThrows(() => decodeHello(helloWith(json)), ProtocolError, "the hello is not JSON");
  }
  const brokenText = bytes(helloWith('{"version":1,"name":"'), "ff", text('"}'));
  assertThrows(() => decodeHello(brokenText), ProtocolError, "the hello is not JSON");
  assertThrows(() => decodeHello(bytes("01")), ProtocolError, "the hello is not JSON");
});

test("decodeHello() refuses JSON that is no object", () => {
  for (const json of ["[]", "[1]", "null", "1", '"a"', "true"]) {
    assertThrows(
      () => decodeHello(helloWith(json)),
      ProtocolError,
      "the hello is not a JSON object",
    );
  }
});

test("JSON that is nested as deep as a hello is long is refused as any other", () => {
  const room = MAX_HELLO_BYTES - helloWith("").length;
  const arrays = (count: number): string => "[".repeat(count) + "]".repeat(count);
  const objects = (count: number): string => '{"":'.repeat(count) + "0" + "}".repeat(count);
  const deep = Math.floor((room - 200) / 2);
  const bombs = [
    "[".repeat(room),
    arrays(deep),
    '{"a":'.repeat(Math.floor(room / 5)),
    objects(Math.floor((room - 200) / 5)),
    `{"version":${arrays(deep)}}`,
    `{"version":1,"name":${arrays(deep)}}`,
    `{"version":1,"name":"","video":${arrays(deep)}}`,
    `{"version":1,"name":"","video":{"codec":${arrays(deep)}}}`,
    `{"version":1,"name":"","video":{"codec":"raw","width":${arrays(deep)}}}`,
    `{"version":1,"accept":${arrays(deep)}}`,
    `{"accept":true,"version":${arrays(deep)}}`,
    `{"accept":true,"version":${objects(Math.floor((room - 200) / 5))}}`,
  ];
  for (const bomb of bombs) {
    const message = helloWith(bomb);
    assert(message.length <= MAX_HELLO_BYTES);
    const start = bomb.slice(0, 40);
    assertThrows(() => decodeHello(message), ProtocolError, "", `hello ${start}`);
    assertThrows(() => decodeAnswer(message), ProtocolError, "", `answer ${start}`);
  }
});

test("decodeHello() refuses a hello that leaves something out, and says what", () => {
  for (
    const [message, reason] of [
      [helloJson({ name: undefined }), "the hello has no name"],
      [helloJson({ name: 1 }), "the hello has no name"],
      [helloJson({ name: null }), "the hello has no name"],
      [helloJson({ video: [] }), "the hello does not say what video comes"],
      [helloJson({ video: "raw" }), "the hello does not say what video comes"],
      [helloWith('{"version":1,"name":""}'), "the hello does not say what video comes"],
      [helloWith('{"version":1,"name":"","video":null}'), "does not say what video comes"],
      [helloJson({ video: { width: undefined } }), "no width, height and fps as numbers"],
      [helloJson({ video: { height: undefined } }), "no width, height and fps as numbers"],
      [helloJson({ video: { fps: undefined } }), "no width, height and fps as numbers"],
    ] as const
  ) {
    assertThrows(() => decodeHello(message), ProtocolError, reason);
  }
});

test("decodeHello() refuses a codec it does not know and names those it does", () => {
  for (
    const [codec, named] of [
      ["vp8", '"vp8"'],
      ["RAW", '"RAW"'],
      ["", '""'],
      [1, "1"],
      [null, "null"],
      [undefined, "(none)"],
      [["raw"], '["raw"]'],
      ["toString", '"toString"'],
    ] as const
  ) {
    assertThrows(
      () => decodeHello(helloJson({ video: { codec } })),
      ProtocolError,
      `the codec ${named} is none of raw, mjpeg, h264`,
    );
  }
});

test("decodeHello() takes the smallest and the largest picture, and none beyond", () => {
  for (const [width, height] of [[16, 16], [3840, 2160]] as const) {
    const hello = decodeHello(helloJson({ video: { width, height } }));
    assertEquals([hello.video.width, hello.video.height], [width, height]);
  }
  for (
    const [width, height] of [
      [15, 16],
      [16, 15],
      [3841, 2160],
      [3840, 2161],
      [0, 0],
      [-320, -240],
      [320.5, 240],
      [320, 1e308],
    ] as const
  ) {
    assertThrows(
      () => decodeHello(helloJson({ video: { width, height } })),
      ProtocolError,
      `a picture of ${width}x${height} is outside 16x16 to 3840x2160`,
    );
  }
});

test("decodeHello() takes 1 to 120 frames a second, and none beyond", () => {
  for (const fps of [1, 1.5, 29.97, 120]) {
    assertEquals(decodeHello(helloJson({ video: { fps } })).video.fps, fps);
  }
  for (const fps of [0.5, 0, -1, 0.999, 120.001, 121, 1e308]) {
    assertThrows(
      () => decodeHello(helloJson({ video: { fps } })),
      ProtocolError,
      `${fps} frames a second is outside 1 to 120`,
    );
  }
});

test("decodeHello() refuses numbers that JSON cannot say", () => {
  // NaN and Infinity become null in JSON; a number too large for JSON's reader becomes Infinity.
  for (const fps of [NaN, Infinity, "20", [20], { a: 1 }, true]) {
    assertThrows(
      () => decodeHello(helloJson({ video: { fps } })),
      ProtocolError,
      "no width, height and fps as numbers",
    );
  }
  for (const [field, reason] of [["width", "a picture of Infinity"], ["fps", "Infinity frames"]]) {
    const json = JSON.stringify({ version: 1, name: "", video: { ...SMALL, [field!]: -1 } });
    const huge = helloWith(json.replace("-1", "1e999"));
    assertThrows(() => decodeHello(huge), ProtocolError, reason);
  }
  for (const size of ["320", [320], null, true]) {
    for (const field of ["width", "height"]) {
      assertThrows(
        () => decodeHello(helloJson({ video: { [field]: size } })),
        ProtocolError,
        "no width, height and fps as numbers",
      );
    }
  }
});

test("what could steer a terminal is removed from a stranger's words", () => {
  // Escape, newline, DEL, C1 control, right-to-left override, line separator.
  const evil = "a\u001b[2Jb\nc\u007fd\u009be\u202ef\u2028g";
  const harmless = "a [2Jb c d e f g";
  assertEquals(decodeHello(helloJson({ name: evil })).name, harmless);
  assertEquals(decodeBye(encodeBye(evil)), harmless);
  assertEquals(decodeAnswer(encodeAnswer({ accept: false, reason: evil })).reason, harmless);
  const error = assertThrows(() => decodeHello(helloJson({ version: evil })), ProtocolError);
  assertFalse(/\p{Cc}|\p{Cf}|\p{Zl}/u.test(error.message), error.message);
  const codec = assertThrows(() => decodeHello(helloJson({ video: { codec: evil } })));
  assertFalse(/\p{Cc}|\p{Cf}|\p{Zl}/u.test((codec as Error).message));
});

test("a stranger's words are cut short", () => {
  const long = "x".repeat(60_000);
  assertEquals(decodeHello(helloJson({ name: long })).name, "x".repeat(200));
  assertEquals(decodeBye(encodeBye(long)), "x".repeat(200));
  const error = assertThrows(() => decodeHello(helloJson({ version: long })), ProtocolError);
  assert(error.message.length < 120, error.message);
});

test("a goodbye in broken UTF-8 is a goodbye", () => {
  assertEquals(decodeBye(bytes("04", "61 ff 62")), "a\ufffdb");
});

test("decodeAnswer() refuses what is none of Chamada's, and what says neither yes nor no", () => {
  for (
    const [message, reason] of [
      [text("HTTP/1.1 400 Bad Request"), "the answer is not one of Chamada's"],
      [bytes("01", text("CHAMADA2"), text('{"version":1,"accept":true}')), "not one of Chamada's"],
      [bytes("02", text("CHAMADA1"), text('{"version":1,"accept":true}')), "not one of Chamada's"],
      [bytes(), "the answer is not one of Chamada's"],
      [helloWith("{"), "the hello is not JSON"],
      [helloWith("[true]"), "the hello is not a JSON object"],
      [helloWith('{"version":1}'), "the answer says neither yes nor no"],
      [helloWith('{"version":1,"accept":"true"}'), "the answer says neither yes nor no"],
      [helloWith('{"version":1,"accept":1}'), "the answer says neither yes nor no"],
      [
        helloWith('{"version":2,"accept":true}'),
        "the peer speaks version 2, this program version 1",
      ],
    ] as const
  ) {
    assertThrows(() => decodeAnswer(message), ProtocolError, reason);
  }
});

test("decodeAnswer() understands a refusal of any version, and one whose reason is no text", () => {
  assertEquals(
    decodeAnswer(helloWith('{"version":2,"accept":false,"reason":"version 2 only"}')),
    { accept: false, reason: "version 2 only" },
  );
  assertEquals(decodeAnswer(helloWith('{"version":1,"accept":false,"reason":[1]}')), {
    accept: false,
  });
});

test("decodeVideo() takes a raw picture of exactly its size", () => {
  const header = encodeVideoHeader(frame());
  assertEquals(header.length, VIDEO_HEADER_BYTES);
  assertEquals(decodeVideo(video(header, SMALL_BYTES), SMALL).data.length, SMALL_BYTES);
  for (const count of [0, 1, SMALL_BYTES - 1, SMALL_BYTES + 1]) {
    assertThrows(
      () => decodeVideo(video(header, count), SMALL),
      ProtocolError,
      `a frame of ${count} bytes is not a raw picture of 16x16`,
    );
  }
});

test("decodeVideo() takes a compressed picture up to its bound, and none beyond", () => {
  const header = encodeVideoHeader(frame());
  const most = SMALL_BYTES + 4096;
  for (const codec of ["mjpeg", "h264"] satisfies Codec[]) {
    const format = { ...SMALL, codec };
    for (const count of [4, most]) {
      assertEquals(decodeVideo(video(header, count, codec), format).data.length, count);
    }
    for (const count of [0, most + 1]) {
      assertThrows(
        () => decodeVideo(video(header, count, codec), format),
        ProtocolError,
        `a frame of ${count} bytes is not a ${codec} picture of 16x16`,
      );
    }
  }
});

test("decodeVideo() refuses a compressed picture that does not begin as its codec does", () => {
  const header = encodeVideoHeader(frame());
  for (const beginning of ["00 00 01", "00 00 00 01"]) {
    const message = bytes(header, beginning, "65 88");
    assertEquals(
      decodeVideo(message, { ...SMALL, codec: "h264" }).data.length,
      message.length - 16,
    );
  }
  for (
    const [codec, data] of [
      ["mjpeg", "ff"],
      ["mjpeg", "ff d9 ff"],
      ["mjpeg", "00 ff d8"],
      ["mjpeg", "00 00 00 01"],
      ["h264", "00 00"],
      ["h264", "00 00 00"],
      ["h264", "00 00 00 00 01"],
      ["h264", "00 01 00 00"],
      ["h264", "01 00 00 01"],
      ["h264", "ff d8 ff e0"],
    ] as const
  ) {
    assertThrows(
      () => decodeVideo(bytes(header, data), { ...SMALL, codec }),
      ProtocolError,
      `a frame does not begin as ${codec} does`,
    );
  }
});

test("decodeVideo() refuses a message that ends inside its header", () => {
  const header = encodeVideoHeader(frame());
  for (let count = 1; count < VIDEO_HEADER_BYTES; count++) {
    for (const codec of ["raw", "mjpeg", "h264"] satisfies Codec[]) {
      assertThrows(
        () => decodeVideo(header.subarray(0, count), { ...SMALL, codec }),
        ProtocolError,
        "a frame of 0 bytes",
      );
    }
  }
});

test("decodeAck() refuses any length but its own", () => {
  for (const count of [1, 7, 9, 65536]) {
    const message = new Uint8Array(count).fill(3);
    assertThrows(
      () => decodeAck(message),
      ProtocolError,
      `an ack of ${count} bytes is not 8`,
    );
  }
});

test("clock: whole moments from 0 on are taken, and anything else is as if nothing was said", () => {
  const answer = (parts: Record<string, unknown>): Answer =>
    decodeAnswer(helloWith(JSON.stringify({ version: 1, accept: true, ...parts })));
  assertEquals(decodeHello(helloJson({ clock: 0 })).clockUs, 0);
  assertEquals(answer({ heard: 5, clock: 7 }).clock, { heardUs: 5, answeredUs: 7 });
  for (const wrong of [-1, 0.5, 2 ** 53, "7", null, true, [7], {}]) {
    assertEquals("clockUs" in decodeHello(helloJson({ clock: wrong })), false, `${wrong}`);
    assertEquals(answer({ heard: wrong, clock: 7 }), { accept: true }, `${wrong}`);
    assertEquals(answer({ heard: 7, clock: wrong }), { accept: true }, `${wrong}`);
  }
  assertEquals(answer({ clock: 7 }), { accept: true });
});

test("answer: the server's name, if it says one, is made fit to be shown", () => {
  assertEquals(decodeAnswer(encodeAnswer({ accept: true, name: "sala\u0007 1" })), {
    accept: true,
    name: "sala  1",
  });
  assertEquals(decodeAnswer(helloWith('{"version":1,"accept":true,"name":7}')), { accept: true });
});
