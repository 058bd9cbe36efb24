import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { UsageError } from "../lib/errors.ts";
import { type Language, messagesIn } from "../lib/user/sentences.ts";
import type { Program } from "../lib/user/command_line.ts";
import { formatHelp } from "../lib/user/help.ts";
import {
  checkRecordName,
  type ClientOptions,
  MAX_PICKLED_PIXELS,
  parseClientOptions,
  parseServerOptions,
  type ServerOptions,
  withoutCode,
} from "../lib/user/options.ts";
import { MAX_PICTURE_BYTES } from "../lib/wire/pickle.ts";
import { test } from "./strict.ts";

const LANGUAGES: readonly Language[] = ["en", "pt"];
const PROGRAMS: readonly Program[] = ["server", "client"];

/** The options of the design, each with a right value if it takes one. */
const OPTIONS: Readonly<Record<Program, Readonly<Record<string, string | undefined>>>> = {
  server: {
    host: "192.168.1.7",
    port: "9000",
    record: "aula.avi",
    "record-sound": "small",
    "record-each": undefined,
    "no-record": undefined,
    "no-display": undefined,
    hidden: undefined,
    stay: undefined,
    "max-calls": "3",
    name: "Ana",
    fps: "30",
    camera: "1",
    input: "test",
    talk: undefined,
    microphone: "test",
    "no-camera": undefined,
    "no-sound": undefined,
    size: "640x480",
    "no-mirror": undefined,
    codec: "mjpeg",
    patience: "10",
    private: undefined,
    open: undefined,
    doctor: undefined,
    "list-cameras": undefined,
    "list-devices": undefined,
    lang: "pt",
    quiet: undefined,
    verbose: undefined,
    trace: undefined,
    help: undefined,
    version: undefined,
  },
  client: {
    host: "192.168.1.7",
    port: "9000",
    record: "aula.avi",
    "record-sound": "small",
    "record-each": undefined,
    "no-display": undefined,
    find: undefined,
    wait: undefined,
    fps: "30",
    camera: "1",
    input: "test",
    talk: undefined,
    microphone: "test",
    "no-camera": undefined,
    "no-sound": undefined,
    size: "640x480",
    "no-mirror": undefined,
    duration: "10",
    wire: "plain",
    codec: "mjpeg",
    patience: "10",
    name: "Ana",
    code: "482-1709-3554",
    doctor: undefined,
    "list-cameras": undefined,
    "list-devices": undefined,
    lang: "pt",
    quiet: undefined,
    verbose: undefined,
    trace: undefined,
    help: undefined,
    version: undefined,
  },
};

/** The options that mean nothing without another one, and such another one. */
const BESIDE: Readonly<Record<Program, Readonly<Record<string, readonly string[]>>>> = {
  server: {
    ...{ size: ["--talk"], "no-mirror": ["--talk"], codec: ["--talk"] },
    "no-camera": ["--talk"],
  },
  client: {
    "no-camera": ["--talk"],
    "record-sound": ["--record", "aula.avi"],
    "record-each": ["--record", "aula.avi"],
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

/** The sentence to the user about this command line, which must be wrong. */
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
    trace: false,
    instead: undefined,
    language: "en",
    record: "video.avi",
    recordEach: false,
    recordSound: "full",
    patienceSeconds: 30,
    sound: undefined,
    auto: false,
    play: true,
    given: undefined,
    access: undefined,
    hidden: false,
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
    trace: false,
    instead: undefined,
    language: "en",
    record: undefined,
    recordEach: false,
    recordSound: "full",
    patienceSeconds: 30,
    sound: undefined,
    auto: false,
    play: true,
    given: {
      from: { camera: undefined },
      format: { kind: "video", codec: "raw", width: 320, height: 240, fps: 20 },
      mirror: true,
    },
    namedPort: undefined,
    wait: false,
    durationSeconds: undefined,
    wire: "call",
    code: undefined,
  });
});

