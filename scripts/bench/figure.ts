/**
 * A measured figure: several values of the same thing, told by their median and their spread. Pure.
 */

/** The result of measuring something several times. */
export interface Figure {
  /** The one in the middle. */
  readonly median: number;
  /** The least. */
  readonly min: number;
  /** The most. */
  readonly max: number;
  /** The number of values. */
  readonly count: number;
}

/** The unit of a figure, as it is written. */
export type Unit = "ms" | "s" | "fps" | "CPU s" | "MB" | "calls" | "kbit/s" | "dB" | "%";

/** Makes a figure of the values of several rounds. Throws if there are none. */
export function figureOf(values: readonly number[]): Figure {
  if (values.length === 0) throw new RangeError("Cannot make a figure: nothing was measured");
  return {
    median: percentile(values, 50),
    min: Math.min(...values),
    max: Math.max(...values),
    count: values.length,
  };
}

/** The value below which that many percent of the others lie. Throws if there are none. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new RangeError("Cannot take a percentile of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * percent / 100;
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (above - below) * (place - Math.floor(place));
}

/** A figure as it stands in a table: `13.2 ms (12.8 to 14.0)`. */
export function formatFigure({ median, min, max, count }: Figure, unit: Unit): string {
  const spread = count > 1 ? ` (${formatNumber(min)} to ${formatNumber(max)})` : "";
  return `${formatNumber(median)} ${unit}${spread}`;
}

/** A number with as many digits as it is worth: three, and no fewer than its whole part has. */
export function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Number(value.toFixed(digits)).toLocaleString("en-US");
}
