/**
 * The rules of the house, as a plugin of `deno lint`: the editor says them, too, and `deno task
 * layers` says nothing else.
 *
 * - A room of `lib/` knows itself, `frame/`, the clock and the errors. It never looks up, and never
 *   at another room.
 * - `answer.ts` and `dial.ts` know no media. Only the two programs know `program.ts`, and nobody
 *   knows the programs.
 * - A power of Deno's has one place.
 *
 * Types count as much as values do: a file that names a thing knows of it. `globalThis.Deno` is not
 * seen.
 */

/** The rooms, and the files beside them that everybody may know. */
const ROOMS: readonly string[] = ["frame", "wire", "media", "user"];
const FOR_EVERYBODY: readonly string[] = ["lib/clock.ts", "lib/errors.ts", "lib/near_miss.ts"];

/** The rooms that a file beside the rooms may know, if they are not all of them. */
const KNOWS: Readonly<Record<string, readonly string[]>> = {
  "lib/clock.ts": [],
  "lib/errors.ts": [],
  "lib/near_miss.ts": [],
  "lib/answer.ts": ["frame", "wire", "user"],
  "lib/dial.ts": ["frame", "wire", "user"],
  "lib/firewall.ts": ["user"],
  "lib/surroundings.ts": ["media", "user"],
  "lib/visit.ts": ["wire", "user"],
  "lib/finding.ts": ["wire", "user"],
};

/** Files that only these may know. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  "lib/program.ts": ["server.ts", "client.ts"],
  "server.ts": [],
  "client.ts": [],
};

const PROGRAMS: readonly string[] = ["server.ts", "client.ts"];

/** The places of each power: names of Deno's, modules of Node's, globals. */
const POWERS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^Deno\.(Command|CommandOptions|run|spawn\w*|ChildProcess)$/, ["lib/media/child.ts"]],
  [/^Deno\.(listen\w*|serve\w*)$/, ["server.ts", "lib/doctor.ts"]],
  [/^Deno\.(connect\w*|startTls)$/, ["client.ts"]],
  [/^Deno\.networkInterfaces$/, ["lib/program.ts"]],
  [/^Deno\.(addSignalListener|removeSignalListener|exitCode|exit|env|hostname|kill)$/, [
    "lib/program.ts",
  ]],
  [/^Deno\.args$/, PROGRAMS],
  [/^Deno\.stdin$/, ["lib/user/keys.ts"]],
  [/^Deno\.(stdout|stderr|consoleSize)$/, ["lib/user/log.ts"]],
  [/^node:tty$/, ["lib/user/keys.ts"]],
  [/^node:net$/, ["lib/user/address.ts"]],
  [/^node:crypto$/, ["lib/wire/cpace.ts", "lib/wire/seal.ts"]],
  [/^node:fs\/promises$/, ["lib/doctor.ts"]],
  [/^node:dgram$/, ["lib/wire/responder.ts", "lib/wire/search.ts"]],
  [/^node:/, []],
  [/^(console|prompt|confirm|alert)$/, []],
];

/** The room that a file is in, or nothing for one beside the rooms. */
function roomOf(path: string): string | undefined {
  const [, room] = /^lib\/(\w+)\//.exec(path) ?? [];
  return room;
}

/** The problem with a file that imports another. Both are paths from the root. */
export function importProblem(from: string, to: string): string | undefined {
  const doors = DOORS[to];
  if (doors && !doors.includes(from)) return `${to} is not for ${from}`;
  const [own, other] = [roomOf(from), roomOf(to)];
  if (other !== undefined && !ROOMS.includes(other)) return `${other}/ is no room of the house`;
  if (own !== undefined) {
    if (FOR_EVERYBODY.includes(to) || other === own || other === "frame") return undefined;
    return `${own}/ knows nothing of ${other === undefined ? to : `${other}/`}`;
  }
  const known = KNOWS[from];
  if (!known || (other === undefined ? FOR_EVERYBODY.includes(to) : known.includes(other))) {
    return undefined;
  }
  return `${from} knows nothing of ${other === undefined ? to : `${other}/`}`;
}

/** The problem with a file that uses a power, such as `Deno.Command`. */
export function powerProblem(from: string, power: string): string | undefined {
  const found = POWERS.find(([pattern]) => pattern.test(power));
  if (!found || found[1].includes(from)) return undefined;
  return found[1].length > 0
    ? `${power} belongs in ${found[1].join(" or ")}`
    : `${power} belongs nowhere here`;
}

/**
 * The path from the root of a file of the house, or nothing for a file that keeps no house rules.
 */
function placeOf(path: string): string | undefined {
  const [, place] = /(?:^|[\\/])((?:lib[\\/](?:.*[\\/])?)?[^\\/]+\.ts)$/.exec(path) ?? [];
  const found = place?.replaceAll("\\", "/");
  return found?.startsWith("lib/") || PROGRAMS.includes(found ?? "") ? found : undefined;
}

/** The path from the root of the target of a relative import. */
function targetOf(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

const rule: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const from = placeOf(context.filename);
    if (from === undefined) return {};
    const report = (node: Deno.lint.Node, message: string | undefined): void => {
      if (message) context.report({ node, message });
    };
    const onImport = (node: Deno.lint.Node, source: unknown): void => {
      const specifier = (source as { readonly value?: unknown } | null | undefined)?.value;
      if (typeof specifier !== "string") return;
      if (!/^\.{1,2}\//.test(specifier)) return report(node, powerProblem(from, specifier));
      report(node, importProblem(from, targetOf(from, specifier)));
    };
    const onPower = (node: Deno.lint.Node, name: string): void =>
      report(node, powerProblem(from, name));
    return {
      ImportDeclaration: (node) => onImport(node, node.source),
      ExportNamedDeclaration: (node) => onImport(node, node.source),
      ExportAllDeclaration: (node) => onImport(node, node.source),
      ImportExpression: (node) => onImport(node, node.source),
      MemberExpression(node): void {
        if (node.object.type !== "Identifier") return;
        const { name } = node.object;
        if (name === "console") return onPower(node, name);
        if (name !== "Deno") return;
        const { property } = node;
        if (property.type === "Identifier" && !node.computed) {
          onPower(node, `Deno.${property.name}`);
        } else report(node, "Deno's members are named as they are");
      },
      TSQualifiedName(node): void {
        if (node.left.type === "Identifier" && node.left.name === "Deno") {
          onPower(node, `Deno.${node.right.name}`);
        }
      },
      VariableDeclarator(node): void {
        if (node.init?.type === "Identifier" && node.init.name === "Deno") {
          report(node, "Deno's members are named as they are");
        }
      },
      CallExpression(node): void {
        if (node.callee.type === "Identifier") onPower(node, node.callee.name);
      },
    };
  },
};

/** The plugin. */
const plugin: Deno.lint.Plugin = { name: "house", rules: { layers: rule } };
export default plugin;
