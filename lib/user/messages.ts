/**
 * Every sentence a user reads, in Portuguese and in English. With `pt`, the sentences of the report stand as they are there.
 * Sentences name the cause and the cure. Knows error classes, and nothing else of the program.
 */

import {
  BUSY,
  FfmpegError,
  NoCameraError,
  NotInstalledError,
  PeerLostError,
  ProtocolError,
  RecordingError,
  RefusedError,
  SourceError,
  UsageError,
} from "../errors.ts";
import { describeMiss, type NearMiss } from "../near_miss.ts";

import { type FigureKind, fitLine, type LiveCall } from "./live_line.ts";

/** The languages there are. */
export type Language = "pt" | "en";

/** Who is who in a call. */
export type Party = "CLIENT" | "HOST";

/** What a recording or a sending came to, for its one line of summary. */
export interface Summary {
  /** How long it is. */
  readonly seconds: number;
  /** Frames in the file. */
  readonly frames: number;
  /** Frames that were received, where that is another number. */
  readonly received: number;
  /** Frames that were sent or received and are not in the file. */
  readonly lost: number;
  /** The file, as the user can open it. */
  readonly file: string;
  /** The size of the file. */
  readonly bytes: number;
}

/** What helps where a link is too narrow: another codec, or less to send. */
export type NarrowCure = "mjpeg" | "h264" | "smaller" | "slower";

/** What the live line shows; a figure that is not known is left out. */
export interface Status {
  /** The name of the call, where there can be several. */
  readonly label?: string | undefined;
  /** Since the call began. */
  readonly seconds: number;
  /** Frames a second, lately: those that go and those that come. */
  readonly fps: { readonly up: number | undefined; readonly down: number | undefined };
  /** How long the network has been waited for; nothing while it is there. */
  readonly waitingMs?: number | undefined;
  /** How late a frame is at the receiver. */
  readonly delayMs?: number | undefined;
  /** Frames that were left out since the call began. */
  readonly dropped: number;
  /** What crosses the network, lately. */
  readonly bytesPerSecond: number;
  /** The size of the recording so far. */
  readonly fileBytes?: number | undefined;
}

/** Windows are named in the report's words in either language. */
export const TITLES = {
  receiving: { CLIENT: "RECEBENDO VIDEO (CLIENTE)", HOST: "RECEBENDO VIDEO (HOST)" },
  sending: "TRANSMITINDO VIDEO",
} as const;

const INSTALL: Readonly<Record<string, string>> = {
  linux: "sudo apt install ffmpeg",
  darwin: "brew install ffmpeg",
  windows: "winget install Gyan.FFmpeg",
};

/** The sentences of one language, each with the moment at which it is said. A `detail` is in English: it is an error's. */
export interface Messages {
  /** The server starts: the address under which it can be called. */
  hostIp(address: string): string;
  /** The server can be called from now on. */
  listening(host: string, port: number): string;
  /** Behind `listening`: what to type at the other end. */
  dialHint(command: string): string;
  /** In place of `dialHint`, where no other machine can call: what to type on this one. */
  onlyHere(command: string): string;
  /** Behind `dialHint`, where the address is that of one cable and names a card of this machine. */
  readonly scopeHint: string;
  /** Behind `dialHint`, where nobody chose the address and the machine has more than one. */
  otherAddresses(list: string): string;
  /** Either program is started without `--host` on a machine that is in no network. */
  readonly noAddress: string;
  /** The server cannot listen: somebody else does. */
  portTaken(host: string, port: number): string;
  /** The server cannot listen: the system keeps such a port for its own programs. */
  portForbidden(port: number): string;
  /** The server cannot listen: `--host` is another machine's address. */
  addressNotHere(host: string): string;
  /** Either program is given an address of one cable, and not the card that this is in. */
  scopeMissing(host: string): string;

  /** The client starts to call. */
  calling(host: string, port: number): string;
  /** Either program is given a name with `--host` that nobody can resolve. */
  nameUnknown(host: string): string;
  /** The machine that is called is there, and no server on it. */
  nobodyListens(host: string, port: number): string;
  /** The machine that is called does not answer. */
  unreachable(host: string): string;
  /** Listening or calling fails for a rarer reason, which the system tells. */
  network(detail: string): string;

  /** Somebody connects to a server that is free. */
  received(host: string, port: number): string;
  /** Who connected is let go before a call began: what it said, or that it said nothing. */
  stranger(host: string, detail: string): string;
  /** Who connected goes by itself before it says anything, as a port scanner does. */
  leftSilently(host: string): string;
  /** So many strangers came to a server that not each of them was told of. */
  moreStrangers(count: number): string;
  /** Somebody calls a server that has as many calls as it may. */
  busyStranger(host: string): string;

