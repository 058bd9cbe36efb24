import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { ProtocolError } from "../lib/errors.ts";
import { type Codec, OPUS, PCM, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import {
  ACK_BYTES,
  type Answer,
  checkStream,
  decodeAck,
  decodeAnswer,
  decodeBye,
  decodeFrame,
  decodeHello,
  decodeRest,
  encodeAck,
  encodeAnswer,
  encodeBye,
  encodeFrameHeader,
  encodeHello,
  encodeRest,
  FRAME_HEADER_BYTES,
  type Hello,
  isHello,
  isSameStreams,
  MAX_HELLO_BYTES,
  MAX_STREAMS,
  misplaced,
  newCallId,
  REST_BYTES,
  type Streams,
} from "../lib/wire/session.ts";
import { bytes, helloWith, text } from "./bytes.ts";
import { test } from "./strict.ts";

const SMALL: VideoFormat = { kind: "video", codec: "raw", width: 16, height: 16, fps: 20 };
const SMALL_BYTES = 768;

const CALL = "00112233445566778899aabbccddeeff";

/** The JSON of a stream of that format in a hello. */
function streamJson(parts: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...SMALL, ...parts };
}

/** A caller's hello as its JSON, with parts changed or, where `undefined`, left out. */
function helloJson(parts: Record<string, unknown> = {}): Uint8Array {
  return helloWith(JSON.stringify({ version: 2, name: "ana", streams: [streamJson()], ...parts }));
}

/** A hello with one stream, some parts of which are changed. */
function helloOf(stream: Record<string, unknown>): Uint8Array {
  return helloJson({ streams: [streamJson(stream)] });
}

/** A yes as its JSON, with parts changed or, where `undefined`, left out. */
function yesJson(parts: Record<string, unknown> = {}): Uint8Array {
  const whole = { version: 2, name: "", streams: [], call: CALL, accept: true };
  return helloWith(JSON.stringify({ ...whole, ...parts }));
}

const YES: Answer = { accept: true, name: "", streams: [], call: CALL };

function frame(parts: Partial<Frame> = {}): Frame {
  return {
    stream: 0,
    data: new Uint8Array(SMALL_BYTES),
    captureUs: 0,
    sequence: 0,
    keyframe: true,
    ...parts,
  };
}

/** The beginning of each codec's data. */
const BEGINNINGS = { raw: "", mjpeg: "ff d8", h264: "00 00 00 01" } as const;

/** A frame message with that much data, which begins like the codec's. */
function message(header: Uint8Array, dataBytes: number, codec: Codec = "raw"): Uint8Array {
  const data = new Uint8Array(dataBytes);
  data.set(bytes(BEGINNINGS[codec]).subarray(0, dataBytes));
  return bytes(header, data);
}

/** The frame of a message on the only stream, whose format is known. */
function decoded(message: Uint8Array, format: VideoFormat = SMALL): Frame {
  const got = decodeFrame(message, [format]);
  assertEquals(got?.stream, 0);
  return got!;
}

test("encodeHello() writes the kind, the magic and JSON", () => {
  const video: VideoFormat = { kind: "video", codec: "raw", width: 320, height: 240, fps: 29.97 };
  assertEquals(
    encodeHello({ name: "Ana", streams: [video] }),
    bytes(
      "01", // kind: hello
      "43 48 41 4d 41 44 41 31", // "CHAMADA1"
      text('{"version":2,"name":"Ana","streams":['),
      text('{"kind":"video","codec":"raw","width":320,"height":240,"fps":29.97}]}'),
    ),
  );
  assertEquals(
    encodeHello({ name: "", streams: [], call: CALL, clockUs: 7 }),
    helloWith(`{"version":2,"name":"","streams":[],"call":"${CALL}","clock":7}`),
  );
});

test("encodeHello() lists each stream in its order", () => {
  const other: VideoFormat = { kind: "video", codec: "h264", width: 640, height: 480, fps: 30 };
  const { streams } = decodeHello(encodeHello({ name: "", streams: [SMALL, other] }));
  assertEquals(streams, [SMALL, other]);
});

