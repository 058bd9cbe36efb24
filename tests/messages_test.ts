import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  BUSY,
  MicrophoneError,
  NoCameraError,
  NotInstalledError,
  PeerLostError,
  ProtocolError,
  RecordingError,
  RefusedError,
  SourceError,
  UsageError,
} from "../lib/errors.ts";
import {
  describe,
  describeConnect,
  describeListen,
  describeNoCamera,
} from "../lib/user/problems.ts";
import {
  installCommand,
  type Language,
  type Messages,
  messagesIn,
  type NarrowCure,
  type Party,
  systemLanguage,
  TITLES,
} from "../lib/user/sentences.ts";
import type { NearMiss } from "../lib/near_miss.ts";
import { test } from "./strict.ts";

const en = messagesIn("en");
const pt = messagesIn("pt");

const LANGUAGES: readonly Language[] = ["en", "pt"];
const PARTIES: readonly Party[] = ["CLIENT", "HOST"];
const LOSSES: readonly PeerLostError["how"][] = [
  ...["reset", "cut", "silence", "gone", "slow", "no-bye"] as const,
];
const SOURCE_KINDS: readonly SourceError["kind"][] = [
  "missing",
  "busy",
  "forbidden",
  "silent",
  "stopped",
  "none",
  "list",
  "unreadable",
];

const CURES: readonly NarrowCure[] = ["mjpeg", "h264", "smaller", "slower"];

const MISSES: readonly NearMiss[] = [
  ...(["u64-big", "u32-little", "u32-big", "digits"] as const).map((form) =>
    ({ kind: "length", bytes: "7887331697112907776", form, value: 230_564 }) as const
  ),
  { kind: "protocol", bytes: "6073139484287059271", name: "HTTP", words: "GET / HT" },
  { kind: "protocol", bytes: "71234", name: "TLS", words: "" },
  { kind: "protocol", bytes: "71234", name: "", words: "good day" },
  { kind: "bare", bytes: "71234", what: "JPEG" },
  { kind: "server-sends", bytes: 230_564 },
  { kind: "file", bytes: 12_345, what: "JPEG" },
  { kind: "size", bytes: 921_600, size: "640x480" },
  { kind: "shape", shape: "(240, 320)", cure: "COLOR_GRAY2BGR" },
  { kind: "shape", shape: "(3, 240, 320)", cure: "" },
  { kind: "elements", code: "f8", name: "float64" },
  { kind: "elements", code: "O8", name: "" },
  { kind: "encoded", what: "JPEG", within: "array" },
  { kind: "encoded", what: "PNG", within: "bytes" },
  { kind: "value", what: "None" },
  { kind: "value", what: "a tuple" },
];

const SUMMARY = {
  seconds: 751,
  frames: 15020,
  received: 15020,
  lost: 0,
  file: "video.avi",
  bytes: 41_000_000,
};

const STATUS = {
  ...{ seconds: 12, dropped: 0, bytesPerSecond: 4_608_000 },
  fps: { up: 20, down: undefined },
};

