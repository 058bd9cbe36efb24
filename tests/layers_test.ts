import { assertEquals } from "@std/assert";
import plugin from "../scripts/layers.ts";
import { test } from "./strict.ts";

/** The words of the rules about a file with this text. */
function problems(path: string, text: string): string[] {
  return Deno.lint.runPlugin(plugin, `/somewhere/${path}`, text).map(({ message }) => message);
}

for (
  const [path, text, expected] of [
    [
      "lib/wire/line.ts",
      'import "../frame/frame.ts"; import "../clock.ts"; import "./wire.ts";',
      [],
    ],
    ["lib/wire/line.ts", 'import "../media/child.ts";', ["wire/ knows nothing of media/"]],
    ["lib/media/child.ts", 'import type { A } from "../wire/wire.ts";', [
      "media/ knows nothing of wire/",
    ]],
    ["lib/user/log.ts", 'export * from "../wire/wire.ts";', ["user/ knows nothing of wire/"]],
    ["lib/user/log.ts", 'export { a } from "../media/avi.ts";', ["user/ knows nothing of media/"]],
    ["lib/frame/frame.ts", 'import "../user/log.ts";', ["frame/ knows nothing of user/"]],
    ["lib/frame/frame.ts", 'await import("../call.ts");', ["frame/ knows nothing of lib/call.ts"]],
    ["lib/media/avi.ts", 'import "../../server.ts";', ["server.ts is not for lib/media/avi.ts"]],
    ["lib/answer.ts", 'import "./wire/line.ts"; import "./errors.ts";', []],
    ["lib/answer.ts", 'import "./media/child.ts";', ["lib/answer.ts knows nothing of media/"]],
    ["lib/dial.ts", 'import "./call.ts";', ["lib/dial.ts knows nothing of lib/call.ts"]],
    ["lib/surroundings.ts", 'import "./call.ts";', [
      "lib/surroundings.ts knows nothing of lib/call.ts",
    ]],
    ["lib/clock.ts", 'import "./errors.ts";', []],
    ["lib/errors.ts", 'import "./frame/frame.ts";', ["lib/errors.ts knows nothing of frame/"]],
    [
      "lib/call.ts",
      'import "./media/display.ts"; import "./user/log.ts"; import "./wire/line.ts";',
      [],
    ],
    ["lib/call.ts", 'import "./program.ts";', ["lib/program.ts is not for lib/call.ts"]],
    ["lib/call.ts", 'import "./attic/chest.ts";', ["attic/ is no room of the house"]],
    ["server.ts", 'import "./lib/program.ts"; import "./lib/call.ts";', []],
    ["lib/media/child.ts", 'new Deno.Command("ffmpeg");', []],
    ["lib/media/display.ts", 'new Deno.Command("ffplay");', [
      "Deno.Command belongs in lib/media/child.ts",
    ]],
    ["lib/call.ts", "let a: Deno.ChildProcess;", [
      "Deno.ChildProcess belongs in lib/media/child.ts",
    ]],
    ["lib/call.ts", "console.log(1);", ["console belongs nowhere here"]],
    ["lib/call.ts", "const { exit } = Deno;", ["Deno's members are named as they are"]],
    ["lib/call.ts", 'Deno["exit"](1);', ["Deno's members are named as they are"]],
    ["client.ts", "Deno.listen({ port: 1 });", [
      "Deno.listen belongs in server.ts or lib/doctor.ts",
    ]],
    ["server.ts", "Deno.connect({ port: 1 });", ["Deno.connect belongs in client.ts"]],
    ["lib/call.ts", "Deno.exit(1);", ["Deno.exit belongs in lib/program.ts"]],
    ["lib/call.ts", 'prompt("?");', ["prompt belongs nowhere here"]],
    ["lib/user/keys.ts", 'import { ReadStream } from "node:tty";', []],
    ["lib/call.ts", 'import fs from "node:fs";', ["node:fs belongs nowhere here"]],
    [
      "tests/x_test.ts",
      'import "../lib/media/child.ts"; new Deno.Command("ls"); console.log();',
      [],
    ],
  ] as const
) {
  test(`layers: ${path} with ${text}`, () => {
    assertEquals(problems(path, text), [...expected]);
  });
}
