import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { openSource } from "../lib/media/capture.ts";
import { outputArguments } from "../lib/media/conversion.ts";
import {
  type Camera,
  cameraArguments,
  findCamera,
  listArguments,
  parseCameras,
  type System,
} from "../lib/media/devices.ts";
import { withoutSecrets } from "../lib/media/input.ts";
import { nowUs } from "../lib/clock.ts";
import { SourceError } from "../lib/errors.ts";
import { DEFAULT_FORMAT, rawFrameBytes, type VideoFormat } from "../lib/frame/format.ts";
import type { Frame } from "../lib/frame/frame.ts";
import { diagnose } from "../lib/media/input.ts";
import type { Source } from "../lib/frame/source.ts";
import { readPicture, type Size, writeNumbers } from "./numbered.ts";
import { canSeeProcesses, childrenWith, temporaryFolder } from "./harness.ts";
import { test } from "./strict.ts";

const SYSTEMS: readonly System[] = ["linux", "darwin", "windows"];

const never = new AbortController().signal;

/** The value behind an option, which must be there once and have one. */
function valueOf(args: readonly string[], option: string): string {
  assertEquals(args.filter((word) => word === option).length, 1, `${option} in ${args.join(" ")}`);
  return args[args.indexOf(option) + 1]!;
}

