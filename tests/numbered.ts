/**
 * Pictures that carry a number. Loss, order, repetition, mirroring and colour can be told from the
 * pictures at the far end, also after an encoder. Works from 64 x 48 up.
 *
 * ```
 *  ┌──────────┬──────────┬──────────┐
 *  │   red    │  green   │   blue   │   a third of the height
 *  ├───────┬──┴────┬─────┴─┬────────┤
 *  │  32768│  16384│   8192│    4096│   a sixth each; white is 1, black is 0
 *  ├───────┼───────┼───────┼────────┤
 *  │   2048│   1024│    512│     256│
 *  ├───────┼───────┼───────┼────────┤
 *  │    128│     64│     32│      16│
 *  ├───────┼───────┼───────┼────────┤
 *  │      8│      4│      2│       1│
 *  └───────┴───────┴───────┴────────┘
 * ```
 */

import { assertEquals, assertLessOrEqual } from "@std/assert";
import type { Frame } from "../lib/frame/frame.ts";

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The content of a picture. */
export interface Picture {
  readonly number: number;
  /** True if left and right are exchanged. */
  readonly mirrored: boolean;
}

/** One more than the largest number. */
export const NUMBERS = 65536;

/** A rectangle in parts of the whole. */
interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Blue, green, red. */
type Bgr = readonly [number, number, number];

const RED: Bgr = [0, 0, 255];
const GREEN: Bgr = [0, 255, 0];
const BLUE: Bgr = [255, 0, 0];
const BLACK: Bgr = [0, 0, 0];
const WHITE: Bgr = [255, 255, 255];

const COLOURS: readonly Bgr[] = [RED, GREEN, BLUE];

/** The distance of a channel from its painted value that is allowed. */
const TOLERANCE = 90;

/** The size of every picture for reading: an encoder has smeared it anyway. */
export const READ_SIZE: Size = { width: 64, height: 48 };

/**
 * A frame that shows `n`, with `n` as its sequence, captured n / fps seconds after `startUs`.
 * Frames of the same number and size are the same, byte for byte.
 */
export function numberedFrame(n: number, format: Size & { fps: number }, startUs = 0): Frame {
  return {
    stream: 0,
    data: paintNumber(n, format),
    captureUs: startUs + Math.round(n * 1e6 / format.fps),
    sequence: n,
    keyframe: true,
  };
}

/** The bgr24 picture that shows `n`. */
export function paintNumber(n: number, size: Size): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(n) || n < 0 || n >= NUMBERS) throw new RangeError(`Cannot paint ${n}`);
  const data = new Uint8Array(size.width * size.height * 3);
  COLOURS.forEach((colour, index) => fill(data, size, colourPart(index), colour));
  for (let bit = 0; bit < 16; bit++) {
    fill(data, size, bitPart(bit), n >> 15 - bit & 1 ? WHITE : BLACK);
  }
  return data;
}

/**
 * Reads a bgr24 picture. Throws if it is none of ours, upside down, of wrong colours, or blurred
 * beyond reading.
 */
export function readPicture(data: Uint8Array, size: Size): Picture {
  if (data.length !== size.width * size.height * 3) {
    throw new Error(`Cannot read ${data.length} bytes as ${size.width}x${size.height}`);
  }
  const top = COLOURS.map((_, index) => mean(data, size, colourPart(index)));
  const mirrored = isNear(top[0]!, BLUE);
  const expected = mirrored ? [BLUE, GREEN, RED] : COLOURS;
  expected.forEach((colour, index) => {
    if (!isNear(top[index]!, colour)) {
      throw new Error(`Cannot read the picture: its top is ${JSON.stringify(top)} (BGR)`);
    }
  });
  let number = 0;
  for (let bit = 0; bit < 16; bit++) {
    const block = mean(data, size, bitPart(mirrored ? bit ^ 3 : bit));
    if (!isNear(block, WHITE) && !isNear(block, BLACK)) {
      throw new Error(`Cannot read the picture: block ${bit} is ${JSON.stringify(block)} (BGR)`);
    }
    number = number * 2 + (isNear(block, WHITE) ? 1 : 0);
  }
  return { number, mirrored };
}

/** The number of every frame of a file, in the order of the file. */
export async function readNumbers(path: string): Promise<number[]> {
  return (await readPictures(path)).map(({ number }) => number);
}

/**
 * Reads every frame of a file, in the order of the file. The decoder leaves none out and makes none
 * up.
 */
