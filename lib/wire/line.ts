/**
 * A line: a peer in a call. It is a sink and a source. Pushed frames go to the peer, and `frames()`
 * gives the peer's frames. The caller and the called have the same kind of line.
 *
 * ```
 *  push ─┬► SendSound (the last 200 ms) ──────────┬► writer ─► wire ═══ peer
 *        └► SendStream (newest wins, window) ─────┘   ▲
 *                                                     │ acks
 *  iterator ◄─ ReceiveSound, ReceiveStream ◄─ frames() ◄──── wire ═══ peer
 *                                               └─► acks, byes, rests: ours to understand
 * ```
 *
 * Terms. The *connection* is TCP's, and may be lost. The *line* stays, and gets another connection
 * by `again`: a client dials, a server waits for the peer to come back. Until then pushed frames
 * are dropped, all but the newest.
 *
 * Goal. A network that is gone for a while parts nobody. A peer that is gone for good is told from
 * such a network.
 *
 * Means. If nothing comes for 2 s although something ought to, `again` is asked while the old
 * connection still stands. The line goes on with the first of the two that gives something. A
 * connection that ends without a bye is replaced in the same way. The network is back when the peer
 * is heard again. A peer that comes back and is lost at once gets no more patience than others.
 *
 * Limits. The bytes under way are lost with their connection. The sequence of each frame tells the
 * peer the size of the loss.
 */

import { type Timer, within } from "../clock.ts";
import { PeerLostError, ProtocolError } from "../errors.ts";
import { maxFrameBytes, type SoundFormat, type VideoFormat } from "../frame/format.ts";
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
import { type LinkFacts, LinkRate } from "./send_window.ts";
import { ReceiveSound, SendSound } from "./sound_stream.ts";
import { ReceiveStream, SendStream } from "./stream.ts";
import { FAREWELL_MS, STILL_MS, type Wire } from "./wire.ts";

/**
 * Milliseconds without anything, although something ought to come, after which the network counts
 * as gone.
 */
const GONE_MS = 2000;

/**
 * Milliseconds on top of that before the first ack has told the pace of the link. Three large
 * frames on a slow link take that long.
 */
const UNKNOWN_LINK_MS = 4500;

/** Milliseconds that the first frame may take: a peer may open its camera only now. */
const FIRST_MS = 6500;

/** The most milliseconds until a caller's first frame that tell the round trip of the link. */
const FIRST_FRAME_MS = 150;

/** Milliseconds between two looks of a line at the silence and at the resting streams. */
const LOOK_MS = 250;

/**
 * Milliseconds between two acks, if frames come faster: half of the time that 240 frames a second
 * leave.
 */
const ACKS_APART_MS = 2;

/**
 * Milliseconds that the last frames may take to leave when the input has ended: longer than a loss
 * goes unnoticed.
 */
const FLUSH_MS = 10_000;

/** The end of a call that a peer ended in order. */
export interface Goodbye {
  /** Its reason, in its words. Empty in modes whose only bye is the end of the stream. */
  readonly reason: string;
}

/** The peer, by its introduction. */
export interface Peer {
  /** The name that it gives itself. It may be empty. */
  readonly name: string;
  /** The formats of its streams, by their numbers. A stream that is not given is `undefined`. */
  readonly streams: Streams;
  /** The format of its pictures: that of the first stream of them. Nothing if it sends no picture. */
  readonly format: VideoFormat | undefined;
  /** The format of its sound: that of the first stream of it. Nothing if it sends no sound. */
  readonly sound: SoundFormat | undefined;
  /** The kind of its frames' times: those of their capture, or of their arrival only. */
  readonly stamps: "capture" | "arrival";
}

/** The figures of a line since the call began. Frames of sound are counted apart. */
export interface LineFigures {
  /** Frames handed to the connection. */
  readonly sent: number;
  /** Frames that were replaced before that. */
  readonly dropped: number;
  /** Bytes written, with all that is around the frames. */
  readonly sentBytes: number;
  /** The bytes of pictures among them. */
  readonly pictureBytes: number;
  /** Milliseconds of age of a picture when it arrives: of the peer's pictures, or else of ours. */
  readonly delayMs: number | undefined;
  /** Frames that came and can be shown. */
  readonly received: number;
  /** Frames that did not come, or that need one that did not. */
  readonly lost: number;
  /** Bytes read. */
  readonly receivedBytes: number;
  /** The figures of the sound, in frames of 10 ms. */
  readonly sound: SoundFigures;
  /** Milliseconds since the network was lost. Nothing while it is there. */
  readonly waitingMs: number | undefined;
}

