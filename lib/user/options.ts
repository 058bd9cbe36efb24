/**
 * The options of the two programs: one table that feeds both the parser and `--help`.
 * command_line.ts reads the words.
 */

import {
  type Option as Word,
  type Program,
  quoted,
  readWords,
  usageError,
  type Words,
} from "./command_line.ts";
import { type Codec, CODECS, DEFAULT_FORMAT, type VideoFormat } from "../frame/format.ts";
import type { Language, Messages } from "./sentences.ts";

export type { Program };

interface Option extends Word {
  readonly help: Readonly<Record<Language, string>>;
}

const BOTH: readonly Program[] = ["server", "client"];
const SERVER: readonly Program[] = ["server"];
const CLIENT: readonly Program[] = ["client"];

/** The protocols that a client can speak. */
export type WireMode = "call" | "plain" | "pickle";

/** The words for a codec: its name, or `auto` for the best that the link carries. */
const CODEC_WORDS: readonly (Codec | "auto")[] = [...CODECS, "auto"];

/** The codecs of the sound in a recording: as it is, or in a quarter of the bytes. */
const SOUND_SIZES = ["full", "small"] as const;

const WIRES: readonly WireMode[] = ["call", "plain", "pickle"];

/** The most pixels of a picture that is pickled (tests hold it to the limit of the wire). */
export const MAX_PICKLED_PIXELS: number = 1920 * 1080;

/** Seconds that a lost network is waited for if `--patience` is not given. */
const PATIENCE_SECONDS = 30;

