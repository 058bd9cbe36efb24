/**
 * A screen that only exists in memory, for tests that look at windows. Xvfb shows it, and its
 * pixels are read from Xvfb's file. xdotool plays a person with keyboard and mouse.
 */

import { until } from "./harness.ts";
import { readPicture, type Size } from "./numbered.ts";

/** Bytes of a pixel in Xvfb's file at depth 24: blue, green, red and one unused. */
const PIXEL_BYTES = 4;

/** A rectangle of a screen, in pixels from its upper left corner. */
export interface Part extends Size {
  readonly left: number;
  readonly top: number;
}

/** A screen. Pictures are looked for in columns of their size. */
export class Screen implements AsyncDisposable {
  /** The `DISPLAY` of a program that shall show itself here. */
  readonly display: string;
  readonly #size: Size;
  readonly #picture: Size;
  readonly #server: Deno.ChildProcess;
  readonly #folder: string;
  readonly #file: Deno.FsFile;
  readonly #pixelsAt: number;
  readonly #raw: Uint8Array;

  private constructor(
    display: string,
    size: Size,
    picture: Size,
    server: Deno.ChildProcess,
    folder: string,
    file: Deno.FsFile,
  ) {
    this.display = display;
    this.#size = size;
    this.#picture = picture;
    this.#server = server;
    this.#folder = folder;
    this.#file = file;
    // The file is an X window dump. Its header tells its own size and that of the colours behind
    // it, big-endian.
    const header = new Uint8Array(100);
    file.readSync(header);
    const view = new DataView(header.buffer);
    this.#pixelsAt = view.getUint32(0) + view.getUint32(76) * 12;
    this.#raw = new Uint8Array(size.width * size.height * PIXEL_BYTES);
  }

  /** Opens a screen with room for two windows of that size, side by side. */
  static async forTwo(picture: Size): Promise<Screen> {
    return await Screen.open({ ...picture, width: 2 * picture.width }, picture);
  }

  /**
   * Opens a screen of that size, on a number that is free. Pictures fill it if not told otherwise.
   */
  static async open(size: Size, picture: Size = size): Promise<Screen> {
    const folder = await Deno.makeTempDir({ prefix: "chamada-screen-" });
    const server = new Deno.Command("Xvfb", {
      args: [
        ...["-displayfd", "1", "-screen", "0", `${size.width}x${size.height}x24`],
        // Without `-noreset`, it starts anew whenever its last client leaves, and turns away a
        // client that comes at that moment.
        ...["-fbdir", folder, "-nolisten", "tcp", "-noreset"],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    // It prints the number when it is ready, and nothing else ever.
    const reader = server.stdout.getReader();
    let number = "";
    while (!number.endsWith("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("Cannot open a screen: Xvfb ended");
      number += new TextDecoder().decode(value);
    }
    await reader.cancel();
    const file = await Deno.open(`${folder}/Xvfb_screen0`);
    return new Screen(`:${number.trim()}`, size, picture, server, folder, file);
  }

  /** The present content of it, or of a part of it, as bgr24. */
  pixels(part: Part = { left: 0, top: 0, ...this.#size }): Uint8Array {
    const rowBytes = this.#size.width * PIXEL_BYTES;
    const rows = this.#raw.subarray(0, part.height * rowBytes);
    this.#read(rows, part.top * this.#size.width);
    const pixels = new Uint8Array(part.width * part.height * 3);
    for (let row = 0, to = 0; row < part.height; row++) {
      const start = row * rowBytes + part.left * PIXEL_BYTES;
      for (let column = 0; column < part.width; column++, to += 3) {
        const from = start + column * PIXEL_BYTES;
        pixels[to] = rows[from]!;
        pixels[to + 1] = rows[from + 1]!;
        pixels[to + 2] = rows[from + 2]!;
      }
    }
    return pixels;
  }

  /**
   * A part of it at `size.width` by `size.height` points, spread evenly, as bgr24. A look at a few
   * points takes no time, however large the part is.
   */
  samples(part: Part, size: Size): Uint8Array {
    const row = this.#raw.subarray(0, part.width * PIXEL_BYTES);
    const samples = new Uint8Array(size.width * size.height * 3);
    for (let y = 0, to = 0; y < size.height; y++) {
      const top = part.top + Math.floor((y + 0.5) * part.height / size.height);
      this.#read(row, top * this.#size.width + part.left);
      for (let x = 0; x < size.width; x++, to += 3) {
        const from = Math.floor((x + 0.5) * part.width / size.width) * PIXEL_BYTES;
        samples.set(row.subarray(from, from + 3), to);
      }
    }
    return samples;
  }

  /** Fills a buffer with its pixels, from one of them on, row after row. */
  #read(into: Uint8Array, fromPixel: number): void {
    this.#file.seekSync(this.#pixelsAt + fromPixel * PIXEL_BYTES, Deno.SeekMode.Start);
    for (let filled = 0; filled < into.length;) {
      filled += this.#file.readSync(into.subarray(filled)) ?? into.length;
    }
  }

  /** The pictures on it now, from left to right, without those that are two halves. */
  pictures(): { left: number; number: number; mirrored: boolean }[] {
    const { width, height } = this.#picture;
    const found: { left: number; number: number; mirrored: boolean }[] = [];
    for (let left = 0; left + width <= this.#size.width; left += width) {
      try {
        const pixels = this.pixels({ left, top: 0, width, height });
        found.push({ left, ...readPicture(pixels, this.#picture) });
      } catch {
        // There is no window there, or none with a whole picture.
      }
    }
    return found;
  }

  /** The number of the first picture on it, or nothing while there is none. */
  number(): number | undefined {
    return this.pictures()[0]?.number;
  }

  /** Waits until a numbered picture is on it. Resolves to its content. */
  async picture(): Promise<{ number: number; mirrored: boolean }> {
    return await until("a numbered picture", () => this.pictures()[0]);
  }

  /** Waits for a window whose title is exactly this. Resolves to its id. */
  async window(title: string): Promise<string> {
    const escaped = title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return await until(`a window "${title}"`, async () => {
      const ids = (await this.do("search", "--name", `^${escaped}$`)).trim();
      return ids === "" ? undefined : ids.split("\n").at(-1);
    });
  }

  /** Lets xdotool do something. Resolves to its output. */
  async do(...args: string[]): Promise<string> {
    const { stdout } = await new Deno.Command("xdotool", {
      args,
      env: { DISPLAY: this.display },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    this.#server.kill("SIGTERM");
    await this.#server.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
