/** The kit of `scripts/kit/` under one name for the tests. Bench, soak and demo use it as well. */

export { temporaryFolder } from "../scripts/kit/folder.ts";
export {
  canSeeProcesses,
  childrenWith,
  peakBytes,
  type Process,
  processesNaming,
  residentBytes,
} from "../scripts/kit/processes.ts";
export {
  commandLine,
  type RunningServer,
  startClient,
  startServer,
} from "../scripts/kit/programs.ts";
export { type Probe, probe } from "../scripts/kit/recording.ts";
export { type Outcome, Running, type StartOptions } from "../scripts/kit/running.ts";
export { until } from "../scripts/kit/waiting.ts";
