/**
 * The conditions of a single file of each program, as far as they can be seen without Deno's own
 * site. All imports are here. The rights are the same in every place. One file of each makes a
 * call. `deno task compile` bakes in the right things, or tells why not.
 */

import { assertEquals, assertMatch } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import type { Program } from "../lib/user/command_line.ts";
import { compileArguments, fileName, TARGETS } from "../scripts/compile.ts";
import { type Outcome, probe, Running, type StartOptions, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

const ROOT = new URL("..", import.meta.url);
const PROGRAMS: readonly Program[] = ["server", "client"];
const TASKS = { server: "serve", client: "send" } as const;

/**
 * All rights that either program may ever have. More of them, in any place, is a decision that has
 * to be made here too.
 */
const RIGHTS: readonly string[] = [
  "--allow-env=DISPLAY,WAYLAND_DISPLAY,LC_ALL,LC_MESSAGES,LANG,TERM,INIT_CWD,CHAMADA_CODE",
  "--allow-net",
  "--allow-read",
  "--allow-run=ffmpeg,ffplay",
  "--allow-sys=networkInterfaces,hostname,statfs",
  "--allow-write",
];

/**
 * The flags beside the rights: nobody is asked for more rights, and Deno keeps its own doings to
 * itself.
 */
const MANNERS = ["--no-prompt", "--quiet"];

/** Runs `deno` to its end, whatever its exit status. */
async function deno(args: readonly string[], options?: StartOptions): Promise<Outcome> {
  await using running = new Running([Deno.execPath(), ...args], options);
  return await running.ended;
}

for (const program of PROGRAMS) {
  test(`${program}: imports files of lib/, the pinned std packages and node's built-ins, nothing else`, async () => {
    await using cache = await temporaryFolder();
    // A module that is not in vendor/ cannot be had, and would be found to be missing.
    const { code, stdout, stderr } = await deno(["info", "--json", `${program}.ts`], {
      env: { ...deadProxy(), DENO_DIR: cache.path },
    });
    assertEquals(code, 0, stderr);
    const { modules, npmPackages } = JSON.parse(stdout);
    const pinned = Object.values(config.imports).map((one) =>
      `https://jsr.io/${one.replace(/^jsr:(@std\/[a-z]+)@(\d+\.\d+\.\d+)$/, "$1/$2")}/`
    );
    const own = /^(?:server\.ts|client\.ts|deno\.json|lib\/(?:[a-z]+\/)?[a-z0-9_]+\.ts)$/;
    const strange: string[] = [];
    for (const { kind, specifier, error } of modules) {
      const good = !error && (
        kind === "node" ||
        (specifier.startsWith(ROOT.href) && own.test(specifier.slice(ROOT.href.length))) ||
        pinned.some((folder) => specifier.startsWith(folder))
      );
      if (!good) strange.push(`${kind} ${specifier} ${error ?? ""}`);
    }
    assertEquals(strange, []);
    assertEquals(npmPackages, {});
    // It did look: the program itself, its wiring and a package are among the found ones.
    const found = modules.map(({ specifier }: { specifier: string }) => specifier);
    for (const one of [`${ROOT.href}${program}.ts`, `${ROOT.href}lib/call.ts`]) {
      assertEquals(found.includes(one), true, one);
    }
    assertEquals(found.some((one: string) => /^https:\/\/jsr\.io\/@std\/cli\//.test(one)), true);
  });

  test(`${program}: has the same least rights in its task, its shebang and its compiled file`, async () => {
    const task = config.tasks[TASKS[program]].command.split(" ");
    assertEquals([...task.slice(0, 2), task.at(-1)], ["deno", "run", `${program}.ts`]);
    const [shebang] = (await Deno.readTextFile(new URL(`${program}.ts`, ROOT))).split("\n");
    const start = "#!/usr/bin/env -S deno run ";
    assertEquals(shebang!.slice(0, start.length), start);
    const compiled = compileArguments(program, "there");
    assertEquals(
      [compiled[0], ...compiled.slice(-3)],
      ["compile", "--output", "there", `${program}.ts`],
    );

    const rights = [...RIGHTS, ...MANNERS].sort();
    assertEquals(task.slice(2, -1).sort(), rights, "task");
    assertEquals(shebang!.slice(start.length).split(" ").sort(), rights, "shebang");
    assertEquals(compiled.slice(1, -3).sort(), rights, "compiled");
  });

  for (const right of RIGHTS) {
    const name = right.replace(/=.*/, "");
    test(`${program}: says what is missing where it has no ${name}`, async () => {
      await using folder = await temporaryFolder();
      const rest = RIGHTS.filter((one) => one !== right);
      const options = program === "server"
        ? ["--port", "0"]
        : ["--port", "1", "--input", "test", "--record", "video.avi"];
      // Without an address it asks for the list of them, and without that right it gets no further.
      const host = name === "--allow-sys" ? [] : ["--host", "127.0.0.1"];
      const { href } = new URL(`${program}.ts`, ROOT);
      const { code, stdout, stderr } = await deno(
        ["run", ...MANNERS, ...rest, href, ...host, ...options, "--no-display"],
        { cwd: folder.path },
      );
      const said = `${stdout}${stderr}`;
      assertEquals(code, 1, said);
      assertMatch(stderr, name === "--allow-run" ? /ffmpeg/ : new RegExp(`${name}\\b`));
      // The output is a sentence, and no trace of the stack.
      assertEquals(stderr.trim().split("\n").length, 1, said);
      assertEquals(/Uncaught|^ +at /m.test(said), false, said);
      assertEquals([...Deno.readDirSync(folder.path)], []);
    });
  }
}

/**
 * True if Deno can get its bundler, or has it: it takes esbuild from npm. For any other problem,
 * the test shall say so.
 */
async function hasBundler(): Promise<boolean> {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/one.ts`, "export const one: number = 1;\n");
  const { code, stderr } = await deno(["bundle", "--quiet", "--output", "two.js", "one.ts"], {
    cwd: folder.path,
  });
  return code === 0 || !stderr.includes("@esbuild");
}

test(
  "one file of each program makes a whole call from an empty folder (needs esbuild from npm)",
  async () => {
    await using files = await temporaryFolder();
    await using cache = await temporaryFolder();
    await using folder = await temporaryFolder();
    for (const program of PROGRAMS) {
      const output = `${files.path}/${program}.js`;
      const { code, stderr } = await deno([
        "bundle",
        "--quiet",
        "--output",
        output,
        `${program}.ts`,
      ]);
      assertEquals(code, 0, stderr);
    }
    // No source is left: no packages, no configuration, no cache.
    const alone = ["--no-config", "--no-remote", "--no-npm", "--cached-only"];
    const start = (program: Program, args: readonly string[]): Running =>
      new Running([
        ...[Deno.execPath(), "run", ...MANNERS, ...RIGHTS, ...alone],
        ...[`${files.path}/${program}.js`, "--host", "127.0.0.1", "--no-display", ...args],
      ], { cwd: folder.path, env: { DENO_DIR: cache.path } });

    await using server = start("server", ["--port", "0"]);
    const [, port] = await server.says(/LISTENING ON: \('127\.0\.0\.1', (\d+)\)/);
    await using client = start("client", ["--port", port!, "--input", "test", "--duration", "2"]);
    await client.exits(0);
    const { stdout, stderr } = await server.exits(0);
    const recorded = /^Recorded 00:00:02, (\d+) frames.*: video\.avi \(/m.exec(stdout)?.[1];
    assertMatch(stdout, /^Call ended by the CLIENT$/m);
    assertEquals(stderr, "");

    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["video.avi"]);
    const { codec, tag, width, height, frames } = await probe(`${folder.path}/video.avi`);
    assertEquals([codec, tag, width, height], ["mpeg4", "XVID", 320, 240]);
    assertEquals(`${frames}`, recorded, stdout);
    // 40 of them, unless this machine is so busy that the client had to drop one.
    assertEquals(frames >= 38 && frames <= 40, true, stdout);
  },
  { ignore: !await hasBundler() },
);

/**
 * Copies the files of the programs and of their compilation, so that nobody's `dist/` is touched.
 */
async function copyProject(to: string): Promise<void> {
  const copy = async (path: string): Promise<void> => {
    const from = new URL(path, ROOT);
    if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, `${to}/${path}`);
    await Deno.mkdir(`${to}/${path}`, { recursive: true });
    for await (const { name } of Deno.readDir(from)) await copy(`${path}/${name}`);
  };
  await Deno.mkdir(`${to}/scripts`);
  for (
    const path of ["deno.json", "server.ts", "client.ts", "lib", "vendor", "scripts/compile.ts"]
  ) await copy(path);
}

/** A proxy where nobody listens. Requests through it get nowhere, on an open network too. */
function deadProxy(): Record<string, string | undefined> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const proxy = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  return {
    ...{ HTTPS_PROXY: proxy, https_proxy: proxy, ALL_PROXY: proxy, all_proxy: proxy },
    ...{ NO_PROXY: undefined, no_proxy: undefined, DENORT_BIN: undefined },
  };
}

/**
 * The rights of a compiled file, as Deno has written them into the file: the flags, put back
 * together.
 */
function bakedRights(file: string): string[] {
  const [, json] = /"permissions":(\{[^{}]*\})/.exec(file) ?? [];
  if (json === undefined) {
    throw new Error("no permissions found: does this Deno keep them elsewhere?");
  }
  const permissions: Record<string, readonly string[] | boolean | null> = JSON.parse(json);
  assertEquals(permissions["prompt"], false);
  return Object.entries(permissions)
    // The sources of further code: each file has Deno's own list.
    .filter(([name, value]) => value !== null && name !== "prompt" && name !== "allow_import")
    .map(([name, value]) => {
      const list = Array.isArray(value) && value.length > 0 ? `=${value.join(",")}` : "";
      return `--${name.replaceAll("_", "-")}${list}`;
    })
    .sort();
}

test(
  "deno task compile: says where the runtime is to be had, or bakes the least rights in",
  async () => {
    await using project = await temporaryFolder();
    await using cache = await temporaryFolder();
    await copyProject(project.path);
    const dist = `${project.path}/dist`;
    const compile = async (
      args: readonly string[],
      env: Record<string, string | undefined>,
    ): Promise<Outcome> =>
      await deno(["task", "--quiet", "compile", ...args], {
        cwd: project.path,
        env: { ...deadProxy(), DENO_DIR: cache.path, ...env },
      });

    const closed = await compile([], {});
    assertEquals([closed.code, closed.stdout], [1, ""], closed.stderr);
    assertMatch(
      closed.stderr,
      /^Deno's runtime for \S+ could not be downloaded: [^\n]*DENORT_BIN[^\n]*\/v\d+\.\d+\.\d+\.\n$/,
    );
    const fechada = await compile(["--all"], { LC_ALL: "pt_BR.UTF-8" });
    assertEquals([fechada.code, fechada.stdout], [1, ""], fechada.stderr);
    assertMatch(fechada.stderr, /^O runtime do Deno para \S+ não pôde ser baixado: [^\n]*\n$/);
    const missing = await compile([], { DENORT_BIN: `${project.path}/nothing` });
    assertEquals([missing.code, missing.stdout], [1, ""], missing.stderr);
    assertMatch(missing.stderr, /Could not find denort at/);
    assertEquals([...Deno.readDirSync(project.path)].some(({ name }) => name === "dist"), false);

    // Deno puts a program behind any executable of the system. That is enough to see the program.
    const standIn = Deno.build.os === "linux" ? "/bin/sh" : Deno.execPath();
    const made = await compile([], { DENORT_BIN: standIn });
    const names = [...PROGRAMS.map((program) => fileName(program)), "SHA256SUMS"];
    assertEquals([made.code, made.stdout], [0, names.map((name) => `dist/${name}\n`).join("")]);
    const inDist = (): string[] => [...Deno.readDirSync(dist)].map(({ name }) => name).sort();
    assertEquals(inDist(), [...names].sort());
    for (const program of PROGRAMS) {
      const file = new TextDecoder("latin1").decode(
        await Deno.readFile(`${dist}/${fileName(program)}`),
      );
      assertEquals(bakedRights(file), RIGHTS);
      const std = config.imports["@std/cli"].replace(/^jsr:(.*)@/, "https://jsr.io/$1/");
      assertEquals(file.includes(std), true, `${std} is not in it`);
      assertEquals(file.includes(project.path), false, "it knows where it was made");
    }
    const sums = await Deno.readTextFile(`${dist}/SHA256SUMS`);
    assertMatch(sums, /^[0-9a-f]{64} {2}client\S*\n[0-9a-f]{64} {2}server\S*\n$/);
    if (Deno.build.os === "linux") {
      await using check = new Running(["sha256sum", "--strict", "-c", "SHA256SUMS"], { cwd: dist });
      assertEquals((await check.exits(0)).stdout, "client: OK\nserver: OK\n");
    }

    // The old content stays if nothing can be put in its place.
    assertEquals((await compile([], {})).code, 1);
    assertEquals(inDist(), [...names].sort());
    assertEquals(await Deno.readTextFile(`${dist}/SHA256SUMS`), sums);
  },
  { slow: true },
);

test("deno task compile: refuses what it cannot do with exit status 2", async () => {
  for (const args of [["--bogus"], ["--all", "--bogus"], ["server"]]) {
    const { code, stderr } = await deno(["task", "--quiet", "compile", ...args]);
    assertEquals([code, stderr], [2, "Usage: deno task compile [--all]\n"]);
  }
  const { code, stderr } = await deno(["task", "--quiet", "compile", "--all"], {
    env: { DENORT_BIN: Deno.execPath() },
  });
  assertEquals(code, 2);
  assertMatch(stderr, /^DENORT_BIN holds the runtime of one system: [^\n]*\n$/);
});

test("deno task compile: has a name of its own for every program on every system", () => {
  const names = TARGETS.flatMap((target) => PROGRAMS.map((program) => fileName(program, target)));
  assertEquals(new Set(names).size, 10);
  assertEquals(names.includes("chamada-server-x86_64-apple-darwin"), true);
  assertEquals(names.includes("chamada-client-x86_64-pc-windows-msvc.exe"), true);
  const args = compileArguments("client", "there", "aarch64-apple-darwin");
  assertEquals(args.slice(args.indexOf("--target"), -3), ["--target", "aarch64-apple-darwin"]);
});
