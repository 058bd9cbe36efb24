/**
 * The options of the two programs: their meaning together, and the combinations that are refused.
 * option_table.ts lists them, and command_line.ts reads the words.
 */

import { quoted, readWords, usageError, type Words } from "./command_line.ts";
import { type Codec, CODECS, DEFAULT_FORMAT, type VideoFormat } from "../frame/format.ts";
import { OPTIONS } from "./option_table.ts";
import type { Language, Messages } from "./sentences.ts";

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
  const words = readWords("server", args, OPTIONS, system);
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
  const words = readWords("client", args, OPTIONS, system);
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
