/**
 * A line: a peer in a call. It is a sink and a source. What is pushed goes out to the peer, what the peer sends is given by
 * `frames()`. Whether we called or were called, it is the same object.
 *
 * ```
 *  push ─► SendStream (newest wins, window) ─► writer ─► wire ═ peer ═ wire ─► frames() ─► ReceiveStream ─► whoever iterates
 *                                     acks ──────►┘                        └─► acks, byes, rests: ours to understand
 * ```
 *
 * Terms. The *connection* is what TCP has; it may be lost. The *line* stays, and gets another connection by `again`: a
 * client dials, a server waits for the peer to come back. Until then frames pushed are dropped, the newest excepted.
 *
 * Goal. A network that is gone for a while parts nobody. A peer that is gone for good is told from it.
 *
 * Means. Where something ought to come and nothing does for 2 s, `again` is asked while the old connection still stands:
 * whichever gives something first is gone on with. A connection that ends without a bye is replaced in the same way. The
 * network is back when the peer is heard again: one that comes back to be lost at once is waited for no longer than others.
 *
 * Limits. What was under way when a connection was lost is lost: the numbers of the frames tell the peer how much.
 */

import { type Timer, within } from "../clock.ts";
import { PeerLostError, ProtocolError } from "../errors.ts";
import { maxFrameBytes, type VideoFormat } from "../frame/format.ts";
import type { Frame } from "../frame/frame.ts";
import type { FramePool } from "../frame/pool.ts";
import type { Sink } from "../frame/sink.ts";
import {
  checkStream,
  decodeAck,
  decodeBye,
  decodeFrame,
  decodeRest,
  encodeAck,
  encodeBye,
  encodeFrameHeader,
  encodeRest,
  FRAME_HEADER_BYTES,
  type Introduction,
  KIND,
  MAX_HELLO_BYTES,
  misplaced,
  type Streams,
} from "./session.ts";
import { RateLimit, UNANNOUNCED_FPS } from "./rate_limit.ts";
import { ReceiveStream, SendStream } from "./stream.ts";
import { FAREWELL_MS, STILL_MS, type Wire } from "./wire.ts";

/** How long nothing may come that ought to before the network counts as gone, in milliseconds. */
const GONE_MS = 2000;

/**
 * How much longer than that before the first ack has told how quick the link is: three large frames on a slow one take that
 * long.
 */
const UNKNOWN_LINK_MS = 4500;

/** How long the first frame may take, in milliseconds: a peer may open its camera only now. */
const FIRST_MS = 6500;

/** How often a line looks at the silence and at what rests, in milliseconds. */
const LOOK_MS = 250;

/** How far acks are apart, in milliseconds, where frames come faster: half of what 240 a second leave. */
const ACKS_APART_MS = 2;

/** How long the last frames may take to leave when the input has ended, in milliseconds: longer than a loss goes unnoticed. */
const FLUSH_MS = 10_000;

/** How a peer ended a call in order. */
export interface Goodbye {
  /** Its reason, as it said it; empty in modes that have no goodbye but the end of the stream. */
  readonly reason: string;
}

