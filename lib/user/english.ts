/** Every sentence in English. */

import { BUSY } from "../errors.ts";
import { describeMiss } from "../near_miss.ts";
import { bytes, count, duration, frames, liveCall } from "./figures.ts";
import { fitLine } from "./live_line.ts";
import type { Messages, NarrowCure } from "./sentences.ts";

/** The sentences. */
export const english: Messages = {
  hostIp: (address) => `HOST IP: ${address}`,
  listening: (host, port) => `LISTENING ON: ('${host}', ${port})`,
  dialHint: (command) => `On the other computer: ${command}`,
  findHint: (command, withAddress) =>
    `On the other computer: ${command}, or on a network that filters: ${withAddress}`,
  cannotBeFound: (detail) =>
    `Callers cannot find this server by themselves (${detail}): give them its address.`,
  onlyHere: (command) => `Only this machine can call: ${command}`,
  scopeHint: "Behind the % the other computer puts the name of its own network card.",
  otherAddresses: (list) =>
    `This machine has other addresses, too: ${list} (--host chooses one, 0.0.0.0 means all)`,
  code: (code) => `Code: ${code}`,
  ownCode: "Code: your own, from CHAMADA_CODE",
  openToAll:
    "Anybody on this network can call and listen: --private lets only those call who have a code.",
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

  found: (server, wantsCode) =>
    `Found on this network: ${server}${wantsCode ? ", wants a code" : ""}`,
  foundSeveral: "Several servers answer on this network, and none is called. Choose one:",
  foundNone:
    "No server answers on this network: calling this machine. If there is one, give its address with --host, or try --find.",
  findingOn:
    "No server answers on this network yet: looking for one until there is (--wait). If there is one, give its address with --host.",
  wantsCode: "wants a code",
  askingEach: (addresses) => `No answer yet: asking each address of ${addresses} by itself.`,
  servers: "Servers on this network:",
  noServers:
    "No server answers on this network: start one with serve, without --hidden, or give its address with --host.",
  callingOn: "Calling again each second until somebody is there (--wait).",

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
  withoutCode: (host) =>
    `${host} wants to call and needs the code: tell it to whoever is there, or let everybody call with --open.`,
  wrongCodes: (n, hosts) =>
    `Wrong codes so far: ${n}, from ${hosts}. Whoever guesses gets 20 tries, then one a second.`,
  busyStranger: (host) => `${host} was told that the line is busy.`,

  answered: (host, port) => `IN A CALL WITH: ('${host}', ${port})`,
  hangUpHint: "Press q to hang up.",
  stayHint: (several) =>
    several
      ? "Press q to hang up every call; once more, or while none is on, q ends the server."
      : "Press q to hang up; once more, or while no call is on, q ends the server.",
  windowKeys:
    "In a window: q or Esc hangs up, f is full screen and back, space pauses the picture.",
  muteHint: "m mutes the microphone, and once more it is on again.",
  headphones: "With headphones the other side does not hear itself.",
  muted: (muted) => muted ? "The microphone is muted: m turns it on." : "The microphone is on.",
  peerMuted: (party, muted) =>
    muted ? `The ${party} has muted the microphone.` : `The ${party} can be heard again.`,
  microphoneBack: "The microphone is back.",
  noLoudspeaker: (detail) =>
    `The sound that comes cannot be heard${
      detail && ` (${detail})`
    }: check that there is a loudspeaker and that the sound server runs. The call goes on, and the sound comes back by itself; --no-sound says that none is wanted.`,
  loudspeakerBack: "The loudspeaker is back.",
  transcoderFailed: (from, to, detail) =>
    `ffmpeg has failed three times to turn ${from} into ${to} (${detail}): end programs that take the memory, or reinstall ffmpeg. The call goes on with what works.`,
  codecChosen: (codec, sound) =>
    `The pictures go out as ${codec}${
      sound ? `, the sound as ${sound}` : ""
    }: it is what the link carries.`,
  endedBy: (party) => party === "CLIENT" ? "Call ended by the CLIENT" : "Call ended by the HOST.",
  complaint: (party, reason) => `The ${party} said why: ${reason}.`,
  lost: (party, how) => `The ${party} was lost: ${english.lostHow[how]}.`,
  inputOver: "The input has ended: the call goes on without a picture from here.",
  networkGone: (how, patience) =>
    how === "silence"
      ? `Nothing comes any more: waiting for the network, ${patience} s at most.`
      : "The connection was cut: waiting for the network.",
  recordingCutShort: "The recording ends with the last picture that came.",
  networkBack: (seconds) => `The network is back after ${seconds.toFixed(1)} s: the call goes on.`,
  lostHow: {
    reset: "the connection was cut",
    cut: "the connection ended in the middle of a frame",
    silence: "nothing came for more than 5 s",
    gone: "the network did not come back in time",
    slow: "a message took far too long",
    "no-bye": "the connection ended without a goodbye",
  },
  refused: (reason) =>
    reason === BUSY
      ? "The line is busy: the server is in another call. Try again later, or let it answer more with --max-calls."
      : reason === ""
      ? "The server refused the call, and did not say why."
      : `The server refused the call: ${reason}.`,
  askCode: "The server wants its code: type it and press Enter. It is not shown.",
  codeProblem: (kind) => {
    switch (kind) {
      case "wrong":
        return "The code is wrong: ask for it again where the server was started.";
      case "wanted":
        return "The server wants its code: call from a terminal, which asks for it, or put it into CHAMADA_CODE. A server with --open wants none.";
      case "none":
        return "The server knows no code, or somebody in between says so. Nothing was told to it; to call it in the open, leave the code away.";
      case "later":
        return "The server has heard too many wrong codes: try again in some seconds.";
    }
  },
  changed: (party) =>
    `What came from the ${party} was changed on its way, so the call has ended. Somebody on the network may be behind it: try another network.`,
  nonsense: (party, detail) => `The ${party} spoke what Chamada does not understand: ${detail}.`,
  nonsenseCure: "Is it Chamada at the other end, of the same version, and the right --wire?",
  nearMiss: describeMiss,

  status: (s) => english.statusLine([s], Infinity),
  statusLine: (statuses, columns) => {
    const words = {
      ...{ delay: "delay", dropped: "dropped", file: "recorded" },
      waiting: "waiting for the network…",
      muted: { ours: "muted", theirs: "the other side is muted" },
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
    `${count(s.lost, "en")} lost${s.sound ? ", with sound" : ""}: ${s.file} (${
      bytes(s.bytes, "en")
    })`,
  notRecorded: (s) =>
    `Received ${duration(s.seconds)}, ${frames(s.received, "en")}, ${count(s.lost, "en")} lost${
      s.sound ? ", with sound" : ""
    }: not recorded`,
  sent: (s) =>
    `Sent ${duration(s.seconds)}, ${frames(s.frames, "en")}, ${count(s.dropped, "en")} dropped` +
    (s.sound ? ", with sound" : ""),

  recordingFailed: (file, detail) =>
    `The recording stopped (${detail}). The call goes on; what was recorded is in ${file}.`,
  recordingGoesOn: (file) => `The recording goes on in ${file}.`,
  noPictures: (party, { codec, width, height }) =>
    `No picture can be made of what the ${party} sends: it is not ${codec} of ${width}x${height}, or has no keyframe.`,
  recordingIncomplete: (file) => `The recording is not whole: ${file}`,
  mended: (file) => `An earlier recording was never finished; it is mended now: ${file}`,
  notMended: (file) =>
    `An earlier recording was never finished, and cannot be mended; it is kept: ${file}`,
  recorderSlow: "The recorder cannot keep up: frames are lost. Other programs may want less.",
  noFolder: (path) =>
    `The folder of ${path} does not exist: make it, or give another file with --record.`,
  notWritable: (path) =>
    `${path} cannot be written: give a file in a folder of your own with --record.`,
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
  microphones: "Microphones:",
  noMicrophones:
    "No microphone found. Plug one in; on Linux, see whether the sound server runs. --microphone test sends a tone.",
  microphone: (kind, name, detail) => {
    const because = detail && ` (${detail})`;
    const it = name ? `The microphone ${name}` : "The microphone";
    switch (kind) {
      case "none":
        return "There is no microphone here: plug one in. --list-devices shows those that there are.";
      case "no-server":
        return `No sound server answers, and there is no sound card${because}: start PipeWire or PulseAudio, or plug in a microphone.`;
      case "monitor":
        return `The system's own microphone is what the loudspeaker plays (${name}): choose another one in the system's sound settings, or with --microphone; there is ${detail}.`;
      case "unknown":
        return `There is no microphone "${name}"${
          detail ? `; there is ${detail}` : ""
        }: see --list-devices.`;
      case "busy":
        return `${it} is in use by another program: close that one and try again${because}.`;
      case "forbidden":
        return `${it} may not be used${because}: on Linux, join the group audio (sudo usermod -aG audio $USER); on macOS and Windows, allow it in the privacy settings.`;
      case "silent":
        return `${it} gives no sound: see whether it is switched on; on macOS, allow it in the privacy settings.`;
      case "stopped":
        return `${it} stopped giving sound${because}: was it unplugged, or the sound server ended? It is tried again.`;
      case "unreadable":
        return `${it} cannot be opened${because}: check --microphone; --list-devices shows the microphones.`;
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
    shortCode: (least) => `CHAMADA_CODE: a code of your own has at least ${least} characters`,
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
    place: (place) => `there is no ${place}; the places in a name are {date}, {time} and {peer}`,
    recording: (typed) => `a recording is an AVI, MKV or MP4 file: type ${typed}`,
  },
};
