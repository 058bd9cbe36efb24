/**
 * The documents against the project. The things that they name exist. Every problem has its row in
 * docs/troubleshooting.md. The calls shown in the READMEs are in the programs' own words, and the
 * two READMEs say the same.
 */

import { assert, assertEquals } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { BUSY } from "../lib/errors.ts";
import { doctorWordsIn } from "../lib/user/doctor_words.ts";
import { type Language, type Messages, messagesIn } from "../lib/user/sentences.ts";
import { formatHelp } from "../lib/user/help.ts";
import { test } from "./strict.ts";

const ROOT = new URL("..", import.meta.url);
const LANGUAGES: readonly Language[] = ["en", "pt"];
const READMES = { en: "README.md", pt: "README.pt.md" } as const;
const DOCUMENTS: readonly string[] = [
  ...Object.values(READMES),
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...[...Deno.readDirSync(new URL("docs", ROOT))]
    .filter(({ name }) => name.endsWith(".md"))
    .map(({ name }) => `docs/${name}`)
    .sort(),
];

/** The mark in troubleshooting.md for the values in a sentence. */
const BLANK = "…";

/**
 * Sentences that tell of no problem. Any other one is a problem, and has its row in
 * troubleshooting.md.
 */
const NO_PROBLEM: readonly string[] = [
  ...[
    "hostIp",
    "listening",
    "dialHint",
    "findHint",
    "found",
    "wantsCode",
    "askingEach",
    "servers",
    "onlyHere",
    "scopeHint",
    "otherAddresses",
    "code",
    "ownCode",
    "openToAll",
    "askCode",
    "muteHint",
    "headphones",
    "muted",
    "peerMuted",
    "microphoneBack",
    "loudspeakerBack",
    "codecChosen",
    "received",
    "calling",
    "answered",
  ],
  ...[
    "hangUpHint",
    "stayHint",
    "windowKeys",
    "endedBy",
    "lostHow",
    "nearMiss",
    "summary",
    "notRecorded",
    "sent",
    "status",
    "statusLine",
    "cameras",
    "microphones",
  ],
];

/** Those of them that do not come up in the calls that the READMEs show. */
const NOT_SHOWN: readonly string[] = [
  ...[
    "dialHint",
    "wantsCode",
    "askingEach",
    "servers",
    "onlyHere",
    "stayHint",
    "scopeHint",
    "windowKeys",
    "otherAddresses",
    "ownCode",
    "askCode",
    "muteHint",
    "headphones",
    "muted",
    "peerMuted",
    "microphoneBack",
    "loudspeakerBack",
    "codecChosen",
    "answered",
    "lostHow",
    "nearMiss",
    "notRecorded",
    "cameras",
    "microphones",
    "statusLine",
  ],
];

/**
 * Options that stand in the documents and belong to other commands, each with the file that knows
 * it.
 */
const OF_OTHERS: Readonly<Record<string, string | undefined>> = {
  all: "scripts/compile.ts",
  filter: undefined, // deno test
  only: "scripts/bench.ts",
  smoke: "scripts/bench.ts",
};

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, ROOT));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch {
    return false;
  }
}

/**
 * The pieces of code in a document, in a line or as a block. Blocks of bytes and drawings are among
 * them.
 */
