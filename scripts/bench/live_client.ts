/** Our client with a live stream of ours for a camera. */

import { within } from "../../lib/clock.ts";
import type { VideoFormat } from "../../lib/frame/format.ts";
import { startClient } from "../kit/programs.ts";
import { writeAll } from "../kit/writing.ts";
import { liveHeader } from "./pictures.ts";

/** A client that waits for its pictures. */
export interface LiveClient extends AsyncDisposable {
  /** Its process. */
  readonly pid: number;
  /** Gives it a picture, as `livePicture` makes them. */
  write(picture: Uint8Array): Promise<void>;
}

/** Starts a client that calls this port and sends our pictures unchanged, without a window. */
export async function openLiveClient(port: number, format: VideoFormat): Promise<LiveClient> {
  const { codec, width, height, fps } = format;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = startClient(port, [
    ...["--input", `tcp://127.0.0.1:${listener.addr.port}`, "--codec", codec],
    ...["--size", `${width}x${height}`, "--fps", `${fps}`, "--no-display", "--no-mirror"],
  ]);
  const connection = await listener.accept();
  connection.setNoDelay(true);
  await writeAll(connection, liveHeader(format));
  return {
    pid: client.pid,
    write: (picture: Uint8Array): Promise<void> => writeAll(connection, picture),
    async [Symbol.asyncDispose](): Promise<void> {
      connection.close();
      listener.close();
      await within(client.ended, 3000);
      await client[Symbol.asyncDispose]();
    },
  };
}
