/** An eye on a screen: finds the numbered picture on it, wherever its window stands, and then reads its number. */

import { readPicture, type Size } from "../../tests/numbered.ts";
import type { Screen } from "../../tests/screen.ts";

/** In which steps a screen is searched for the picture, in pixels. */
const STEP = 8;

/** How far the channels of a pixel are apart where it is in colour, and how many pixels are looked at: one in that many. */
const COLOUR = 60;
const SPARSE = 7;

/** Large enough for every contender's window: OpenCV's is as wide as its buttons, with the picture in the middle. */
export const WIDE_SCREEN: Size = { width: 1600, height: 320 };

/** Looks at one screen. */
export class Eye {
  readonly #screen: Screen;
  readonly #screenSize: Size;
  readonly #size: Size;
  #place: { readonly left: number; readonly top: number } | undefined;

  /** `screenSize` is that of the screen, `size` that of the picture. */
  constructor(screen: Screen, screenSize: Size, size: Size) {
    this.#screen = screen;
    this.#screenSize = screenSize;
    this.#size = size;
  }

  /** The number of the picture that is on the screen now; nothing while there is none, or two halves. */
  number(): number | undefined {
    this.#place ??= this.#find();
    if (!this.#place) return undefined;
    return this.#read(this.#place);
  }

  /** Whether much of the screen is in colour: windows are black or grey before their first picture, but for their buttons. */
  seesColour(): boolean {
    const pixels = this.#screen.pixels();
    let coloured = 0;
    for (let at = 0; at < pixels.length; at += 3 * SPARSE) {
      const [blue, green, red] = [pixels[at]!, pixels[at + 1]!, pixels[at + 2]!];
      if (Math.max(blue, green, red) - Math.min(blue, green, red) > COLOUR) coloured++;
    }
    return coloured * SPARSE > this.#size.width * this.#size.height / 4;
  }

  #read(place: { readonly left: number; readonly top: number }): number | undefined {
    try {
      return readPicture(this.#screen.pixels({ ...place, ...this.#size }), this.#size).number;
    } catch {
      return undefined;
    }
  }

  /** Searches for a corner from which on a picture can be read: red or, where it is mirrored, blue to its right and below. */
  #find(): { readonly left: number; readonly top: number } | undefined {
    const pixels = this.#screen.pixels();
    const { width, height } = this.#screenSize;
    const isCorner = (left: number, top: number): boolean => {
      const [blue, green, red] = pixels.subarray((top * width + left) * 3) as unknown as number[];
      return green! < 60 && (red! > 190 && blue! < 60 || blue! > 190 && red! < 60);
    };
    for (let y = 0; y <= height - this.#size.height; y += STEP) {
      for (let x = 0; x <= width - this.#size.width + STEP; x += STEP) {
        if (!isCorner(x, y)) continue;
        let [left, top] = [x, y];
        while (left > 0 && isCorner(left - 1, top)) left--;
        while (top > 0 && isCorner(left, top - 1)) top--;
        const place = { left, top };
        if (left + this.#size.width > width || top + this.#size.height > height) continue;
        if (this.#read(place) !== undefined) return place;
      }
    }
    return undefined;
  }
}