test("options: every option of the design is taken by its program, as --x v and as --x=v", () => {
  for (const program of PROGRAMS) {
    for (const [name, value] of Object.entries(OPTIONS[program])) {
      const beside = BESIDE[program][name] ?? [];
      const plain = parse(program, beside);
      const words = value === undefined ? [`--${name}`] : [`--${name}`, value];
      const given = parse(program, [...beside, ...words]);
      assertNotEquals(JSON.stringify(given), JSON.stringify(plain), `${program} --${name}`);
      if (value !== undefined) {
        assertEquals(parse(program, [...beside, `--${name}=${value}`]), given);
      }
    }
  }
});

test("options: an option of the other program is told whose it is", () => {
  const others = { server: ["client", "do cliente"], client: ["server", "do servidor"] } as const;
  for (const [program, [other, ofOther]] of Object.entries(others)) {
    for (const name of Object.keys(OPTIONS[other])) {
      if (name in OPTIONS[program as Program]) continue;
      const said = (language: Language): string =>
        refusal(program as Program, [`--${name}`], language);
      assertEquals(
        said("en"),
        `There is no option --${name} here: --${name} belongs to the ${other}. ` +
          "--help shows what there is.",
      );
      assertStringIncludes(said("pt"), `aqui: --${name} é ${ofOther}. `);
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
  assertEquals(server("--verbose").trace, false);
  assertEquals([server("--trace").verbose, server("--trace").trace], [true, true]);
});

test("client: each option sets what it names", () => {
  assertEquals(client("--host", "notebook.local").host, "notebook.local");
  assertEquals(client("--port", "1").port, 1);
  assertEquals(client("--camera", "2").given!.from, { camera: "2" });
  assertEquals(client("--camera", "Câmera HD (USB)").given!.from, { camera: "Câmera HD (USB)" });
  assertEquals(client("--input=rtsp://x/y?z=1").given!.from, { input: "rtsp://x/y?z=1" });
  assertEquals(client("--size", "16x16", "--fps", "1").given!.format, {
    kind: "video",
    codec: "raw",
    width: 16,
    height: 16,
    fps: 1,
  });
  assertEquals(client("--size=3840X2160", "--fps=120").given!.format, {
    kind: "video",
    codec: "raw",
    width: 3840,
    height: 2160,
    fps: 120,
  });
  assertEquals(client("--no-mirror").given!.mirror, false);
  assertEquals(client("--no-display").display, false);
  assertEquals(client("--duration", "0.5").durationSeconds, 0.5);
  for (const wire of ["call", "plain", "pickle"] as const) {
    assertEquals(client("--wire", wire).wire, wire);
  }
  for (const codec of ["raw", "mjpeg", "h264"] as const) {
    assertEquals(client("--codec", codec).given!.format.codec, codec);
  }
  for (const read of [server, client]) {
    assertEquals(read("--list-cameras").instead, "cameras");
    assertEquals(read("--list-devices").instead, "devices");
    assertEquals(read("--list-cameras", "--list-devices").instead, "devices");
  }
  assertEquals(client("--find").instead, "servers");
});

test("server: those may call who have the code with --private or --talk, unless --open is there", () => {
  assertEquals(server("--private").access, "private");
  assertEquals(server("--talk").access, "private");
  assertEquals(server("--talk", "--open").access, "open");
  assertEquals(server("--open").access, "open");
  assertEquals(server("--camera", "0").access, undefined);
  assertEquals(
    refusal("server", ["--private", "--open"]),
    "--private and --open contradict each other. --help shows what there is.",
  );
});

test("a code is in no error, however it was mistyped", () => {
  const code = "482-1709-3554";
  const wrong: readonly (readonly [Program, string])[] = [
    ...[`--cod=${code}`, `--Code=${code}`, `--code${code}`, `-c${code}`, `--codec=${code}`]
      .map((word) => ["client", word] as const),
    ...[code, "48217093554", "482 1709 3554", `--code=${code} --code=${code} ${code}`]
      .map((word) => ["client", word] as const),
    ...[`--code=${code}`, `--private=${code}`, code].map((word) => ["server", word] as const),
    ["client", "--coed=my very own"],
    ["server", "--code=my very own"],
  ];
  for (const [program, words] of wrong) {
    const said = refusal(program, words.split(/ (?=--|\d{3}-)/));
    assertFalse(/1709|very/.test(said), said);
  }
  assertStringIncludes(
    refusal("client", [code]),
    '"…" belongs to no option: did you mean --code …?',
  );
});

test("client: a code is taken as it is, goes with no bare wire, and is not repeated", () => {
  assertEquals(client("--code", "482-1709-3554").code, "482-1709-3554");
  for (const wire of ["plain", "pickle"]) {
    const said = refusal("client", ["--wire", wire, "--code", "482-1709-3554"]);
    assertStringIncludes(said, `--wire ${wire} and --code contradict each other`);
    assertFalse(said.includes("482"));
  }
  assertEquals(
    withoutCode(["--port", "1", "--code", "482", "--code=482", "--codec", "raw"]),
    ["--port", "1", "--codec", "raw"],
  );
});

test("server: it sends nothing, unless --camera, --input or --talk is there", () => {
  const format = { kind: "video", codec: "raw", width: 320, height: 240, fps: 20 } as const;
  const own = { from: { camera: undefined }, format, mirror: true };
  assertEquals(server("--fps", "30").given, undefined);
  assertEquals(server("--talk").given, own);
  assertEquals(server("--camera", "0").given, { ...own, from: { camera: "0" } });
  assertEquals(server("--input", "film.avi").given, {
    ...own,
    from: { input: "film.avi" },
  });
  assertEquals(
    server("--talk", "--camera", "2", "--no-mirror", "--codec=h264", "--size=640x480", "--fps=30")
      .given,
    {
      from: { camera: "2" },
      format: { kind: "video", codec: "h264", width: 640, height: 480, fps: 30 },
      mirror: false,
    },
  );
});

test("server: how to send, and nothing to send, is refused, in both languages", () => {
  for (const words of [["--size", "640x480"], ["--codec", "mjpeg"], ["--no-mirror"]]) {
    assertEquals(
      refusal("server", words),
      `${words[0]} means nothing without one of --camera, --input, --talk. ` +
        "--help shows what there is.",
    );
    assertStringIncludes(
      refusal("server", words, "pt"),
      `${words[0]} nada diz sem um destes: --camera, --input, --talk. `,
    );
  }
});

test("client: nothing is recorded, unless --record is there", () => {
  assertEquals(client("--record", "aula.avi").record, "aula.avi");
});

test("options: sound is sent with --talk or --microphone, and the codec then follows the link", () => {
  for (const read of [server, client]) {
    assertEquals([read().sound, read().auto], [undefined, false]);
    assertEquals(read("--talk").sound, { microphone: undefined });
    assertEquals(read("--microphone", "test").sound, { microphone: "test" });
    assertEquals(read("--talk", "--microphone", "2").sound, { microphone: "2" });
    assert(read("--talk").auto);
    assert(read("--input", "a.avi", "--codec", "auto").auto);
    assertFalse(read("--talk", "--codec", "raw").auto);
    assertEquals(read("--talk", "--codec", "h264").given?.format.codec, "h264");
    assertEquals(read("--talk").given?.format.codec, "raw");
    assertEquals([read().play, read("--no-sound").play], [true, false]);
  }
});

test("options: --no-camera talks without a picture, and nothing is said of one", () => {
  for (const [program, read] of [["server", server], ["client", client]] as const) {
    const voice = read("--talk", "--no-camera");
    assertEquals([voice.given, voice.sound], [undefined, { microphone: undefined }]);
    assertStringIncludes(
      refusal(program, ["--no-camera"]),
      "--no-camera means nothing without one of --talk, --microphone. ",
    );
    for (
      const words of [["--camera", "1"], ["--input", "test"], ["--size", "640x480"], [
        "--no-mirror",
      ]]
    ) {
      assertStringIncludes(
        refusal(program, ["--talk", "--no-camera", ...words]),
        `--no-camera and ${words[0]} contradict each other. `,
      );
    }
  }
});

test("options: --patience is a time, at either end", () => {
  for (const read of [server, client]) {
    assertEquals(read("--patience", "1m30s").patienceSeconds, 90);
    assertEquals(read("--patience=0,5").patienceSeconds, 0.5);
  }
  for (const program of PROGRAMS) {
    for (const value of ["0", "-1", "soon"]) {
      assert(
        refusal(program, [`--patience=${value}`]).startsWith(
          `--patience ${value}: a time above 0 is wanted`,
        ),
      );
    }
  }
});

test("client: a server that has no words sends nothing back and is not waited for", () => {
  for (const wire of ["plain", "pickle"]) {
    for (const words of [["--record", "a.avi"], ["--talk"], ["--patience", "5"]]) {
      assertEquals(
        refusal("client", ["--wire", wire, ...words]),
        `--wire ${wire} and ${words[0]} contradict each other. --help shows what there is.`,
      );
    }
  }
});

test("options: a word that is no option's value stays a word even if it looks like a number", () => {
  assertEquals(client("--camera", "0x10").given!.from, { camera: "0x10" });
  assertEquals(client("--host", "1e3").host, "1e3");
});

test("options: a value that cannot be is refused with what is wanted", () => {
  const cases: readonly (readonly [Program, string, readonly string[], string])[] = [
    [
      "server",
      "port",
      ["65536", "abc", "80.5", "1e3", "0x50", "-1", " 80", "999999999999"],
      "a whole number from 0 to 65535 is wanted",
    ],
    ["client", "port", ["0", "65536", "http"], "a whole number from 1 to 65535 is wanted"],
    ["server", "max-calls", ["0", "65", "1.5", "two"], "a whole number from 1 to 64 is wanted"],
    [
      "server",
      "fps",
      ["0", "0.999", "120.5", "121", "NaN", "Infinity", "1e1", "-20", "29,97,1", "20 Hz", "fps"],
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
        "640 480",
        "640xx480",
        "1,5x2",
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
      [
        ...["0", "0.0", "-5", "abc", "1e3", "0s", "0:00", "s", "m", ":30", "1:", "1:60", "1:5"],
        ...[
          "10x",
          "10ms",
          "1h30",
          "1m30",
          "30s1m",
          "1m 30",
          "1:2:3",
          "1:60:00",
          "1:305",
          "1.2.3s",
          ".h",
          "1,m",
          "9999999999",
        ],
        ...["999999999h", "1d"],
      ],
      "a time above 0 is wanted, like 90 (seconds), 90s, 1m30s or 1:30",
    ],
    ["client", "wire", ["cal", "udp", "call,plain"], "one of call, plain, pickle is wanted"],
    ["client", "codec", ["h265", "vp8", "-"], "one of raw, mjpeg, h264, auto is wanted"],
    ["server", "lang", ["fr", "ptx", "-"], "one of pt, en is wanted"],
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
    [
      "client",
      ["--duration=0"],
      "--duration 0: espera-se um tempo acima de 0, como 90 (segundos), 90s, 1m30s ou 1:30",
    ],
    ["client", ["--lang=fr"], "--lang fr: espera-se um destes: pt, en"],
    ["server", ["--nada", "a"], "Não há a opção --nada"],
    ["server", ["aula"], '"aula" não pertence a nenhuma opção'],
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
    ["client", ["--trace", "--quiet"], "--quiet", "--trace"],
    ["client", ["--verbose", "--quiet"], "--quiet", "--verbose"],
    ["client", ["--camera", "0", "--input", "test"], "--camera", "--input"],
    ["server", ["--camera", "0", "--input", "test"], "--camera", "--input"],
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
  assertEquals(client("--wire", "plain", "--fps", "30").given!.format.fps, 30);
  assertEquals(client("--wire", "call", "--size", "640x480").given!.format.width, 640);
});

test("options: standard input is no input, by whatever name, and what to type instead is said", () => {
  for (const input of ["-", "pipe:", "pipe:0", "fd:0", "/dev/stdin", "/proc/self/fd/0"]) {
    for (const language of ["en", "pt"] as const) {
      const args = [`--input=${input}`, "--lang", language];
      const error = assertThrows(() => parseClientOptions(args, "en"), UsageError);
      assertStringIncludes(error.message, `--input ${input}: `);
      assertStringIncludes(error.message, "tcp://127.0.0.1:9000?listen");
    }
  }
  for (const input of ["./-", "-x.mp4", "pipe:1.avi", "/dev/video2"]) {
    assertEquals(parseClientOptions([`--input=${input}`], "en").given!.from, { input });
  }
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
  for (const word of ["--nonsense", "--display", "-x", "--mirror", "--x=1"]) {
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

test("options: a misspelt option is told the right one, in both languages", () => {
  const cases: readonly (readonly [Program, string, string])[] = [
    ["server", "--recrod", "--record"],
    ["server", "--max", "--max-calls"],
    ["server", "-host", "--host"],
    ["server", "--Port", "--port"],
    ["client", "--cam", "--camera"],
    ["client", "--list-camera", "--list-cameras"],
    ["client", "--no-mirrors", "--no-mirror"],
    ["client", "--sise", "--size"],
    ["client", "-help", "--help"],
  ];
  for (const [program, word, right] of cases) {
    assertEquals(
      refusal(program, [word]),
      `There is no option ${word}: did you mean ${right}? --help shows what there is.`,
    );
    assertEquals(
      refusal(program, [word], "pt"),
      `Não há a opção ${word}: seria ${right}? --help mostra o que há.`,
    );
  }
});

test("options: a switch that is given a value is refused", () => {
  for (
    const word of [
      ...["--stay=maybe", "--quiet=yes", "--help=false", "--stay=", "-h=", "-h=1", "-h5"],
      ...["--no-record=x", "--no-display=true", "--no-record=", "--no-port=1"],
    ]
  ) assertStringIncludes(refusal("server", [word]), `There is no option ${word}`);
  assertStringIncludes(refusal("client", ["--no-mirror=no"]), "--no-mirror=no");
  assertStringIncludes(refusal("client", ["--no-input=x"]), "--no-input=x");
  for (const program of PROGRAMS) {
    for (const value of ["false", "true"]) {
      assertEquals(
        refusal(program, ["--quiet", value]),
        `"${value}" belongs to no option. --help shows what there is.`,
      );
    }
  }
  assertEquals(client("--camera", "true").given!.from, { camera: "true" });
});

test("options: stray words are refused, before and behind --, with the option they were meant for", () => {
  const cases: readonly (readonly [Program, string, string])[] = [
    ["server", "192.168.1.7", "--host 192.168.1.7"],
    ["server", "[::1]:80", '--host "[::1]:80"'],
    ["server", "aula.avi", "--record aula.avi"],
    ["server", "aulas/aula", "--record aulas/aula"],
    ["server", "80", "--port 80"],
    ["server", "8080", "--port 8080"],
    ["server", "test", "--input test"],
    ["server", "rtsp://camera/door", "--input rtsp://camera/door"],
    ["client", "8080", "--port 8080"],
    ["client", "0", "--camera 0"],
    ["client", "640x480", "--size 640x480"],
    ["client", "H264", "--codec H264"],
    ["client", "test", "--input test"],
    ["client", "my film.mp4", '--input "my film.mp4"'],
    ["client", "C:\\film", "--input C:\\film"],
    ["client", "http://192.168.1.7/video", "--input http://192.168.1.7/video"],
    ["client", "rtsp://192.168.1.7:554/", "--input rtsp://192.168.1.7:554/"],
  ];
  for (const [program, word, meant] of cases) {
    for (const args of [[word], ["--port", "80", word], ["--", word]]) {
      assertEquals(
        refusal(program, args),
        `"${word}" belongs to no option: did you mean ${meant}? --help shows what there is.`,
      );
    }
    assertStringIncludes(refusal(program, [word], "pt"), `seria ${meant}? `);
  }
  for (const word of ["", "-", "a b"]) {
    for (const program of PROGRAMS) {
      assertEquals(
        refusal(program, [word]),
        `"${word}" belongs to no option. --help shows what there is.`,
      );
    }
  }
  for (const program of PROGRAMS) {
    assertStringIncludes(refusal(program, ["--", "--quiet"]), "--quiet");
    assertEquals(parse(program, ["--"]), parse(program, []));
  }
  assertStringIncludes(refusal("server", ["notebook"]), '"notebook" belongs to no option. ');
});

test("options: the client takes an address without --host, either takes a port behind it", () => {
  const cases: readonly (readonly [readonly string[], string, number])[] = [
    [["192.168.1.7"], "192.168.1.7", 8080],
    [["192.168.1.7:9000"], "192.168.1.7", 9000],
    [["http://192.168.1.7:9000/"], "192.168.1.7", 9000],
    [["http://192.168.1.7"], "192.168.1.7", 8080],
    [["[::1]:9000"], "::1", 9000],
    [["::1"], "::1", 8080],
    [["notebook"], "notebook", 8080],
    [["--quiet", "notebook.local:9000"], "notebook.local", 9000],
    [["192.168.1.7", "--port", "9000"], "192.168.1.7", 9000],
    [["--", "192.168.1.7"], "192.168.1.7", 8080],
    // The same value said twice is no contradiction.
    [["192.168.1.7:9000", "--port", "9000", "--host=192.168.1.7"], "192.168.1.7", 9000],
  ];
  for (const [args, host, port] of cases) {
    const options = client(...args);
    assertEquals([options.host, options.port], [host, port], args.join(" "));
  }
  for (const read of [server, client]) {
    for (const text of ["192.168.1.7:9000", "http://192.168.1.7:9000/", " 192.168.1.7:9000"]) {
      const { host, port } = read("--host", text);
      assertEquals([host, port], ["192.168.1.7", 9000], text);
    }
  }
  assertEquals(server("--host", "0.0.0.0:0").port, 0);
});

test("options: an address that is none is told how one looks", () => {
  for (const program of PROGRAMS) {
    for (const text of ["*:80", ":80", "a b", "192.168.1.7:", "http://192.168.1.7/x", "u@h"]) {
      assertEquals(
        refusal(program, ["--host", text]),
        `--host ${text}: an address like 192.168.1.7 or 192.168.1.7:8080 is wanted. ` +
          "--help shows what there is.",
      );
    }
    assertStringIncludes(
      refusal(program, ["--host", "192.168.1.7:65536"]),
      "--host 192.168.1.7:65536: a whole number from ",
    );
  }
  assertStringIncludes(refusal("client", ["192.168.1.7:0"]), "a whole number from 1 to 65535");
});

test("options: two addresses or two ports that differ are both named", () => {
  const cases: readonly (readonly [Program, readonly string[], string, string])[] = [
    ["client", ["192.168.1.7", "192.168.1.8"], "192.168.1.7", "192.168.1.8"],
    ["client", ["192.168.1.7", "--host", "a.local"], "--host a.local", "192.168.1.7"],
    ["client", ["192.168.1.7:80", "--port", "81"], "192.168.1.7:80", "--port 81"],
    ["client", ["--host", "a", "a:80", "--port", "81"], "a:80", "--port 81"],
    ["server", ["--host", "::1", "--host=[::1]:80", "--port=81"], "--host [::1]:80", "--port 81"],
  ];
  for (const [program, args, one, other] of cases) {
    assertEquals(
      refusal(program, args),
      `${one} and ${other} contradict each other. --help shows what there is.`,
    );
  }
});

test("options: a value is taken however it is written, where its sense is plain", () => {
  for (const codec of ["H264", "h.264", "H-264"]) {
    assertEquals(client("--codec", codec).given!.format.codec, "h264");
  }
  assertEquals(client("--codec", "MJPEG").given!.format.codec, "mjpeg");
  assertEquals(client("--wire", "Pickle").wire, "pickle");
  for (const size of ["640X480", "640×480", "640*480", "640 x 480"]) {
    const { width, height } = client("--size", size).given!.format;
    assertEquals([width, height], [640, 480], size);
  }
  for (const fps of ["29,97", "29.97", "29.97fps", "29,97 FPS"]) {
    assertEquals(client("--fps", fps).given!.format.fps, 29.97);
    assertEquals(server("--fps", fps).fps, 29.97);
  }
  for (const lang of ["pt", "PT", "pt_BR", "pt-br", "pt_BR.UTF-8"]) {
    assertEquals(server("--lang", lang).language, "pt");
  }
  assertEquals(parseServerOptions(["--lang", "en_US"], "pt").language, "en");
  const durations: Readonly<Record<string, number>> = {
    ...{ "90": 90, "90s": 90, "90 s": 90, "90sec": 90, "1m30s": 90, "1M 30S": 90, "1:30": 90 },
    ...{ "01:30": 90, "0:01:30": 90, "1.5m": 90, "1,5 min": 90, "1min30seg": 90, "100:00": 6000 },
    ...{ "1m": 60, "1h": 3600, "1h30m": 5400, "1:30:00": 5400, "1h0m1s": 3601, "0,5": 0.5 },
    ...{ "1:00.5": 60.5 },
  };
  for (const [text, seconds] of Object.entries(durations)) {
    assertEquals(client("--duration", text).durationSeconds, seconds, text);
  }
});

test("options: a folder ~ that the shell has left as it is is told how to type it", () => {
  for (
    const [program, name, value] of [
      ["server", "record", "~/x.avi"],
      ["server", "record", "~"],
      ["server", "record", "~ana/x.avi"],
      ["client", "record", "~/x.avi"],
      ["server", "input", "~/film.mp4"],
      ["client", "input", "~/film.mp4"],
      ["client", "input", "~\\film.mp4"],
    ] as const
  ) {
    assertEquals(
      refusal(program, [`--${name}=${value}`]),
      `--${name} ${value}: only the shell knows the folder ~: type --${name} ${value} with a ` +
        "space and without quotes, or the whole path. --help shows what there is.",
    );
    assertStringIncludes(refusal(program, [`--${name}`, value], "pt"), "só o shell conhece");
  }
  for (const name of ["./~/x.avi", "~x.avi", "a~/x.avi"]) {
    assertEquals(server("--record", name).record, name);
  }
});

test("checkRecordName(): the name of a recording says the kind of its file", () => {
  for (
    const name of [
      "video.avi",
      "AULA.AVI",
      "a.mp4.avi",
      ".avi",
      "a.mkv",
      "A.Mp4",
      "a/b.c/video.Avi",
    ]
  ) {
    checkRecordName(name, messagesIn("en"));
  }
  const cases: readonly (readonly [string, string])[] = [
    ["aula.mov", "aula.avi"],
    ["aula", "aula.avi"],
    ["aula.", "aula.avi"],
    ["My Class.WEBM", '"My Class.avi"'],
    ["aula 3.5", '"aula 3.5.avi"'],
    ["2026-11-25", "2026-11-25.avi"],
    ["25.11.26", "25.11.26.avi"],
    ["a.b/aula", "a.b/aula.avi"],
    ["aula.avi.part", "aula.avi.avi"],
  ];
  for (const [name, right] of cases) {
    for (
      const [language, said] of [
        [
          "en",
          `a recording is an AVI, MKV or MP4 file: type --record ${right}. --help shows what there is.`,
        ],
        [
          "pt",
          `uma gravação é um arquivo AVI, MKV ou MP4: digite --record ${right}. --help mostra o que há.`,
        ],
      ] as const
    ) {
      const { message } = assertThrows(
        () => checkRecordName(name, messagesIn(language)),
        UsageError,
      );
      assertEquals(message, `--record ${name}: ${said}`);
    }
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
  assertEquals(client("--list-cameras", "--help").instead, "help");
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
    ["server", "camera", "none is sent", "nenhuma é enviada"],
    ["server", "patience", "30", "30"],
    ["client", "host", "the one found, or this machine", "o que se acha, ou esta máquina"],
    ["client", "record", "nothing is recorded here", "nada é gravado aqui"],
    ["client", "patience", "30", "30"],
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

test("help: the placeholders of values are in the language asked for, too", () => {
  const placeholders = (program: Program, language: Language): string[] =>
    [...formatHelp(program, "x", language).matchAll(/^ {2}--[\w-]+ <([^>]+)>/gm)].map(([, one]) =>
      one!
    );
  for (const program of PROGRAMS) {
    const en = placeholders(program, "en");
    const pt = placeholders(program, "pt");
    assertEquals(pt.length, en.length);
    const same = pt.filter((one, at) => one === en[at] && !["n", "codec", "pt|en"].includes(one));
    assertEquals(same, []);
  }
});

test("help: is wholly in the language asked for", () => {
  for (const program of PROGRAMS) {
    const english = new Set(formatHelp(program, "x", "en").split("\n"));
    const both = formatHelp(program, "x", "pt").split("\n").filter((line) => english.has(line));
    assertEquals(both.filter((line) => line !== ""), []);
  }
});

test("a picture that may be pickled is as large as the wire takes one", () => {
  assertEquals(MAX_PICKLED_PIXELS * 3, MAX_PICTURE_BYTES);
});
