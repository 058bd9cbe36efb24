import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../lib/errors.ts";
import { type Language, messagesIn } from "../lib/messages.ts";
import {
  type ClientOptions,
  formatHelp,
  parseClientOptions,
  parseServerOptions,
  type Program,
  type ServerOptions,
} from "../lib/options.ts";
import { test } from "./strict.ts";

const LANGUAGES: readonly Language[] = ["en", "pt"];
const PROGRAMS: readonly Program[] = ["server", "client"];

/** The options of the design, with a value that is right where it takes one. */
const OPTIONS: Readonly<Record<Program, Readonly<Record<string, string | undefined>>>> = {
  server: {
    host: "192.168.1.7",
    port: "9000",
    record: "aula.avi",
    "no-record": undefined,
    "no-display": undefined,
    stay: undefined,
    "max-calls": "3",
    name: "Ana",
    fps: "30",
    lang: "pt",
    quiet: undefined,
    verbose: undefined,
    help: undefined,
    version: undefined,
  },
  client: {
    host: "192.168.1.7",
    port: "9000",
    "no-display": undefined,
    fps: "30",
    camera: "1",
    input: "test",
    size: "640x480",
    "no-mirror": undefined,
    duration: "10",
    wire: "plain",
    codec: "mjpeg",
    name: "Ana",
    "list-cameras": undefined,
    lang: "pt",
    quiet: undefined,
    verbose: undefined,
    help: undefined,
    version: undefined,
  },
};

function server(...args: string[]): ServerOptions {
  return parseServerOptions(args, "en");
}

function client(...args: string[]): ClientOptions {
  return parseClientOptions(args, "en");
}

function parse(program: Program, args: readonly string[], language: Language = "en"): unknown {
  return program === "server"
    ? parseServerOptions(args, language)
    : parseClientOptions(args, language);
}

/** What the user is told of this command line, which must be wrong. */
function refusal(program: Program, args: readonly string[], language: Language = "en"): string {
  return assertThrows(() => parse(program, args, language), UsageError).message;
}

test("server: without options, it listens on 8080, shows, and records one call to video.avi at 20 fps", () => {
  assertEquals(server(), {
    host: undefined,
    port: 8080,
    name: undefined,
    display: true,
    messages: messagesIn("en"),
    quiet: false,
    verbose: false,
    instead: undefined,
    language: "en",
    record: "video.avi",
    stay: false,
    maxCalls: 1,
    fps: 20,
  });
});

test("client: without options, it sends camera 0 mirrored, 320x240 at 20 fps, to 8080 as a call", () => {
  assertEquals(client(), {
    host: undefined,
    port: 8080,
    name: undefined,
    display: true,
    messages: messagesIn("en"),
    quiet: false,
    verbose: false,
    instead: undefined,
    language: "en",
    from: { camera: "0" },
    format: { codec: "raw", width: 320, height: 240, fps: 20 },
    mirror: true,
    durationSeconds: undefined,
    wire: "call",
    listCameras: false,
  });
});

test("options: every option of the design is taken by its program, as --x v and as --x=v", () => {
  for (const program of PROGRAMS) {
    for (const [name, value] of Object.entries(OPTIONS[program])) {
      const plain = parse(program, []);
      const given = parse(program, value === undefined ? [`--${name}`] : [`--${name}`, value]);
      if (name !== "codec") {
        assert(
          JSON.stringify(given) !== JSON.stringify(plain),
          `${program} --${name} does nothing`,
        );
      }
      if (value !== undefined) assertEquals(parse(program, [`--${name}=${value}`]), given);
    }
  }
});

test("options: an option of the other program is unknown to this one", () => {
  for (const [program, other] of [["server", "client"], ["client", "server"]] as const) {
    for (const name of Object.keys(OPTIONS[other]).filter((one) => !(one in OPTIONS[program]))) {
      assertEquals(
        refusal(program, [`--${name}`]),
        `There is no option --${name}. --help shows what there is.`,
      );
    }
  }
});

