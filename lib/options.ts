/**
 * The options of the two programs: one table that feeds both the parser and `--help`. How words are read is the affair of
 * command_line.ts.
 */

import {
  type Option as Word,
  type Program,
  quoted,
  readWords,
  usageError,
  type Words,
} from "./command_line.ts";
import { CODECS, DEFAULT_FORMAT, rawFrameBytes, type VideoFormat } from "./frame.ts";
import type { Language, Messages } from "./messages.ts";
import { MAX_PICTURE_BYTES } from "./pickle.ts";
import type { WireMode } from "./receiver.ts";

export type { Program };

interface Option extends Word {
  readonly help: Readonly<Record<Language, string>>;
}

const BOTH: readonly Program[] = ["server", "client"];
const SERVER: readonly Program[] = ["server"];
const CLIENT: readonly Program[] = ["client"];

const WIRES: readonly WireMode[] = ["call", "plain", "pickle"];

const TABLE: readonly Option[] = [
  {
    name: "host",
    programs: SERVER,
    value: { en: "address", pt: "endereço" },
    help: {
      en: "where to listen; 0.0.0.0 or :: is everywhere (default: this machine's address)",
      pt: "onde escutar; 0.0.0.0 ou :: em toda rede (padrão: o endereço desta máquina)",
    },
  },
  {
    name: "host",
    programs: CLIENT,
    value: { en: "address", pt: "endereço" },
    help: {
      en: "whom to call: the address that the server shows (default: this machine)",
      pt: "quem chamar: o endereço que o servidor mostra (padrão: esta máquina)",
    },
  },
  {
    name: "port",
    programs: SERVER,
    value: { en: "n", pt: "n" },
    help: {
      en: "TCP port, 0 for any free one (default: 8080)",
      pt: "porta TCP, 0 para qualquer uma livre (padrão: 8080)",
    },
  },
  {
    name: "port",
    programs: CLIENT,
    value: { en: "n", pt: "n" },
    help: { en: "TCP port (default: 8080)", pt: "porta TCP (padrão: 8080)" },
  },
  {
    name: "record",
    programs: SERVER,
    value: { en: "file", pt: "arquivo" },
    help: {
      en: "the recording; a file that is there is kept: video-2.avi, … (default: video.avi)",
      pt: "a gravação; um arquivo que já existe fica: video-2.avi, … (padrão: video.avi)",
    },
  },
  {
    name: "no-record",
    programs: SERVER,
    help: { en: "show only", pt: "apenas mostrar" },
  },
  {
    name: "stay",
    programs: SERVER,
    help: {
      en: "answer the next caller when a call ends (default: one call, then exit)",
      pt: "atender a próxima chamada quando uma acaba (padrão: uma chamada, e fim)",
    },
  },
  {
    name: "max-calls",
    programs: SERVER,
    value: { en: "n", pt: "n" },
    help: {
      en: "calls at once, each with its own window and file (default: 1)",
      pt: "chamadas ao mesmo tempo, cada uma com sua janela e seu arquivo (padrão: 1)",
    },
  },
  {
    name: "fps",
    programs: SERVER,
    value: { en: "n", pt: "n" },
    help: {
      en: "frames a second in the recording of a caller that announces none (default: 20)",
      pt: "quadros por segundo na gravação de quem não os anuncia (padrão: 20)",
    },
  },
  {
    name: "camera",
    programs: CLIENT,
    value: { en: "index or name", pt: "índice ou nome" },
    help: { en: "the camera (default: 0)", pt: "a câmera (padrão: 0)" },
  },
  {
    name: "list-cameras",
    programs: CLIENT,
    help: { en: "print the cameras and exit", pt: "mostrar as câmeras e sair" },
  },
  {
    name: "input",
    programs: CLIENT,
    value: { en: "source", pt: "fonte" },
    help: {
      en: "in place of the camera: a file, a URL, or test (a moving picture)",
      pt: "no lugar da câmera: um arquivo, uma URL, ou test (imagem em movimento)",
    },
  },
  {
    name: "size",
    programs: CLIENT,
    value: { en: "WxH", pt: "LxA" },
    help: {
      en: "size of the picture sent (default: 320x240)",
      pt: "tamanho da imagem enviada (padrão: 320x240)",
    },
  },
  {
    name: "fps",
    programs: CLIENT,
    value: { en: "n", pt: "n" },
    help: {
      en: "frames a second to send (default: 20)",
      pt: "quadros por segundo a enviar (padrão: 20)",
    },
  },
  {
    name: "no-mirror",
    programs: CLIENT,
    help: {
      en: "do not flip the picture (default: mirrored, as a selfie)",
      pt: "não inverter a imagem (padrão: espelhada, como em uma selfie)",
    },
  },
  {
    name: "duration",
    programs: CLIENT,
    value: { en: "seconds", pt: "segundos" },
    help: {
      en: "hang up by itself after that long; 1m30s and 1:30 are taken, too",
      pt: "desligar sozinho depois desse tempo; 1m30s e 1:30 também servem",
    },
  },
  {
    name: "wire",
    programs: CLIENT,
    value: { en: "mode", pt: "modo" },
    help: {
      en: "call, plain (bare frames) or pickle (the report's) (default: call)",
      pt: "call, plain (só quadros) ou pickle (o do relatório) (padrão: call)",
    },
  },
  {
    name: "codec",
    programs: CLIENT,
    value: { en: "codec", pt: "codec" },
    help: {
      en: "raw, mjpeg for a fair network, h264 for a slow one (default: raw)",
      pt: "raw, mjpeg para uma rede média, h264 para uma lenta (padrão: raw)",
    },
  },
  {
    name: "name",
    programs: BOTH,
    value: { en: "name", pt: "nome" },
    help: {
      en: "what the other end is told (default: the name of this machine)",
      pt: "o que se diz ao outro lado (padrão: o nome desta máquina)",
    },
  },
  {
    name: "no-display",
    programs: BOTH,
    help: {
      en: "no window (default: a window, where there is a screen)",
      pt: "sem janela (padrão: uma janela, onde há tela)",
    },
  },
  {
    name: "lang",
    programs: BOTH,
    value: { en: "pt|en", pt: "pt|en" },
    help: {
      en: "language of the sentences (default: that of the system)",
      pt: "língua das frases (padrão: a do sistema)",
    },
  },
  {
    name: "quiet",
    programs: BOTH,
    help: { en: "print warnings and errors only", pt: "mostrar apenas avisos e erros" },
  },
  {
    name: "verbose",
    programs: BOTH,
    help: { en: "print what happens inside, too", pt: "mostrar também o que acontece por dentro" },
  },
  {
    name: "trace",
    programs: BOTH,
    help: { en: "like --verbose, and every frame", pt: "como --verbose, e cada quadro" },
  },
  {
    name: "help",
    programs: BOTH,
    help: { en: "print this and exit", pt: "mostrar isto e sair" },
  },
  {
    name: "version",
    programs: BOTH,
    help: { en: "print the version and exit", pt: "mostrar a versão e sair" },
  },
];