test("encodeAnswer() writes the kind, the magic and JSON, and of a no the reason", () => {
  assertEquals(
    encodeAnswer({ ...YES, streams: [SMALL], clock: { heardUs: 5, answeredUs: 7 } }),
    bytes(
      "01", // kind: hello
      text("CHAMADA1"),
      text('{"version":2,"name":"","streams":['),
      text('{"kind":"video","codec":"raw","width":16,"height":16,"fps":20}],'),
      text(`"call":"${CALL}","accept":true,"heard":5,"clock":7}`),
    ),
  );
  assertEquals(
    encodeAnswer({ accept: false, reason: "não" }),
    bytes(
      "01", // kind: hello
      text("CHAMADA1"),
      text('{"version":2,"name":"","streams":[],"accept":false,"reason":"n'),
      "c3 a3", // ã
      text('o"}'),
    ),
  );
});

test("encodeFrameHeader() writes kind, flags, stream, sequence and capture time, little-endian", () => {
  assertEquals(
    encodeFrameHeader(frame({ sequence: 0x01020304, captureUs: 0x06_05_04_03_02_01 })),
    bytes(
      "02", // kind: frame
      "01", // flags: keyframe
      "00", // stream
      "00", // nothing
      "04 03 02 01", // sequence
      "01 02 03 04 05 06 00 00", // capture time, µs
    ),
  );
  assertEquals(
    encodeFrameHeader(frame({ stream: 15, sequence: 0xffffffff, captureUs: 0.6, keyframe: false })),
    bytes(
      "02", // kind: frame
      "00", // flags: none
      "0f", // stream
      "00", // nothing
      "ff ff ff ff", // sequence
      "01 00 00 00 00 00 00 00", // capture time, whole µs
    ),
  );
});

test("encodeFrameHeader() tells the capture time on the peer's clock, and never one below zero", () => {
  const captureUs = (aheadUs: number): number =>
    decoded(bytes(encodeFrameHeader(frame({ captureUs: 1000 }), aheadUs), frame().data))
      .captureUs;
  assertEquals([captureUs(500), captureUs(-400), captureUs(-1001)], [1500, 600, 0]);
});

test("encodeAck() writes kind, stream and the sequence", () => {
  assertEquals(encodeAck(0, 0x01020304), bytes("03 00 00 00", "04 03 02 01"));
  assertEquals(encodeAck(15, 0), bytes("03 00 0f 00", "00 00 00 00"));
  assertEquals(encodeAck(1, 0xffffffff), bytes("03 00 01 00", "ff ff ff ff"));
  assertEquals(ACK_BYTES, 8);
});

test("encodeRest() writes kind, flag and stream", () => {
  assertEquals(encodeRest(0, true), bytes("07 01 00 00"));
  assertEquals(encodeRest(15, false), bytes("07 00 0f 00"));
  assertEquals(REST_BYTES, 4);
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
          const streams = [{ kind: "video", codec, width, height, fps }] as const;
          const hello: Hello = { name, streams, call: CALL, clockUs: 0 };
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
    YES,
    { ...YES, name: "olá", streams: [SMALL, { ...SMALL, codec: "h264" }] },
    { ...YES, clock: { heardUs: 0, answeredUs: 0 } },
    { accept: false, reason: "" },
    { accept: false, reason: "busy" },
  ];
  for (const answer of answers) assertEquals(decodeAnswer(encodeAnswer(answer)), answer);
});

test("decodeFrame() gives back stream and frame, whose data is a view of the message", () => {
  const data = Uint8Array.from({ length: SMALL_BYTES }, (_, index) => index % 251);
  for (const sequence of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
    for (const captureUs of [0, 1, 1_700_000_000_000_000, Number.MAX_SAFE_INTEGER]) {
      const sent = frame({ data, sequence, captureUs });
      const message = bytes(encodeFrameHeader({ ...sent, stream: 1 }), data);
      const got = decodeFrame(message, [{ ...SMALL, width: 32 }, SMALL]);
      assertEquals(got, { ...sent, stream: 1 });
      assert(got?.data.buffer === message.buffer);
    }
  }
});

test("messages are read wherever they lie in a buffer", () => {
  const elsewhere = (message: Uint8Array): Uint8Array =>
    bytes("ff ff ff", message, "ff").subarray(3, 3 + message.length);
  const header = encodeFrameHeader(frame({ sequence: 7, captureUs: 9 }));
  const { sequence, captureUs, data } = decoded(elsewhere(bytes(header, frame().data)));
  assertEquals([sequence, captureUs, data.length], [7, 9, SMALL_BYTES]);
  assertEquals(decodeAck(elsewhere(encodeAck(3, 7))), { stream: 3, sequence: 7 });
  assertEquals(decodeRest(elsewhere(encodeRest(3, true))), { stream: 3, resting: true });
});

