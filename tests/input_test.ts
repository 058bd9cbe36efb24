/**
 * Inputs that are no cameras: names, lists, streams, films and pictures, through the real ffmpeg.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { openSource, type SourceOptions } from "../lib/media/capture.ts";
import { outputArguments } from "../lib/media/conversion.ts";
import { nowUs } from "../lib/clock.ts";
import { NoCameraError, SourceError } from "../lib/errors.ts";
import { DEFAULT_FORMAT, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import {
  causeOf,
  diagnose,
  guardArguments,
  inputWays,
  InputWords,
  isSentToUs,
  paceOf,
} from "../lib/media/input.ts";
import { recorderArguments } from "../lib/media/recorder_arguments.ts";
import type { Source } from "../lib/frame/source.ts";
import { temporaryFolder } from "./harness.ts";
import { paintNumber, readPicture, writeNumbers } from "./numbered.ts";
import { serveFiles, servePictures, serveProgram, serveRtsp } from "./streams.ts";
import { test } from "./strict.ts";

const never = new AbortController().signal;
const SMALL: VideoFormat = { kind: "video", codec: "raw", width: 64, height: 48, fps: 20 };

async function runFfmpeg(
  args: readonly string[],
  input = new Uint8Array(),
): Promise<Uint8Array<ArrayBuffer>> {
  const child = new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostats", "-loglevel", "error", "-y", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const feeding = new Response(input as Uint8Array<ArrayBuffer>).body!.pipeTo(child.stdin)
    .catch(() => {});
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), feeding]);
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return stdout;
}

function open(input: string, options: Partial<SourceOptions> = {}): Promise<Source> {
  const standard = { format: SMALL, mirror: false, system: "linux" } as const;
  return openSource({ ...standard, ...options, from: { input } }, never);
}

/** The first frames of an input, with the moments at which they came. */
async function framesOf(
  input: string,
  most: number,
  options: Partial<SourceOptions> = {},
): Promise<{ readonly frame: Frame; readonly atUs: number }[]> {
  const frames: { frame: Frame; atUs: number }[] = [];
  await using source = await open(input, options);
  for await (const frame of source.frames()) {
    frames.push({ frame, atUs: nowUs() });
    if (frames.length === most) break;
  }
  return frames;
}

function numbersOf(frames: readonly { readonly frame: Frame }[]): number[] {
  return frames.map(({ frame }) => readPicture(frame.data, SMALL).number);
}

/** The numbers of a second of film, and a file of them. */
const SECOND = Array.from({ length: 20 }, (_, index) => index * 37);

async function failureOf(input: string): Promise<SourceError> {
  return await assertRejects(() => open(input), SourceError);
}

test("names: a file first, whatever ffmpeg's syntax makes of it; URLs as they are", () => {
  const names = (input: string, system = "linux"): string[] =>
    inputWays(input, system).map(({ args }) => args.at(-1)!);
  assertEquals(names("film.mp4"), ["file:film.mp4"]);
  assertEquals(names("-x.mp4"), ["file:-x.mp4"]);
  assertEquals(names("aula:1.webm"), ["file:aula:1.webm", "aula:1.webm"]);
  assertEquals(names("concat:a|b"), ["file:concat:a|b", "concat:a|b"]);
  assertEquals(names("2026-11-24T13:19:57.mp4"), ["file:2026-11-24T13:19:57.mp4"]);
  assertEquals(names("C:\\filmes\\a.mp4", "windows"), ["file:C:\\filmes\\a.mp4"]);
  assertEquals(names("http://a/b c.mp4"), ["http://a/b c.mp4"]);
  assertEquals(names("/dev/video2"), ["/dev/video2"]);
  assertEquals(names("foto%d.png"), ["file:foto%d.png", "file:foto%d.png"]);
  assertEquals(names("film%d.mp4"), ["file:film%d.mp4"]);
  const [decoded] = names("file:///home/ana/meu%20v%C3%ADdeo.webm");
  assertEquals(decoded, "file:/home/ana/meu vídeo.webm");
  assertEquals(names("file://localhost/a.mp4")[0], "file:/a.mp4");
  assertEquals(names("file:a%20b.mp4"), ["file:a%20b.mp4", "file:a b.mp4"]);
  assertEquals(names("file:100%.mp4"), ["file:100%.mp4"]);
  assertEquals(names("file:///C:/a%20b.mp4", "windows")[0], "file:C:/a b.mp4");
  assertEquals(names("file:///C|/a.mp4", "windows")[0], "file:C:/a.mp4");
  assertEquals(names("file://server/share/a.mp4", "windows")[0], "file://server/share/a.mp4");
});