/** What both programs are told. */
export interface CommonOptions {
  /** Where to listen or whom to call; this machine's address if not given. */
  readonly host: string | undefined;
  /** TCP port; 0 for any free one. */
  readonly port: number;
  /** What this end calls itself; this machine's name if not given. */
  readonly name: string | undefined;
  /** Whether there is to be a window. */
  readonly display: boolean;
  /** The sentences of the language. */
  readonly messages: Messages;
  /** Print warnings and errors only. */
  readonly quiet: boolean;
  /** Print what happens inside, too. */
  readonly verbose: boolean;
  /** Print what happens to every frame, too. */
  readonly trace: boolean;
  /** Print this and exit, in place of a call. */
  readonly instead: "help" | "version" | "cameras" | undefined;
  /** The language that was asked for, or the system's. */
  readonly language: Language;
}

/** What the server is told. */
export interface ServerOptions extends CommonOptions {
  /** The recording, or nothing for none. */
  readonly record: string | undefined;
  /** Answer the next caller when a call ends. */
  readonly stay: boolean;
  /** Calls at once. */
  readonly maxCalls: number;
  /** Frames a second of a recording whose sender announces none. */
  readonly fps: number;
}

/** What the client is told. */
export interface ClientOptions extends CommonOptions {
  /** What to send. */
  readonly from: { readonly camera: string | undefined } | { readonly input: string };
  /** What the frames are to be. */
  readonly format: VideoFormat;
  /** Whether left and right are exchanged. */
  readonly mirror: boolean;
  /** When to hang up by itself. */
  readonly durationSeconds: number | undefined;
  /** What to speak. */
  readonly wire: WireMode;
}

