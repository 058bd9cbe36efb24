/** Lines for processes of the bench: calls of our own that end with their connection. */

import type { VideoFormat } from "../../lib/frame/format.ts";
import { CallLine, type Line } from "../../lib/wire/line.ts";
import { makeOffer, type OfferOptions, readOffer } from "../../lib/wire/offer.ts";
import { newCallId } from "../../lib/wire/session.ts";
import type { Connection } from "../../lib/wire/wire.ts";

const NAME = "bench";

/** The code of private calls of the bench. */
export const CODE = "a code of the bench";

/** Calls over a connection, and sends frames of that format. With a code the call is private. */
export async function callOver(
  connection: Connection,
  format: VideoFormat,
  code?: string,
): Promise<CallLine> {
  const ours = { name: NAME, streams: [format] };
  const { signal } = new AbortController();
  const { wire, clocks, ...theirs } = await makeOffer(
    connection,
    ours,
    signal,
    code === undefined ? undefined : { code },
  );
  return new CallLine(wire, { ours: ours.streams, theirs, again: never, clocks });
}

/** Takes the call of the peer of a connection. `fps` is the rate of a peer that announces none. */
export async function answerOver(
  connection: Connection,
  fps: number,
  options: OfferOptions = {},
): Promise<Line> {
  const offer = await readOffer(connection, fps, options);
  return await offer!.accept({ name: NAME, streams: [] }, newCallId(), never);
}

/** Nobody comes back. */
function never(): Promise<undefined> {
  return Promise.resolve(undefined);
}
