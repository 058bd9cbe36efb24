/** The making of all that this end gives, as the user wants it: its streams and its sources. */

import {
  type Codec,
  type Format,
  OPUS,
  PCM,
  type SoundFormat,
  type VideoFormat,
} from "./frame/format.ts";
import { openSource } from "./media/capture.ts";
import { ENCODERS } from "./media/conversion.ts";
import { systemOf } from "./media/devices.ts";
import type { WindowPlace } from "./media/display.ts";
import { findFfmpeg } from "./media/ffmpeg.ts";
import { withoutSecrets } from "./media/input.ts";
import { openMicrophone } from "./media/microphone.ts";
import { openTranscoder } from "./media/transcoder.ts";
import { Outgoing } from "./outgoing.ts";
import { openDisplay } from "./showing.ts";
import type { Surroundings } from "./surroundings.ts";
import { tellTranscoder } from "./transcoders.ts";
import type { CommonOptions, Given } from "./user/options.ts";
import { describe } from "./user/problems.ts";
import { TITLES } from "./user/sentences.ts";

/** The state that decides about an end's view of itself, and the listeners for its source's end. */
export interface GivenHost {
  /** The place of the window; the middle of the screen if none is given. */
  readonly place: () => WindowPlace | undefined;
  /** True if a window of a call has failed: another would fail as well. The user was told. */
  readonly isVain: () => boolean;
  /** The window was closed. */
  readonly onClosed: () => void;
  /** The source is over: it has given its last frame, or fails with an error. */
  readonly onOver: (error?: unknown) => void;
}

/** The options that say what an end gives. */
export type GivenOptions = Pick<CommonOptions, "auto" | "sound"> & {
  /** The pictures, if there are to be any. */
  readonly given: Given | undefined;
};

/**
 * The codecs of pictures where the codec follows the link, the one to begin with first: it is
 * bearable on every link until the link is measured.
 */
const FOLLOWING: readonly Codec[] = ["mjpeg", "raw", "h264"];

/** The encoder of Opus. */
const OPUS_ENCODER = "libopus";

/** The streams that this end announces, given the encoders that this machine has. */
export function streamsOf(
  { auto, given, sound }: GivenOptions,
  encoders: ReadonlySet<string>,
): readonly Format[] {
  // An ffmpeg that did not answer in time is only slow.
  const has = (encoder: string): boolean => encoders.size === 0 || encoders.has(encoder);
  const format = given?.format;
  const pictures: readonly VideoFormat[] = format === undefined
    ? []
    : auto
    ? FOLLOWING.filter((codec) => has(ENCODERS[codec])).map((codec) => ({ ...format, codec }))
    : [format];
  const opus = has(OPUS_ENCODER) ? [OPUS] : [];
  const sounds: readonly SoundFormat[] = sound === undefined
    ? []
    : format?.codec === "h264" && opus.length > 0
    ? opus
    : auto && format !== undefined
    ? [PCM, ...opus]
    : [PCM];
  return [...pictures, ...sounds];
}

/**
 * The encoders of this machine, for a call with sound. Empty if nobody asked, or ffmpeg did not
 * answer in time. Without sound, the first ffmpeg that lacks one tells that by itself. Throws
 * `NotInstalledError`, or `FfmpegError` (`old`).
 */
export async function encodersFor(
  { sound }: GivenOptions,
  { watch }: Pick<Surroundings, "watch">,
): Promise<ReadonlySet<string>> {
  return sound ? (await findFfmpeg(undefined, watch)).encoders : new Set();
}

/** Makes the sources of all calls of this end, as the user wants them. Nothing is opened yet. */
export function outgoingOf(
  options: GivenOptions,
  encoders: ReadonlySet<string>,
  around: Surroundings,
  host: GivenHost,
): Outgoing | undefined {
  const { given, sound } = options;
  if (given === undefined && sound === undefined) return undefined;
  const { log, messages, system, watch } = around;
  const warn = (sentence: string): void => log.warn(sentence);
  return new Outgoing({
    formats: streamsOf(options, encoders),
    given: [...(given ? [given.format] : []), ...(sound ? [PCM] : [])],
    openSource: given && ((signal) =>
      openSource({
        ...{ ...given, sound: takesSoundOf(given, sound), system: systemOf(system), watch },
        onWaiting: (name) => log.say(messages.waitingFor(name)),
        onWay: (text) => log.debug("source", () => withoutSecrets(text)),
      }, signal)),
    openMicrophone: sound &&
      ((signal) =>
        openMicrophone({ wanted: sound.microphone, system: systemOf(system), watch }, signal)),
    openTranscoder: (from, to, onFailed) => openTranscoder({ from, to, onFailed, watch }),
    onTranscoderFailed: (failure) => tellTranscoder(failure, around, warn),
    openView: () =>
      given === undefined || host.isVain() ? undefined : openDisplay(
        {
          ...{ format: given.format, title: TITLES.sending },
          ...{ place: host.place(), onClosed: host.onClosed },
        },
        around,
        warn,
      ),
    onOver: host.onOver,
    onSilent: (error) => log.warn(describe(error, messages, system, "HOST")),
    onHeard: () => log.warn(messages.microphoneBack),
  });
}

/**
 * True if the sound of an input is taken, where it has any. A microphone that the user named takes
 * its place. The test picture and the test sound belong together.
 */
function takesSoundOf({ from }: Given, sound: GivenOptions["sound"]): boolean {
  if (sound === undefined || !("input" in from)) return false;
  return from.input === "test" ? sound.microphone === "test" : sound.microphone === undefined;
}

/** Mutes the microphone and back with the `m` key, until disposed of. */
export function watchMute(
  outgoing: Outgoing | undefined,
  { keyboard, log, messages }: Surroundings,
): Disposable {
  const onMute = (): void => {
    if (!outgoing?.gives("sound")) return;
    outgoing.muted = !outgoing.muted;
    log.say(messages.muted(outgoing.muted));
  };
  keyboard.addEventListener("mute", onMute);
  return { [Symbol.dispose]: () => keyboard.removeEventListener("mute", onMute) };
}

/** Tells the user of the key for the microphone, and of headphones. */
export function tellOfSound(
  { play }: Pick<CommonOptions, "play">,
  outgoing: Outgoing | undefined,
  { keys, log, messages }: Surroundings,
): void {
  if (!keys || !outgoing?.gives("sound")) return;
  log.say(messages.muteHint);
  if (play) log.say(messages.headphones);
}
