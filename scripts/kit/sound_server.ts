/**
 * A sound server of a test's own: PulseAudio with loudspeakers that nobody hears and microphones
 * that the test speaks into. It plays, records and clicks on this machine's clock, touches no
 * sound card and knows nothing of the user's own server.
 *
 * - A **loudspeaker** is a null sink. A recorder at its monitor, the ear, notes the moment of each
 *   click that it hears.
 * - A **microphone** is a FIFO. All that is written there is sound of that moment.
 *
 * Every program that is started here ends with the server, by its id.
 */

import { temporaryFolder } from "./folder.ts";
import { until } from "./waiting.ts";

/** True if this machine has all that a sound server of a test's own needs. */
export const canHear: boolean = Deno.build.os === "linux" &&
  ["pulseaudio", "parec", "pactl"].every(isInstalled);

/** Samples a second, of one channel. */
export const SOUND_RATE = 48_000;

/** Milliseconds of a click. */
const CLICK_MS = 2.5;

/** The amplitude of a click, of 1 at most. */
const CLICK_AMPLITUDE = 0.8;

/** The tone of a microphone that hums. */
const HUM_AMPLITUDE = 0.3;
const HUM_HZ = 1000;

/** The least amplitude that is heard. */
const AUDIBLE = 0.05;

/** Milliseconds of silence in front of a click. */
const SILENCE_MS = 30;

/** Milliseconds between two writes of silence to a microphone. */
const FEED_MS = 10;

/**
 * Channels of the FIFO: the more bytes a moment has, the fewer moments wait in the pipe (2.7 ms
 * with eight of 32 bits, measured).
 */
const FIFO_CHANNELS = 8;

/** Milliseconds of sound whose loudness an ear remembers. */
const REMEMBERED_MS = 60_000;

/** Milliseconds of sound in one entry of that memory. */
const ENTRY_MS = 5;

/** The loudspeakers and microphones of a server. */
export interface SoundServerOptions {
  /** The number of loudspeakers. One if not given. */
  readonly loudspeakers?: number;
  /** The number of microphones. One if not given. */
  readonly microphones?: number;
  /**
   * Samples that a microphone gives in a second of this machine's clock. With 48,000, as if not
   * given, both ends of a call have one clock.
   */
  readonly microphoneRate?: number;
}

/** The samples of a click: 2.5 ms of a tone of 2,000 Hz, between -1 and 1. */
export function clickSamples(): Float32Array {
  return Float32Array.from(
    { length: CLICK_MS * SOUND_RATE / 1000 },
    (_, index) => CLICK_AMPLITUDE * Math.cos(2 * Math.PI * 2000 * index / SOUND_RATE),
  );
}

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;

/** A sound server. */
export class SoundServer implements AsyncDisposable {
  /** The ear at each loudspeaker, by number. */
  readonly ears: readonly Ear[];
  /** Each microphone, by number. */
  readonly microphones: readonly TestMicrophone[];
  readonly #folder: Folder;
  #daemon: Deno.ChildProcess | undefined;

  private constructor(folder: Folder, options: SoundServerOptions) {
    const { loudspeakers = 1, microphones = 1, microphoneRate = SOUND_RATE } = options;
    this.#folder = folder;
    const numbers = (length: number): number[] => Array.from({ length }, (_, index) => index);
    this.ears = numbers(loudspeakers).map((number) => new Ear(`spk${number}`));
    this.microphones = numbers(microphones).map((number) =>
      new TestMicrophone(`mic${number}`, `${folder.path}/mic${number}`, microphoneRate)
    );
  }

