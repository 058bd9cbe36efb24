import { assertEquals } from "@std/assert";
import { checkLayers, checkTable, formatBreach, readSources } from "../scripts/layers.ts";
import { test } from "./strict.ts";

/** The lines that are printed for these sources. */
function breaches(sources: Record<string, string>): string[] {
  return checkLayers(new Map(Object.entries(sources))).map(formatBreach);
}

test("layers: the project itself keeps its rules", async () => {
  const sources = await readSources(new URL("..", import.meta.url));
  assertEquals([...checkLayers(sources), ...checkTable(sources)].map(formatBreach), []);
  for (const path of ["server.ts", "lib/call.ts", "scripts/layers.ts", "tests/layers_test.ts"]) {
    assertEquals(sources.has(path), true, path);
  }
});

test("layers: child processes are started in child.ts only", () => {
  assertEquals(
    breaches({ "lib/media/recorder.ts": `\n\nnew Deno.Command("ffmpeg").spawn();` }),
    ["lib/media/recorder.ts:3: Deno.Command belongs in lib/media/child.ts"],
  );
  assertEquals(
    breaches({ "lib/call.ts": `Deno.spawnAndWait("ffmpeg");` }),
    ["lib/call.ts:1: Deno.spawnAndWait belongs in lib/media/child.ts"],
  );
  assertEquals(
    breaches({ "client.ts": `let child: Deno.ChildProcess;` }),
    ["client.ts:1: Deno.ChildProcess belongs in lib/media/child.ts"],
  );
  assertEquals(breaches({ "lib/media/child.ts": `new Deno.Command("ffmpeg").spawn();` }), []);
});

test("layers: only log.ts prints", () => {
  assertEquals(
    breaches({ "lib/call.ts": `export {};\nconsole.log("hello");` }),
    ["lib/call.ts:2: console belongs in lib/user/log.ts"],
  );
  assertEquals(
    breaches({ "server.ts": `const print = console.error;` }),
    ["server.ts:1: console belongs in lib/user/log.ts"],
  );
  assertEquals(
    breaches({ "lib/call.ts": `Deno.stdout.writeSync(text);` }),
    ["lib/call.ts:1: Deno.stdout belongs in lib/user/log.ts"],
  );
  assertEquals(breaches({ "lib/user/log.ts": `console.log("hello");` }), []);
});

test("layers: only the two programs listen and connect", () => {
  assertEquals(
    breaches({ "lib/call.ts": `Deno.listen({ port: 1 });\nawait Deno.connectTls({ port: 1 });` }),
    [
      "lib/call.ts:1: Deno.listen belongs in server.ts or client.ts",
      "lib/call.ts:2: Deno.connectTls belongs in server.ts or client.ts",
    ],
  );
  assertEquals(
    breaches({
      "server.ts": `Deno.listen({ port: 1 });`,
      "client.ts": `Deno.connect({ port: 1 });`,
    }),
    [],
  );
  assertEquals(
    breaches({ "client.ts": `Deno.listen({ port: 1 });` }),
    ["client.ts:1: Deno.listen is not among what this file may touch"],
  );
});

test("layers: signals, the exit status and the environment belong to program.ts", () => {
  assertEquals(
    breaches({
      "server.ts": `Deno.exitCode = 1;\nDeno.addSignalListener("SIGINT", f);\nDeno.env.get("A");`,
    }),
    [
      "server.ts:1: Deno.exitCode belongs in lib/program.ts",
      "server.ts:2: Deno.addSignalListener belongs in lib/program.ts",
      "server.ts:3: Deno.env belongs in lib/program.ts",
    ],
  );
  assertEquals(breaches({ "lib/program.ts": `Deno.exitCode = Number(Deno.env.get("A"));` }), []);
});

test("layers: arguments are read in the two programs, the terminal's keys in keys.ts", () => {
  assertEquals(
    breaches({ "lib/program.ts": `parse(Deno.args);`, "lib/call.ts": `Deno.stdin.isTerminal();` }),
    [
      "lib/program.ts:1: Deno.args belongs in server.ts or client.ts",
      "lib/call.ts:1: Deno.stdin belongs in lib/user/keys.ts",
    ],
  );
  assertEquals(
    breaches({ "lib/call.ts": `if (confirm("?")) alert("!");` }),
    ["lib/call.ts:1: confirm has no place here", "lib/call.ts:1: alert has no place here"],
  );
  assertEquals(
    breaches({ "server.ts": `Deno.args;`, "lib/user/keys.ts": `Deno.stdin.isTerminal();` }),
    [],
  );
});

