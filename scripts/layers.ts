/**
 * `deno task layers`: each power and each import stays in the file it belongs to. Every breach is a line,
 * `lib/x.ts:12: …`, and any makes the exit status 1.
 *
 * The table below is the house: a file that is not in it is a breach, so whoever adds one says where it lives, which of
 * Deno it touches, and whom it may know. Types count as much as values do: who names a thing knows of it.
 */

// deno-lint-ignore-file no-console

/**
 * Where a file lives. The two sides of a call, `wire` and `media` (what goes to child processes), know nothing of each
 * other and meet in call.ts; `shared` is known to both and knows neither; `user` is what a person reads and types;
 * `entry` is outside lib.
 */
type Side = "shared" | "wire" | "media" | "user" | "whole" | "entry";

interface Place {
  readonly side: Side;
  /** Members of `Deno` that it touches, its types among them. */
  readonly deno: readonly string[];
  /** Files and packages that it imports: files by their path from the root. */
  readonly imports: readonly string[];
}

const TABLE: Readonly<Record<string, Place>> = {
  "lib/frame.ts": place("shared", [], ["pool"]),
  "lib/pool.ts": place("shared", [], []),
  "lib/errors.ts": place("shared", [], ["near_miss"]),
  "lib/near_miss.ts": place("shared", [], []),
  "lib/clock.ts": place("shared", [], []),
  "lib/delay.ts": place("shared", [], []),
  "lib/link_watch.ts": place("shared", [], []),
  "lib/mailbox.ts": place("shared", [], ["frame"]),
  "lib/timeline.ts": place("shared", [], []),
  "lib/source.ts": place("shared", [], ["frame"]),
  "lib/sink.ts": place("shared", [], ["frame"]),
  "lib/text_width.ts": place("shared", [], []),

  "lib/wire.ts": place("wire", [], ["clock", "errors", "near_miss"]),
  "lib/send_window.ts": place("wire", [], ["errors"]),
  "lib/session.ts": place("wire", [], ["errors", "frame", "@std/bytes/equals"]),
  "lib/pickle.ts": place("wire", [], ["errors", "frame", "near_miss", "@std/bytes/concat"]),
  "lib/rate_limit.ts": place("wire", [], ["errors"]),
  "lib/door.ts": place("wire", [], ["wire"]),
  "lib/receiver.ts": place("wire", [], [
    ...["clock", "errors", "frame", "mailbox", "near_miss"],
    ...["pickle", "pool", "rate_limit", "session", "wire"],
  ]),
  "lib/sender.ts": place("wire", [], [
    ...["clock", "delay", "errors", "frame", "mailbox", "near_miss", "sink"],
    ...["pickle", "receiver", "send_window", "session", "wire"],
  ]),

  "lib/child.ts": place(
    "media",
    ["Command", "CommandOptions", "ChildProcess", "Signal", "errors"],
    [
      ...["clock", "errors"],
    ],
  ),
  "lib/ffmpeg.ts": place("media", [], ["child", "errors"]),
  "lib/routes.ts": place("media", [], ["child"]),
  "lib/avi.ts": place("media", [], []),
  "lib/h264.ts": place("media", [], []),
  "lib/ivf.ts": place("media", [], ["frame"]),
  "lib/input.ts": place("media", [], ["errors"]),
  "lib/camera.ts": place("media", [], [
    ...["avi", "child", "clock", "errors", "ffmpeg", "frame", "h264", "input", "pool", "source"],
  ]),
  "lib/display.ts": place("media", [], ["child", "clock", "frame", "ivf", "mailbox", "sink"]),
  "lib/recorder.ts": place("media", [
    "build",
    "cwd",
    "errors",
    "FsFile",
    "open",
    "openSync",
    "readDir",
    "realPath",
    "remove",
    "stat",
  ], [
    ...["child", "clock", "errors", "ffmpeg", "frame", "ivf", "mailbox", "sink", "timeline"],
  ]),
  "lib/unfinished.ts": place(
    "media",
    ["FileInfo", "lstat", "open", "readDir", "remove", "rename", "SeekMode", "stat"],
    ["child", "clock", "recorder"],
  ),

  "lib/live_line.ts": place("user", [], ["text_width"]),
  "lib/messages.ts": place("user", [], ["errors", "live_line", "near_miss"]),
  "lib/options.ts": place("user", [], [
    ...["command_line", "frame", "messages", "pickle", "receiver"],
  ]),
  "lib/command_line.ts": place("user", [], [
    ...["address", "errors", "frame", "messages", "name", "@std/cli/parse-args"],
  ]),
  "lib/address.ts": place("user", [], ["node:net"]),
  "lib/name.ts": place("user", [], ["text_width"]),
  "lib/local_ip.ts": place("user", [], []),
  "lib/outlet.ts": place("user", ["errors"], ["clock"]),
  "lib/log.ts": place("user", ["stdout", "stderr", "consoleSize"], [
    "clock",
    "outlet",
    "text_width",
  ]),
  "lib/keys.ts": place("user", ["build", "stdin"], ["node:tty"]),

  "lib/call.ts": place("whole", ["build", "remove", "stat"], [
    ...["clock", "delay", "errors", "frame", "link_watch", "sink", "source"],
    ...["door", "receiver", "sender", "unfinished", "wire"],
    ...["camera", "child", "display", "recorder"],
    ...["log", "messages", "name", "options"],
  ]),
  "lib/program.ts": place("whole", [
    ...[
      "build",
      "env",
      "exit",
      "exitCode",
      "hostname",
      "networkInterfaces",
      "version",
      "Signal",
      "addSignalListener",
    ],
  ], [
    ...[
      "call",
      "camera",
      "child",
      "display",
      "errors",
      "ffmpeg",
      "keys",
      "local_ip",
      "log",
      "messages",
      "name",
      "options",
    ],
    ...["routes"],
  ]),

  "server.ts": place("entry", [
    ...["args", "errors", "listen", "TcpConn", "TcpListener"],
  ], [
    ...["call", "clock", "messages", "options", "program", "recorder", "deno.json"],
  ]),
  "client.ts": place("entry", ["args", "connect"], [
    ...["call", "camera", "command_line", "options", "program", "wire", "deno.json"],
  ]),
};