test("decodeAck(), decodeRest() and decodeBye() give back what was encoded", () => {
  for (const stream of [0, 1, 15, 255]) {
    for (const sequence of [0, 1, 0x80000000, 0xffffffff]) {
      assertEquals(decodeAck(encodeAck(stream, sequence)), { stream, sequence });
    }
    for (const resting of [true, false]) {
      assertEquals(decodeRest(encodeRest(stream, resting)), { stream, resting });
    }
  }
  for (const reason of ["", "hung up", "até logo 👋"]) {
    assertEquals(decodeBye(encodeBye(reason)), reason);
  }
});

test("a rest is told by its first flag; the others are for later versions", () => {
  for (
    const [flags, resting] of [["01", true], ["ff", true], ["00", false], ["fe", false]] as const
  ) {
    assertEquals(decodeRest(bytes("07", flags, "00 00")), { stream: 0, resting }, flags);
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
    const got = decoded(message(header, SMALL_BYTES, codec), { ...SMALL, codec });
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
    const [version, named] of [
      [1, "1"],
      [3, "3"],
      [0, "0"],
      ["2", '"2"'],
      [null, "null"],
      [[2], "[2]"],
    ]
  ) {
    const refused = { words: `the peer speaks version ${named}, this program version 2` };
    assertThrows(() => decodeHello(helloJson({ version })), ProtocolError, refused.words);
  }
  assertThrows(
    () => decodeHello(helloJson({ version: undefined })),
    ProtocolError,
    "the peer speaks version (none), this program version 2",
  );
});

test("decodeHello() refuses what is no JSON", () => {
  for (const json of ["", "{", "{}x", "'a'", "undefined", "NaN", '{"version":2,}']) {
    assertThrows(() => decodeHello(helloWith(json)), ProtocolError, "the hello is not JSON");
  }
  const brokenText = bytes(helloWith('{"version":2,"name":"'), "ff", text('"}'));
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
    `{"version":2,"name":${arrays(deep)}}`,
    `{"version":2,"name":"","streams":${arrays(deep)}}`,
    `{"version":2,"name":"","streams":[{"kind":${arrays(deep)}}]}`,
    `{"version":2,"name":"","streams":[{"kind":"video","codec":${arrays(deep)}}]}`,
    `{"version":2,"name":"","streams":[{"kind":"video","codec":"raw","width":${arrays(deep)}}]}`,
    `{"version":2,"name":"","streams":[],"call":${arrays(deep)}}`,
    `{"version":2,"accept":${arrays(deep)}}`,
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
      [helloJson({ streams: undefined }), "the hello does not list its streams"],
      [helloJson({ streams: null }), "the hello does not list its streams"],
      [helloJson({ streams: {} }), "the hello does not list its streams"],
      [helloJson({ streams: "video" }), "the hello does not list its streams"],
      [helloJson({ streams: [null] }), "a stream of the hello has no kind"],
      [helloJson({ streams: ["video"] }), "a stream of the hello has no kind"],
      [helloJson({ streams: [[]] }), "a stream of the hello has no kind"],
      [helloJson({ streams: [streamJson(), {}] }), "a stream of the hello has no kind"],
      [helloOf({ kind: 1 }), "a stream of the hello has no kind"],
      [helloOf({ width: undefined }), "no width, height and fps as numbers"],
      [helloOf({ height: undefined }), "no width, height and fps as numbers"],
      [helloOf({ fps: undefined }), "no width, height and fps as numbers"],
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
      () => decodeHello(helloOf({ codec })),
      ProtocolError,
      `the codec ${named} is none of raw, mjpeg, h264`,
    );
  }
});

test("decodeHello() takes the smallest and the largest picture, and none beyond", () => {
  for (const [width, height] of [[16, 16], [3840, 2160]] as const) {
    const [stream] = decodeHello(helloOf({ width, height })).streams;
    assertEquals(stream, { ...SMALL, width, height });
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
      () => decodeHello(helloOf({ width, height })),
      ProtocolError,
      `a picture of ${width}x${height} is outside 16x16 to 3840x2160`,
    );
  }
});

test("decodeHello() takes 1 to 120 frames a second, and none beyond", () => {
  for (const fps of [1, 1.5, 29.97, 120]) {
    assertEquals(decodeHello(helloOf({ fps })).streams, [{ ...SMALL, fps }]);
  }
  for (const fps of [0.5, 0, -1, 0.999, 120.001, 121, 1e308]) {
    assertThrows(
      () => decodeHello(helloOf({ fps })),
      ProtocolError,
      `${fps} frames a second is outside 1 to 120`,
    );
  }
});

