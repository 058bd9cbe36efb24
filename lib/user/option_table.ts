/** The table of options, which feeds both the parser and `--help`. */

import type { Option, Program } from "./command_line.ts";
import type { Language } from "./sentences.ts";

/** An option, with its line in `--help`. */
export interface HelpedOption extends Option {
  /** Its meaning in each language, with its default. */
  readonly help: Readonly<Record<Language, string>>;
}

const BOTH: readonly Program[] = ["server", "client"];
const SERVER: readonly Program[] = ["server"];
const CLIENT: readonly Program[] = ["client"];

/**
 * Every option, in the order of `--help`. One that differs between the programs has a row for each.
 */
export const OPTIONS: readonly HelpedOption[] = [
  {
    name: "host",
    programs: SERVER,
    value: { en: "address", pt: "endereço" },
    help: {
      en: "where to listen; 0.0.0.0 or :: means all (default: this machine's address)",
      pt: "onde escutar; 0.0.0.0 ou :: em toda rede (padrão: o endereço desta máquina)",
    },
  },
  {
    name: "host",
    programs: CLIENT,
    value: { en: "address", pt: "endereço" },
    help: {
      en: "the address to call (default: the one found, or this machine)",
      pt: "o endereço a chamar (padrão: o que se acha, ou esta máquina)",
    },
  },
  {
    name: "find",
    programs: CLIENT,
    help: {
      en: "list the servers that answer on this network and exit",
      pt: "mostrar os servidores que respondem nesta rede e sair",
    },
  },
  {
    name: "wait",
    programs: CLIENT,
    help: {
      en: "call again each second until a server is there (default: one try)",
      pt: "chamar de novo a cada segundo até haver um servidor (padrão: uma vez)",
    },
  },
  {
    name: "hidden",
    programs: SERVER,
    help: {
      en: "do not answer callers that look for servers on the network",
      pt: "não responder a quem procura servidores na rede",
    },
  },
  {
    name: "port",
    programs: SERVER,
    value: { en: "n", pt: "n" },
    help: {
      en: "TCP port, 0 for any free one (default: 8080)",
      pt: "porta TCP, 0 para qualquer uma livre (padrão: 8080)",
    },
  },
  {
    name: "port",
    programs: CLIENT,
    value: { en: "n", pt: "n" },
    help: { en: "TCP port (default: 8080)", pt: "porta TCP (padrão: 8080)" },
  },
  {
    name: "record",
    programs: SERVER,
    value: { en: "file", pt: "arquivo" },
    help: {
      en: "the recording; one that is there stays: video-2.avi, … (default: video.avi)",
      pt: "a gravação; o que já existe fica: video-2.avi, … (padrão: video.avi)",
    },
  },
  {
    name: "record",
    programs: CLIENT,
    value: { en: "file", pt: "arquivo" },
    help: {
      en: "record what comes from the server (default: nothing is recorded here)",
      pt: "gravar o que chega do servidor (padrão: nada é gravado aqui)",
    },
  },
  {
    name: "record-sound",
    programs: BOTH,
    value: { en: "size", pt: "modo" },
    help: {
      en: "the sound in it: full, or small, a quarter of the bytes (default: full)",
      pt: "o som nela: full (inteiro) ou small, um quarto dos bytes (padrão: full)",
    },
  },
  {
    name: "record-each",
    programs: BOTH,
    help: {
      en: "record this end as well, in a file beside it: video-own.avi",
      pt: "gravar também este lado, em um arquivo ao lado: video-own.avi",
    },
  },
  {
    name: "no-record",
    programs: SERVER,
    help: { en: "show only", pt: "apenas mostrar" },
  },
  {
    name: "stay",
    programs: SERVER,
    help: {
      en: "answer the next caller when a call ends (default: one call, then exit)",
      pt: "atender a próxima chamada quando uma acaba (padrão: uma chamada, e fim)",
    },
  },
  {
    name: "max-calls",
    programs: SERVER,
    value: { en: "n", pt: "n" },
    help: {
      en: "calls at once, each with its own window and file (default: 1)",
      pt: "chamadas ao mesmo tempo, cada uma com sua janela e seu arquivo (padrão: 1)",
    },
  },
  {
    name: "fps",
    programs: SERVER,
    value: { en: "n", pt: "n" },
    help: {
      en: "frames a second to send, and of a caller that announces none (default: 20)",
      pt: "quadros por segundo a enviar, e de quem não os anuncia (padrão: 20)",
    },
  },
  {
    name: "camera",
    programs: SERVER,
    value: { en: "n or name", pt: "n ou nome" },
    help: {
      en: "send the picture of this camera, too (default: none is sent)",
      pt: "enviar também a imagem desta câmera (padrão: nenhuma é enviada)",
    },
  },
  {
    name: "camera",
    programs: CLIENT,
    value: { en: "n or name", pt: "n ou nome" },
    help: { en: "the camera to send (default: 0)", pt: "a câmera a enviar (padrão: 0)" },
  },
  {
    name: "talk",
    programs: BOTH,
    help: {
      en: "be seen and heard as well as see and hear: camera and microphone on",
      pt: "ser visto e ouvido além de ver e ouvir: câmera e microfone ligados",
    },
  },
  {
    name: "microphone",
    programs: BOTH,
    value: { en: "name", pt: "nome" },
    help: {
      en: "send its sound, or ticks: test (default: none; with --talk the system's)",
      pt: "enviar seu som, ou tiques: test (padrão: nenhum; com --talk o do sistema)",
    },
  },
  {
    name: "no-camera",
    programs: BOTH,
    help: { en: "talk without a picture", pt: "conversar sem imagem" },
  },
  {
    name: "no-sound",
    programs: BOTH,
    help: { en: "play no sound, whatever comes", pt: "não tocar som nenhum, venha o que vier" },
  },
  {
    name: "private",
    programs: SERVER,
    help: {
      en: "let only those call who have the code that is shown (default with --talk)",
      pt: "deixar ligar só quem tem o código mostrado (padrão com --talk)",
    },
  },
  {
    name: "open",
    programs: SERVER,
    help: {
      en: "let anybody on the network call (default without --talk)",
      pt: "deixar ligar qualquer um na rede (padrão sem --talk)",
    },
  },
  {
    name: "code",
    programs: CLIENT,
    value: { en: "code", pt: "código" },
    help: {
      en: "the server's code; all users here can read it (CHAMADA_CODE: only you)",
      pt: "o código do servidor; todos aqui podem lê-lo (CHAMADA_CODE: só você)",
    },
  },
  {
    name: "doctor",
    programs: BOTH,
    help: {
      en: "look at all that a call needs, say what helps, and exit",
      pt: "olhar tudo o que uma chamada precisa, dizer o que ajuda, e sair",
    },
  },
  {
    name: "list-cameras",
    programs: BOTH,
    help: { en: "print the cameras and exit", pt: "mostrar as câmeras e sair" },
  },
  {
    name: "list-devices",
    programs: BOTH,
    help: {
      en: "print the cameras and the microphones and exit",
      pt: "mostrar as câmeras e os microfones e sair",
    },
  },
  {
    name: "input",
    programs: BOTH,
    value: { en: "source", pt: "fonte" },
    help: {
      en: "in place of the camera: a file, a URL, or test (a moving picture)",
      pt: "no lugar da câmera: um arquivo, uma URL, ou test (imagem em movimento)",
    },
  },
  {
    name: "size",
    programs: BOTH,
    value: { en: "WxH", pt: "LxA" },
    help: {
      en: "size of the picture sent (default: 320x240)",
      pt: "tamanho da imagem enviada (padrão: 320x240)",
    },
  },
  {
    name: "fps",
    programs: CLIENT,
    value: { en: "n", pt: "n" },
    help: {
      en: "frames a second to send (default: 20)",
      pt: "quadros por segundo a enviar (padrão: 20)",
    },
  },
  {
    name: "no-mirror",
    programs: BOTH,
    help: {
      en: "do not flip the picture (default: mirrored, as a selfie)",
      pt: "não inverter a imagem (padrão: espelhada, como em uma selfie)",
    },
  },
  {
    name: "duration",
    programs: CLIENT,
    value: { en: "seconds", pt: "segundos" },
    help: {
      en: "hang up by itself after that long; 1m30s and 1:30 are taken, too",
      pt: "desligar sozinho depois desse tempo; 1m30s e 1:30 também servem",
    },
  },
  {
    name: "wire",
    programs: CLIENT,
    value: { en: "mode", pt: "modo" },
    help: {
      en: "call, plain (bare frames) or pickle (the report's) (default: call)",
      pt: "call, plain (só quadros) ou pickle (o do relatório) (padrão: call)",
    },
  },
  {
    name: "codec",
    programs: BOTH,
    value: { en: "codec", pt: "codec" },
    help: {
      en: "raw, mjpeg, h264 for a slow network, or auto, as with sound (default: raw)",
      pt: "raw, mjpeg, h264 para uma rede lenta, ou auto, como com som (padrão: raw)",
    },
  },
  {
    name: "patience",
    programs: BOTH,
    value: { en: "seconds", pt: "segundos" },
    help: {
      en: "how long a lost network is waited for (default: 30)",
      pt: "quanto tempo se espera por uma rede perdida (padrão: 30)",
    },
  },
  {
    name: "name",
    programs: BOTH,
    value: { en: "name", pt: "nome" },
    help: {
      en: "what the other end is told (default: the name of this machine)",
      pt: "o que se diz ao outro lado (padrão: o nome desta máquina)",
    },
  },
  {
    name: "no-display",
    programs: BOTH,
    help: {
      en: "no window (default: a window, where there is a screen)",
      pt: "sem janela (padrão: uma janela, onde há tela)",
    },
  },
  {
    name: "lang",
    programs: BOTH,
    value: { en: "pt|en", pt: "pt|en" },
    help: {
      en: "language of the sentences (default: that of the system)",
      pt: "língua das frases (padrão: a do sistema)",
    },
  },
  {
    name: "quiet",
    programs: BOTH,
    help: { en: "print warnings and errors only", pt: "mostrar apenas avisos e erros" },
  },
  {
    name: "verbose",
    programs: BOTH,
    help: { en: "print what happens inside, too", pt: "mostrar também o que acontece por dentro" },
  },
  {
    name: "trace",
    programs: BOTH,
    help: { en: "like --verbose, and every frame", pt: "como --verbose, e cada quadro" },
  },
  {
    name: "help",
    programs: BOTH,
    help: { en: "print this and exit", pt: "mostrar isto e sair" },
  },
  {
    name: "version",
    programs: BOTH,
    help: { en: "print the version and exit", pt: "mostrar a versão e sair" },
  },
];