/** The figures of the sound of a line, in frames. */
export interface SoundFigures {
  /** Frames handed to the connection. */
  readonly sent: number;
  /** Frames that have waited too long for it. */
  readonly dropped: number;
  /** Frames that came. */
  readonly received: number;
  /** Frames that did not come. */
  readonly lost: number;
}

/** The figures of a line without sound. */
export const NO_SOUND: SoundFigures = { sent: 0, dropped: 0, received: 0, lost: 0 };

/** A peer in a call. */
export interface Line extends Sink {
  /** The peer. */
  readonly peer: Peer;
  /** The figures until now. */
  readonly figures: LineFigures;
  /**
   * Resolves to the peer's bye. Rejects with `PeerLostError` or `ProtocolError`. Never settles when
   * we hang up.
   */
  readonly ended: Promise<Goodbye>;
  /**
   * The peer's frames, until the call is over for whatever reason. Must be iterated, and only once:
   * the iteration keeps the line going.
   */
  frames(): AsyncIterable<Frame>;
  /**
   * Resolves when every pushed frame has left, or nothing moves any more. A lost network is waited
   * for.
   */
  flush(): Promise<void>;
  /** Hangs up: says why, if the mode has words for it, and closes. Safe twice. */
  hangUp(reason: string): Promise<void>;
  /** Tells a watcher of the network from now on, if the network can be lost and come back. */
  watch?(watcher: LineWatcher): void;
  /** Says that nothing comes on a stream of ours until a frame of it is pushed. */
  rest?(stream: number): void;
  /** What our pictures have measured of the link. */
  readonly link?: LinkFacts;
}

/**
 * A peer that has said hello. Of its picture streams, the first is the one to show, and those that
 * are the same picture in another codec. Frames of another size would spoil its window and its
 * recording.
 */
export function peerOf({ name, streams }: Introduction): Peer {
  const format = streams.find((stream) => stream?.kind === "video");
  const isGiven = (stream: Streams[number]): boolean =>
    stream?.kind !== "video" || stream.width === format!.width &&
      stream.height === format!.height && stream.fps === format!.fps;
  return {
    name,
    streams: streams.map((stream) => isGiven(stream) ? stream : undefined),
    format,
    sound: streams.find((stream) => stream?.kind === "sound"),
    stamps: "capture",
  };
}

/**
 * Gets another connection into the same call, introduced and accepted. Resolves to the peer's bye
 * if it has hung up since, and to nothing if the loss is final. The peer has been silent for
 * `goneMs` already. When aborted, it gives nothing and leaves nothing open.
 */
export type Again = (
  lost: PeerLostError,
  signal: AbortSignal,
  goneMs: number,
) => Promise<Wire | Goodbye | undefined>;

/**
 * Milliseconds that a connection ended or reset without a bye is waited for. A peer that lives is
 * back at once.
 */
const CUT_PATIENCE_MS = 5000;

/**
 * Milliseconds that this loss is still waited for, of a patience of which `goneMs` are spent. Zero
 * or less if it is over.
 */
export function waitMsFor(lost: PeerLostError, patienceMs: number, goneMs: number): number {
  const leftMs = patienceMs - goneMs;
  return lost.how === "silence" ? leftMs : Math.min(leftMs, CUT_PATIENCE_MS);
}

/** The parts of a line. */
export interface LineOptions {
  /** The streams that this end sends. */
  readonly ours: Streams;
  /** The peer's name and its streams. */
  readonly theirs: Introduction;
  /** The way to another connection. */
  readonly again: Again;
  /**
   * The clocks of both ends, if they were compared. Capture times are then told by the server's
   * clock.
   */
  readonly clocks?: { readonly aheadUs: number; readonly roundTripUs?: number } | undefined;
  /** The rate that the peer's frames are held to, in place of the announced one. */
  readonly limitFps?: number | undefined;
  /**
   * True if the peer has its first picture before the call. Until that picture is here, a rest is
   * no reason to wait for it.
   */
  readonly beginsAtOnce?: boolean;
}

