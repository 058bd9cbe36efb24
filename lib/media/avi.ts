/**
 * Frames, each with its length, out of an ffmpeg that writes AVI to a pipe: pictures, and sound
 * beside them. Of ffmpeg's containers for both MJPEG and H.264, AVI is the plainest. A frame is complete the moment it is
 * read. In a bare stream of either codec, only the beginning of the next frame shows the end of
 * one, which is a frame of delay.
 *
 * ```
 *  "RIFF" size "AVI "   "LIST" size "hdrl" … "strh" size "vids" … "strh" size "auds" …
 *  "LIST" size "movi"   "00dc" n:u32 picture (padded to even)   "01wb" n:u32 sound   …
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

/** The beginning of the header of a stream of sound, and a decoder that keeps bytes as they are. */
const SOUND_HEADER = /strh[^]{4}auds/;
const LATIN = new TextDecoder("latin1");

/** A frame of one of the streams. */
export interface AviFrame {
  /** The number of its stream. */
  readonly stream: number;
  /** Its bytes. */
  readonly data: Uint8Array;
}

/** Gives memory for so many bytes of a frame of a stream. */
type Memory = (bytes: number, stream: number) => Uint8Array<ArrayBuffer>;

/** Reads the frames of an AVI. */
export class AviReader {
  readonly #read: ReadExactly;
  readonly #maxFrameBytes: number;
  readonly #memory: Memory;
  #hasSound = false;
  #inFrames = false;

  /** A reader that refuses frames of more than `maxFrameBytes`. */
  constructor(
    read: ReadExactly,
    maxFrameBytes: number,
    memory: Memory = (bytes) => new Uint8Array(bytes),
  ) {
    this.#read = read;
    this.#maxFrameBytes = maxFrameBytes;
    this.#memory = memory;
  }

  /** True if there is sound. That is known when the first frame is there. */
  get hasSound(): boolean {
    return this.#hasSound;
  }

  /** The next frame of the first stream, or `null` if the file ends or stops being an AVI. */
  async next(): Promise<Uint8Array | null> {
    while (true) {
      const frame = await this.nextOfAny();
      if (frame === null) return null;
      if (frame.stream === 0) return frame.data;
    }
  }

  /** The next frame of any stream, or `null` if the file ends or stops being an AVI. */
  async nextOfAny(): Promise<AviFrame | null> {
    if (!this.#inFrames && !await this.#readPreamble()) return null;
    while (true) {
      const chunk = await this.#chunk();
      if (chunk === null) return null;
      const stream = ["00dc", "01wb"].indexOf(chunk.name);
      // An empty frame stands for a moment without one. The index behind the last frame ends the
      // frames.
      if (stream >= 0 && chunk.bytes > 0) {
        if (chunk.bytes > this.#maxFrameBytes) return null;
        const data = await this.#read(this.#memory(chunk.bytes, stream));
        if (data === null || !await this.#skip(chunk.bytes % 2)) return null;
        return { stream, data };
      }
      if (chunk.name === "idx1") return null;
      if (chunk.bytes > MAX_PREAMBLE_BYTES) return null;
      if (!await this.#skip(chunk.bytes + chunk.bytes % 2)) return null;
    }
  }

  async #readPreamble(): Promise<boolean> {
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
      if (bytes < 0 || left <= 0) return false;
      if (bytes === 0) continue;
      const header = await this.#read(new Uint8Array(bytes + bytes % 2));
      if (header === null) return false;
      this.#hasSound ||= SOUND_HEADER.test(LATIN.decode(header));
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
