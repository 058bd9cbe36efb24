#!/usr/bin/env -S deno run --quiet --no-prompt --allow-net --allow-run=ffmpeg,ffplay --allow-read --allow-write --allow-sys=networkInterfaces,hostname --allow-env=DISPLAY,WAYLAND_DISPLAY,LC_ALL,LC_MESSAGES,LANG
/** The server: listens, answers, shows and records. */

import config from "./deno.json" with { type: "json" };
import { answerCalls, type Caller, EXIT, type Surroundings } from "./lib/call.ts";
import { pause } from "./lib/clock.ts";
import { chooseAddress } from "./lib/local_ip.ts";
import { describeListen } from "./lib/messages.ts";
import { parseServerOptions, type ServerOptions } from "./lib/options.ts";
import { commandOf, runProgram } from "./lib/program.ts";
import { checkFolder, checkRecorder } from "./lib/recorder.ts";

/** As many callers may wait to be accepted. With the report's 5, a few strangers shut the door. */
const BACKLOG = 128;

/** The system's names for having no room for another connection: only time helps there. */
const OUT_OF: readonly unknown[] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];

/** The pause after the system had no room, in milliseconds. */
const ACCEPT_AGAIN_MS = 50;

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
  using _listener = listener;
  const { port } = listener.addr;
  log.say(messages.listening(host, port));
  const portOption = port === 8080 ? "" : ` --port ${port}`;
  log.say(messages.dialHint(`${commandOf("client")} --host ${shown}${portOption}`));
  const others = options.host === undefined ? own?.others ?? [] : [];
  if (others.length > 0) log.say(messages.otherAddresses(others.join(", ")));
  if (around.keys) log.say(messages.hangUpHint);
  return await answerCalls(accept(listener), options, around);
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
      // Where every network is listened on, the system writes IPv4 addresses as IPv6.
      yield { connection, host: hostname.replace(/^::ffff:(?=\d+\.)/, ""), port };
    } catch (error) {
      // Closed: by whoever opened it.
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
