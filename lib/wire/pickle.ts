/**
 * The one pickle that a report peer sends: a numpy array of bytes, shape (height, width, 3). It is
 * read as data by a machine with the few opcodes and globals that such an array needs, on a small
 * stack of plain values. Nothing is imported, called or constructed by name. Any other content of a
 * pickle is refused with a reason, before memory of its size is allocated.
 *
 * The forms of a pickled array (`…` are pixels):
 *
 * ```
 *  protocol 2   _reconstruct(ndarray, (0,), encode("b", "latin1"))
 *               BUILD (1, shape, dtype, fortran, encode("…", "latin1"))
 *  protocol 3,4 _reconstruct(ndarray, (0,), b"b")   BUILD (1, shape, dtype, fortran, b"…")
 *  protocol 5   _frombuffer(bytearray(b"…"), dtype, shape, "C" or "F")
 *  ours         ndarray(shape, "u1", bytearray(b"…"))
 * ```
 *
 * where dtype is `dtype("u1", False, True)` BUILD `(3, "|", None, None, None, -1, -1, 0)`.
 */

import { concat } from "@std/bytes/concat";
import { ProtocolError } from "../errors.ts";
import { formatProblem, rawFrameBytes } from "../frame/format.ts";
import { beginningOf, type NearMiss } from "../near_miss.ts";

/** A picture out of a pickle: bgr24 rows from the top. */
export interface PickledPicture {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** width x height x 3 bytes. */
  readonly data: Uint8Array;
}

/** The most bytes of a picture. */
export const MAX_PICTURE_BYTES: number = 1920 * 1080 * 3;

/** The most bytes of a pickle: those of the picture and the words around them. */
export const MAX_PICKLE_BYTES: number = MAX_PICTURE_BYTES + 4096;

/** The first byte of every pickle of protocol 2 and later. */
export const PICKLE_START = 0x80;

/**
 * An array's pickle has some 60 opcodes, 20 memos and a stack of a dozen. A larger one is something
 * else.
 */
const MAX_OPCODES = 200;
const MAX_DEPTH = 40;
const MAX_TEXT = 64;

/** The globals of an array's pickle. The names with `_core` are numpy 2's. */
const GLOBALS: ReadonlyMap<string, Global["name"]> = new Map([
  ["numpy.core.multiarray _reconstruct", "reconstruct"],
  ["numpy._core.multiarray _reconstruct", "reconstruct"],
  ["numpy.core.numeric _frombuffer", "frombuffer"],
  ["numpy._core.numeric _frombuffer", "frombuffer"],
  ["numpy ndarray", "ndarray"],
  ["numpy dtype", "dtype"],
  ["_codecs encode", "encode"],
]);

interface Global {
  readonly kind: "global";
  readonly name: "reconstruct" | "frombuffer" | "ndarray" | "dtype" | "encode";
}

/**
 * A text, in the bytes that it is written in. In protocol 2 the pixels are text, and most of it is
 * never looked at.
 */
interface Text {
  readonly kind: "text";
  readonly utf8: Uint8Array;
}

interface Bytes {
  readonly kind: "bytes";
  readonly bytes: Uint8Array;
}

interface Tuple {
  readonly kind: "tuple";
  readonly items: readonly Value[];
}

/** `dtype("u1")`: the only one. */
interface Dtype {
  readonly kind: "dtype";
}

/** An array that is not built yet. */
interface Blank {
  readonly kind: "blank";
}

interface Picture {
  readonly kind: "picture";
  readonly picture: PickledPicture;
}

interface Mark {
  readonly kind: "mark";
}

type Value =
  | null
  | boolean
  | number
  | Global
  | Text
  | Bytes
  | Tuple
  | Dtype
  | Blank
  | Picture
  | Mark;

/**
 * Reads the picture out of a pickle. C-ordered pixels stay in their place. Throws `ProtocolError`
 * with the reason.
 */
export function decodePickle(message: Uint8Array): PickledPicture {
  return new Unpickler(message).run();
}

