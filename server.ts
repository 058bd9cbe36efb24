#!/usr/bin/env -S deno run --quiet --no-prompt --allow-net --allow-run=ffmpeg,ffplay --allow-read --allow-write --allow-sys=networkInterfaces,hostname,statfs --allow-env=DISPLAY,WAYLAND_DISPLAY,LC_ALL,LC_MESSAGES,LANG,TERM,INIT_CWD,CHAMADA_CODE
/** The server: listens, answers, shows and records. */

import config from "./deno.json" with { type: "json" };
import type { Caller } from "./lib/answer.ts";
import { pause } from "./lib/clock.ts";
import { examine } from "./lib/doctor.ts";
import { NoCameraError } from "./lib/errors.ts";
import { LEAST_OWN, makeCode, readCode, shownCode } from "./lib/wire/code.ts";
import { encodersFor, tellOfSound } from "./lib/giving.ts";
import { commandOf, findOwnAddress, interfaces, runProgram } from "./lib/program.ts";
import { Reception } from "./lib/reception.ts";
import { planRecordings } from "./lib/recordings.ts";
import { EXIT, type Surroundings } from "./lib/surroundings.ts";
import { quoted, usageError } from "./lib/user/command_line.ts";
import { describeListen, describeNoCamera } from "./lib/user/problems.ts";
import { parseServerOptions, type ServerOptions } from "./lib/user/options.ts";
import { Responder } from "./lib/wire/responder.ts";

/**
 * The number of callers that may wait to be accepted. With the report's 5, a few strangers shut the
 * door.
 */
const BACKLOG = 128;

/** The system's names for having no room for another connection. Only time helps there. */
const OUT_OF: readonly unknown[] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];

/** Milliseconds of pause after the system had no room. */
const ACCEPT_AGAIN_MS = 50;

/**
 * The addresses that a caller on this machine tries: `localhost`, and Debian's address of a
 * machine's own name.
 */
const HERE: readonly string[] = ["127.0.0.1", "::1", "127.0.1.1"];

async function serve(options: ServerOptions, around: Surroundings): Promise<number> {
  const { log, messages } = around;
  if (options.instead === "doctor") {
    return await examine({ ...options, listenAt: options.host, interfaces }, around);
  }
  const record = await planRecordings(options, around);
  const isPrivate = options.access === "private";
  const ownCode = isPrivate ? readOwnCode(around) : undefined;
  const code = isPrivate ? ownCode ?? makeCode() : undefined;
  const encoders = await encodersFor(options, around);
  const reception = new Reception(options, around, { code, encoders, record });
  try {
    await reception.checkSource();
  } catch (error) {
    if (around.hangUp.aborted) {
      log.say(messages.endedBy("HOST"));
      return EXIT.ok;
    }
    if (!(error instanceof NoCameraError)) throw error;
    const command = [commandOf("server"), ...Deno.args.map(quoted)].join(" ");
    log.error(describeNoCamera(error, messages, command));
    return EXIT.failed;
  }
  const own = options.host === undefined ? await findOwnAddress(around) : undefined;
  const host = options.host ?? own?.address;
  if (host === undefined) {
    log.error(messages.noAddress);
    return EXIT.failed;
  }
  using stack = new DisposableStack();
  let listener: Deno.TcpListener;
  try {
    listener = stack.use(listen(host, options.port));
  } catch (error) {
    log.error(describeListen(error, messages, host, options.port));
    return EXIT.failed;
  }
  const { hostname, port } = listener.addr;
  const listeners = [listener, ...(options.host === undefined ? listenHere(port, stack) : [])];
  const isEverywhere = /^(0\.0\.0\.0|::)$/.test(hostname);
  const isHere = /^(127\.|::1$|::ffff:127\.)/.test(hostname);
  const family = hostname === "0.0.0.0" ? "IPv4" : undefined;
  const dialled = isEverywhere ? (await findOwnAddress(around, family))?.address : host;
  log.say(messages.hostIp(dialled ?? host));
  log.say(messages.listening(host, port));
  const portOption = port === 8080 ? "" : ` --port ${port}`;
  // Both are to hear each other: without a word, the other end would only listen.
  const talk = options.sound ? " --talk" : "";
  const call = (to: string): string => `${commandOf("client")} --host ${to}${portOption}${talk}`;
  const at = { hostname, port, isEverywhere, wantsCode: code !== undefined };
  if (isHere || dialled === undefined) log.say(messages.onlyHere(call(dialled ?? "127.0.0.1")));
  else if (await answerSearches(at, options, around, stack)) {
    log.say(messages.findHint(`${commandOf("client")}${talk}`, call(dialled)));
  } else log.say(messages.dialHint(call(dialled)));
  if (dialled?.includes("%")) log.say(messages.scopeHint);
  const others = own?.others ?? [];
  if (others.length > 0) log.say(messages.otherAddresses(others.join(", ")));
  if (ownCode !== undefined) log.say(messages.ownCode);
  else if (code !== undefined) log.tell(messages.code(shownCode(code)));
  else if (options.access === undefined) log.say(messages.openToAll);
  if (around.keys) {
    log.say(options.stay ? messages.stayHint(options.maxCalls > 1) : messages.hangUpHint);
    if (around.screen !== undefined && around.screen !== "none") log.say(messages.windowKeys);
  }
  tellOfSound(options, reception.outgoing, around);
  return await reception.run(merge(listeners.map(accept)));
}

