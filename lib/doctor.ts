/**
 * `--doctor`: looks at everything that a call needs, in the order in which a call needs it, and
 * tells what is wrong and what helps. diagnosis.ts judges; nothing is judged here.
 */

import { statfs } from "node:fs/promises";
import { MicrophoneError, RecordingError, UsageError } from "./errors.ts";
import { readFirewall } from "./firewall.ts";
import { DEFAULT_FORMAT } from "./frame/format.ts";
import { openSource } from "./media/capture.ts";
import { readCommand } from "./media/child.ts";
import { type Device, listCameras, systemOf } from "./media/devices.ts";
import { findFfmpeg, parseFfmpeg } from "./media/ffmpeg.ts";
import { listLoudspeakers } from "./media/loudspeakers.ts";
import { openMicrophone } from "./media/microphone.ts";
import { listMicrophones } from "./media/microphones.ts";
import { resolveFolder, splitPath } from "./media/recording_file.ts";
import { checkRecording } from "./recordings.ts";
import { readRoutes } from "./routes.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";
import {
  type AddressLook,
  type CalleeLook,
  type CameraLook,
  type Finding,
  type Judge,
  judgeAddress,
  judgeCallee,
  judgeCameras,
  judgeDeno,
  judgeDisk,
  judgeFfmpeg,
  judgeFfplay,
  judgeFirewall,
  judgeFolder,
  judgeLoudspeakers,
  judgeMicrophone,
  judgePort,
  judgeScreen,
  type Look,
  markOf,
} from "./user/diagnosis.ts";
import { doctorWordsIn } from "./user/doctor_words.ts";
import type { CommonOptions, Given } from "./user/options.ts";
import { DISCOVERY_PORT } from "./wire/discovery.ts";
import { chooseAddress, type Interface, isRouted } from "./wire/local_ip.ts";

/** Milliseconds of a program that tells its version. */
const VERSION_MS = 5000;

/** Milliseconds that a microphone is heard, and cells of the bar that shows its level. */
const HEARD_MS = 3000;
const BAR_CELLS = 30;

/** Decibels of an empty bar. */
const BAR_DB = -60;

/** The recording that a server makes if it is told no name. */
const RECORDING = "video.avi";

/** The user's command, and the powers that the doctor does not have itself. */
export interface DoctorOptions extends CommonOptions {
  /** The pictures that the command would send. */
  readonly given: Given | undefined;
  /** The address that the command would listen on, if it names one. */
  readonly listenAt: string | undefined;
  /** The cards of this machine. */
  readonly interfaces: () => readonly Interface[];
  /** Looks at the server that the command names, if it names one. */
  readonly callee?: (() => Promise<CalleeLook>) | undefined;
}

/** Tells what a call needs and what of it is there. Resolves to the exit status. */
export async function examine(options: DoctorOptions, around: Surroundings): Promise<number> {
  const { log, messages, system, hangUp } = around;
  const words = doctorWordsIn(options.language);
  const judge: Judge = { messages, words, system };
  let problems = 0;
  const tell = (...findings: readonly Finding[]): void => {
    for (const finding of findings) {
      log.say(`${markOf(finding)} ${finding.text}`);
      if (finding.state === "bad") problems++;
    }
  };
  log.say(words.title);
  const looks: readonly (() => Promise<void>)[] = [
    () => lookAtPrograms(options, around, judge, tell),
    async () => tell(...await lookAtCameras(options, around, judge)),
    async () => tell(await lookAtMicrophone(options, around, judge)),
    async () => {
      const names = await listLoudspeakers(systemOf(system), around).catch(() => []);
      tell(judgeLoudspeakers(names, options.play && options.sound !== undefined, judge));
    },
    () => lookAtNetwork(options, around, judge, tell),
    async () => tell(...await lookAtDisk(options, around, judge)),
    async () => {
      const { callee, host, port, given } = options;
      if (callee === undefined || host === undefined) return;
      log.say(words.calleeTitle(host, port));
      tell(...judgeCallee(await callee(), { host, port }, given?.format ?? DEFAULT_FORMAT, judge));
    },
  ];
  for (const look of looks) {
    if (hangUp.aborted) return EXIT.failed;
    await look();
  }
  log.say(words.summary(problems));
  return problems > 0 ? EXIT.failed : EXIT.ok;
}

type Tell = (...findings: readonly Finding[]) => void;

async function lookAtPrograms(
  { display, sound, play }: DoctorOptions,
  { screen, watch }: Surroundings,
  judge: Judge,
  tell: Tell,
): Promise<void> {
  tell(judgeDeno(Deno.version.deno, judge));
  tell(...judgeFfmpeg(await look(findFfmpeg(undefined, watch)), judge));
  const ffplay = readCommand("ffplay", ["-version"], VERSION_MS, { watch })
    .then(({ text }) => parseFfmpeg(text.replace(/^ffplay/m, "ffmpeg")).version);
  tell(judgeFfplay(await look(ffplay), display || sound !== undefined && play, judge));
  tell(judgeScreen(screen, judge));
}