/** The other end, as it has introduced itself. */
export interface Peer {
  /** The name it gives itself; may be empty. */
  readonly name: string;
  /** What it sends; nothing where it sends no picture. */
  readonly format: VideoFormat | undefined;
  /** Whether its frames' times are those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
}

/** What a line has carried since the call began. */
export interface LineFigures {
  /** Frames handed to the connection. */
  readonly sent: number;
  /** Frames that were replaced before that. */
  readonly dropped: number;
  /** Bytes written, with all that is around the frames. */
  readonly sentBytes: number;
  /** How old pictures are when they arrive, in milliseconds: those that come, or else those that go. */
  readonly delayMs: number | undefined;
  /** Frames that came and can be shown. */
  readonly received: number;
  /** Frames that did not come, or need one that did not. */
  readonly lost: number;
  /** Bytes read. */
  readonly receivedBytes: number;
  /** For how long the network has been waited for, in milliseconds; nothing while it is there. */
  readonly waitingMs: number | undefined;
}

/** A peer in a call. */
export interface Line extends Sink {
  /** The other end. */
  readonly peer: Peer;
  /** What was carried until now. */
  readonly figures: LineFigures;
  /** How the peer hung up. Rejects with `PeerLostError` or `ProtocolError`; never settles when we hang up. */
  readonly ended: Promise<Goodbye>;
  /**
   * What the peer sends, until the call is over for whatever reason. It has to be iterated, and once: that is what keeps the
   * line going.
   */
  frames(): AsyncIterable<Frame>;
  /**
   * Resolves when every frame pushed has left, or nothing more moves. A network that is gone is
   * waited for.
   */
  flush(): Promise<void>;
  /** Hangs up: says why, where the mode has words for it, and closes. Safe twice. */
  hangUp(reason: string): Promise<void>;
  /** Tells somebody of the network from now on, where it can be lost and come back. */
  watch?(watcher: LineWatcher): void;
}

/** A peer that has said hello: the first picture that it sends is what is shown. */
export function peerOf({ name, streams }: Introduction): Peer {
  return { name, format: streams.find((stream) => stream !== undefined), stamps: "capture" };
}

/**
 * Gets another connection into the same call, introduced and accepted; or the peer's goodbye, if it has hung up since; or
 * nothing, where the loss is final. Nothing was heard of the peer for `goneMs` already. When aborted, it gives nothing and
 * leaves nothing open.
 */
export type Again = (
  lost: PeerLostError,
  signal: AbortSignal,
  goneMs: number,
) => Promise<Wire | Goodbye | undefined>;

/** What a line is made of. */
export interface LineOptions {
  /** What this end sends. */
  readonly ours: Streams;
  /** The peer's name and what it sends. */
  readonly theirs: Introduction;
  /** How to get another connection. */
  readonly again: Again;
  /** The clocks of both ends, where they were compared: capture times are told by that of the server. */
  readonly clocks?: { readonly aheadUs: number; readonly roundTripUs?: number } | undefined;
  /** The rate that the peer's frames are held to, in place of the one it announces. */
  readonly limitFps?: number | undefined;
  /** True if the peer has its first picture before the call: until that is here, a rest is no reason to wait for it. */
  readonly beginsAtOnce?: boolean;
}

/** Whom a line tells that its network is gone, and that it is back. */
export interface LineWatcher {
  /** Nothing comes, or the connection has ended. */
  onGone(lost: PeerLostError): void;
  /** It goes on after that many milliseconds. */
  onBack(goneMs: number): void;
}

/** A network that is gone: since when, and how to stop the search for another connection while there is one. */
interface Waiting {
  readonly sinceMs: number;
  search: AbortController | undefined;
}

/** A call of version 2. */
export class CallLine implements Line {
  readonly peer: Peer;
  readonly #theirs: Streams;
  readonly #again: Again;
  readonly #aheadUs: number;
  readonly #send: readonly SendStream[];
  readonly #receive: readonly (ReceiveStream | undefined)[];
  /** The stream of the peer's that is given; -1 where there is none. */
  readonly #shown: number;
  readonly #beginsAtOnce: boolean;
  readonly #maxBytes: number;
  /** Bounds what comes beside the frames that are ours to show: whatever it is, it costs as much to read. */
  readonly #limit = new RateLimit(UNANNOUNCED_FPS, performance.now(), "messages");
  readonly #acks = new Map<number, number>();
  readonly #end = Promise.withResolvers<Goodbye>();
  readonly #ticker: Timer;
  #watcher: LineWatcher | undefined;
  #wire: Wire | undefined;
  #writing: Promise<void>;
  #isWriting = false;
  #wake = Promise.withResolvers<void>();
  #flushed: PromiseWithResolvers<void> | undefined;
  #lastAckMs = -Infinity;
  #ackTimer: Timer | undefined;
  #waiting: Waiting | undefined;
  #sentBefore = 0;
  #receivedBefore = 0;
  #over = false;
  #hangingUp: Promise<void> | undefined;