/** The user's own code, if there is one. Throws `UsageError` for one that is easy to guess. */
function readOwnCode({ code, messages }: Surroundings): string | undefined {
  const own = code === undefined ? undefined : readCode(code);
  if (own !== undefined && [...own].length < LEAST_OWN) {
    throw usageError(messages.usage.shortCode(LEAST_OWN), messages);
  }
  return own;
}

/**
 * Lets callers find the server at the IPv4 addresses where it listens for others, unless it is
 * hidden. Resolves to false if it cannot be found.
 */
async function answerSearches(
  { hostname, port, isEverywhere, wantsCode }: {
    readonly hostname: string;
    readonly port: number;
    readonly isEverywhere: boolean;
    readonly wantsCode: boolean;
  },
  { hidden }: ServerOptions,
  { name, log, messages }: Surroundings,
  stack: DisposableStack,
): Promise<boolean> {
  if (hidden || !isEverywhere && hostname.includes(":")) return false;
  try {
    stack.use(
      await Responder.open({
        ...{ port, name, wantsCode, interfaces },
        isListenedAt: (address) => isEverywhere || address === hostname,
      }),
    );
    return true;
  } catch (error) {
    log.warn(messages.cannotBeFound((error as Error).message));
    return false;
  }
}

function listen(hostname: string, port: number): Deno.TcpListener {
  return Deno.listen({ hostname, port, tcpBacklog: BACKLOG });
}

/** Listens for callers on this machine as well, at each address whose port no other program has. */
function listenHere(port: number, stack: DisposableStack): Deno.TcpListener[] {
  return HERE.flatMap((hostname) => {
    try {
      return [stack.use(listen(hostname, port))];
    } catch {
      return [];
    }
  });
}

/** The callers of several listeners, as they come, until all listeners are closed. */
function merge(doors: readonly AsyncIterable<Caller>[]): ReadableStream<Caller> {
  return new ReadableStream({
    start(callers): void {
      const all = doors.map(async (door) => {
        for await (const caller of door) callers.enqueue(caller);
      });
      Promise.all(all).then(() => callers.close(), (error) => callers.error(error));
    },
  });
}

/** The callers of a listener, until it is closed. A caller that is gone already costs no time. */
export async function* accept(
  listener: Pick<Deno.TcpListener, "accept">,
): AsyncGenerator<Caller, void, undefined> {
  while (true) {
    let connection: Deno.TcpConn | undefined;
    try {
      connection = await listener.accept();
      connection.setNoDelay(true);
      const { hostname, port } = connection.remoteAddr;
      // A listener on every network gives IPv4 addresses as IPv6.
      yield { connection, host: hostname.replace(/^::ffff:(?=\d+\.)/, ""), port };
    } catch (error) {
      // The opener of the listener has closed it.
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return;
      }
      connection?.close();
      // A caller that is gone fails alone. A pause for each would let strangers hold up all others.
      if (OUT_OF.includes((error as { code?: unknown }).code)) await pause(ACCEPT_AGAIN_MS);
    }
  }
}

if (import.meta.main) {
  await runProgram({
    program: "server",
    args: Deno.args,
    version: config.version,
    parse: parseServerOptions,
    run: serve,
  });
}