test("decodeHello() refuses numbers that JSON cannot say", () => {
  // NaN and Infinity become null in JSON. A number too large for JSON's reader becomes Infinity.
  for (const fps of [NaN, Infinity, "20", [20], { a: 1 }, true]) {
    assertThrows(
      () => decodeHello(helloOf({ fps })),
      ProtocolError,
      "no width, height and fps as numbers",
    );
  }
  for (const [field, reason] of [["width", "a picture of Infinity"], ["fps", "Infinity frames"]]) {
    const streams = [streamJson({ [field!]: -1 })];
    const json = JSON.stringify({ version: 2, name: "", streams });
    const huge = helloWith(json.replace("-1", "1e999"));
    assertThrows(() => decodeHello(huge), ProtocolError, reason);
  }
  for (const size of ["320", [320], null, true]) {
    for (const field of ["width", "height"]) {
      assertThrows(
        () => decodeHello(helloOf({ [field]: size })),
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
  assertEquals(decodeAnswer(encodeAnswer({ ...YES, name: evil })), { ...YES, name: harmless });
  assertEquals(decodeAnswer(encodeAnswer({ accept: false, reason: evil })), {
    accept: false,
    reason: harmless,
  });
  const error = assertThrows(() => decodeHello(helloJson({ version: evil })), ProtocolError);
  assertFalse(/\p{Cc}|\p{Cf}|\p{Zl}/u.test(error.message), error.message);
  const codec = assertThrows(() => decodeHello(helloOf({ codec: evil })));
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
      [bytes("01", text("CHAMADA2"), yesJson().subarray(9)), "not one of Chamada's"],
      [bytes("02", yesJson().subarray(1)), "not one of Chamada's"],
      [bytes(), "the answer is not one of Chamada's"],
      [helloWith("{"), "the hello is not JSON"],
      [helloWith("[true]"), "the hello is not a JSON object"],
      [yesJson({ accept: undefined }), "the answer says neither yes nor no"],
      [yesJson({ accept: "true" }), "the answer says neither yes nor no"],
      [yesJson({ accept: 1 }), "the answer says neither yes nor no"],
      [yesJson({ version: 1 }), "the peer speaks version 1, this program version 2"],
      [yesJson({ version: 3 }), "the peer speaks version 3, this program version 2"],
      [yesJson({ name: undefined }), "the hello has no name"],
      [yesJson({ streams: undefined }), "the hello does not list its streams"],
      [yesJson({ streams: [streamJson({ width: 15 })] }), "a picture of 15x16 is outside"],
      [yesJson({ call: undefined }), "the answer does not name the call"],
    ] as const
  ) {
    assertThrows(() => decodeAnswer(message), ProtocolError, reason);
  }
});

test("decodeAnswer() understands a refusal of any version, and one whose reason is no text", () => {
  const no = (json: string): Answer => decodeAnswer(helloWith(json));
  assertEquals(no('{"version":1,"accept":false,"reason":"version 1 only"}'), {
    accept: false,
    reason: "version 1 only",
  });
  assertEquals(no('{"version":3,"accept":false,"reason":[1]}'), { accept: false, reason: "" });
  assertEquals(no('{"accept":false}'), { accept: false, reason: "" });
});

/** Ids that no call has. */
const NO_CALLS: readonly unknown[] = [
  ...["", CALL.slice(1), `${CALL}0`, CALL.toUpperCase(), `${CALL.slice(1)}g`, `${CALL}\n`],
  ...[null, 7, true, [CALL], { call: CALL }],
];

test("a call is named by 32 hexadecimal digits, and by nothing else", () => {
  assertEquals(decodeHello(helloJson({ call: CALL })).call, CALL);
  assertEquals("call" in decodeHello(helloJson()), false);
  for (const call of NO_CALLS) {
    const shown = JSON.stringify(call);
    assertThrows(
      () => decodeHello(helloJson({ call })),
      ProtocolError,
      "the hello names a call that can be none",
      shown,
    );
    assertThrows(
      () => decodeAnswer(yesJson({ call })),
      ProtocolError,
      "the answer does not name the call",
      shown,
    );
  }
});

test("newCallId() never gives the same name twice", () => {
  const names = Array.from({ length: 1000 }, newCallId);
  assertEquals(new Set(names).size, names.length);
  for (const call of names) assertEquals(decodeHello(helloJson({ call })).call, call);
});

test("fields that no version has yet are ignored", () => {
  assertEquals(decodeHello(helloJson({ code: [1], streams: [streamJson({ bits: 7 })] })), {
    name: "ana",
    streams: [SMALL],
  });
  assertEquals(decodeAnswer(yesJson({ code: { a: 1 } })), YES);
});

test("a stream of a kind that this version does not know keeps its number", () => {
  const smell = { kind: "smell", codec: "pcm", notes: 7 };
  const { streams } = decodeHello(helloJson({ streams: [smell, streamJson(), { kind: "" }] }));
  assertEquals(streams, [undefined, SMALL, undefined]);
  const data = frame().data;
  assertEquals(
    decodeFrame(bytes(encodeFrameHeader(frame({ stream: 1 })), data), streams)?.stream,
    1,
  );
  // The content does not matter: its format is not known.
  for (const data of [bytes(), new Uint8Array(1), new Uint8Array(100_000)]) {
    assertEquals(decodeFrame(bytes(encodeFrameHeader(frame()), data), streams), undefined);
    assertEquals(
      decodeFrame(bytes(encodeFrameHeader(frame({ stream: 2 })), data), streams),
      undefined,
    );
  }
});

test("a side may announce no stream, or 16 of them, and no more", () => {
  const many = (count: number): Uint8Array =>
    helloJson({ streams: Array.from({ length: count }, () => streamJson()) });
  assertEquals(MAX_STREAMS, 16);
  for (const count of [0, 1, 16]) assertEquals(decodeHello(many(count)).streams.length, count);
  for (const count of [17, 500]) {
    const reason = `${count} streams are more than 16`;
    assertThrows(() => decodeHello(many(count)), ProtocolError, reason);
  }
  const unknown = Array.from({ length: 17 }, () => ({ kind: "smell" }));
  assertThrows(() => decodeHello(helloJson({ streams: unknown })), ProtocolError, "17 streams");
  assertThrows(() => decodeAnswer(yesJson({ streams: unknown })), ProtocolError, "17 streams");
});

test("a message of a stream that was not announced is refused and named", () => {
  const announced: readonly Streams[] = [[], [SMALL], Array.from({ length: 16 }, () => SMALL)];
  for (const streams of announced) {
    for (const stream of [streams.length, 255]) {
      const message = bytes(encodeFrameHeader(frame({ stream: stream })), frame().data);
      const reason = `stream ${stream} was not announced`;
      assertThrows(() => decodeFrame(message, streams), ProtocolError, reason);
      assertThrows(() => checkStream(stream, streams.length), ProtocolError, reason);
    }
    if (streams.length > 0) checkStream(streams.length - 1, streams.length);
  }
});

test("decodeFrame() takes a raw picture of exactly its size", () => {
  const header = encodeFrameHeader(frame());
  assertEquals(header.length, FRAME_HEADER_BYTES);
  assertEquals(decoded(message(header, SMALL_BYTES)).data.length, SMALL_BYTES);
  for (const count of [0, 1, SMALL_BYTES - 1, SMALL_BYTES + 1]) {
    assertThrows(
      () => decoded(message(header, count)),
      ProtocolError,
      `a frame of ${count} bytes is not a raw picture of 16x16`,
    );
  }
});

test("decodeFrame() takes a compressed picture up to its bound, and none beyond", () => {
  const header = encodeFrameHeader(frame());
  const most = SMALL_BYTES + 4096;
  for (const codec of ["mjpeg", "h264"] satisfies Codec[]) {
    const format = { ...SMALL, codec };
    for (const count of [4, most]) {
      assertEquals(decoded(message(header, count, codec), format).data.length, count);
    }
    for (const count of [0, most + 1]) {
      assertThrows(
        () => decoded(message(header, count, codec), format),
        ProtocolError,
        `a frame of ${count} bytes is not a ${codec} picture of 16x16`,
      );
    }
  }
});

test("decodeFrame() refuses a compressed picture that does not begin as its codec does", () => {
  const header = encodeFrameHeader(frame());
  for (const beginning of ["00 00 01", "00 00 00 01"]) {
    const message = bytes(header, beginning, "65 88");
    assertEquals(decoded(message, { ...SMALL, codec: "h264" }).data.length, message.length - 16);
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
      () => decoded(bytes(header, data), { ...SMALL, codec }),
      ProtocolError,
      `a frame does not begin as ${codec} does`,
    );
  }
});

