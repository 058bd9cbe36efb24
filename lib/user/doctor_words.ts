/**
 * The sentences of `--doctor`, in both languages. A problem that a call meets as well has its
 * sentence in sentences.ts. Each sentence of a problem names the cure.
 */

import { bytes, count } from "./figures.ts";
import type { Language } from "./sentences.ts";

/** The reason why an address is the one that others are told. */
export type AddressReason = "only" | "router" | "likeliest";

/** The sentences of one language. */
export interface DoctorWords {
  /** Above the lines. */
  readonly title: string;
  /** Below the lines: the number of those with a problem. */
  summary(problems: number): string;
  /** The Deno that runs. */
  deno(version: string): string;
  /** A problem: that Deno is too old. */
  denoOld(version: string, wanted: string): string;
  /** The ffmpeg, and its encoders that are used. */
  ffmpeg(version: string, encoders: string): string;
  /** The ffplay. */
  ffplay(version: string): string;
  /** There is a screen, with the driver that shows windows on it. */
  screen(driver: string): string;
  /** The user wants no windows. */
  readonly noWindows: string;
  /** A camera gives pictures now. */
  camera(name: string): string;
  /** The user sends something else than a camera. */
  readonly cameraUnused: string;
  /** The loudest sound of a microphone in some seconds, in decibels below the most there can be. */
  microphone(name: string, decibels: number): string;
  /** A problem: a microphone that gives nothing but silence. */
  microphoneMute(name: string): string;
  /** While a microphone is measured: its level, as a bar. */
  level(bar: string): string;
  /** The loudspeakers. */
  loudspeakers(names: string): string;
  /** A problem: there is none. */
  readonly noLoudspeaker: string;
  /** This system does not list them. */
  readonly loudspeakersUnknown: string;
  /** The address that others are told, its card, and the reason. */
  address(address: string, card: string, why: AddressReason): string;
  /** Further addresses that can be called with `--host`. */
  others(list: string): string;
  /** The port can be listened on. */
  port(host: string, port: number): string;
  /** No firewall is known to be there. */
  readonly noFirewall: string;
  /** It cannot be known whether there is a firewall. */
  readonly firewallUnknown: string;
  /** A firewall is on and lets callers in. */
  firewallOpen(name: string): string;
  /** A firewall is on. Its rules cannot be read: the command that lets callers in. */
  firewallOn(name: string, command: string): string;
  /** A problem: a firewall keeps callers out, and the command that lets them in. */
  firewallShut(name: string, command: string): string;
  /** The room on the disk, and the hours of recording that it holds. */
  disk(room: number, hours: number, folder: string): string;
  /** A problem: hardly any room. */
  diskFull(room: number, folder: string): string;
  /** The room on the disk cannot be known. */
  diskUnknown(detail: string): string;
  /** Above the lines about a server. */
  calleeTitle(host: string, port: number): string;
  /** The server's port took a connection: its address, and ours on the way there. */
  route(address: string, own: string, card: string, isNear: boolean): string;
  /** The server says who it is. */
  answers(name: string, wantsCode: boolean): string;
  /** Somebody listens at that port, and no server of that port says who it is. */
  readonly answersNot: string;
  /** The time to the server and back. */
  roundTrip(ms: number): string;
  /** The rate to the server, and the codec that it carries. */
  rate(megabits: number, codec: string, picture: string): string;
  /** A problem: no codec is carried. */
  rateLow(megabits: number, picture: string): string;
  /** The server does not tell what came of the measurement. */
  readonly rateUnknown: string;
}

