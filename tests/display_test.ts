import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { ChildEnd } from "../lib/media/child.ts";
import { DEFAULT_FORMAT, rawFrameBytes } from "../lib/frame/format.ts";
import {
  Display,
  displayArguments,
  displayDriver,
  displayEnd,
  windowCorner,
  windowSize,
} from "../lib/media/display.ts";
import { FramePool } from "../lib/frame/pool.ts";
import { canSeeProcesses, childrenWith } from "./harness.ts";
import { test } from "./strict.ts";

function ended(code: number, lastLines: readonly string[] = [], signalled = false): ChildEnd {
  return { code, signalled, lastLines };
}

/** The value behind an option of ffplay's, which must be there once. */
function valueOf(args: readonly string[], option: string): string | undefined {
  assertEquals(args.filter((word) => word === option).length, 1, option);
  return args[args.indexOf(option) + 1];
}

test("displayArguments() declare bgr24 pictures of the format, always at 60 frames a second", () => {
  for (const fps of [1, 20, 29.97, 120]) {
    const format = { kind: "video", codec: "raw", width: 321, height: 241, fps } as const;
    const args = displayArguments({ format, title: "TRANSMITINDO VIDEO" });
    assertEquals(valueOf(args, "-f"), "rawvideo");
    assertEquals(valueOf(args, "-pixel_format"), "bgr24");
    assertEquals(valueOf(args, "-video_size"), "321x241");
    assertEquals(valueOf(args, "-framerate"), "60");
    assertEquals(valueOf(args, "-i"), "pipe:0");
  }
});

test("displayArguments() show each frame when it comes, and end with the input", () => {
  const format = { kind: "video", codec: "raw", width: 320, height: 240, fps: 20 } as const;
  const args = displayArguments({ format, title: "T" });
  assertEquals(valueOf(args, "-vf"), "setpts=0");
  assertEquals(args.includes("-autoexit"), true);
  assertEquals(args.indexOf("-framerate") < args.indexOf("-i"), true);
});

test("displayArguments() give the title as one word, whatever is in it", () => {
  const format = { kind: "video", codec: "raw", width: 320, height: 240, fps: 20 } as const;
  for (const title of ["RECEBENDO VIDEO (CLIENTE)", "RECEBENDO VIDEO (CLIENTE) ::1:51324", "-y"]) {
    assertEquals(valueOf(displayArguments({ format, title }), "-window_title"), title);
  }
});

test("displayDriver() is that of the screen there is, X before Wayland", () => {
  const on = (variables: Record<string, string>) => (system: string): string | undefined =>
    displayDriver(system, (name) => variables[name]);
  assertEquals(on({ DISPLAY: ":0" })("linux"), "x11");
  assertEquals(on({ DISPLAY: ":0", WAYLAND_DISPLAY: "wayland-0" })("linux"), "x11");
  assertEquals(on({ WAYLAND_DISPLAY: "wayland-0" })("linux"), "wayland");
  assertEquals(on({ DISPLAY: "", WAYLAND_DISPLAY: "wayland-0" })("linux"), "wayland");
  assertEquals(on({})("linux"), undefined);
  assertEquals(on({ DISPLAY: "", WAYLAND_DISPLAY: "" })("linux"), undefined);
});

test("displayDriver() is SDL's own choice on macOS and Windows, where nothing has to be set", () => {
  for (const system of ["darwin", "windows"]) {
    assertEquals(displayDriver(system, () => undefined), "default");
  }
});

test("displayEnd(): q, ESC and the end of the input are a window that was closed", () => {
  assertEquals(displayEnd(ended(0)), { kind: "closed" });
  assertEquals(
    displayEnd(ended(0, ["[rawvideo @ 0x55d0] Packet corrupt (stream = 0, dts = 3)."])),
    { kind: "closed" },
  );
});

test("displayEnd(): a window destroyed from outside, or its screen, is gone", () => {
  const destroyed = [
    "X Error of failed request:  BadWindow (invalid Window parameter)",
    "Major opcode of failed request:  18 (X_ChangeProperty)",
    "Resource id in failed request:  0x200007",
    "Serial number of failed request:  139",
    "Current serial number in output stream:  140",
  ];
  assertEquals(displayEnd(ended(1, destroyed)), { kind: "gone", detail: destroyed.at(-1)! });
  const gone = ["X connection to :97 broken (explicit kill or server shutdown)."];
  assertEquals(displayEnd(ended(1, gone)), { kind: "gone", detail: gone[0]! });
});

test("displayEnd(): a window that could not be opened failed, and ffplay's words say why", () => {
  const lines = [
    "Could not initialize SDL - x11 not available",
    "(Did you set the DISPLAY variable?)",
  ];
  assertEquals(displayEnd(ended(1, lines)), { kind: "failed", detail: lines[0]! });
  assertEquals(displayEnd(ended(1, lines.slice(0, 1))), { kind: "failed", detail: lines[0]! });
  assertEquals(displayEnd(ended(1)), { kind: "failed", detail: "status 1" });
});

