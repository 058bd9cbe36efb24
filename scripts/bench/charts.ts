/**
 * The content of a run's charts, in the terms of Apache ECharts, for a light page and for a dark
 * one. Pure.
 */

import type { Drawing } from "./draw.ts";
import { formatNumber } from "./figure.ts";
import { OURS, type Row } from "./section.ts";
import type { Chapter } from "./table.ts";

/** The pages that a chart is made for. */
export const THEMES = ["light", "dark"] as const;

/** One of them. */
export type Theme = typeof THEMES[number];

/** Colours of a theme: text, lines, ours, the others. */
const COLOURS: Readonly<Record<Theme, Record<"text" | "line" | "ours" | "others", string>>> = {
  light: { text: "#1f2328", line: "#d1d9e0", ours: "#0a7d5a", others: "#8c96a3" },
  dark: { text: "#e6edf3", line: "#3d444d", ours: "#3fb58b", others: "#7d8590" },
};

const WIDTH = 760;
const BAR_HEIGHT = 30;

/** A chart before it has a theme. */
interface Chart {
  readonly name: string;
  readonly title: string;
  readonly height: number;
  readonly option: (theme: Theme) => Record<string, unknown>;
}

/**
 * The drawings of a run, `folder/name-theme.svg` each. Charts without measurements are left out.
 */
export function drawingsOf(chapters: readonly Chapter[], folder: string): Drawing[] {
  const rows = new Map(chapters.flatMap((chapter) => chapter.rows.map((row) => [row.id, row])));
  const charts = [
    barChart("delay", "From the sender's camera to the screen, 20 fps: ms, median", {
      row: rows.get("delay.chain.20.median"),
      logarithmic: true,
    }),
    ...["h264", "mjpeg"].map((codec) =>
      barChart(
        `hd-${codec}`,
        `From the camera to the screen, 1280 x 720 at 30 fps, ${codec}: ms, median`,
        {
          row: rows.get(`hd.${codec}.median`),
          logarithmic: false,
        },
      )
    ),
    barChart("wire", "From memory to memory, call session: frames a second", {
      row: rows.get("wire.call"),
      logarithmic: false,
    }),
    barChart("recording", "Received and recorded: frames a second", {
      row: rows.get("recording"),
      logarithmic: false,
    }),
    barChart("processor", "A recorded call of 60 s with windows, both ends: CPU seconds", {
      row: rows.get("cpu.windows"),
      logarithmic: false,
    }),
    ...["loopback", "20", "5", "1"].map((way) =>
      barChart(
        `sound-${way}`,
        `From mouth to ear, ${
          way === "loopback" ? "within a machine" : `${way} Mbit/s`
        }: ms, median`,
        { row: rows.get(`sound.${way}.median`), logarithmic: true },
      )
    ),
    barChart("first", "From starting the client to the first picture: ms", {
      row: rows.get("first.pixel"),
      logarithmic: true,
    }),
    qualityChart(rows),
  ].filter((chart) => chart !== undefined);
  return charts.flatMap(({ name, title, height, option }) =>
    THEMES.map((theme) => ({
      path: `${folder}/${name}-${theme}.svg`,
      width: WIDTH,
      height,
      option: { title: heading(title, theme), ...option(theme) },
    }))
  );
}

