/** The sentence for an error of any layer. Errors become words in this place only. */

import {
  CodeError,
  FfmpegError,
  MicrophoneError,
  NoCameraError,
  NotInstalledError,
  PeerLostError,
  ProtocolError,
  RecordingError,
  RefusedError,
  SealError,
  SourceError,
  UsageError,
} from "../errors.ts";
import { installCommand, type Messages, type Party } from "./sentences.ts";

/** The sentence for an error of any layer. `peer` is the role of the peer. */
export function describe(error: unknown, messages: Messages, system: string, peer: Party): string {
  if (isNotCapable(error)) return messages.notAllowed(detailOf(error));
  if (error instanceof UsageError) return error.message;
  if (error instanceof PeerLostError) return messages.lost(peer, error.how);
  if (error instanceof ProtocolError) {
    return `${messages.nonsense(peer, wrongWith(error, messages))} ${messages.nonsenseCure}`;
  }
  if (error instanceof CodeError) return messages.codeProblem(error.kind);
  if (error instanceof SealError) return messages.changed(peer);
  if (error instanceof RefusedError) return messages.refused(error.message);
  if (error instanceof NotInstalledError) {
    return messages.notInstalled(error.command, installCommand(system));
  }
  if (error instanceof FfmpegError) {
    const sentence = error.kind === "old" ? messages.ffmpegOld : messages.ffmpegLacks;
    return sentence(error.detail, installCommand(system));
  }
  if (error instanceof NoCameraError) return describeNoCamera(error, messages, "");
  if (error instanceof SourceError) {
    const { isCamera, name } = error.source;
    return (isCamera ? messages.camera : messages.input)(error.kind, name, error.detail);
  }
  if (error instanceof MicrophoneError) {
    return messages.microphone(error.kind, error.microphone, error.detail);
  }
  if (error instanceof RecordingError) {
    // Deno keeps /dev, /proc and the like for programs that may do everything. To ask for that is
    // no cure.
    if (isNotCapable(error.cause)) {
      const detail = detailOf(error.cause);
      return /all access/.test(detail)
        ? messages.notWritable(error.path)
        : messages.notAllowed(detail);
    }
    switch (error.kind) {
      case "no-folder":
        return messages.noFolder(error.path);
      case "not-writable":
        return messages.notWritable(error.path);
      case "other":
        return messages.cannotRecord(error.path, detailOf(error.cause));
    }
  }
  return messages.failed(detailOf(error));
}

/**
 * The sentence for a machine without its first camera. `command` is what the user typed; the
 * sentence repeats it with an addition.
 */
export function describeNoCamera(
  { cameras }: NoCameraError,
  messages: Messages,
  command: string,
): string {
  const again = (words: string): string => `${command} ${words}`.trim();
  const [first] = cameras;
  if (!first) return messages.noCameraHere(again("--input test"));
  const list = cameras.map(({ index, name }) => `${index}: ${name}`).join(", ");
  return messages.otherCamera(list, again(`--camera ${first.index}`));
}

/** A peer's mistake, as a part of other sentences. A near miss is told in the user's language. */
export function wrongWith(error: ProtocolError, messages: Messages): string {
  return error.miss ? messages.nearMiss(error.miss) : error.message;
}

/** The sentence for an address that cannot be listened on. */
export function describeListen(
  error: unknown,
  messages: Messages,
  host: string,
  port: number,
): string {
  if (isNotCapable(error)) return messages.notAllowed(detailOf(error));
  if (lacksScope(host)) return messages.scopeMissing(host);
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return messages.portTaken(host, port);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return messages.addressNotHere(host);
    case "EACCES":
      return messages.portForbidden(port);
    default:
      return messages.network(detailOf(error));
  }
}

/** The sentence for an address that cannot be called. */
export function describeConnect(
  error: unknown,
  messages: Messages,
  host: string,
  port: number,
): string {
  if (isNotCapable(error)) return messages.notAllowed(detailOf(error));
  if (lacksScope(host)) return messages.scopeMissing(host);
  switch (codeOf(error)) {
    case "ECONNREFUSED":
      return messages.nobodyListens(host, port);
    case "ENOTFOUND":
      return messages.nameUnknown(host);
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "ETIMEDOUT":
      return messages.unreachable(host);
    default:
      return messages.network(detailOf(error));
  }
}

/**
 * True for a link-local IPv6 address without the name of its card. Every cable has such addresses.
 */
function lacksScope(host: string): boolean {
  return /^fe[89ab][0-9a-f]:[0-9a-f:]*$/i.test(host);
}

/**
 * The system's name for an error of the network. Deno gives it as a code, as a class or only in
 * words.
 */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  const known: readonly (readonly [RegExp, string])[] = [
    [/AddrInUse|address already in use/i, "EADDRINUSE"],
    [/AddrNotAvailable|cannot assign requested/i, "EADDRNOTAVAIL"],
    [/ConnectionRefused|connection refused/i, "ECONNREFUSED"],
    [/lookup address|name or service|no address|resolve/i, "ENOTFOUND"],
    [/TimeoutError|TimedOut|timed out/i, "ETIMEDOUT"],
    [/unreachable|no route/i, "EHOSTUNREACH"],
    [/PermissionDenied|permission denied/i, "EACCES"],
  ];
  const text = `${error.name}: ${error.message}`;
  return known.find(([pattern]) => pattern.test(text))?.[1] ?? "";
}

/** True for Deno's error of a permission that was not given. */
function isNotCapable(error: unknown): boolean {
  return error instanceof Error && error.name === "NotCapable";
}

function detailOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
