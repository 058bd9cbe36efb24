/** The two programs as processes, under the rights of the tasks that users type. */

import config from "../../deno.json" with { type: "json" };
import { ROOT, Running, type StartOptions } from "./running.ts";

/** The command line of a program, from its task. */
export function commandLine(program: "server" | "client", args: readonly string[]): string[] {
  const task = config.tasks[program === "server" ? "serve" : "send"].command.split(" ");
  return [Deno.execPath(), ...task.slice(1, -1), `${ROOT}${program}.ts`, ...args];
}

/** A server that listens. */
export interface RunningServer {
  readonly server: Running;
  readonly port: number;
}

/**
 * Starts a server, on 127.0.0.1 and a free port unless told otherwise, and waits until it listens.
 */
export async function startServer(
  args: readonly string[],
  options: StartOptions = {},
): Promise<RunningServer & AsyncDisposable> {
  const withHost = args.includes("--host") ? [] : ["--host", "127.0.0.1"];
  const withPort = args.includes("--port") ? [] : ["--port", "0"];
  const server = new Running(commandLine("server", [...withHost, ...withPort, ...args]), options);
  try {
    const [, port] = await server.says(/(?:LISTENING ON|ESCUTANDO EM): \('.*', (\d+)\)/);
    return {
      server,
      port: Number(port),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts a client that calls 127.0.0.1 with a test picture, unless told otherwise. */
export function startClient(
  port: number,
  args: readonly string[],
  options: StartOptions = {},
): Running {
  const withHost = args.includes("--host") ? [] : ["--host", "127.0.0.1"];
  const choosesPicture = ["--input", "--camera", "--no-camera"].some((one) => args.includes(one));
  const withInput = choosesPicture ? [] : ["--input", "test"];
  return new Running(
    commandLine("client", [...withHost, "--port", String(port), ...withInput, ...args]),
    options,
  );
}