/** Opens each camera, one after the other, until its first picture. */
async function lookAtCameras(
  { given }: DoctorOptions,
  { system, hangUp, watch }: Surroundings,
  judge: Judge,
): Promise<Finding[]> {
  const isWanted = given !== undefined && "camera" in given.from;
  const cameras = await look(listCameras(systemOf(system), watch));
  if ("problem" in cameras) return judgeCameras(cameras, isWanted, judge);
  const found: CameraLook[] = [];
  for (const camera of cameras.found) {
    if (hangUp.aborted) break;
    found.push(await openCamera(camera));
  }
  return judgeCameras({ found }, isWanted, judge);

  async function openCamera({ index, name }: Device): Promise<CameraLook> {
    const from = { camera: String(index) };
    const options = { from, format: DEFAULT_FORMAT, mirror: false, system: systemOf(system) };
    try {
      await using _source = await openSource({ ...options, watch }, hangUp);
      return { name: `${index}: ${name}` };
    } catch (problem) {
      return { name: `${index}: ${name}`, problem };
    }
  }
}

/** Hears the microphone that a call would open, and shows its level meanwhile. */
async function lookAtMicrophone(
  { sound }: DoctorOptions,
  { log, system, hangUp, watch }: Surroundings,
  judge: Judge,
): Promise<Finding> {
  const wanted = sound?.microphone;
  const heard = await look((async () => {
    const { found } = await listMicrophones(systemOf(system), { watch });
    const options = { wanted, system: systemOf(system), watch };
    await using source = await openMicrophone(options, hangUp);
    const endMs = performance.now() + HEARD_MS;
    let peak = 0;
    for await (const { data } of source.frames()) {
      const loudest = loudestOf(data);
      peak = Math.max(peak, loudest);
      log.status(judge.words.level(bar(loudest)));
      if (performance.now() >= endMs || hangUp.aborted) break;
    }
    const name = wanted ?? found[0]?.name ?? "";
    if (peak === 0 && name === "") throw new MicrophoneError("none");
    return { name, peak };
  })());
  log.status("");
  return judgeMicrophone(heard, sound !== undefined, judge);
}

/** The loudest of samples of 16 bits, of 1 at the most. */
export function loudestOf(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let loudest = 0;
  for (let at = 0; at + 1 < data.length; at += 2) {
    loudest = Math.max(loudest, Math.abs(view.getInt16(at, true)));
  }
  return loudest / 32768;
}

/** A bar as long as the sound is loud. */
export function bar(loudest: number): string {
  const decibels = Math.max(20 * Math.log10(loudest), BAR_DB);
  const full = Math.round((1 - decibels / BAR_DB) * BAR_CELLS);
  return "█".repeat(full) + "░".repeat(BAR_CELLS - full);
}

async function lookAtNetwork(
  { listenAt, port, interfaces }: DoctorOptions,
  { system, watch }: Surroundings,
  judge: Judge,
  tell: Tell,
): Promise<void> {
  const address = explain(interfaces(), await readRoutes(system, watch));
  tell(...judgeAddress(address, judge));
  const host = listenAt ?? address?.address;
  if (host !== undefined) tell(judgePort(host, port, listenOnce(host, port), judge));
  tell(judgeFirewall(await readFirewall(), { tcp: port, udp: DISCOVERY_PORT }, judge));
}

/** The address that others are told, and the reason. */
export function explain(
  interfaces: readonly Interface[],
  routes: string,
): AddressLook | undefined {
  const own = chooseAddress(interfaces, routes);
  if (own === undefined) return undefined;
  const card = interfaces.find(({ address }) => address === own.address)!.name;
  const why = own.others.length === 0 ? "only" : isRouted(card, routes) ? "router" : "likeliest";
  return { ...own, card, why };
}

/** Listens for a moment. Returns the system's error if it cannot. */
function listenOnce(hostname: string, port: number): unknown {
  try {
    Deno.listen({ hostname, port }).close();
    return undefined;
  } catch (error) {
    return error;
  }
}

async function lookAtDisk(
  { record = RECORDING }: DoctorOptions,
  around: Surroundings,
  judge: Judge,
): Promise<Finding[]> {
  let wanted = record;
  try {
    ({ wanted } = await checkRecording(record, around));
  } catch (error) {
    // The others are about ffmpeg, which has its own lines.
    if (error instanceof RecordingError || error instanceof UsageError) {
      return [judgeFolder(error, judge)];
    }
  }
  const [folder] = splitPath(await resolveFolder(wanted));
  const room = statfs(folder || ".").then(({ bavail, bsize }) => bavail * bsize);
  return [judgeDisk(await look(room), folder || ".", judge)];
}

async function look<T>(promise: Promise<T>): Promise<Look<T>> {
  try {
    return { found: await promise };
  } catch (problem) {
    return { problem };
  }
}
