import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { type Option, spell } from "../lib/user/command_line.ts";
import { messagesIn } from "../lib/user/sentences.ts";
import { test } from "./strict.ts";

const VALUE = { en: "x", pt: "x" };

/** The options of the recorded command lines, and a client's. */
const TABLE: readonly Option[] = [
  ...["host", "port", "record", "fps"].map((name): Option => ({
    name,
    programs: ["server"],
    value: VALUE,
  })),
  ...["no-record", "quiet", "help"].map((name): Option => ({ name, programs: ["server"] })),
  { name: "camera", programs: ["client"], value: VALUE },
];

/** The sentence about a command line, if it is wrong. */
function problem(...args: string[]): string | undefined {
  return spell("server", args, TABLE).problem?.(messagesIn("en").usage);
}

test("spell(): of what it leaves to parseArgs, nothing can be read in two ways", async () => {
  const recorded = new URL("data/parse_args.jsonl", import.meta.url);
  const lines = (await Deno.readTextFile(recorded)).trimEnd().split("\n");
  let spelled = 0;
  for (const line of lines) {
    const { args } = JSON.parse(line);
    const { options, problem } = spell("server", args, TABLE);
    // The plainest reading that there is.
    const plain: Record<string, unknown> = { _: [], "no-record": false, quiet: false, help: false };
    for (const option of options) {
      const [, name, value] = /^--([a-z][a-z-]*)(?:=(.+))?$/s.exec(option) ?? [];
      assert(name, `${option} of ${line}`);
      plain[name] = value ?? true;
    }
    const parsed = parseArgs([...options], {
      string: ["host", "port", "record", "fps"],
      boolean: ["no-record", "quiet", "help"],
    });
    assertEquals(parsed as Record<string, unknown>, plain, line);
    if (!problem) spelled++;
  }
  assert(spelled > 100, `only ${spelled} command lines were right`);
});

test("spell(): a value stands behind = or in the next word", () => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["--port", "80"], ["--port=80"]],
    [["--port=80", "--quiet"], ["--port=80", "--quiet"]],
    [["--host", "a=b"], ["--host=a=b"]],
    [["--host==x"], ["--host==x"]],
    [["--host", "-"], ["--host=-"]],
    [["--fps", "-5"], ["--fps=-5"]],
    [["--record", "a\nb"], ["--record=a\nb"]],
    [["--record=-x.avi"], ["--record=-x.avi"]],
    [["--port", "1", "--port", "2"], ["--port=1", "--port=2"]],
    [["-h"], ["--help"]],
  ];
  for (const [args, options] of cases) {
    assertEquals(spell("server", args, TABLE), { options, rest: [], problem: undefined });
  }
});

test("spell(): words of no option are kept in their order, and all behind -- are such", () => {
  const { options, rest } = spell("server", ["a", "--quiet", "", "--", "--port", "--"], TABLE);
  assertEquals(options, ["--quiet"]);
  assertEquals(rest, ["a", "", "--port", "--"]);
  assertEquals(spell("server", ["--"], TABLE).rest, []);
});

test("spell(): a value that is empty or not there is missed by the option's name", () => {
  for (
    const args of [["--port"], ["--port="], ["--port", ""], ["--port", "--quiet"], ["--port", "--"]]
  ) {
    assertEquals(problem(...args), "--port needs a value", args.join(" "));
  }
  // The option before it is not to blame.
  assertEquals(problem("--host", "a", "--port"), "--port needs a value");
});

test("spell(): a switch takes no value, in whatever form", () => {
  for (const word of ["--quiet=", "--quiet=x", "--quiet=true", "--no-record=", "--no-record=a"]) {
    const name = word.replace(/=.*/, "");
    assertEquals(problem(word), `There is no option ${word}: ${name} takes no value`);
  }
  assertEquals(problem("-h="), "There is no option -h=: -h takes no value");
  for (const word of ["-h5", "-hq", "-q=1", "--no-port=1", "--no-quiet", "---", "--=", "--=x"]) {
    assertStringIncludes(problem(word) ?? "", `There is no option ${word}`);
  }
  for (const word of ["--__proto__", "--__proto__=1", "--constructor", "--toString=x"]) {
    assertEquals(problem(word), `There is no option ${word}`);
  }
});

test("spell(): a misspelt option is told the right one", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "--record": ["--recrod", "--recod", "--recordd", "--Record", "--rec", "-record", "-r"],
    "--port": ["--prot", "--PORT", "-port=80", "--ports", "-p", "—port", "–port=80"],
    "--fps": ["--fsp", "--fbs", "-fps"],
    "--no-record": ["--no-recrod", "--norecord", "--no_record", "--no-rec"],
    "--help": ["-help", "--hlep", "-HELP"],
    "--quiet": ["-q", "--quite", "--queit"],
  };
  for (const [right, wrong] of Object.entries(cases)) {
    for (const word of wrong) {
      assertEquals(problem(word), `There is no option ${word}: did you mean ${right}?`);
    }
  }
  for (const word of ["--nonsense", "-x", "--xyz", "-5x=1"]) {
    assertMatch(problem(word) ?? `There is no option ${word}`, /^There is no option [^:]+$/);
  }
});

test("spell(): an option of the other program is told whose it is", () => {
  const wanted = "--camera belongs to the client";
  for (const word of ["--camera", "--camera=0", "--cam", "-camera", "--camrea"]) {
    assertEquals(problem(word, "0"), `There is no option ${word} here: ${wanted}`);
  }
});