/** Every sentence there is, made with values. A sentence that is missing here does not compile. */
const SENTENCES: {
  readonly [Name in Exclude<keyof Messages, "usage">]: (m: Messages) => readonly string[];
} = {
  hostIp: (m) => [m.hostIp("192.168.1.7")],
  listening: (m) => [m.listening("192.168.1.7", 8080)],
  dialHint: (m) => [m.dialHint("deno task send --host 192.168.1.7")],
  findHint: (m) => [m.findHint("deno task send", "deno task send --host 192.168.1.7")],
  cannotBeFound: (m) => [m.cannotBeFound("what it was")],
  found: (m) => [false, true].map((wantsCode) => m.found("Ana (192.168.1.7:8080)", wantsCode)),
  foundSeveral: (m) => [m.foundSeveral],
  foundNone: (m) => [m.foundNone],
  findingOn: (m) => [m.findingOn],
  wantsCode: (m) => [m.wantsCode],
  askingEach: (m) => [m.askingEach("192.168.1.*")],
  servers: (m) => [m.servers],
  noServers: (m) => [m.noServers],
  callingOn: (m) => [m.callingOn],
  onlyHere: (m) => [m.onlyHere("deno task send --host 127.0.0.1")],
  scopeHint: (m) => [m.scopeHint],
  otherAddresses: (m) => [m.otherAddresses("10.0.0.7, fd00::7")],
  code: (m) => [m.code("482-1709-3554")],
  ownCode: (m) => [m.ownCode],
  openToAll: (m) => [m.openToAll],
  withoutCode: (m) => [m.withoutCode("192.168.1.9")],
  wrongCodes: (m) => [m.wrongCodes(21, "192.168.1.9")],
  askCode: (m) => [m.askCode],
  codeProblem: (m) =>
    (["wrong", "wanted", "none", "later"] as const).map((kind) => m.codeProblem(kind)),
  changed: (m) => PARTIES.map((party) => m.changed(party)),
  received: (m) => [m.received("192.168.1.9", 51324)],
  calling: (m) => [m.calling("192.168.1.7", 8080)],
  answered: (m) => [m.answered("192.168.1.7", 8080)],
  hangUpHint: (m) => [m.hangUpHint],
  stayHint: (m) => [false, true].map((several) => m.stayHint(several)),
  windowKeys: (m) => [m.windowKeys],
  muteHint: (m) => [m.muteHint],
  headphones: (m) => [m.headphones],
  muted: (m) => [false, true].map((muted) => m.muted(muted)),
  peerMuted: (m) =>
    PARTIES.flatMap((party) => [false, true].map((muted) => m.peerMuted(party, muted))),
  microphoneBack: (m) => [m.microphoneBack],
  noLoudspeaker: (m) => [m.noLoudspeaker("ffplay ended with status 1")],
  loudspeakerBack: (m) => [m.loudspeakerBack],
  transcoderFailed: (m) => [m.transcoderFailed("raw", "h264", "Killed")],
  codecChosen: (m) => [m.codecChosen("h264", "opus"), m.codecChosen("mjpeg", undefined)],
  endedBy: (m) => PARTIES.map((party) => m.endedBy(party)),
  complaint: (m) => PARTIES.map((party) => m.complaint(party, "what it was")),
  lostHow: (m) => LOSSES.map((how) => m.lostHow[how]),
  lost: (m) => PARTIES.flatMap((party) => LOSSES.map((how) => m.lost(party, how))),
  inputOver: (m) => [m.inputOver],
  networkGone: (m) => LOSSES.map((how) => m.networkGone(how, 30)),
  networkBack: (m) => [m.networkBack(4.21)],
  nonsense: (m) => PARTIES.map((party) => m.nonsense(party, "what it was")),
  nearMiss: (m) => MISSES.map((miss) => m.nearMiss(miss)),
  nonsenseCure: (m) => [m.nonsenseCure],
  stranger: (m) => [m.stranger("192.168.1.9", "what it was")],
  leftSilently: (m) => [m.leftSilently("192.168.1.9")],
  moreStrangers: (m) => [m.moreStrangers(1), m.moreStrangers(12_345)],
  busyStranger: (m) => [m.busyStranger("192.168.1.9")],
  refused: (m) => [m.refused(BUSY), m.refused(""), m.refused("too large")],
  summary: (m) => [m.summary(SUMMARY), m.summary({ ...SUMMARY, received: 15000 })],
  notRecorded: (m) => [m.notRecorded(SUMMARY)],
  sent: (m) => [m.sent({ seconds: 12, frames: 240, dropped: 3 })],
  status: (m) => [m.status(STATUS)],
  statusLine: (m) => [m.statusLine([{ ...STATUS, label: "Ana" }, STATUS], 200)],
  narrowLink: (m) => CURES.map((cure) => m.narrowLink(cure)),
  recordingFailed: (m) => [m.recordingFailed("video.avi", "No space left on device")],
  recordingGoesOn: (m) => [m.recordingGoesOn("video-2.avi")],
  noPictures: (m) => [m.noPictures("CLIENT", { codec: "mjpeg", width: 320, height: 240 })],
  recordingIncomplete: (m) => [m.recordingIncomplete("video.avi")],
  recordingCutShort: (m) => [m.recordingCutShort],
  mended: (m) => [m.mended("video.avi")],
  notMended: (m) => [m.notMended("video.avi")],
  recorderSlow: (m) => [m.recorderSlow],
  displayStill: (m) => [m.displayStill],
  displayFailed: (m) => [m.displayFailed("status 139")],
  noScreen: (m) => [m.noScreen],
  noFfplay: (m) => [m.noFfplay("sudo apt install ffmpeg")],
  cameras: (m) => [m.cameras],
  noCameras: (m) => [m.noCameras],
  noCameraHere: (m) => [m.noCameraHere("deno task send --input test")],
  otherCamera: (m) => [m.otherCamera("2: C920", "deno task send --camera 2")],
  microphones: (m) => [m.microphones],
  noMicrophones: (m) => [m.noMicrophones],
  microphone: (m) => [m.microphone("unknown", "C920", "0: Webcam"), m.microphone("none", "", "")],
  waitingFor: (m) => [m.waitingFor("rtsp://host/door")],
  noAddress: (m) => [m.noAddress],
  portTaken: (m) => [m.portTaken("192.168.1.7", 8080)],
  portForbidden: (m) => [m.portForbidden(80)],
  addressNotHere: (m) => [m.addressNotHere("203.0.113.1")],
  scopeMissing: (m) => [m.scopeMissing("fe80::7")],
  nameUnknown: (m) => [m.nameUnknown("nonexistent.invalid")],
  nobodyListens: (m) => [m.nobodyListens("192.168.1.7", 8080)],
  unreachable: (m) => [m.unreachable("192.168.1.7")],
  network: (m) => [m.network("what it was")],
  notInstalled: (m) => [m.notInstalled("ffmpeg", "sudo apt install ffmpeg")],
  ffmpegOld: (m) => [m.ffmpegOld("3.4.2", "sudo apt install ffmpeg")],
  ffmpegLacks: (m) => [m.ffmpegLacks("mpeg4", "sudo apt install ffmpeg")],
  noFolder: (m) => [m.noFolder("a/video.avi")],
  notWritable: (m) => [m.notWritable("/video.avi")],
  cannotRecord: (m) => [m.cannotRecord("video.avi", "what it was")],
  camera: (m) =>
    SOURCE_KINDS.flatMap((kind) => [m.camera(kind, "0", ""), m.camera(kind, "0", "its words")]),
  input: (m) =>
    SOURCE_KINDS.flatMap((kind) => [m.input(kind, "a", ""), m.input(kind, "a", "its words")]),
  notAllowed: (m) => [m.notAllowed("what it was")],
  linesDropped: (m) => [m.linesDropped(1234)],
  failed: (m) => [m.failed("what it was")],
};

