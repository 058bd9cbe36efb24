/** Running talks: two ends with pictures and sound, ours or a pair's, over a link. */

import { CLIENT_ADDRESS, type Link, SERVER_ADDRESS } from "../../tests/link.ts";
import { freePort, untilListening } from "../kit/port.ts";
import { startClient, startServer } from "../kit/programs.ts";
import { Running, type StartOptions } from "../kit/running.ts";
import type { SoundServer } from "../kit/sound_server.ts";
import type { Command } from "./command.ts";
import type { TalkEnd, TalkPair } from "./talk_pairs.ts";

/** The surroundings of a talk. */
export interface TalkPlace {
  /** Its loudspeakers and microphones: 0 is the receiver's or the server's, 1 the other's. */
  readonly sound: SoundServer;
  /** The screen for its windows. */
  readonly display: string;
  /** The link between the ends. Both are on this machine if not given. */
  readonly link?: Link | undefined;
}

/** The ports of a pair within namespaces of its own. */
const PORTS = [7000, 7001] as const;

/** The ends of our talk. */
export interface OurTalk extends AsyncDisposable {
  readonly server: Running;
  readonly client: Running;
}

/** Begins a talk of ours, both ways. `through` leads the client to another port. */
export async function openOurTalk(
  place: TalkPlace,
  args: readonly string[] = [],
  through: (port: number) => number = (port) => port,
): Promise<OurTalk> {
  await using stack = new AsyncDisposableStack();
  const host = place.link ? ["--host", SERVER_ADDRESS] : [];
  const both = [...host, "--talk", ...args];
  const called = stack.use(
    await startServer(
      ["--open", "--no-record", "--input", "test", ...both],
      startOf(place, 0),
    ),
  );
  const client = stack.use(startClient(through(called.port), both, startOf(place, 1)));
  await client.says(/IN A CALL/);
  const owned = stack.move();
  return {
    ...{ server: called.server, client },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The surroundings of an end of a talk. */
export function startOf({ sound, display, link }: TalkPlace, end: 0 | 1): StartOptions {
  const where = end === 0 ? link?.server : link?.client;
  return { ...where, env: { DISPLAY: display, ...sound.client(end) } };
}

/** The ends of a pair. */
export interface RunningTalk extends AsyncDisposable {
  readonly sender: Running;
  readonly receiver: Running;
}

/** Begins the talk of a pair, from the end 1 to the end 0, or back. */
export async function openPairTalk(
  pair: TalkPair,
  place: TalkPlace,
  { seconds, wrap = (command): Command => command, back = false }: {
    readonly seconds?: number;
    /** Gives the command to run in place of another. */
    readonly wrap?: (command: Command) => Command;
    readonly back?: boolean;
  } = {},
): Promise<RunningTalk> {
  await using stack = new AsyncDisposableStack();
  const [sending, receiving] = back ? [0, 1] as const : [1, 0] as const;
  const isSender = pair.listens === "sender";
  const ports = place.link ? PORTS : [freePort(), freePort()] as const;
  // In a link, the listening end of a pair may be either.
  const host = place.link ? (isSender ? CLIENT_ADDRESS : SERVER_ADDRESS) : "127.0.0.1";
  const end: TalkEnd = { host, ports, seconds };
  const start = (command: Command, number: 0 | 1): Running => {
    const { program, args } = wrap(command);
    return stack.use(new Running([program, ...args], startOf(place, number)));
  };
  const startSender = (): Running => start(pair.sender(end), sending);
  const startReceiver = (): Running => start(pair.receiver(end), receiving);
  const listener = isSender ? startSender() : startReceiver();
  for (const port of isSender ? ports : ports.slice(0, 1)) {
    await untilListening(port, place.link && (isSender ? place.link.client : place.link.server));
  }
  const caller = isSender ? startReceiver() : startSender();
  const owned = stack.move();
  return {
    sender: isSender ? listener : caller,
    receiver: isSender ? caller : listener,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