test("names: each of them is opened", async () => {
  await using folder = await temporaryFolder();
  const film = `${folder.path}/film.mkv`;
  await writeNumbers(film, SECOND, SMALL);
  const picture = `${folder.path}/picture.png`;
  await runFfmpeg(["-i", film, "-frames:v", "1", picture]);
  const names = ["aula:1.mkv", "T13:19:57.mkv", "concat:a.mkv", "udp:x.mkv", "-x.mkv", "100%.mkv"];
  const pictures = ["shot%d.png", "shot%03d*[1].png"];
  for (const name of names) await Deno.copyFile(film, `${folder.path}/${name}`);
  for (const name of pictures) await Deno.copyFile(picture, `${folder.path}/${name}`);
  const url = new URL(`file://${folder.path}/meu vídeo.mkv`).href;
  await Deno.copyFile(film, `${folder.path}/meu vídeo.mkv`);
  const inputs = [...names, ...pictures].map((name) => `${folder.path}/${name}`);
  await Promise.all([...inputs, url].map(async (input) => {
    assertEquals(numbersOf(await framesOf(input, 1)), [0], input);
  }));
  // A name is tried as a protocol only if it stands at the beginning.
  const here = Deno.cwd();
  const own = `chamada-test-${crypto.randomUUID()}:1.mkv`;
  await Deno.copyFile(film, `${here}/${own}`);
  try {
    assertEquals(numbersOf(await framesOf(own, 1)), [0]);
  } finally {
    await Deno.remove(`${here}/${own}`);
  }
  assertEquals((await failureOf("aula:9.mkv")).kind, "missing");
});

test("names: several pictures with numbers are still a film", async () => {
  await using folder = await temporaryFolder();
  const film = `${folder.path}/film.mkv`;
  await writeNumbers(film, [7, 8, 9], SMALL);
  await runFfmpeg(["-i", film, `${folder.path}/shot%d.png`]);
  const numbers = numbersOf(await framesOf(`${folder.path}/shot%d.png`, 3));
  assertEquals([numbers[0], numbers.length > 1], [7, true]);
});

const HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\nPATH\n#EXT-X-ENDLIST\n";
const CONCAT = "ffconcat version 1.0\nfile 'PATH'\n";
const SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
  "m=video 5 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";

test("lists: a text that names other files is opened only if its own name says so", async () => {
  await using folder = await temporaryFolder();
  const secret = `${folder.path}/secret.ts`;
  await writeNumbers(`${folder.path}/film.mkv`, SECOND, SMALL);
  await runFfmpeg(["-i", `${folder.path}/film.mkv`, "-c:v", "libx264", secret]);
  const dash = ["-c:v", "libx264", "-f", "dash", `${folder.path}/real.mpd`];
  await runFfmpeg(["-i", `${folder.path}/film.mkv`, ...dash]);
  const texts = {
    "hls.mp4": HLS.replace("PATH", "secret.ts"),
    "hls.m3u8": HLS.replace("PATH", "secret.ts"),
    "absolute.avi": HLS.replace("PATH", secret),
    "concat.webm": CONCAT.replace("PATH", "secret.ts"),
    "concat.ffconcat": CONCAT.replace("PATH", "secret.ts"),
    "stream.mkv": SDP,
    "dash.mp4": await Deno.readTextFile(`${folder.path}/real.mpd`),
    none: HLS.replace("PATH", "secret.ts"),
  };
  for (const [name, text] of Object.entries(texts)) {
    await Deno.writeTextFile(`${folder.path}/${name}`, text);
  }
  for (const name of ["hls.mp4", "absolute.avi", "concat.webm", "stream.mkv", "dash.mp4", "none"]) {
    assertEquals((await failureOf(`${folder.path}/${name}`)).kind, "list", name);
  }
  for (const name of ["hls.m3u8", "concat.ffconcat", "real.mpd"]) {
    assertEquals(numbersOf(await framesOf(`${folder.path}/${name}`, 1)), [0], name);
  }
  // Behind a URL a list may lead on, but to no file of this machine.
  await using files = serveFiles(folder.path);
  assertEquals(numbersOf(await framesOf(`${files.url}/hls.mp4`, 1)), [0]);
  const local = { "a.m3u8": HLS, "b.mp4": HLS, "c.ffconcat": CONCAT };
  for (const [name, text] of Object.entries(local)) {
    await Deno.writeTextFile(`${folder.path}/${name}`, text.replace("PATH", `file:${secret}`));
    await failureOf(`${files.url}/${name}`);
  }
}, { slow: true });