const USAGE: {
  readonly [Name in keyof Messages["usage"]]: (usage: Messages["usage"]) => string;
} = {
  unknown: (usage) => usage.unknown("--x"),
  near: (usage) => usage.near("--prot", "--port"),
  ofServer: (usage) => usage.ofServer("--recrod", "--record"),
  ofClient: (usage) => usage.ofClient("--camera", "--camera"),
  noValue: (usage) => usage.noValue("--quiet=1", "--quiet"),
  stray: (usage) => usage.stray("x"),
  strayNear: (usage) => usage.strayNear("8080", "--port 8080"),
  missing: (usage) => usage.missing("--port"),
  bad: (usage) => usage.bad("--port", "x", usage.number(0, 1)),
  conflict: (usage) => usage.conflict("--quiet", "--verbose"),
  needs: (usage) => usage.needs("--size", "--camera, --input"),
  seeHelp: (usage) => usage.seeHelp,
  shortCode: (usage) => usage.shortCode(12),
  number: (usage) => usage.number(0, 65535),
  rate: (usage) => usage.rate(1, 120),
  size: (usage) => usage.size,
  seconds: (usage) => usage.seconds,
  oneOf: (usage) => usage.oneOf("call, plain"),
  noStandardInput: (usage) => usage.noStandardInput,
  address: (usage) => usage.address,
  home: (usage) => usage.home("--record ~/a.avi"),
  place: (usage) => usage.place("{day}"),
  recording: (usage) => usage.recording("--record a.avi"),
};

/** The sentences that are the same in both languages: they consist of a name and a value. */
const SAME = ["hostIp"];

test("messages: the report's sentences stand in Portuguese character for character", () => {
  assertEquals(pt.hostIp("192.168.1.7"), "HOST IP: 192.168.1.7");
  assertEquals(pt.listening("192.168.1.7", 8080), "ESCUTANDO EM: ('192.168.1.7', 8080)");
  assertEquals(pt.received("192.168.1.9", 51324), "CONEXÃO RECEBIDA DE: ('192.168.1.9', 51324)");
  assertEquals(pt.endedBy("CLIENT"), "Video Chamada encerrada pelo CLIENTE");
  assertEquals(pt.endedBy("HOST"), "Videochamada encerrada pelo HOST.");
});

test("messages: the report's sentences in English", () => {
  assertEquals(en.hostIp("192.168.1.7"), "HOST IP: 192.168.1.7");
  assertEquals(en.listening("192.168.1.7", 8080), "LISTENING ON: ('192.168.1.7', 8080)");
  assertEquals(
    en.received("192.168.1.9", 51324),
    "CONNECTION RECEIVED FROM: ('192.168.1.9', 51324)",
  );
  assertEquals(en.endedBy("CLIENT"), "Call ended by the CLIENT");
  assertEquals(en.endedBy("HOST"), "Call ended by the HOST.");
});

test("messages: windows are named in the report's words", () => {
  assertEquals(TITLES, {
    receiving: { CLIENT: "RECEBENDO VIDEO (CLIENTE)", HOST: "RECEBENDO VIDEO (HOST)" },
    sending: "TRANSMITINDO VIDEO",
  });
});

test("messages: the report's letters are composed ones, as its source has them", () => {
  for (const sentences of Object.values(SENTENCES)) {
    for (const sentence of [...sentences(pt), ...sentences(en)]) {
      assertEquals(sentence.normalize("NFC"), sentence);
    }
  }
});

