/**
 * A running pair: its two ends as processes, started in the order that lets them find each other.
 */

import { freePort, untilListening } from "../kit/port.ts";
import type { Running } from "../kit/running.ts";
import { type Command, start } from "./command.ts";
import type { Pair } from "./pairs.ts";

/** The manner of running the ends of a pair. */
export interface RunOptions {
  readonly format: Parameters<Pair["sender"]>[0]["format"];
  /** The screen of the receiver. */
  readonly display?: string;
  /** The screen of the sender. */
  readonly ownDisplay?: string;
  /** A file to record to. */
  readonly record?: string;
  /** Seconds after which the sender stops, if it makes its own pictures. */
  readonly seconds?: number;
  /** Gives the command to run in place of another. It is asked right before the start. */
  readonly wrap?: (command: Command, end: "sender" | "receiver", port: number) => Command;
  /** Leads the calling end to another port than that of the listening end. */
  readonly through?: (port: number) => number;
}

/** Two processes that are connected, or are about to be. */
export class RunningPair implements AsyncDisposable {
  readonly sender: Running;
  readonly receiver: Running;

  private constructor(sender: Running, receiver: Running) {
    this.sender = sender;
    this.receiver = receiver;
  }

  /** Starts both ends. The calling end starts when the other listens. */
  static async open(pair: Pair, options: RunOptions): Promise<RunningPair> {
    const { format, display, ownDisplay, record, seconds } = options;
    const wrap = options.wrap ?? ((command: Command): Command => command);
    const through = options.through ?? ((port: number): number => port);
    const chosen = freePort();
    const startEnd = (end: "sender" | "receiver", port: number): Running =>
      start(wrap(
        end === "sender"
          ? pair.sender({ format, port, display: ownDisplay, seconds })
          : pair.receiver({ format, port, display, record }),
        end,
        port,
      ));
    const callerEnd = pair.listens === "sender" ? "receiver" : "sender";
    const listener = startEnd(pair.listens, chosen);
    try {
      const port = pair.choosesPort ? Number((await listener.says(/PORT (\d+)/))[1]) : chosen;
      await untilListening(port);
      const caller = startEnd(callerEnd, through(port));
      return pair.listens === "sender"
        ? new RunningPair(listener, caller)
        : new RunningPair(caller, listener);
    } catch (error) {
      await listener[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends both. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.sender[Symbol.asyncDispose]();
    await this.receiver[Symbol.asyncDispose]();
  }
}