/**
 * The bytes before and after the pixels in a pickle of our own. It is protocol 5, which Python has
 * had since 3.8; no other makes a writable array. It calls `numpy.ndarray` by the name that numpy 1
 * and 2 share.
 */
export function encodePickle(
  { width, height }: { readonly width: number; readonly height: number },
): { readonly before: Uint8Array; readonly after: Uint8Array } {
  const global = new TextEncoder().encode("cnumpy\nndarray\n"); // GLOBAL
  const numbers = new DataView(new ArrayBuffer(12));
  numbers.setUint16(0, height, true);
  numbers.setUint16(2, width, true);
  numbers.setBigUint64(4, BigInt(rawFrameBytes({ width, height })), true);
  const [rows, columns, length] = [[0, 2], [2, 4], [4, 12]].map(([from, to]) =>
    new Uint8Array(numbers.buffer.slice(from!, to))
  );
  const before = concat([
    new Uint8Array([PICKLE_START, 5]), // PROTO 5
    global,
    new Uint8Array([0x4d, ...rows!, 0x4d, ...columns!, 0x4b, 3, 0x87]), // BININT2 twice, BININT1, TUPLE3
    new Uint8Array([0x8c, 2, 0x75, 0x31]), // SHORT_BINUNICODE "u1"
    new Uint8Array([0x96, ...length!]), // BYTEARRAY8
  ]);
  return { before, after: new Uint8Array([0x87, 0x52, 0x2e]) }; // TUPLE3, REDUCE, STOP
}

