/**
 * Encoded frames, each with its length, out of an ffmpeg that writes AVI to a pipe. Of ffmpeg's
 * containers for both MJPEG and H.264, AVI is the plainest. A frame is complete the moment it is
 * read. In a bare stream of either codec, only the beginning of the next frame shows the end of
 * one, which is a frame of delay.
 *
 * ```
 *  "RIFF" size "AVI "   "LIST" size "hdrl" …
 *  "LIST" size "movi"   "00dc" n:u32 frame (padded to even)   …
 * ```
 *
 * Knows nothing of processes: the bytes come from a function.
 */

/**
 * Fills a buffer with the next bytes and gives it back, or gives `null` if the stream ends before.
 */
export type ReadExactly = (into: Uint8Array<ArrayBuffer>) => Promise<Uint8Array | null>;

/** Bytes of a chunk's name and length. */
const CHUNK_HEADER_BYTES = 8;

/** The most bytes before the first frame. A few kilobytes are usual; more is no AVI of ffmpeg's. */
const MAX_PREAMBLE_BYTES = 1024 * 1024;

/** Reads the frames of the first stream of an AVI. */
export class AviReader {
  readonly #read: ReadExactly;
  readonly #maxFrameBytes: number;
  #inFrames = false;

  /** A reader that refuses frames of more than `maxFrameBytes`. */
  constructor(read: ReadExactly, maxFrameBytes: number) {
    this.#read = read;
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** The next frame, or `null` if the stream ends or stops being an AVI. */
  async next(): Promise<Uint8Array | null> {
    if (!this.#inFrames && !await this.#skipPreamble()) return null;
    while (true) {
      const chunk = await this.#chunk();
      if (chunk === null) return null;
      // An empty frame stands for a moment without one. The index behind the last frame ends the
      // frames.
      if (chunk.name === "00dc" && chunk.bytes > 0) {
        if (chunk.bytes > this.#maxFrameBytes) return null;
        const frame = await this.#read(new Uint8Array(chunk.bytes));
        if (frame === null || !await this.#skip(chunk.bytes % 2)) return null;
        return frame;
      }
      if (chunk.name === "idx1") return null;
      if (chunk.bytes > MAX_PREAMBLE_BYTES) return null;
      if (!await this.#skip(chunk.bytes + chunk.bytes % 2)) return null;
    }
  }

  async #skipPreamble(): Promise<boolean> {
    const riff = await this.#chunk();
    if (riff?.name !== "RIFF" || await this.#name() !== "AVI ") return false;
    for (let left = MAX_PREAMBLE_BYTES; left > 0;) {
      const chunk = await this.#chunk();
      if (chunk === null) return false;
      let bytes = chunk.bytes;
      if (chunk.name === "LIST") {
        if (await this.#name() === "movi") return this.#inFrames = true;
        bytes -= 4;
      }
      left -= CHUNK_HEADER_BYTES + bytes;
      if (bytes < 0 || left <= 0 || !await this.#skip(bytes + bytes % 2)) return false;
    }
    return false;
  }

  async #chunk(): Promise<{ readonly name: string; readonly bytes: number } | null> {
    const header = await this.#read(new Uint8Array(CHUNK_HEADER_BYTES));
    if (header === null) return null;
    const view = new DataView(header.buffer, header.byteOffset);
    return { name: fourCharacters(header), bytes: view.getUint32(4, true) };
  }

  async #name(): Promise<string> {
    const name = await this.#read(new Uint8Array(4));
    return name === null ? "" : fourCharacters(name);
  }

  async #skip(bytes: number): Promise<boolean> {
    return bytes === 0 || await this.#read(new Uint8Array(bytes)) !== null;
  }
}

function fourCharacters(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 4));
}
