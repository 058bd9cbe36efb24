/**
 * `scripts/setup.sh` on machines that lack something: a copy of it, and a path with the tools of
 * our choice.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ROOT } from "../scripts/kit/running.ts";
import { type Outcome, Running, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";
import { linkTools } from "./tools.ts";

/** The tools that every system has. */
const TOOLS = [
  ...["awk", "cat", "cp", "dirname", "env", "find", "grep", "id", "ln", "mkdir", "mktemp", "mv"],
  ...["readlink", "rm", "sed", "sh", "sort", "tail", "touch", "tr", "uname"],
];

const PORTUGUESE = { LC_ALL: undefined, LC_MESSAGES: "pt_BR.UTF-8", LANG: "C" };

/** A machine to set up, with programs that are scripts of a line, or do nothing. */
async function machine(
  programs: Readonly<Record<string, string>>,
): Promise<
  & {
    run(
      args: readonly string[],
      env?: Readonly<Record<string, string | undefined>>,
    ): Promise<Outcome>;
  }
  & { path: string }
  & AsyncDisposable
> {
  const folder = await temporaryFolder();
  const root = `${folder.path}/chamada`;
  await Deno.mkdir(`${root}/scripts`, { recursive: true });
  await Deno.copyFile(`${ROOT}scripts/setup.sh`, `${root}/scripts/setup.sh`);
  await Deno.copyFile(`${ROOT}deno.json`, `${root}/deno.json`);
  const PATH = await linkTools(`${folder.path}/bin`, TOOLS);
  for (const [name, line] of Object.entries(programs)) {
    await Deno.writeTextFile(`${PATH}/${name}`, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }
  return {
    path: folder.path,
    async run(args, env = {}): Promise<Outcome> {
      const command = [`${PATH}/sh`, `${root}/scripts/setup.sh`, ...args];
      await using running = new Running(command, { cwd: root, env: { PATH, ...env } });
      return await running.ended;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A test of a system with apt-get. */
function setUp(name: string, fn: () => Promise<void>): void {
  test(`setup.sh: ${name}`, fn, { ignore: Deno.build.os !== "linux" });
}

setUp("says that it needs npm or Deno before it installs anything, in both languages", async () => {
  await using bare = await machine({ "apt-get": 'echo "$@" >>"$0.calls"', sudo: 'exec "$@"' });
  for (const mode of ["install", "demo", "test"]) {
    const { code, stdout, stderr } = await bare.run([mode]);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(
      stderr,
      /^Missing: Deno 2\.9\.6, and npm to install it with\. Install npm \((sudo )?apt-get install .*npm\) or Deno itself \(https:.*\), and try again\.\n$/,
    );
  }
  const { stderr } = await bare.run(["install"], PORTUGUESE);
  assertMatch(stderr, /^Falta: o Deno 2\.9\.6, e o npm para instalá-lo\. Instale o npm .*\n$/);
  assertEquals(await Deno.stat(`${bare.path}/bin/apt-get.calls`).catch(() => "no call"), "no call");
});

setUp("an older Deno is none, and a newer one is enough", async () => {
  const deno = (version: string): string => `echo "deno ${version} (stable)"`;
  await using older = await machine({ deno: deno("2.9.5"), ffmpeg: "", ffplay: "", ffprobe: "" });
  assertStringIncludes((await older.run(["install"])).stderr, "Missing: Deno 2.9.6, and npm");
  await using newer = await machine({ deno: deno("2.10.0"), ffmpeg: "", ffplay: "", ffprobe: "" });
  const { code, stdout } = await newer.run(["install"]);
  assertEquals(code, 0);
  assertEquals(
    stdout,
    "To answer a call, type: scripts/chamada serve\n" +
      "To make one, on the other computer: scripts/chamada send ADDRESS\n",
  );
  assertEquals(
    (await newer.run(["install"], PORTUGUESE)).stdout,
    "Para atender uma chamada, digite: scripts/chamada serve\n" +
      "Para fazer uma, no outro computador: scripts/chamada send ENDEREÇO\n",
  );
});

setUp("tells in Portuguese what it does and what failed", async () => {
  await using failing = await machine({
    npm: "",
    "apt-get": 'echo "no such mirror"; exit 1',
    sudo: 'exec "$@"',
  });
  const { code, stdout, stderr } = await failing.run(["install"], PORTUGUESE);
  assertEquals(code, 1);
  assertEquals(stdout, "Instalando ffmpeg (apt-get)…\n");
  assertMatch(
    stderr,
    /^Não foi possível instalar ffmpeg com apt-get\. O que disse por último:\n {2}no such mirror\n/,
  );
  assertMatch((await failing.run([], PORTUGUESE)).stderr, /^Uso: sh scripts\/setup\.sh install \|/);
});

setUp("every sentence is there in both languages", async () => {
  const script = await Deno.readTextFile(`${ROOT}scripts/setup.sh`);
  const calls = script.replaceAll("\\\n", " ").split("\n")
    .filter((line) => /(^|\|\| *|&& |\{ )\s*(say|fail|fail_with_log) ["']/.test(line));
  assertEquals(calls.length > 12, true, `${calls.length} calls were found`);
  const single = calls.filter((line) =>
    !line.includes(' "$@"') &&
    !/(say|fail|fail_with_log) (["']).*\2 +(["']).*\3/.test(line)
  );
  assertEquals(single, []);
});