export async function readPictures(path: string): Promise<Picture[]> {
  const { width, height } = READ_SIZE;
  const { code, stdout, stderr } = await new Deno.Command("ffmpeg", {
    args: [
      ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-i", `file:${path}`],
      ...["-map", "0:v:0", "-vf", `scale=${width}:${height}:flags=area`],
      ...["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const frameBytes = width * height * 3;
  if (code !== 0 || stdout.length % frameBytes !== 0) {
    throw new Error(`Cannot read ${path}: ${new TextDecoder().decode(stderr)}`);
  }
  return Array.from({ length: stdout.length / frameBytes }, (_, index) => {
    try {
      return readPicture(stdout.subarray(index * frameBytes, (index + 1) * frameBytes), READ_SIZE);
    } catch (error) {
      throw new Error(`Cannot read frame ${index} of ${path}`, { cause: error });
    }
  });
}

/**
 * Makes a file of these numbers, one a frame, without loss (FFV1; the name should end in `.avi` or
 * `.mkv`).
 */
export async function writeNumbers(
  path: string,
  numbers: Iterable<number>,
  format: Size & { fps: number },
): Promise<void> {
  const { width, height, fps } = format;
  const child = new Deno.Command("ffmpeg", {
    args: [
      ...["-hide_banner", "-nostats", "-loglevel", "error", "-y"],
      ...["-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", `${width}x${height}`],
      ...["-framerate", `${fps}`, "-i", "pipe:0", "-c:v", "ffv1", "-pix_fmt", "bgr0"],
      `file:${path}`,
    ],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const feeding = (async (): Promise<void> => {
    const writer = child.stdin.getWriter();
    for (const n of numbers) await writer.write(paintNumber(n, format));
    await writer.close();
  })();
  const [fed, { code, stderr }] = await Promise.all([
    feeding.then(() => undefined, (error) => error),
    child.output(),
  ]);
  if (code !== 0 || fed !== undefined) {
    throw new Error(`Cannot write ${path}: ${new TextDecoder().decode(stderr)}`, { cause: fed });
  }
}

/**
 * Fails unless a recording holds each numbered frame, from 0, that a client has sent: once, in
 * order, at its time. On a busy machine a client drops frames before the wire, and says so. Those
 * are missing, and the one before each of them stands still. More than a tenth of them is too many.
 */
export function assertAllSent(
  numbers: readonly number[],
  count: number,
  client: { readonly stdout: string },
): void {
  const [, word] = /(\d+) dropped/.exec(client.stdout) ?? [];
  const dropped = Number(word);
  assertLessOrEqual(dropped, count / 10, client.stdout);
  assertEquals(numbers, numbers.toSorted((a, b) => a - b));
  assertEquals(new Set(numbers).size, count - dropped, `of ${count} are recorded: ${numbers}`);
  assertLessOrEqual(Math.abs(numbers.length - count), dropped, `recorded: ${numbers}`);
}

function colourPart(index: number): Part {
  return { left: index / 3, top: 0, width: 1 / 3, height: 1 / 3 };
}

function bitPart(bit: number): Part {
  const row = bit >> 2;
  return { left: (bit & 3) / 4, top: 1 / 3 + row / 6, width: 1 / 4, height: 1 / 6 };
}

function fill(data: Uint8Array, { width, height }: Size, part: Part, colour: Bgr): void {
  const left = Math.round(part.left * width);
  const right = Math.round((part.left + part.width) * width);
  const top = Math.round(part.top * height);
  const bottom = Math.round((part.top + part.height) * height);
  for (let x = left; x < right; x++) data.set(colour, (top * width + x) * 3);
  const row = data.subarray((top * width + left) * 3, (top * width + right) * 3);
  for (let y = top + 1; y < bottom; y++) data.set(row, (y * width + left) * 3);
}

/** The mean colour of the inner half of a part. */
function mean(data: Uint8Array, { width, height }: Size, part: Part): Bgr {
  const left = Math.round((part.left + part.width / 4) * width);
  const right = Math.max(Math.round((part.left + part.width * 3 / 4) * width), left + 1);
  const top = Math.round((part.top + part.height / 4) * height);
  const bottom = Math.max(Math.round((part.top + part.height * 3 / 4) * height), top + 1);
  const sum: [number, number, number] = [0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = (y * width + x) * 3;
      sum[0] += data[at]!;
      sum[1] += data[at + 1]!;
      sum[2] += data[at + 2]!;
    }
  }
  const pixels = (right - left) * (bottom - top);
  return [sum[0] / pixels, sum[1] / pixels, sum[2] / pixels];
}

function isNear(colour: Bgr, wanted: Bgr): boolean {
  return wanted.every((channel, index) => Math.abs(colour[index]! - channel) <= TOLERANCE);
}
