/** The parts of the benchmark, in the order in which they run. */

import { callsAtOnce } from "./calls_at_once.ts";
import { delay } from "./delay.ts";
import { firstPicture } from "./first_picture.ts";
import { highDefinition } from "./high_definition.ts";
import { memory } from "./memory.ts";
import { mouthToEar } from "./mouth_to_ear.ts";
import { privateCall } from "./private_call.ts";
import { processorTime } from "./processor_time.ts";
import { quality } from "./quality.ts";
import { recordingRate } from "./recording_rate.ts";
import type { Section } from "./section.ts";
import { senderDelay } from "./sender_delay.ts";
import { soundCost } from "./sound_cost.ts";
import { twoWay } from "./two_way.ts";
import { wireRate } from "./wire_rate.ts";

/** All of them. */
export const SECTIONS: readonly Section[] = [
  delay,
  highDefinition,
  senderDelay,
  wireRate,
  privateCall,
  recordingRate,
  processorTime,
  memory,
  twoWay,
  mouthToEar,
  soundCost,
  callsAtOnce,
  firstPicture,
  quality,
];