function refuse(reason: string | NearMiss): never {
  throw new ProtocolError(
    typeof reason === "string" ? `the pickle is no picture: ${reason}` : reason,
  );
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #stack: Value[] = [];
  readonly #memo = new Map<number, Value>();
  #at = 0;
  #made = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickledPicture {
    for (let count = 0; count < MAX_OPCODES; count++) {
      const opcode = this.#byte();
      if (opcode === 0x2e) return this.#stop();
      this.#step(opcode);
      if (this.#stack.length > MAX_DEPTH) refuse("its stack is too deep");
    }
    return refuse("it is too long a program");
  }

  #stop(): PickledPicture {
    const result = this.#pop();
    if (kindOf(result) !== "picture") {
      const what = encodedIn(result);
      refuse(
        what ? { kind: "encoded", what, within: "bytes" } : { kind: "value", what: nameOf(result) },
      );
    }
    if (this.#stack.length > 0) refuse("something is left on its stack");
    if (this.#at !== this.#bytes.length) refuse("there are bytes behind its end");
    return (result as Picture).picture;
  }

  #step(opcode: number): void {
    switch (opcode) {
      case 0x80: { // PROTO
        const protocol = this.#byte();
        if (protocol < 2 || protocol > 5) refuse(`it is of protocol ${protocol}, not 2 to 5`);
        return;
      }
      case 0x95: // FRAME: says how much follows, which is only checked
        this.#length8();
        return;
      case 0x28: // MARK
        return this.#push({ kind: "mark" });
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4b: // BININT1
        return this.#push(this.#byte());
      case 0x4d: // BININT2
        this.#need(2);
        this.#at += 2;
        return this.#push(this.#view.getUint16(this.#at - 2, true));
      case 0x4a: // BININT
        this.#need(4);
        this.#at += 4;
        return this.#push(this.#view.getInt32(this.#at - 4, true));
      case 0x8c: // SHORT_BINUNICODE
        return this.#push({ kind: "text", utf8: this.#take(this.#byte()) });
      case 0x58: // BINUNICODE
        return this.#push({ kind: "text", utf8: this.#take(this.#length4()) });
      case 0x8d: // BINUNICODE8
        return this.#push({ kind: "text", utf8: this.#take(this.#length8()) });
      case 0x43: // SHORT_BINBYTES
        return this.#push({ kind: "bytes", bytes: this.#take(this.#byte()) });
      case 0x42: // BINBYTES
        return this.#push({ kind: "bytes", bytes: this.#take(this.#length4()) });
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#push({ kind: "bytes", bytes: this.#take(this.#length8()) });
      case 0x29: // EMPTY_TUPLE
        return this.#tuple(0);
      case 0x85: // TUPLE1
        return this.#tuple(1);
      case 0x86: // TUPLE2
        return this.#tuple(2);
      case 0x87: // TUPLE3
        return this.#tuple(3);
      case 0x74: { // TUPLE
        const mark = this.#stack.findLastIndex((value) => kindOf(value) === "mark");
        if (mark < 0) refuse("a tuple has no beginning");
        const items = this.#stack.splice(mark).slice(1);
        return this.#push({ kind: "tuple", items });
      }
      case 0x71: // BINPUT
        return this.#memoize(this.#byte());
      case 0x72: // LONG_BINPUT
        return this.#memoize(this.#number4());
      case 0x94: // MEMOIZE
        return this.#memoize(this.#memo.size);
      case 0x68: // BINGET
        return this.#recall(this.#byte());
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#number4());
      case 0x63: // GLOBAL
        return this.#global(this.#line(), this.#line());
      case 0x93: { // STACK_GLOBAL
        const name = this.#pop();
        const module = this.#pop();
        return this.#global(shortText(module), shortText(name));
      }
      case 0x52: { // REDUCE
        const args = this.#pop();
        const callable = this.#pop();
        return this.#make(reduce(callable, args));
      }
      case 0x62: { // BUILD
        const state = this.#pop();
        const object = this.#pop();
        return this.#make(build(object, state));
      }
      case 0x5d: // EMPTY_LIST
        refuse({ kind: "value", what: "a list" });
        break;
      case 0x7d: // EMPTY_DICT
        refuse({ kind: "value", what: "a dict" });
        break;
      default:
        refuse(`it uses opcode 0x${opcode.toString(16).padStart(2, "0")}`);
    }
  }

  #push(value: Value): void {
    this.#stack.push(value);
  }

  /**
   * Pushes a value that was made of other values. A pickle that makes the same pixels again and
   * again wants to keep us busy.
   */
  #make(value: Value): void {
    this.#made += madeBytes(value);
    if (this.#made > 2 * this.#bytes.length) refuse("it makes more than it holds");
    this.#push(value);
  }

  #pop(): Value {
    const value = this.#stack.pop();
    if (value === undefined) refuse("its stack is empty");
    return value;
  }

  #tuple(length: number): void {
    if (this.#stack.length < length) refuse("its stack is empty");
    const items = this.#stack.splice(this.#stack.length - length);
    this.#push({ kind: "tuple", items });
  }

  #memoize(key: number): void {
    const value = this.#stack.at(-1);
    if (value === undefined) refuse("its stack is empty");
    this.#memo.set(key, value);
  }

  #recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) refuse(`it recalls memo ${key}, which it never made`);
    this.#push(value);
  }

  #global(module: string, name: string): void {
    const known = GLOBALS.get(`${module} ${name}`);
    if (known === undefined) refuse(`it asks for ${module}.${name}`);
    this.#push({ kind: "global", name: known });
  }

  #need(count: number): void {
    if (count > this.#bytes.length - this.#at) refuse("it is cut short");
  }

  #byte(): number {
    this.#need(1);
    return this.#bytes[this.#at++]!;
  }

  #number4(): number {
    this.#need(4);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** A length that the rest of the bytes can hold. */
  #length4(): number {
    const length = this.#number4();
    this.#need(length);
    return length;
  }

  #length8(): number {
    this.#need(8);
    this.#at += 8;
    const length = this.#view.getBigUint64(this.#at - 8, true);
    if (length > BigInt(this.#bytes.length)) refuse("it is cut short");
    this.#need(Number(length));
    return Number(length);
  }

  #take(length: number): Uint8Array {
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + MAX_TEXT + 1).indexOf(0x0a);
    if (end < 0) refuse("it has a name without an end");
    const line = printable(this.#take(end));
    this.#at++;
    return line;
  }
}

function kindOf(value: Value): string {
  return typeof value === "object" && value !== null ? value.kind : String(value);
}

/** A value by Python's name for it. */
function nameOf(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "number") return "a number";
  if (typeof value === "boolean") return "a bool";
  return value.kind === "bytes" ? "bytes" : `a ${value.kind}`;
}