test("server: each option sets what it names", () => {
  assertEquals(server("--host", "::").host, "::");
  assertEquals(server("--port=0").port, 0);
  assertEquals(server("--port", "65535").port, 65535);
  assertEquals(server("--record", "my folder/aula 1.avi").record, "my folder/aula 1.avi");
  assertEquals(server("--record", "007").record, "007");
  assertEquals(server("--no-record").record, undefined);
  assertEquals(server("--name", "Ana").name, "Ana");
  assertEquals(server("--name", "  Ana\u001b[2J\n da  Silva ").name, "Ana [2J da Silva");
  assertEquals(server("--no-display").display, false);
  assertEquals(server("--stay").stay, true);
  assertEquals(server("--max-calls", "64").maxCalls, 64);
  assertEquals(server("--fps", "29.97").fps, 29.97);
  assertEquals(server("--quiet").quiet, true);
  assertEquals(server("--verbose").verbose, true);
});

test("client: each option sets what it names", () => {
  assertEquals(client("--host", "notebook.local").host, "notebook.local");
  assertEquals(client("--port", "1").port, 1);
  assertEquals(client("--camera", "2").from, { camera: "2" });
  assertEquals(client("--camera", "Câmera HD (USB)").from, { camera: "Câmera HD (USB)" });
  assertEquals(client("--input=rtsp://x/y?z=1").from, { input: "rtsp://x/y?z=1" });
  assertEquals(client("--size", "16x16", "--fps", "1").format, {
    codec: "raw",
    width: 16,
    height: 16,
    fps: 1,
  });
  assertEquals(client("--size=3840X2160", "--fps=120").format, {
    codec: "raw",
    width: 3840,
    height: 2160,
    fps: 120,
  });
  assertEquals(client("--no-mirror").mirror, false);
  assertEquals(client("--no-display").display, false);
  assertEquals(client("--duration", "0.5").durationSeconds, 0.5);
  for (const wire of ["call", "plain", "pickle"] as const) {
    assertEquals(client("--wire", wire).wire, wire);
  }
  for (const codec of ["raw", "mjpeg", "h264"] as const) {
    assertEquals(client("--codec", codec).format.codec, codec);
  }
  assertEquals(client("--list-cameras").listCameras, true);
});

test("options: a word that is no option's value stays a word even if it looks like a number", () => {
  assertEquals(client("--camera", "0x10").from, { camera: "0x10" });
  assertEquals(client("--host", "1e3").host, "1e3");
});

test("options: a value that cannot be is refused with what is wanted", () => {
  const cases: readonly (readonly [Program, string, readonly string[], string])[] = [
    [
      "server",
      "port",
      ["65536", "abc", "80.5", "1e3", "0x50", "-1", " 80", "99999999999"],
      "a whole number from 0 to 65535 is wanted",
    ],
    ["client", "port", ["0", "65536", "http"], "a whole number from 1 to 65535 is wanted"],
    ["server", "max-calls", ["0", "65", "1.5", "two"], "a whole number from 1 to 64 is wanted"],
    [
      "server",
      "fps",
      ["0", "0.999", "120.5", "121", "NaN", "Infinity", "1e1", "-20", "20,5"],
      "a number from 1 to 120 is wanted",
    ],
    ["client", "fps", ["0", "121", "fast"], "a number from 1 to 120 is wanted"],
    [
      "client",
      "size",
      [
        "640",
        "640x",
        "x480",
        "640*480",
        "15x16",
        "16x15",
        "3841x2160",
        "3840x2161",
        "1.5x2",
        "vga",
      ],
      "a size like 640x480 is wanted, from 16x16 to 3840x2160",
    ],
    [
      "client",
      "duration",
      ["0", "0.0", "-5", "abc", "1e3", "10s"],
      "a number of seconds above 0 is wanted",
    ],
    ["client", "wire", ["CALL", "udp", "call,plain"], "one of call, plain, pickle is wanted"],
    ["client", "codec", ["RAW", "vp8"], "one of raw, mjpeg, h264 is wanted"],
    ["server", "lang", ["fr", "PT", "pt_BR"], "one of pt, en is wanted"],
    ["client", "lang", ["portugues"], "one of pt, en is wanted"],
  ];
  for (const [program, name, values, wanted] of cases) {
    for (const value of values) {
      const said = refusal(program, [`--${name}=${value}`]);
      assert(said.startsWith(`--${name} ${value}: ${wanted}`), said);
      assert(said.endsWith(". --help shows what there is."), said);
    }
  }
});

