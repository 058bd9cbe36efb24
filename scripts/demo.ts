/**
 * `deno task demo`: a real call on this machine. Starts `server` and `client` as two processes under their own rights, has
 * them talk over 127.0.0.1 for five seconds with a moving test picture, shows what both say, and then what ffprobe finds in
 * the recording. In windows, where there is a screen.
 */

// deno-lint-ignore-file no-console

import config from "../deno.json" with { type: "json" };
import { displayDriver } from "../lib/display.ts";
import { installCommand, type Language, messagesIn, systemLanguage } from "../lib/messages.ts";
import type { Program } from "../lib/options.ts";

/** The call: how long, and how many frames that makes at the rate that both programs choose by themselves. */
const SECONDS = 5;
const FPS = 20;
const FRAMES = SECONDS * FPS;

/** As much of them has to be in the recording. */
const ENOUGH = 0.9;

/** How long it may all take before it is given up, and then until what will not end is killed, in milliseconds. */
const PATIENCE_MS = 30_000;
const KILL_MS = 10_000;

const TASKS = { server: "serve", client: "send" } as const;

/** What ffprobe finds in a recording. */
interface Found {
  readonly codec: string;
  readonly size: string;
  readonly fps: number;
  readonly frames: number;
  readonly seconds: number;
  readonly bytes: number;
}

const SENTENCES = {
  en: {
    usage: "Usage: deno task demo [--no-display]",
    begin: `A call of ${SECONDS} seconds between the two programs, on this machine.`,
    unlistened: "The server does not listen: what it says is above.",
    status: (program: Program, code: number) =>
      `The ${program} ended with status ${code}: what it says is above.`,
    late: `The call was not over after ${PATIENCE_MS / 1000} s: what both say is above.`,
    unnamed: "The server does not say what it has recorded.",
    unreadable: (file: string, detail: string) => `ffprobe cannot read ${file}: ${detail}`,
    other: (file: string) =>
      `${file} is not as it should be: ${FRAMES} frames of 320x240 in mpeg4 (XVID), ${FPS} a second, were to be in it.`,
    found: "In the recording, as ffprobe reads it:",
    rows: ["file", "codec", "picture", "rate", "frames", "duration", "size"],
    fps: "frames a second",
    end: "Between two computers: type deno task serve on one, and what it shows on the other.",
  },
  pt: {
    usage: "Uso: deno task demo [--no-display]",
    begin: `Uma chamada de ${SECONDS} segundos entre os dois programas, nesta máquina.`,
    unlistened: "O servidor não escuta: o que ele diz está acima.",
    status: (program: Program, code: number) =>
      `O programa ${program} acabou com o código ${code}: o que ele diz está acima.`,
    late: `A chamada não acabou em ${PATIENCE_MS / 1000} s: o que os dois dizem está acima.`,
    unnamed: "O servidor não diz o que gravou.",
    unreadable: (file: string, detail: string) => `O ffprobe não consegue ler ${file}: ${detail}`,
    other: (file: string) =>
      `${file} não está como deveria: seriam ${FRAMES} quadros de 320x240 em mpeg4 (XVID), ${FPS} por segundo.`,
    found: "Na gravação, como o ffprobe a lê:",
    rows: ["arquivo", "codec", "imagem", "taxa", "quadros", "duração", "tamanho"],
    fps: "quadros por segundo",
    end: "Entre dois computadores: digite deno task serve em um, e o que ele mostra no outro.",
  },
} as const;

/** What has gone wrong, in a sentence for the user. */
class DemoError extends Error {}

/** One of the two programs as it runs. What it says is shown line by line, with its name in front. */
class Running {
  readonly #child: Deno.ChildProcess;
  /** Its exit status, when it has ended and all it said is shown. */
  readonly ended: Promise<number>;

  constructor(program: Program, args: readonly string[], onLine: (line: string) => void) {
    // The task's own line: deno run --quiet --no-prompt --allow-net … server.ts
    const [, ...words] = config.tasks[TASKS[program]].command.split(" ");
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...words, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const show = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
      for await (const line of lines(stream)) {
        console.log(`${program} | ${line}`);
        onLine(line);
      }
    };
    this.ended = Promise.all([
      this.#child.status,
      show(this.#child.stdout),
      show(this.#child.stderr),
    ]).then(([{ code }]) => code);
  }

  signal(signal: "SIGTERM" | "SIGKILL"): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended.
    }
  }
}