test("lists: an unusual format that opens no other file is opened, under any name", async () => {
  await using folder = await temporaryFolder();
  for (const format of ["smjpeg", "yuv4mpegpipe"]) {
    const path = `${folder.path}/${format}.film`;
    const picture = "color=white:size=64x48:rate=20:duration=0.2";
    await runFfmpeg(["-f", "lavfi", "-i", picture, "-f", format, path]);
    assertGreater((await framesOf(path, 2)).length, 0, format);
  }
  const [way] = inputWays("x.mp4", "linux");
  assertMatch(guardArguments(way!, "smjpeg").join(" "), /^-format_whitelist mov,.*,smjpeg$/);
});

/** JPEGs that show the numbers from 0 on. */
async function numberedJpegs(count: number): Promise<Uint8Array<ArrayBuffer>[]> {
  const { width, height } = SMALL;
  const size = `${width}x${height}`;
  const raw = new Uint8Array(width * height * 3 * count);
  for (let n = 0; n < count; n++) raw.set(paintNumber(n, SMALL), n * width * height * 3);
  const input = ["-f", "rawvideo", "-pixel_format", "bgr24", "-video_size", size, "-i", "pipe:0"];
  const all = await runFfmpeg([...input, "-c:v", "mjpeg", "-q:v", "2", "-f", "avi", "pipe:1"], raw);
  const view = new DataView(all.buffer);
  const jpegs: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at + 12 < all.length; at++) {
    // "00dc", a length, and the beginning of a JPEG.
    if (view.getUint32(at) !== 0x30306463 || view.getUint16(at + 8) !== 0xffd8) continue;
    jpegs.push(all.slice(at + 8, at + 8 + view.getUint32(at + 4, true)));
  }
  assertEquals(jpegs.length, count);
  return jpegs;
}

test(
  "camera over http: what it gives comes, up to the rate, whatever times ffmpeg makes up",
  async () => {
    const jpegs = await numberedJpegs(400);
    await Promise.all([[10, 10], [15, 20], [20, 20], [40, 20]].map(async ([gives, fps]) => {
      await using camera = servePictures(jpegs, { fps: gives!, jitter: 0.4 });
      const format = { ...SMALL, fps: fps! };
      const most = 4 * Math.min(gives!, fps!);
      const frames = await framesOf(camera.url, most, { format });
      const numbers = numbersOf(frames);
      assertEquals(numbers, [...new Set(numbers)].sort((a, b) => a - b));
      const given = numbers.at(-1)! - numbers[0]! + 1;
      const seconds = (frames.at(-1)!.atUs - frames[0]!.atUs) / 1e6;
      const what = `${gives} a second at ${fps}: ${most} of ${given} in ${seconds} s`;
      // On a machine with much to do the camera itself is slower. All of its pictures have to come.
      assertGreaterOrEqual(most, 0.9 * Math.min(given, seconds * fps!), what);
      assertLess(most, seconds * fps! + fps! / 4 + 2, what);
    }));
  },
  { slow: true, quiet: true },
);