test("messages: every sentence is there in both languages, and is not the same", () => {
  for (const [name, sentences] of Object.entries(SENTENCES)) {
    const [english, portuguese] = [sentences(en), sentences(pt)];
    english.forEach((sentence, index) => {
      assert(sentence.trim() !== "" && portuguese[index]!.trim() !== "", name);
      assertEquals(sentence === portuguese[index], SAME.includes(name), sentence);
      assert(!/undefined|\[object|NaN|=>/.test(sentence + portuguese[index]), sentence);
    });
  }
  for (const [name, sentence] of Object.entries(USAGE)) {
    const [english, portuguese] = [sentence(en.usage), sentence(pt.usage)];
    assert(english !== "" && portuguese !== "", name);
    assert(english !== portuguese, name);
  }
});

test("messages: what a sentence is told, it says, in both languages", () => {
  const told: readonly (readonly [(m: Messages) => string, readonly string[]])[] = [
    [(m) => m.dialHint("client --host a"), ["client --host a"]],
    [(m) => m.findHint("client", "client --host a"), ["client,", "client --host a"]],
    [(m) => m.cannotBeFound("EADDRINUSE"), ["EADDRINUSE"]],
    [(m) => m.found("Ana (10.0.0.7:80)", false), ["Ana (10.0.0.7:80)"]],
    [(m) => m.askingEach("10.0.0.*"), ["10.0.0.*"]],
    [(m) => m.onlyHere("client --host ::1"), ["client --host ::1"]],
    [(m) => m.scopeMissing("fe80::7"), ["fe80::7", "fe80::7%eth0"]],
    [(m) => m.otherAddresses("10.0.0.7, fd00::7"), ["10.0.0.7, fd00::7"]],
    [(m) => m.calling("10.0.0.7", 9), ["('10.0.0.7', 9)"]],
    [(m) => m.answered("10.0.0.7", 9), ["('10.0.0.7', 9)"]],
    [(m) => m.stranger("10.0.0.7", "too long"), ["10.0.0.7", "too long"]],
    [(m) => m.moreStrangers(17), ["17", "--verbose"]],
    [(m) => m.busyStranger("10.0.0.7"), ["10.0.0.7"]],
    [(m) => m.recordingFailed("a.avi", "disk full"), ["a.avi", "disk full"]],
    [(m) => m.recordingIncomplete("a.avi"), ["a.avi"]],
    [(m) => m.displayFailed("status 139"), ["status 139", "--no-display"]],
    [(m) => m.noScreen, ["--no-display"]],
    [(m) => m.noFfplay("brew install ffmpeg"), ["ffplay", "brew install ffmpeg"]],
    [(m) => m.noCameras, ["--input test"]],
    [(m) => m.noAddress, ["--host", "127.0.0.1"]],
    [(m) => m.portForbidden(80), ["80", "--port"]],
  ];
  for (const [sentence, words] of told) {
    for (const language of LANGUAGES) {
      const said = sentence(messagesIn(language));
      for (const word of words) assert(said.includes(word), `"${word}" in: ${said}`);
    }
  }
});

test("summary: one line with duration, frames, losses, file and size", () => {
  assertEquals(
    en.summary(SUMMARY),
    "Recorded 00:12:31, 15,020 frames, 0 lost: video.avi (41 MB)",
  );
  assertEquals(
    pt.summary(SUMMARY),
    "Gravados 00:12:31, 15.020 quadros, 0 perdidos: video.avi (41 MB)",
  );
});

test("summary: frames received are told where they are another number", () => {
  const summary = { ...SUMMARY, frames: 1000, received: 1234, lost: 1100 };
  assertEquals(
    en.summary(summary),
    "Recorded 00:12:31, 1,000 frames (1,234 received), 1,100 lost: video.avi (41 MB)",
  );
  assertEquals(
    pt.summary(summary),
    "Gravados 00:12:31, 1.000 quadros (1.234 recebidos), 1.100 perdidos: video.avi (41 MB)",
  );
});

test("summary: without a recording, and at the sending end", () => {
  const summary = { seconds: 3723.4, received: 74468, lost: 2 };
  assertEquals(
    en.notRecorded(summary),
    "Received 01:02:03, 74,468 frames, 2 lost: not recorded",
  );
  assertEquals(
    pt.notRecorded(summary),
    "Recebidos 01:02:03, 74.468 quadros, 2 perdidos: sem gravação",
  );
  const sent = { seconds: 10, frames: 1200, dropped: 7 };
  assertEquals(en.sent(sent), "Sent 00:00:10, 1,200 frames, 7 dropped");
  assertEquals(pt.sent(sent), "Enviados 00:00:10, 1.200 quadros, 7 descartados");
});

test("summary: durations are rounded to seconds and carry over", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "00:00:00"],
    [0.49, "00:00:00"],
    [59.6, "00:01:00"],
    [3599.5, "01:00:00"],
    [86399, "23:59:59"],
    [360000, "100:00:00"],
  ];
  for (const [seconds, shown] of cases) {
    assertMatch(en.summary({ ...SUMMARY, seconds }), new RegExp(`^Recorded ${shown}, `));
  }
});

test("summary: sizes have two digits at least and round up into the next unit", () => {
  const cases: readonly (readonly [number, string, string])[] = [
    [0, "0 B", "0 B"],
    [7, "7 B", "7 B"],
    [999, "999 B", "999 B"],
    [1000, "1.0 kB", "1,0 kB"],
    [9949, "9.9 kB", "9,9 kB"],
    [9950, "10 kB", "10 kB"],
    [640_400, "640 kB", "640 kB"],
    [999_499, "999 kB", "999 kB"],
    [999_500, "1.0 MB", "1,0 MB"],
    [1_234_567, "1.2 MB", "1,2 MB"],
    [41_499_999, "41 MB", "41 MB"],
    [2_147_483_648, "2.1 GB", "2,1 GB"],
    [5_000_000_000_000, "5.0 TB", "5,0 TB"],
    [5_000_000_000_000_000, "5000 TB", "5000 TB"],
  ];
  for (const [bytes, english, portuguese] of cases) {
    assert(en.summary({ ...SUMMARY, bytes }).endsWith(`: video.avi (${english})`), `${bytes}`);
    assert(pt.summary({ ...SUMMARY, bytes }).endsWith(`: video.avi (${portuguese})`), `${bytes}`);
  }
});

