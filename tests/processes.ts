/** The child processes of this one, as Linux knows them: what a test must not leave behind, and what it may kill. */

/** Whether this machine can tell. */
export const canSeeProcesses = Deno.build.os === "linux";

/** A running process. */
export interface Process {
  readonly pid: number;
  readonly args: readonly string[];
}

/** The running children of this process that have this word in their command line. */
export async function childrenWith(word: string): Promise<Process[]> {
  const found: Process[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const commandLine = await Deno.readTextFile(`/proc/${name}/cmdline`);
      if (!commandLine.includes(word)) continue;
      const status = await Deno.readTextFile(`/proc/${name}/status`);
      if (Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) !== Deno.pid) continue;
      found.push({ pid: Number(name), args: commandLine.split("\0").slice(0, -1) });
    } catch (error) {
      // It has ended while it was looked at.
      if (!(error instanceof Deno.errors.NotFound) && !/os error 3\b/.test(String(error))) {
        throw error;
      }
    }
  }
  return found;
}