test("decodeFrame() refuses a message that ends inside its header, of a known stream or not", () => {
  const header = encodeFrameHeader(frame());
  for (let count = 1; count < FRAME_HEADER_BYTES; count++) {
    for (const streams of [[SMALL], [{ ...SMALL, codec: "h264" }], [undefined], []] as Streams[]) {
      assertThrows(
        () => decodeFrame(header.subarray(0, count), streams),
        ProtocolError,
        `a frame message of ${count} bytes has no header`,
      );
    }
  }
});

test("decodeAck() and decodeRest() refuse any length but their own", () => {
  for (const count of [1, 3, 5, 7, 9, 65536]) {
    const message = new Uint8Array(count);
    const ack = `an ack of ${count} bytes is not 8`;
    assertThrows(() => decodeAck(message), ProtocolError, ack);
    const rest = `a rest of ${count} bytes is not 4`;
    assertThrows(() => decodeRest(message), ProtocolError, rest);
  }
});

test("misplaced() names the kind of a message, and one without any", () => {
  assertEquals(misplaced(bytes("05 00")), "a message of kind 5 has no place here");
  assertEquals(misplaced(bytes()), "an empty message has no place here");
});

test("clock: whole moments from 0 on are taken, and anything else is as if nothing was said", () => {
  const answer = (parts: Record<string, unknown>): Answer => decodeAnswer(yesJson(parts));
  assertEquals(decodeHello(helloJson({ clock: 0 })).clockUs, 0);
  assertEquals(answer({ heard: 5, clock: 7 }), {
    ...YES,
    clock: { heardUs: 5, answeredUs: 7 },
  });
  for (const wrong of [-1, 0.5, 2 ** 53, "7", null, true, [7], {}]) {
    assertEquals("clockUs" in decodeHello(helloJson({ clock: wrong })), false, `${wrong}`);
    assertEquals(answer({ heard: wrong, clock: 7 }), YES, `${wrong}`);
    assertEquals(answer({ heard: 7, clock: wrong }), YES, `${wrong}`);
  }
  assertEquals(answer({ clock: 7 }), YES);
});