test(
  "a stream that is live is sent as it comes, in bundles too, and not from its beginning",
  async () => {
    const encoders = {
      flv: ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "20"],
      mpegts: ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "20"],
      matroska: ["-c:v", "libvpx", "-deadline", "realtime", "-g", "20", "-lag-in-frames", "0"],
      mpjpeg: ["-c:v", "mjpeg"],
    };
    await using folder = await temporaryFolder();
    const film = `${folder.path}/film.mkv`;
    await writeNumbers(film, Array(400).keys(), SMALL);
    const endings: Record<string, string> = { mpegts: "ts", matroska: "mkv", mpjpeg: "mjpg" };
    await Promise.all(
      Object.entries(encoders).map(async ([format, encoder]) => {
        await using stream = serveProgram("ffmpeg", [
          ...["-loglevel", "error", "-nostdin", "-re", "-i", film, ...encoder],
          ...["-pix_fmt", format === "mpjpeg" ? "yuvj420p" : "yuv420p", "-flush_packets", "1"],
          ...["-f", format, "pipe:1"],
        ], format === "mpjpeg" ? "multipart/x-mixed-replace;boundary=ffmpeg" : "video/x");
        const frames = await framesOf(`${stream.url}/live.${endings[format] ?? format}`, 60);
        const numbers = numbersOf(frames);
        const last = frames.at(-1)!;
        const behind = (last.atUs - stream.askedUs()) / 1e6 - numbers.at(-1)! / 20;
        // The stream has 20 s, and is looked at for 3 s. The encoder itself takes a part of a
        // second to start.
        assertLess(behind, 3.5, `${format} is ${behind} s behind`);
        assertGreater(new Set(numbers).size, 45, `${format}: ${numbers}`);
        const seconds = (last.frame.captureUs - frames[0]!.frame.captureUs) / 1e6;
        assert(seconds > 2 && seconds < 4.5, `${format}: 60 frames in ${seconds} s`);
      }),
    );
  },
  { slow: true, quiet: true },
);

test(
  "a film behind http has its own speed, however its server speaks and whatever its name",
  async () => {
    await using folder = await temporaryFolder();
    const film = `${folder.path}/film.mkv`;
    await writeNumbers(film, SECOND, SMALL);
    const flags = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "5"];
    await runFfmpeg(["-i", film, ...flags, `${folder.path}/film.ts`]);
    await runFfmpeg(["-i", film, ...flags, `${folder.path}/film.flv`]);
    await runFfmpeg(["-i", film, ...flags, "-f", "mp4", `${folder.path}/download`]);
    await using files = serveFiles(folder.path);
    await using bare = serveFiles(folder.path, { length: false });
    const urls = [
      ...["film.mkv", "film.ts", "film.flv", "download"].map((name) => `${files.url}/${name}`),
      ...["film.mkv", "film.ts", "film.flv"].map((name) => `${bare.url}/${name}`),
    ];
    await Promise.all(urls.map(async (url) => {
      const frames = await framesOf(url, 100);
      assertEquals(numbersOf(frames), SECOND, url);
      const times = frames.map(({ frame }) => frame.captureUs - frames[0]!.frame.captureUs);
      assertEquals(times.at(-1), 950_000, url);
      assertGreaterOrEqual(frames.at(-1)!.atUs - frames[0]!.atUs, 900_000, url);
    }));
  },
  { slow: true },
);

test("one picture is held until somebody hangs up, in every format, from a URL too", async () => {
  await using folder = await temporaryFolder();
  const film = `${folder.path}/film.mkv`;
  await writeNumbers(film, [4097], SMALL);
  for (const name of ["one.png", "one.jpg", "one.bmp", "one.mp4"]) {
    await runFfmpeg(["-i", film, "-frames:v", "1", `${folder.path}/${name}`]);
  }
  await runFfmpeg(["-i", film, "-final_delay", "30", `${folder.path}/one.gif`]);
  await using files = serveFiles(folder.path);
  const names = ["one.png", "one.jpg", "one.bmp", "one.mp4", "one.gif"];
  await Promise.all([
    ...names.map((name) => `${folder.path}/${name}`),
    `${files.url}/one.jpg`,
  ].map(async (input) => {
    const frames = await framesOf(input, 15);
    assertEquals(numbersOf(frames), Array(15).fill(4097), input);
    const last = frames.at(-1)!.frame;
    assertEquals(last.captureUs - frames[0]!.frame.captureUs, 700_000, input);
  }));
  for (const codec of ["mjpeg", "h264"] as const) {
    const frames = await framesOf(`${folder.path}/one.png`, 15, { format: { ...SMALL, codec } });
    assertEquals(frames.length, 15);
    assert(frames.every(({ frame }) => frame.data.length > 0));
  }
});