test("options: a bad value is refused in Portuguese too", () => {
  const end = "--help mostra o que há.";
  const cases: readonly (readonly [Program, readonly string[], string])[] = [
    ["server", ["--port=a"], "--port a: espera-se um número inteiro de 0 a 65535"],
    ["client", ["--fps=0"], "--fps 0: espera-se um número de 1 a 120"],
    [
      "client",
      ["--size=1x1"],
      "--size 1x1: espera-se um tamanho como 640x480, de 16x16 a 3840x2160",
    ],
    ["client", ["--duration=0"], "--duration 0: espera-se um número de segundos acima de 0"],
    ["client", ["--lang=fr"], "--lang fr: espera-se um destes: pt, en"],
    ["server", ["--recrod", "a"], "Não há a opção --recrod"],
    ["server", ["aula.avi"], '"aula.avi" não pertence a nenhuma opção'],
    ["server", ["--port"], "--port precisa de um valor"],
    ["server", ["--record=a", "--no-record"], "--record e --no-record se contradizem"],
  ];
  for (const [program, args, said] of cases) {
    assertEquals(refusal(program, args, "pt"), `${said}. ${end}`);
  }
});

test("options: --lang decides the language, also that of a refusal; without it the system does", () => {
  assertEquals(server("--lang", "pt").messages, messagesIn("pt"));
  assertEquals(server("--lang", "pt").language, "pt");
  assertEquals(parseClientOptions(["--lang=en"], "pt").language, "en");
  assertEquals(parseClientOptions([], "pt").messages, messagesIn("pt"));
  assertMatch(refusal("server", ["--port", "a", "--lang", "pt"], "en"), /^--port a: espera-se/);
  assertMatch(refusal("server", ["--nonsense", "--lang", "en"], "pt"), /^There is no option/);
});

test("options: options that contradict each other are both named", () => {
  const cases: readonly (readonly [Program, readonly string[], string, string])[] = [
    ["server", ["--record", "a.avi", "--no-record"], "--record", "--no-record"],
    ["server", ["--quiet", "--verbose"], "--quiet", "--verbose"],
    ["client", ["--verbose", "--quiet"], "--quiet", "--verbose"],
    ["client", ["--camera", "0", "--input", "test"], "--camera", "--input"],
    ["client", ["--wire", "plain", "--size", "640x480"], "--wire plain", "--size 640x480"],
    ["client", ["--size=320x241", "--wire=plain"], "--wire plain", "--size 320x241"],
    ["client", ["--wire", "plain", "--codec", "mjpeg"], "--wire plain", "--codec mjpeg"],
    ["client", ["--codec", "h264", "--wire", "pickle"], "--wire pickle", "--codec h264"],
  ];
  for (const [program, args, one, other] of cases) {
    assertEquals(
      refusal(program, args),
      `${one} and ${other} contradict each other. --help shows what there is.`,
    );
  }
  assertEquals(client("--wire", "plain", "--size", "320x240").wire, "plain");
  assertEquals(client("--wire", "plain", "--fps", "30").format.fps, 30);
  assertEquals(client("--wire", "call", "--size", "640x480").format.width, 640);
});