/** The kind of an encoded picture, if the bytes begin as one. */
function encodedIn(value: Value): "JPEG" | "PNG" | undefined {
  const what = kindOf(value) === "bytes" ? beginningOf((value as Bytes).bytes) : undefined;
  return what === "pickle" ? undefined : what;
}

function madeBytes(value: Value): number {
  if (kindOf(value) === "bytes") return (value as Bytes).bytes.length;
  return kindOf(value) === "picture" ? (value as Picture).picture.data.length : 0;
}

/** A short text that is ASCII and fit to be shown. */
function shortText(value: Value): string {
  if (kindOf(value) !== "text") refuse("a name is no text");
  const { utf8 } = value as Text;
  if (utf8.length > MAX_TEXT) refuse("it has too long a name");
  return printable(utf8);
}

function printable(ascii: Uint8Array): string {
  if (ascii.some((byte) => byte < 0x20 || byte > 0x7e)) refuse("it has a name that is no ASCII");
  return String.fromCharCode(...ascii);
}

/** The result of a call of one of the known globals. */
function reduce(callable: Value, args: Value): Value {
  if (kindOf(callable) !== "global" || kindOf(args) !== "tuple") {
    return refuse("it calls what is no function");
  }
  const { name } = callable as Global;
  const { items } = args as Tuple;
  switch (name) {
    case "encode":
      if (items.length !== 2 || shortText(items[1]!) !== "latin1") {
        refuse("it encodes a text oddly");
      }
      return { kind: "bytes", bytes: latin1(items[0]!) };
    case "dtype": {
      const [type, align = false, copy = true] = items;
      const flags = [align, copy].every((flag) => [false, true, 0, 1].some((one) => one === flag));
      if (items.length < 1 || items.length > 3 || !flags) refuse("its dtype is odd");
      const code = shortText(type!);
      if (code !== "u1" && code !== "|u1") refuse({ kind: "elements", code, name: elements(code) });
      return { kind: "dtype" };
    }
    case "reconstruct": {
      const [type, shape, code] = items;
      const ofArray = items.length === 3 && kindOf(type!) === "global" &&
        (type as Global).name === "ndarray" && kindOf(shape!) === "tuple" &&
        kindOf(code!) === "bytes";
      if (!ofArray) refuse("it reconstructs something else than an array");
      return { kind: "blank" };
    }
    case "frombuffer": {
      const [buffer, dtype, shape, order] = items;
      if (items.length !== 4 || kindOf(dtype!) !== "dtype") refuse("its buffer is odd");
      const ordering = shortText(order!);
      if (ordering !== "C" && ordering !== "F") refuse(`its order is ${ordering}`);
      return picture(shape!, buffer!, ordering === "F");
    }
    case "ndarray": {
      const [shape, type, buffer] = items;
      if (items.length !== 3 || shortText(type!) !== "u1") refuse("its array is odd");
      return picture(shape!, buffer!, false);
    }
  }
}

/** The result of setting the state of a dtype or of a blank array. */
function build(object: Value, state: Value): Value {
  if (kindOf(state) !== "tuple") return refuse("it sets an odd state");
  const { items } = state as Tuple;
  if (kindOf(object) === "dtype") {
    // The state is (version, byte order, subarray, names, fields, item size, alignment, flags). It
    // must have no fields, and no flags set.
    const plain = items.length >= 8 && items.slice(2, 5).every((item) => item === null) &&
      items[7] === 0;
    if (!plain) refuse("its dtype is no plain one");
    return object;
  }
  if (kindOf(object) === "blank") {
    const [version, shape, dtype, fortran, buffer] = items;
    const known = items.length === 5 && version === 1 && kindOf(dtype!) === "dtype" &&
      typeof fortran === "boolean";
    if (!known) refuse("its array has an odd state");
    return picture(shape!, buffer!, fortran as boolean);
  }
  return refuse(`it sets the state of ${nameOf(object)}`);
}