test("decodeHello() reads streams of sound, and refuses what no version has", () => {
  const pcm = { kind: "sound", codec: "pcm", rate: 48_000, channels: 1 };
  const { streams } = decodeHello(helloJson({ streams: [pcm, { ...pcm, codec: "opus" }] }));
  assertEquals(streams, [PCM, OPUS]);
  for (
    const [parts, reason] of [
      [{ codec: "mp3" }, 'sound in "mp3" is none of pcm, opus'],
      [{ codec: undefined }, "sound in (none) is none of pcm, opus"],
      [{ rate: 44_100 }, "sound of 44100 samples a second and 1 channels is not of 48000 and 1"],
      [{ channels: 2 }, "sound of 48000 samples a second and 2 channels is not of 48000 and 1"],
      [{ rate: "48000" }, 'sound of "48000" samples a second'],
      [{ channels: null }, "and null channels"],
    ] as const
  ) {
    const message = helloJson({ streams: [{ ...pcm, ...parts }] });
    assertThrows(() => decodeHello(message), ProtocolError, reason);
  }
});

test("decodeFrame() takes 10 ms of sound, and nothing of another size", () => {
  const header = encodeFrameHeader(frame());
  for (const [format, sizes] of [[PCM, [960]], [OPUS, [1, 40, 1275]]] as const) {
    for (const size of sizes) {
      const got = decodeFrame(bytes(header, new Uint8Array(size)), [format]);
      assertEquals([got?.data.length, got?.keyframe], [size, true]);
    }
  }
  for (const [format, sizes] of [[PCM, [0, 1, 958, 961, 1920]], [OPUS, [0, 1276]]] as const) {
    for (const size of sizes) {
      assertThrows(
        () => decodeFrame(bytes(header, new Uint8Array(size)), [format]),
        ProtocolError,
        `a frame of ${size} bytes is not 10 ms of ${format.codec} sound`,
      );
    }
  }
});

test("isSameStreams() tells sound from pictures, and one codec from another", () => {
  assert(isSameStreams([SMALL, PCM], [{ ...SMALL }, { ...PCM }]));
  assertFalse(isSameStreams([SMALL, PCM], [SMALL, OPUS]));
  assertFalse(isSameStreams([SMALL, PCM], [SMALL]));
  assertFalse(isSameStreams([PCM], [undefined]));
});