  /** The client hears that its call is taken. */
  answered(host: string, port: number): string;
  /** The terminal's keys are watched: at a server that can be called, at a client in a call. */
  readonly hangUpHint: string;
  /** In place of `hangUpHint`, at a server that stays: q ends the calls that are on first. */
  stayHint(several: boolean): string;
  /** Behind `hangUpHint`, where there is a screen: the keys of a window. */
  readonly windowKeys: string;
  /** A call, or the wait for one, is over as somebody wanted: the last thing that is said. */
  endedBy(party: Party): string;
  /** Before `endedBy`, where the other end hung up for a reason of its own: what it said, in its words. */
  complaint(party: Party, reason: string): string;
  /** A call is over and nobody hung up: the last thing that is said. */
  lost(party: Party, how: PeerLostError["how"]): string;
  /** During a call, at a server that sends a file: it has been shown to its end. */
  readonly inputOver: string;
  /** During a call: nothing comes any more, or the connection is gone. It may come back. */
  networkGone(how: PeerLostError["how"], patienceSeconds: number): string;
  /** Behind `networkGone`: the call goes on. */
  networkBack(seconds: number): string;
  /** How a loss was noticed, within other sentences. */
  readonly lostHow: Readonly<Record<PeerLostError["how"], string>>;
  /** The client's call is not taken; `reason` is `BUSY` or what the server says, in English. */
  refused(reason: string): string;
  /** A call is over since the other end broke the protocol. */
  nonsense(party: Party, detail: string): string;
  /** Behind `nonsense`, in the same line. */
  readonly nonsenseCure: string;
  /** Within `nonsense` and `stranger`: what a peer said that speaks something near. */
  nearMiss(miss: NearMiss): string;

  /** During a call, twice a second: the line of the terminal with every figure. */
  status(status: Status): string;
  /** The same of all calls there are, in so many columns at the most. */
  statusLine(statuses: readonly Status[], columns: number): string;
  /** During a call, once, at the client: the link drops more than it carries. */
  narrowLink(cure: NarrowCure): string;
  /** A call was recorded. */
  summary(summary: Summary): string;
  /** A call was taken and not recorded. */
  notRecorded(summary: Pick<Summary, "seconds" | "received" | "lost">): string;
  /** The client's call is over. */
  sent(
    total: { readonly seconds: number; readonly frames: number; readonly dropped: number },
  ): string;

  /** During a call: the disk is full, or ffmpeg died. */
  recordingFailed(file: string, detail: string): string;
  /** Behind `recordingFailed`: another file is begun. */
  recordingGoesOn(file: string): string;
  /** During a call and at its end: nothing that came can be shown or recorded. */
  noPictures(
    format: { readonly codec: string; readonly width: number; readonly height: number },
  ): string;
  /** At the end of a call, behind its summary: a reminder of `recordingFailed`. */
  recordingIncomplete(file: string): string;
  /** At the start, where an earlier recording was never finished: its program was killed, or the power failed. */
  mended(file: string): string;
  /** The same, where it could not be mended; it is kept as it was. */
  notMended(file: string): string;
  /** During a call, once: this machine is too slow to write what comes. */
  readonly recorderSlow: string;
  /** `--record` names a file in a folder that there is not. */
  noFolder(path: string): string;
  /** `--record` names a file in somebody else's folder. */
  notWritable(path: string): string;
  /** `--record` names a folder. */
  isFolder(path: string): string;
  /** The file of `--record` cannot be made for a rarer reason. */
  cannotRecord(path: string, detail: string): string;

  /** A call begins on a machine without a screen, and without `--no-display`. */
  readonly noScreen: string;
  /** A call begins on a machine that has ffmpeg, and not its player. */
  noFfplay(install: string): string;
  /** During a call, once: the window takes no more pictures, as when the user has paused it. */
  readonly displayStill: string;
  /** During a call: the window is gone, and nobody closed it. */
  displayFailed(detail: string): string;

  /** `--list-cameras`: above the list. */
  readonly cameras: string;
  /** `--list-cameras`: in place of an empty list. */
  readonly noCameras: string;
  /** Nobody asked for a camera, and there is none: what to type in place of it. */
  noCameraHere(command: string): string;
  /** Nobody asked for a camera, and the first one is not there: the others, and what to type. */
  otherCamera(list: string, command: string): string;
  /** An input is there, and has not given a picture for some seconds. */
  waitingFor(name: string): string;
  /** The camera gives no pictures: at once, or no longer. `detail` may be empty. */
  camera(kind: SourceError["kind"], device: string, detail: string): string;
  /** The same of another input. */
  input(kind: SourceError["kind"], name: string, detail: string): string;

  /** A program that is needed is not there. */
  notInstalled(command: string, install: string): string;
  /** The ffmpeg that is installed is from before what is needed. */
  ffmpegOld(version: string, install: string): string;
  /** The ffmpeg that is installed was built without an encoder that is needed. */
  ffmpegLacks(encoder: string, install: string): string;
  /** The program was started without one of Deno's permissions. */
  notAllowed(detail: string): string;
  /** A terminal or a pipe took nothing for so long that lines were dropped; it takes them again. */
  linesDropped(lines: number): string;
  /** Whatever nobody thought of. */
  failed(detail: string): string;

  /** The command line is wrong: which option, what is wanted, and where to read on. */
  readonly usage: UsageMessages;
}

