/**
 * The needs of the contenders: their presence on the system, and their installation if it is
 * allowed.
 */

import { GSTREAMER, GSTREAMER_CODECS, OPENCV, PYTHON } from "./pairs.ts";
import type { Bench } from "./section.ts";

/** The way to look for a tool, and its Debian packages. */
interface Need {
  readonly check: readonly string[];
  readonly packages: readonly string[];
}

/** The name of the sound server that the bench starts for itself. */
export const SOUND_SERVER = "PulseAudio";

const NEEDS: Readonly<Record<string, Need>> = {
  ffmpeg: { check: ["ffmpeg", "-version"], packages: ["ffmpeg"] },
  ffplay: { check: ["ffplay", "-version"], packages: ["ffmpeg"] },
  ffprobe: { check: ["ffprobe", "-version"], packages: ["ffmpeg"] },
  Xvfb: { check: ["sh", "-c", "command -v Xvfb"], packages: ["xvfb"] },
  numpy: { check: [PYTHON, "-c", "import numpy"], packages: ["python3-numpy"] },
  [OPENCV]: { check: [PYTHON, "-c", "import cv2"], packages: ["python3-opencv"] },
  [SOUND_SERVER]: {
    check: ["sh", "-c", "command -v pulseaudio && command -v parec && command -v pactl"],
    packages: ["pulseaudio", "pulseaudio-utils"],
  },
  [GSTREAMER]: {
    // One element of each package.
    check: elements("tcpserversink", "jpegenc", "ximagesink", "pulsesrc"),
    packages: [
      ...["gstreamer1.0-tools", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good"],
      "gstreamer1.0-x",
    ],
  },
  [GSTREAMER_CODECS]: {
    check: elements("x264enc", "avdec_h264"),
    packages: ["gstreamer1.0-plugins-ugly", "gstreamer1.0-libav"],
  },
};

/** The way to look for elements of GStreamer's. */
function elements(...names: readonly string[]): string[] {
  return ["sh", "-c", names.map((name) => `gst-inspect-1.0 ${name}`).join(" && ")];
}

/**
 * Installs the missing tools if the system has Debian's packages and we may. Then tells the tools
 * that are still missing.
 */
export async function preparePackages(
  install: boolean,
  say: (text: string) => void,
): Promise<Bench["missing"]> {
  let absent = await absentNeeds();
  const packages = [...new Set(absent.flatMap((name) => NEEDS[name]!.packages))];
  let reason = "is not installed";
  if (install && packages.length > 0) {
    say(`installing ${packages.join(" ")}`);
    const problem = await installPackages(packages);
    if (problem) reason = `is not installed, and cannot be: ${problem}`;
    absent = await absentNeeds();
  }
  return (tools) => {
    const missing = tools.filter((tool) => absent.includes(tool));
    return missing.length === 0 ? undefined : `${missing.join(" and ")} ${reason}`;
  };
}

async function absentNeeds(): Promise<string[]> {
  const names = Object.keys(NEEDS);
  const there = await Promise.all(names.map((name) => runs(NEEDS[name]!.check)));
  return names.filter((_, index) => !there[index]);
}

/** Installs packages. Resolves to the obstacle, if there was one. */
async function installPackages(packages: readonly string[]): Promise<string | undefined> {
  if (!await runs(["apt-get", "--version"])) return "this is not Debian";
  const asRoot = Deno.uid() === 0 ? [] : ["sudo", "--non-interactive"];
  if (asRoot.length > 0 && !await runs([...asRoot, "true"])) return "that takes root's rights";
  const apt = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
  // Old lists may still be good enough: only the installation decides.
  await runs([...apt, "update"]);
  const options = ["install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=60"];
  return await runs([...apt, ...options, ...packages]) ? undefined : "apt-get failed";
}

async function runs([program, ...args]: readonly string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(program!, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    return (await command.output()).success;
  } catch {
    return false;
  }
}