test("two pictures are a film, and a film of one colour is one too", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/still.mkv`;
  const picture = "color=white:size=64x48:rate=20:duration=0.5";
  await runFfmpeg(["-f", "lavfi", "-i", picture, "-c:v", "ffv1", path]);
  assertEquals((await framesOf(path, 100)).length, 10);
});

test("of several sizes the largest is sent, and a film rather than its cover", async () => {
  await using folder = await temporaryFolder();
  const make = async (colour: string, size: string, name: string, ...rest: string[]) =>
    await runFfmpeg([
      ...["-f", "lavfi", "-i", `color=${colour}:size=${size}:rate=20:duration=1`],
      ...["-c:v", "libx264", "-pix_fmt", "yuv420p", ...rest, `${folder.path}/${name}`],
    ]);
  const hls = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "0"];
  await make("red", "64x48", "low.m3u8", ...hls);
  await make("blue", "320x240", "high.m3u8", ...hls);
  await Deno.writeTextFile(
    `${folder.path}/all.m3u8`,
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=64x48\nlow.m3u8\n" +
      "#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x240\nhigh.m3u8\n",
  );
  await make("red", "64x48", "low.ts");
  await make("blue", "320x240", "high.ts");
  const [low, high] = ["low.ts", "high.ts"].map((name) => ["-i", `${folder.path}/${name}`]);
  const both = ["-map", "0", "-map", "1", "-c", "copy"];
  await runFfmpeg([...low!, ...high!, ...both, `${folder.path}/both.ts`]);
  await make("red", "640x480", "cover.png", "-frames:v", "1", "-c:v", "png");
  await runFfmpeg([
    ...["-i", `${folder.path}/cover.png`, ...high!, ...both],
    ...["-disposition:v:0", "attached_pic", `${folder.path}/cover.mp4`],
  ]);
  for (const name of ["all.m3u8", "both.ts", "cover.mp4"]) {
    const [first] = await framesOf(`${folder.path}/${name}`, 1);
    const [blue, , red] = first!.frame.data;
    assert(blue! > 200 && red! < 60, `${name}: ${blue} blue, ${red} red`);
  }
});

test(
  "a stream that takes long to give its first picture is waited for, and that is said",
  async () => {
    const jpegs = await numberedJpegs(3);
    await using camera = servePictures(jpegs, { fps: 5, firstMs: 11_500 });
    const waiting: string[] = [];
    const onWaiting = (name: string): void => void waiting.push(name);
    const url = camera.url.replace("//", "//ana:sesame@");
    const frames = await framesOf(url, 2, { onWaiting });
    assertEquals(frames.length, 2);
    assertEquals(waiting, [camera.url.replace("//", "//…@")]);
  },
  { slow: true },
);

test("RTSP whose datagrams get lost is read over TCP", async () => {
  await using folder = await temporaryFolder();
  const film = `${folder.path}/film.mkv`;
  await writeNumbers(film, Array(200).keys(), SMALL);
  await using camera = await serveRtsp(film, folder.path);
  const numbers = numbersOf(await framesOf(camera.url, 20));
  assertGreater(new Set(numbers).size, 15);
  assertEquals(camera.asked, ["RTP/AVP/TCP"]);
});

test("RTSP is asked for TCP first, and no stream for a file of this machine", () => {
  const [way] = inputWays("rtsp://ana:x@host/door", "linux");
  const { args, pace } = way!;
  assertEquals(args[args.indexOf("-rtsp_flags") + 1], "prefer_tcp");
  assertEquals(pace, "live");
  for (const url of ["rtsp://a/b", "ftp://a/b.mp4", "tcp://a:1", "rtmp://a/b", "srt://a:1"]) {
    const { args } = inputWays(url, "linux")[0]!;
    const protocols = args[args.indexOf("-protocol_whitelist") + 1]!.split(",");
    assert(protocols.includes(url.split(":")[0]!) && !protocols.includes("file"), url);
  }
});

test("pace: streams that are sent to us are live, files are files, and a URL tells later", () => {
  const pace = (input: string): string => inputWays(input, "linux").at(-1)!.pace;
  const live = ["rtsp://a/b", "RTSPS://x", "udp://@:5000", "srt://x:9", "tcp://a:9?listen"];
  for (const input of [...live, "rtp://x:1", "/dev/video2"]) assertEquals(pace(input), "live");
  const files = ["film.mp4", "file:a.mp4", "C:\\udp.avi", "/tmp/udp:x.avi", "list.m3u8"];
  for (const input of files) assertEquals(pace(input), "file", input);
  for (const input of ["http://a/b", "https://x/video.mp4?token=1", "ftp://a/b.mp4"]) {
    assertEquals(pace(input), "unknown");
  }
  assertEquals(paceOf({ format: "mpjpeg", whole: false }), "live");
  assertEquals(paceOf({ format: "hls", whole: false }), "file");
  assertEquals(paceOf({ format: "flv", whole: true }), "file");
  assertEquals(paceOf({ format: "flv", whole: false }), "unknown");
});

test("ffmpeg's description: a film has a duration and a size, a stream lacks one of them", async () => {
  const described = async (...lines: string[]) => {
    const words = new InputWords();
    for (const line of lines) words.hear(line);
    return await words.described;
  };
  const input = "[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'http://a/b':";
  const format = "mov,mp4,m4a,3gp,3g2,mj2";
  const whole = "[info]   Duration: 00:00:10.00, start: 0.000000, bitrate: 654 kb/s";
  assertEquals(await described(input, whole), { format, whole: true });
  for (
    const duration of [
      "[info]   Duration: 00:00:02.00, start: 0.000000, bitrate: N/A",
      "[info]   Duration: 00:00:00.00, start: 0.000000, bitrate: 800 kb/s",
      "[info]   Duration: N/A, start: 1.400000, bitrate: N/A",
      "[info]   Duration: N/A, bitrate: N/A",
    ]
  ) assertEquals((await described(input, duration)).whole, false, duration);
});

test("verdict: what goes on to come ahead of its time is a film, what stays as far ahead is live", () => {
  const verdict = (leads: readonly (readonly [number, number])[], atMs: number) => {
    const words = new InputWords();
    for (const [ms, lead] of leads) words.hear(`[Eval @ 0x7f] [info] ${lead.toFixed(6)}`, ms);
    return words.verdict(0, atMs);
  };
  const steady = Array.from({ length: 40 }, (_, index) => [index * 50, 6] as const);
  const film = Array.from({ length: 80 }, (_, index) => [index * 50, index * 0.2] as const);
  assertEquals(verdict(steady, 900), undefined);
  assertEquals(verdict(steady, 1100), "live");
  assertEquals(verdict([[100, 0], [900, 5.5]], 1600), "live");
  assertEquals(verdict(film.slice(0, 30), 1500), undefined);
  assertEquals(verdict(film.slice(0, 61), 3050), "file");
  assertEquals(verdict([[10, 5], [20, 31]], 30), "file");
  assertEquals(verdict([], 1100), "live");
  assertEquals(verdict([[100, NaN]], 1100), "live");
});

const MOV = "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x559af3d27980] ";

test("causes: the line that says why, not what followed from it", () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ["moov atom not found", "unreadable", [
      `${MOV}[warning] Format mov detected only with low score of 1, misdetection possible!`,
      `${MOV}[error] moov atom not found`,
      "[error] file:cut.mp4: Invalid data found when processing input",
    ]],
    ["moov atom not found", "unreadable", [
      `${MOV}[error] moov atom not found`,
      "[in#0 @ 0x5581] [error] Error opening input: Invalid data found when processing input",
      "[error] Error opening input file file:cut.mp4.",
      "[error] Error opening input files: Invalid data found when processing input",
    ]],
    ["HTTP error 404 Not Found", "missing", [
      "[http @ 0x5567c0920180] [warning] HTTP error 404 Not Found",
      "[error] http://a/x.mp4: Server returned 404 Not Found",
    ]],
    ["HTTP error 401 Unauthorized", "forbidden", [
      "[http @ 0x557959690180] [warning] HTTP error 401 Unauthorized",
      "[error] http://a/x: Server returned 401 Unauthorized (authorization failed)",
    ]],
    ["HTTP error 503 Service Unavailable", "unreadable", [
      "[http @ 0x562924997180] [warning] HTTP error 503 Service Unavailable",
      "[error] http://a/x: Server returned 5XX Server Error reply",
    ]],
    ["Failed to resolve hostname nosuch.invalid: Name or service not known", "unreadable", [
      "[tcp @ 0x560d72b08f40] [error] Failed to resolve hostname nosuch.invalid: Name or service not known",
      "[error] http://nosuch.invalid/x: Input/output error",
    ]],
    ["An unexpected TLS packet was received.", "unreadable", [
      "[tls @ 0x5637a07e1f40] [error] An unexpected TLS packet was received.",
      "[error] https://127.0.0.1:8933/x: Input/output error",
    ]],
    ["Connection to tcp://a:9 failed: Connection refused", "unreadable", [
      "[tcp @ 0x56479b698f40] [error] Connection to tcp://a:9 failed: Connection refused",
      "[error] http://a:9/x: Connection refused",
    ]],
    ["Output file #0 does not contain any stream", "unreadable", [
      "[warning] Guessed Channel Layout for Input Stream #0.0 : mono",
      "[error] Output file #0 does not contain any stream",
    ]],
    ["file:x.mp4: Invalid data found when processing input", "unreadable", [
      "[error] file:x.mp4: Invalid data found when processing input",
    ]],
    ["Format not on whitelist 'mov,avi'", "list", [
      "[hls @ 0x55f1429a1a00] [error] Format not on whitelist 'mov,avi'",
      "[error] file:x.mp4: Invalid argument",
    ]],
    ["", "unreadable", []],
  ];
  for (const [cause, kind, lines] of cases) {
    assertEquals([causeOf(lines), diagnose(lines)], [cause, kind], lines.join("\n"));
  }
});

test("causes: as the real ffmpeg tells them", async () => {
  await using folder = await temporaryFolder();
  const film = `${folder.path}/film.mp4`;
  const picture = "testsrc2=size=64x48:rate=20:duration=1";
  await runFfmpeg(["-f", "lavfi", "-i", picture, "-c:v", "libx264", film]);
  const bytes = await Deno.readFile(film);
  await Deno.writeFile(`${folder.path}/cut.mp4`, bytes.subarray(0, bytes.length / 2));
  await using files = serveFiles(folder.path);
  const { port } = new URL(files.url);
  const cases: readonly (readonly [string, SourceError["kind"], RegExp])[] = [
    [`${folder.path}/cut.mp4`, "unreadable", /^moov atom not found$/],
    [`${files.url}/cut.mp4`, "unreadable", /^moov atom not found$/],
    [`${folder.path}/none.mp4`, "missing", /^No such file or directory$/],
    [`${files.url}/none.mp4`, "missing", /404 Not Found/],
    ["http://127.0.0.1:9/x.mp4", "unreadable", /Connection refused/],
    ["http://no-such-host.invalid/x.mp4", "unreadable", /no-such-host\.invalid/],
    [`https://127.0.0.1:${port}/film.mp4`, "unreadable", /TLS|SSL|tls/],
  ];
  await Promise.all(cases.map(async ([input, kind, detail]) => {
    const error = await failureOf(input);
    assertEquals(error.kind, kind, `${input}: ${error.detail}`);
    assertMatch(error.detail, detail, input);
  }));
});