/** What is said of a wrong command line. */
export interface UsageMessages {
  /** An option that there is not. */
  unknown(option: string): string;
  /** The same, where one with much the same name is there. */
  near(option: string, near: string): string;
  /** To the client: an option that the server has, as it was typed and as it is. */
  ofServer(typed: string, option: string): string;
  /** The same to the server. */
  ofClient(typed: string, option: string): string;
  /** A switch that was given a value, whole and without. */
  noValue(typed: string, option: string): string;
  /** A word that neither is an option nor belongs to one. */
  stray(word: string): string;
  /** The same, where it looks like the value of an option: the two together. */
  strayNear(word: string, near: string): string;
  /** An option without its value. */
  missing(option: string): string;
  /** An option with a value that it cannot have; `wanted` is one of those behind `seeHelp`. */
  bad(option: string, value: string, wanted: string): string;
  /** Two options of which only one can be meant. */
  conflict(one: string, other: string): string;
  /** An option that means nothing without one of some others. */
  needs(option: string, others: string): string;
  /** Behind each of the above, in the same line. */
  readonly seeHelp: string;
  /** Of `bad`: ports, numbers of calls. */
  number(min: number, max: number): string;
  /** Of `bad`: frames a second. */
  rate(min: number, max: number): string;
  /** Of `bad`: the size of a picture. */
  readonly size: string;
  /** Of `bad`: a duration. */
  readonly seconds: string;
  /** Of `bad`: a word out of a few. */
  oneOf(values: string): string;
  /** Of `bad`: an input that is no standard input. */
  readonly noStandardInput: string;
  /** Of `bad`: an address. */
  readonly address: string;
  /** Of `bad`: a file in a folder `~` that the shell has not replaced, and the option with it. */
  home(typed: string): string;
  /** Of `bad`: a recording under a name that is no AVI's, and the option with a right one. */
  recording(typed: string): string;
}

