/**
 * `deno task compile`: makes the single-file programs of this machine, `dist/server` and
 * `dist/client`, with the least rights baked in. `--all` makes those of every system, such as
 * `dist/chamada-server-x86_64-apple-darwin`.
 *
 * Deno downloads the runtime that it puts into them (`denort`) from its own site. If that is out of
 * reach, this program says so and tells the cure. After a failure, the old content of `dist/` is
 * still there, and nothing half made beside it.
 */

// deno-lint-ignore-file no-console

import config from "../deno.json" with { type: "json" };
import { type Language, systemLanguage } from "../lib/user/sentences.ts";
import type { Program } from "../lib/user/command_line.ts";

/** The systems of `--all`, as Deno calls them. */
export const TARGETS: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

const PROGRAMS: readonly Program[] = ["server", "client"];
const TASKS = { server: "serve", client: "send" } as const;

/**
 * The folder of the programs, below the project's. An unfinished program is in `PART` and nowhere
 * else.
 */
const DIST = "dist";
const PART = `${DIST}/.part`;
const SUMS = "SHA256SUMS";

/** The names of our programs in `dist/`. */
const OURS = /^(server|client|chamada-(server|client)-[\w-]+)(\.exe)?$/;

const SENTENCES = {
  en: {
    usage: "Usage: deno task compile [--all]",
    oneSystem: "DENORT_BIN holds the runtime of one system: unset it to compile for all of them.",
    noRuntime: (target: string) =>
      `Deno's runtime for ${target} could not be downloaded: do this once on an open network`,
    orFile: (file: string, page: string) =>
      `, or set DENORT_BIN to the denort in ${file} of ${page}`,
  },
  pt: {
    usage: "Uso: deno task compile [--all]",
    oneSystem:
      "DENORT_BIN aponta para o runtime de um só sistema: retire essa variável para compilar para todos.",
    noRuntime: (target: string) =>
      `O runtime do Deno para ${target} não pôde ser baixado: faça isto uma vez em uma rede aberta`,
    orFile: (file: string, page: string) =>
      `, ou aponte DENORT_BIN para o denort que está em ${file} de ${page}`,
  },
} as const;

/**
 * The arguments of the `deno` that compiles a program, with all flags that its task runs it with.
 */
export function compileArguments(program: Program, output: string, target?: string): string[] {
  // A line of deno.json: deno run --quiet --no-prompt --allow-net … server.ts
  const words = config.tasks[TASKS[program]].command.split(" ");
  const file = words.at(-1)!;
  const flags = words.slice(2, -1);
  return ["compile", ...flags, ...(target ? ["--target", target] : []), "--output", output, file];
}

/** The name of a program in `dist/`, for that system, or for this one if none is given. */
export function fileName(program: Program, target?: string): string {
  const windows = target ? target.includes("windows") : Deno.build.os === "windows";
  return `${target ? `chamada-${program}-${target}` : program}${windows ? ".exe" : ""}`;
}

/** True if Deno failed because it could not get its runtime, and for no other reason. */
function lacksRuntime(stderr: string): boolean {
  return /https:\/\/\S*\/denort-\S*\.zip|Bad response: |Download could not be found/.test(stderr);
}

async function run(args: readonly string[], language: Language): Promise<number> {
  const sentences = SENTENCES[language];
  const all = args[0] === "--all";
  if (args.length > (all ? 1 : 0)) {
    console.error(sentences.usage);
    return 2;
  }
  if (all && Deno.env.get("DENORT_BIN")) {
    console.error(sentences.oneSystem);
    return 2;
  }
  Deno.chdir(new URL("..", import.meta.url));
  const interrupted = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, () => interrupted.abort());

  await Deno.remove(PART, { recursive: true }).catch(ifThere);
  await Deno.mkdir(PART, { recursive: true });
  try {
    const made: string[] = [];
    for (const target of all ? TARGETS : [undefined]) {
      for (const program of PROGRAMS) {
        const name = fileName(program, target);
        const problem = await compile(compileArguments(program, `${PART}/${name}`, target), {
          signal: interrupted.signal,
        });
        if (interrupted.signal.aborted) return 130;
        if (problem !== undefined && lacksRuntime(problem)) {
          const system = target ?? Deno.build.target;
          const page = `https://github.com/denoland/deno/releases/tag/v${Deno.version.deno}`;
          const orFile = all ? "" : sentences.orFile(`denort-${system}.zip`, page);
          console.error(`${sentences.noRuntime(system)}${orFile}.`);
          return 1;
        }
        if (problem !== undefined) {
          console.error(problem);
          return 1;
        }
        made.push(name);
      }
    }
    await Deno.writeTextFile(`${PART}/${SUMS}`, await checksums(made));
    for (const name of [...made, SUMS]) {
      await Deno.rename(`${PART}/${name}`, `${DIST}/${name}`);
      console.log(`${DIST}/${name}`);
    }
    return 0;
  } finally {
    await Deno.remove(PART, { recursive: true });
    // The folder goes only if it is empty.
    await Deno.remove(DIST).catch(() => {});
  }
}

/** Runs that `deno`. Resolves to its words about a failure, or to nothing. */
async function compile(
  args: readonly string[],
  { signal }: { readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { success, code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal,
  }).output();
  if (success) return undefined;
  return new TextDecoder().decode(stderr).trim() || `deno compile: ${code}`;
}

/**
 * Lines for `sha256sum -c` on all our programs in `dist/`: those just made, and those that stay as
 * they are.
 */
async function checksums(made: readonly string[]): Promise<string> {
  const staying = [...Deno.readDirSync(DIST)]
    .filter(({ name, isFile }) => isFile && OURS.test(name) && !made.includes(name))
    .map(({ name }) => name);
  let lines = "";
  for (const name of [...made, ...staying].sort()) {
    const bytes = await Deno.readFile(`${made.includes(name) ? PART : DIST}/${name}`);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    lines += `${hash.toHex()}  ${name}\n`;
  }
  return lines;
}

function ifThere(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

if (import.meta.main) {
  const language = systemLanguage((name) => Deno.env.get(name), navigator.language);
  Deno.exitCode = await run(Deno.args, language);
}