const english: DoctorWords = {
  title: "What a call needs, as it is on this machine now:",
  summary: (problems) =>
    problems === 0
      ? "Nothing stands in the way of a call."
      : `Lines with a problem: ${problems}. Each says what helps.`,
  deno: (version) => `Deno ${version}`,
  denoOld: (version, wanted) =>
    `Deno ${version} is too old, ${wanted} or newer is needed: deno upgrade, or sh scripts/setup.sh`,
  ffmpeg: (version, encoders) => `ffmpeg ${version}, with ${encoders}`,
  ffplay: (version) => `ffplay ${version}`,
  screen: (driver) => `A screen: ${driver}`,
  noWindows: "No window is wanted (--no-display).",
  camera: (name) => `The camera ${name} gives pictures.`,
  cameraUnused: "No camera is wanted.",
  microphone: (name, decibels) =>
    `The microphone ${name} gives sound: ${decibels.toFixed(0)} dB at its loudest in 3 s`,
  microphoneMute: (name) =>
    `The microphone ${name} gives nothing but silence: turn it on and up, in the system's sound settings or by its own switch.`,
  level: (bar) => `Say something: ${bar}`,
  loudspeakers: (names) => `Loudspeakers: ${names}`,
  noLoudspeaker:
    "No loudspeaker found: plug one in; on Linux, see whether the sound server runs. --no-sound plays nothing.",
  loudspeakersUnknown: "Loudspeakers: this system does not tell.",
  address: (address, card, why) => {
    const reasons: Readonly<Record<AddressReason, string>> = {
      only: "the only one on a network",
      router: "its network has the router",
      likeliest: "it looks most like that of a local network",
    };
    return `Others call ${address} (${card}): ${reasons[why]}`;
  },
  others: (list) => `Other addresses of this machine, for --host: ${list}`,
  port: (host, port) => `Port ${port} of ${host} is free.`,
  noFirewall: "No firewall is set up here that is known: ufw, firewalld, nftables.",
  firewallUnknown:
    "The firewall cannot be seen on this system: where it asks, let Deno accept connections.",
  firewallOpen: (name) => `The firewall ${name} lets callers in.`,
  firewallOn: (name, command) =>
    `The firewall ${name} is on, and its rules cannot be read. If nobody can call: ${command}`,
  firewallShut: (name, command) => `The firewall ${name} keeps callers out: ${command}`,
  disk: (room, hours, folder) =>
    `Room in ${folder}: ${bytes(room, "en")}, about ${count(hours, "en")} h of recording`,
  diskFull: (room, folder) =>
    `Only ${
      bytes(room, "en")
    } of room in ${folder}, less than an hour of recording: make room, or record elsewhere with --record.`,
  calleeTitle: (host, port) => `The server at ('${host}', ${port}), which hears a short knock:`,
  route: (address, own, card, isNear) =>
    `${address} takes calls, ${
      isNear ? "on the same network as" : "through a router from"
    } ${own} (${card})`,
  answers: (name, wantsCode) =>
    `A server of Chamada answers: ${name || "it tells no name"}${
      wantsCode ? ", wants a code" : ", open to anybody"
    }`,
  answersNot:
    "Who listens there does not say who it is: a server with --hidden, one behind a router or a firewall, or another program.",
  roundTrip: (ms) => `There and back: ${ms.toFixed(1)} ms`,
  rate: (megabits, codec, picture) =>
    `About ${rounded(megabits)} Mbit/s go there: enough for --codec ${codec} at ${picture}`,
  rateLow: (megabits, picture) =>
    `About ${
      rounded(megabits)
    } Mbit/s go there, too little for ${picture} even with --codec h264: choose a smaller --size or a lower --fps.`,
  rateUnknown:
    "The rate cannot be measured: only a server of this network that can be found tells it.",
  diskUnknown: (detail) => `The room on the disk cannot be known (${detail}).`,
};