const en: Messages = {
  hostIp: (address) => `HOST IP: ${address}`,
  listening: (host, port) => `LISTENING ON: ('${host}', ${port})`,
  dialHint: (command) => `On the other computer: ${command}`,
  onlyHere: (command) => `Only this machine can call: ${command}`,
  scopeHint: "Behind the % the other computer puts the name of its own network card.",
  otherAddresses: (list) =>
    `This machine has other addresses, too: ${list} (--host chooses one, 0.0.0.0 means all)`,
  noAddress:
    "This machine has no address on a network: give one with --host (127.0.0.1 for a call within this machine).",
  portTaken: (host, port) =>
    `Port ${port} of ${host} is taken by another program: choose another with --port (0 for any free one).`,
  portForbidden: (port) =>
    `Port ${port} needs special rights here: choose one above 1023 with --port.`,
  addressNotHere: (host) =>
    `${host} is no address of this machine: leave --host away, or give one of its own.`,
  scopeMissing: (host) =>
    `${host} is an address of one cable only: add % and the name of this machine's network card, as in ${host}%eth0.`,

  calling: (host, port) => `CALLING: ('${host}', ${port})`,
  nameUnknown: (host) =>
    `The name ${host} is not known on this network: check --host, or give the address that the server shows.`,
  nobodyListens: (host, port) =>
    `Nobody listens at ('${host}', ${port}): start the server there first, and check --host and --port.`,
  unreachable: (host) =>
    `${host} cannot be reached: check --host, and that both machines are on the same network and no firewall is between.`,
  network: (detail) => `The network refused: ${detail}. Check --host and --port.`,

  received: (host, port) => `CONNECTION RECEIVED FROM: ('${host}', ${port})`,
  stranger: (host, detail) => `${host} was turned away: ${detail}. Waiting for the next caller.`,
  leftSilently: (host) => `${host} left without a word. Waiting for the next caller.`,
  moreStrangers: (n) =>
    `Connections that came to nothing and are not listed: ${n}. ` +
    "To see each, start with --verbose; a firewall keeps such callers away.",
  busyStranger: (host) => `${host} was told that the line is busy.`,

  answered: (host, port) => `IN A CALL WITH: ('${host}', ${port})`,
  hangUpHint: "Press q to hang up.",
  stayHint: (several) =>
    several
      ? "Press q to hang up every call; once more, or while none is on, q ends the server."
      : "Press q to hang up; once more, or while no call is on, q ends the server.",
  windowKeys:
    "In a window: q or Esc hangs up, f is full screen and back, space pauses the picture.",
  endedBy: (party) => party === "CLIENT" ? "Call ended by the CLIENT" : "Call ended by the HOST.",
  complaint: (party, reason) => `The ${party} said why: ${reason}.`,
  lost: (party, how) => `The ${party} was lost: ${en.lostHow[how]}.`,
  inputOver: "The input has ended: the call goes on without a picture from here.",
  networkGone: (how, patience) =>
    how === "silence"
      ? `Nothing comes any more: waiting for the network, ${patience} s at most.`
      : "The connection was cut: waiting for the network.",
  networkBack: (seconds) => `The network is back after ${seconds.toFixed(1)} s: the call goes on.`,
  lostHow: {
    reset: "the connection was cut",
    cut: "the connection ended in the middle of a frame",
    silence: "nothing came for more than 5 s",
    slow: "a message took far too long",
    "no-bye": "the connection ended without a goodbye",
  },
  refused: (reason) =>
    reason === BUSY
      ? "The line is busy: the server is in another call. Try again later, or let it answer more with --max-calls."
      : reason === ""
      ? "The server refused the call, and did not say why."
      : `The server refused the call: ${reason}.`,
  nonsense: (party, detail) => `The ${party} spoke what Chamada does not understand: ${detail}.`,
  nonsenseCure: "Is it Chamada at the other end, of the same version, and the right --wire?",
  nearMiss: describeMiss,

  status: (s) => en.statusLine([s], Infinity),
  statusLine: (statuses, columns) => {
    const words = {
      ...{ delay: "delay", dropped: "dropped", file: "recorded" },
      waiting: "waiting for the network…",
    };
    return fitLine(statuses.map((one) => liveCall(one, "en", words)), columns);
  },
  narrowLink: (cure) => {
    const cures: Readonly<Record<NarrowCure, string>> = {
      mjpeg: "--codec mjpeg",
      h264: "--codec h264",
      smaller: "a smaller --size or a lower --fps",
      slower: "a lower --fps",
    };
    return `The network carries less than half of the pictures: try ${cures[cure]}.`;
  },
  summary: (s) =>
    `Recorded ${duration(s.seconds)}, ${frames(s.frames, "en")}` +
    `${s.received !== s.frames ? ` (${count(s.received, "en")} received)` : ""}, ` +
    `${count(s.lost, "en")} lost: ${s.file} (${bytes(s.bytes, "en")})`,
  notRecorded: (s) =>
    `Received ${duration(s.seconds)}, ${frames(s.received, "en")}, ${
      count(s.lost, "en")
    } lost: not recorded`,
  sent: (s) =>
    `Sent ${duration(s.seconds)}, ${frames(s.frames, "en")}, ${count(s.dropped, "en")} dropped`,

  recordingFailed: (file, detail) =>
    `The recording stopped (${detail}). The call goes on; what was recorded is in ${file}.`,
  recordingGoesOn: (file) => `The recording goes on in ${file}.`,
  noPictures: ({ codec, width, height }) =>
    `No picture can be made of what the CLIENT sends: it is not ${codec} of ${width}x${height}, or has no keyframe.`,
  recordingIncomplete: (file) => `The recording is not whole: ${file}`,
  mended: (file) => `An earlier recording was never finished; it is mended now: ${file}`,
  notMended: (file) =>
    `An earlier recording was never finished, and cannot be mended; it is kept: ${file}`,
  recorderSlow: "The recorder cannot keep up: frames are lost. Other programs may want less.",
  noFolder: (path) =>
    `The folder of ${path} does not exist: make it, or give another file with --record.`,
  notWritable: (path) =>
    `${path} cannot be written: give a file in a folder of your own with --record.`,
  isFolder: (path) => `${path} is a folder: give the name of a file with --record.`,
  cannotRecord: (path, detail) =>
    `${path} cannot be recorded to (${detail}): give another file with --record.`,

  noScreen: "There is no screen here: the call goes on without a window (--no-display says so).",
  noFfplay: (install) =>
    `ffplay is not installed: the call goes on without a window. To have one: ${install}`,
  displayStill:
    "The window stands still: space, p and s in it pause the picture, and space starts it again. The call goes on.",
  displayFailed: (detail) =>
    `The window failed (${detail}). The call goes on without it; --no-display avoids it.`,

  cameras: "Cameras:",
  noCameras:
    "No camera found. Plug one in, or send something else with --input (try --input test).",
  noCameraHere: (command) =>
    `There is no camera here: plug one in and try again, or send something else: ${command}`,
  otherCamera: (list, command) =>
    `There is no camera 0; there is ${list}. To send that one: ${command}`,
  waitingFor: (name) => `No picture from ${name} yet: it is waited for, 30 s at most.`,
  camera: (kind, device, detail) => {
    const because = detail && ` (${detail})`;
    switch (kind) {
      case "missing":
        return `${device} was not found${because}: check --camera; --list-cameras shows the cameras.`;
      case "none":
        return `There is no camera "${device}"${
          detail ? `; there is ${detail}` : ""
        }: see --list-cameras, or try --input test.`;
      case "busy":
        return `The camera ${device} is in use by another program: close that one and try again${because}.`;
      case "forbidden":
        return `The camera ${device} may not be used: on Linux, join the group video (sudo usermod -aG video $USER); on macOS and Windows, allow it in the privacy settings.`;
      case "silent":
        return `${device} gives no pictures. On macOS, allow the camera in the privacy settings; else unplug it and plug it in again.`;
      case "stopped":
        return `${device} stopped giving pictures${because}: was it unplugged?`;
      case "list":
      case "unreadable":
        return `${device} cannot be read${because}: check --camera.`;
    }
  },
  input: (kind, name, detail) => {
    const because = detail && ` (${detail})`;
    switch (kind) {
      case "missing":
      case "none":
        return `${name} was not found${because}: check --input.`;
      case "forbidden":
        return `${name} may not be read${because}: check whose it is, and user and password in a URL, or give another --input.`;
      case "silent":
        return `${name} gives no pictures: check --input and what sends them.`;
      case "stopped":
        return `${name} stopped giving pictures${because}.`;
      case "list":
        return `${name} is a list of other files under a name that does not say so, and is not opened: name it .m3u8, .mpd, .ffconcat or .sdp if that is wanted.`;
      case "busy":
      case "unreadable":
        return `${name} cannot be read${because}: check --input.`;
    }
  },

  notInstalled: (command, install) => `${command} is not installed: ${install}`,
  ffmpegOld: (version, install) =>
    `This ffmpeg (${version}) is too old, 4.0 or newer is needed: ${install}`,
  ffmpegLacks: (encoder, install) =>
    `This ffmpeg was built without the encoder ${encoder}; the full one has it: ${install}`,
  notAllowed: (detail) =>
    `This program lacks a right: ${detail}. Start it with deno task, or compiled with deno task compile.`,
  linesDropped: (lines) =>
    `Lines that were not shown: ${lines}. The terminal or pipe took none for a while; --quiet says less.`,
  failed: (detail) => `Something went wrong: ${detail}`,

  usage: {
    unknown: (option) => `There is no option ${option}`,
    near: (option, near) => `There is no option ${option}: did you mean ${near}?`,
    ofServer: (typed, option) =>
      `There is no option ${typed} here: ${option} belongs to the server`,
    ofClient: (typed, option) =>
      `There is no option ${typed} here: ${option} belongs to the client`,
    noValue: (typed, option) => `There is no option ${typed}: ${option} takes no value`,
    stray: (word) => `"${word}" belongs to no option`,
    strayNear: (word, near) => `"${word}" belongs to no option: did you mean ${near}?`,
    missing: (option) => `${option} needs a value`,
    bad: (option, value, wanted) => `${option} ${value}: ${wanted}`,
    conflict: (one, other) => `${one} and ${other} contradict each other`,
    needs: (option, others) => `${option} means nothing without one of ${others}`,
    seeHelp: "--help shows what there is.",
    number: (min, max) => `a whole number from ${min} to ${max} is wanted`,
    rate: (min, max) => `a number from ${min} to ${max} is wanted`,
    size: "a size like 640x480 is wanted, from 16x16 to 3840x2160",
    seconds: "a time above 0 is wanted, like 90 (seconds), 90s, 1m30s or 1:30",
    oneOf: (values) => `one of ${values} is wanted`,
    noStandardInput:
      "standard input is not read; a file or URL is wanted, or tcp://127.0.0.1:9000?listen, to which another program sends",
    address: "an address like 192.168.1.7 or 192.168.1.7:8080 is wanted",
    home: (typed) =>
      `only the shell knows the folder ~: type ${typed} with a space and without quotes, or the whole path`,
    recording: (typed) => `a recording is an AVI file: type ${typed}`,
  },
};