test("layers: only program.ts leaves by Deno.exit, not even scripts and tests", () => {
  assertEquals(breaches({ "lib/program.ts": `Deno.exit();` }), []);
  for (const path of ["lib/call.ts", "lib/user/log.ts", "server.ts"]) {
    assertEquals(breaches({ [path]: `\nDeno.exit(1);` }), [
      `${path}:2: Deno.exit belongs in lib/program.ts`,
    ]);
  }
  for (const path of ["scripts/ok.ts", "tests/call_test.ts"]) {
    assertEquals(breaches({ [path]: `\nDeno.exit(1);` }), [
      `${path}:2: Deno.exit has no place: it skips what is still to be released`,
    ]);
  }
  assertEquals(
    breaches({ "lib/call.ts": `process.exit(1);` }),
    ["lib/call.ts:1: process.exit has no place here"],
  );
  assertEquals(breaches({ "scripts/ok.ts": `Deno.exitCode = 1;` }), []);
});

test("layers: a file touches of Deno what the table gives it, and types count", () => {
  assertEquals(
    breaches({
      "lib/wire/wire.ts": `import type { Timer } from "./clock.ts";\nlet c: Deno.TcpConn;`,
    }),
    ["lib/wire/wire.ts:2: Deno.TcpConn is not among what this file may touch"],
  );
  for (const name of ["frame", "errors", "session", "timeline", "send_window", "mailbox"]) {
    const path = `lib/${name}.ts`;
    assertEquals(breaches({ [path]: `await Deno.readFile(path);` }), [
      `${path}:1: Deno.readFile is not among what this file may touch`,
    ]);
  }
  assertEquals(breaches({ "lib/call.ts": `let system: typeof Deno.build.os;` }), []);
  assertEquals(
    breaches({ "lib/call.ts": `await globalThis.Deno.readFile(path);` }),
    ["lib/call.ts:1: Deno.readFile is not among what this file may touch"],
  );
});

test("layers: a whole Deno, from which anything could be taken, is a breach", () => {
  const said = "Deno is to be used member by member, so that it can be seen which";
  for (const text of [`const { Command } = Deno;`, `Deno["Command"]`, `f(Deno)`]) {
    assertEquals(breaches({ "lib/media/child.ts": text }), [`lib/media/child.ts:1: ${said}`], text);
  }
  assertEquals(
    breaches({ "lib/media/child.ts": `globalThis["Deno"].Command` }),
    [`lib/media/child.ts:1: ${said.replace("Deno", "globalThis")}`],
  );
});

test("layers: a file imports what the table gives it, files and packages", () => {
  assertEquals(
    breaches({ "lib/wire/wire.ts": `import {\n  openSource,\n} from "./camera.ts";` }),
    [
      "lib/wire/wire.ts:3: lib/media/camera.ts is not among what this file may import",
    ],
  );
  assertEquals(
    breaches({ "lib/frame/frame.ts": `import { spawn } from 'node:child_process';` }),
    ["lib/frame/frame.ts:1: node:child_process is not among what this file may import"],
  );
  assertEquals(
    breaches({ "lib/frame/frame.ts": `export * from "./wire.ts";\nimport "./sink.ts";` }),
    [
      "lib/frame/frame.ts:1: lib/wire/wire.ts is not among what this file may import",
      "lib/frame/frame.ts:2: lib/frame/sink.ts is not among what this file may import",
    ],
  );
  assertEquals(
    breaches({ "lib/frame/frame.ts": `import type { Wire } from "./wire.ts";` }),
    ["lib/frame/frame.ts:1: lib/wire/wire.ts is not among what this file may import"],
  );
  assertEquals(
    breaches({ "lib/frame/frame.ts": `await import("../server.ts");\nawait import(name);` }),
    [
      "lib/frame/frame.ts:2: import() of something that cannot be told from here",
      "lib/frame/frame.ts:1: server.ts is not among what this file may import",
    ],
  );
  assertEquals(breaches({ "lib/frame/sink.ts": `import type { Frame } from "./frame.ts";` }), []);
});

test("layers: only the programs and program.ts import the wiring", () => {
  assertEquals(
    breaches({ "lib/wire/receiver.ts": `import { EXIT } from "./call.ts";` }),
    [
      "lib/wire/receiver.ts:1: lib/call.ts may be imported by lib/program.ts, server.ts, client.ts only",
    ],
  );
  assertEquals(
    breaches({
      "lib/program.ts": `import { EXIT } from "./call.ts";`,
      "server.ts": `import { EXIT } from "./lib/call.ts";`,
    }),
    [],
  );
});

test("layers: the two sides meet in call.ts only", () => {
  assertEquals(
    breaches({
      "lib/user/options.ts":
        `import type { WireMode } from "./receiver.ts";\nimport "./display.ts";`,
    }),
    [
      "lib/user/options.ts:2: lib/media/display.ts is not among what this file may import",
      "lib/user/options.ts:2: lib/media/display.ts and lib/wire/receiver.ts meet in lib/call.ts only",
    ],
  );
  assertEquals(
    breaches({ "lib/call.ts": `import "./receiver.ts";\nimport "./display.ts";` }),
    [],
  );
});