function code(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```.*\n([\s\S]*?)^```/gm)].map(([, block]) => block!);
  const rest = markdown.replace(/^```.*\n[\s\S]*?^```/gm, "");
  return [...blocks, ...[...rest.matchAll(/`([^`]+)`/g)].map(([, span]) => span!)];
}

/** All problem sentences of a language, with blanks in them, by their names. */
function problems(messages: Messages): Map<string, string> {
  const found = new Map<string, string>();
  const number = BLANK as unknown as number;
  const parties = (text: string): string => text.replace(/\b(CLIENTE?|HOST)\b/g, BLANK);
  const { usage } = messages;
  for (const key of Object.keys(messages) as (keyof Messages)[]) {
    if (NO_PROBLEM.includes(key)) continue;
    switch (key) {
      case "lost":
        for (const how of ["reset", "cut", "silence", "gone", "slow", "no-bye"] as const) {
          found.set(`${key} ${how}`, parties(messages.lost("HOST", how)));
        }
        break;
      case "networkGone":
        for (const how of ["silence", "reset"] as const) {
          found.set(`${key} ${how}`, messages.networkGone(how, number));
        }
        break;
      case "networkBack":
        found.set(key, messages.networkBack(4.2).replace(/4[.,]2/, BLANK));
        break;
      case "nonsense":
        found.set(key, parties(`${messages.nonsense("HOST", BLANK)} ${messages.nonsenseCure}`));
        break;
      case "nonsenseCure": // stands behind the one before
        break;
      case "refused":
        found.set(`${key} ${BUSY}`, messages.refused(BUSY));
        found.set(`${key} without a reason`, messages.refused(""));
        found.set(key, messages.refused(BLANK));
        break;
      case "complaint":
        found.set(key, parties(messages.complaint("HOST", BLANK)));
        break;
      case "noPictures":
        found.set(
          key,
          parties(messages.noPictures("HOST", { codec: BLANK, width: number, height: number })),
        );
        break;
      case "codeProblem":
        for (const kind of ["wrong", "wanted", "none", "later"] as const) {
          found.set(`${key} ${kind}`, messages.codeProblem(kind));
        }
        break;
      case "changed":
        found.set(key, parties(messages.changed("HOST")));
        break;
      case "narrowLink":
        for (const cure of ["mjpeg", "h264", "smaller", "slower"] as const) {
          found.set(`${key} ${cure}`, messages.narrowLink(cure));
        }
        break;
      case "camera":
      case "input":
        for (
          const kind of [
            ...[
              "missing",
              "busy",
              "forbidden",
              "silent",
              "stopped",
              "none",
              "list",
              "unreadable",
            ] as const,
          ]
        ) found.set(`${key} ${kind}`, messages[key](kind, BLANK, BLANK));
        break;
      case "microphone":
        for (
          const kind of [
            ...["none", "no-server", "monitor", "unknown", "busy", "forbidden"] as const,
            ...["silent", "stopped", "unreadable"] as const,
          ]
        ) found.set(`${key} ${kind}`, messages.microphone(kind, BLANK, BLANK));
        break;
      case "usage":
        for (const part of Object.keys(usage) as (keyof typeof usage)[]) {
          if (part === "bad" || part === "seeHelp") continue; // around the others
          if (
            /^(unknown|near|of\w+|noValue|stray|strayNear|missing|conflict|needs|shortCode)$/.test(
              part,
            )
          ) {
            found.set(`${key} ${part}`, filled(usage[part]));
          } else {
            found.set(`${key} ${part}`, usage.bad(BLANK, BLANK, filled(usage[part])));
          }
        }
        break;
      case "nobodyListens":
      case "portTaken":
        found.set(key, messages[key](BLANK, number));
        break;
      default:
        found.set(key, filled(messages[key]));
    }
  }
  for (const [key, sentence] of doctorProblems(messages === messagesIn("pt") ? "pt" : "en")) {
    found.set(`doctor ${key}`, sentence);
  }
  return found;
}

/** The problems that only the doctor tells of. */
function doctorProblems(language: Language): [string, string][] {
  const words = doctorWordsIn(language);
  return [
    ["denoOld", filled(words.denoOld)],
    ["microphoneMute", filled(words.microphoneMute)],
    ["noLoudspeaker", words.noLoudspeaker],
    ["firewallOn", filled(words.firewallOn)],
    ["firewallShut", filled(words.firewallShut)],
    ["diskFull", words.diskFull(4e8, BLANK).replace(/400\sMB/, BLANK)],
    ["answersNot", words.answersNot],
    ["rateLow", words.rateLow(0.2, BLANK).replace(/0[.,]2/, BLANK)],
    ["rateUnknown", words.rateUnknown],
  ];
}

/** A sentence with blanks for all its values. */
function filled(sentence: unknown): string {
  if (typeof sentence === "string") return sentence;
  assert(typeof sentence === "function");
  return sentence(...Array.from({ length: sentence.length }, () => BLANK));
}

for (const language of LANGUAGES) {
  test(`docs: every problem sentence (${language}) is in troubleshooting.md`, async () => {
    const spans = new Set(code(await read("docs/troubleshooting.md")));
    const sentences = problems(messagesIn(language));
    assert(sentences.size > 40, `only ${sentences.size} sentences were looked for`);
    const missing = [...sentences].filter(([, sentence]) => !spans.has(sentence));
    assertEquals(missing, [], "not in docs/troubleshooting.md as it is in lib/user/sentences.ts");
  });

  test(`docs: the calls in ${READMES[language]} are in the programs' own words`, async () => {
    const messages = messagesIn(language);
    const blocks = code(await read(READMES[language])).filter((piece) => piece.includes("\n"));
    const lines = new Set(blocks.flatMap((block) => block.split("\n")));
    const sum = { seconds: 3, frames: 60 };
    const call = {
      hostIp: messages.hostIp("192.168.1.7"),
      listening: messages.listening("192.168.1.7", 8080),
      openToAll: messages.openToAll,
      code: messages.code("482-1709-3554"),
      findHint: messages.findHint("deno task send", "deno task send --host 192.168.1.7"),
      found: messages.found("notebook (192.168.1.7:8080)", false),
      received: messages.received("192.168.1.9", 58574),
      calling: messages.calling("192.168.1.7", 8080),
      hangUpHint: messages.hangUpHint,
      status: messages.status({
        ...{ seconds: 3, fps: { up: undefined, down: 20 }, delayMs: 1, dropped: 0 },
        ...{ bytesPerSecond: 4.6e6, fileBytes: 397e3 },
      }),
      summary: messages.summary({
        ...{ ...sum, received: 60, lost: 0 },
        ...{ file: "video.avi", bytes: 379e3 },
      }),
      sent: messages.sent({ ...sum, dropped: 0 }),
      endedBy: messages.endedBy("CLIENT"),
    };
    assertEquals(Object.values(call).filter((line) => !lines.has(line)), []);
    const shown: readonly string[] = [...Object.keys(call), ...NOT_SHOWN];
    assertEquals(NO_PROBLEM.filter((key) => !shown.includes(key)), []);
  });
}