const pt: Messages = {
  hostIp: (address) => `HOST IP: ${address}`,
  listening: (host, port) => `ESCUTANDO EM: ('${host}', ${port})`,
  dialHint: (command) => `No outro computador: ${command}`,
  onlyHere: (command) => `Só esta máquina pode chamar: ${command}`,
  scopeHint: "Depois do % o outro computador põe o nome da própria placa de rede.",
  otherAddresses: (list) =>
    `Esta máquina tem também outros endereços: ${list} (--host escolhe um, 0.0.0.0 são todos)`,
  noAddress:
    "Esta máquina não tem endereço em nenhuma rede: informe um com --host (127.0.0.1 para uma chamada dentro da própria máquina).",
  portTaken: (host, port) =>
    `A porta ${port} de ${host} já está em uso por outro programa: escolha outra com --port (0 para qualquer uma livre).`,
  portForbidden: (port) =>
    `A porta ${port} exige direitos especiais aqui: escolha uma acima de 1023 com --port.`,
  addressNotHere: (host) =>
    `${host} não é um endereço desta máquina: deixe --host de fora, ou informe um que seja dela.`,
  scopeMissing: (host) =>
    `${host} é um endereço de um cabo só: acrescente % e o nome da placa de rede desta máquina, como em ${host}%eth0.`,

  calling: (host, port) => `CHAMANDO: ('${host}', ${port})`,
  nameUnknown: (host) =>
    `O nome ${host} não é conhecido nesta rede: confira --host, ou informe o endereço que o servidor mostra.`,
  nobodyListens: (host, port) =>
    `Ninguém escuta em ('${host}', ${port}): inicie antes o servidor lá, e confira --host e --port.`,
  unreachable: (host) =>
    `${host} não pode ser alcançado: confira --host, e se as duas máquinas estão na mesma rede, sem firewall entre elas.`,
  network: (detail) => `A rede recusou: ${detail}. Confira --host e --port.`,

  received: (host, port) => `CONEXÃO RECEBIDA DE: ('${host}', ${port})`,
  stranger: (host, detail) => `${host} foi dispensado: ${detail}. Esperando a próxima chamada.`,
  leftSilently: (host) => `${host} saiu sem dizer nada. Esperando a próxima chamada.`,
  moreStrangers: (n) =>
    `Conexões que não deram em nada e não são listadas: ${n}. ` +
    "Para ver cada uma, inicie com --verbose; um firewall afasta quem liga assim.",
  busyStranger: (host) => `${host} foi avisado de que a linha está ocupada.`,

  answered: (host, port) => `EM CHAMADA COM: ('${host}', ${port})`,
  hangUpHint: "Tecle q para desligar.",
  stayHint: (several) =>
    several
      ? "Tecle q para desligar todas as chamadas; de novo, ou sem nenhuma, q encerra o servidor."
      : "Tecle q para desligar; de novo, ou sem chamada, q encerra o servidor.",
  windowKeys: "Na janela: q ou Esc desliga, f é tela cheia e volta, espaço pausa a imagem.",
  endedBy: (party) =>
    party === "CLIENT"
      ? "Video Chamada encerrada pelo CLIENTE"
      : "Videochamada encerrada pelo HOST.",
  complaint: (party, reason) => `O ${partyPt(party)} disse por quê: ${reason}.`,
  lost: (party, how) => `Conexão com o ${partyPt(party)} perdida: ${pt.lostHow[how]}.`,
  inputOver: "A entrada acabou: a chamada continua sem imagem daqui.",
  networkGone: (how, patience) =>
    how === "silence"
      ? `Nada chega mais: esperando a rede, no máximo ${patience} s.`
      : "A conexão foi cortada: esperando a rede.",
  networkBack: (seconds) =>
    `A rede voltou depois de ${seconds.toFixed(1).replace(".", ",")} s: a chamada continua.`,
  lostHow: {
    reset: "ela foi cortada",
    cut: "ela terminou no meio de um quadro",
    silence: "nada chegou por mais de 5 s",
    slow: "uma mensagem demorou demais",
    "no-bye": "ela terminou sem despedida",
  },
  refused: (reason) =>
    reason === BUSY
      ? "A linha está ocupada: o servidor está em outra chamada. Tente mais tarde, ou deixe-o atender mais com --max-calls."
      : reason === ""
      ? "O servidor recusou a chamada, e não disse por quê."
      : `O servidor recusou a chamada: ${reason}.`,
  nonsense: (party, detail) =>
    `O ${partyPt(party)} disse algo que o Chamada não entende: ${detail}.`,
  nonsenseCure: "Do outro lado está o Chamada, da mesma versão, e o --wire é o certo?",
  nearMiss: describeMissPt,

  status: (s) => pt.statusLine([s], Infinity),
  statusLine: (statuses, columns) => {
    const words = {
      ...{ delay: "atraso", dropped: "descartados", file: "gravados" },
      waiting: "esperando a rede…",
    };
    return fitLine(statuses.map((one) => liveCall(one, "pt", words)), columns);
  },
  narrowLink: (cure) => {
    const cures: Readonly<Record<NarrowCure, string>> = {
      mjpeg: "--codec mjpeg",
      h264: "--codec h264",
      smaller: "um --size menor ou um --fps mais baixo",
      slower: "um --fps mais baixo",
    };
    return `A rede leva menos da metade das imagens: tente ${cures[cure]}.`;
  },
  summary: (s) =>
    `Gravados ${duration(s.seconds)}, ${frames(s.frames, "pt")}` +
    `${s.received !== s.frames ? ` (${count(s.received, "pt")} recebidos)` : ""}, ` +
    `${count(s.lost, "pt")} perdidos: ${s.file} (${bytes(s.bytes, "pt")})`,
  notRecorded: (s) =>
    `Recebidos ${duration(s.seconds)}, ${frames(s.received, "pt")}, ${
      count(s.lost, "pt")
    } perdidos: sem gravação`,
  sent: (s) =>
    `Enviados ${duration(s.seconds)}, ${frames(s.frames, "pt")}, ${
      count(s.dropped, "pt")
    } descartados`,

  recordingFailed: (file, detail) =>
    `A gravação parou (${detail}). A chamada continua; o que foi gravado está em ${file}.`,
  recordingGoesOn: (file) => `A gravação continua em ${file}.`,
  noPictures: ({ codec, width, height }) =>
    `Nenhuma imagem se faz do que o CLIENTE envia: não é ${codec} de ${width}x${height}, ou não tem quadro-chave.`,
  recordingIncomplete: (file) => `A gravação não está completa: ${file}`,
  mended: (file) =>
    `Uma gravação anterior não tinha sido concluída; está consertada agora: ${file}`,
  notMended: (file) =>
    `Uma gravação anterior não foi concluída, e não há como consertá-la; ela fica como está: ${file}`,
  recorderSlow:
    "A gravação não acompanha: quadros estão se perdendo. Feche outros programas se puder.",
  noFolder: (path) =>
    `A pasta de ${path} não existe: crie-a, ou informe outro arquivo com --record.`,
  notWritable: (path) =>
    `${path} não pode ser gravado: informe com --record um arquivo em uma pasta sua.`,
  isFolder: (path) => `${path} é uma pasta: informe o nome de um arquivo com --record.`,
  cannotRecord: (path, detail) =>
    `Não é possível gravar em ${path} (${detail}): informe outro arquivo com --record.`,

  noScreen: "Não há tela aqui: a chamada continua sem janela (--no-display diz isso).",
  noFfplay: (install) =>
    `O ffplay não está instalado: a chamada continua sem janela. Para tê-la: ${install}`,
  displayStill:
    "A janela está parada: espaço, p e s nela pausam a imagem, e espaço a solta de novo. A chamada continua.",
  displayFailed: (detail) =>
    `A janela falhou (${detail}). A chamada continua sem ela; --no-display a evita.`,

  cameras: "Câmeras:",
  noCameras:
    "Nenhuma câmera encontrada. Conecte uma, ou envie outra coisa com --input (tente --input test).",
  noCameraHere: (command) =>
    `Não há câmera aqui: conecte uma e tente de novo, ou envie outra coisa: ${command}`,
  otherCamera: (list, command) => `Não há câmera 0; há ${list}. Para enviar essa: ${command}`,
  waitingFor: (name) => `Ainda não há imagem de ${name}: espera-se por ela, 30 s no máximo.`,
  camera: (kind, device, detail) => {
    const because = detail && ` (${detail})`;
    switch (kind) {
      case "missing":
        return `${device} não foi encontrado${because}: confira --camera; --list-cameras mostra as câmeras.`;
      case "none":
        return `Não há câmera "${device}"${
          detail ? `; há ${detail}` : ""
        }: veja --list-cameras, ou tente --input test.`;
      case "busy":
        return `A câmera ${device} está em uso por outro programa: feche-o e tente de novo${because}.`;
      case "forbidden":
        return `A câmera ${device} não pode ser usada: no Linux, entre no grupo video (sudo usermod -aG video $USER); no macOS e no Windows, permita-a nas configurações de privacidade.`;
      case "silent":
        return `${device} não dá imagens. No macOS, permita a câmera nas configurações de privacidade; senão, desconecte-a e conecte-a de novo.`;
      case "stopped":
        return `${device} parou de dar imagens${because}: foi desconectada?`;
      case "list":
      case "unreadable":
        return `${device} não pode ser lido${because}: confira --camera.`;
    }
  },
  input: (kind, name, detail) => {
    const because = detail && ` (${detail})`;
    switch (kind) {
      case "missing":
      case "none":
        return `${name} não foi encontrado${because}: confira --input.`;
      case "forbidden":
        return `${name} não pode ser lido por você${because}: confira de quem é, e usuário e senha em uma URL, ou dê outro --input.`;
      case "silent":
        return `${name} não dá imagens: confira --input e quem as envia.`;
      case "stopped":
        return `${name} parou de dar imagens${because}.`;
      case "list":
        return `${name} é uma lista de outros arquivos com um nome que não o diz, e não é aberto: dê-lhe o nome .m3u8, .mpd, .ffconcat ou .sdp se é isso o que quer.`;
      case "busy":
      case "unreadable":
        return `${name} não pode ser lido${because}: confira --input.`;
    }
  },

  notInstalled: (command, install) => `O ${command} não está instalado: ${install}`,
  ffmpegOld: (version, install) =>
    `Este ffmpeg (${version}) é antigo demais, é preciso o 4.0 ou mais novo: ${install}`,
  ffmpegLacks: (encoder, install) =>
    `Este ffmpeg foi feito sem o codificador ${encoder}; o completo o tem: ${install}`,
  notAllowed: (detail) =>
    `Falta um direito a este programa: ${detail}. Inicie-o com deno task, ou compilado com deno task compile.`,
  linesDropped: (lines) =>
    `Linhas que não foram mostradas: ${lines}. O terminal ou pipe ficou um tempo sem aceitá-las; com --quiet há menos.`,
  failed: (detail) => `Algo deu errado: ${detail}`,

  usage: {
    unknown: (option) => `Não há a opção ${option}`,
    near: (option, near) => `Não há a opção ${option}: seria ${near}?`,
    ofServer: (typed, option) => `Não há a opção ${typed} aqui: ${option} é do servidor`,
    ofClient: (typed, option) => `Não há a opção ${typed} aqui: ${option} é do cliente`,
    noValue: (typed, option) => `Não há a opção ${typed}: ${option} não leva valor`,
    stray: (word) => `"${word}" não pertence a nenhuma opção`,
    strayNear: (word, near) => `"${word}" não pertence a nenhuma opção: seria ${near}?`,
    missing: (option) => `${option} precisa de um valor`,
    bad: (option, value, wanted) => `${option} ${value}: ${wanted}`,
    conflict: (one, other) => `${one} e ${other} se contradizem`,
    needs: (option, others) => `${option} nada diz sem um destes: ${others}`,
    seeHelp: "--help mostra o que há.",
    number: (min, max) => `espera-se um número inteiro de ${min} a ${max}`,
    rate: (min, max) => `espera-se um número de ${min} a ${max}`,
    size: "espera-se um tamanho como 640x480, de 16x16 a 3840x2160",
    seconds: "espera-se um tempo acima de 0, como 90 (segundos), 90s, 1m30s ou 1:30",
    oneOf: (values) => `espera-se um destes: ${values}`,
    noStandardInput:
      "a entrada padrão não é lida; espera-se um arquivo ou uma URL, ou tcp://127.0.0.1:9000?listen, para onde outro programa envia",
    address: "espera-se um endereço como 192.168.1.7 ou 192.168.1.7:8080",
    home: (typed) =>
      `só o shell conhece a pasta ~: digite ${typed} com um espaço e sem aspas, ou o caminho inteiro`,
    recording: (typed) => `uma gravação é um arquivo AVI: digite ${typed}`,
  },
};