test("layers: a circle of imports is named once, with its way", () => {
  const circles = breaches({
    "lib/a.ts": `import "./b.ts";`,
    "lib/b.ts": `\nimport type { C } from "./c.ts";`,
    "lib/c.ts": `import "./b.ts";`,
  }).filter((line) => line.includes("circle"));
  assertEquals(circles, ["lib/c.ts:1: a circle: lib/b.ts → lib/c.ts → lib/b.ts"]);
  assertEquals(
    breaches({ "lib/a.ts": `import "./a.ts";` }).filter((line) => line.includes("circle")),
    ["lib/a.ts:1: a circle: lib/a.ts → lib/a.ts"],
  );
});

test("layers: a file without a place is a breach, and so is a place without a file", () => {
  const said = "no place in the table of scripts/layers.ts: say there where this file belongs";
  for (const path of ["lib/utils.ts", "lib/deep/frame.ts", "third.ts"]) {
    assertEquals(breaches({ [path]: "" }), [`${path}:1: ${said}`]);
  }
  const all = checkTable(new Map());
  assertEquals(
    all.map(formatBreach).includes(
      "lib/frame/frame.ts:1: in the table of scripts/layers.ts, but no such file",
    ),
    true,
  );
  assertEquals(
    checkTable(new Map([["lib/frame/frame.ts", ""]])).some(({ path }) =>
      path === "lib/frame/frame.ts"
    ),
    false,
  );
});

test("layers: words in comments, strings and patterns are no breach, code around them is", () => {
  assertEquals(
    breaches({
      "lib/frame/frame.ts": [
        `// Deno.exit(), console.log`,
        `/* import "./wire.ts"; Deno.Command */`,
        `const text = "Deno.args \\" from './wire.ts' " + 'console "';`,
        "const more = `console ${text + `Deno.env`} Deno.stdin`;",
        `const pattern = /["'\`]console|[/"]Deno.args\\//.test(text);`,
        `const half = text.length / 2 / 1; // "`,
        `const record = { console: 1, confirm: 2 };`,
        `record.console; my$Deno.exit; this.#confirm();`,
      ].join("\n"),
    }),
    [],
  );
  assertEquals(
    breaches({
      "lib/frame/frame.ts": [
        `const quote = /"/; console.log(quote);`,
        "const text = `${Deno.args.map((one) => { return `${one}`; })} ${console}`;",
        `const half = (1 + 1) / 2; Deno.stdin; const more = 1 / 2;`,
        `/* " */ Deno.env;`,
      ].join("\n"),
    }),
    [
      "lib/frame/frame.ts:1: console belongs in lib/user/log.ts",
      "lib/frame/frame.ts:2: Deno.args belongs in server.ts or client.ts",
      "lib/frame/frame.ts:2: console belongs in lib/user/log.ts",
      "lib/frame/frame.ts:3: Deno.stdin belongs in lib/user/keys.ts",
      "lib/frame/frame.ts:4: Deno.env belongs in lib/program.ts",
    ],
  );
});

/** Runs `deno task layers` in a folder: its exit status, and all it says. */
async function runTask(cwd: string | URL): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "layers"],
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

test("deno task layers: says nothing and exits 0 where all is in its place, with the right to read alone", async () => {
  assertEquals(await runTask(new URL("..", import.meta.url)), { code: 0, text: "" });
});

test("deno task layers: prints each breach as a line and exits 1", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const sources = await readSources(new URL("..", import.meta.url));
    for (const name of ["lib", "scripts", "tests"]) await Deno.mkdir(`${folder}/${name}`);
    for (const path of ["deno.json", "scripts/layers.ts", "server.ts", "client.ts"]) {
      await Deno.copyFile(new URL(`../${path}`, import.meta.url), `${folder}/${path}`);
    }
    for (const [path, source] of sources) {
      if (path.startsWith("lib/")) await Deno.writeTextFile(`${folder}/${path}`, source);
    }
    await Deno.writeTextFile(`${folder}/lib/clock.ts`, `export {};\nDeno.exit(1);\n`);
    await Deno.writeTextFile(`${folder}/lib/utils.ts`, "");
    const { code, text } = await runTask(folder);
    assertEquals(code, 1);
    const lines = text.split("\n");
    assertEquals(lines.filter((line) => /^lib\/(clock|utils)\.ts:/.test(line)), [
      "lib/clock.ts:2: Deno.exit belongs in lib/program.ts",
      "lib/utils.ts:1: no place in the table of scripts/layers.ts: " +
      "say there where this file belongs",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