async function runFfmpeg(args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("ffmpeg", {
    args: ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

function open(
  input: string,
  { format = DEFAULT_FORMAT, mirror = false, signal = never }: {
    format?: VideoFormat;
    mirror?: boolean;
    signal?: AbortSignal;
  } = {},
): Promise<Source> {
  return openSource({ from: { input }, format, mirror, system: "linux" }, signal);
}

/** All the frames of an input, or its first ones. */
async function framesOf(
  input: string,
  options: { format?: VideoFormat; mirror?: boolean; most?: number } = {},
): Promise<Frame[]> {
  const frames: Frame[] = [];
  await using source = await open(input, options);
  for await (const frame of source.frames()) {
    frames.push(frame);
    if (frames.length === options.most) break;
  }
  return frames;
}

/** Blue, green and red at a pixel. */
function pixel({ data }: Frame, { width }: Size, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

/** True if a pixel is of that colour, but for the changes of an encoder and a scaler. */
function isColour(actual: readonly number[], wanted: readonly number[]): boolean {
  return wanted.every((channel, index) => Math.abs(actual[index]! - channel) < 40);
}

function assertColour(actual: readonly number[], wanted: readonly number[], where: string): void {
  assert(isColour(actual, wanted), `${where}: ${actual} in place of ${wanted} (blue, green, red)`);
}

const RED = [0, 0, 255];
const BLUE = [255, 0, 0];
const WHITE = [255, 255, 255];

const VGA: VideoFormat = { kind: "video", codec: "raw", width: 640, height: 480, fps: 30 };
const HD: VideoFormat = { kind: "video", codec: "raw", width: 1280, height: 720, fps: 25 };

test("camera arguments: every system is asked first for the size and the rate that are wanted", () => {
  for (const system of SYSTEMS) {
    const [first] = cameraArguments(system, "X", VGA);
    assertEquals(valueOf(first!, "-video_size"), "640x480");
    assertEquals(valueOf(first!, "-framerate"), "30");
    assertEquals(first!.at(-2), "-i");
  }
});

test("camera arguments: every system has its own device, as ffmpeg wants it", () => {
  for (const way of cameraArguments("linux", "/dev/video2", VGA)) {
    assertEquals(way.slice(0, 2), ["-f", "v4l2"]);
    assertEquals(way.slice(-2), ["-i", "/dev/video2"]);
  }
  for (const way of cameraArguments("darwin", "1", VGA)) {
    assertEquals(way.slice(0, 2), ["-f", "avfoundation"]);
    assertEquals(way.slice(-2), ["-i", "1:none"]);
  }
  for (const way of cameraArguments("windows", "Câmera (USB), HD", VGA)) {
    assertEquals(way.slice(0, 2), ["-f", "dshow"]);
    assertEquals(way.slice(-2), ["-i", "video=Câmera (USB), HD"]);
    assertEquals(valueOf(way, "-rtbufsize"), "64M");
  }
});

test("camera arguments: Linux asks for raw pictures up to 640x480, above for MJPEG first, then for anything", () => {
  const formats = (format: VideoFormat): boolean[] =>
    cameraArguments("linux", "/dev/video0", format).map((way) => way.includes("mjpeg"));
  assertEquals(formats(DEFAULT_FORMAT), [false, true, false]);
  assertEquals(formats(VGA), [false, true, false]);
  assertEquals(formats({ ...VGA, width: 641 }), [true, false, false]);
  assertEquals(formats(HD), [true, false, false]);
  const [jpeg] = cameraArguments("linux", "/dev/video0", HD);
  assertEquals(valueOf(jpeg!, "-input_format"), "mjpeg");
});

test("camera arguments: where size or rate are refused, the last way is without them", () => {
  assertEquals(cameraArguments("linux", "/dev/video0", VGA).at(-1), [
    ...["-f", "v4l2", "-i", "/dev/video0"],
  ]);
  assertEquals(cameraArguments("windows", "C", VGA).at(-1), [
    ...["-f", "dshow", "-rtbufsize", "64M", "-i", "video=C"],
  ]);
  const last = cameraArguments("darwin", "0", VGA).at(-1)!;
  assertEquals(last.includes("-video_size"), false);
  assertEquals(last.includes("-pixel_format"), false);
});

test("camera arguments: macOS always names a rate, for its default is refused by most cameras", () => {
  for (const format of [DEFAULT_FORMAT, VGA, HD]) {
    for (const way of cameraArguments("darwin", "0", format)) {
      assertMatch(valueOf(way, "-framerate"), /^\d+$/);
    }
  }
  assert(
    cameraArguments("darwin", "0", DEFAULT_FORMAT).some((way) =>
      valueOf(way, "-framerate") === "30"
    ),
  );
});

test("camera arguments: no two ways are the same, and none speaks of the output", () => {
  for (const system of SYSTEMS) {
    const ways = cameraArguments(system, "X", HD).map((way) => way.join(" "));
    assertEquals(new Set(ways).size, ways.length);
    for (const way of ways) assert(!/pipe:|-vf|-threads|-an/.test(way), way);
  }
});

test("output arguments: raw bgr24 on stdout, no sound, one thread so that no frame is held back", () => {
  const args = outputArguments(HD, { mirror: false, live: false });
  assertEquals(valueOf(args, "-f"), "rawvideo");
  assertMatch(valueOf(args, "-vf"), /,format=bgr24$/);
  assertEquals(valueOf(args, "-threads"), "1");
  assert(args.includes("-an"));
  assertEquals(args.at(-1), "pipe:1");
  assertEquals(args.includes("-i"), false);
});

test("output arguments: cropped to shape, never stretched, and mirrored where it is wanted", () => {
  const filters = (mirror: boolean): string =>
    valueOf(outputArguments(HD, { mirror, live: false }), "-vf");
  const shape = "scale='max(1280,round(720*dar))':'max(720,round(1280/dar))',setsar=1," +
    "crop=1280:720:exact=1";
  assertEquals(filters(false), `fps=25,${shape},format=bgr24`);
  assertEquals(filters(true), `fps=25,${shape},hflip,format=bgr24`);
});

test("output arguments: a picture whose pixels are not square has the shape in which it is meant to be seen", async () => {
  // A white disc of 150 pixels across in a picture of 4:3, stored at half its width.
  const disc = "lum='if(lt(hypot(X-320,Y-240),75),255,0)':cb=128:cr=128";
  const { stdout } = await new Deno.Command("ffmpeg", {
    args: [
      ...["-loglevel", "error", "-nostdin", "-f", "lavfi", "-i"],
      `color=size=640x480:duration=0.05,format=yuv444p,geq=${disc},scale=320:480,setsar=2/1`,
      ...outputArguments(DEFAULT_FORMAT, { mirror: false, live: false }),
    ],
    stdin: "null",
    stderr: "inherit",
  }).output();
  const { width, height } = DEFAULT_FORMAT;
  const isWhite = (x: number, y: number): boolean => stdout[(y * width + x) * 3]! > 128;
  const across = Array.from({ length: width }, (_, x) => isWhite(x, height / 2)).filter(Boolean);
  const down = Array.from({ length: height }, (_, y) => isWhite(width / 2, y)).filter(Boolean);
  assertLess(Math.abs(across.length - 75), 4);
  assertLess(Math.abs(down.length - 75), 4);
});

test("passwords do not stand in what is shown", () => {
  const shown: readonly (readonly [string, string])[] = [
    ["rtsp://ana:sesame@host/door", "rtsp://…@host/door"],
    ["rtsp://ana:se@sa@me@host:1/x", "rtsp://…@host:1/x"],
    ["http://host/a?token=sesame&x=1", "http://host/a?token=…&x=1"],
    ["cannot open http://a:b@host/c: no", "cannot open http://…@host/c: no"],
    ["http://host/mail?to=ana@host", "http://host/mail?to=ana@host"],
    ["film@home.avi", "film@home.avi"],
  ];
  for (const [text, without] of shown) assertEquals(withoutSecrets(text), without);
});

test("output arguments: of live frames none is repeated or held back, and those beyond the rate are left out", async () => {
  await using folder = await temporaryFolder();
  const numbersAt = async (fps: number): Promise<number[]> => {
    const path = `${folder.path}/${fps}.mkv`;
    await writeNumbers(path, Array(2 * fps).keys(), { ...DEFAULT_FORMAT, fps });
    const { stdout } = await new Deno.Command("ffmpeg", {
      args: [
        ...["-loglevel", "error", "-nostdin", "-re", "-i", path],
        ...outputArguments(DEFAULT_FORMAT, { mirror: false, live: true }),
      ],
      stdin: "null",
    }).output();
    const bytes = rawFrameBytes(DEFAULT_FORMAT);
    return Array.from(
      { length: stdout.length / bytes },
      (_, index) =>
        readPicture(stdout.subarray(index * bytes, (index + 1) * bytes), DEFAULT_FORMAT).number,
    );
  };
  const [slow, same, fast] = await Promise.all([10, 20, 60].map(numbersAt));
  assertEquals(slow, [...Array(20).keys()]);
  // On a busy machine frames come in jams, and not all frames of a long jam are wanted.
  assertGreaterOrEqual(same!.length, 37);
  assert(fast!.length >= 37 && fast!.length <= 42, `${fast}`);
  for (const numbers of [same!, fast!]) {
    assertEquals(numbers, [...new Set(numbers)].sort((a, b) => a - b));
  }
  const filters = valueOf(outputArguments(DEFAULT_FORMAT, { mirror: false, live: true }), "-vf");
  assert(!filters.includes("fps="), filters);
});

test("output arguments: no frame is made up, by the word that this ffmpeg has for it", () => {
  const options = { mirror: false, live: false };
  assertEquals(valueOf(outputArguments(HD, options), "-fps_mode"), "passthrough");
  const old = outputArguments(HD, { ...options, passthrough: "-vsync" });
  assertEquals(valueOf(old, "-vsync"), "passthrough");
  assertEquals(old.includes("-fps_mode"), false);
});

test("list arguments: each system is asked through its own device layer", () => {
  assertEquals(listArguments("linux"), ["-hide_banner", "-sources", "v4l2"]);
  assertEquals(
    listArguments("darwin").join(" "),
    [
      "-hide_banner -f avfoundation -list_devices true -i ",
    ].join(),
  );
  assertEquals(
    listArguments("windows").join(" "),
    [
      "-hide_banner -f dshow -list_devices true -i dummy",
    ].join(),
  );
});

test("camera list: Linux, of ffmpeg 5 and of later ones, with any name, in order of the device files", () => {
  const text = [
    "Auto-detected sources for video4linux2,v4l2:",
    "  /dev/video10 [Dummy video device (0x0000)]",
    "* /dev/video0 [Integrated Camera: Integrated C]",
    "  /dev/video2 [Câmera [USB], nº 2 (046d:082d)] (none)",
  ].join("\n");
  assertEquals(parseCameras("linux", text), [
    { index: 0, name: "Integrated Camera: Integrated C", device: "/dev/video0" },
    { index: 2, name: "Câmera [USB], nº 2 (046d:082d)", device: "/dev/video2" },
    { index: 10, name: "Dummy video device (0x0000)", device: "/dev/video10" },
  ]);
  assertEquals(parseCameras("linux", "Auto-detected sources for video4linux2,v4l2:\n"), []);
  assertEquals(parseCameras("linux", ""), []);
});

test("camera list: macOS, without microphones and screens", () => {
  const lines = [
    "AVFoundation video devices:",
    "[0] FaceTime HD Camera (Built-in)",
    "[1] Câmera do iPhone de “João”, [1]",
    "[2] Capture screen 0",
    "[3] Capture screen 1",
    "AVFoundation audio devices:",
    "[0] MacBook Pro Microphone",
    "[1] iPhone Microphone",
  ];
  const expected: Camera[] = [
    { index: 0, name: "FaceTime HD Camera (Built-in)", device: "0" },
    { index: 1, name: "Câmera do iPhone de “João”, [1]", device: "1" },
  ];
  for (const prefix of ["[AVFoundation indev @ 0x7fb2c8f04e40] ", "[in#0 @ 0x600003e1c000] "]) {
    const text = [...lines.map((line) => prefix + line), ": Input/output error"].join("\n");
    assertEquals(parseCameras("darwin", text), expected, prefix);
  }
});

const DSHOW = "[dshow @ 000001f6f6b5a440] ";
const PNP = String
  .raw`"@device_pnp_\\?\usb#vid_046d&pid_082d&mi_00#7&2645f9e4&0&0000#{65e8773d-8f56-11d0-a3b9-00a0c9223196}\global"`;
const WAVE = String
  .raw`"@device_cm_{33D9A762-90C8-11D0-BD43-00A0C911CE86}\wave_{236214EE-E87B-4088-895B-523B69D536D0}"`;

const WINDOWS_CAMERAS: Camera[] = [
  { index: 0, name: "HD Pro Webcam C920", device: "HD Pro Webcam C920" },
  { index: 1, name: "Câmera (USB), nº 2", device: "Câmera (USB), nº 2" },
];

test("camera list: Windows with headings, up to ffmpeg 4", () => {
  const text = [
    `${DSHOW}DirectShow video devices (some may be both video and audio devices)`,
    `${DSHOW} "HD Pro Webcam C920"`,
    `${DSHOW}    Alternative name ${PNP}`,
    `${DSHOW} "Câmera (USB), nº 2"`,
    `${DSHOW}    Alternative name ${PNP}`,
    `${DSHOW}DirectShow audio devices`,
    `${DSHOW} "Microfone (HD Pro Webcam C920)"`,
    `${DSHOW}    Alternative name ${WAVE}`,
    "dummy: Immediate exit requested",
  ];
  assertEquals(parseCameras("windows", text.join("\r\n")), WINDOWS_CAMERAS);
  assertEquals(parseCameras("windows", text.join("\n")), WINDOWS_CAMERAS);
});

test("camera list: Windows with the kind behind each name, from ffmpeg 5, behind any prefix", () => {
  for (const prefix of [DSHOW, "[in#0 @ 0000021f4d1f8a40] ", ""]) {
    const text = [
      `${prefix}"HD Pro Webcam C920" (video)`,
      `${prefix}  Alternative name ${PNP}`,
      `${prefix}"Câmera (USB), nº 2" (audio, video)`,
      `${prefix}  Alternative name ${PNP}`,
      `${prefix}"Microfone (HD Pro Webcam C920)" (audio)`,
      `${prefix}  Alternative name ${WAVE}`,
      `${prefix}Error opening input: Immediate exit requested`,
      "Error opening input file dummy.",
    ].join("\r\n");
    assertEquals(parseCameras("windows", text), WINDOWS_CAMERAS, prefix);
  }
});

test("camera list: Windows without any camera", () => {
  const text = [
    `${DSHOW}DirectShow video devices (some may be both video and audio devices)`,
    `${DSHOW}Could not enumerate video devices (or none found).`,
    `${DSHOW}DirectShow audio devices`,
    `${DSHOW} "Microfone (Realtek Audio)"`,
    "dummy: Immediate exit requested",
  ].join("\r\n");
  assertEquals(parseCameras("windows", text), []);
  assertEquals(parseCameras("windows", `${DSHOW}"Microfone" (audio)\r\n`), []);
});

function listOf(...names: readonly string[]): (system: System) => Promise<Camera[]> {
  return () =>
    Promise.resolve(names.map((name, index) => ({ index, name, device: `device of ${name}` })));
}

function noList(): Promise<Camera[]> {
  throw new Error("The list was asked for");
}

test("findCamera(): a device file or an index on Linux, and an index on macOS, need no list", async () => {
  assertEquals(await findCamera("0", "linux", noList), "/dev/video0");
  assertEquals(await findCamera("12", "linux", noList), "/dev/video12");
  assertEquals(await findCamera("/dev/v4l/by-id/x", "linux", noList), "/dev/v4l/by-id/x");
  assertEquals(await findCamera("1", "darwin", noList), "1");
});

test("findCamera(): an index on Windows is one of the list", async () => {
  const list = listOf("Integrated Camera", "HD Pro Webcam C920");
  assertEquals(await findCamera("1", "windows", list), "device of HD Pro Webcam C920");
  await assertRejects(() => findCamera("7", "windows", list), SourceError);
});

test("findCamera(): an index that the list does not have is none, whatever digits stand in the names", async () => {
  const list = listOf("Integrated Camera", "HD Pro Webcam C920");
  const error = await assertRejects(() => findCamera("2", "windows", list), SourceError);
  assertEquals(error.kind, "none");
});

test("findCamera(): a name, or a part of one in any case; the whole name first", async () => {
  const list = listOf("HD Camera Pro", "HD Camera", "Câmera do João (2)");
  for (const system of SYSTEMS) {
    assertEquals(await findCamera("HD Camera", system, list), "device of HD Camera");
    assertEquals(await findCamera("hd camera", system, list), "device of HD Camera Pro");
    assertEquals(await findCamera("JOÃO", system, list), "device of Câmera do João (2)");
    assertEquals(await findCamera("(2)", system, list), "device of Câmera do João (2)");
  }
});

test("findCamera(): an unknown one is refused with those there are", async () => {
  const list = listOf("Integrated Camera", "C920");
  for (const system of SYSTEMS) {
    const error = await assertRejects(() => findCamera("Logitech", system, list), SourceError);
    assertEquals(
      [error.kind, error.source.name, error.detail],
      ["none", "Logitech", "0: Integrated Camera, 1: C920"],
    );
    const alone = await assertRejects(() => findCamera("Logitech", system, listOf()), SourceError);
    assertEquals([alone.kind, alone.detail], ["none", ""]);
  }
});

test("diagnose(): what ffmpeg's last words mean on Linux", () => {
  const v4l2 = "[video4linux2,v4l2 @ 0x559f3d5b1880] ";
  const cases: readonly (readonly [SourceError["kind"], readonly string[]])[] = [
    ["missing", [
      `${v4l2}Cannot open video device /dev/video0: No such file or directory`,
      "/dev/video0: No such file or directory",
    ]],
    ["busy", [
      `${v4l2}ioctl(VIDIOC_STREAMON): Device or resource busy`,
      "/dev/video0: Device or resource busy",
    ]],
    ["forbidden", [
      `${v4l2}Cannot open video device /dev/video0: Permission denied`,
      "/dev/video0: Permission denied",
    ]],
    ["unreadable", [
      `${v4l2}ioctl(VIDIOC_QUERYCAP): Inappropriate ioctl for device`,
      "/tmp/t.txt: Inappropriate ioctl for device",
    ]],
    ["unreadable", [
      `${v4l2}Cannot find a proper format for codec 'mjpeg' (id 7), pixel format 'none' (id -1)`,
      "/dev/video0: Invalid argument",
    ]],
    ["missing", ["nofile.mp4: No such file or directory"]],
    ["unreadable", ["t.txt: Invalid data found when processing input"]],
    ["unreadable", []],
  ];
  for (const [kind, lines] of cases) assertEquals(diagnose(lines), kind, lines.join("\n"));
});

test("diagnose(): what ffmpeg's last words mean on macOS", () => {
  const indev = "[AVFoundation indev @ 0x7fb2c8f04e40] ";
  const end = "0:none: Input/output error";
  assertEquals(
    diagnose([`${indev}Video device not found`, "9:none: Input/output error"]),
    "missing",
  );
  assertEquals(diagnose([`${indev}Invalid device index`, "9:none: Input/output error"]), "missing");
  assertEquals(
    diagnose([
      `${indev}Selected framerate (20.000000) is not supported by the device.`,
      `${indev}Supported modes:`,
      `${indev}  1280x720@[1.000000 30.000000]fps`,
      end,
    ]),
    "unreadable",
  );
});

test("diagnose(): a Windows camera that another program has", () => {
  assertEquals(
    diagnose([
      `${DSHOW}Could not run graph (sometimes caused by a device already in use by other application)`,
      "video=Integrated Camera: I/O error",
    ]),
    "busy",
  );
});

test("diagnose(): a Windows camera that is not there is missing, not busy", () => {
  assertEquals(
    diagnose([
      `${DSHOW}Could not find video device with name [C920] among source devices of type video.`,
      "video=C920: I/O error",
    ]),
    "missing",
  );
});

test("diagnose(): a Windows camera that refuses size or rate is not busy: the next way is to be tried", () => {
  assertEquals(
    diagnose([`${DSHOW}Could not set video options`, "video=Integrated Camera: I/O error"]),
    "unreadable",
  );
});

test("test input: whole frames of the size asked for, numbered from 0, that move, at their rate", async () => {
  for (
    const format of [DEFAULT_FORMAT, { ...DEFAULT_FORMAT, width: 321, height: 241, fps: 29.97 }]
  ) {
    const frames = await framesOf("test", { format, most: 6 });
    assertEquals(frames.map(({ sequence }) => sequence), [0, 1, 2, 3, 4, 5]);
    const startUs = frames[0]!.captureUs;
    frames.forEach(({ data, captureUs, keyframe }, index) => {
      assertEquals(data.length, format.width * format.height * 3);
      assertEquals(captureUs - startUs, Math.round(index * 1e6 / format.fps));
      assertEquals(keyframe, true);
    });
    const pictures = new Set(frames.map(({ data }) => data.toBase64()));
    assertEquals(pictures.size, frames.length);
  }
});

test("input: every frame of a file of the same rate, once, in order, then the end", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/numbers.mkv`;
  const numbers = Array.from({ length: 15 }, (_, index) => index * 4001);
  await writeNumbers(path, numbers, DEFAULT_FORMAT);
  const frames = await framesOf(path);
  assertEquals(
    frames.map(({ data }) => readPicture(data, DEFAULT_FORMAT)),
    numbers.map((number) => ({ number, mirrored: false })),
  );
  assertStrictEquals(new Set(frames.map(({ data }) => data.buffer)).size, numbers.length);
});

test("input: mirrored where it is wanted, left to right only", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/numbers.mkv`;
  await writeNumbers(path, [0x1234, 0xbeef], DEFAULT_FORMAT);
  const frames = await framesOf(path, { mirror: true });
  assertEquals(
    frames.map(({ data }) => readPicture(data, DEFAULT_FORMAT)),
    [{ number: 0x1234, mirrored: true }, { number: 0xbeef, mirrored: true }],
  );
  const plain = await framesOf(path, { mirror: false });
  assertColour(pixel(plain[0]!, DEFAULT_FORMAT, 2, 2), RED, "left of the plain picture");
  assertColour(pixel(plain[0]!, DEFAULT_FORMAT, 317, 2), BLUE, "right of the plain picture");
  assertColour(pixel(frames[0]!, DEFAULT_FORMAT, 2, 2), BLUE, "left of the mirrored picture");
  assertColour(pixel(frames[0]!, DEFAULT_FORMAT, 317, 2), RED, "right of the mirrored picture");
});

test("input: a wider picture is cropped at its sides, not stretched", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/wide.mkv`;
  // 16:9: a black square in the middle, and red in the part to be cut: 70 of the 80 columns on
  // either side.
  await runFfmpeg([
    ...["-f", "lavfi", "-i", "color=white:size=640x360:rate=20:duration=0.1"],
    "-vf",
    "format=rgb24,drawbox=0:0:70:360:red:fill,drawbox=570:0:70:360:red:fill," +
    "drawbox=230:90:180:180:black:fill",
    ...["-c:v", "ffv1", "-pix_fmt", "bgr0", path],
  ]);
  const [frame] = await framesOf(path, { most: 1 });
  const { width, height } = DEFAULT_FORMAT;
  const row = Array.from({ length: width }, (_, x) => pixel(frame!, DEFAULT_FORMAT, x, 120));
  const column = Array.from({ length: height }, (_, y) => pixel(frame!, DEFAULT_FORMAT, 160, y));
  const black = (line: number[][]): number => line.filter((one) => one[1]! < 128).length;
  assertColour(row[0]!, WHITE, "left edge");
  assertColour(row[width - 1]!, WHITE, "right edge");
  assert(Math.abs(black(row) - 120) <= 2, `${black(row)} columns of the square`);
  assert(Math.abs(black(column) - 120) <= 2, `${black(column)} rows of the square`);
  const left = row.findIndex((one) => one[1]! < 128);
  assert(Math.abs(left - 100) <= 2, `the square begins at column ${left}`);
});

test("input: a taller picture is cropped above and below, not stretched", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/tall.mkv`;
  await runFfmpeg([
    ...["-f", "lavfi", "-i", "color=white:size=240x320:rate=20:duration=0.1"],
    "-vf",
    "format=rgb24,drawbox=0:0:240:60:red:fill,drawbox=0:260:240:60:red:fill," +
    "drawbox=75:115:90:90:black:fill",
    ...["-c:v", "ffv1", "-pix_fmt", "bgr0", path],
  ]);
  const [frame] = await framesOf(path, { most: 1 });
  const black = (pixels: number[][]): number => pixels.filter((one) => one[1]! < 128).length;
  const row = Array.from({ length: 320 }, (_, x) => pixel(frame!, DEFAULT_FORMAT, x, 120));
  const column = Array.from({ length: 240 }, (_, y) => pixel(frame!, DEFAULT_FORMAT, 160, y));
  assertColour(column[0]!, WHITE, "top edge");
  assertColour(column[239]!, WHITE, "bottom edge");
  assert(Math.abs(black(row) - 120) <= 2, `${black(row)} columns of the square`);
  assert(Math.abs(black(column) - 120) <= 2, `${black(column)} rows of the square`);
});

test("input: a file of 30 frames a second is thinned to 20, at its own speed", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/fast.mkv`;
  await writeNumbers(path, Array(30).keys(), { ...DEFAULT_FORMAT, fps: 30 });
  const frames = await framesOf(path);
  assertEquals(frames.length, 20);
  const numbers = frames.map(({ data }) => readPicture(data, DEFAULT_FORMAT).number);
  numbers.forEach((number, index) => {
    assert(Math.abs(number - index * 1.5) <= 1, `${number} in place ${index} of ${numbers}`);
  });
  assertEquals(new Set(numbers).size, 20);
});

test("input: a file of 10 frames a second is repeated to 20, at its own speed", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/slow.mkv`;
  await writeNumbers(path, Array(10).keys(), { ...DEFAULT_FORMAT, fps: 10 });
  const frames = await framesOf(path);
  const numbers = frames.map(({ data }) => readPicture(data, DEFAULT_FORMAT).number);
  assertEquals(numbers, Array.from({ length: 20 }, (_, index) => Math.floor(index / 2)));
});

test("input: no frame comes before its time, and the times are exact", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/second.mkv`;
  await writeNumbers(path, Array(20).keys(), DEFAULT_FORMAT);
  await using source = await open(path);
  const startUs = nowUs();
  const times: number[] = [];
  for await (const { captureUs } of source.frames()) {
    // A timer may be a millisecond early.
    assertGreaterOrEqual(nowUs(), captureUs - 2000);
    assertGreaterOrEqual(captureUs, startUs + times.length * 50_000);
    times.push(captureUs);
  }
  assertEquals(times.map((time) => time - times[0]!), times.map((_, index) => index * 50_000));
  assertGreaterOrEqual(nowUs() - startUs, 940_000);
});

test("input: a file that is not there is missing", async () => {
  const error = await assertRejects(() => open("/nowhere/video.mp4"), SourceError);
  assertEquals([error.kind, error.source.name], ["missing", "/nowhere/video.mp4"]);
  assertMatch(error.detail, /No such file or directory/);
});

test("input: a file without pictures is unreadable, in ffmpeg's words", async () => {
  await using folder = await temporaryFolder();
  // The ending is not `.txt`: that is ANSI art to ffmpeg, which draws it.
  const path = `${folder.path}/notes.html`;
  await Deno.writeTextFile(path, "<p>These are words.\n".repeat(100));
  const error = await assertRejects(() => open(path), SourceError);
  assertEquals([error.kind, error.source.name], ["unreadable", path]);
  assertNotEquals(error.detail, "");
  const sound = `${folder.path}/sound.wav`;
  await runFfmpeg(["-f", "lavfi", "-i", "sine=duration=0.1", sound]);
  assertEquals((await assertRejects(() => open(sound), SourceError)).kind, "unreadable");
  assertEquals((await assertRejects(() => open(folder.path), SourceError)).kind, "unreadable");
});

test(
  "camera: one that is not there is missing, and a file that is no camera is unreadable",
  async () => {
    await using folder = await temporaryFolder();
    const camera = (device: string): Promise<Source> =>
      openSource(
        { from: { camera: device }, format: DEFAULT_FORMAT, mirror: true, system: "linux" },
        never,
      );
    const missing = `${folder.path}/video0`;
    const error = await assertRejects(() => camera(missing), SourceError);
    assertEquals([error.kind, error.source.name], ["missing", missing]);
    const path = `${folder.path}/notes.txt`;
    await Deno.writeTextFile(path, "no camera");
    assertEquals((await assertRejects(() => camera(path), SourceError)).kind, "unreadable");
  },
  { ignore: Deno.build.os !== "linux" },
);

/**
 * A pipe with a name. Opening it to write waits until somebody opens it to read. So the writer
 * knows of the reader.
 */
async function makePipe(folder: { readonly path: string }): Promise<string> {
  const path = `${folder.path}/pipe.mkv`;
  const { code } = await new Deno.Command("mkfifo", { args: [path] }).output();
  assertEquals(code, 0);
  return path;
}

test(
  "input: aborted while it is being opened, it gives the signal's reason and leaves no ffmpeg behind",
  async () => {
    await using folder = await temporaryFolder();
    const path = await makePipe(folder);
    const hangUp = new AbortController();
    const reason = new Error("hung up");
    const opening = assertRejects(() => open(path, { signal: hangUp.signal }));
    using _writer = await Deno.open(path, { write: true });
    assertEquals((await childrenWith(path)).length, 1);
    const startMs = performance.now();
    hangUp.abort(reason);
    assertStrictEquals(await opening, reason);
    // Two rungs of the stop ladder at most, and not the time that a silent input is given.
    assertLess(performance.now() - startMs, 4500);
    assertEquals(await childrenWith(path), []);
  },
  { ignore: !canSeeProcesses },
);

test("input: aborted before it is opened, nothing is started", async () => {
  const reason = new Error("hung up");
  const error = await assertRejects(() => open("test", { signal: AbortSignal.abort(reason) }));
  assertStrictEquals(error, reason);
});

test(
  "input: one that opens and gives nothing is silent after a while, and is stopped",
  async () => {
    await using folder = await temporaryFolder();
    const path = await makePipe(folder);
    const opening = assertRejects(() => open(path), SourceError);
    using _writer = await Deno.open(path, { write: true });
    const error = await opening;
    assertEquals([error.kind, error.source.name], ["silent", path]);
    assertEquals(await childrenWith(path), []);
  },
  { ignore: !canSeeProcesses, slow: true },
);

test(
  "source: ffmpeg is started with one thread behind its input, and without standard input",
  async () => {
    const format = { ...DEFAULT_FORMAT, width: 322 };
    await using _source = await open("test", { format });
    const [child, ...others] = await childrenWith("testsrc2=size=322x240");
    assertEquals(others, []);
    const { args } = child!;
    assert(args.indexOf("-threads") > args.indexOf("-i"), args.join(" "));
    assertEquals(valueOf(args, "-threads"), "1");
    assert(args.includes("-nostdin"));
  },
  { ignore: !canSeeProcesses },
);

test(
  "source: disposed of, its frames end, its ffmpeg too, and a second time changes nothing",
  async () => {
    const format = { ...DEFAULT_FORMAT, width: 324 };
    const source = await open("test", { format });
    assertEquals((await childrenWith("testsrc2=size=324x240")).length, 1);
    let frames = 0;
    let disposing: Promise<void> | undefined;
    for await (const _ of source.frames()) {
      if (++frames === 3) disposing = source[Symbol.asyncDispose]() as Promise<void>;
    }
    await disposing;
    assertEquals(frames, 3);
    assertEquals(await childrenWith("testsrc2=size=324x240"), []);
    await source[Symbol.asyncDispose]();
  },
  { ignore: !canSeeProcesses },
);

test(
  "source: disposed of without a frame taken, its ffmpeg ends",
  async () => {
    const format = { ...DEFAULT_FORMAT, width: 326 };
    await (await open("test", { format }))[Symbol.asyncDispose]();
    assertEquals(await childrenWith("testsrc2=size=326x240"), []);
  },
  { ignore: !canSeeProcesses },
);

test(
  "source: an ffmpeg that is killed is a source that stopped unasked, not the end of the input",
  async () => {
    const format = { ...DEFAULT_FORMAT, width: 328 };
    await using source = await open("test", { format });
    const [child] = await childrenWith("testsrc2=size=328x240");
    const error = await assertRejects(async () => {
      let first = true;
      for await (const _ of source.frames()) {
        if (first) Deno.kill(child!.pid, "SIGKILL");
        first = false;
      }
    }, SourceError);
    assertEquals([error.kind, error.source.name], ["stopped", "test"]);
  },
  { ignore: !canSeeProcesses },
);

test("input: blue, green and red stand in this order in every pixel", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/colours.mkv`;
  await runFfmpeg([
    ...["-f", "lavfi", "-i", "color=0x10c0f0:size=320x240:rate=20:duration=0.1"],
    ...["-vf", "format=rgb24", "-c:v", "ffv1", "-pix_fmt", "bgr0", path],
  ]);
  const [frame] = await framesOf(path, { most: 1 });
  assertColour(pixel(frame!, DEFAULT_FORMAT, 160, 120), [0xf0, 0xc0, 0x10], "middle");
});