/** Powers that have one place, whatever the table says: what it takes to use one, and where it is used. */
const POWERS: readonly { readonly member: RegExp; readonly places: readonly string[] }[] = [
  {
    member: /^Deno\.(Command|run|spawn\w*|ChildProcess|SubProcess)$/,
    places: ["lib/child.ts"],
  },
  {
    member: /^Deno\.(listen\w*|connect\w*|serve\w*|startTls)$/,
    places: ["server.ts", "client.ts"],
  },
  {
    member: /^Deno\.(addSignalListener|removeSignalListener|exitCode|env)$/,
    places: ["lib/program.ts"],
  },
  { member: /^Deno\.args$/, places: ["server.ts", "client.ts"] },
  { member: /^Deno\.stdin$/, places: ["lib/keys.ts"] },
  { member: /^Deno\.(stdout|stderr|consoleSize)$/, places: ["lib/log.ts"] },
  { member: /^console$/, places: ["lib/log.ts"] },
  { member: /^Deno\.exit$/, places: ["lib/program.ts"] },
  { member: /^(process\.(exit|argv|env|on)|prompt|confirm|alert)$/, places: [] },
];

/** Who may import these, whatever the table says. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  "lib/call.ts": ["lib/program.ts", "server.ts", "client.ts"],
  "lib/program.ts": ["server.ts", "client.ts"],
};

/** Something that is not where it belongs. */
export interface Breach {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

interface Import {
  /** A path from the root, or a package. */
  readonly target: string;
  readonly line: number;
}

/**
 * The breaches in these sources, given by their paths from the root. What is in lib, and the two programs, is held to the
 * table; any other file may do all but leave by `Deno.exit`.
 */
export function checkLayers(sources: ReadonlyMap<string, string>): Breach[] {
  const breaches: Breach[] = [];
  const graph = new Map<string, readonly Import[]>();
  for (const [path, source] of sources) {
    const code = blank(source);
    const report = (index: number, what: string): void => {
      breaches.push({ path, line: lineOf(source, index), what });
    };
    if (!path.startsWith("lib/") && path.includes("/")) {
      for (const { index } of code.matchAll(/\bDeno\s*\.\s*exit\b/g)) {
        report(index, "Deno.exit has no place: it skips what is still to be released");
      }
      continue;
    }
    const place = TABLE[path];
    if (!place) {
      report(0, "no place in the table of scripts/layers.ts: say there where this file belongs");
    }
    checkPowers(path, code, report);
    const imports = readImports(path, source, code, report);
    graph.set(path, imports);
    checkImports(path, imports, breaches);
  }
  return [...breaches, ...findCycles(graph)];
}

/** Places of the table for which there is no file. */
export function checkTable(sources: ReadonlyMap<string, string>): Breach[] {
  return Object.keys(TABLE).filter((path) => !sources.has(path)).map((path) => ({
    path,
    line: 1,
    what: "in the table of scripts/layers.ts, but no such file",
  }));
}

/** A breach as a line. */
export function formatBreach({ path, line, what }: Breach): string {
  return `${path}:${line}: ${what}`;
}

/** The sources of the project in the folder `root`, by their paths from there. */
export async function readSources(root: URL): Promise<Map<string, string>> {
  const paths = ["server.ts", "client.ts"];
  for (const folder of ["lib", "scripts", "tests"]) paths.push(...await walk(root, folder));
  const sources = new Map<string, string>();
  for (const path of paths.sort()) {
    sources.set(path, await Deno.readTextFile(new URL(path, root)));
  }
  return sources;
}

async function walk(root: URL, folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    const path = `${folder}/${name}`;
    if (isDirectory) paths.push(...await walk(root, path));
    else if (/\.[cm]?[jt]sx?$/.test(name)) paths.push(path);
  }
  return paths;
}

