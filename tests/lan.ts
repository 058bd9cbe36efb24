/**
 * A network of machines that are none: a namespace each, and a switch between them in one more. The
 * switch can keep back what goes to a group or to all.
 */

import { assert } from "@std/assert";
import { Running, type StartOptions } from "./harness.ts";

async function run(command: string): Promise<boolean> {
  const [program, ...args] = command.split(" ");
  const options = { args, stdin: "null", stdout: "null", stderr: "null" } as const;
  return await new Deno.Command(program!, options).output()
    .then(({ success }) => success, () => false);
}

/** A machine on a network of the test's own. */
export interface LanMachine {
  /** Its address on the switch's network. */
  readonly address: string;
  /** Runs a program there. */
  readonly inside: StartOptions;
  /** Runs `ip` there. */
  ip(...lines: readonly string[]): Promise<void>;
  /** Runs a script of Deno's with every right there. */
  script(text: string): Running;
}

/** A switch, and the machines at it. */
export class Lan implements AsyncDisposable {
  readonly #id = `lan-${Deno.pid}-${crypto.randomUUID().slice(0, 6)}`;
  #machines = 0;

  private constructor() {}

  /** Makes a switch without machines. */
  static async lay(): Promise<Lan> {
    const lan = new Lan();
    const middle = lan.#middle;
    for (
      const command of [
        `ip netns add ${middle}`,
        `ip -n ${middle} link add switch type bridge mcast_snooping 0`,
        `ip -n ${middle} link set switch up`,
      ]
    ) assert(await run(command), command);
    return lan;
  }

  get #middle(): string {
    return `${this.#id}-m`;
  }

  /**
   * Adds a machine at 10.78.0.n, with a cable unless told otherwise. It has a second card, with an
   * address in another network and the default route.
   */
  async add({ isPlugged = true } = {}): Promise<LanMachine> {
    const number = ++this.#machines;
    const name = `${this.#id}-${number}`;
    const address = `10.78.0.${number}`;
    assert(await run(`ip netns add ${name}`));
    const ip = async (...lines: readonly string[]): Promise<void> => {
      for (const line of lines) assert(await run(`ip -n ${name} ${line}`), line);
    };
    await ip(
      "link set lo up",
      "link add other type veth peer name far",
      `address add 192.168.${number}.2/24 brd + dev other`,
      "link set other up",
      "link set far up",
      `route add default via 192.168.${number}.1`,
    );
    const machine: LanMachine = {
      address,
      inside: { inside: ["ip", "netns", "exec", name] },
      ip,
      script: (text) =>
        new Running([Deno.execPath(), "eval", "--no-config", text], {
          inside: ["ip", "netns", "exec", name],
        }),
    };
    if (isPlugged) await this.plug(machine);
    return machine;
  }

  /** Gives a machine its card at the switch. */
  async plug({ address, ip }: LanMachine): Promise<void> {
    const number = address.split(".").at(-1)!;
    const name = `${this.#id}-${number}`;
    for (
      const command of [
        `ip -n ${this.#middle} link add p${number} type veth peer name lan netns ${name}`,
        `ip -n ${this.#middle} link set p${number} master switch up`,
      ]
    ) assert(await run(command), command);
    await ip(
      `link set lan address ${macOf(number)}`,
      `address add ${address}/24 brd + dev lan`,
      "link set lan up",
    );
  }

  /** Keeps back what goes to a group or to all. Machines then know each other's cards already. */
  async filter(...kinds: readonly ("mcast" | "bcast")[]): Promise<void> {
    for (let port = 1; port <= this.#machines; port++) {
      for (const kind of kinds) {
        const command = `bridge -n ${this.#middle} link set dev p${port} ${kind}_flood off`;
        assert(await run(command), command);
      }
      for (let other = 1; other <= this.#machines; other++) {
        if (other === port) continue;
        const neighbour = `10.78.0.${other} lladdr ${macOf(other)} dev lan`;
        assert(await run(`ip -n ${this.#id}-${port} neighbour replace ${neighbour}`));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let number = 1; number <= this.#machines; number++) {
      await run(`ip netns delete ${this.#id}-${number}`);
    }
    await run(`ip netns delete ${this.#middle}`);
  }
}

function macOf(number: number | string): string {
  return `02:00:00:00:00:${String(number).padStart(2, "0")}`;
}

/** True where such networks can be made. */
export const canLay = Deno.build.os === "linux" && await (async (): Promise<boolean> => {
  try {
    await using _lan = await Lan.lay();
    return true;
  } catch {
    return false;
  }
})();