test("no camera: where none was asked for and the first is not there, the others are told", async () => {
  const format = DEFAULT_FORMAT;
  const openFirst = (camera: string | undefined): Promise<Source> =>
    openSource(
      { from: { camera }, format, mirror: true, system: "windows" },
      never,
      () => Promise.resolve([{ index: 2, name: "C920", device: "C920" }]),
    );
  const error = await assertRejects(() => openFirst(undefined), NoCameraError);
  assertEquals(error.cameras.map(({ index, name }) => `${index}: ${name}`), ["2: C920"]);
  assertEquals((await assertRejects(() => openFirst("0"), SourceError)).kind, "none");
});

test("no camera: on Linux too, where the first one is a device file", async () => {
  const options = { format: DEFAULT_FORMAT, mirror: true, system: "linux" } as const;
  const error = await assertRejects(
    () => openSource({ from: { camera: undefined }, ...options }, never, () => Promise.resolve([])),
    NoCameraError,
  );
  assertEquals(error.cameras, []);
}, { ignore: Deno.build.os !== "linux" || exists("/dev/video0") });

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) && true;
  } catch {
    return false;
  }
}

/** Eight bars of 40 columns, red, green and blue. */
const BARS = [
  ...[[220, 20, 20], [20, 200, 20], [30, 30, 210], [220, 210, 20]],
  ...[[20, 200, 210], [210, 20, 200], [128, 128, 128], [224, 172, 138]],
];