/** Hears from a line that its network is gone, and that it is back. */
export interface LineWatcher {
  /** Nothing comes, or the connection has ended. */
  onGone(lost: PeerLostError): void;
  /** The call goes on after that many milliseconds. */
  onBack(goneMs: number): void;
  /** The peer has said that all its sound rests: it is muted. Or that it is heard again. */
  onMuted?(muted: boolean): void;
}

/**
 * A network that is gone: the time of its loss, and the way to stop the search for another
 * connection if there is one.
 */
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
  readonly #rate: LinkRate;
  readonly #send: readonly (SendStream | SendSound)[];
  readonly #receive: readonly (ReceiveStream | ReceiveSound | undefined)[];
  /** The same streams by their kinds. Of the peer's, those that `frames` gives. */
  readonly #ours: Kinds<SendStream, SendSound>;
  readonly #peers: Kinds<ReceiveStream, ReceiveSound>;
  readonly #beginsAtOnce: boolean;
  /** The time of our answer to a peer that begins at once, until we hear of it again. */
  #answeredMs: number | undefined;
  readonly #maxBytes: number;
  /**
   * Bounds the messages beside the frames that are ours to show. Each costs as much to read,
   * whatever it is.
   */
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
  #muted = false;
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
    this.peer = peerOf(theirs);
    this.#theirs = theirs.streams;
    this.#again = again;
    this.#aheadUs = clocks?.aheadUs ?? 0;
    const { roundTripUs } = clocks ?? {};
    this.#rate = new LinkRate(roundTripUs === undefined ? undefined : roundTripUs / 1000);
    const link = { roundTripUs, rate: this.#rate };
    this.#send = ours.flatMap((format): (SendStream | SendSound)[] => {
      if (format === undefined) return [];
      return format.kind === "video" ? [new SendStream(format, link)] : [new SendSound()];
    });
    this.#ours = {
      pictures: this.#send.filter((stream) => stream instanceof SendStream),
      sounds: this.#send.filter((stream) => stream instanceof SendSound),
    };
    const from = { aheadUs: clocks?.aheadUs, limitFps };
    this.#receive = theirs.streams.map((format) => {
      if (format === undefined) return undefined;
      return format.kind === "video" ? new ReceiveStream(format, from) : new ReceiveSound(format);
    });
    this.#peers = {
      pictures: this.#receive.filter((stream, number) => this.peer.streams[number] && stream)
        .filter((stream) => stream instanceof ReceiveStream),
      sounds: this.#receive.filter((stream) => stream instanceof ReceiveSound),
    };
    this.#beginsAtOnce = beginsAtOnce;
    if (beginsAtOnce) this.#answeredMs = performance.now();
    this.#maxBytes = Math.max(
      MAX_HELLO_BYTES,
      ...theirs.streams.map((format) =>
        format === undefined ? 0 : FRAME_HEADER_BYTES + maxFrameBytes(format)
      ),
    );
    // The end may come when nobody waits for it any more.
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
    const [ours, peers] = [this.#ours, this.#peers];
    const delays = [...peers.pictures.filter(({ resting }) => !resting), ...ours.pictures]
      .map(({ delayMs }) => delayMs);
    return {
      sent: sum(ours.pictures, "sent"),
      dropped: sum(ours.pictures, "dropped"),
      pictureBytes: sum(ours.pictures, "sentBytes"),
      sentBytes: this.#sentBefore + (this.#wire?.sentBytes ?? 0),
      delayMs: delays.find((delayMs) => delayMs !== undefined),
      received: sum(peers.pictures, "received"),
      lost: sum(peers.pictures, "lost"),
      sound: {
        sent: sum(ours.sounds, "sent"),
        dropped: sum(ours.sounds, "dropped"),
        received: sum(peers.sounds, "received"),
        lost: sum(peers.sounds, "lost"),
      },
      receivedBytes: this.#receivedBefore + (this.#wire?.receivedBytes ?? 0),
      waitingMs: this.#waiting && performance.now() - this.#waiting.sinceMs,
    };
  }

  /** Tells a watcher of the network from now on. */
  watch(watcher: LineWatcher): void {
    this.#watcher = watcher;
  }

  /** Goes on over this connection, by which the peer has come back. */
  resume(wire: Wire): void {
    if (this.#over) return wire.close();
    this.#adopt(wire);
  }

  push(frame: Frame): void {
    const stream = this.#send[frame.stream];
    if (this.#over || stream === undefined) return;
    stream.push(frame);
    this.#notify();
  }

  rest(stream: number): void {
    this.#send[stream]?.rest();
    this.#notify();
  }

  get link(): LinkFacts {
    return this.#rate.facts(performance.now());
  }

  async flush(): Promise<void> {
    while (!this.#over && (this.#waiting || this.#isSending)) {
      if (this.#waiting) {
        // A bye would not arrive either, and the peer would take us for lost.
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
      const memory = new Memory(this.#peers.pictures);
      while (true) {
        const wire = this.#wire ?? await this.#another();
        if (wire === undefined) return;
        const message = await this.#read(wire, memory);
        if (this.#over) return;
        if (message === undefined) continue;
        this.#noteRoundTrip(message[0] === KIND.frame);
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
            const acknowledged = this.#send[stream]!;
            if (acknowledged instanceof SendSound) {
              throw new ProtocolError("an ack for sound, which is never acknowledged");
            }
            acknowledged.acknowledged(sequence);
            this.#notify();
            break;
          }
          case KIND.rest: {
            this.#limit.count(performance.now());
            const { stream, resting } = decodeRest(message);
            checkStream(stream, this.#receive.length);
            const receive = this.#receive[stream];
            if (receive) receive.resting = resting;
            if (this.#peers.sounds.length > 0 && this.#peers.sounds.every((one) => one.resting)) {
              this.#tellMuted(true);
            }
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

  /**
   * True while something ought to come: the first picture, a frame of a stream that does not rest,
   * or an ack.
   */
  get #isExpecting(): boolean {
    const { pictures } = this.#peers;
    const hasToBegin = this.#beginsAtOnce && pictures.length > 0 && sum(pictures, "received") === 0;
    return hasToBegin || this.#receive.some((stream) => stream && !stream.resting) ||
      this.#ours.pictures.some((stream) => stream.isExpecting);
  }

  get #isSending(): boolean {
    return this.#isWriting || this.#send.some((stream) => stream.isBusy);
  }

  /** Milliseconds that nothing may come. Frames under way on a slow link need their time. */
  get #patienceMs(): number {
    const busy = this.#ours.pictures.filter((stream) => stream.isExpecting);
    const drains = busy.map((stream) => stream.drainMs ?? UNKNOWN_LINK_MS);
    const known = [...this.#peers.pictures, ...this.#peers.sounds];
    const isNew = known.length > 0 && known.every((stream) => stream.isNew);
    const goneMs = GONE_MS + Math.min(Math.max(0, ...drains), UNKNOWN_LINK_MS);
    return isNew ? Math.max(FIRST_MS, goneMs) : goneMs;
  }

  /** The next message. Resolves to nothing if the connection was lost or replaced meanwhile. */
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
    const frame = decodeFrame(message, this.#theirs);
    if (frame === undefined) {
      this.#limit.count(performance.now());
      return undefined;
    }
    const stream = this.#receive[frame.stream]!;
    if (stream instanceof ReceiveSound) {
      stream.take(frame);
      this.#tellMuted(false);
      return memory.copy(frame);
    }
    this.#acks.set(frame.stream, frame.sequence);
    this.#notify();
    const isWhole = stream.take(frame);
    return isWhole && this.peer.streams[frame.stream] ? memory.lend(frame) : undefined;
  }

  /**
   * Notes the first message. A caller has its first frame before it calls: that comes one round
   * trip after our answer, if it comes soon.
   */
  #noteRoundTrip(isFrame: boolean): void {
    if (this.#answeredMs === undefined) return;
    const ms = performance.now() - this.#answeredMs;
    this.#answeredMs = undefined;
    if (isFrame && ms <= FIRST_FRAME_MS) this.#rate.noteRoundTrip(ms);
  }

  /** Tells the watcher if the peer has muted its sound, or is heard again. */
  #tellMuted(muted: boolean): void {
    if (muted === this.#muted) return;
    this.#muted = muted;
    this.#watcher?.onMuted?.(muted);
  }

  /** Looks at silence and at resting streams, which announce themselves by no event. */
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
      // A bye would make it a call that has ended in order, for a peer that comes back later.
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

  /** Waits for another connection. Resolves to nothing if the call is over. */
  async #another(): Promise<Wire | undefined> {
    while (!this.#over && this.#wire === undefined) {
      await this.#wake.promise;
    }
    return this.#over ? undefined : this.#wire;
  }

  /**
   * Writes all that there is to write to a connection, until it is replaced or the call is over.
   */
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
      // The same loss reaches the reader.
    } finally {
      this.#isWriting = false;
    }
  }

  /**
   * Writes one message: sound first, then an ack, a rest or a picture. Resolves to false if there
   * is none.
   */
  async #writeOne(wire: Wire): Promise<boolean> {
    for (const stream of this.#ours.sounds) {
      const sound = stream.take();
      if (sound === undefined) continue;
      await wire.writeMessage(encodeFrameHeader(sound, this.#aheadUs), sound.data);
      return true;
    }
    const [ack] = this.#acks;
    if (ack && performance.now() - this.#lastAckMs >= ACKS_APART_MS) {
      // An ack stands for all before it. If the peer reads slowly, the newest is enough.
      const [stream, sequence] = ack;
      this.#acks.delete(stream);
      this.#lastAckMs = performance.now();
      await wire.writeMessage(encodeAck(stream, sequence));
      return true;
    }
    for (const [number, stream] of this.#send.entries()) {
      const rest = stream.takeRest();
      if (rest === undefined) continue;
      await wire.writeMessage(encodeRest(number, rest));
      return true;
    }
    for (const stream of this.#ours.pictures) {
      const frame = stream.take();
      if (frame === undefined) continue;
      try {
        await wire.writeMessage(encodeFrameHeader(frame, this.#aheadUs), frame.data);
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
      // The bye goes between two messages only. Inside one, it would be taken for a part of a
      // frame.
      await this.#writing;
      await wire.writeMessage(encodeBye(reason));
    }, patienceMs);
  }

  /** Milliseconds that a hang-up waits for the bytes under way. */
  #farewellMs(wire: Wire): number {
    // If the network is gone, the system keeps our last words for a peer that comes back.
    if (wire.quietMs >= this.#patienceMs) return LOOK_MS;
    if (this.#over) return FAREWELL_MS;
    // Bytes under way on a slow link arrive in their own time. A silence that has begun counts from
    // its beginning.
    return Math.max(STILL_MS - wire.quietMs, FAREWELL_MS);
  }

  #settle(goodbye: Goodbye): void {
    if (!this.#hangingUp) this.#end.resolve(goodbye);
    this.#stop();
  }

  /** Tells all running work of the line that the call is over. */
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

/** Streams by their kinds. */
interface Kinds<Pictures, Sounds> {
  readonly pictures: readonly Pictures[];
  readonly sounds: readonly Sounds[];
}

/** The sum of a count over streams. */
function sum<K extends string>(streams: readonly Readonly<Record<K, number>>[], count: K): number {
  return streams.reduce((total, stream) => total + stream[count], 0);
}

/** Memory for messages. It is used again until a frame is lent out of it. */
class Memory {
  readonly #pool: FramePool | undefined;
  #memory: Uint8Array<ArrayBuffer> | undefined;

  constructor(streams: readonly ReceiveStream[]) {
    this.#pool = streams.find(({ pool }) => pool)?.pool;
  }

  /** Room for the next message, if messages are of one size. */
  take(): Uint8Array | undefined {
    return this.#memory ??= this.#pool?.take();
  }

  /** The frame with memory of its own size. A short sound must not hold the room of a picture. */
  copy(frame: Frame): Frame {
    return { ...frame, data: frame.data.slice() };
  }

  /** The frame with a lease on its own memory. */
  lend(frame: Frame): Frame {
    const memory = this.#memory;
    if (memory === undefined || frame.data.buffer !== memory.buffer) return frame;
    this.#memory = undefined;
    return { ...frame, lease: this.#pool!.lease(memory) };
  }
}
