/**
 * Guesses at what a peer meant that speaks something near. They are made where bytes are refused,
 * and tell the author of the peer what to change. The English words go to the peer as well;
 * portuguese.ts has the same in Portuguese. Pure.
 */

/** A message that is refused, with a guess at its meaning. */
export type NearMiss =
  /** A length in another form. `value` is the number that it gives in that form. */
  | {
    readonly kind: "length";
    readonly bytes: string;
    readonly form: "u64-big" | "u32-little" | "u32-big" | "digits";
    readonly value: number;
  }
  /** Another protocol, or any other text: its first words. */
  | {
    readonly kind: "protocol";
    readonly bytes: string;
    readonly name: "HTTP" | "RTSP" | "SSH" | "TLS" | "";
    readonly words: string;
  }
  /** A pickle or a picture without a length in front. */
  | { readonly kind: "bare"; readonly bytes: string; readonly what: "pickle" | "JPEG" | "PNG" }
  /** A server that sends although it ought to listen. */
  | { readonly kind: "server-sends"; readonly bytes: number }
  /** A first message that is a JPEG or a PNG. */
  | { readonly kind: "file"; readonly bytes: number; readonly what: "JPEG" | "PNG" }
  /** A first message that is as long as a raw picture of another size. */
  | { readonly kind: "size"; readonly bytes: number; readonly size: string }
  /** An array of another shape; `cure` is OpenCV's name for the conversion, if there is one. */
  | { readonly kind: "shape"; readonly shape: string; readonly cure: string }
  /** An array of other elements: numpy's code, and its name. */
  | { readonly kind: "elements"; readonly code: string; readonly name: string }
  /** An encoded picture in an array, or in bytes. */
  | {
    readonly kind: "encoded";
    readonly what: "JPEG" | "PNG";
    readonly within: "array" | "bytes";
  }
  /** A pickle of something else, by Python's name for it. */
  | { readonly kind: "value"; readonly what: string };

/** Lengths that a picture or a hello can have. */
const LEAST_LENGTH = 64;
const MOST_LENGTH = 8 * 1024 * 1024;

/** The beginnings of requests and greetings of other protocols. */
const PROTOCOLS = [
  ["HTTP", /^(GET |PUT |POST|HEAD|PATC|DELE|CONN|OPTI|HTTP|PRI )/],
  ["RTSP", /^(RTSP|DESC)/],
  ["SSH", /^SSH-/],
] as const;

/** Sizes that cameras and programs like. */
const SIZES = ["160x120", "320x180", "640x360", "640x480", "800x600", "1280x720", "1920x1080"];

/** The guess at a length that no message can have. Nothing if it looks like nothing known. */
export function guessLength(length: bigint | number): NearMiss | undefined {
  const bytes = String(length);
  const field = new DataView(new ArrayBuffer(8));
  field.setBigUint64(0, BigInt(length), true);
  const header = new Uint8Array(field.buffer);
  const text = String.fromCharCode(...header);
  const words = text.replace(/[^\x20-\x7e]+/g, " ").trim();
  const protocol = PROTOCOLS.find(([, start]) => start.test(text));
  if (protocol) return { kind: "protocol", bytes, name: protocol[0], words };
  if (header[0] === 0x16 && header[1] === 3) {
    return { kind: "protocol", bytes, name: "TLS", words: "" };
  }
  const what = beginningOf(header);
  if (what) return { kind: "bare", bytes, what };
  const digits = /^ *(\d{3,8})(?!\d)|^(\d{8})$/.exec(text);
  if (digits) {
    return { kind: "length", bytes, form: "digits", value: Number(digits[1] ?? digits[2]) };
  }
  const big = field.getBigUint64(0, false);
  if (isLength(Number(big))) return { kind: "length", bytes, form: "u64-big", value: Number(big) };
  const [u32Little, u32Big] = [field.getUint32(0, true), field.getUint32(0, false)];
  // If nothing stands behind it, a short little-endian length is a long one.
  const little = isLength(u32Little) && u32Little !== Number(length) ? u32Little : Infinity;
  if (isLength(u32Big) && u32Big < little) {
    return { kind: "length", bytes, form: "u32-big", value: u32Big };
  }
  if (little < Infinity) return { kind: "length", bytes, form: "u32-little", value: little };
  // deno-lint-ignore no-control-regex
  if (/^[\x09\x0a\x0d\x20-\x7e]+$/.test(text)) {
    return { kind: "protocol", bytes, name: "", words };
  }
  return undefined;
}

