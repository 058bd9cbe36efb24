import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { MicrophoneError } from "../lib/errors.ts";
import type { Device } from "../lib/media/devices.ts";
import {
  findMicrophone,
  microphoneArguments,
  microphoneListArguments,
  type Microphones,
  parseMicrophones,
  type SoundLayer,
} from "../lib/media/microphones.ts";
import { test } from "./strict.ts";

const LAYERS: readonly SoundLayer[] = ["pulse", "alsa", "avfoundation", "dshow"];

const first = (layer: SoundLayer, device: string): string =>
  microphoneArguments({ layer, device })[0]!.join(" ");

const CONVERTED = ["-af", "asetpts=N", "-ac", "1", "-ar", "48000"];

test("microphone arguments: an ffmpeg without the filters of packets is asked to convert", () => {
  const [copied, converted] = microphoneArguments({ layer: "pulse", device: "default" });
  assert(copied!.includes("copy"));
  assertEquals(
    converted!.join(" "),
    `-f pulse -channels 1 -sample_rate 48000 -fragment_size 960 -i default ${CONVERTED.join(" ")}`,
  );
});

test("microphone arguments: each layer gives small packets, of one channel where it can", () => {
  assertEquals(
    first("pulse", "default"),
    "-f pulse -wallclock 0 -channels 1 -sample_rate 48000 -fragment_size 960 -i default " +
      "-c copy -bsf:a pcm_rechunk=n=480:p=0,setts=N",
  );
  assertEquals(
    first("alsa", "default"),
    `-f alsa -channels 1 -sample_rate 48000 -i default ${CONVERTED.join(" ")}`,
  );
  assertEquals(
    first("avfoundation", "default"),
    `-f avfoundation -i :default ${CONVERTED.join(" ")}`,
  );
  assertEquals(first("avfoundation", "1"), `-f avfoundation -i :1 ${CONVERTED.join(" ")}`);
  const input = ["-i", "audio=Microfone (USB), nº 2", ...CONVERTED];
  assertEquals(
    microphoneArguments({ layer: "dshow", device: "Microfone (USB), nº 2" }),
    [
      ["-f", "dshow", "-audio_buffer_size", "20", ...input],
      ["-f", "dshow", "-audio_buffer_size", "50", ...input],
      ["-f", "dshow", ...input],
    ],
  );
});

test("microphone arguments: the last way asks for nothing that a device may refuse", () => {
  for (const layer of LAYERS) {
    const last = microphoneArguments({ layer, device: "X" }).at(-1)!;
    assert(!/-channels|-sample_rate|-audio_buffer_size/.test(last.join(" ")), last.join(" "));
  }
});

test("microphone list arguments: each layer is asked by its own name", () => {
  assertEquals(LAYERS.map((layer) => microphoneListArguments(layer).join(" ")), [
    "-hide_banner -sources pulse",
    "-hide_banner -sources alsa",
    "-hide_banner -f avfoundation -list_devices true -i ",
    "-hide_banner -f dshow -list_devices true -i dummy",
  ]);
});

const HEADSET: Device = { index: 0, name: "Fone [USB] (mono)", device: "alsa_input.usb-Fone.mono" };
const BUILT_IN: Device = {
  index: 1,
  name: "Built-in Audio Analog Stereo",
  device: "alsa_input.pci-0000_00_1f.3.analog-stereo",
};

test("microphone list: a sound server's sources without the monitors, of ffmpeg 4 and of later ones", () => {
  for (const end of ["", " (none)", " (audio)"]) {
    const text = [
      "Auto-detected sources for pulse:",
      `  alsa_output.pci-0000_00_1f.3.analog-stereo.monitor [Monitor of Built-in Audio]${end}`,
      `  alsa_input.usb-Fone.mono [Fone [USB] (mono)]${end}`,
      `* alsa_input.pci-0000_00_1f.3.analog-stereo [Built-in Audio Analog Stereo]${end}`,
    ];
    for (const newline of ["\n", "\r\n"]) {
      assertEquals(parseMicrophones("pulse", text.join(newline)), {
        layer: "pulse",
        found: [HEADSET, BUILT_IN],
        monitor: undefined,
      });
    }
  }
});

test("microphone list: a monitor that is the system's own microphone is named", () => {
  const text = [
    "Auto-detected sources for pulse:",
    "* spk.monitor [Monitor of Null Output] (none)",
    "  alsa_input.usb-Fone.mono [Fone [USB] (mono)] (none)",
    "  other.monitor [Monitor of Other] (none)",
  ].join("\n");
  assertEquals(parseMicrophones("pulse", text), {
    layer: "pulse",
    found: [HEADSET],
    monitor: "Monitor of Null Output",
  });
});

test("microphone list: a sound server that does not answer is told from one without microphones", () => {
  const heading = "Auto-detected sources for pulse:\n";
  const refused = `${heading}Cannot list sources: Generic error in an external library\n`;
  assertEquals(parseMicrophones("pulse", refused), undefined);
  assertEquals(parseMicrophones("pulse", ""), undefined);
  assertEquals(parseMicrophones("pulse", heading)?.found, []);
});