/** Reads the server's command line. Throws `UsageError`. */
export function parseServerOptions(args: readonly string[], system: Language): ServerOptions {
  const words = readWords("server", args, TABLE, system);
  words.refuseBoth("record", "no-record");
  return {
    ...common(words, { minPort: 0, alone: false }),
    record: words.on("no-record") ? undefined : words.file("record") ?? "video.avi",
    stay: words.on("stay"),
    maxCalls: words.whole("max-calls", 1, 64) ?? 1,
    fps: words.rate() ?? DEFAULT_FORMAT.fps,
  };
}

/** Reads the client's command line. Throws `UsageError`. */
export function parseClientOptions(args: readonly string[], system: Language): ClientOptions {
  const words = readWords("client", args, TABLE, system);
  words.refuseBoth("camera", "input");
  const wire = words.oneOf("wire", WIRES) ?? "call";
  const size = words.size() ?? DEFAULT_FORMAT;
  const codec = words.oneOf("codec", CODECS) ?? DEFAULT_FORMAT.codec;
  const { width, height } = DEFAULT_FORMAT;
  if (wire === "plain" && (size.width !== width || size.height !== height)) {
    throw words.conflict("--wire plain", `--size ${size.width}x${size.height}`);
  }
  if (wire === "pickle" && rawFrameBytes(size) > MAX_PICTURE_BYTES) {
    throw words.conflict("--wire pickle", `--size ${size.width}x${size.height}`);
  }
  if (wire !== "call" && codec !== "raw") {
    throw words.conflict(`--wire ${wire}`, `--codec ${codec}`);
  }
  const input = words.input("input");
  return {
    ...common(words, { minPort: 1, alone: true }),
    from: input === undefined ? { camera: words.value("camera") } : { input },
    format: {
      codec,
      width: size.width,
      height: size.height,
      fps: words.rate() ?? DEFAULT_FORMAT.fps,
    },
    mirror: !words.on("no-mirror"),
    durationSeconds: words.seconds("duration"),
    wire,
  };
}

/** The options in place of a call, the strongest first. */
const INSTEAD = [["help", "help"], ["version", "version"], ["list-cameras", "cameras"]] as const;

/** Refuses a recording whose name promises another format than it will have. Throws `UsageError`. */
export function checkRecordName(record: string, messages: Messages): void {
  if (/\.avi$/i.test(record)) return;
  const { usage } = messages;
  const name = `${record.replace(/\.((?=\w*[a-z])[a-z\d]{2,4})?$/i, "")}.avi`;
  throw usageError(
    usage.bad("--record", record, usage.recording(`--record ${quoted(name)}`)),
    messages,
  );
}

function common(
  words: Words,
  where: { readonly minPort: number; readonly alone: boolean },
): CommonOptions {
  words.refuseBoth("quiet", "verbose");
  words.refuseBoth("quiet", "trace");
  const { host, port } = words.address(where);
  return {
    host,
    port: port ?? 8080,
    name: words.name("name"),
    display: !words.on("no-display"),
    messages: words.messages,
    quiet: words.on("quiet"),
    verbose: words.on("verbose") || words.on("trace"),
    trace: words.on("trace"),
    instead: INSTEAD.find(([name]) => words.on(name))?.[1],
    language: words.language,
  };
}

