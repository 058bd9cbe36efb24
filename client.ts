#!/usr/bin/env -S deno run --quiet --no-prompt --allow-net --allow-run=ffmpeg,ffplay --allow-read --allow-write --allow-sys=networkInterfaces,hostname,statfs --allow-env=DISPLAY,WAYLAND_DISPLAY,LC_ALL,LC_MESSAGES,LANG,TERM,INIT_CWD,CHAMADA_CODE
/** The client: captures, connects and sends. */

import config from "./deno.json" with { type: "json" };
import { Call } from "./lib/call.ts";
import { pause } from "./lib/clock.ts";
import { type Callee, dial, dialBare } from "./lib/dial.ts";
import { examine } from "./lib/doctor.ts";
import type { End } from "./lib/ending.ts";
import { CodeError, NoCameraError, PeerLostError, REASON } from "./lib/errors.ts";
import { AGAIN_MS, type FindingOptions, findServer, listServers } from "./lib/finding.ts";
import { encodersFor, outgoingOf, tellOfSound, watchMute } from "./lib/giving.ts";
import type { Outgoing } from "./lib/outgoing.ts";
import { commandOf, findOwnAddress, interfaces, runProgram } from "./lib/program.ts";
import { planRecordings, type RecordPlan } from "./lib/recordings.ts";
import { EXIT, type Surroundings } from "./lib/surroundings.ts";
import { quoted, usageError } from "./lib/user/command_line.ts";
import { describe, describeConnect, describeNoCamera } from "./lib/user/problems.ts";
import type { CalleeLook } from "./lib/user/diagnosis.ts";
import { everyStatus } from "./lib/user/log.ts";
import { type NarrowCure, TITLES } from "./lib/user/sentences.ts";
import { shownName } from "./lib/user/name.ts";
import { type ClientOptions, parseClientOptions, withoutCode } from "./lib/user/options.ts";
import { type Knock, visit } from "./lib/visit.ts";
import { readCode } from "./lib/wire/code.ts";
import type { Line } from "./lib/wire/line.ts";
import { type Connection, isOneMachine } from "./lib/wire/wire.ts";

/** Milliseconds that a connection may take to be made (as SRT's connect time). */
const CONNECT_MS = 3000;

/**
 * Milliseconds that a camera may take to open while a server waits for our first word. A server
 * does not wait long.
 */
const FIRST_WORD_MS = 2000;

/** The number of codes that a user may type. */
const CODE_TRIES = 3;

async function send(options: ClientOptions, around: Surroundings): Promise<number> {
  const { log, messages, hangUp } = around;
  if (options.wire !== "call" && around.code !== undefined) {
    const { conflict } = messages.usage;
    throw usageError(conflict(`--wire ${options.wire}`, "CHAMADA_CODE"), messages);
  }
  if (options.instead === "doctor") {
    return await examine({
      ...{ ...options, listenAt: undefined, interfaces },
      callee: options.host === undefined
        ? undefined
        : (): Promise<CalleeLook> =>
          visit(options.port, interfaces(), () => knock(options.host!, options.port), hangUp),
    }, around);
  }
  if (options.instead === "servers") return await showServers(options, around);
  const record = await planRecordings(options, around);
  const callee = await whomToCall(options, around);
  if (typeof callee === "number") return callee;
  const { host, port } = callee;
  const connect = async (givenUp: AbortSignal): Promise<Connection> => {
    const signal = AbortSignal.any([givenUp, AbortSignal.timeout(CONNECT_MS)]);
    const connection = await Deno.connect({ hostname: host, port, signal });
    connection.setNoDelay(true);
    return connection;
  };
  log.say(messages.calling(host, port));
  try {
    return await call({ host, port, connect }, options, around, record);
  } catch (error) {
    if (!hangUp.aborted) throw error;
    log.say(messages.endedBy("CLIENT"));
    return EXIT.ok;
  }
}

/** Connects to a server and says nothing. Throws the system's error. */
async function knock(hostname: string, port: number): Promise<Knock> {
  using connection = await Deno.connect({
    ...{ hostname, port, signal: AbortSignal.timeout(CONNECT_MS) },
  });
  return { address: connection.remoteAddr.hostname, own: connection.localAddr.hostname };
}

/**
 * The server that the user named, or else the one that is found on this network, or else this
 * machine. Resolves to the exit status if there is nobody to call.
 */