const portuguese: DoctorWords = {
  title: "O que uma chamada precisa, como está nesta máquina agora:",
  summary: (problems) =>
    problems === 0
      ? "Nada impede uma chamada."
      : `Linhas com problema: ${problems}. Cada uma diz o que ajuda.`,
  deno: (version) => `Deno ${version}`,
  denoOld: (version, wanted) =>
    `O Deno ${version} é antigo demais, é preciso o ${wanted} ou mais novo: deno upgrade, ou sh scripts/setup.sh`,
  ffmpeg: (version, encoders) => `ffmpeg ${version}, com ${encoders}`,
  ffplay: (version) => `ffplay ${version}`,
  screen: (driver) => `Uma tela: ${driver}`,
  noWindows: "Nenhuma janela é desejada (--no-display).",
  camera: (name) => `A câmera ${name} dá imagens.`,
  cameraUnused: "Nenhuma câmera é desejada.",
  microphone: (name, decibels) =>
    `O microfone ${name} dá som: ${decibels.toFixed(0)} dB no mais alto em 3 s`,
  microphoneMute: (name) =>
    `O microfone ${name} dá apenas silêncio: ligue-o e aumente-o, nas configurações de som do sistema ou no botão dele.`,
  level: (bar) => `Diga algo: ${bar}`,
  loudspeakers: (names) => `Alto-falantes: ${names}`,
  noLoudspeaker:
    "Nenhum alto-falante encontrado: conecte um; no Linux, veja se o servidor de som roda. --no-sound não toca nada.",
  loudspeakersUnknown: "Alto-falantes: este sistema não diz.",
  address: (address, card, why) => {
    const reasons: Readonly<Record<AddressReason, string>> = {
      only: "o único em uma rede",
      router: "a rede dele tem o roteador",
      likeliest: "o que mais parece ser de uma rede local",
    };
    return `Os outros chamam ${address} (${card}): ${reasons[why]}`;
  },
  others: (list) => `Outros endereços desta máquina, para --host: ${list}`,
  port: (host, port) => `A porta ${port} de ${host} está livre.`,
  noFirewall: "Nenhum firewall conhecido está ativado aqui: ufw, firewalld, nftables.",
  firewallUnknown:
    "O firewall não pode ser visto neste sistema: se ele perguntar, deixe o Deno aceitar conexões.",
  firewallOpen: (name) => `O firewall ${name} deixa entrar quem chama.`,
  firewallOn: (name, command) =>
    `O firewall ${name} está ligado, e suas regras não podem ser lidas. Se ninguém consegue chamar: ${command}`,
  firewallShut: (name, command) => `O firewall ${name} barra quem chama: ${command}`,
  disk: (room, hours, folder) =>
    `Espaço em ${folder}: ${bytes(room, "pt")}, cerca de ${count(hours, "pt")} h de gravação`,
  diskFull: (room, folder) =>
    `Só ${
      bytes(room, "pt")
    } de espaço em ${folder}, menos de uma hora de gravação: libere espaço, ou grave em outro lugar com --record.`,
  calleeTitle: (host, port) => `O servidor em ('${host}', ${port}), que ouve uma batida curta:`,
  route: (address, own, card, isNear) =>
    `${address} recebe chamadas, ${
      isNear ? "na mesma rede que" : "por um roteador a partir de"
    } ${own} (${card})`,
  answers: (name, wantsCode) =>
    `Um servidor do Chamada responde: ${name || "não diz o nome"}${
      wantsCode ? ", pede um código" : ", aberto a qualquer um"
    }`,
  answersNot:
    "Quem escuta lá não diz quem é: um servidor com --hidden, um atrás de um roteador ou firewall, ou outro programa.",
  roundTrip: (ms) => `Ida e volta: ${ms.toFixed(1).replace(".", ",")} ms`,
  rate: (megabits, codec, picture) =>
    `Cerca de ${
      rounded(megabits).replace(".", ",")
    } Mbit/s chegam lá: bastam para --codec ${codec} em ${picture}`,
  rateLow: (megabits, picture) =>
    `Cerca de ${
      rounded(megabits).replace(".", ",")
    } Mbit/s chegam lá, pouco para ${picture} mesmo com --codec h264: escolha um --size menor ou um --fps mais baixo.`,
  rateUnknown: "A taxa não pode ser medida: só um servidor desta rede que pode ser achado a diz.",
  diskUnknown: (detail) => `O espaço no disco não pode ser conhecido (${detail}).`,
};

/** The sentences of a language. */
export function doctorWordsIn(language: Language): DoctorWords {
  return language === "pt" ? portuguese : english;
}

function rounded(megabits: number): string {
  return megabits < 10 ? megabits.toFixed(1) : megabits.toFixed(0);
}
