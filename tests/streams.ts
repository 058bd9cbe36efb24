/** Servers of streams and films over http, for as long as they are wanted. */

import { createSocket } from "node:dgram";
import { nowUs, within } from "../lib/clock.ts";
import { writeAll } from "../scripts/kit/writing.ts";
import { until } from "./harness.ts";
import { Random } from "./random.ts";

/** A server, and its address. */
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

/**
 * Serves pictures like a camera, as parts of one answer. `jitter` is in parts of the time between
 * two.
 */
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

/** Serves the output of a program, anew to each client. */
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

/** An RTSP camera: its address, and the ways of transport that it was asked for. */
export interface RtspCamera extends Served {
  readonly asked: readonly string[];
}

/**
 * Serves a film like an RTSP camera. Over UDP it gives nothing, like a network that loses its
 * packets.
 */
export async function serveRtsp(film: string, folder: string): Promise<RtspCamera> {
  const packets = createSocket("udp4");
  const bound = Promise.withResolvers<void>();
  packets.bind(0, "127.0.0.1", () => bound.resolve());
  await bound.promise;
  const sdpFile = `${folder}/${crypto.randomUUID()}.sdp`;
  const feeding = new Deno.Command("ffmpeg", {
    args: [
      ...["-loglevel", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", film],
      ...["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10"],
      ...["-pix_fmt", "yuv420p", "-sdp_file", sdpFile, "-f", "rtp"],
      `rtp://127.0.0.1:${packets.address().port}?pkt_size=1200`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const written = await until("the description of the stream", async () => {
    const text = await Deno.readTextFile(sdpFile).catch(() => "");
    return /a=fmtp/.test(text) ? text : undefined;
  });
  const sdp = written.replace(/^SDP:\n/, "").replace(/m=video \d+ /, "m=video 0 ").trim()
    .replaceAll("\n", "\r\n") + "\r\na=control:track1\r\n";
  const asked: string[] = [];
  const peers = new Set<Deno.TcpConn>();
  const takers = new Set<Deno.TcpConn>();
  let sending: Promise<unknown> = Promise.resolve();
  packets.on("message", (packet) => {
    const head = Uint8Array.of(0x24, 0, packet.length >> 8, packet.length & 255);
    const whole = Uint8Array.from([...head, ...packet]);
    // One goes after the other: a connection may take a part of a packet only.
    sending = Promise.all(
      [...takers].map((peer) =>
        sending.then(() => writeAll(peer, whole)).catch(() => takers.delete(peer))
      ),
    );
  });
  const talk = async (peer: Deno.TcpConn): Promise<void> => {
    const buffer = new Uint8Array(4096);
    let text = "";
    for (let count; (count = await peer.read(buffer)) !== null;) {
      text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
      for (let match; (match = /([A-Z_]+) rtsp:[^]*?\r\n\r\n/.exec(text));) {
        text = text.slice(match.index + match[0].length);
        const [request, method] = match;
        const lines = [`CSeq: ${/CSeq: *(\d+)/i.exec(request)![1]}`, "Session: 1"];
        let transport = /Transport: *(.*)\r/i.exec(request)?.[1];
        if (transport) {
          asked.push(transport.split(";")[0]!);
          if (!transport.includes("TCP")) transport += ";server_port=9-10";
          lines.push(`Transport: ${transport}`);
        }
        const body = method === "DESCRIBE" ? sdp : "";
        if (body) lines.push("Content-Type: application/sdp");
        if (method === "OPTIONS") lines.push("Public: DESCRIBE, SETUP, PLAY, TEARDOWN");
        lines.push(`Content-Length: ${body.length}`, "", body);
        await writeAll(
          peer,
          new TextEncoder().encode(["RTSP/1.0 200 OK", ...lines].join("\r\n")),
        );
        if (method === "PLAY" && asked.at(-1)!.includes("TCP")) takers.add(peer);
      }
    }
  };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const talks: Promise<void>[] = [];
  const accepting = (async (): Promise<void> => {
    for await (const peer of listener) {
      peers.add(peer);
      talks.push(talk(peer).catch(() => {}));
    }
  })();
  return {
    url: `rtsp://127.0.0.1:${listener.addr.port}/door`,
    asked,
    async [Symbol.asyncDispose](): Promise<void> {
      listener.close();
      takers.clear();
      for (const peer of peers) peer.close();
      feeding.kill("SIGKILL");
      const closed = Promise.withResolvers<void>();
      packets.close(() => closed.resolve());
      await Promise.all([accepting, sending, ...talks, feeding.status, closed.promise]);
    },
  };
}
