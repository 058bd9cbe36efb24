/** Prints the devices of this machine: `--list-cameras`, `--list-devices`. */

import { type Device, listCameras, systemOf } from "./media/devices.ts";
import { listMicrophones } from "./media/microphones.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";

/** Prints the cameras. Resolves to the exit status: it failed if there is none. */
export async function showCameras(around: Surroundings): Promise<number> {
  const { messages, system, watch } = around;
  const cameras = await listCameras(systemOf(system), watch);
  return show(cameras, messages.cameras, messages.noCameras, around) ? EXIT.ok : EXIT.failed;
}

/**
 * Prints the cameras and the microphones. Resolves to the exit status: it failed if there are none
 * of both.
 */
export async function showDevices(around: Surroundings): Promise<number> {
  const { messages, system, watch } = around;
  const [cameras, { found }] = await Promise.all([
    listCameras(systemOf(system), watch),
    listMicrophones(systemOf(system), { watch }),
  ]);
  const shown = [
    show(cameras, messages.cameras, messages.noCameras, around),
    show(found, messages.microphones, messages.noMicrophones, around),
  ];
  return shown.includes(true) ? EXIT.ok : EXIT.failed;
}

/** Prints a list, or what is said in place of an empty one. Returns `true` if there is a list. */
function show(
  devices: readonly Device[],
  title: string,
  none: string,
  { log }: Surroundings,
): boolean {
  if (devices.length === 0) {
    log.error(none);
    return false;
  }
  log.say(title);
  for (const { index, name } of devices) log.say(`  ${index}: ${name}`);
  return true;
}