const TABLE: readonly Option[] = [
  {
    name: "host",
    programs: SERVER,
    value: { en: "address", pt: "endereço" },
    help: {
      en: "where to listen; 0.0.0.0 or :: means all (default: this machine's address)",
      pt: "onde escutar; 0.0.0.0 ou :: em toda rede (padrão: o endereço desta máquina)",
    },
  },
  {
    name: "host",
    programs: CLIENT,
    value: { en: "address", pt: "endereço" },
    help: {
      en: "the address to call (default: the one found, or this machine)",
      pt: "o endereço a chamar (padrão: o que se acha, ou esta máquina)",
    },
  },
  {
    name: "find",
    programs: CLIENT,
    help: {
      en: "list the servers that answer on this network and exit",
      pt: "mostrar os servidores que respondem nesta rede e sair",
    },
  },
  {
    name: "wait",
    programs: CLIENT,
    help: {
      en: "call again each second until a server is there (default: one try)",
      pt: "chamar de novo a cada segundo até haver um servidor (padrão: uma vez)",
    },
  },
  {
    name: "hidden",
    programs: SERVER,
    help: {
      en: "do not answer callers that look for servers on the network",
      pt: "não responder a quem procura servidores na rede",
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
      en: "the recording; one that is there stays: video-2.avi, … (default: video.avi)",
      pt: "a gravação; o que já existe fica: video-2.avi, … (padrão: video.avi)",
    },
  },
  {
    name: "record",
    programs: CLIENT,
    value: { en: "file", pt: "arquivo" },
    help: {
      en: "record what comes from the server (default: nothing is recorded here)",
      pt: "gravar o que chega do servidor (padrão: nada é gravado aqui)",
    },
  },
  {
    name: "record-sound",
    programs: BOTH,
    value: { en: "size", pt: "modo" },
    help: {
      en: "the sound in it: full, or small, a quarter of the bytes (default: full)",
      pt: "o som nela: full (inteiro) ou small, um quarto dos bytes (padrão: full)",
    },
  },
  {
    name: "record-each",
    programs: BOTH,
    help: {
      en: "record this end as well, in a file beside it: video-own.avi",
      pt: "gravar também este lado, em um arquivo ao lado: video-own.avi",
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
      en: "frames a second to send, and of a caller that announces none (default: 20)",
      pt: "quadros por segundo a enviar, e de quem não os anuncia (padrão: 20)",
    },
  },
  {
    name: "camera",
    programs: SERVER,
    value: { en: "n or name", pt: "n ou nome" },
    help: {
      en: "send the picture of this camera, too (default: none is sent)",
      pt: "enviar também a imagem desta câmera (padrão: nenhuma é enviada)",
    },
  },
  {
    name: "camera",
    programs: CLIENT,
    value: { en: "n or name", pt: "n ou nome" },
    help: { en: "the camera to send (default: 0)", pt: "a câmera a enviar (padrão: 0)" },
  },
  {
    name: "talk",
    programs: BOTH,
    help: {
      en: "be seen and heard as well as see and hear: camera and microphone on",
      pt: "ser visto e ouvido além de ver e ouvir: câmera e microfone ligados",
    },
  },
  {
    name: "microphone",
    programs: BOTH,
    value: { en: "name", pt: "nome" },
    help: {
      en: "send its sound, or ticks: test (default: none; with --talk the system's)",
      pt: "enviar seu som, ou tiques: test (padrão: nenhum; com --talk o do sistema)",
    },
  },
  {
    name: "no-camera",
    programs: BOTH,
    help: { en: "talk without a picture", pt: "conversar sem imagem" },
  },
  {
    name: "no-sound",
    programs: BOTH,
    help: { en: "play no sound, whatever comes", pt: "não tocar som nenhum, venha o que vier" },
  },
  {
    name: "private",
    programs: SERVER,
    help: {
      en: "let only those call who have the code that is shown (default with --talk)",
      pt: "deixar ligar só quem tem o código mostrado (padrão com --talk)",
    },
  },
  {
    name: "open",
    programs: SERVER,
    help: {
      en: "let anybody on the network call (default without --talk)",
      pt: "deixar ligar qualquer um na rede (padrão sem --talk)",
    },
  },
  {
    name: "code",
    programs: CLIENT,
    value: { en: "code", pt: "código" },
    help: {
      en: "the server's code; all users here can read it (CHAMADA_CODE: only you)",
      pt: "o código do servidor; todos aqui podem lê-lo (CHAMADA_CODE: só você)",
    },
  },
  {
    name: "doctor",
    programs: BOTH,
    help: {
      en: "look at all that a call needs, say what helps, and exit",
      pt: "olhar tudo o que uma chamada precisa, dizer o que ajuda, e sair",
    },
  },
  {
    name: "list-cameras",
    programs: BOTH,
    help: { en: "print the cameras and exit", pt: "mostrar as câmeras e sair" },
  },
  {
    name: "list-devices",
    programs: BOTH,
    help: {
      en: "print the cameras and the microphones and exit",
      pt: "mostrar as câmeras e os microfones e sair",
    },
  },
  {
    name: "input",
    programs: BOTH,
    value: { en: "source", pt: "fonte" },
    help: {
      en: "in place of the camera: a file, a URL, or test (a moving picture)",
      pt: "no lugar da câmera: um arquivo, uma URL, ou test (imagem em movimento)",
    },
  },
  {
    name: "size",
    programs: BOTH,
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
    programs: BOTH,
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
    programs: BOTH,
    value: { en: "codec", pt: "codec" },
    help: {
      en: "raw, mjpeg, h264 for a slow network, or auto, as with sound (default: raw)",
      pt: "raw, mjpeg, h264 para uma rede lenta, ou auto, como com som (padrão: raw)",
    },
  },
  {
    name: "patience",
    programs: BOTH,
    value: { en: "seconds", pt: "segundos" },
    help: {
      en: "how long a lost network is waited for (default: 30)",
      pt: "quanto tempo se espera por uma rede perdida (padrão: 30)",
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

/** The options of both programs. */
export interface CommonOptions {
  /** The address to listen on or to call. This machine's address if not given. */
  readonly host: string | undefined;
  /** TCP port; 0 for any free one. */
  readonly port: number;
  /** The name that this end gives itself. This machine's name if not given. */
  readonly name: string | undefined;
  /** The file that records the peer's frames; nothing where they are not recorded. */
  readonly record: string | undefined;
  /** True if this end is recorded as well, in a file of its own. */
  readonly recordEach: boolean;
  /** The size of the sound in it. */
  readonly recordSound: "full" | "small";
  /** Seconds that a lost network is waited for. */
  readonly patienceSeconds: number;
  /** The sound that this end sends, if it sends any. */
  readonly sound: GivenSound | undefined;
  /** True if the codec follows the link. The one of the picture's format is then `raw`. */
  readonly auto: boolean;
  /** True if the peer's sound is to be heard. */
  readonly play: boolean;
  /** True if there is to be a window. */
  readonly display: boolean;
  /** The sentences of the language. */
  readonly messages: Messages;
  /** Prints warnings and errors only. */
  readonly quiet: boolean;
  /** Prints what happens inside, too. */
  readonly verbose: boolean;
  /** Prints what happens to every frame, too. */
  readonly trace: boolean;
  /** The output that replaces a call: the program prints it and exits. */
  readonly instead: "help" | "version" | "doctor" | "devices" | "cameras" | "servers" | undefined;
  /** The language that was asked for, or the system's. */
  readonly language: Language;
}

/** The sound of an end. */
export interface GivenSound {
  /**
   * The microphone by its number or name, or `test`. If none is given, an input's own sound, or the
   * system's microphone.
   */
  readonly microphone: string | undefined;
}

/** The source of an end's pictures, and the frames that it sends. */
export interface Given {
  /** A camera, or an input in its place. */
  readonly from: { readonly camera: string | undefined } | { readonly input: string };
  /** The format of the frames. */
  readonly format: VideoFormat;
  /** True if left and right are exchanged. */
  readonly mirror: boolean;
}

/** The options of the server. */
export interface ServerOptions extends CommonOptions {
  /** The pictures that the server sends, if it sends any. */
  readonly given: Given | undefined;
  /** Those who may call: who has the code, or anybody. Nothing if the user has not said. */
  readonly access: "private" | "open" | undefined;
  /** True if nobody is answered who looks for servers on the network. */
  readonly hidden: boolean;
  /** True if the server answers the next caller after a call. */
  readonly stay: boolean;
  /** The most calls at once. */
  readonly maxCalls: number;
  /** Frames a second of a recording whose sender announces no rate. */
  readonly fps: number;
}

/** The options of the client. */
export interface ClientOptions extends CommonOptions {
  /** The pictures that the client sends. Nothing with `--no-camera`. */
  readonly given: Given | undefined;
  /** The port that the user named, if one was named. */
  readonly namedPort: number | undefined;
  /** True if the client calls until a server is there. */
  readonly wait: boolean;
  /** Seconds after which the client hangs up by itself. */
  readonly durationSeconds: number | undefined;
  /** The protocol that the client speaks. */
  readonly wire: WireMode;
  /** The server's code, as it was typed in the command line. */
  readonly code: string | undefined;
}

/** Reads the server's command line. Throws `UsageError`. */
export function parseServerOptions(args: readonly string[], system: Language): ServerOptions {
  const words = readWords("server", args, TABLE, system);
  words.refuseBoth("record", "no-record");
  for (const option of ["record-sound", "record-each"]) words.refuseBoth(option, "no-record");
  words.refuseBoth("private", "open");
  return {
    ...common(words, { minPort: 0, alone: false }),
    record: words.on("no-record") ? undefined : words.file("record") ?? "video.avi",
    given: serverGives(words),
    access: words.on("open")
      ? "open"
      : words.on("private") || words.on("talk")
      ? "private"
      : undefined,
    hidden: words.on("hidden"),
    stay: words.on("stay"),
    maxCalls: words.whole("max-calls", 1, 64) ?? 1,
    fps: words.rate() ?? DEFAULT_FORMAT.fps,
  };
}

/** Reads the client's command line. Throws `UsageError`. */
export function parseClientOptions(args: readonly string[], system: Language): ClientOptions {
  const words = readWords("client", args, TABLE, system);
  const wire = words.oneOf("wire", WIRES) ?? "call";
  const given = words.on("no-camera") ? withoutPicture(words) : readGiven(words);
  const { width, height } = given?.format ?? DEFAULT_FORMAT;
  const codec = isAuto(words) ? "auto" : given?.format.codec;
  const isOther = width !== DEFAULT_FORMAT.width || height !== DEFAULT_FORMAT.height;
  const isTooLarge = width * height > MAX_PICKLED_PIXELS;
  if (wire === "plain" && isOther || wire === "pickle" && isTooLarge) {
    throw words.conflict(`--wire ${wire}`, `--size ${width}x${height}`);
  }
  if (wire !== "call" && codec !== "raw" && words.value("codec") !== undefined) {
    throw words.conflict(`--wire ${wire}`, `--codec ${codec}`);
  }
  const [needless] = words.given(["record", "talk", "microphone", "patience", "code"]);
  if (wire !== "call" && needless !== undefined) {
    throw words.conflict(`--wire ${wire}`, `--${needless}`);
  }
  const [ofRecord] = words.given(["record-sound", "record-each"]);
  if (words.value("record") === undefined && ofRecord !== undefined) {
    throw words.wrong(words.messages.usage.needs(`--${ofRecord}`, "--record"));
  }
  const where = { minPort: 1, alone: true };
  return {
    ...common(words, where),
    record: words.file("record"),
    given,
    namedPort: words.address(where).port,
    wait: words.on("wait"),
    durationSeconds: words.seconds("duration"),
    wire,
    code: words.value("code"),
  };
}

/** A command line without the code that stands in it, for sentences that repeat it. */
export function withoutCode(args: readonly string[]): string[] {
  return args.filter((word, at) => !/^--code(=|$)/.test(word) && args[at - 1] !== "--code");
}

/** The source that the server sends; nothing unless the words ask for one. */
function serverGives(words: Words): Given | undefined {
  if (words.on("no-camera")) return withoutPicture(words);
  const given = readGiven(words);
  const asked = words.on("talk") || "input" in given.from || given.from.camera !== undefined;
  const [needless] = words.given(["size", "codec", "no-mirror"]);
  if (!asked && needless !== undefined) {
    const { usage } = words.messages;
    throw words.wrong(usage.needs(`--${needless}`, "--camera, --input, --talk"));
  }
  return asked ? given : undefined;
}

/** Refuses what says something of a picture that is not to be. Throws `UsageError`. */
function withoutPicture(words: Words): undefined {
  for (const option of ["camera", "input", "size", "codec", "no-mirror"]) {
    words.refuseBoth("no-camera", option);
  }
  if (readSound(words)) return undefined;
  throw words.wrong(words.messages.usage.needs("--no-camera", "--talk, --microphone"));
}

/** The sound that an end sends, if the words ask for any. */
function readSound(words: Words): GivenSound | undefined {
  const microphone = words.value("microphone");
  return words.on("talk") || microphone !== undefined ? { microphone } : undefined;
}

/** True if the codec follows the link: wherever there is sound, unless a codec was named. */
function isAuto(words: Words): boolean {
  const codec = words.oneOf("codec", CODEC_WORDS);
  return codec === "auto" || codec === undefined && readSound(words) !== undefined;
}

function readGiven(words: Words): Given {
  words.refuseBoth("camera", "input");
  const size = words.size() ?? DEFAULT_FORMAT;
  const input = words.input("input");
  const codec = words.oneOf("codec", CODEC_WORDS);
  return {
    from: input === undefined ? { camera: words.value("camera") } : { input },
    format: {
      kind: "video",
      codec: codec === undefined || codec === "auto" ? DEFAULT_FORMAT.codec : codec,
      width: size.width,
      height: size.height,
      fps: words.rate() ?? DEFAULT_FORMAT.fps,
    },
    mirror: !words.on("no-mirror"),
  };
}

/** The options in place of a call, the strongest first. */
const INSTEAD = [
  ["help", "help"],
  ["version", "version"],
  ["doctor", "doctor"],
  ["list-devices", "devices"],
  ["list-cameras", "cameras"],
  ["find", "servers"],
] as const;

/** Refuses a name that promises another format than the recording has. Throws `UsageError`. */
export function checkRecordName(record: string, messages: Messages): void {
  if (/\.(avi|mkv|mp4)$/i.test(record)) return;
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
): Omit<CommonOptions, "record"> {
  words.refuseBoth("quiet", "verbose");
  words.refuseBoth("quiet", "trace");
  const { host, port } = words.address(where);
  return {
    host,
    port: port ?? 8080,
    name: words.name("name"),
    patienceSeconds: words.seconds("patience") ?? PATIENCE_SECONDS,
    recordEach: words.on("record-each"),
    recordSound: words.oneOf("record-sound", SOUND_SIZES) ?? "full",
    sound: readSound(words),
    auto: isAuto(words),
    play: !words.on("no-sound"),
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
      "3  the other side was lost: cut off, killed, or silent for too long",
    ],
    example: {
      server: [
        ["", "answer one call and record it to video.avi"],
        ["--talk", "the same, and show the caller this machine's camera"],
        ["--stay --record aula.avi", "one call after the other: aula.avi, aula-2.avi, …"],
        ["--host 0.0.0.0 --no-display", "listen on every network, record without a window"],
      ],
      client: [
        ["", "call the server on this network with the camera"],
        ["--host 192.168.1.7", "call the server at that address"],
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
      "3  o outro lado se perdeu: cortado, morto, ou calado por tempo demais",
    ],
    example: {
      server: [
        ["", "atender uma chamada e gravá-la em video.avi"],
        ["--talk", "o mesmo, e mostrar a quem chama a câmera daqui"],
        ["--stay --record aula.avi", "uma chamada após a outra: aula.avi, aula-2.avi, …"],
        ["--host 0.0.0.0 --no-display", "escutar em todas as redes, gravar sem janela"],
      ],
      client: [
        ["", "chamar com a câmera o servidor desta rede"],
        ["--host 192.168.1.7", "chamar o servidor nesse endereço"],
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
