/**
 * Processes as Linux knows them, whoever started them: their names, their resources and their
 * children.
 */

/** True if this machine tells of its processes. */
export const canSeeProcesses = Deno.build.os === "linux";

/** The unit of processor time in /proc, the same on every Linux that Deno runs on. */
const TICKS_A_SECOND = 100;

/** A running process. */
export interface Process {
  readonly pid: number;
  readonly args: readonly string[];
}

/** The processes that name this text in their command line, by id. This process is left out. */
export async function processesNaming(text: string): Promise<number[]> {
  return (await namedBy(text)).map(({ pid }) => pid);
}

/** The running children of this process that have this word in their command line. */
export async function childrenWith(word: string): Promise<Process[]> {
  const found: Process[] = [];
  for (const process of await namedBy(word)) {
    const status = await read(process.pid, "status");
    if (Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) === Deno.pid) found.push(process);
  }
  return found;
}

/** A figure out of the memory of a process, in bytes: its present size, or its largest. */
async function memoryOf(pid: number, name: "VmRSS" | "VmHWM"): Promise<number> {
  const [, kilobytes] = new RegExp(`${name}:\\s+(\\d+) kB`).exec(await read(pid, "status")) ?? [];
  if (kilobytes === undefined) throw new Error(`Cannot read ${name} of process ${pid}`);
  return Number(kilobytes) * 1024;
}

/** The memory that a process has now, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  return await memoryOf(pid, "VmRSS");
}

/** The most memory that a process has had, in bytes. */
export async function peakBytes(pid: number): Promise<number> {
  return await memoryOf(pid, "VmHWM");
}

/**
 * The processor time that these processes have taken until now, in seconds. Processes that have
 * ended count nothing.
 */
export async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  const ticks = await Promise.all(pids.map(async (pid) => {
    // The name may hold anything. Behind it, the state is the third field, and these are 14 and 15.
    const fields = (await read(pid, "stat")).split(") ").at(-1)!.split(" ");
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }));
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_A_SECOND;
}

/** A process and all below it, the deepest last. If the system cannot tell: the process alone. */
export async function treeOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  try {
    // Each thread has children of its own.
    for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
      const text = await read(pid, `task/${name}/children`);
      children.push(...text.trim().split(" ").filter((word) => word !== "").map(Number));
    }
  } catch {
    // It has ended. Its children are another's by now, and end when their input does.
  }
  const below = await Promise.all(children.map(treeOf));
  return [pid, ...below.flat()];
}

/** Kills those of these processes that still run. */
export function endTree(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

async function namedBy(text: string): Promise<Process[]> {
  const found: Process[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === Deno.pid) continue;
    const line = await read(pid, "cmdline");
    if (line.includes(text)) found.push({ pid, args: line.split("\0").slice(0, -1) });
  }
  return found;
}

/** Reads a file of a process. Resolves to an empty text if the process has ended. */
async function read(pid: number, name: string): Promise<string> {
  return await Deno.readTextFile(`/proc/${pid}/${name}`).catch(() => "");
}
