import { assert, assertEquals } from "@std/assert";
import { describeMiss, guessFirst, guessLength } from "../lib/near_miss.ts";
import { bytes, text } from "./bytes.ts";
import { test } from "./strict.ts";

/** The guess at these bytes in place of the eight bytes of a length. */
function made(...first: readonly (string | Uint8Array)[]): string {
  const header = bytes(...first).subarray(0, 8);
  const view = new DataView(header.buffer, header.byteOffset, 8);
  const miss = guessLength(view.getBigUint64(0, true));
  if (miss === undefined) return "nothing";
  if (miss.kind === "length") return `${miss.form} ${miss.value}`;
  if (miss.kind === "protocol") return `${miss.name} ${miss.words}`.trim();
  return miss.kind === "bare" ? miss.what : miss.kind;
}

test("lengths in another form are known: big-endian, of four bytes, in digits", () => {
  const pickle = bytes("80 04 95 00");
  const jpeg = bytes("ff d8 ff e0");
  for (
    const [header, form] of [
      // 230,564 is a pickled frame, 230,400 a bare one, 15,000 a JPEG, 91 a hello.
      [bytes("00 00 00 00 00 03 84 a4"), "u64-big 230564"],
      [bytes("00 00 00 00 00 00 00 5b"), "u64-big 91"],
      [bytes("00 00 00 00 00 5e fc 00"), "u64-big 6224896"],
      [bytes("a4 84 03 00", pickle), "u32-little 230564"],
      [bytes("00 84 03 00", "10 20 30 40"), "u32-little 230400"],
      [bytes("98 3a 00 00", jpeg), "u32-little 15000"],
      [bytes("00 03 84 a4", pickle), "u32-big 230564"],
      [bytes("00 03 84 00", "10 20 30 40"), "u32-big 230400"],
      [bytes("00 03 84 00", "00 00 00 00"), "u32-big 230400"], // a black picture
      [bytes("00 00 3a 98", jpeg), "u32-big 15000"],
      [text("230564  "), "digits 230564"],
      [text("  230564"), "digits 230564"],
      [text("230564\n\u0001"), "digits 230564"],
      [text("00230564"), "digits 230564"],
    ] as const
  ) assertEquals(made(header), form, String(header));
});

test("other protocols, and what has no length at all, are known", () => {
  for (
    const [first, name] of [
      [text("GET / HT"), "HTTP GET / HT"],
      [text("HTTP/1.1"), "HTTP HTTP/1.1"],
      [text("POST /a "), "HTTP POST /a"],
      [text("SSH-2.0-"), "SSH SSH-2.0-"],
      [text("RTSP/1.0"), "RTSP RTSP/1.0"],
      [text("220 mail"), "digits 220"],
      [text("hello\r\nw"), "hello w"],
      [bytes("16 03 01 02 00 01 00 01"), "TLS"],
      [bytes("80 04 95 a5 84 03 00 00"), "pickle"],
      [bytes("80 03 63", text("numpy")), "pickle"],
      [bytes("ff d8 ff e0 00 10 4a 46"), "JPEG"],
      [bytes("89 50 4e 47 0d 0a 1a 0a"), "PNG"],
      [bytes("ff ff ff ff ff ff ff ff"), "nothing"],
      [bytes("00 00 00 00 00 00 00 00"), "nothing"],
      [bytes("01 fc 5e 00 00 00 00 00"), "nothing"], // only one more than the largest
      [bytes("01 00 01 00 00 00 00 00"), "nothing"],
    ] as const
  ) assertEquals(made(first), name, String(first));
});

test("no words of a stranger that could steer a terminal are in a guess", () => {
  for (let code = 0; code < 256; code++) {
    const miss = guessLength(
      new DataView(bytes("47 45 54 20", Uint8Array.of(code, 27, 7, 0x9b)).buffer)
        .getBigUint64(0, true),
    );
    assert(miss);
    const sentence = describeMiss(miss);
    assert(!/\p{Cc}/u.test(sentence), sentence);
  }
});

test("a first message that is a picture file, or a raw picture of another size, is known", () => {
  assertEquals(guessFirst(12_345, 0xff), { kind: "file", bytes: 12_345, what: "JPEG" });
  assertEquals(guessFirst(12_345, 0x89), { kind: "file", bytes: 12_345, what: "PNG" });
  assertEquals(guessFirst(921_600, 0x10), { kind: "size", bytes: 921_600, size: "640x480" });
  assertEquals(guessFirst(6_220_800, 0), { kind: "size", bytes: 6_220_800, size: "1920x1080" });
  assertEquals(guessFirst(230_401, 0), undefined);
});

test("the sentence says what is wanted", () => {
  const miss = guessLength(7_887_331_697_112_907_776n);
  assertEquals(
    miss && describeMiss(miss),
    "a message of 7887331697112907776 bytes is too long: its length looks like 6336 in 4 bytes, " +
      'big-endian, and 8 bytes, little-endian, are wanted (struct "<Q")',
  );
});