/** The sentences of a language. */
export function messagesIn(language: Language): Messages {
  return language === "pt" ? pt : en;
}

/** The language of the system: the first of these variables that is set decides; `locale` where none is. */
export function systemLanguage(
  variable: (name: string) => string | undefined,
  locale: string,
): Language {
  const set = ["LC_ALL", "LC_MESSAGES", "LANG"].map(variable).find((value) => value);
  return /^pt\b|^pt[_-]/i.test(set ?? locale) ? "pt" : "en";
}

/** How ffmpeg is installed on a system, by the names of `Deno.build.os`. */
export function installCommand(system: string): string {
  return INSTALL[system] ?? "https://ffmpeg.org/download.html";
}

/** The sentence for an error of any layer. `peer` is who the other end is. */
export function describe(error: unknown, messages: Messages, system: string, peer: Party): string {
  if (isNotCapable(error)) return messages.notAllowed(detailOf(error));
  if (error instanceof UsageError) return error.message;
  if (error instanceof PeerLostError) return messages.lost(peer, error.how);
  if (error instanceof ProtocolError) {
    return `${messages.nonsense(peer, wrongWith(error, messages))} ${messages.nonsenseCure}`;
  }
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
  if (error instanceof RecordingError) {
    // What lies under /dev, /proc and the like Deno keeps for programs that may do everything, which is no cure.
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
      case "is-folder":
        return messages.isFolder(error.path);
      case "other":
        return messages.cannotRecord(error.path, detailOf(error.cause));
    }
  }
  return messages.failed(detailOf(error));
}

