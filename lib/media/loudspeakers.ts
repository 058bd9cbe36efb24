/** The loudspeakers of a machine, as ffmpeg lists them. */

import { type ChildOptions, readCommand } from "./child.ts";
import { LIST_TIMEOUT_MS, type System } from "./devices.ts";

/** The parts of Linux that have loudspeakers, in the order in which they are asked. */
const LAYERS = ["pulse", "alsa"] as const;

/**
 * The names of the loudspeakers. Resolves to nothing on systems where ffmpeg lists none. Throws
 * `NotInstalledError` if there is no ffmpeg.
 */
export async function listLoudspeakers(
  system: System,
  options: Pick<ChildOptions, "env" | "watch"> = {},
): Promise<string[] | undefined> {
  if (system !== "linux") return undefined;
  for (const layer of LAYERS) {
    const args = ["-hide_banner", "-sinks", layer];
    const { text } = await readCommand("ffmpeg", args, LIST_TIMEOUT_MS, options);
    const names = parseLoudspeakers(layer, text);
    if (names) return names;
  }
  return [];
}

/** Reads ffmpeg's answer, or nothing if the layer does not answer. Pure. */
export function parseLoudspeakers(layer: "pulse" | "alsa", text: string): string[] | undefined {
  const found = [...text.matchAll(/^[* ] (\S+) \[(.*)\](?: \(.*\))?\s*$/gm)];
  if (layer === "pulse") {
    if (!/^Auto-detected/m.test(text) || /^Cannot list/m.test(text)) return undefined;
    return found.map(([, , name]) => name!);
  }
  // Each card comes under many names.
  return found.flatMap(([, device, name]) => {
    const [, card] = /^sysdefault:CARD=(.+)$/.exec(device!) ?? [];
    return card === undefined ? [] : [`${card}, ${name}`];
  });
}