async function run(args: readonly string[], language: Language): Promise<number> {
  const sentences = SENTENCES[language];
  if (args.some((word) => word !== "--no-display")) {
    console.error(sentences.usage);
    return 2;
  }
  const variable = (name: string): string | undefined => Deno.env.get(name);
  const windows = args.length === 0 && displayDriver(Deno.build.os, variable) !== undefined;
  const common = ["--host", "127.0.0.1", ...(windows ? [] : ["--no-display"])];
  Deno.chdir(new URL("..", import.meta.url));
  console.log(sentences.begin);

  const running: Running[] = [];
  const timers: ReturnType<typeof setTimeout>[] = [];
  const stop = (): void => {
    for (const program of running) program.signal("SIGTERM");
    timers.push(setTimeout(() => running.forEach((one) => one.signal("SIGKILL")), KILL_MS));
  };
  let interrupted = false;
  let late = false;
  const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => {
      interrupted = true;
      // On Windows the terminal has told them, and to kill them would cost the recording its end.
      if (Deno.build.os !== "windows") stop();
    });
  }
  timers.push(setTimeout(() => {
    late = true;
    stop();
  }, PATIENCE_MS));

  try {
    let file: string | undefined;
    const listening = Promise.withResolvers<string | undefined>();
    const server = new Running(
      "server",
      [...common, "--port", "0", "--record", "demo.avi"],
      (line) => {
        const port = /^(?:LISTENING ON|ESCUTANDO EM): \(.*, (\d+)\)$/.exec(line)?.[1];
        if (port) listening.resolve(port);
        file = /: (demo(?:-\d+)?\.avi) \(/.exec(line)?.[1] ?? file;
      },
    );
    running.push(server);
    server.ended.then(() => listening.resolve(undefined));
    const port = await listening.promise;
    if (interrupted) {
      await server.ended;
      return 130;
    }
    if (late) throw new DemoError(sentences.late);
    if (port === undefined) throw new DemoError(sentences.unlistened);

    const client = new Running(
      "client",
      [...common, "--port", port, "--input", "test", "--duration", `${SECONDS}`],
      () => {},
    );
    running.push(client);
    const called = await client.ended;
    // Where no call was made, the server would wait for another one.
    if (called !== 0) server.signal("SIGTERM");
    const answered = await server.ended;
    if (interrupted) return 130;
    if (late) throw new DemoError(sentences.late);
    if (called !== 0) throw new DemoError(sentences.status("client", called));
    if (answered !== 0) throw new DemoError(sentences.status("server", answered));
    if (file === undefined) throw new DemoError(sentences.unnamed);

    const found = await probe(file, language);
    console.log("");
    console.log(formatFound(file, found, language));
    const asItShould = found.codec === "mpeg4 (XVID)" && found.size === "320x240" &&
      found.fps === FPS && found.frames >= FRAMES * ENOUGH && found.frames <= FRAMES / ENOUGH;
    if (!asItShould) throw new DemoError(sentences.other(file));
    console.log("");
    console.log(sentences.end);
    return 0;
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    console.error(error.message);
    return 1;
  } finally {
    if (!interrupted && !late) stop();
    await Promise.all(running.map(({ ended }) => ended));
    timers.forEach(clearTimeout);
  }
}

/** Reads the recording back, every frame of it. */
async function probe(file: string, language: Language): Promise<Found> {
  const entries =
    "stream=codec_name,codec_tag_string,width,height,r_frame_rate,nb_read_frames,duration:format=size";
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("ffprobe", {
      args: ["-v", "error", "-count_frames", "-show_entries", entries, "-of", "json", file],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const install = installCommand(Deno.build.os);
    throw new DemoError(messagesIn(language).notInstalled("ffprobe", install));
  }
  const decoder = new TextDecoder();
  if (!output.success) {
    const detail = decoder.decode(output.stderr).trim();
    throw new DemoError(SENTENCES[language].unreadable(file, detail));
  }
  const { streams: [video], format } = JSON.parse(decoder.decode(output.stdout));
  const [numerator, denominator] = video.r_frame_rate.split("/").map(Number);
  return {
    codec: `${video.codec_name} (${video.codec_tag_string})`,
    size: `${video.width}x${video.height}`,
    fps: numerator / denominator,
    frames: Number(video.nb_read_frames),
    seconds: Number(video.duration),
    bytes: Number(format.size),
  };
}

/** What was found, a line each, with the names of the rows in front. */
function formatFound(file: string, found: Found, language: Language): string {
  const { found: title, rows, fps } = SENTENCES[language];
  const number = new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en");
  const values = [
    file,
    found.codec,
    found.size,
    `${number.format(found.fps)} ${fps}`,
    number.format(found.frames),
    `${number.format(found.seconds)} s`,
    `${number.format(found.bytes)} bytes`,
  ];
  const width = Math.max(...rows.map((row) => row.length));
  return [title, ...rows.map((row, at) => `  ${row.padEnd(width)}  ${values[at]}`)].join("\n");
}

/** The lines of a stream, as they come. */
async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + text).split(/\r?\n/);
    rest = whole.pop()!;
    yield* whole;
  }
  if (rest !== "") yield rest;
}

if (import.meta.main) {
  const language = systemLanguage((name) => Deno.env.get(name), navigator.language);
  Deno.exitCode = await run(Deno.args, language);
}
