import { assertEquals } from "@std/assert";
import type { ChildEnd } from "../lib/media/child.ts";
import { displayArguments, displayDriver, displayEnd } from "../lib/media/display.ts";
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
    const format = { codec: "raw", width: 321, height: 241, fps } as const;
    const args = displayArguments({ format, title: "TRANSMITINDO VIDEO" });
    assertEquals(valueOf(args, "-f"), "rawvideo");
    assertEquals(valueOf(args, "-pixel_format"), "bgr24");
    assertEquals(valueOf(args, "-video_size"), "321x241");
    assertEquals(valueOf(args, "-framerate"), "60");
    assertEquals(valueOf(args, "-i"), "pipe:0");
  }
});

test("displayArguments() show each frame when it comes, and end with the input", () => {
  const format = { codec: "raw", width: 320, height: 240, fps: 20 } as const;
  const args = displayArguments({ format, title: "T" });
  assertEquals(valueOf(args, "-vf"), "setpts=0");
  assertEquals(args.includes("-autoexit"), true);
  assertEquals(args.indexOf("-framerate") < args.indexOf("-i"), true);
});

test("displayArguments() give the title as one word, whatever is in it", () => {
  const format = { codec: "raw", width: 320, height: 240, fps: 20 } as const;
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