async function whomToCall(
  options: ClientOptions,
  around: Surroundings,
): Promise<{ readonly host: string; readonly port: number } | number> {
  const { log, messages, hangUp } = around;
  const { host, port, wait } = options;
  if (host !== undefined) return { host, port };
  const found = await findServer(searchOf(options, around), wait);
  if (hangUp.aborted) {
    log.say(messages.endedBy("CLIENT"));
    return EXIT.ok;
  }
  if (found === "several") return EXIT.usage;
  if (found !== "none") return found;
  const own = await findOwnAddress(around);
  if (own === undefined) {
    log.error(messages.noAddress);
    return EXIT.failed;
  }
  log.say(messages.foundNone);
  return { host: own.address, port };
}

/** The way to look for servers as the user wants it. */
function searchOf(
  { namedPort: port }: ClientOptions,
  { log, messages, hangUp: signal }: Surroundings,
): FindingOptions {
  return { interfaces, port, log, messages, signal, command: commandOf("client") };
}

async function showServers(options: ClientOptions, around: Surroundings): Promise<number> {
  const own = await findOwnAddress(around, "IPv4");
  const addresses = own === undefined ? [] : [own.address, ...own.others];
  return await listServers(addresses, searchOf(options, around)) ? EXIT.ok : EXIT.failed;
}

/** Reaches the server and has the call. Throws the source's error, or the reason of a hang-up. */
async function call(
  callee: Callee,
  options: ClientOptions,
  around: Surroundings,
  record: RecordPlan | undefined,
): Promise<number> {
  const { log, messages } = around;
  const { host, port } = callee;
  const sourceOver = Promise.withResolvers<End>();
  let isHere = false;
  let isShown = false;
  const talks: Call[] = [];
  const encoders = await encodersFor(options, around);
  await using outgoing = outgoingOf(options, encoders, around, {
    // With two windows at this end, each has its place. On one screen with the server's windows,
    // one window has as well.
    place: () => isHere || isShown ? { slot: 0, inGrid: false } : undefined,
    isVain: () => talks[0]?.cannotShow ?? false,
    onClosed: () => talks[0]?.hangUp(REASON.windowClosed),
    onOver: (error) =>
      sourceOver.resolve(
        error === undefined
          ? { kind: "hang-up", by: "CLIENT", reason: REASON.inputEnded }
          : { kind: "error", error },
      ),
  });
  const reached = await reach(callee, outgoing!, options, around);
  if (typeof reached === "number") return reached;
  const { line } = reached;
  isHere = reached.isHere;
  isShown = line.peer.format !== undefined;
  log.say(messages.answered(host, port));
  if (line.peer.name) log.debug("client", `it calls itself ${shownName(line.peer.name)}`);
  if (around.keys) log.say(messages.hangUpHint);
  if (around.keys && around.screen !== undefined && around.screen !== "none") {
    log.say(messages.windowKeys);
  }
  tellOfSound(options, outgoing, around);
  using _mute = watchMute(outgoing, around);
  const { patienceSeconds, durationSeconds, play, auto } = options;
  const talk = new Call({
    ...{ we: "CLIENT", peer: line.peer, outgoing, record, patienceSeconds, durationSeconds },
    ...{ host, play, auto },
    open: () => Promise.resolve(line),
    sourceOver: sourceOver.promise,
    window: { title: TITLES.receiving.HOST, place: { slot: isHere ? 2 : 1, inGrid: false } },
    narrowCure: narrowCure(options),
  }, around);
  talks.push(talk);
  using _live = everyStatus(log, () => messages.statusLine([talk.status()], log.columns));
  return (await talk.run()).exit;
}

/** A server that has taken our call. */
interface Reached {
  readonly line: Line;
  /** True if the server is on this machine. */
  readonly isHere: boolean;
}

/**
 * Reaches the server, and asks the user for its code if it wants one: three times, each with a
 * connection of its own. Nothing is captured while the user types. Resolves to the exit status if
 * there is no call. Throws when hung up.
 */
async function reach(
  callee: Callee,
  outgoing: Outgoing,
  options: ClientOptions,
  around: Surroundings,
): Promise<Reached | number> {
  const { log, messages, hangUp, readHidden } = around;
  const given = options.code ?? around.code;
  let code = given === undefined ? undefined : readCode(given);
  for (let tries = 0;; tries++) {
    const reached = await tryToReach(callee, outgoing, options, around, code);
    if (!(reached instanceof CodeError)) return reached;
    const { kind } = reached;
    const isTyped = given === undefined && (kind === "wanted" || kind === "wrong");
    if (kind !== "wanted" || !isTyped || !readHidden) log.error(messages.codeProblem(kind));
    if (!isTyped || !readHidden || tries >= CODE_TRIES) return EXIT.failed;
    await outgoing[Symbol.asyncDispose]();
    log.warn(messages.askCode);
    const typed = await readHidden(hangUp);
    hangUp.throwIfAborted();
    if (typed === undefined) return EXIT.failed;
    code = readCode(typed);
  }
}