/** The guess at a first message of this length that begins with this byte. */
export function guessFirst(bytes: number, first: number): NearMiss | undefined {
  if (first === 0xff) return { kind: "file", bytes, what: "JPEG" };
  if (first === 0x89) return { kind: "file", bytes, what: "PNG" };
  const size = SIZES.find((one) => {
    const [width, height] = one.split("x").map(Number);
    return width! * height! * 3 === bytes;
  });
  return size === undefined ? undefined : { kind: "size", bytes, size };
}

/** A pickle or an encoded picture, by its first bytes. */
export function beginningOf(bytes: Uint8Array): "pickle" | "JPEG" | "PNG" | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xd8 && c === 0xff) return "JPEG";
  if (a === 0x89 && b === 0x50 && c === 0x4e && d === 0x47) return "PNG";
  // A frame, or the name of a module, follows the protocol.
  const framed = (b === 4 || b === 5) && c === 0x95;
  const named = (b === 2 || b === 3) && c === 0x63;
  return a === 0x80 && (framed || named) ? "pickle" : undefined;
}

/** The sentence in English, without its full stop. */
export function describeMiss(miss: NearMiss): string {
  switch (miss.kind) {
    case "length": {
      const form = {
        "u64-big": "8 bytes, big-endian",
        "u32-little": "4 bytes, little-endian",
        "u32-big": "4 bytes, big-endian",
        "digits": "digits",
      }[miss.form];
      return `${tooLong(miss.bytes)}: its length looks like ${miss.value} in ${form}, ` +
        'and 8 bytes, little-endian, are wanted (struct "<Q")';
    }
    case "protocol":
      return `${tooLong(miss.bytes)}: it begins as ${miss.name || "a text"}` +
        `${miss.name ? " does" : ""}${miss.words && ` ("${miss.words}")`}, and not with a length`;
    case "bare":
      return `${tooLong(miss.bytes)}: it begins with a ${miss.what}, and its length in 8 bytes, ` +
        'little-endian, is wanted in front (struct "<Q")';
    case "server-sends":
      return `a server that only listens has spoken: ${miss.bytes} bytes, as if it sent pictures; ` +
        "here the client sends them and the server receives";
    case "file":
      return `${noFirst(miss.bytes)}: it begins as a ${miss.what} does, and plain frames are ` +
        "bgr24 pictures of 320x240";
    case "size":
      return `${noFirst(miss.bytes)}: it is as long as a picture of ${miss.size}, and plain ` +
        "frames are 320x240";
    case "shape":
      return `the pickle is no picture: its shape is not (height, width, 3) but ${miss.shape}` +
        `${miss.cure && `; cv2.cvtColor(frame, cv2.${miss.cure}) mends it`}`;
    case "elements":
      return `the pickle is no picture: its elements are ${miss.code}, not bytes` +
        `${miss.name && `: ${miss.name}, where uint8 is wanted`}`;
    case "encoded":
      return `the pickle is no picture: it is a ${miss.what} in ${
        miss.within === "array" ? "an array" : "bytes"
      }: send the picture itself, without cv2.imencode`;
    case "value":
      return `the pickle is no picture: it makes ${miss.what}, not an array${
        miss.what === "None" ? "; did the camera give no picture?" : ""
      }`;
  }
}

function isLength(value: number): boolean {
  return value >= LEAST_LENGTH && value <= MOST_LENGTH;
}

function tooLong(bytes: string): string {
  return `a message of ${bytes} bytes is too long`;
}

function noFirst(bytes: number): string {
  return `a first message of ${bytes} bytes is neither a frame of 230400 nor a hello`;
}
