/**
 * An eye on a screen. It finds the numbered picture, in a window of known size at any place, and
 * then reads its number. It looks at a few points, so that a large picture takes no longer.
 */

import { READ_SIZE, readPicture, type Size } from "../../tests/numbered.ts";
import type { Part, Screen } from "../../tests/screen.ts";

/** Pixels between two points of the search for the picture. */
const STEP = 8;

/**
 * The distance between the channels of a pixel in colour, and the part of the pixels that is looked
 * at: one in that many.
 */
const COLOUR = 60;
const SPARSE = 7;

/**
 * Large enough for every contender's window: OpenCV's is as wide as its buttons, with the picture
 * in the middle.
 */
export const WIDE_SCREEN: Size = { width: 1600, height: 320 };

/** The place of a point or of a window's corner. */
type Place = Pick<Part, "left" | "top">;

/** Looks at one screen. */
export class Eye {
  readonly #screen: Screen;
  readonly #screenSize: Size;
  readonly #size: Size;
  #place: Place | undefined;

  /** `screenSize` is that of the screen, `size` that of the picture in its window. */
  constructor(screen: Screen, screenSize: Size, size: Size) {
    this.#screen = screen;
    this.#screenSize = screenSize;
    this.#size = size;
  }

  /**
   * The number of the picture that is on the screen now. Nothing while there is none, or two
   * halves.
   */
  number(): number | undefined {
    this.#place ??= this.#find();
    if (!this.#place) return undefined;
    return this.#read(this.#place);
  }

  /**
   * True if much of the screen is in colour. Windows are black or grey before their first picture,
   * but for their buttons.
   */
  seesColour(): boolean {
    const pixels = this.#screen.pixels();
    let coloured = 0;
    for (let at = 0; at < pixels.length; at += 3 * SPARSE) {
      const [blue, green, red] = [pixels[at]!, pixels[at + 1]!, pixels[at + 2]!];
      if (Math.max(blue, green, red) - Math.min(blue, green, red) > COLOUR) coloured++;
    }
    return coloured * SPARSE > this.#size.width * this.#size.height / 4;
  }

  #read(place: Place): number | undefined {
    try {
      const samples = this.#screen.samples({ ...place, ...this.#size }, READ_SIZE);
      return readPicture(samples, READ_SIZE).number;
    } catch {
      return undefined;
    }
  }

  /** Searches for the corner of a readable picture. */
  #find(): Place | undefined {
    const { width, height } = this.#screenSize;
    const grid = { width: Math.floor(width / STEP), height: Math.floor(height / STEP) };
    const whole = { left: 0, top: 0, width: grid.width * STEP, height: grid.height * STEP };
    const points = this.#screen.samples(whole, grid);
    const isInside = (column: number, row: number): boolean =>
      column >= 0 && row >= 0 && isCorner(points, row * grid.width + column);
    for (let row = 0; row < grid.height; row++) {
      for (let column = 0; column < grid.width; column++) {
        if (!isInside(column, row) || isInside(column - 1, row) || isInside(column, row - 1)) {
          continue;
        }
        const place = this.#corner(column * STEP + STEP / 2, row * STEP + STEP / 2);
        if (place.left + this.#size.width > width || place.top + this.#size.height > height) {
          continue;
        }
        if (this.#read(place) !== undefined) return place;
      }
    }
    return undefined;
  }

  /** The corner of the picture that a point belongs to, at most a step away. */
  #corner(x: number, y: number): Place {
    const is = (left: number, top: number): boolean =>
      left >= 0 && top >= 0 &&
      isCorner(this.#screen.pixels({ left, top, width: 1, height: 1 }), 0);
    let [left, top] = [x, y];
    while (is(left - 1, top)) left--;
    while (is(left, top - 1)) top--;
    return { left, top };
  }
}

/** True for a pixel of a picture's upper left corner: red, or blue if the picture is mirrored. */
function isCorner(pixels: Uint8Array, index: number): boolean {
  const [blue, green, red] = pixels.subarray(index * 3) as unknown as [number, number, number];
  return green < 60 && (red > 190 && blue < 60 || blue > 190 && red < 60);
}