/**
 * Opens our source, and with its first picture the connection. A source may take long, and a server
 * does not wait long for the first word. Then introduces us. Resolves to the exit status if there is
 * no call.
 */
async function tryToReach(
  callee: Callee,
  outgoing: Outgoing,
  options: ClientOptions,
  around: Surroundings,
  code: string | undefined,
): Promise<Reached | CodeError | number> {
  const { log, messages, hangUp } = around;
  // Somebody who waits for hours does not want the camera on all the while.
  let connection = options.wait ? await waitFor(callee, around) : undefined;
  const reachedMs = performance.now();
  try {
    await outgoing.open(hangUp);
  } catch (error) {
    connection?.close();
    if (!(error instanceof NoCameraError)) throw error;
    const command = [commandOf("client"), ...withoutCode(Deno.args).map(quoted)].join(" ");
    log.error(describeNoCamera(error, messages, command));
    return EXIT.failed;
  }
  if (hangUp.aborted || performance.now() - reachedMs > FIRST_WORD_MS) {
    connection?.close();
    connection = undefined;
  }
  hangUp.throwIfAborted();
  try {
    connection ??= await callee.connect(hangUp);
  } catch (error) {
    hangUp.throwIfAborted();
    log.error(describeConnect(error, messages, callee.host, callee.port));
    return EXIT.failed;
  }
  const isHere = isOneMachine(connection);
  const line = await introduce(connection, callee, outgoing, options, around, code);
  return typeof line === "number" || line instanceof CodeError ? line : { line, isHere };
}

/**
 * Calls until somebody is there. Tells once why nobody was. Throws the reason of a hang-up, and
 * Deno's error if the program has no right to call.
 */
async function waitFor(
  { connect, host, port }: Callee,
  { log, messages, hangUp }: Surroundings,
): Promise<Connection> {
  let isTold = false;
  while (true) {
    try {
      return await connect(hangUp);
    } catch (error) {
      hangUp.throwIfAborted();
      if (error instanceof Deno.errors.NotCapable) throw error;
      if (!isTold) {
        log.warn(describeConnect(error, messages, host, port));
        log.say(messages.callingOn);
      }
      isTold = true;
    }
    await pause(AGAIN_MS, hangUp);
    hangUp.throwIfAborted();
  }
}

/**
 * Introduces us to the server. Resolves to the line, or to the exit status if there is no call.
 * Throws when hung up.
 */
async function introduce(
  connection: Connection,
  callee: Callee,
  outgoing: Outgoing,
  { wire, patienceSeconds }: ClientOptions,
  { log, messages, system, name, hangUp }: Surroundings,
  code: string | undefined,
): Promise<Line | CodeError | number> {
  const ours = { name, streams: outgoing.formats };
  if (wire !== "call") return dialBare(connection, wire, ours);
  try {
    return await dial(connection, callee, ours, patienceSeconds * 1000, hangUp, code);
  } catch (error) {
    hangUp.throwIfAborted();
    if (error instanceof CodeError) return error;
    const sentence = describe(error, messages, system, "HOST");
    if (!(error instanceof PeerLostError)) {
      log.error(sentence);
      return EXIT.failed;
    }
    log.lost(sentence);
    // A peer that is lost before it has answered may never have been a server of ours.
    log.lost(messages.nonsenseCure);
    return EXIT.lost;
  }
}

/** The way to send less: the next codec if there is one, otherwise fewer or smaller pictures. */
function narrowCure({ auto, given, wire }: ClientOptions): NarrowCure {
  if (wire === "plain") return "slower";
  if (wire === "pickle") return "smaller";
  if (auto || given === undefined) return "smaller";
  const { codec } = given.format;
  return codec === "raw" ? "mjpeg" : codec === "mjpeg" ? "h264" : "smaller";
}

if (import.meta.main) {
  await runProgram({
    program: "client",
    args: Deno.args,
    version: config.version,
    parse: parseClientOptions,
    run: send,
  });
}