  /** A call on a connection on which both ends have introduced themselves. */
  constructor(
    wire: Wire,
    { ours, theirs, again, clocks, limitFps, beginsAtOnce = false }: LineOptions,
  ) {
    this.#theirs = theirs.streams;
    this.#again = again;
    this.#aheadUs = clocks?.aheadUs ?? 0;
    this.#send = ours.flatMap((format) =>
      format === undefined ? [] : [new SendStream(format, clocks?.roundTripUs)]
    );
    const from = { aheadUs: clocks?.aheadUs, limitFps };
    this.#receive = theirs.streams.map((format) => format && new ReceiveStream(format, from));
    this.#shown = theirs.streams.findIndex((format) => format !== undefined);
    this.#beginsAtOnce = beginsAtOnce;
    this.peer = peerOf(theirs);
    this.#maxBytes = Math.max(
      MAX_HELLO_BYTES,
      ...theirs.streams.map((format) =>
        format === undefined ? 0 : FRAME_HEADER_BYTES + maxFrameBytes(format)
      ),
    );
    // The end may come while nobody waits for it any more.
    this.#end.promise.catch(() => {});
    this.#wire = wire;
    wire.enterCall(() => this.#isExpecting);
    this.#writing = this.#write(wire);
    this.#ticker = setInterval(() => this.#look(), LOOK_MS);
  }

  get ended(): Promise<Goodbye> {
    return this.#end.promise;
  }

  get figures(): LineFigures {
    const [send] = this.#send;
    const receive = this.#receive[this.#shown];
    return {
      sent: send?.sent ?? 0,
      dropped: send?.dropped ?? 0,
      sentBytes: this.#sentBefore + (this.#wire?.sentBytes ?? 0),
      delayMs: receive?.delayMs ?? send?.delayMs,
      received: receive?.received ?? 0,
      lost: receive?.lost ?? 0,
      receivedBytes: this.#receivedBefore + (this.#wire?.receivedBytes ?? 0),
      waitingMs: this.#waiting && performance.now() - this.#waiting.sinceMs,
    };
  }

  /** Tells somebody of the network from now on. */
  watch(watcher: LineWatcher): void {
    this.#watcher = watcher;
  }

