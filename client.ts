#!/usr/bin/env -S deno run --quiet --no-prompt --allow-net --allow-run=ffmpeg,ffplay --allow-sys=networkInterfaces,hostname --allow-env=DISPLAY,WAYLAND_DISPLAY,LC_ALL,LC_MESSAGES,LANG,TERM,INIT_CWD
/** The client: captures, connects and sends. */

import config from "./deno.json" with { type: "json" };
import { EXIT, makeCall, type Surroundings } from "./lib/call.ts";
import { listCameras, systemOf } from "./lib/camera.ts";
import { quoted } from "./lib/command_line.ts";
import { type ClientOptions, parseClientOptions } from "./lib/options.ts";
import { commandOf, findOwnAddress, runProgram } from "./lib/program.ts";
import type { Connection } from "./lib/wire.ts";

/** How long a connection may take to be made, in milliseconds (as SRT's connect time). */
const CONNECT_MS = 3000;

async function send(options: ClientOptions, around: Surroundings): Promise<number> {
  const { log, messages } = around;
  if (options.instead === "cameras") return await showCameras(around);
  const host = options.host ?? (await findOwnAddress(around))?.address;
  if (host === undefined) {
    log.error(messages.noAddress);
    return EXIT.failed;
  }
  const { port } = options;
  const connect = async (givenUp: AbortSignal): Promise<Connection> => {
    const signal = AbortSignal.any([givenUp, AbortSignal.timeout(CONNECT_MS)]);
    const connection = await Deno.connect({ hostname: host, port, signal });
    connection.setNoDelay(true);
    return connection;
  };
  const command = [commandOf("client"), ...Deno.args.map(quoted)].join(" ");
  return await makeCall({ host, port, command, connect }, options, around);
}

async function showCameras({ log, messages, system, watch }: Surroundings): Promise<number> {
  const cameras = await listCameras(systemOf(system), watch);
  if (cameras.length === 0) {
    log.error(messages.noCameras);
    return EXIT.failed;
  }
  log.say(messages.cameras);
  for (const { index, name } of cameras) log.say(`  ${index}: ${name}`);
  return EXIT.ok;
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
