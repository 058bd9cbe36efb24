/** The text of `--help`, made of the table of options. */

import type { Program } from "./command_line.ts";
import { OPTIONS } from "./option_table.ts";
import type { Language } from "./sentences.ts";

const HELP = {
  en: {
    about: {
      server: "Answers a video call: shows it in a window and records it.",
      client: "Makes a video call: sends this machine's camera to a server on the network.",
    },
    usage: "Usage",
    options: "Options",
    examples: "Examples",
    exits: "Exit status",
    ending: "q in the window or in the terminal, closing the window, or Ctrl-C hangs up.",
    keys: "In a window, Esc hangs up as well, f is full screen and back, space pauses the picture.",
    exit: [
      "0  either side hung up, --duration was reached, or the input ended",
      "1  it could not be done, or not whole: no camera, port taken, refused, recording failed",
      "2  a wrong option, or options that contradict each other",
      "3  the other side was lost: cut off, killed, or silent for too long",
    ],
    example: {
      server: [
        ["", "answer one call and record it to video.avi"],
        ["--talk", "the same, and show the caller this machine's camera"],
        ["--stay --record aula.avi", "one call after the other: aula.avi, aula-2.avi, …"],
        ["--host 0.0.0.0 --no-display", "listen on every network, record without a window"],
      ],
      client: [
        ["", "call the server on this network with the camera"],
        ["--host 192.168.1.7", "call the server at that address"],
        ["--host 192.168.1.7 --input test", "send a moving test picture instead"],
        ["--list-cameras", "see which cameras there are"],
      ],
    },
  },
  pt: {
    about: {
      server: "Atende uma chamada de vídeo: mostra em uma janela e grava.",
      client: "Faz uma chamada de vídeo: envia a câmera desta máquina a um servidor da rede.",
    },
    usage: "Uso",
    options: "Opções",
    examples: "Exemplos",
    exits: "Código de saída",
    ending: "q na janela ou no terminal, fechar a janela, ou Ctrl-C desliga.",
    keys: "Na janela, Esc também desliga, f é tela cheia e volta, espaço pausa a imagem.",
    exit: [
      "0  um dos lados desligou, --duration foi atingido, ou a entrada acabou",
      "1  não foi possível, ou não por inteiro: sem câmera, porta em uso, recusa, falha ao gravar",
      "2  uma opção errada, ou opções que se contradizem",
      "3  o outro lado se perdeu: cortado, morto, ou calado por tempo demais",
    ],
    example: {
      server: [
        ["", "atender uma chamada e gravá-la em video.avi"],
        ["--talk", "o mesmo, e mostrar a quem chama a câmera daqui"],
        ["--stay --record aula.avi", "uma chamada após a outra: aula.avi, aula-2.avi, …"],
        ["--host 0.0.0.0 --no-display", "escutar em todas as redes, gravar sem janela"],
      ],
      client: [
        ["", "chamar com a câmera o servidor desta rede"],
        ["--host 192.168.1.7", "chamar o servidor nesse endereço"],
        ["--host 192.168.1.7 --input test", "enviar no lugar uma imagem de teste em movimento"],
        ["--list-cameras", "ver que câmeras há"],
      ],
    },
  },
} as const;

/** The text of `--help`. `command` is how the user starts the program. */
export function formatHelp(program: Program, command: string, language: Language): string {
  const text = HELP[language];
  const options = OPTIONS.filter(({ programs }) => programs.includes(program)).map((option) => ({
    left: `--${option.name}${option.value ? ` <${option.value[language]}>` : ""}`,
    right: option.help[language],
  }));
  const width = Math.max(...options.map(({ left }) => left.length));
  const examples = text.example[program].map(([args, what]) => ({
    left: `${command} ${args}`.trim(),
    right: what,
  }));
  const exampleWidth = Math.max(...examples.map(({ left }) => left.length));
  return [
    text.about[program],
    "",
    `${text.usage}: ${command} [${text.options.toLowerCase()}]`,
    "",
    `${text.options}:`,
    ...options.map(({ left, right }) => `  ${left.padEnd(width)}  ${right}`),
    "",
    text.ending,
    text.keys,
    "",
    `${text.examples}:`,
    ...examples.map(({ left, right }) => `  ${left.padEnd(exampleWidth)}  ${right}`),
    "",
    `${text.exits}:`,
    ...text.exit.map((line) => `  ${line}`),
  ].join("\n");
}