/** The sentence for a machine without its first camera; `command` is what the user typed, to be typed again with more. */
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

/** What a peer said wrong, within other sentences: in the user's language where it is a near miss. */
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

/** True for an IPv6 address that every cable has, without the name of the card it is meant on. */
function lacksScope(host: string): boolean {
  return /^fe[89ab][0-9a-f]:[0-9a-f:]*$/i.test(host);
}

/** The system's name for an error of the network; Deno gives it as a code, a class or only in words. */
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

/** Deno's word for a permission that was not given. */
function isNotCapable(error: unknown): boolean {
  return error instanceof Error && error.name === "NotCapable";
}

function detailOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** As `describeMiss` of near_miss.ts. */
function describeMissPt(miss: NearMiss): string {
  const tooLong = (bytes: string): string => `uma mensagem de ${bytes} bytes é longa demais`;
  const noFirst = (bytes: number): string =>
    `uma primeira mensagem de ${bytes} bytes não é um quadro de 230400 nem um hello`;
  const noPicture = "o pickle não é uma imagem";
  switch (miss.kind) {
    case "length": {
      const form = {
        "u64-big": "8 bytes, big-endian",
        "u32-little": "4 bytes, little-endian",
        "u32-big": "4 bytes, big-endian",
        "digits": "algarismos",
      }[miss.form];
      return `${tooLong(miss.bytes)}: o tamanho parece ser ${miss.value} em ${form}, ` +
        'e esperam-se 8 bytes, little-endian (struct "<Q")';
    }
    case "protocol":
      return `${tooLong(miss.bytes)}: começa como ${miss.name || "um texto"}` +
        `${miss.words && ` ("${miss.words}")`}, e não com um tamanho`;
    case "bare":
      return `${tooLong(miss.bytes)}: começa com um ${miss.what}, e espera-se antes o tamanho ` +
        'em 8 bytes, little-endian (struct "<Q")';
    case "server-sends":
      return `um servidor que só deveria escutar falou: ${miss.bytes} bytes, como se enviasse ` +
        "imagens; aqui o cliente as envia e o servidor as recebe";
    case "file":
      return `${noFirst(miss.bytes)}: começa como um ${miss.what}, e quadros em plain são ` +
        "imagens bgr24 de 320x240";
    case "size":
      return `${noFirst(miss.bytes)}: tem o tamanho de uma imagem de ${miss.size}, e quadros ` +
        "em plain são de 320x240";
    case "shape":
      return `${noPicture}: seu shape não é (altura, largura, 3), e sim ${miss.shape}` +
        `${miss.cure && `; cv2.cvtColor(frame, cv2.${miss.cure}) resolve`}`;
    case "elements":
      return `${noPicture}: seus elementos são ${miss.code}, e não bytes` +
        `${miss.name && `: ${miss.name}, onde se espera uint8`}`;
    case "encoded":
      return `${noPicture}: é um ${miss.what} em ${
        miss.within === "array" ? "um array" : "bytes"
      }: envie a própria imagem, sem cv2.imencode`;
    case "value":
      return `${noPicture}: dele sai ${miss.what.replace(/^a /, "um ")}, e não um array${
        miss.what === "None" ? "; a câmera não deu imagem?" : ""
      }`;
  }
}

