/** Servers of streams and films over http, for as long as they are wanted. */

import { nowUs, within } from "../lib/clock.ts";
import { Random } from "./random.ts";

/** A server, and where it is. */
export interface Served extends AsyncDisposable {
  /** Its address, without a slash at the end. */
  readonly url: string;
}

function serve(handler: (request: Request) => Response | Promise<Response>): Served {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Serves the files of a folder: with lengths and ranges, or as a bare stream of bytes. */
export function serveFiles(folder: string, { length = true } = {}): Served {
  return serve(async (request) => {
    const data = await Deno.readFile(folder + new URL(request.url).pathname).catch(() => undefined);
    if (!data) return new Response("none", { status: 404 });
    if (!length) return new Response(new Blob([data]).stream());
    const [, from] = /bytes=(\d+)-/.exec(request.headers.get("range") ?? "") ?? [];
    const start = Number(from ?? 0);
    return new Response(data.subarray(start), {
      status: from === undefined ? 200 : 206,
      headers: {
        "accept-ranges": "bytes",
        ...(from && { "content-range": `bytes ${start}-${data.length - 1}/${data.length}` }),
      },
    });
  });
}

/** Serves pictures as a camera does, as parts of one answer. `jitter` is in parts of the time between two. */
export function servePictures(
  jpegs: readonly Uint8Array<ArrayBuffer>[],
  { fps, jitter = 0, firstMs = 0 }: {
    readonly fps: number;
    readonly jitter?: number;
    readonly firstMs?: number;
  },
): Served {
  const encoder = new TextEncoder();
  const over = Promise.withResolvers<true>();
  const chunks = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const random = new Random(7);
    const startUs = nowUs() + firstMs * 1000;
    for (let n = 0;; n++) {
      const dueUs = startUs + (n + random.between(-jitter, jitter)) * 1e6 / fps;
      if (await within(over.promise, Math.max(dueUs - nowUs(), 0) / 1000)) return;
      const jpeg = jpegs[n % jpegs.length]!;
      const head = `--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`;
      yield Uint8Array.from([...encoder.encode(head), ...jpeg, 13, 10]);
    }
  };
  const served = serve(() =>
    new Response(ReadableStream.from(chunks()), {
      headers: { "content-type": "multipart/x-mixed-replace; boundary=frame" },
    })
  );
  return {
    url: `${served.url}/video`,
    async [Symbol.asyncDispose](): Promise<void> {
      over.resolve(true);
      await served[Symbol.asyncDispose]();
    },
  };
}

/** Serves what a program writes, anew to each who asks. */
export function serveProgram(
  program: string,
  args: readonly string[],
  type: string,
): Served & { askedUs(): number } {
  let askedUs = 0;
  const children = new Set<Deno.ChildProcess>();
  const served = serve(() => {
    askedUs = nowUs();
    const child = new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    children.add(child);
    return new Response(child.stdout, { headers: { "content-type": type } });
  });
  return {
    url: served.url,
    askedUs: () => askedUs,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const child of children) {
        try {
          child.kill("SIGKILL");
        } catch {
          // It has ended.
        }
        await child.status;
      }
      await served[Symbol.asyncDispose]();
    },
  };
}