test("status: time, rate, delay, drops, bytes a second and the size of the file, in both languages", () => {
  const status = {
    seconds: 61.9,
    fps: { up: undefined, down: 19.96 },
    delayMs: 47.6,
    dropped: 1234,
    bytesPerSecond: 4_608_000,
    fileBytes: 1_234_567,
  };
  assertEquals(
    en.status(status),
    "00:01:01  20.0 fps  delay 48 ms  1,234 dropped  4.6 MB/s  1.2 MB recorded",
  );
  assertEquals(
    pt.status(status),
    "00:01:01  20,0 fps  atraso 48 ms  1.234 descartados  4,6 MB/s  1,2 MB gravados",
  );
});

test("status: of a call both ways, each direction has its rate", () => {
  const status = { ...STATUS, fps: { up: 20, down: 29.94 }, delayMs: 2 };
  assertEquals(
    en.status(status),
    "00:00:12  ↑ 20.0 fps  ↓ 29.9 fps  delay 2 ms  0 dropped  4.6 MB/s",
  );
  assertEquals(
    pt.status(status),
    "00:00:12  ↑ 20,0 fps  ↓ 29,9 fps  atraso 2 ms  0 descartados  4,6 MB/s",
  );
});

test("status: while the network is gone, for how long is said in whole seconds", () => {
  const status = { ...STATUS, waitingMs: 4990 };
  assertEquals(
    en.status(status),
    "00:00:12  waiting for the network… 4 s  20.0 fps  0 dropped  4.6 MB/s",
  );
  assertStringIncludes(pt.status(status), "  esperando a rede… 4 s  ");
});

test("network: a silence names how long is waited, and how long it took is told when it is over", () => {
  for (const messages of [en, pt]) {
    assertStringIncludes(messages.networkGone("silence", 12.5), "12");
    assert(!/\d/.test(messages.networkGone("reset", 12.5)));
    assertMatch(messages.networkBack(4.21), /4[.,]2 s/);
  }
});

test("status: several calls stand in one line, each under its name", () => {
  const calls = [{ ...STATUS, label: "Ana" }, { ...STATUS, label: "Bruno", delayMs: 7 }];
  assertEquals(
    en.statusLine(calls, 200),
    "Ana: 00:00:12  20.0 fps  0 dropped  4.6 MB/s | " +
      "Bruno: 00:00:12  20.0 fps  delay 7 ms  0 dropped  4.6 MB/s",
  );
  assertEquals(pt.statusLine([], 80), "");
});

test("narrow link: the advice is the next codec, and then less of everything", () => {
  assertEquals(
    CURES.map((cure) => en.narrowLink(cure).replace(/^.*: try /, "")),
    [
      "--codec mjpeg.",
      "--codec h264.",
      "a smaller --size or a lower --fps.",
      "a lower --fps.",
    ],
  );
  for (const cure of CURES) {
    const options = (text: string): unknown => text.match(/--\w+( mjpeg| h264)?/g);
    assertEquals(options(pt.narrowLink(cure)), options(en.narrowLink(cure)));
  }
});

test("status: what is not known is left out", () => {
  assertEquals(
    en.status({ ...STATUS, delayMs: undefined, fileBytes: undefined }),
    "00:00:12  20.0 fps  0 dropped  4.6 MB/s",
  );
  assertEquals(en.status({ ...STATUS, delayMs: 0, fileBytes: 0 }).includes("delay 0 ms"), true);
});

test("system language: LC_ALL before LC_MESSAGES before LANG, an empty one is none", () => {
  const language = (variables: Record<string, string>, locale = "fr-FR"): Language =>
    systemLanguage((name) => variables[name], locale);
  assertEquals(language({ LC_ALL: "pt_BR.UTF-8", LC_MESSAGES: "en_US", LANG: "en_US" }), "pt");
  assertEquals(language({ LC_ALL: "en_US", LC_MESSAGES: "pt_BR", LANG: "pt_BR" }), "en");
  assertEquals(language({ LC_MESSAGES: "pt_BR.UTF-8", LANG: "en_US.UTF-8" }), "pt");
  assertEquals(language({ LC_MESSAGES: "en_US.UTF-8", LANG: "pt_BR.UTF-8" }), "en");
  assertEquals(language({ LANG: "pt_BR.UTF-8" }), "pt");
  assertEquals(language({ LC_ALL: "", LC_MESSAGES: "", LANG: "pt_PT.UTF-8" }), "pt");
  assertEquals(language({ LC_ALL: "", LANG: "en_US.UTF-8" }, "pt-BR"), "en");
});

test("system language: Portuguese of any country and spelling, and nothing that only looks like it", () => {
  for (const value of ["pt", "pt_BR", "pt_BR.UTF-8", "pt_PT@euro", "pt-BR", "PT_br", "pt.UTF-8"]) {
    assertEquals(systemLanguage((name) => name === "LANG" ? value : undefined, "en"), "pt", value);
  }
  for (const value of ["C", "C.UTF-8", "POSIX", "en_US.UTF-8", "es_ES", "ptx", "ptz_PT", "xpt"]) {
    assertEquals(
      systemLanguage((name) => name === "LANG" ? value : undefined, "pt-BR"),
      "en",
      value,
    );
  }
});

test("system language: where nothing is set, as on Windows, the locale decides", () => {
  for (const [locale, language] of [["pt-BR", "pt"], ["pt", "pt"], ["en-US", "en"], ["", "en"]]) {
    assertEquals(systemLanguage(() => undefined, locale!), language);
    assertEquals(systemLanguage(() => "", locale!), language);
  }
});