test("options: an option without its value is named", () => {
  for (const program of PROGRAMS) {
    for (const [name, value] of Object.entries(OPTIONS[program])) {
      if (value === undefined) continue;
      for (const args of [[`--${name}`], [`--${name}`, "--help"]]) {
        assertEquals(
          refusal(program, args),
          `--${name} needs a value. --help shows what there is.`,
          args.join(" "),
        );
      }
      assertStringIncludes(refusal(program, [`--${name}=`]), `--${name} needs a value`);
    }
  }
});

test("options: an option whose value is empty, as from a variable that is not set, is named", () => {
  for (const program of PROGRAMS) {
    assertStringIncludes(refusal(program, ["--host", ""]), "--host needs a value");
    assertStringIncludes(refusal(program, ["--host="]), "--host needs a value");
  }
});

test("options: an unknown option is named as it was typed", () => {
  for (const word of ["--recrod", "--Port", "--no-mirrors", "--display", "-x"]) {
    for (const program of PROGRAMS) {
      assertEquals(
        refusal(program, [word]),
        `There is no option ${word}. --help shows what there is.`,
      );
    }
  }
  assertStringIncludes(refusal("server", ["--portt=80"]), "--portt");
  assertStringIncludes(refusal("server", ["--port", "80", "--stays"]), "--stays");
});

test("options: a switch that begins with no- takes no value, nor gives one to another option", () => {
  for (const word of ["--no-record=x", "--no-display=true", "--no-record="]) {
    assertStringIncludes(refusal("server", [word]), "There is no option --no-");
  }
  assertStringIncludes(refusal("client", ["--no-mirror=no"]), "--no-mirror=no");
  assertStringIncludes(refusal("client", ["--no-input=x"]), "--no-input=x");
});

test("options: a switch that is given a value is refused", () => {
  for (const word of ["--stay=maybe", "--quiet=yes", "--help=false", "--stay="]) {
    assertStringIncludes(refusal("server", [word]), `There is no option ${word}`);
  }
  for (const value of ["false", "true"]) {
    assertStringIncludes(refusal("server", ["--stay", value]), `"${value}" belongs to no option`);
  }
  assertEquals(client("--camera", "true").from, { camera: "true" });
});

test("options: stray words are refused, before and behind --", () => {
  for (const program of PROGRAMS) {
    assertEquals(
      refusal(program, ["192.168.1.7"]),
      '"192.168.1.7" belongs to no option. --help shows what there is.',
    );
    assertEquals(
      refusal(program, ["--port", "80", "8080"]),
      '"8080" belongs to no option. --help shows what there is.',
    );
    assertEquals(
      refusal(program, ["--", "word"]),
      '"word" belongs to no option. --help shows what there is.',
    );
    assertStringIncludes(refusal(program, ["--", "--quiet"]), "--quiet");
    assertEquals(parse(program, ["--"]), parse(program, []));
  }
});

test("options: the last of an option that is given twice counts", () => {
  assertEquals(server("--port", "1", "--port", "2").port, 2);
});

test("options: --help, -h and --version are told in place of a call", () => {
  for (const program of PROGRAMS) {
    for (
      const [word, instead] of [["--help", "help"], ["-h", "help"], [
        "--version",
        "version",
      ]] as const
    ) {
      const parsed = program === "server" ? server(word) : client(word);
      assertEquals(parsed.instead, instead);
    }
  }
  assertEquals(server("-h", "--lang", "pt").language, "pt");
  assertEquals(server("--version", "--help").instead, "help");
});

test("help: every option has a line that says what it does, in both languages", () => {
  for (const program of PROGRAMS) {
    for (const language of LANGUAGES) {
      const lines = formatHelp(program, "deno task x", language).split("\n");
      for (const [name, value] of Object.entries(OPTIONS[program])) {
        const line = lines.find((one) => one.startsWith(`  --${name} `)) ?? "";
        assertMatch(
          line,
          value === undefined ? /^ {2}\S+ {2,}\S/ : /^ {2}\S+ <[^>]+> {2,}\S/,
          name,
        );
      }
      const listed = lines.filter((line) => line.startsWith("  --"));
      assertEquals(listed.length, Object.keys(OPTIONS[program]).length);
    }
  }
});

