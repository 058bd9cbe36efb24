/**
 * The microphones of a machine: their list, and the way to open them with ffmpeg on each system.
 *
 * Linux has two layers. The sound server (PulseAudio, or PipeWire in its place) is asked first.
 * Where none answers, the sound cards are asked by ALSA.
 */

import { MicrophoneError } from "../errors.ts";
import { PCM, PCM_FRAME_BYTES, SOUND_FRAME_SAMPLES } from "../frame/format.ts";
import { type ChildOptions, readCommand } from "./child.ts";
import {
  chooseDevice,
  type Device,
  LIST_TIMEOUT_MS,
  listArguments,
  namesOf,
  parseAvfoundation,
  parseDshow,
  type System,
} from "./devices.ts";

/** The part of a system that has microphones, by ffmpeg's name for it. */
export type SoundLayer = "pulse" | "alsa" | "avfoundation" | "dshow";

/** The answer of a system that was asked for its microphones. */
export interface Microphones {
  /** The part of the system that answered. */
  readonly layer: SoundLayer;
  /** The microphones. A monitor is none: it gives what a loudspeaker plays. */
  readonly found: readonly Device[];
  /** The name of the monitor that is the system's own microphone, if one is. */
  readonly monitor?: string | undefined;
}

/** Finds the microphones of a machine. */
export type ListMicrophones = (system: System) => Promise<Microphones>;

/** A microphone as ffmpeg opens it. */
export interface MicrophoneAddress {
  /** The part of the system that has it. */
  readonly layer: SoundLayer;
  /** Its name there. */
  readonly device: string;
}

/** The system's own microphone, where the system has a name for that. */
export const OWN: Readonly<Record<Exclude<SoundLayer, "dshow">, MicrophoneAddress>> = {
  pulse: { layer: "pulse", device: "default" },
  alsa: { layer: "alsa", device: "default" },
  avfoundation: { layer: "avfoundation", device: "default" },
};

/**
 * Arguments that turn any sound into PCM. The times of its packets do not count: ffmpeg would fill
 * and cut by them.
 */
const CONVERTED = ["-af", "asetpts=N", "-ac", `${PCM.channels}`, "-ar", `${PCM.rate}`];

/**
 * The same for sound that is PCM already, in packets of one frame. It takes two thirds of the
 * processor time (measured).
 */
const COPIED = ["-c", "copy", "-bsf:a", `pcm_rechunk=n=${SOUND_FRAME_SAMPLES}:p=0,setts=N`];

/**
 * The ways to open a microphone as a source of PCM, the best first: the arguments for its input and
 * for its sound. The next one is tried if a device or an older ffmpeg refuses. Pure: the tests run
 * it for every system.
 *
 * A sound server collects 50 ms before it gives any, and Windows half a second, unless asked for
 * less.
 */
export function microphoneArguments({ layer, device }: MicrophoneAddress): string[][] {
  const open = ["-f", layer];
  const asOurs = ["-channels", `${PCM.channels}`, "-sample_rate", `${PCM.rate}`];
  switch (layer) {
    case "pulse": {
      const least = [...asOurs, "-fragment_size", `${PCM_FRAME_BYTES}`];
      return [
        // The server converts. It need not be asked for the time of each packet.
        [...open, "-wallclock", "0", ...least, "-i", device, ...COPIED],
        [...open, ...least, "-i", device, ...CONVERTED],
        [...open, "-fragment_size", `${2 * PCM_FRAME_BYTES}`, "-i", device, ...CONVERTED],
      ];
    }
    case "alsa":
      return [
        [...open, ...asOurs, "-i", device, ...CONVERTED],
        [...open, "-i", device, ...CONVERTED],
      ];
    case "avfoundation":
      return [[...open, "-i", `:${device}`, ...CONVERTED]];
    case "dshow": {
      const input = ["-i", `audio=${device}`, ...CONVERTED];
      return [
        ...["20", "50"].map((ms) => [...open, "-audio_buffer_size", ms, ...input]),
        [...open, ...input],
      ];
    }
  }
}

/** Arguments that make ffmpeg list the microphones of a layer. */
export function microphoneListArguments(layer: SoundLayer): string[] {
  switch (layer) {
    case "pulse":
    case "alsa":
      return ["-hide_banner", "-sources", layer];
    case "avfoundation":
      return listArguments("darwin");
    case "dshow":
      return listArguments("windows");
  }
}

/** A line of `ffmpeg -sources`: a star for the system's own, a name, and a description. */
const SOURCE = /^([* ]) (\S+) \[(.*)\](?: \(.*\))?\s*$/;

/** Reads ffmpeg's answer to `microphoneListArguments`, or nothing if the layer does not answer. */
export function parseMicrophones(layer: SoundLayer, text: string): Microphones | undefined {
  switch (layer) {
    case "avfoundation":
      return { layer, found: parseAvfoundation(text, "audio") };
    case "dshow":
      return { layer, found: parseDshow(text, "audio") };
    case "pulse": {
      if (!/^Auto-detected/m.test(text) || /^Cannot list/m.test(text)) return undefined;
      const sources = parseSources(text);
      const isMonitor = ({ device }: ParsedSource): boolean => device.endsWith(".monitor");
      const own = sources.find(({ isOwn }) => isOwn);
      return {
        layer,
        found: numbered(sources.filter((source) => !isMonitor(source))),
        monitor: own && isMonitor(own) ? own.name : undefined,
      };
    }
    case "alsa": {
      // Each card comes under many names. This one takes any rate, and shares the card.
      const cards = parseSources(text).flatMap(({ device, name }): ParsedSource[] => {
        const [, card] = /^sysdefault:CARD=(.+)$/.exec(device) ?? [];
        return card === undefined ? [] : [{ device, name: `${card}, ${name}`, isOwn: false }];
      });
      return { layer, found: numbered(cards) };
    }
  }
}

interface ParsedSource extends Omit<Device, "index"> {
  readonly isOwn: boolean;
}

function parseSources(text: string): ParsedSource[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [, star, device, name] = SOURCE.exec(line) ?? [];
    return device === undefined ? [] : [{ device, name: name!, isOwn: star === "*" }];
  });
}

function numbered(sources: readonly ParsedSource[]): Device[] {
  return sources.map(({ device, name }, index) => ({ index, name, device }));
}

/** The parts of each system that have microphones, in the order in which they are asked. */
const LAYERS: Readonly<Record<System, readonly SoundLayer[]>> = {
  linux: ["pulse", "alsa"],
  darwin: ["avfoundation"],
  windows: ["dshow"],
};

/** The microphones of this machine. Throws `NotInstalledError` if there is no ffmpeg. */
export async function listMicrophones(
  system: System,
  options: Pick<ChildOptions, "env" | "watch"> = {},
): Promise<Microphones> {
  const layers = LAYERS[system];
  for (const layer of layers) {
    const args = microphoneListArguments(layer);
    const { text } = await readCommand("ffmpeg", args, LIST_TIMEOUT_MS, options);
    const microphones = parseMicrophones(layer, text);
    if (microphones) return microphones;
  }
  return { layer: layers.at(-1)!, found: [] };
}

/**
 * The microphone that is meant by an index, or by a name out of the list. Throws `MicrophoneError`
 * (`none`, or `unknown`: no such microphone; `detail` names those that exist).
 */
export function findMicrophone(
  wanted: string,
  { layer, found }: Microphones,
): MicrophoneAddress {
  const microphone = found.find(({ device }) => device === wanted) ?? chooseDevice(wanted, found);
  if (microphone) return { layer, device: microphone.device };
  throw new MicrophoneError("unknown", wanted, namesOf(found));
}