test("displayEnd(): a crash failed, whatever was said before it", () => {
  const words = ["X Error of failed request:  BadWindow (invalid Window parameter)"];
  assertEquals(displayEnd(ended(139, words, true)), { kind: "failed", detail: "status 139" });
  assertEquals(displayEnd(ended(137, [], true)), { kind: "failed", detail: "status 137" });
});

test("displayEnd(): an ffplay that was told to end by somebody else (status 123) failed", () => {
  assertEquals(displayEnd(ended(123)), { kind: "failed", detail: "status 123" });
});

test("windowSize() is that of the picture, or as large as a common screen in the same shape", () => {
  const sizes: readonly (readonly [string, string])[] = [
    ["16x16", "16x16"],
    ["320x240", "320x240"],
    ["1200x675", "1200x675"],
    ["1280x720", "1200x675"],
    ["1920x1080", "1200x675"],
    ["3840x2160", "1200x675"],
    ["640x2160", "200x675"],
    ["3840x240", "1200x75"],
    ["1024x768", "900x675"],
  ];
  for (const [picture, window] of sizes) {
    const [width, height] = picture.split("x").map(Number);
    const size = windowSize({ width: width!, height: height! });
    assertEquals(`${size.width}x${size.height}`, window, picture);
  }
});

test("displayArguments() bound a window, and leave one alone that fits", () => {
  const format = { kind: "video", codec: "raw", width: 3840, height: 2160, fps: 20 } as const;
  const large = displayArguments({ format, title: "T" });
  assertEquals([valueOf(large, "-x"), valueOf(large, "-y")], ["1200", "675"]);
  const fits = displayArguments({
    format: { ...format, width: 320, height: 240 },
    title: "T",
  });
  for (const option of ["-x", "-y", "-left", "-top"]) assertEquals(fits.includes(option), false);
});

test("displayArguments() place a window where it is told", () => {
  const format = { kind: "video", codec: "raw", width: 320, height: 240, fps: 20 } as const;
  const beside = displayArguments({ format, title: "T", place: { slot: 1, inGrid: false } });
  assertEquals(valueOf(beside, "-left"), "320");
  assertEquals(beside.includes("-top"), false);
  const inGrid = displayArguments({ format, title: "T", place: { slot: 5, inGrid: true } });
  assertEquals([valueOf(inGrid, "-left"), valueOf(inGrid, "-top")], ["320", "320"]);
});

test("windowCorner() puts two windows side by side, as far as a common screen is wide", () => {
  for (const width of [16, 320, 640, 683]) {
    const size = { width, height: 240 };
    assertEquals(windowCorner(size, { slot: 0, inGrid: false }), { left: 0 });
    assertEquals(windowCorner(size, { slot: 1, inGrid: false }), { left: width });
  }
  const wide = { width: 640, height: 480 };
  const row = [0, 1, 2, 3].map((slot) => windowCorner(wide, { slot, inGrid: false }).left);
  assertEquals(row, [0, 640, 726, 686]);
  const large = { width: 1200, height: 675 };
  assertEquals(windowCorner(large, { slot: 1, inGrid: false }), { left: 166 });
});

test("windowCorner() lays many windows out in a grid, all of them on a common screen", () => {
  for (const [width, height] of [[320, 240], [640, 480], [1200, 675], [200, 675], [16, 16]]) {
    const size = { width: width!, height: height! };
    const corners = Array.from(
      { length: 64 },
      (_, slot) => windowCorner(size, { slot, inGrid: true }),
    );
    for (const { left, top } of corners) {
      assert(left >= 0 && top! >= 40, `${width}x${height} at ${left},${top}`);
      assertLessOrEqual(left + width!, 1366);
      assertLessOrEqual(top! + height!, 728);
    }
    // As many windows as the screen has room for lie apart.
    const room = Math.floor(1366 / width!) * Math.floor(728 / (height! + 40));
    const first = corners.slice(0, room).map(({ left, top }) => `${left},${top}`);
    assertEquals(new Set(first).size, first.length);
  }
  const { left, top } = windowCorner({ width: 640, height: 480 }, { slot: 2, inGrid: true });
  assertEquals([left, top], [40, 80]);
});

test(
  "a window that has ended holds no frame, whether it came before or comes after",
  async () => {
    const title = `chamada ${crypto.randomUUID()}`;
    // SDL's own driver for machines without a screen.
    await using display = new Display({ format: DEFAULT_FORMAT, title, driver: "dummy" });
    const pool = new FramePool(rawFrameBytes(DEFAULT_FORMAT));
    const memories = Array.from({ length: 6 }, () => pool.take());
    const push = (memory: Uint8Array<ArrayBuffer>, sequence: number): void => {
      const lease = pool.lease(memory);
      display.push({ stream: 0, data: memory, captureUs: 0, sequence, keyframe: true, lease });
      lease.letGo();
    };
    const [child] = await childrenWith(title);
    Deno.kill(child!.pid, "SIGSTOP");
    memories.slice(0, 4).forEach(push);
    Deno.kill(child!.pid, "SIGKILL");
    await display.ended;
    memories.slice(4).forEach(push);
    const free = memories.map(() => pool.take());
    assertEquals(memories.map((memory) => free.includes(memory)), memories.map(() => true));
  },
  { ignore: !canSeeProcesses },
);
