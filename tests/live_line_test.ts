import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { fitLine, type LiveCall } from "../lib/user/live_line.ts";
import { messagesIn } from "../lib/user/sentences.ts";
import { textWidth } from "../lib/user/text_width.ts";
import { test } from "./strict.ts";

const CALL: LiveCall = {
  figures: [
    { kind: "time", text: "00:01:01" },
    { kind: "rate", text: "20.0 fps" },
    { kind: "delay", text: "delay 48 ms" },
    { kind: "dropped", text: "1,234 dropped" },
    { kind: "bytes", text: "4.6 MB/s" },
    { kind: "file", text: "1.2 MB recorded" },
  ],
};

function named(...labels: string[]): LiveCall[] {
  return labels.map((label) => ({ ...CALL, label }));
}

test("live line: a narrow terminal costs whole figures, the least important first", () => {
  const all = "00:01:01  20.0 fps  delay 48 ms  1,234 dropped  4.6 MB/s  1.2 MB recorded";
  const cases: readonly (readonly [number, string])[] = [
    [Infinity, all],
    [all.length, all],
    [all.length - 1, "00:01:01  20.0 fps  delay 48 ms  1,234 dropped  1.2 MB recorded"],
    [60, "00:01:01  20.0 fps  delay 48 ms  1,234 dropped"],
    [40, "00:01:01  delay 48 ms  1,234 dropped"],
    [30, "00:01:01  delay 48 ms"],
    [20, "00:01:01"],
    [8, "00:01:01"],
    [7, "00:01:…"],
    [1, "…"],
    [0, ""],
  ];
  for (const [columns, line] of cases) assertEquals(fitLine([CALL], columns), line, `${columns}`);
});

test("live line: while the network is gone, how long it is waited for outlives every other figure", () => {
  const [time, ...others] = CALL.figures;
  const waiting = { kind: "waiting", text: "waiting for the network… 4 s" } as const;
  const call = { figures: [time!, waiting, ...others] };
  assertEquals(fitLine([call], 40), "00:01:01  waiting for the network… 4 s");
  assertEquals(fitLine([{ ...call, label: "Ana" }], 40), "Ana: waiting for the network… 4 s");
});

test("live line: several calls share it, each under its name", () => {
  const calls = named("Ana", "Bruno");
  const cases: readonly (readonly [number, string])[] = [
    [
      120,
      "Ana: 00:01:01  20.0 fps  delay 48 ms  1,234 dropped | Bruno: 00:01:01  20.0 fps  delay 48 ms  1,234 dropped",
    ],
    [
      100,
      "Ana: 20.0 fps  delay 48 ms  1,234 dropped | Bruno: 20.0 fps  delay 48 ms  1,234 dropped",
    ],
    [79, "Ana: delay 48 ms  1,234 dropped | Bruno: delay 48 ms  1,234 dropped"],
    [40, "Ana: delay 48 ms | Bruno: delay 48 ms"],
    [30, "Ana | Bruno"],
    [10, "Ana +1"],
    [5, "Ana"],
    [2, "A…"],
  ];
  for (const [columns, line] of cases) {
    assertEquals(fitLine(calls, columns), line, `${columns}`);
  }
});

test("live line: of more calls than there is room for, it says how many it leaves out", () => {
  const calls = named("Ana", "Bruno", "Carla Mendes da Silva", "漢字漢字", "Eva");
  assertEquals(fitLine(calls, 50), "Ana | Bruno | Carla Mende… | 漢字漢字 | Eva");
  assertEquals(fitLine(calls, 38), "Ana | Bruno | Carla… | 漢字… | Eva");
  assertEquals(fitLine(calls, 25), "Ana | Bruno | Carla… +2");
  assertEquals(
    fitLine(named(...Array.from({ length: 64 }, (_, n) => `c${n}`)), 20),
    "c0 | c1 | c2 +61",
  );
});

test("live line: whatever the calls and the terminal, it fits", () => {
  const labels = ["Ana", "李小龍", "😀😀😀😀", "x".repeat(40), "José da Silva (127.0.0.1:51324)"];
  for (let count = 0; count <= 12; count++) {
    const calls = named(...Array.from({ length: count }, (_, n) => labels[n % labels.length]!));
    for (let columns = 0; columns <= 200; columns++) {
      const line = fitLine(calls, columns);
      assertLessOrEqual(textWidth(line), columns);
      assert(!line.includes("\n"));
    }
  }
});

test("live line: in either language the line of an ordinary call fits 79 columns with its figures whole", () => {
  const status = {
    ...{ seconds: 61, delayMs: 48, dropped: 1234 },
    ...{ bytesPerSecond: 4.6e6, fileBytes: 1.2e6 },
  };
  for (const language of ["en", "pt"] as const) {
    const messages = messagesIn(language);
    for (const fps of [{ up: 20, down: undefined }, { up: undefined, down: 20 }]) {
      const one = { ...status, fps };
      assertEquals(messages.statusLine([one], 79), messages.status(one));
    }
  }
});
