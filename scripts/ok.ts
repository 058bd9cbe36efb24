/**
 * `deno task ok`: every check of this project, one after another, a line each. The words of a check
 * are shown only if it fails. The tests are shown as they run. The last line is always `N passed, N
 * failed`, where each check counts as one and each test as one.
 *
 * With `--bench` first, the bench has its smoke run after the tests. Further arguments are handed
 * on to `deno test`, as in `deno task ok --filter wire`.
 */

import { cpus } from "node:os";
import { pause } from "../lib/clock.ts";
import { print, showBytes } from "./kit/writing.ts";

/** The numbers of passed and failed ones, and of tests that are not for this machine. */
interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** A check: its name, and the arguments of the `deno` that makes it. */
interface Check {
  name: string;
  args: () => string[];
}

const CHECKS: Check[] = [
  { name: "format", args: () => ["fmt", "--check"] },
  // The rules of the house are among it.
  { name: "lint", args: () => ["lint", "--quiet"] },
  {
    name: "types",
    args: () => ["check", "--quiet", "server.ts", "client.ts", "lib/", "tests/", "scripts/"],
  },
  { name: "documentation", args: () => ["doc", "--quiet", "--lint", ...modules("lib")] },
];

/** A part of the tests: its name, its files, and the number of those that run side by side. */
interface Part {
  name: string;
  files: string[];
  jobs: number;
}

/** The summary of `deno test`. It is absent if no test has run. */
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/gm;

const free = await freeProcessors();
const count: Count = { passed: 0, failed: 0, skipped: 0 };
for (const check of CHECKS) {
  if (await makes(check)) count.passed++;
  else count.failed++;
}
const [first, ...rest] = Deno.args;
const withBench = first === "--bench";
const testFiles = modules("tests").filter((path) => path.endsWith("_test.ts"));
const parts: Part[] = [
  // These mostly wait, and wait side by side. A machine that has much else to do is given less.
  { name: "loud", files: slowestFirst(testFiles), jobs: Math.max(3 * free, 2) },
  // These want a free machine, and come after all the others.
  { name: "quiet", files: testFiles.filter(hasQuiet), jobs: Math.max(free, 1) },
  ...(withBench ? [{ name: "bench", files: ["tests/bench_smoke.ts"], jobs: 1 }] : []),
];
for (const part of parts) {
  const tests = await runTests(part, withBench ? rest : Deno.args);
  count.passed += tests.passed;
  count.failed += tests.failed;
  count.skipped += tests.skipped;
}

print(
  `${count.passed} passed, ${count.failed} failed` +
    (count.skipped > 0 ? `, ${count.skipped} skipped` : ""),
);
if (count.failed > 0) Deno.exitCode = 1;

/**
 * The number of processors that nobody uses now: four at the most, since more do not make it
 * quicker.
 */
async function freeProcessors(): Promise<number> {
  const idleMs = (): number => cpus().reduce((sum, { times }) => sum + times.idle, 0);
  let most = 0;
  // The best of three seconds counts: a load of a moment does not.
  for (let second = 0; second < 3; second++) {
    const [beforeMs, startMs] = [idleMs(), performance.now()];
    await pause(1000);
    most = Math.max(most, (idleMs() - beforeMs) / (performance.now() - startMs));
  }
  return Math.min(Math.ceil(most), 4);
}

/** Makes a check and tells the result. Resolves to true if it passes. */
async function makes({ name, args }: Check): Promise<boolean> {
  const start = performance.now();
  try {
    const output = await deno(args(), "piped").output();
    print(`${output.success ? "ok  " : "FAIL"} ${name} (${seconds(start)} s)`);
    if (output.success) return true;
    showBytes(output.stdout);
    showBytes(output.stderr);
  } catch (error) {
    print(`FAIL ${name}\n${error}`);
  }
  return false;
}

/** Runs a part of the tests, showing what they print as they print it, and counts them. */
async function runTests({ name, files, jobs }: Part, args: string[]): Promise<Count> {
  const start = performance.now();
  // Their types are checked already.
  const options = ["--quiet", "--no-prompt", "--no-check", "--parallel", "--allow-all"];
  const child = deno(
    ["test", ...options, ...args, ...files],
    "inherit",
    { TESTS: name, DENO_JOBS: `${jobs}` },
  ).spawn();
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of child.stdout) {
    showBytes(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  const { success } = await child.status;
  // A test that brought the run down with it has left its line unfinished.
  if (text !== "" && !text.endsWith("\n")) print("");

  // A test may print such a line too; the last one is that of the whole run.
  const summary = [...text.matchAll(SUMMARY)].at(-1);
  const [passed, failed, skipped] = (summary?.slice(1) ?? []).map((digits) => Number(digits ?? 0));
  const tests = { passed: passed ?? 0, failed: failed ?? 0, skipped: skipped ?? 0 };
  // No summary, or a crash after it, or one that knows of no failure: the run has failed as one.
  if (summary === undefined || (!success && tests.failed === 0)) tests.failed = 1;
  const beside = jobs > 1 ? `, ${jobs} files side by side` : "";
  print(`${tests.failed === 0 ? "ok  " : "FAIL"} tests, ${name}${beside} (${seconds(start)} s)`);
  return tests;
}

/** The `deno` that runs this file; without colours, so that its words can be read. */
function deno(
  args: string[],
  stderr: "piped" | "inherit",
  env: Record<string, string> = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr,
  });
}

/** The TypeScript files of a folder and of those in it, in order. */
function modules(folder: string): string[] {
  return [...Deno.readDirSync(folder)]
    .map(({ name, isDirectory }) => ({ path: `${folder}/${name}`, isDirectory }))
    .flatMap(({ path, isDirectory }) =>
      isDirectory ? modules(path) : path.endsWith(".ts") ? [path] : []
    )
    .sort();
}

/** True if a file declares a quiet test. To load all files for a few tests takes seconds. */
function hasQuiet(path: string): boolean {
  return Deno.readTextFileSync(path).includes("quiet: true");
}

/** Files with the most slow tests first, so that none of them is left to run alone at the end. */
function slowestFirst(files: readonly string[]): string[] {
  const count = (path: string): number =>
    Deno.readTextFileSync(path).match(/slow: true|onScreen\(/g)?.length ?? 0;
  return files.map((path) => ({ path, slow: count(path) }))
    .sort((a, b) => b.slow - a.slow)
    .map(({ path }) => path);
}

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}