test("help: every default of the design is told, in both languages", () => {
  const defaults: readonly (readonly [Program, string, string, string])[] = [
    ["server", "host", "this machine's address", "o endereço desta máquina"],
    ["server", "port", "8080", "8080"],
    ["server", "record", "video.avi", "video.avi"],
    ["server", "stay", "one call, then exit", "uma chamada, e fim"],
    ["server", "max-calls", "1", "1"],
    ["server", "fps", "20", "20"],
    ["client", "host", "this machine", "esta máquina"],
    ["client", "port", "8080", "8080"],
    ["client", "fps", "20", "20"],
    ["client", "camera", "0", "0"],
    ["client", "size", "320x240", "320x240"],
    ["client", "no-mirror", "mirrored, as a selfie", "espelhada, como em uma selfie"],
    ["client", "wire", "call", "call"],
    ["client", "codec", "raw", "raw"],
    ["server", "no-display", "a window, where there is a screen", "uma janela, onde há tela"],
    ["client", "no-display", "a window, where there is a screen", "uma janela, onde há tela"],
    ["server", "lang", "that of the system", "a do sistema"],
  ];
  for (const [program, name, en, pt] of defaults) {
    const line = (language: Language): string =>
      formatHelp(program, "x", language).split("\n").find((one) =>
        one.startsWith(`  --${name} `)
      ) ??
        "";
    assertStringIncludes(line("en"), `(default: ${en})`);
    assertStringIncludes(line("pt"), `(padrão: ${pt})`);
  }
  assertStringIncludes(formatHelp("server", "x", "en"), "video-2.avi");
});

test("help: shows commands that can be typed as they stand", () => {
  for (const program of PROGRAMS) {
    for (const language of LANGUAGES) {
      const help = formatHelp(program, "./program", language);
      const examples = help.split("\n").filter((line) => line.startsWith("  ./program"));
      assert(examples.length >= 3, help);
      for (const example of examples) {
        const [, args = "", what] = /^ {2}\.\/program ?(.*?) {2,}(.+)$/.exec(example) ?? [];
        assert(what, example);
        parse(program, args.split(" ").filter((word) => word !== ""));
      }
    }
  }
});

test("help: tells the four exit statuses and how to hang up", () => {
  for (const program of PROGRAMS) {
    for (const language of LANGUAGES) {
      const help = formatHelp(program, "x", language);
      for (const status of [0, 1, 2, 3]) assertMatch(help, new RegExp(`^  ${status}  \\S`, "m"));
      assertStringIncludes(help, language === "pt" ? "Código de saída:" : "Exit status:");
      assertStringIncludes(help, "Ctrl-C");
      assertMatch(help, language === "pt" ? /^Uso: x \[opções\]$/m : /^Usage: x \[options\]$/m);
    }
  }
});

test("help: fits 100 columns, however the program is started", () => {
  const commands: Readonly<Record<Program, readonly string[]>> = {
    server: ["deno task serve", "./server", "server.exe"],
    client: ["deno task send", "./client", "client.exe"],
  };
  for (const program of PROGRAMS) {
    for (const language of LANGUAGES) {
      for (const command of commands[program]) {
        for (const line of formatHelp(program, command, language).split("\n")) {
          assert(line.length <= 100, `${line.length}: ${line}`);
        }
      }
    }
  }
});

test("help: is wholly in the language asked for", () => {
  for (const program of PROGRAMS) {
    const english = new Set(formatHelp(program, "x", "en").split("\n"));
    const both = formatHelp(program, "x", "pt").split("\n").filter((line) => english.has(line));
    assertEquals(both.filter((line) => line !== ""), []);
  }
});
