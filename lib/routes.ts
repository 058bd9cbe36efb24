/**
 * The routes of this machine, as the kernel lists them. Deno opens files under `/proc` only for
 * programs that may do everything. ffmpeg, which we may run, reads them for us.
 */

import { type ChildWatch, readCommand } from "./media/child.ts";

/** Milliseconds that the reading of a file of a few lines may take. */
const READ_MS = 2000;

const FILES: readonly string[] = ["/proc/net/route", "/proc/net/ipv6_route"];

/**
 * Reads the routes of both kinds of IP, one a line. Resolves to nothing on systems without these
 * files, or if they cannot be read. The choice of an address then has to do without them.
 */
export async function readRoutes(system: string, watch?: ChildWatch): Promise<string> {
  if (system !== "linux") return "";
  const texts = await Promise.all(FILES.map(async (file) => {
    const args = [
      ...["-hide_banner", "-nostdin", "-loglevel", "quiet", "-f", "data", "-i", `file:${file}`],
      ...["-map", "0", "-c", "copy", "-f", "data", "pipe:1"],
    ];
    try {
      return (await readCommand("ffmpeg", args, READ_MS, { watch })).text;
    } catch {
      return "";
    }
  }));
  return texts.join("");
}
