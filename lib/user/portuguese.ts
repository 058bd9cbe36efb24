/** Every sentence in Portuguese. Those of the report are kept as they stand there. */

import { BUSY } from "../errors.ts";
import { type NearMiss } from "../near_miss.ts";
import { bytes, count, duration, frames, liveCall } from "./figures.ts";
import { fitLine } from "./live_line.ts";
import type { Messages, NarrowCure, Party } from "./sentences.ts";

/** The sentences. */
export const portuguese: Messages = {
  hostIp: (address) => `HOST IP: ${address}`,
  listening: (host, port) => `ESCUTANDO EM: ('${host}', ${port})`,
  dialHint: (command) => `No outro computador: ${command}`,
  findHint: (command, withAddress) =>
    `No outro computador: ${command}, ou em uma rede que filtra: ${withAddress}`,
  cannotBeFound: (detail) =>
    `Quem chama não acha este servidor por si (${detail}): informe o endereço dele.`,
  onlyHere: (command) => `Só esta máquina pode chamar: ${command}`,
  scopeHint: "Depois do % o outro computador põe o nome da própria placa de rede.",
  otherAddresses: (list) =>
    `Esta máquina tem também outros endereços: ${list} (--host escolhe um, 0.0.0.0 são todos)`,
  code: (code) => `Código: ${code}`,
  ownCode: "Código: o seu, de CHAMADA_CODE",
  openToAll:
    "Qualquer um nesta rede pode ligar e escutar: com --private só liga quem tem um código.",
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

  found: (server, wantsCode) =>
    `Achado nesta rede: ${server}${wantsCode ? ", pede um código" : ""}`,
  foundSeveral: "Vários servidores respondem nesta rede, e nenhum é chamado. Escolha um:",
  foundNone:
    "Nenhum servidor responde nesta rede: chamando esta máquina. Se há um, informe o endereço dele com --host, ou tente --find.",
  findingOn:
    "Nenhum servidor responde ainda nesta rede: procurando até haver um (--wait). Se há um, informe o endereço dele com --host.",
  wantsCode: "pede um código",
  askingEach: (addresses) =>
    `Ainda sem resposta: perguntando a cada endereço de ${addresses} em separado.`,
  servers: "Servidores nesta rede:",
  noServers:
    "Nenhum servidor responde nesta rede: inicie um com serve, sem --hidden, ou informe o endereço dele com --host.",
  callingOn: "Chamando de novo a cada segundo até haver alguém (--wait).",

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
  withoutCode: (host) =>
    `${host} quer ligar e precisa do código: diga-o a quem está lá, ou deixe todos ligarem com --open.`,
  wrongCodes: (n, hosts) =>
    `Códigos errados até agora: ${n}, de ${hosts}. Quem adivinha tem 20 tentativas, depois uma por segundo.`,
  busyStranger: (host) => `${host} foi avisado de que a linha está ocupada.`,

  answered: (host, port) => `EM CHAMADA COM: ('${host}', ${port})`,
  hangUpHint: "Tecle q para desligar.",
  stayHint: (several) =>
    several
      ? "Tecle q para desligar todas as chamadas; de novo, ou sem nenhuma, q encerra o servidor."
      : "Tecle q para desligar; de novo, ou sem chamada, q encerra o servidor.",
  windowKeys: "Na janela: q ou Esc desliga, f é tela cheia e volta, espaço pausa a imagem.",
  muteHint: "m silencia o microfone, e de novo o liga.",
  headphones: "Com fones de ouvido, o outro lado não ouve a si mesmo.",
  muted: (muted) => muted ? "O microfone está silenciado: m o liga." : "O microfone está ligado.",
  peerMuted: (party, muted) =>
    muted
      ? `O ${partyPt(party)} silenciou o microfone.`
      : `O ${partyPt(party)} voltou a ser ouvido.`,
  microphoneBack: "O microfone voltou.",
  noLoudspeaker: (detail) =>
    `O som que chega não pode ser ouvido${
      detail && ` (${detail})`
    }: confira se há um alto-falante e se o servidor de som roda. A chamada continua, e o som volta sozinho; --no-sound diz que não se quer nenhum.`,
  loudspeakerBack: "O alto-falante voltou.",
  transcoderFailed: (from, to, detail) =>
    `O ffmpeg falhou três vezes ao mudar ${from} para ${to} (${detail}): feche programas que ocupam a memória, ou reinstale o ffmpeg. A chamada continua com o que funciona.`,
  codecChosen: (codec, sound) =>
    `As imagens saem como ${codec}${sound ? `, o som como ${sound}` : ""}: é o que a rede leva.`,
  endedBy: (party) =>
    party === "CLIENT"
      ? "Video Chamada encerrada pelo CLIENTE"
      : "Videochamada encerrada pelo HOST.",
  complaint: (party, reason) => `O ${partyPt(party)} disse por quê: ${reason}.`,
  lost: (party, how) => `Conexão com o ${partyPt(party)} perdida: ${portuguese.lostHow[how]}.`,
  inputOver: "A entrada acabou: a chamada continua sem imagem daqui.",
  networkGone: (how, patience) =>
    how === "silence"
      ? `Nada chega mais: esperando a rede, no máximo ${patience} s.`
      : "A conexão foi cortada: esperando a rede.",
  recordingCutShort: "A gravação termina com a última imagem que chegou.",
  networkBack: (seconds) =>
    `A rede voltou depois de ${seconds.toFixed(1).replace(".", ",")} s: a chamada continua.`,
  lostHow: {
    reset: "ela foi cortada",
    cut: "ela terminou no meio de um quadro",
    silence: "nada chegou por mais de 5 s",
    gone: "a rede não voltou a tempo",
    slow: "uma mensagem demorou demais",
    "no-bye": "ela terminou sem despedida",
  },
  refused: (reason) =>
    reason === BUSY
      ? "A linha está ocupada: o servidor está em outra chamada. Tente mais tarde, ou deixe-o atender mais com --max-calls."
      : reason === ""
      ? "O servidor recusou a chamada, e não disse por quê."
      : `O servidor recusou a chamada: ${reason}.`,
  askCode: "O servidor quer o seu código: digite-o e tecle Enter. Ele não aparece.",
  codeProblem: (kind) => {
    switch (kind) {
      case "wrong":
        return "O código está errado: peça-o de novo onde o servidor foi iniciado.";
      case "wanted":
        return "O servidor quer o seu código: ligue de um terminal, que o pede, ou informe-o em CHAMADA_CODE. Um servidor com --open não quer nenhum.";
      case "none":
        return "O servidor não conhece código, ou alguém no meio diz isso. Nada lhe foi dito; para ligar às abertas, deixe o código de fora.";
      case "later":
        return "O servidor ouviu códigos errados demais: tente de novo em alguns segundos.";
    }
  },
  changed: (party) =>
    `O que veio do ${
      partyPt(party)
    } foi alterado no caminho, e a chamada acabou. Alguém na rede pode estar por trás: tente outra rede.`,
  nonsense: (party, detail) =>
    `O ${partyPt(party)} disse algo que o Chamada não entende: ${detail}.`,
  nonsenseCure: "Do outro lado está o Chamada, da mesma versão, e o --wire é o certo?",
  nearMiss: describeMissPt,

  status: (s) => portuguese.statusLine([s], Infinity),
  statusLine: (statuses, columns) => {
    const words = {
      ...{ delay: "atraso", dropped: "descartados", file: "gravados" },
      waiting: "esperando a rede…",
      muted: { ours: "silenciado", theirs: "o outro lado silenciou" },
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
    `${count(s.lost, "pt")} perdidos${s.sound ? ", com som" : ""}: ${s.file} (${
      bytes(s.bytes, "pt")
    })`,
  notRecorded: (s) =>
    `Recebidos ${duration(s.seconds)}, ${frames(s.received, "pt")}, ${
      count(s.lost, "pt")
    } perdidos${s.sound ? ", com som" : ""}: sem gravação`,
  sent: (s) =>
    `Enviados ${duration(s.seconds)}, ${frames(s.frames, "pt")}, ${
      count(s.dropped, "pt")
    } descartados${s.sound ? ", com som" : ""}`,

  recordingFailed: (file, detail) =>
    `A gravação parou (${detail}). A chamada continua; o que foi gravado está em ${file}.`,
  recordingGoesOn: (file) => `A gravação continua em ${file}.`,
  noPictures: (party, { codec, width, height }) =>
    `Nenhuma imagem se faz do que o ${
      partyPt(party)
    } envia: não é ${codec} de ${width}x${height}, ou não tem quadro-chave.`,
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
  microphones: "Microfones:",
  noMicrophones:
    "Nenhum microfone encontrado. Conecte um; no Linux, veja se o servidor de som está rodando. --microphone test envia um tom.",
  microphone: (kind, name, detail) => {
    const because = detail && ` (${detail})`;
    const it = name ? `O microfone ${name}` : "O microfone";
    switch (kind) {
      case "none":
        return "Não há microfone aqui: conecte um. --list-devices mostra quais há.";
      case "no-server":
        return `Nenhum servidor de som responde, e não há placa de som${because}: inicie o PipeWire ou o PulseAudio, ou conecte um microfone.`;
      case "monitor":
        return `O microfone do sistema é o que o alto-falante toca (${name}): escolha outro nas configurações de som do sistema, ou com --microphone; há ${detail}.`;
      case "unknown":
        return `Não há microfone "${name}"${detail ? `; há ${detail}` : ""}: veja --list-devices.`;
      case "busy":
        return `${it} está em uso por outro programa: feche-o e tente de novo${because}.`;
      case "forbidden":
        return `${it} não pode ser usado${because}: no Linux, entre no grupo audio (sudo usermod -aG audio $USER); no macOS e no Windows, permita-o nas configurações de privacidade.`;
      case "silent":
        return `${it} não dá som: veja se está ligado; no macOS, permita-o nas configurações de privacidade.`;
      case "stopped":
        return `${it} parou de dar som${because}: foi desconectado, ou o servidor de som terminou? Tenta-se de novo.`;
      case "unreadable":
        return `${it} não pode ser aberto${because}: confira --microphone; --list-devices mostra os microfones.`;
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
    shortCode: (least) => `CHAMADA_CODE: um código seu tem ao menos ${least} caracteres`,
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
    place: (place) => `não há ${place}; os lugares em um nome são {date}, {time} e {peer}`,
    recording: (typed) => `uma gravação é um arquivo AVI, MKV ou MP4: digite ${typed}`,
  },
};

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