function picture(shape: Value, buffer: Value, fortran: boolean): Picture {
  const sizes = kindOf(shape) === "tuple" ? (shape as Tuple).items : [];
  const [height, width, channels] = sizes;
  if (sizes.length !== 3 || channels !== 3) {
    // cv2.imencode makes a row or a column of bytes.
    const flat = sizes.length === 1 || (sizes.length === 2 && width === 1);
    const what = flat ? encodedIn(buffer) : undefined;
    if (what) refuse({ kind: "encoded", what, within: "array" });
    refuse({ kind: "shape", shape: shapeName(shape), cure: shapeCure(sizes) });
  }
  if (typeof width !== "number" || typeof height !== "number") {
    return refuse("its shape is not of numbers");
  }
  const problem = formatProblem({ kind: "video", codec: "raw", width, height, fps: 1 });
  if (problem) refuse(problem);
  const expected = rawFrameBytes({ width, height });
  if (expected > MAX_PICTURE_BYTES) refuse(`${width}x${height} is more than 1920x1080`);
  if (kindOf(buffer) !== "bytes") refuse("its pixels are no bytes");
  const { bytes } = buffer as Bytes;
  if (bytes.length !== expected) {
    refuse(`${bytes.length} bytes are not ${width}x${height} pixels`);
  }
  return {
    kind: "picture",
    picture: { width, height, data: fortran ? rowsFirst(bytes, width, height) : bytes },
  };
}

/** A shape as Python writes it. */
function shapeName(shape: Value): string {
  if (kindOf(shape) !== "tuple") return nameOf(shape);
  const { items } = shape as Tuple;
  const shown = items.slice(0, 5).map((item) => typeof item === "number" ? item : nameOf(item));
  const rest = items.length > shown.length ? ", …" : items.length === 1 ? "," : "";
  return `(${shown.join(", ")}${rest})`;
}

/** OpenCV's name for the conversion that makes a picture of an array with such a shape. */
function shapeCure(sizes: readonly Value[]): string {
  if (!sizes.every((size) => typeof size === "number" && size > 1 || size === 1)) return "";
  if (sizes.length === 2 || (sizes.length === 3 && sizes[2] === 1)) return "COLOR_GRAY2BGR";
  return sizes.length === 3 && sizes[2] === 4 ? "COLOR_BGRA2BGR" : "";
}

/** numpy's name for elements of a plain code. */
function elements(code: string): string {
  const [, kind, size] = /^[<>=|]?([fiub])([1248])$/.exec(code) ?? [];
  if (kind === undefined) return "";
  const bits = Number(size) * 8;
  const names: Record<string, string> = { f: "float", i: "int", u: "uint" };
  return kind === "b" ? "bool" : `${names[kind]}${bits}`;
}

/**
 * Turns pixels of Fortran order into rows of bgr24. In Fortran order the row changes fastest and
 * the channel slowest.
 */
function rowsFirst(bytes: Uint8Array, width: number, height: number): Uint8Array {
  const data = new Uint8Array(bytes.length);
  const plane = width * height;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = y; x < width; x++, from += height) {
      data[to++] = bytes[from]!;
      data[to++] = bytes[from + plane]!;
      data[to++] = bytes[from + 2 * plane]!;
    }
  }
  return data;
}

/**
 * The bytes that a text of the characters 0 to 255 stands for. Protocol 2 has no other way to say
 * bytes.
 */
function latin1(text: Value): Uint8Array {
  if (kindOf(text) !== "text") return refuse("it encodes what is no text");
  const { utf8 } = text as Text;
  const bytes = new Uint8Array(utf8.length);
  let length = 0;
  for (let at = 0; at < utf8.length; at++) {
    const first = utf8[at]!;
    if (first < 0x80) {
      bytes[length++] = first;
      continue;
    }
    const second = utf8[++at];
    if ((first !== 0xc2 && first !== 0xc3) || second === undefined || (second & 0xc0) !== 0x80) {
      refuse("it encodes a text that is no latin1");
    }
    bytes[length++] = (first & 0x03) << 6 | (second & 0x3f);
  }
  return bytes.subarray(0, length);
}
