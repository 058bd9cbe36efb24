#!/usr/bin/env -S deno run --quiet --no-prompt --allow-net --allow-run=ffmpeg,ffplay --allow-read --allow-write --allow-sys=networkInterfaces --allow-env=DISPLAY,WAYLAND_DISPLAY,LC_ALL,LC_MESSAGES,LANG
/** The server: listens, answers, shows and records. */

import config from "./deno.json" with { type: "json" };
import { answerCalls, type Caller, EXIT, type Surroundings } from "./lib/call.ts";
import { chooseAddress } from "./lib/local_ip.ts";
import { describeListen } from "./lib/messages.ts";
import { parseServerOptions, type ServerOptions } from "./lib/options.ts";
import { commandOf, runProgram } from "./lib/program.ts";
import { checkFolder, checkRecorder } from "./lib/recorder.ts";
import { findUnfinished, mend } from "./lib/unfinished.ts";

/** As many callers may wait to be accepted, as in the report. */
const BACKLOG = 5;

const WILDCARDS: readonly (string | undefined)[] = ["0.0.0.0", "::"];

async function serve(options: ServerOptions, around: Surroundings): Promise<number> {
  const { log, messages } = around;
  if (options.record !== undefined) {
    await checkFolder(options.record);
    await checkRecorder();
  }
  const wildcard = WILDCARDS.includes(options.host);
  const own = chooseAddress(Deno.networkInterfaces());
  const host = options.host ?? own?.address;
  if (host === undefined) {
    log.error(messages.noAddress);
    return EXIT.failed;
  }
  const shown = wildcard && own ? own.address : host;
  log.say(messages.hostIp(shown));
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: host, port: options.port, tcpBacklog: BACKLOG });
  } catch (error) {
    log.error(describeListen(error, messages, host, options.port));
    return EXIT.failed;
  }
  using _listener = { [Symbol.dispose]: () => closeQuietly(listener) };
  const { port } = listener.addr;
  log.say(messages.listening(host, port));
  const portOption = port === 8080 ? "" : ` --port ${port}`;
  log.say(messages.dialHint(`${commandOf("client")} --host ${shown}${portOption}`));
  const others = options.host === undefined ? own?.others ?? [] : [];
  if (others.length > 0) log.say(messages.otherAddresses(others.join(", ")));
  if (around.keys) log.say(messages.hangUpHint);
  const [exit] = await Promise.all([
    answerCalls(accept(listener), options, around),
    options.record === undefined ? undefined : mendEarlier(options.record, around),
  ]);
  return exit;
}

/** Mends what earlier programs were killed over, while callers are answered already. */
async function mendEarlier(record: string, around: Surroundings): Promise<void> {
  const { log, messages, hangUp } = around;
  for (const path of await findUnfinished(record)) {
    // Whatever becomes of it, it is no reason not to answer.
    const mended = await mend(path, hangUp).catch(() => false);
    if (mended) log.say(messages.mended(path));
    else if (!hangUp.aborted) log.warn(messages.notMended(path));
  }
}

async function* accept(listener: Deno.TcpListener): AsyncGenerator<Caller, void, undefined> {
  for await (const connection of listener) {
    connection.setNoDelay(true);
    const { hostname, port } = connection.remoteAddr;
    yield { connection, host: hostname, port };
  }
}

function closeQuietly(listener: Deno.TcpListener): void {
  try {
    listener.close();
  } catch {
    // The loop over it has closed it.
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
