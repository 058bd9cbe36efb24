/**
 * `deno task demo`: a real call on this machine. Starts `server` and `client` as two processes
 * under their own rights. They talk over 127.0.0.1 for five seconds, both with a moving test picture
 * that flashes and ticks each second. Shows the words of both, and then the findings of ffprobe in the recording. In windows, if there
 * is a screen.
 */

// deno-lint-ignore-file no-console

import { displayDriver } from "../lib/media/display.ts";
import {
  installCommand,
  type Language,
  messagesIn,
  systemLanguage,
} from "../lib/user/sentences.ts";
import type { Program } from "../lib/user/command_line.ts";
import { commandLine } from "./kit/programs.ts";
import { type Probe, probe } from "./kit/recording.ts";
import { Running } from "./kit/running.ts";

/** The seconds of the call, and its frames at the rate that both programs choose by themselves. */
const SECONDS = 5;
const FPS = 20;
const FRAMES = SECONDS * FPS;

/** The part of the frames that has to be in the recording. */
const ENOUGH = 0.9;

/** Milliseconds until the demo is given up, and then until the remaining processes are killed. */
const PATIENCE_MS = 30_000;
const KILL_MS = 10_000;

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
      `${file} is not as it should be: ${FRAMES} frames of 320x240 in mpeg4 (XVID), ${FPS} a second, with sound, were to be in it.`,
    found: "In the recording, as ffprobe reads it:",
    rows: ["file", "codec", "picture", "rate", "frames", "duration", "sound", "size"],
    none: "none",
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
      `${file} não está como deveria: seriam ${FRAMES} quadros de 320x240 em mpeg4 (XVID), ${FPS} por segundo, com som.`,
    found: "Na gravação, como o ffprobe a lê:",
    rows: ["arquivo", "codec", "imagem", "taxa", "quadros", "duração", "som", "tamanho"],
    none: "nenhum",
    fps: "quadros por segundo",
    end: "Entre dois computadores: digite deno task serve em um, e o que ele mostra no outro.",
  },
} as const;

/** A failure of the demo, in a sentence for the user. */
class DemoError extends Error {}

/** Starts one of the two programs. All its output is shown line by line, with its name in front. */
function start(
  program: Program,
  args: readonly string[],
  onLine: (line: string) => void = () => {},
): Running {
  return new Running(commandLine(program, args), {
    env: "inherited",
    onLine(line): void {
      console.log(`${program} | ${line}`);
      onLine(line);
    },
  });
}

async function run(args: readonly string[], language: Language): Promise<number> {
  const sentences = SENTENCES[language];
  if (args.some((word) => word !== "--no-display")) {
    console.error(sentences.usage);
    return 2;
  }
  const variable = (name: string): string | undefined => Deno.env.get(name);
  const windows = args.length === 0 && displayDriver(Deno.build.os, variable) !== undefined;
  const common = [
    ...["--host", "127.0.0.1", "--input", "test", "--microphone", "test", "--codec", "raw"],
    ...(windows ? [] : ["--no-display"]),
  ];
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
      // On Windows the terminal has told them. To kill them would cost the recording its end.
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
    const server = start(
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

    const client = start("client", [
      ...[...common, "--port", port, "--duration", `${SECONDS}`],
    ]);
    running.push(client);
    const { code: called } = await client.ended;
    // Without a call, the server would wait for another one.
    if (called !== 0) server.signal("SIGTERM");
    const { code: answered } = await server.ended;
    if (interrupted) return 130;
    if (late) throw new DemoError(sentences.late);
    if (called !== 0) throw new DemoError(sentences.status("client", called));
    if (answered !== 0) throw new DemoError(sentences.status("server", answered));
    if (file === undefined) throw new DemoError(sentences.unnamed);

    const video = await found(file, language);
    console.log("");
    const { size } = await Deno.stat(file);
    console.log(formatFound({ file, size, ...video }, language));
    const { codec, tag, width, height, frames, sound } = video;
    const asItShould = sound !== undefined && codec === "mpeg4" && tag === "XVID" &&
      width === 320 && height === 240 &&
      fpsOf(video) === FPS && frames >= FRAMES * ENOUGH && frames <= FRAMES / ENOUGH;
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
async function found(file: string, language: Language): Promise<Probe> {
  try {
    return await probe(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw new DemoError(SENTENCES[language].unreadable(file, (error as Error).message));
    }
    const install = installCommand(Deno.build.os);
    throw new DemoError(messagesIn(language).notInstalled("ffprobe", install));
  }
}

/** The frames a second that ffprobe gives as a fraction. */
function fpsOf({ rate }: Probe): number {
  const [numerator, denominator] = rate.split("/").map(Number);
  return numerator! / denominator!;
}

/** The findings, a line each, with the names of the rows in front. */
function formatFound(
  video: Probe & { readonly file: string; readonly size: number },
  language: Language,
): string {
  const { found: title, rows, fps, none } = SENTENCES[language];
  const number = new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en");
  const values = [
    video.file,
    `${video.codec} (${video.tag})`,
    `${video.width}x${video.height}`,
    `${number.format(fpsOf(video))} ${fps}`,
    number.format(video.frames),
    `${number.format(video.seconds)} s`,
    video.sound ?? none,
    `${number.format(video.size)} bytes`,
  ];
  const width = Math.max(...rows.map((row) => row.length));
  return [title, ...rows.map((row, at) => `  ${row.padEnd(width)}  ${values[at]}`)].join("\n");
}

if (import.meta.main) {
  const language = systemLanguage((name) => Deno.env.get(name), navigator.language);
  Deno.exitCode = await run(Deno.args, language);
}
