/** The findings, as a table on the terminal and in Markdown. Pure. */

import { formatFigure, formatNumber } from "./figure.ts";
import { judge, type Verdict } from "./goals.ts";
import { OURS, type Row, type Skip } from "./section.ts";

/** The results of a section in a run. */
export interface Chapter {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  readonly skips: readonly Skip[];
}

const HEADINGS = ["what", OURS, "others", "ratio", "goal", "met"] as const;

/** The table for a terminal: a line for each contender or goal, the columns aligned. */
export function formatTable(chapters: readonly Chapter[]): string {
  const lines: string[][] = [[...HEADINGS]];
  for (const { title, rows } of chapters) {
    lines.push([title.toUpperCase()]);
    for (const row of rows) lines.push(...rowLines(row));
  }
  const widths = HEADINGS.map((_, column) =>
    Math.max(...lines.filter((line) => line.length > 1).map((line) => line[column]?.length ?? 0))
  );
  const table = lines.map((line) =>
    line.map((cell, column) => cell.padEnd(line.length > 1 ? widths[column]! : 0)).join("  ")
      .trimEnd()
  );
  return [...table, ...skipLines(chapters)].join("\n");
}

/** The same for a document. */
export function formatMarkdown(chapters: readonly Chapter[]): string {
  return chapters.flatMap(({ title, rows, skips }) => [
    `### ${title}`,
    "",
    "| what | Chamada | others, and Chamada beside them | goal | met |",
    "| ---- | ------- | ------------------------------- | ---- | --- |",
    ...rows.map(markdownRow),
    "",
    ...(skips.length === 0
      ? []
      : ["Left out:", "", ...skips.map(({ what, why }) => `- ${what}: ${why}`), ""]),
  ]).join("\n");
}

/** Every goal that is not met, in words. */
export function missedGoals(chapters: readonly Chapter[]): string[] {
  return chapters.flatMap(({ title, rows }) =>
    rows.flatMap((row) =>
      judge(row).filter(({ met }) => met === false).map(({ text, ratio }) => {
        const figure = formatFigure(row.figures[OURS]!, row.unit);
        const beside = ratio === undefined ? "" : `, ${formatRatio(ratio)}`;
        return `${title}, ${row.what}: ${figure}${beside}; wanted: ${text}`;
      })
    )
  );
}

function rowLines(row: Row): string[][] {
  const ours = row.figures[OURS];
  const others = othersOf(row);
  const verdicts = judge(row);
  const height = Math.max(others.length, verdicts.length, 1);
  return Array.from({ length: height }, (_, line) => [
    line === 0 ? `  ${row.what}` : "",
    line === 0 && ours ? formatFigure(ours, row.unit) : "",
    others[line]?.text ?? "",
    others[line]?.ratio ?? "",
    verdicts[line]?.text ?? "",
    verdicts[line] ? formatMet(verdicts[line]) : "",
  ]);
}

function markdownRow(row: Row): string {
  const ours = row.figures[OURS];
  const others = othersOf(row).map(({ text, ratio }) => ratio === "" ? text : `${text}: ${ratio}`);
  const verdicts = judge(row);
  const cells = [
    row.what,
    ours ? formatFigure(ours, row.unit) : "",
    others.join("<br>"),
    verdicts.map(({ text }) => text).join("<br>"),
    verdicts.map(formatMet).join("<br>"),
  ];
  return `| ${cells.join(" | ")} |`;
}

function othersOf(row: Row): { readonly text: string; readonly ratio: string }[] {
  const ours = row.figures[OURS];
  return Object.entries(row.figures).filter(([name]) => name !== OURS).map(([name, figure]) => ({
    text: `${name} ${formatFigure(figure, row.unit)}`,
    ratio: ours && figure.median !== 0 ? formatRatio(ours.median / figure.median) : "",
  }));
}

function formatRatio(ratio: number): string {
  return `${formatNumber(ratio)} ×`;
}

function formatMet({ met }: Verdict): string {
  return met === undefined ? "nothing beside it" : met ? "yes" : "no";
}

function skipLines(chapters: readonly Chapter[]): string[] {
  const skips = chapters.flatMap((chapter) => chapter.skips);
  return skips.length === 0
    ? []
    : ["", "Left out:", ...skips.map(({ what, why }) => `  ${what}: ${why}`)];
}
