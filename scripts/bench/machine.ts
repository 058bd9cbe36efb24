/** The date and the machine of a run, without which it is worth nothing. */

/** A machine and the programs on it. */
export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly system: string;
  readonly deno: string;
  readonly ffmpeg: string;
}

/** Describes this machine. */
export async function describeMachine(): Promise<Machine> {
  const [processors, release, ffmpeg] = await Promise.all([
    Deno.readTextFile("/proc/cpuinfo").catch(() => ""),
    Deno.readTextFile("/etc/os-release").catch(() => ""),
    firstLine("ffmpeg", "-version"),
  ]);
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: /^model name\s*:\s*(.*)$/m.exec(processors)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryGigabytes: Math.round(Deno.systemMemoryInfo().total / 1e9),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? Deno.build.os,
    deno: Deno.version.deno,
    ffmpeg: /version (\S+)/.exec(ffmpeg)?.[1] ?? "none",
  };
}

/** The same in a sentence. */
export function formatMachine(machine: Machine): string {
  const { date, processor, cores, memoryGigabytes, system, deno, ffmpeg } = machine;
  return `${date}: ${cores} cores of ${processor}, ${memoryGigabytes} GB, ${system}, Deno ${deno}, ` +
    `ffmpeg ${ffmpeg}`;
}

async function firstLine(program: string, ...args: string[]): Promise<string> {
  try {
    const command = new Deno.Command(program, { args, stdin: "null", stderr: "null" });
    const { stdout } = await command.output();
    return new TextDecoder().decode(stdout).split("\n")[0] ?? "";
  } catch {
    return "";
  }
}
