/** `scripts/chamada`, in a project that holds only the files that it reads, and once in earnest. */

import { assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../scripts/kit/running.ts";
import { type Outcome, probe, Running, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";
import { linkTools } from "./tools.ts";

/** There is no sh on Windows. */
const HERE = { ignore: Deno.build.os === "windows" };

/** A Deno that tells its folder and its arguments, a line each. */
const TELLS = `#!/bin/sh\nprintf '%s\\n' "$0" "$PWD" "$@"\n`;

/** A folder with a project in `o projeto/`, and `caller/` to call from. */
async function project(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await temporaryFolder();
  const root = `${folder.path}/o projeto`;
  for (const name of ["scripts", "vendor", ".deno/bin", "../caller/bin"]) {
    await Deno.mkdir(`${root}/${name}`, { recursive: true });
  }
  await Deno.copyFile(`${ROOT}scripts/chamada`, `${root}/scripts/chamada`);
  for (const program of ["server.ts", "client.ts"]) {
    await Deno.copyFile(`${ROOT}${program}`, `${root}/${program}`);
  }
  await Deno.writeTextFile(`${root}/.deno/bin/deno`, TELLS, { mode: 0o755 });
  return folder;
}

/** Runs it in `caller/`, where only the Deno of `PATH` is on the path. */
async function chamada(
  { path }: { path: string },
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Outcome> {
  const [file = "", ...rest] = args;
  await using running = new Running([file.startsWith("/") ? file : `${path}/${file}`, ...rest], {
    cwd: `${path}/caller`,
    env: { PATH: "/usr/bin:/bin", ...env },
  });
  return await running.ended;
}

/** The flags of a program's first line. */
async function flags(program: string): Promise<string[]> {
  const [first] = (await Deno.readTextFile(`${ROOT}${program}`)).split("\n");
  return first!.replace("#!/usr/bin/env -S deno ", "").split(" ");
}

test(
  "chamada: starts either program by its own first line, in the folder of the caller",
  async () => {
    await using folder = await project();
    const root = await Deno.realPath(`${folder.path}/o projeto`);
    const given = ["--record", "my file.avi", "*", "", "--", "a\tb"];
    for (const [word, program] of [["serve", "server.ts"], ["send", "client.ts"]] as const) {
      const { code, stdout } = await chamada(folder, ["o projeto/scripts/chamada", word, ...given]);
      assertEquals(code, 0);
      assertEquals(stdout.split("\n"), [
        `${root}/.deno/bin/deno`,
        await Deno.realPath(`${folder.path}/caller`),
        ...await flags(program),
        `${root}/${program}`,
        ...given,
        "",
      ]);
    }
  },
  HERE,
);

test("chamada: can be linked elsewhere, and found on PATH", async () => {
  await using folder = await project();
  const bin = `${folder.path}/caller/bin`;
  await Deno.symlink("../../o projeto/scripts/chamada", `${bin}/relative`);
  await Deno.symlink(`${bin}/relative`, `${bin}/chamada`);
  const root = await Deno.realPath(`${folder.path}/o projeto`);
  const env = { PATH: `${bin}:/usr/bin:/bin`, CDPATH: folder.path };
  for (const command of [`${bin}/chamada`, `${bin}/relative`, "/usr/bin/env chamada"]) {
    const { stdout } = await chamada(folder, [...command.split(" "), "send"], env);
    assertEquals(stdout.split("\n").at(-2), `${root}/client.ts`, command);
  }
}, HERE);

test("chamada: takes the Deno of PATH where the project has none", async () => {
  await using folder = await project();
  await Deno.rename(`${folder.path}/o projeto/.deno/bin/deno`, `${folder.path}/caller/bin/deno`);
  const env = { PATH: `${folder.path}/caller/bin:/usr/bin:/bin` };
  const { stdout } = await chamada(folder, ["o projeto/scripts/chamada", "serve"], env);
  assertEquals(stdout.split("\n")[0], `${folder.path}/caller/bin/deno`);
}, HERE);

test("chamada: says what is missing and how to get it, in both languages", async () => {
  await using folder = await project();
  const root = await Deno.realPath(`${folder.path}/o projeto`);
  const cure = `sh '${root}/scripts/setup.sh' install\n`;
  const script = "o projeto/scripts/chamada";
  const pt = { LC_ALL: undefined, LC_MESSAGES: "", LANG: "pt_BR.UTF-8" };

  await Deno.remove(`${root}/vendor`);
  const vendor = await chamada(folder, [script, "serve"]);
  assertEquals(vendor, { code: 1, stdout: "", stderr: `Missing: vendor/. Type: ${cure}` });
  await Deno.remove(`${root}/.deno`, { recursive: true });
  const PATH = await linkTools(`${folder.path}/tools`, ["sh", "dirname", "readlink"]);
  const deno = await chamada(folder, [script, "send"], { PATH });
  assertEquals(deno, { code: 1, stdout: "", stderr: `Missing: Deno. Type: ${cure}` });
  const denoPt = await chamada(folder, [script, "send"], { PATH, ...pt });
  assertEquals(denoPt.stderr, `Falta: Deno. Digite: ${cure}`);

  for (const args of [[], ["sned"], ["--port", "80"]]) {
    const { code, stdout, stderr } = await chamada(folder, [script, ...args]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^Usage: chamada serve \| send /);
  }
  const help = await chamada(folder, [script, "--help"], pt);
  assertEquals([help.code, help.stderr], [0, ""]);
  assertMatch(help.stdout, /^Uso: chamada serve \| send /);
}, HERE);

test(
  "chamada: makes a whole call from a folder of the caller's, and a signal reaches it",
  async () => {
    await using folder = await temporaryFolder();
    await Deno.symlink(`${ROOT}scripts/chamada`, `${folder.path}/chamada`);
    // A folder with settings of its own for Deno, which are none of ours.
    await Deno.writeTextFile(`${folder.path}/deno.json`, `{ "imports": { "@std/cli": "./no/" } }`);
    const options = { cwd: folder.path };
    const here = ["--host", "127.0.0.1", "--port", "0", "--no-display", "--stay"];
    await using server = new Running([`${folder.path}/chamada`, "serve", ...here], options);
    const [, port] = await server.says(/LISTENING ON: \('127\.0\.0\.1', (\d+)\)/);
    const call = [`127.0.0.1:${port}`, "--input", "test", "--duration", "1", "--no-display"];
    await using client = new Running([`${folder.path}/chamada`, "send", ...call], options);
    await client.exits(0);
    await server.says(/Recorded/);
    server.signal("SIGTERM");
    await server.exits(0);
    assertEquals((await probe(`${folder.path}/video.avi`)).frames > 10, true);
  },
  HERE,
);