for (const path of DOCUMENTS) {
  test(`docs: what ${path} leads to and names is there`, async () => {
    const text = await read(path);
    const wrong: string[] = [];

    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [file, heading] = target!.split("#");
      const there = new URL(file || path.split("/").at(-1)!, new URL(path, ROOT));
      const found = await Deno.readTextFile(there).catch(() => undefined);
      if (found === undefined) wrong.push(`no such file: ${target}`);
      else if (heading && !headings(found).includes(heading)) wrong.push(`no heading: ${target}`);
    }

    for (const piece of code(text)) {
      // Our files are in these folders, or have no folder and end like this.
      const files =
        /(?<![\w./<-])((?:lib|tests|scripts|docs)\/[\w./-]*\w|[\w-]+\.(?:ts|sh|md)|deno\.json)(?![\w/])/g;
      for (const [, file] of piece.matchAll(files)) {
        const places = ["", "docs/", "lib/", "scripts/", "tests/"];
        if (!places.some((place) => exists(place + file))) wrong.push(`no such file: ${file}`);
      }
      for (const [, task] of piece.matchAll(/\bdeno task (?:--quiet )?([\w:]+)/g)) {
        if (!(task! in config.tasks)) wrong.push(`no such task: deno task ${task}`);
      }
      for (const [, mode] of piece.matchAll(/\bsetup\.sh (\w+)/g)) {
        if (!/^(install|demo|test)$/.test(mode!)) wrong.push(`no such mode: setup.sh ${mode}`);
      }
    }

    for (const option of await options(text)) wrong.push(`no such option: --${option}`);
    assertEquals(wrong, []);
  });
}

test("docs: every place in the house is in develop.md", async () => {
  const pieces = code(await read("docs/develop.md"));
  const places = filesIn("lib");
  assert(places.length > 40, `only ${places.length} places were found in lib/`);
  assertEquals(places.filter((file) => !pieces.includes(file)), []);
});

test("docs: every task is in develop.md", async () => {
  const pieces = code(await read("docs/develop.md"));
  const tasks = Object.keys(config.tasks);
  assertEquals(tasks.filter((task) => !pieces.includes(`deno task ${task}`)), []);
});

test("docs: each page in Portuguese has the headings, the options, the commands and the links of the English one", async () => {
  const shape = async (path: string): Promise<Record<string, readonly string[]>> => {
    const text = (await read(path)).replaceAll(/([\w-]+?)(\.pt)?\.md/g, "$1");
    return {
      headings: [...text.matchAll(/^#+ /gm)].map(([level]) => level),
      rows: [...text.matchAll(/^\| *(`--[\w-]+)?/gm)].map(([, option]) => option ?? ""),
      items: [...text.matchAll(/^ {0,3}- /gm)].map(([item]) => item),
      links: [...text.matchAll(/\]\((.*?)\)/g)].map(([, target]) => target!),
      options: [...new Set(text.match(/--[a-z][\w-]*/g))].sort(),
      commands: code(text).flatMap((piece) =>
        piece.split("\n").filter((line) => /^(\$ |sh |deno |brew |winget |DENORT)/.test(line))
      ),
    };
  };
  const translated = DOCUMENTS.filter((path) => path.endsWith(".pt.md"));
  assert(translated.length > 1, `only ${translated} were found`);
  for (const path of translated) {
    assertEquals(await shape(path), await shape(path.replace(".pt.md", ".md")), path);
  }
});

/** The files of a folder and of those in it, in order. */
function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))]
    .flatMap(({ name, isDirectory }) =>
      isDirectory ? filesIn(`${folder}/${name}`) : [`${folder}/${name}`]
    )
    .sort();
}

/** Headings in the form of links. */
function headings(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

/** The options that a document names and neither program has. */
async function options(text: string): Promise<string[]> {
  const known = new Set<string>();
  for (const program of ["server", "client"] as const) {
    const help = formatHelp(program, program, "en");
    for (const [, name] of help.matchAll(/^ {2}--([\w-]+)/gm)) known.add(name!);
  }
  assert(known.has("host") && known.has("camera"), "no options were found in --help");
  const unknown = new Set<string>();
  // The arguments of Deno and its neighbours are theirs.
  const ours = code(text).map((piece) =>
    piece.replace(/^.*\b(npm|git|deno (?!task)\w+) .*$/gm, "")
  );
  for (const [, name] of ours.join("\n").matchAll(/(?<![\w-])--([a-z][\w-]*)/g)) {
    if (known.has(name!)) continue;
    const home = name! in OF_OTHERS ? OF_OTHERS[name!] : "";
    if (home === "" || (home && !(await read(home)).includes(`--${name}`))) unknown.add(name!);
  }
  return [...unknown];
}
