/**
 * The live line: one line of a terminal, however narrow, for one call or for several. A figure that
 * does not fit goes as a whole, the least important first: half a figure is a wrong one.
 */

import { cutText, textWidth } from "./text_width.ts";

/** One call in the line. */
export interface LiveCall {
  /** Its name among several calls. The only call has none. */
  readonly label?: string | undefined;
  /** Its figures, in the order in which they stand in the line. */
  readonly figures: readonly Figure[];
}

/** A figure in the line. */
export interface Figure {
  /** The name of the figure. It decides how important the figure is. */
  readonly kind: FigureKind;
  /** The figure with its unit. */
  readonly text: string;
}

/** The kinds of figures. */
export type FigureKind =
  | "time"
  | "waiting"
  | "muted"
  | "rate"
  | "delay"
  | "dropped"
  | "bytes"
  | "file";

/**
 * The figures in the order in which they go, the least important first. Among several calls, the
 * time of one says little.
 */
const LEAVE_FIRST: Readonly<Record<"one" | "several", readonly FigureKind[]>> = {
  one: ["bytes", "file", "rate", "dropped", "delay", "muted"],
  several: ["bytes", "file", "time", "rate", "dropped", "delay", "muted"],
};

const BETWEEN_FIGURES = "  ";
const BETWEEN_CALLS = " | ";

/** The columns that names are cut to, one after the other, where not all of them fit. */
const NAME_COLUMNS = [12, 6];

/** The line for these calls that fits into so many columns. */
export function fitLine(calls: readonly LiveCall[], columns: number): string {
  for (const line of candidates(calls)) {
    if (textWidth(line) <= columns) return line;
  }
  return cutText(first(calls), columns);
}

/** Every form of the line, the fullest first. */
function* candidates(calls: readonly LiveCall[]): Generator<string> {
  const several = calls.some(({ label }) => label !== undefined);
  const order = LEAVE_FIRST[several ? "several" : "one"];
  for (let left = 0; left <= order.length; left++) {
    const gone = order.slice(0, left);
    yield calls.map(({ label, figures }) => {
      const shown = figures.filter(({ kind }) => !gone.includes(kind)).map(({ text }) => text);
      const parts = shown.join(BETWEEN_FIGURES);
      return label === undefined ? parts : parts === "" ? label : `${label}: ${parts}`;
    }).join(BETWEEN_CALLS);
  }
  if (!several) return;
  for (const columns of NAME_COLUMNS) {
    yield calls.map((call) => cutText(nameOf(call), columns)).join(BETWEEN_CALLS);
  }
  for (let shown = calls.length - 1; shown > 0; shown--) {
    const names = calls.slice(0, shown).map((call) => cutText(nameOf(call), NAME_COLUMNS.at(-1)!));
    yield `${names.join(BETWEEN_CALLS)} +${calls.length - shown}`;
  }
}

/** The last resort, where not even one name or figure fits: the line that is then cut. */
function first(calls: readonly LiveCall[]): string {
  const [call] = calls;
  return call === undefined ? "" : nameOf(call);
}

function nameOf({ label, figures }: LiveCall): string {
  return label ?? figures[0]?.text ?? "";
}