test("installCommand() is that of the system, and a page for any other", () => {
  assertEquals(installCommand("linux"), "sudo apt install ffmpeg");
  assertEquals(installCommand("darwin"), "brew install ffmpeg");
  assertMatch(installCommand("windows"), /^winget install /);
  assertMatch(installCommand("freebsd"), /^https:\/\//);
});

/**
 * Errors, and the words of their sentence in English and in Portuguese: the cause, then the cure.
 */
const camera = (name: string): { isCamera: boolean; name: string } => ({ isCamera: true, name });
const film = (name: string): { isCamera: boolean; name: string } => ({ isCamera: false, name });

const ERRORS: readonly (readonly [Error, readonly RegExp[], readonly RegExp[]])[] = [
  [
    new ProtocolError("a message of 9 bytes is too long"),
    [/a message of 9 bytes is too long/, /same version.*--wire/],
    [/a message of 9 bytes is too long/, /mesma versão.*--wire/],
  ],
  [
    new RefusedError(BUSY),
    [/busy/, /Try again later.*--max-calls/],
    [/ocupada/, /Tente mais tarde.*--max-calls/],
  ],
  [
    new RefusedError("the codec h264 is not spoken here"),
    [/refused.*the codec h264 is not spoken here/],
    [/recusou.*the codec h264 is not spoken here/],
  ],
  [
    new NotInstalledError("ffmpeg"),
    [/^ffmpeg is not installed/, /sudo apt install ffmpeg/],
    [/ffmpeg não está instalado/, /sudo apt install ffmpeg/],
  ],
  [
    new RecordingError("no-folder", "nowhere/video.avi"),
    [/nowhere\/video\.avi does not exist/, /make it.*--record/],
    [/nowhere\/video\.avi não existe/, /crie-a.*--record/],
  ],
  [
    new RecordingError("not-writable", "/proc/video.avi"),
    [/\/proc\/video\.avi cannot be written/, /folder of your own.*--record/],
    [/\/proc\/video\.avi não pode ser gravado/, /--record/],
  ],
  [
    new RecordingError("other", "a.avi", { cause: new Error("File name too long") }),
    [/a\.avi cannot be recorded to \(File name too long\)/, /--record/],
    [/gravar em a\.avi \(File name too long\)/, /--record/],
  ],
  [
    new SourceError("missing", camera("/dev/video7"), "/dev/video7: No such file or directory"),
    [/\/dev\/video7 was not found/, /No such file/, /--camera.*--list-cameras/],
    [/\/dev\/video7 não foi encontrado/, /No such file/, /--camera.*--list-cameras/],
  ],
  [
    new SourceError("none", camera("Logitech"), "0: FaceTime HD Camera"),
    [/no camera "Logitech"/, /0: FaceTime HD Camera/, /--list-cameras.*--input test/],
    [/Não há câmera "Logitech"/, /0: FaceTime HD Camera/, /--list-cameras.*--input test/],
  ],
  [
    new NoCameraError([]),
    [/no camera here/, /plug one in.*--input test$/],
    [/Não há câmera aqui/, /conecte uma.*--input test$/],
  ],
  [
    new NoCameraError([{ index: 2, name: "C920" }, { index: 4, name: "Infrared" }]),
    [/no camera 0; there is 2: C920, 4: Infrared/, /--camera 2$/],
    [/Não há câmera 0; há 2: C920, 4: Infrared/, /--camera 2$/],
  ],
  [
    new MicrophoneError("none"),
    [/no microphone here/, /plug one in.*--list-devices/],
    [/Não há microfone aqui/, /conecte um.*--list-devices/],
  ],
  [
    new MicrophoneError("no-server", "", "cannot open audio device default"),
    [/No sound server answers/, /cannot open audio device/, /start PipeWire or PulseAudio/],
    [/Nenhum servidor de som responde/, /cannot open audio device/, /inicie o PipeWire/],
  ],
  [
    new MicrophoneError("monitor", "Monitor of Null Output", "0: C920"),
    [
      /what the loudspeaker plays \(Monitor of Null/,
      /choose another.*--microphone; there is 0: C920/,
    ],
    [/o que o alto-falante toca \(Monitor of Null/, /escolha outro.*--microphone; há 0: C920/],
  ],
  [
    new MicrophoneError("unknown", "Blue", "0: C920"),
    [/no microphone "Blue"; there is 0: C920/, /--list-devices/],
    [/Não há microfone "Blue"; há 0: C920/, /--list-devices/],
  ],
  [
    new MicrophoneError("busy", "", "Device or resource busy"),
    [/^The microphone is in use/, /close that one.*try again/],
    [/^O microfone está em uso/, /feche-o e tente de novo/],
  ],
  [
    new MicrophoneError("forbidden", "C920"),
    [/C920 may not be used/, /group audio.*privacy settings/],
    [/C920 não pode ser usado/, /grupo audio.*privacidade/],
  ],
  [
    new MicrophoneError("silent", "C920"),
    [/C920 gives no sound/, /switched on.*privacy settings/],
    [/C920 não dá som/, /ligado.*privacidade/],
  ],
  [
    new MicrophoneError("stopped", ""),
    [/^The microphone stopped giving sound/, /unplugged.*tried again/],
    [/^O microfone parou de dar som/, /desconectado.*de novo/],
  ],
  [
    new MicrophoneError("unreadable", "C920", "Invalid argument"),
    [/C920 cannot be opened \(Invalid argument\)/, /--microphone.*--list-devices/],
    [/C920 não pode ser aberto \(Invalid argument\)/, /--microphone.*--list-devices/],
  ],
  [
    new SourceError("list", film("film.mp4")),
    [/film\.mp4 is a list of other files/, /\.m3u8/],
    [/film\.mp4 é uma lista de outros arquivos/, /\.m3u8/],
  ],
  [
    new SourceError("busy", camera("0"), "Device or resource busy"),
    [/in use by another program/, /close that one/],
    [/em uso por outro programa/, /feche-o/],
  ],
  [
    new SourceError("forbidden", camera("0")),
    [/may not be used/, /group video.*privacy settings/],
    [/não pode ser usada/, /grupo video.*configurações de privacidade/],
  ],
  [
    new SourceError("silent", camera("0")),
    [/gives no pictures/, /privacy settings.*unplug/],
    [/não dá imagens/, /configurações de privacidade.*desconecte/],
  ],
  [
    new SourceError("stopped", camera("0"), "Input/output error"),
    [/stopped giving pictures/, /Input\/output error/, /unplugged\?/],
    [/parou de dar imagens/, /Input\/output error/, /desconectada\?/],
  ],
  [
    new SourceError("unreadable", film("notes.txt"), "Invalid data found"),
    [/notes\.txt cannot be read/, /Invalid data found/, /check --input/],
    [/notes\.txt não pode ser lido/, /Invalid data found/, /confira --input/],
  ],
  [
    new SourceError("forbidden", film("film.avi")),
    [/film\.avi may not be read/, /^(?!.*(camera|group video))/],
    [/film\.avi não pode ser lido/, /^(?!.*(câmera|grupo video))/],
  ],
  [
    new SourceError("silent", film("http://a/b")),
    [/http:\/\/a\/b gives no pictures/, /^(?!.*(camera|unplug))/],
    [/http:\/\/a\/b não dá imagens/, /^(?!.*(câmera|desconecte))/],
  ],
  [
    new Deno.errors.NotCapable("Requires run access to ffmpeg"),
    [/lacks a right: Requires run access to ffmpeg/, /deno task/],
    [/Falta um direito.*: Requires run access to ffmpeg/, /deno task/],
  ],
  [
    new RecordingError("other", "a.avi", { cause: new Deno.errors.NotCapable("Requires write") }),
    [/lacks a right: Requires write/, /deno task/],
    [/Falta um direito.*: Requires write/, /deno task/],
  ],
  [
    new TypeError("nobody thought of this"),
    [/went wrong: nobody thought of this/],
    [/deu errado: nobody thought of this/],
  ],
];

test("describe(): every error has a sentence with its cause and its cure, in both languages", () => {
  for (const [error, english, portuguese] of ERRORS) {
    for (const [messages, patterns] of [[en, english], [pt, portuguese]] as const) {
      const sentence = describe(error, messages, "linux", "HOST");
      for (const pattern of patterns) assertMatch(sentence, pattern);
      assert(!sentence.includes("undefined") && !sentence.includes("()"), sentence);
    }
  }
});

test("describe(): a loss names who was lost and how", () => {
  const words: readonly (readonly [PeerLostError["how"], RegExp, RegExp])[] = [
    ["reset", /was cut/, /cortada/],
    ["cut", /middle of a frame/, /meio de um quadro/],
    ["silence", /nothing came for more than 5 s/, /nada chegou por mais de 5 s/],
    ["no-bye", /without a goodbye/, /sem despedida/],
  ];
  for (const [how, english, portuguese] of words) {
    const error = new PeerLostError(how);
    assertMatch(describe(error, en, "linux", "CLIENT"), /^The CLIENT was lost: /);
    assertMatch(describe(error, en, "linux", "HOST"), /^The HOST was lost: /);
    assertMatch(describe(error, en, "linux", "HOST"), english);
    assertMatch(describe(error, pt, "linux", "CLIENT"), /^Conexão com o CLIENTE perdida: /);
    assertMatch(describe(error, pt, "linux", "HOST"), /^Conexão com o HOST perdida: /);
    assertMatch(describe(error, pt, "linux", "HOST"), portuguese);
  }
});

test("describe(): a wrong option's sentence is handed on as it is", () => {
  assertEquals(describe(new UsageError("Não há isso."), en, "linux", "HOST"), "Não há isso.");
});

test("describe(): how ffmpeg is installed depends on the system", () => {
  const error = new NotInstalledError("ffplay");
  assertEquals(
    describe(error, en, "darwin", "HOST"),
    "ffplay is not installed: brew install ffmpeg",
  );
  assertMatch(describe(error, en, "windows", "HOST"), /winget install/);
});

test("describe(): something thrown that is no error is told as well", () => {
  assertMatch(describe("a word", en, "linux", "HOST"), /a word/);
});

test("describeListen(): a port that another program has", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const error = assertThrows(() => Deno.listen({ hostname: "127.0.0.1", port }));
  assertEquals(
    describeListen(error, en, "127.0.0.1", port),
    `Port ${port} of 127.0.0.1 is taken by another program: choose another with --port (0 for any free one).`,
  );
  assertMatch(describeListen(error, pt, "127.0.0.1", port), /já está em uso.*--port/);
});

test("describeListen(): an address that is not this machine's", () => {
  const error = assertThrows(() => Deno.listen({ hostname: "203.0.113.1", port: 0 }));
  assertEquals(
    describeListen(error, en, "203.0.113.1", 0),
    "203.0.113.1 is no address of this machine: leave --host away, or give one of its own.",
  );
  assertMatch(
    describeListen(error, pt, "203.0.113.1", 0),
    /não é um endereço desta máquina.*--host/,
  );
});

test("describeListen(): a name that nobody knows", () => {
  const error = assertThrows(() => Deno.listen({ hostname: "nonexistent.invalid", port: 0 }));
  assertMatch(
    describeListen(error, en, "nonexistent.invalid", 0),
    /^nonexistent\.invalid is no address of this machine.*--host/,
  );
  assertMatch(
    describeListen(error, pt, "nonexistent.invalid", 0),
    /^nonexistent\.invalid não é um endereço desta máquina.*--host/,
  );
});

test("describeListen(): a port below 1024 without the right to it", () => {
  const error = new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  assertMatch(describeListen(error, en, "127.0.0.1", 80), /^Port 80 needs special rights.*--port/);
  assertMatch(describeListen(error, pt, "127.0.0.1", 80), /^A porta 80 exige.*--port/);
});

test("describeListen(), describeConnect(): what nobody thought of is told in the system's words", () => {
  const error = new Error("Protocol not available (os error 92)");
  for (const describeNetwork of [describeListen, describeConnect]) {
    assertMatch(describeNetwork(error, en, "::1", 1), /Protocol not available.*--host and --port/);
    assertMatch(describeNetwork(error, pt, "::1", 1), /Protocol not available.*--host e --port/);
  }
});

test("describeConnect(): an address where nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const error = await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
  assertEquals(
    describeConnect(error, en, "127.0.0.1", port),
    `Nobody listens at ('127.0.0.1', ${port}): start the server there first, and check --host and --port.`,
  );
  assertMatch(
    describeConnect(error, pt, "127.0.0.1", port),
    /^Ninguém escuta em .*--host e --port/,
  );
});

test("describeConnect(): a name that nobody knows", async () => {
  const error = await assertRejects(() =>
    Deno.connect({ hostname: "nonexistent.invalid", port: 8080 })
  );
  assertMatch(
    describeConnect(error, en, "nonexistent.invalid", 8080),
    /^The name nonexistent\.invalid is not known.*--host/,
  );
  assertMatch(
    describeConnect(error, pt, "nonexistent.invalid", 8080),
    /^O nome nonexistent\.invalid não é conhecido.*--host/,
  );
});

test(
  "describeConnect(): a machine that does not answer in time",
  async () => {
    // A Linux listener whose queue is full answers no more, like a machine behind a firewall.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const { port } = listener.addr as Deno.NetAddr;
    using queued = new DisposableStack();
    let error: unknown;
    for (let calls = 0; calls < 10 && error === undefined; calls++) {
      try {
        const signal = AbortSignal.timeout(300);
        queued.use(await Deno.connect({ hostname: "127.0.0.1", port, signal }));
      } catch (caught) {
        error = caught;
      }
    }
    assertMatch(
      describeConnect(error, en, "127.0.0.1", port),
      /^127\.0\.0\.1 cannot be reached: .*--host.*firewall/,
    );
    assertMatch(
      describeConnect(error, pt, "127.0.0.1", port),
      /^127\.0\.0\.1 não pode ser alcançado: .*--host.*firewall/,
    );
  },
  { ignore: Deno.build.os !== "linux" },
);

test("describeListen(), describeConnect(): a right of Deno's that was not given", () => {
  const error = new Deno.errors.NotCapable("Requires net access to 127.0.0.1:80");
  for (const describeNetwork of [describeListen, describeConnect]) {
    assertMatch(describeNetwork(error, en, "127.0.0.1", 80), /Requires net access.*deno task/);
    assertMatch(describeNetwork(error, pt, "127.0.0.1", 80), /Requires net access.*deno task/);
  }
});

test("describeConnect(): a network that has no way there", () => {
  for (const code of ["EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ETIMEDOUT"]) {
    const error = Object.assign(new Error("os error"), { code });
    assertMatch(
      describeConnect(error, en, "10.0.0.7", 8080),
      /^10\.0\.0\.7 cannot be reached/,
      code,
    );
  }
  for (
    const words of ["No route to host (os error 113)", "Network is unreachable (os error 101)"]
  ) {
    assertMatch(
      describeConnect(new Error(words), en, "10.0.0.7", 8080),
      /cannot be reached/,
      words,
    );
  }
});

test("without a camera, what to type is the whole command line, and more", () => {
  const command = "deno task send --host 192.168.1.7";
  const messages = messagesIn("en");
  const none = describeNoCamera(new NoCameraError([]), messages, command);
  assert(none.endsWith(`: ${command} --input test`), none);
  const one = new NoCameraError([{ index: 2, name: "C920" }]);
  const other = describeNoCamera(one, messages, command);
  assert(other.endsWith(`: ${command} --camera 2`), other);
});