function place(side: Side, deno: readonly string[], imports: readonly string[]): Place {
  return {
    side,
    deno,
    imports: imports.map((name) => /[./:]/.test(name) ? name : `lib/${name}.ts`),
  };
}

type Report = (index: number, what: string) => void;

function checkPowers(path: string, code: string, report: Report): void {
  for (const { index } of code.matchAll(/\bglobalThis\b(?!\s*\??\.\s*\w)/g)) {
    report(index, "globalThis is to be used member by member, so that it can be seen which");
  }
  const used = /(?<![\w$#.])(?:globalThis\s*\.\s*)?(Deno|console|process|prompt|confirm|alert)\b/g;
  for (const match of code.matchAll(used)) {
    const [whole, name] = match;
    const rest = code.slice(match.index + whole.length);
    const member = /^\s*\??\.\s*(\w+)/.exec(rest)?.[1];
    // An object's property of that name is none of these.
    if (name !== "Deno" && /^\s*:/.test(rest)) continue;
    if (/^(prompt|confirm|alert)$/.test(name!) && !/^\s*\(/.test(rest)) continue;
    if (name === "Deno" && member === undefined) {
      report(match.index, "Deno is to be used member by member, so that it can be seen which");
      continue;
    }
    const power = /^(Deno|process)$/.test(name!) ? `${name}.${member}` : name!;
    const rule = POWERS.find((one) => one.member.test(power));
    if (rule && !rule.places.includes(path)) {
      report(
        match.index,
        rule.places.length === 0
          ? `${power} has no place here`
          : `${power} belongs in ${rule.places.join(" or ")}`,
      );
    } else if (name === "Deno" && TABLE[path] && !TABLE[path].deno.includes(member!)) {
      report(match.index, `${power} is not among what this file may touch`);
    }
  }
}

function readImports(path: string, source: string, code: string, report: Report): Import[] {
  for (const { index } of code.matchAll(/(?<![\w$.])import\s*\(\s*(?!["'\s])/g)) {
    report(index, "import() of something that cannot be told from here");
  }
  // Strings are blank in `code`, but not their quotes; `source` still has them, at the same index.
  const found = code.matchAll(/(?<![\w$.])(?:from|import)\s*\(?\s*(?=["'])/g);
  return [...found].map((match) => {
    const start = match.index + match[0].length;
    const specifier = source.slice(start + 1, source.indexOf(source[start]!, start + 1));
    const target = /^\.{0,2}\//.test(specifier)
      ? new URL(specifier, `file:///${path}`).pathname.slice(1)
      : specifier;
    return { target, line: lineOf(source, match.index) };
  });
}

function checkImports(path: string, imports: readonly Import[], breaches: Breach[]): void {
  const place = TABLE[path];
  const sides = new Map<Side, string>();
  for (const { target, line } of imports) {
    const report = (what: string): void => void breaches.push({ path, line, what });
    const doors = DOORS[target];
    const side = TABLE[target]?.side;
    if (doors && !doors.includes(path)) {
      report(`${target} may be imported by ${doors.join(", ")} only`);
    } else if (place && !place.imports.includes(target)) {
      report(`${target} is not among what this file may import`);
    } else if (
      place && side && (side === "wire" || side === "media") &&
      (place.side === "shared" || place.side === "wire" || place.side === "media") &&
      side !== place.side
    ) {
      report(`${target} is on the ${side} side, which the ${place.side} side must not know`);
    }
    if (side) sides.set(side, target);
    const other = side === "wire" ? sides.get("media") : side === "media" ? sides.get("wire") : "";
    if (other && path.startsWith("lib/") && path !== "lib/call.ts") {
      report(`${target} and ${other} meet in lib/call.ts only`);
    }
  }
}

/** Every import that closes a circle, each circle once. */
function findCycles(graph: ReadonlyMap<string, readonly Import[]>): Breach[] {
  const breaches: Breach[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    for (const { target, line } of graph.get(path) ?? []) {
      const from = trail.indexOf(target);
      if (from >= 0) {
        const circle = [...trail.slice(from), target].join(" → ");
        breaches.push({ path, line, what: `a circle: ${circle}` });
      } else if (!done.has(target)) visit(target, [...trail, target]);
    }
    done.add(path);
  };
  for (const path of graph.keys()) {
    if (!done.has(path)) visit(path, [path]);
  }
  return breaches;
}

function lineOf(source: string, index: number): number {
  return source.slice(0, index).split("\n").length;
}

/**
 * A source with the insides of its comments, strings and regular expressions replaced by spaces: what is left is code, at
 * the same index and on the same line. The code in a template stays.
 */
function blank(source: string): string {
  let code = "";
  let index = 0;
  /** For each template that is open: how many braces are open in its `${}`. */
  const templates: number[] = [];
  const skip = (end: number): void => {
    code += source.slice(index, end).replace(/[^\n]/g, " ");
    index = end;
  };
  const keep = (length: number): void => {
    code += source.slice(index, index + length);
    index += length;
  };
  const template = (): void => {
    const rest = /(?:[^\\`$]|\\[^]|\$(?!\{))*/y;
    rest.lastIndex = index;
    skip(index + rest.exec(source)![0].length);
    if (source[index] === "$") {
      keep(2);
      templates.push(0);
    } else keep(1);
  };
  while (index < source.length) {
    const char = source[index]!;
    const two = source.slice(index, index + 2);
    if (two === "//") skip(endOf(source, "\n", index));
    else if (two === "/*") skip(endOf(source, "*/", index + 2) + 2);
    else if (char === '"' || char === "'") {
      const inside = char === '"' ? /(?:[^\\\n"]|\\[^])*/y : /(?:[^\\\n']|\\[^])*/y;
      keep(1);
      inside.lastIndex = index;
      skip(index + inside.exec(source)![0].length);
      keep(1);
    } else if (char === "/" && startsRegex(code)) {
      const inside = /(?:[^\\\n/[]|\\.|\[(?:[^\\\n\]]|\\.)*\])*/y;
      keep(1);
      inside.lastIndex = index;
      skip(index + inside.exec(source)![0].length);
      keep(1);
    } else if (char === "`") {
      keep(1);
      template();
    } else if (char === "}" && templates.at(-1) === 0) {
      templates.pop();
      keep(1);
      template();
    } else {
      const depth = templates.length - 1;
      if (depth >= 0 && char === "{") templates[depth]!++;
      if (depth >= 0 && char === "}") templates[depth]!--;
      keep(1);
    }
  }
  return code;
}

/** Whether a slash after this code starts a regular expression: after a value it divides. */
function startsRegex(code: string): boolean {
  const before = code.trimEnd();
  if (/(?:^|[^\w$.])(?:return|typeof|case|in|of|void|yield|await|throw|else|do)$/.test(before)) {
    return true;
  }
  return !/[\w$)\]}"'`]$/.test(before);
}

function endOf(source: string, mark: string, from: number): number {
  const end = source.indexOf(mark, from);
  return end < 0 ? source.length : end;
}

if (import.meta.main) {
  const sources = await readSources(new URL("..", import.meta.url));
  const breaches = [...checkLayers(sources), ...checkTable(sources)];
  for (const breach of breaches) console.log(formatBreach(breach));
  if (breaches.length > 0) Deno.exitCode = 1;
}