  /** Starts a server, and waits until it works. */
  static async open(options: SoundServerOptions = {}): Promise<SoundServer> {
    const server = new SoundServer(await temporaryFolder(), options);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * The variables that make a program a client of this server, with one of its loudspeakers and
   * microphones as its own. Programs with other numbers are as good as on other machines.
   */
  client(loudspeaker = 0, microphone = loudspeaker): Record<string, string> {
    return {
      PULSE_SERVER: `unix:${this.#folder.path}/socket`,
      PULSE_COOKIE: `${this.#folder.path}/cookie`,
      PULSE_SINK: `spk${loudspeaker}`,
      // No other way to a device of this machine, in versions 2 and 3 of SDL.
      SDL_AUDIODRIVER: "pulseaudio",
      SDL_AUDIO_DRIVER: "pulseaudio",
      PULSE_SOURCE: `mic${microphone}`,
    };
  }

  /** The id of the server's process. */
  get pid(): number {
    if (this.#daemon === undefined) throw new Error("Cannot tell the id: the server is down");
    return this.#daemon.pid;
  }

  /** Starts the server anew after `kill`, at the same address. */
  async start(): Promise<void> {
    const { path } = this.#folder;
    const socket = `${path}/socket`;
    // A server that was killed has left its files behind, with nobody at the other end.
    for (const file of [socket, ...this.microphones.map(({ fifo }) => fifo)]) {
      await Deno.remove(file).catch(() => {});
    }
    const modules = [
      ...[...this.ears, ...this.microphones].map((device) => device.module),
      // The last one: a server that answers has all the others.
      `module-native-protocol-unix socket=${socket} auth-anonymous=1`,
    ];
    this.#daemon = new Deno.Command("pulseaudio", {
      args: [
        ...["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"],
        ...modules.flatMap((module) => ["-L", module]),
      ],
      env: {
        HOME: path,
        XDG_RUNTIME_DIR: path,
        PULSE_RUNTIME_PATH: path,
        PULSE_STATE_PATH: path,
        // The user's own server and folders are none of its business.
        PULSE_SERVER: "",
        DBUS_SESSION_BUS_ADDRESS: "",
      },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until("the sound server", async () => {
      return await Deno.stat(socket).then(() => true, () => undefined);
    });
    await Promise.all([...this.ears, ...this.microphones].map((device) => this.#open(device)));
  }

  /** Kills the server. Its address stays, with nobody there. */
  async kill(): Promise<void> {
    await Promise.all([...this.ears, ...this.microphones].map((device) => device.close()));
    await end(this.#daemon);
    this.#daemon = undefined;
  }

  /** Takes a loudspeaker or a microphone away, as if somebody pulled its plug. */
  async unplug(device: Ear | TestMicrophone): Promise<void> {
    const list = await this.control("list", "short", "modules");
    const line = list.split("\n").find((line) => line.includes(device.module.split(" ")[1]!));
    if (line === undefined) throw new Error(`Cannot unplug ${device.name}: it is not there`);
    await device.close();
    await this.control("unload-module", line.split("\t")[0]!);
  }

  /** Puts it back. */
  async plug(device: Ear | TestMicrophone): Promise<void> {
    await this.control("load-module", ...device.module.split(" "));
    await this.#open(device);
  }

  async #open(device: Ear | TestMicrophone): Promise<void> {
    await device.open(this.client());
    if (device instanceof Ear) return;
    // The server empties the FIFO of a microphone that is in use, and of no other.
    await until(`${device.name} in use`, async () => {
      const list = await this.control("list", "short", "sources");
      const line = list.split("\n").find((line) => line.split("\t")[1] === device.name);
      return line?.endsWith("RUNNING") ? true : undefined;
    });
    device.begin();
  }

  /** Lets pactl do something. Resolves to its output. Throws if it fails. */
  async control(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("pactl", {
      args,
      env: { ...this.client(), LC_ALL: "C" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder();
    if (!success) throw new Error(`Cannot ${args.join(" ")}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  }

  /** Ends the server and all that listens to it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** The ear at a loudspeaker: a recorder at its monitor, which notes the clicks and the loudness. */
export class Ear {
  /** The moments of the clicks until now, in milliseconds of `performance.now()`. */
  readonly clicksMs: number[] = [];
  /** The name of its loudspeaker, for programs. */
  readonly name: string;
  /** The module of the server that makes the loudspeaker. */
  readonly module: string;
  readonly #loudness: { readonly ms: number; readonly peak: number }[] = [];
  #recorder: Deno.ChildProcess | undefined;
  #listening: Promise<void> = Promise.resolve();
  #silence = 0;
  #entry = { samples: 0, peak: 0 };

  /** An ear at the loudspeaker of that name. */
  constructor(name: string) {
    this.name = name;
    this.module = `module-null-sink sink_name=${name} rate=${SOUND_RATE} channels=2 norewinds=1`;
  }

  /**
   * The first click that was heard at that moment or later. Waits for it, and throws if none comes
   * for 30 s.
   */
  async click(sinceMs: number): Promise<number> {
    return await until("a click", () => this.clicksMs.find((ms) => ms >= sinceMs), 2);
  }

  /** The greatest amplitude that was heard between two moments, of 1 at most. */
  loudest(sinceMs: number, untilMs = Infinity): number {
    return Math.max(0, ...this.#between(sinceMs, untilMs));
  }

  /** Milliseconds of silence between two moments, to 5 ms: holes in sound that ought to be steady. */
  silenceMs(sinceMs: number, untilMs = Infinity): number {
    return ENTRY_MS * this.#between(sinceMs, untilMs).filter((peak) => peak < AUDIBLE).length;
  }

  #between(sinceMs: number, untilMs: number): number[] {
    return this.#loudness.filter(({ ms }) => ms > sinceMs && ms - ENTRY_MS < untilMs)
      .map(({ peak }) => peak);
  }

  /** Starts to listen. Resolves when the first sound or silence is there. */
  async open(client: Readonly<Record<string, string>>): Promise<void> {
    // Without a reader that asks for little at a time, a null sink works in blocks of 2 s.
    const recorder = record(`${this.name}.monitor`, client, "piped");
    this.#recorder = recorder;
    const { promise: begun, resolve: begin } = Promise.withResolvers<boolean>();
    this.#listening = (async (): Promise<void> => {
      let odd = new Uint8Array();
      for await (const chunk of recorder.stdout) {
        const nowMs = performance.now();
        begin(true);
        const bytes = new Uint8Array(odd.length + chunk.length);
        bytes.set(odd);
        bytes.set(chunk, odd.length);
        const count = bytes.length >> 1;
        odd = bytes.slice(2 * count);
        this.#hear(new Int16Array(bytes.buffer, 0, count), nowMs);
      }
      begin(false);
    })();
    if (!await begun) throw new Error(`Cannot listen at ${this.name}`);
  }

  /** Stops to listen. */
  async close(): Promise<void> {
    await end(this.#recorder);
    this.#recorder = undefined;
    await this.#listening;
  }

  /** Takes the samples whose last one belongs to this moment. */
  #hear(samples: Int16Array, nowMs: number): void {
    samples.forEach((sample, index) => {
      const level = Math.abs(sample) / 32_768;
      const ms = nowMs - (samples.length - index) * 1000 / SOUND_RATE;
      if (level < AUDIBLE) this.#silence++;
      else {
        if (this.#silence >= SILENCE_MS * SOUND_RATE / 1000) this.clicksMs.push(ms);
        this.#silence = 0;
      }
      this.#entry.peak = Math.max(this.#entry.peak, level);
      if (++this.#entry.samples < ENTRY_MS * SOUND_RATE / 1000) return;
      this.#loudness.push({ ms, peak: this.#entry.peak });
      if (this.#loudness.length > REMEMBERED_MS / ENTRY_MS) this.#loudness.shift();
      this.#entry = { samples: 0, peak: 0 };
    });
  }
}

/** A microphone that the test speaks into. Unless it hums, it gives silence all the time. */
export class TestMicrophone {
  /** True while it gives a steady tone in place of silence. */
  hums = false;
  /** Its name, for programs. */
  readonly name: string;
  /** The module of the server that makes it. */
  readonly module: string;
  /** The path of its FIFO. */
  readonly fifo: string;
  readonly #rate: number;
  #file: Deno.FsFile | undefined;
  #recorder: Deno.ChildProcess | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sinceMs = 0;
  #given = 0;

  /** A microphone of that name, of so many samples a second, at a FIFO that the server makes. */
  constructor(name: string, fifo: string, rate: number = SOUND_RATE) {
    this.#rate = rate;
    this.name = name;
    this.fifo = fifo;
    this.module = `module-pipe-source source_name=${name} file=${fifo} rate=${SOUND_RATE} ` +
      `channels=${FIFO_CHANNELS} format=float32le`;
  }

  /** Clicks. Returns the moment, in milliseconds of `performance.now()`. */
  click(): number {
    const nowMs = this.#catchUp();
    this.say(clickSamples());
    return nowMs;
  }

  /** Gives samples between -1 and 1, all of them now. Silence follows when their time is over. */
  say(samples: Float32Array): void {
    const interleaved = new Float32Array(samples.length * FIFO_CHANNELS);
    samples.forEach((sample, index) =>
      interleaved.fill(sample, index * FIFO_CHANNELS, (index + 1) * FIFO_CHANNELS)
    );
    this.#given += samples.length;
    const bytes = new Uint8Array(interleaved.buffer);
    try {
      // A write that does not wait is made by another thread: it comes in bursts of 40 ms
      // (measured).
      for (let at = 0; this.#file && at < bytes.length;) {
        at += this.#file.writeSync(bytes.subarray(at));
      }
    } catch {
      // The server has gone.
      this.pause();
    }
  }

  /** Gives silence until now, or the tone. Returns the moment. */
  #catchUp(): number {
    const nowMs = performance.now();
    const missing = Math.round((nowMs - this.#sinceMs) * this.#rate / 1000) - this.#given;
    if (missing > 0) {
      const from = this.#given;
      this.say(
        Float32Array.from(
          { length: missing },
          (_, index) =>
            this.hums
              ? HUM_AMPLITUDE * Math.cos(2 * Math.PI * HUM_HZ * (from + index) / SOUND_RATE)
              : 0,
        ),
      );
    }
    return nowMs;
  }

  /** Is used by somebody from here on: by a program that throws away what it hears. */
  open(client: Readonly<Record<string, string>>): void {
    this.#recorder = record(this.name, client, "null");
  }

  /** Begins to give silence. */
  begin(): void {
    this.#file = Deno.openSync(this.fifo, { write: true });
    this.#sinceMs = performance.now();
    this.#given = 0;
    this.#timer = setInterval(() => this.#catchUp(), FEED_MS);
  }

  /** Gives nothing any more, like a microphone that hangs. `begin` ends that. */
  pause(): void {
    clearInterval(this.#timer);
    this.#file?.close();
    this.#file = undefined;
  }

  /** Is used by nobody. */
  async close(): Promise<void> {
    this.pause();
    await end(this.#recorder);
    this.#recorder = undefined;
  }
}

/** Starts a program that records from a source of the server, as s16le of one channel. */
function record(
  source: string,
  client: Readonly<Record<string, string>>,
  stdout: "piped" | "null",
): Deno.ChildProcess {
  return new Deno.Command("parec", {
    args: [
      ...["-d", source, "--raw", "--latency-msec=5"],
      ...["--format=s16le", `--rate=${SOUND_RATE}`, "--channels=1"],
    ],
    env: { ...client },
    stdin: "null",
    stdout,
    stderr: "null",
  }).spawn();
}

/** Ends a program that is not wanted any more. */
async function end(process: Deno.ChildProcess | undefined): Promise<void> {
  if (process === undefined) return;
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await process.status;
}

function isInstalled(program: string): boolean {
  return ["/usr/bin", "/bin", "/usr/local/bin"].some((place) => {
    try {
      return Deno.statSync(`${place}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}