test("microphone list: of the many names of a sound card, one", () => {
  const text = [
    "Auto-detected sources for alsa:",
    "  null [Discard all samples (playback) or generate zero samples (capture)] (none)",
    "* default [Playback/recording through the PulseAudio sound server] (none)",
    "  hw:CARD=PCH,DEV=0 [Direct hardware device without any conversions] (none)",
    "  plughw:CARD=PCH,DEV=0 [Hardware device with all software conversions] (none)",
    "  sysdefault:CARD=PCH [Default Audio Device] (none)",
    "  front:CARD=PCH,DEV=0 [Front output / input] (none)",
    "  sysdefault:CARD=Webcam [Default Audio Device] (none)",
  ].join("\n");
  assertEquals(parseMicrophones("alsa", text)?.found, [
    { index: 0, name: "PCH, Default Audio Device", device: "sysdefault:CARD=PCH" },
    { index: 1, name: "Webcam, Default Audio Device", device: "sysdefault:CARD=Webcam" },
  ]);
  assertEquals(parseMicrophones("alsa", "")?.found, []);
});

test("microphone list: macOS, without cameras and screens", () => {
  for (const prefix of ["[AVFoundation indev @ 0x7fb2c8f04e40] ", "[in#0 @ 0x600003e1c000] "]) {
    const text = [
      "AVFoundation video devices:",
      "[0] FaceTime HD Camera (Built-in)",
      "[1] Capture screen 0",
      "AVFoundation audio devices:",
      "[0] MacBook Pro Microphone",
      "[1] Microfone do iPhone de “João”, [1]",
    ].map((line) => prefix + line).join("\n");
    assertEquals(parseMicrophones("avfoundation", `${text}\n: Input/output error`)?.found, [
      { index: 0, name: "MacBook Pro Microphone", device: "0" },
      { index: 1, name: "Microfone do iPhone de “João”, [1]", device: "1" },
    ]);
  }
});

const WAVE = String
  .raw`"@device_cm_{33D9A762-90C8-11D0-BD43-00A0C911CE86}\wave_{236214EE-E87B-4088-895B-523B69D536D0}"`;

test("microphone list: Windows with headings, up to ffmpeg 4", () => {
  const text = [
    "DirectShow video devices (some may be both video and audio devices)",
    ' "HD Pro Webcam C920"',
    `    Alternative name ${WAVE}`,
    "DirectShow audio devices",
    ' "Microfone (HD Pro Webcam C920)"',
    `    Alternative name ${WAVE}`,
    ' "Grupo de microfones (Realtek)"',
    `    Alternative name ${WAVE}`,
    "dummy: Immediate exit requested",
  ].map((line) => `[dshow @ 000001f6f6b5a440] ${line}`).join("\r\n");
  assertEquals(parseMicrophones("dshow", text)?.found.map(({ name }) => name), [
    "Microfone (HD Pro Webcam C920)",
    "Grupo de microfones (Realtek)",
  ]);
});

test("microphone list: Windows with the kind behind each name, behind any prefix", () => {
  for (const prefix of ["[dshow @ 000001f6f6b5a440] ", "[in#0 @ 0000021f4d1f8a40] ", ""]) {
    const text = [
      `${prefix}"HD Pro Webcam C920" (video)`,
      `${prefix}  Alternative name ${WAVE}`,
      `${prefix}"Placa de captura" (audio, video)`,
      `${prefix}"Microfone (HD Pro Webcam C920)" (audio)`,
      `${prefix}  Alternative name ${WAVE}`,
      `${prefix}"Outra coisa" (none)`,
      `${prefix}Error opening input: Immediate exit requested`,
    ].join("\r\n");
    assertEquals(parseMicrophones("dshow", text)?.found, [
      { index: 0, name: "Placa de captura", device: "Placa de captura" },
      {
        index: 1,
        name: "Microfone (HD Pro Webcam C920)",
        device: "Microfone (HD Pro Webcam C920)",
      },
    ], prefix);
  }
});

test("findMicrophone(): an index, a name, a part of one, or ffmpeg's own name for it", () => {
  const list: Microphones = { layer: "pulse", found: [HEADSET, BUILT_IN] };
  for (const wanted of ["1", "Built-in Audio Analog Stereo", "built-in", BUILT_IN.device]) {
    assertEquals(findMicrophone(wanted, list), { layer: "pulse", device: BUILT_IN.device });
  }
});

test("findMicrophone(): an unknown one is refused with those there are", () => {
  const list: Microphones = { layer: "pulse", found: [HEADSET, BUILT_IN] };
  for (const wanted of ["2", "Blue Yeti", "spk.monitor"]) {
    const error = assertThrows(() => findMicrophone(wanted, list), MicrophoneError);
    assertEquals([error.kind, error.microphone], ["unknown", wanted]);
    assertMatch(error.detail, /^0: Fone \[USB\] \(mono\), 1: Built-in/);
  }
  const empty = assertThrows(
    () => findMicrophone("0", { layer: "dshow", found: [] }),
    MicrophoneError,
  );
  assertEquals([empty.kind, empty.detail], ["unknown", ""]);
});