const HELP = {
  en: {
    about: {
      server: "Answers a video call: shows it in a window and records it.",
      client: "Makes a video call: sends this machine's camera to a server on the network.",
    },
    usage: "Usage",
    options: "Options",
    examples: "Examples",
    exits: "Exit status",
    ending: "q in the window or in the terminal, closing the window, or Ctrl-C hangs up.",
    keys: "In a window, Esc hangs up as well, f is full screen and back, space pauses the picture.",
    exit: [
      "0  either side hung up, --duration was reached, or the input ended",
      "1  it could not be done, or not whole: no camera, port taken, refused, recording failed",
      "2  a wrong option, or options that contradict each other",
      "3  the other side was lost: cut off, killed, or silent for more than 5 s",
    ],
    example: {
      server: [
        ["", "answer one call and record it to video.avi"],
        ["--stay --record aula.avi", "one call after the other: aula.avi, aula-2.avi, …"],
        ["--host 0.0.0.0 --no-display", "listen on every network, record without a window"],
      ],
      client: [
        ["--host 192.168.1.7", "call the server at that address with the camera"],
        ["--host 192.168.1.7 --input test", "send a moving test picture instead"],
        ["--list-cameras", "see which cameras there are"],
      ],
    },
  },
  pt: {
    about: {
      server: "Atende uma chamada de vídeo: mostra em uma janela e grava.",
      client: "Faz uma chamada de vídeo: envia a câmera desta máquina a um servidor da rede.",
    },
    usage: "Uso",
    options: "Opções",
    examples: "Exemplos",
    exits: "Código de saída",
    ending: "q na janela ou no terminal, fechar a janela, ou Ctrl-C desliga.",
    keys: "Na janela, Esc também desliga, f é tela cheia e volta, espaço pausa a imagem.",
    exit: [
      "0  um dos lados desligou, --duration foi atingido, ou a entrada acabou",
      "1  não foi possível, ou não por inteiro: sem câmera, porta em uso, recusa, falha ao gravar",
      "2  uma opção errada, ou opções que se contradizem",
      "3  o outro lado se perdeu: cortado, morto, ou calado por mais de 5 s",
    ],
    example: {
      server: [
        ["", "atender uma chamada e gravá-la em video.avi"],
        ["--stay --record aula.avi", "uma chamada após a outra: aula.avi, aula-2.avi, …"],
        ["--host 0.0.0.0 --no-display", "escutar em todas as redes, gravar sem janela"],
      ],
      client: [
        ["--host 192.168.1.7", "chamar com a câmera o servidor nesse endereço"],
        ["--host 192.168.1.7 --input test", "enviar no lugar uma imagem de teste em movimento"],
        ["--list-cameras", "ver que câmeras há"],
      ],
    },
  },
} as const;

/** The text of `--help`. `command` is how the user starts the program. */
export function formatHelp(program: Program, command: string, language: Language): string {
  const text = HELP[language];
  const options = TABLE.filter(({ programs }) => programs.includes(program)).map((option) => ({
    left: `--${option.name}${option.value ? ` <${option.value[language]}>` : ""}`,
    right: option.help[language],
  }));
  const width = Math.max(...options.map(({ left }) => left.length));
  const examples = text.example[program].map(([args, what]) => ({
    left: `${command} ${args}`.trim(),
    right: what,
  }));
  const exampleWidth = Math.max(...examples.map(({ left }) => left.length));
  return [
    text.about[program],
    "",
    `${text.usage}: ${command} [${text.options.toLowerCase()}]`,
    "",
    `${text.options}:`,
    ...options.map(({ left, right }) => `  ${left.padEnd(width)}  ${right}`),
    "",
    text.ending,
    text.keys,
    "",
    `${text.examples}:`,
    ...examples.map(({ left, right }) => `  ${left.padEnd(exampleWidth)}  ${right}`),
    "",
    `${text.exits}:`,
    ...text.exit.map((line) => `  ${line}`),
  ].join("\n");
}