/** The largest error of a channel of the bars in the middle of a picture of bgr24. */
function farthestOff(picture: Uint8Array): number {
  return Math.max(...BARS.flatMap((bar, index) => {
    const at = (120 * 320 + index * 40 + 20) * 3;
    const [blue, green, red] = picture.subarray(at, at + 3);
    return [red! - bar[0]!, green! - bar[1]!, blue! - bar[2]!].map(Math.abs);
  }));
}

test(
  "colours: at most 14 off in the recording, from every matrix, range and format, by every codec",
  async () => {
    await using folder = await temporaryFolder();
    const row = BARS.flatMap((bar) => Array(40).fill(bar).flat());
    const bars = new Uint8Array(320 * 240 * 3 * 5);
    for (let y = 0; y < 240 * 5; y++) bars.set(row, y * 320 * 3);
    const input = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", "320x240"];
    const x264 = ["-c:v", "libx264", "-crf", "8", "-preset", "ultrafast"];
    const source = async (name: string, ...args: string[]): Promise<string> => {
      const path = `${folder.path}/${name}`;
      await runFfmpeg([...input, "-framerate", "20", "-i", "pipe:0", ...args, path], bars);
      return path;
    };
    const tagged = async (matrix: string, range: string, pixels: string): Promise<string> => {
      const scale = `scale=out_color_matrix=${matrix}:out_range=${range},format=${pixels}`;
      const tags = matrix === "bt601" ? [] : ["-colorspace", matrix, "-color_primaries", matrix];
      return await source(
        `${matrix}-${range}-${pixels}.mp4`,
        ...["-vf", scale, ...x264, ...tags, "-color_range", range],
      );
    };
    const sources = [
      await tagged("bt601", "tv", "yuv420p"),
      await tagged("bt601", "pc", "yuv420p"),
      await tagged("smpte170m", "tv", "yuv422p"),
      await tagged("bt709", "tv", "yuv420p"),
      await tagged("bt709", "pc", "yuv420p"),
      await tagged("bt709", "tv", "yuv444p"),
      await source("rgb.mkv", "-c:v", "ffv1", "-pix_fmt", "bgr0"),
      await source("rgb.png", "-frames:v", "1"),
    ];
    for (const path of sources) {
      for (const codec of ["raw", "mjpeg", "h264"] as const) {
        const format: VideoFormat = { kind: "video", codec, width: 320, height: 240, fps: 20 };
        const sent = outputArguments(format, { mirror: false, live: false });
        const stream = await runFfmpeg(["-i", path, ...sent]);
        // The recorder does the same, out of the container that our ffmpeg writes.
        const file = `${folder.path}/video.avi`;
        const args = recorderArguments({ path: file, format, fps: 20, stamps: "capture" });
        const record = args.map((arg) => arg === "matroska" ? "avi" : arg).filter((arg) =>
          arg !== "-y"
        );
        await runFfmpeg(record, stream);
        const played = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"];
        const off = farthestOff(await runFfmpeg(["-i", file, ...played]));
        assert(off <= 14, `${path} by ${codec}: ${off} off`);
        if (codec === "raw") continue;
        const shown = farthestOff(
          await runFfmpeg(["-f", "avi", "-i", "pipe:0", ...played], stream),
        );
        assert(shown <= 14, `${path} by ${codec}: ${shown} off in the window`);
      }
    }
  },
  { slow: true },
);

test("isSentToUs() knows the streams that wait for whoever sends them", () => {
  for (
    const input of [
      "tcp://127.0.0.1:9000?listen",
      "tcp://0.0.0.0:9000?timeout=5&listen=1",
      "http://127.0.0.1:9000/x?listen=2",
      "srt://:9000?mode=listener",
    ]
  ) assert(isSentToUs(input), input);
  for (
    const input of [
      ...["tcp://127.0.0.1:9000", "tcp://127.0.0.1:9000?listen=0", "srt://a:9000?mode=caller"],
      ...["film.mp4?listen", "file:listen", "http://host/listen", "test"],
    ]
  ) assert(!isSentToUs(input), input);
});