function partyPt(party: Party): string {
  return party === "CLIENT" ? "CLIENTE" : "HOST";
}

/** Seconds as `hh:mm:ss`. */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

function count(number: number, language: Language): string {
  return new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en").format(number);
}

function frames(number: number, language: Language): string {
  const [one, many] = language === "pt" ? ["quadro", "quadros"] : ["frame", "frames"];
  return `${count(number, language)} ${number === 1 ? one : many}`;
}

/** Bytes in decimal units, with two digits at least: 41 MB, 1.2 MB, 640 kB. */
function bytes(amount: number, language: Language): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = amount;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  const format = new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  });
  return `${format.format(value)} ${units[unit]}`;
}

function liveCall(
  s: Status,
  language: Language,
  words: { delay: string; dropped: string; file: string; waiting: string },
): LiveCall {
  const rate = new Intl.NumberFormat(language === "pt" ? "pt-BR" : "en", {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  const { up, down } = s.fps;
  const fps = up !== undefined && down !== undefined
    ? `↑ ${rate.format(up)} fps  ↓ ${rate.format(down)} fps`
    : `${rate.format(up ?? down ?? 0)} fps`;
  const seconds = s.waitingMs === undefined ? undefined : Math.floor(s.waitingMs / 1000);
  const figures: readonly (readonly [FigureKind, string | undefined])[] = [
    ["time", duration(Math.floor(s.seconds))],
    ["waiting", seconds === undefined ? undefined : `${words.waiting} ${seconds} s`],
    ["rate", fps],
    ["delay", s.delayMs === undefined ? undefined : `${words.delay} ${Math.round(s.delayMs)} ms`],
    ["dropped", `${count(s.dropped, language)} ${words.dropped}`],
    ["bytes", `${bytes(s.bytesPerSecond, language)}/s`],
    [
      "file",
      s.fileBytes === undefined ? undefined : `${bytes(s.fileBytes, language)} ${words.file}`,
    ],
  ];
  return {
    label: s.label,
    figures: figures.flatMap(([kind, text]) => text === undefined ? [] : [{ kind, text }]),
  };
}