  /** Goes on over this connection, which the peer has made to come back. */
  resume(wire: Wire): void {
    if (this.#over) return wire.close();
    this.#adopt(wire);
  }

  push(frame: Frame): void {
    const [stream] = this.#send;
    if (this.#over || stream === undefined) return;
    stream.push(frame);
    this.#notify();
  }

  async flush(): Promise<void> {
    while (!this.#over && (this.#waiting || this.#isSending)) {
      if (this.#waiting) {
        // A goodbye would not arrive either, and the peer would take us for lost.
        await this.#wake.promise;
      } else {
        this.#flushed ??= Promise.withResolvers<void>();
        await within(this.#flushed.promise, FLUSH_MS);
        if (!this.#waiting) return;
      }
    }
  }

  async *frames(): AsyncGenerator<Frame, void, undefined> {
    try {
      const memory = new Memory(this.#receive);
      while (true) {
        const wire = this.#wire ?? await this.#another();
        if (wire === undefined) return;
        const message = await this.#read(wire, memory);
        if (this.#over) return;
        if (message === undefined) continue;
        switch (message[0]) {
          case KIND.frame: {
            const frame = this.#takeFrame(message, memory);
            if (frame) yield frame;
            break;
          }
          case KIND.ack: {
            this.#limit.count(performance.now());
            const { stream, sequence } = decodeAck(message);
            checkStream(stream, this.#send.length);
            this.#send[stream]!.acknowledged(sequence);
            this.#notify();
            break;
          }
          case KIND.rest: {
            this.#limit.count(performance.now());
            const { stream, resting } = decodeRest(message);
            checkStream(stream, this.#receive.length);
            const receive = this.#receive[stream];
            if (receive) receive.resting = resting;
            break;
          }
          case KIND.bye:
            if (message.length > MAX_HELLO_BYTES) {
              throw new ProtocolError(`a goodbye of ${message.length} bytes is too long`);
            }
            return this.#settle({ reason: decodeBye(message) });
          default:
            throw new ProtocolError(misplaced(message));
        }
        this.#cameBack();
      }
    } catch (error) {
      if (!this.#hangingUp) this.#end.reject(error);
    } finally {
      this.#stop();
    }
  }

  hangUp(reason: string): Promise<void> {
    return this.#hangingUp ??= this.#hangUp(reason);
  }

  /** Hangs up without a reason. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.hangUp("");
  }

  /** True while something ought to come: the first picture, a frame of a stream that does not rest, or an ack. */
  get #isExpecting(): boolean {
    const hasToBegin = this.#beginsAtOnce && this.#receive[this.#shown]?.received === 0;
    return hasToBegin || this.#receive.some((stream) => stream && !stream.resting) ||
      this.#send.some((stream) => stream.isExpecting);
  }

  get #isSending(): boolean {
    return this.#isWriting || this.#send.some((stream) => stream.isBusy);
  }

  /** How long nothing may come: what is under way on a slow link needs its time. */
  get #patienceMs(): number {
    const busy = this.#send.filter((stream) => stream.isExpecting);
    const drains = busy.map((stream) => stream.drainMs ?? UNKNOWN_LINK_MS);
    const isNew = this.#receive.some((stream) => stream?.isNew);
    const goneMs = GONE_MS + Math.min(Math.max(0, ...drains), UNKNOWN_LINK_MS);
    return isNew ? Math.max(FIRST_MS, goneMs) : goneMs;
  }

  /** The next message; nothing where the connection was lost or replaced meanwhile. */
  async #read(wire: Wire, memory: Memory): Promise<Uint8Array | undefined> {
    try {
      const message = await wire.readMessage(this.#maxBytes, memory.take());
      if (message === null) throw new PeerLostError("no-bye");
      return message;
    } catch (error) {
      if (this.#wire !== wire) return undefined;
      // Another connection is no cure for a peer that drips its words.
      const mayComeBack = error instanceof PeerLostError && error.how !== "slow";
      if (!mayComeBack || this.#hangingUp) throw error;
      this.#leave(wire);
      this.#wait(error);
      return undefined;
    }
  }

  #takeFrame(message: Uint8Array, memory: Memory): Frame | undefined {
    const decoded = decodeFrame(message, this.#theirs);
    if (decoded === undefined) {
      this.#limit.count(performance.now());
      return undefined;
    }
    const { stream, frame } = decoded;
    this.#acks.set(stream, frame.sequence);
    this.#notify();
    // Of several pictures the first is shown: frames of another size would spoil its window and its recording.
    const isWhole = this.#receive[stream]!.take(frame);
    return isWhole && stream === this.#shown ? memory.lend(frame) : undefined;
  }

  /** Looks twice in half a second at what does not happen by itself: silence, and streams that rest. */
  #look(): void {
    const wire = this.#wire;
    if (wire && !this.#over) {
      if (wire.quietMs >= this.#patienceMs) this.#wait(new PeerLostError("silence"));
      else if (!this.#isExpecting) this.#cameBack();
    }
    this.#notify();
  }

  /** Begins to look for another connection. */
  #wait(lost: PeerLostError): void {
    const isNews = this.#waiting === undefined;
    const waiting = this.#waiting ??= { sinceMs: performance.now(), search: undefined };
    if (waiting.search) return;
    waiting.search = new AbortController();
    void this.#search(lost, waiting.search.signal, performance.now() - waiting.sinceMs);
    if (isNews) this.#watcher?.onGone(lost);
  }

  async #search(lost: PeerLostError, stop: AbortSignal, goneMs: number): Promise<void> {
    try {
      const next = await this.#again(lost, stop, goneMs);
      if (stop.aborted) {
        if (next && !("reason" in next)) next.close();
      } else if (next === undefined) {
        throw lost.how === "silence" ? new PeerLostError("gone") : lost;
      } else if ("reason" in next) {
        this.#settle(next);
      } else {
        this.#adopt(next);
      }
    } catch (error) {
      if (stop.aborted) return;
      // A goodbye would make it a call that has ended in order, for a peer that comes back later.
      if (this.#wire) this.#leave(this.#wire);
      this.#end.reject(error);
      this.#stop();
    }
  }

  /** Goes on over another connection. */
  #adopt(wire: Wire): void {
    if (this.#wire) this.#leave(this.#wire);
    this.#wire = wire;
    wire.enterCall(() => this.#isExpecting);
    this.#acks.clear();
    this.#writing = this.#writing.then(() => this.#write(wire));
    this.#stopSearch();
    this.#notify();
  }

  #cameBack(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#stopSearch();
    this.#waiting = undefined;
    this.#watcher?.onBack(performance.now() - waiting.sinceMs);
  }

  #stopSearch(): void {
    this.#waiting?.search?.abort();
    if (this.#waiting) this.#waiting.search = undefined;
  }

  /** Lets a connection go. */
  #leave(wire: Wire): void {
    this.#sentBefore += wire.sentBytes;
    this.#receivedBefore += wire.receivedBytes;
    this.#wire = undefined;
    wire.close();
    for (const stream of this.#send) stream.restart();
    for (const stream of this.#receive) if (stream) stream.resting = false;
    this.#notify();
  }

  /** Waits for another connection; nothing where the call is over. */
  async #another(): Promise<Wire | undefined> {
    while (!this.#over && this.#wire === undefined) {
      await this.#wake.promise;
    }
    return this.#over ? undefined : this.#wire;
  }

  /** Writes to a connection what is to be written, until it is replaced or the call is over. */
  async #write(wire: Wire): Promise<void> {
    try {
      while (this.#wire === wire && !this.#over) {
        const wake = this.#wake.promise;
        this.#isWriting = true;
        const wrote = await this.#writeOne(wire);
        this.#isWriting = false;
        if (!this.#isSending) this.#sayFlushed();
        if (!wrote) await wake;
      }
    } catch {
      // The same loss reaches whoever reads.
    } finally {
      this.#isWriting = false;
    }
  }

  /** Writes one message: an ack, a rest or a frame; false if there is none. */
  async #writeOne(wire: Wire): Promise<boolean> {
    const [ack] = this.#acks;
    if (ack && performance.now() - this.#lastAckMs >= ACKS_APART_MS) {
      // An ack stands for all before it: where the peer reads slowly, the newest is enough.
      const [stream, sequence] = ack;
      this.#acks.delete(stream);
      this.#lastAckMs = performance.now();
      await wire.writeMessage(encodeAck(stream, sequence));
      return true;
    }
    for (const [number, stream] of this.#send.entries()) {
      const rest = stream.takeRest();
      if (rest !== undefined) {
        await wire.writeMessage(encodeRest(number, rest));
        return true;
      }
      const frame = stream.take();
      if (frame === undefined) continue;
      try {
        await wire.writeMessage(encodeFrameHeader(frame, number, this.#aheadUs), frame.data);
      } finally {
        frame.lease?.letGo();
      }
      return true;
    }
    if (ack) this.#ackTimer ??= setTimeout(() => this.#wakeForAck(), ACKS_APART_MS);
    return false;
  }

  #wakeForAck(): void {
    this.#ackTimer = undefined;
    this.#notify();
  }

  async #hangUp(reason: string): Promise<void> {
    const wire = this.#wire;
    if (wire === undefined) return this.#stop();
    const patienceMs = this.#farewellMs(wire);
    this.#stop();
    await wire.hangUp(async () => {
      // Between two messages only: inside one, a goodbye would be taken for a part of a frame.
      await this.#writing;
      await wire.writeMessage(encodeBye(reason));
    }, patienceMs);
  }

  /** How long a hang-up waits for what is under way. */
  #farewellMs(wire: Wire): number {
    // Where the network is gone, the system keeps our last words for a peer that comes back.
    if (wire.quietMs >= this.#patienceMs) return LOOK_MS;
    if (this.#over) return FAREWELL_MS;
    // What is under way on a slow link arrives in its own time. A silence that has begun goes on
    // where it was.
    return Math.max(STILL_MS - wire.quietMs, FAREWELL_MS);
  }

  #settle(goodbye: Goodbye): void {
    if (!this.#hangingUp) this.#end.resolve(goodbye);
    this.#stop();
  }

  /** Says that the call is over to all that goes on by itself. */
  #stop(): void {
    this.#over = true;
    clearInterval(this.#ticker);
    clearTimeout(this.#ackTimer);
    this.#stopSearch();
    this.#waiting = undefined;
    for (const stream of this.#send) stream.close();
    this.#sayFlushed();
    this.#notify();
  }

  #sayFlushed(): void {
    this.#flushed?.resolve();
    this.#flushed = undefined;
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}

/** Memory for messages, used again and again until a frame is lent out of it. */
class Memory {
  readonly #pool: FramePool | undefined;
  #memory: Uint8Array<ArrayBuffer> | undefined;

  constructor(streams: readonly (ReceiveStream | undefined)[]) {
    this.#pool = streams.find((stream) => stream?.pool)?.pool;
  }

  /** Room for the next message, where messages are of one size. */
  take(): Uint8Array | undefined {
    return this.#memory ??= this.#pool?.take();
  }

  /** The frame with a lease on the memory that it lies in. */
  lend(frame: Frame): Frame {
    const memory = this.#memory;
    if (memory === undefined || frame.data.buffer !== memory.buffer) return frame;
    this.#memory = undefined;
    return { ...frame, lease: this.#pool!.lease(memory) };
  }
}
