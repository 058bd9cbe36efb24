/** Figures as they stand in sentences: numbers, sizes and times in the manner of a language. */

import type { FigureKind, LiveCall } from "./live_line.ts";
import type { Language, Status } from "./sentences.ts";

/** Seconds as `hh:mm:ss`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

/** A number with the marks of its language. */
export function count(number: number, language: Language): string {
  return new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en").format(number);
}

/** A number of frames. */
export function frames(number: number, language: Language): string {
  const [one, many] = language === "pt" ? ["quadro", "quadros"] : ["frame", "frames"];
  return `${count(number, language)} ${number === 1 ? one : many}`;
}

/** Bytes in decimal units, with two digits at least: 41 MB, 1.2 MB, 640 kB. */
export function bytes(amount: number, language: Language): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = amount;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  const format = new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  });
  return `${format.format(value)} ${units[unit]}`;
}

/** A call in the live line. */
export function liveCall(
  s: Status,
  language: Language,
  words: {
    readonly delay: string;
    readonly dropped: string;
    readonly file: string;
    readonly waiting: string;
    readonly muted: { readonly ours: string; readonly theirs: string };
  },
): LiveCall {
  const rate = new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en", {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  const { up, down } = s.fps;
  const fps = up !== undefined && down !== undefined
    ? `↑ ${rate.format(up)} fps  ↓ ${rate.format(down)} fps`
    : `${rate.format(up ?? down ?? 0)} fps`;
  const seconds = s.waitingMs === undefined ? undefined : Math.floor(s.waitingMs / 1000);
  const figures: readonly (readonly [FigureKind, string | undefined])[] = [
    ["time", duration(Math.floor(s.seconds))],
    ["waiting", seconds === undefined ? undefined : `${words.waiting} ${seconds} s`],
    ["muted", s.muted?.ours ? words.muted.ours : undefined],
    ["muted", s.muted?.theirs ? words.muted.theirs : undefined],
    ["rate", fps],
    ["delay", s.delayMs === undefined ? undefined : `${words.delay} ${Math.round(s.delayMs)} ms`],
    ["dropped", `${count(s.dropped, language)} ${words.dropped}`],
    ["bytes", `${bytes(s.bytesPerSecond, language)}/s`],
    [
      "file",
      s.fileBytes === undefined ? undefined : `${bytes(s.fileBytes, language)} ${words.file}`,
    ],
  ];
  return {
    label: s.label,
    figures: figures.flatMap(([kind, text]) => text === undefined ? [] : [{ kind, text }]),
  };
}