/** A bar for each contender, ours first. */
function barChart(
  name: string,
  title: string,
  { row, logarithmic }: { readonly row: Row | undefined; readonly logarithmic: boolean },
): Chart | undefined {
  const ours = row?.figures[OURS];
  if (!row || !ours) return undefined;
  const others = Object.entries(row.figures).filter(([contender]) => contender !== OURS);
  const bars = [[OURS, ours] as const, ...others];
  return {
    name,
    title,
    height: 70 + bars.length * BAR_HEIGHT,
    option: (theme) => ({
      grid: { left: 220, right: 90, top: 40, bottom: 24 },
      xAxis: {
        type: logarithmic ? "log" : "value",
        ...(logarithmic && { min: 1 }),
        ...axisStyle(theme),
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: bars.map(([contender]) => contender),
        ...axisStyle(theme),
        splitLine: { show: false },
        axisTick: { show: false },
      },
      series: [{
        type: "bar",
        barWidth: 16,
        data: bars.map(([contender, { median }]) => ({
          value: median,
          itemStyle: { color: COLOURS[theme][contender === OURS ? "ours" : "others"] },
          label: {
            show: true,
            position: "right",
            color: COLOURS[theme].text,
            formatter: formatNumber(median),
          },
        })),
      }],
    }),
  };
}

/** Bytes on the wire against quality, a point for each way to send. */
function qualityChart(rows: ReadonlyMap<string, Row>): Chart | undefined {
  const points: Point[] = ["raw", "mjpeg", "h264"].flatMap((codec) => {
    const bytes = rows.get(`quality.${codec}.bytes`)?.figures ?? {};
    const decibels = rows.get(`quality.${codec}.psnr`)?.figures ?? {};
    return Object.keys(bytes).flatMap((name) => {
      const [x, y] = [bytes[name]?.median, decibels[name]?.median];
      const isOurs = name === OURS;
      return x === undefined || y === undefined
        ? []
        : [{ name: isOurs ? `${OURS}, ${codec}` : name, isOurs, x, y }];
    });
  });
  if (points.length === 0) return undefined;
  const labels = points.map((_, index) => labelOf(points, index));
  return {
    name: "quality",
    title: "Bytes on the wire and quality of the recording",
    height: 380,
    option: (theme) => ({
      grid: { left: 70, right: 40, top: 50, bottom: 60 },
      xAxis: {
        type: "log",
        min: 100,
        max: 100_000,
        name: "kbit/s on the wire",
        nameLocation: "middle",
        nameGap: 34,
        ...axisStyle(theme),
      },
      yAxis: {
        type: "value",
        scale: true,
        name: "dB",
        ...axisStyle(theme),
      },
      series: [{
        type: "scatter",
        symbolSize: 10,
        // The last point is drawn on top: ours.
        data: points.map(({ name, isOurs, x, y }, index) => ({
          name,
          value: [x, y],
          itemStyle: { color: COLOURS[theme][isOurs ? "ours" : "others"] },
          label: {
            show: labels[index] !== "",
            // Points far to the right have no room there.
            position: x > 10_000 ? "bottom" : "right",
            color: COLOURS[theme].text,
            formatter: labels[index],
          },
        })).reverse(),
      }],
    }),
  };
}

/** A point of that chart. */
interface Point {
  readonly name: string;
  readonly isOurs: boolean;
  readonly x: number;
  readonly y: number;
}

/**
 * The text beside a point: its name and those of the points on top of it, a line each, if it is the
 * first of them.
 */
function labelOf(points: readonly Point[], index: number): string {
  const here = points[index]!;
  const isNear = ({ x, y }: Point): boolean =>
    Math.abs(Math.log(x / here.x)) < 0.1 && Math.abs(y - here.y) < 0.5;
  if (points.findIndex(isNear) < index) return "";
  return points.filter(isNear).map(({ name }) => name).join("\n");
}

function heading(text: string, theme: Theme): Record<string, unknown> {
  const textStyle = { color: COLOURS[theme].text, fontSize: 14, fontFamily: "sans-serif" };
  return { text, left: 8, top: 6, textStyle };
}

function axisStyle(theme: Theme): Record<string, unknown> {
  const { text, line } = COLOURS[theme];
  return {
    axisLabel: { color: text, fontFamily: "sans-serif" },
    nameTextStyle: { color: text, fontFamily: "sans-serif" },
    axisLine: { lineStyle: { color: line } },
    splitLine: { lineStyle: { color: line, opacity: 0.5 } },
  };
}
