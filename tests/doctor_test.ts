/**
 * The doctor: each line good and bad, in both languages, judged from facts; and from outside, on
 * machines on which a thing is missing.
 */

import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { freePort } from "../scripts/kit/port.ts";
import { canHear, SoundServer } from "../scripts/kit/sound_server.ts";
import { bar, explain, loudestOf } from "../lib/doctor.ts";
import { FfmpegError, MicrophoneError, NotInstalledError, SourceError } from "../lib/errors.ts";
import { readFirewall } from "../lib/firewall.ts";
import { DEFAULT_FORMAT } from "../lib/frame/format.ts";
import { parseLoudspeakers } from "../lib/media/loudspeakers.ts";
import {
  type CalleeLook,
  type Finding,
  type Judge,
  judgeAddress,
  judgeCallee,
  judgeCameras,
  judgeDeno,
  judgeDisk,
  judgeFfmpeg,
  judgeFfplay,
  judgeFirewall,
  judgeLoudspeakers,
  judgeMicrophone,
  judgePort,
  judgeScreen,
} from "../lib/user/diagnosis.ts";
import { doctorWordsIn } from "../lib/user/doctor_words.ts";
import { type Language, messagesIn } from "../lib/user/sentences.ts";
import {
  commandLine,
  type Outcome,
  Running,
  type StartOptions,
  temporaryFolder,
} from "./harness.ts";
import { startServer } from "./harness.ts";
import { canLink, Link, SERVER_ADDRESS } from "./link.ts";
import { test } from "./strict.ts";
import { linkTools } from "./tools.ts";

const LANGUAGES: readonly Language[] = ["en", "pt"];

function judgeIn(language: Language, system = "linux"): Judge {
  return { messages: messagesIn(language), words: doctorWordsIn(language), system };
}

const ENCODERS = new Set(["mpeg4", "mjpeg", "libx264", "libopus"]);
const PORTS = { tcp: 8080, udp: 24167 };
const ROUTE = {
  found: { address: "10.0.0.7", own: "10.0.0.9", card: "wlan0", isNear: true },
} as const;
const CALLEE = { host: "ana.local", port: 8080 };

/** Each fact with the states of its lines, and the cure of each bad one. */
const FACTS: readonly (readonly [(judge: Judge) => readonly Finding[], string, ...RegExp[]])[] = [
  [(j) => [judgeDeno("2.9.6", j)], "good"],
  [(j) => [judgeDeno("3.0.0", j)], "good"],
  [(j) => [judgeDeno("2.9.0-rc.1", j)], "good"],
  [(j) => [judgeDeno("2.8.9", j)], "bad", /deno upgrade/],
  [(j) => [judgeDeno("1.46.3", j)], "bad", /deno upgrade/],
  [(j) => judgeFfmpeg({ found: { version: "5.1", encoders: ENCODERS } }, j), "good"],
  [
    (j) => judgeFfmpeg({ found: { version: "5.1", encoders: new Set(["mpeg4", "mjpeg"]) } }, j),
    "good bad bad",
    /apt install/,
    /apt install/,
  ],
  [(j) => judgeFfmpeg({ problem: new NotInstalledError("ffmpeg") }, j), "bad", /apt install/],
  [(j) => judgeFfmpeg({ problem: new FfmpegError("old", "3.4") }, j), "bad", /apt install/],
  [(j) => [judgeFfplay({ found: "5.1" }, true, j)], "good"],
  [(j) => [judgeFfplay({ problem: new NotInstalledError("ffplay") }, true, j)], "bad", /apt/],
  [(j) => [judgeFfplay({ problem: new NotInstalledError("ffplay") }, false, j)], "open"],
  [(j) => [judgeScreen("x11", j)], "good"],
  [(j) => [judgeScreen("none", j)], "open"],
  [(j) => [judgeScreen(undefined, j)], "bad", /--no-display/],
  [(j) => judgeCameras({ found: [] }, true, j), "bad", /--input test/],
  [(j) => judgeCameras({ found: [] }, false, j), "open"],
  [
    (j) =>
      judgeCameras(
        {
          found: [
            { name: "0: C920" },
            {
              name: "2: C930",
              problem: new SourceError("busy", { isCamera: true, name: "/dev/video2" }),
            },
          ],
        },
        true,
        j,
      ),
    "good bad",
    /\/dev\/video2.*(close|feche)/,
  ],
  [(j) => [judgeMicrophone({ found: { name: "Jabra", peak: 0.1 } }, true, j)], "good"],
  [(j) => [judgeMicrophone({ found: { name: "Jabra", peak: 0 } }, true, j)], "bad", /Jabra/],
  [(j) => [judgeMicrophone({ found: { name: "Jabra", peak: 0 } }, false, j)], "open"],
  [(j) => [judgeMicrophone({ problem: new MicrophoneError("none") }, true, j)], "bad", /--list/],
  [(j) => [judgeLoudspeakers(["HDMI"], true, j)], "good"],
  [(j) => [judgeLoudspeakers([], true, j)], "bad", /--no-sound/],
  [(j) => [judgeLoudspeakers(undefined, true, j)], "open"],
  [
    (j) => judgeAddress({ address: "10.0.0.7", card: "a", why: "only", others: [] }, j),
    "good",
  ],
  [
    (j) => judgeAddress({ address: "10.0.0.7", card: "a", why: "router", others: ["::2"] }, j),
    "good open",
  ],
  [(j) => judgeAddress(undefined, j), "bad", /--host/],
  [(j) => [judgePort("10.0.0.7", 8080, undefined, j)], "good"],
  [(j) => [judgePort("10.0.0.7", 8080, new Deno.errors.AddrInUse(), j)], "bad", /--port/],
  [(j) => [judgeFirewall({ firewalld: false }, PORTS, j)], "open"],
  [(j) => [judgeFirewall({ ufw: "ENABLED=no\n", firewalld: false }, PORTS, j)], "open"],
  [
    (j) => [
      judgeFirewall({ ufw: "ENABLED=yes\n", ufwRules: "*filter\n", firewalld: false }, PORTS, j),
    ],
    "bad",
    /sudo ufw allow 8080\/tcp; sudo ufw allow 24167\/udp/,
  ],
  [
    (j) => {
      const ufwRules = "### tuple ### allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in\n";
      return [judgeFirewall({ ufw: "ENABLED=yes\n", ufwRules, firewalld: false }, PORTS, j)];
    },
    "good",
  ],
  [(j) => [judgeFirewall({ firewalld: true }, PORTS, j)], "open"],
  [(j) => [judgeDisk({ found: 41e9 }, "/home", j)], "good"],
  [(j) => [judgeDisk({ found: 400e6 }, "/home", j)], "bad", /--record/],
  [(j) => [judgeDisk({ problem: new Error("why") }, "/home", j)], "open"],
  [
    (j) =>
      judgeCallee({ route: { problem: new Deno.errors.ConnectionRefused() } }, CALLEE, FORMAT, j),
    "bad",
    /--host/,
  ],
  [(j) => callee({}, j), "good open open"],
  [
    (j) => callee({ answer: { name: "Ana", wantsCode: true }, roundTripMs: 1.2, megabits: 90 }, j),
    "good good good good",
  ],
  [(j) => callee({ megabits: 0.2 }, j), "good open bad", /--size/],
];
const FORMAT = DEFAULT_FORMAT;

function callee(look: Omit<CalleeLook, "route">, judge: Judge): Finding[] {
  return judgeCallee({ route: ROUTE, ...look }, CALLEE, FORMAT, judge);
}

test("doctor: each fact has its line, and each bad one what helps, in both languages", () => {
  for (const [judged, states, ...cures] of FACTS) {
    const found = LANGUAGES.map((language) => judged(judgeIn(language)));
    for (const findings of found) {
      assertEquals(findings.map(({ state }) => state).join(" "), states, `${judged}`);
      const bad = findings.filter(({ state }) => state === "bad");
      assertEquals(bad.length, cures.length);
      bad.forEach(({ text }, index) => assertMatch(text, cures[index]!));
      for (const { text } of findings) assert(!/undefined|NaN|\[object/.test(text), text);
    }
    // A name and a version are the same in every language.
    const isSame = /^(Deno|ffplay) [\w.-]+$/.test(found[0]![0]!.text);
    assertEquals(found[0]![0]!.text === found[1]![0]!.text, isSame, found[0]![0]!.text);
  }
});

test("doctor: the codec is the best that eight tenths of the rate carry", () => {
  const codecAt = (megabits: number): string | undefined =>
    /--codec (\w+)/.exec(callee({ megabits }, judgeIn("en")).at(-1)!.text)?.[1];
  assertEquals([47, 45, 4, 3.7, 0.47].map(codecAt), ["raw", "mjpeg", "mjpeg", "h264", "h264"]);
});

test("doctor: other systems than Linux keep their firewalls to themselves", () => {
  for (const system of ["darwin", "windows"]) {
    const { state } = judgeFirewall({ firewalld: false }, PORTS, judgeIn("en", system));
    assertEquals(state, "open");
  }
});

test("doctor: the files of the firewalls are read, and those that are not there mean nothing", async () => {
  await using folder = await temporaryFolder();
  const root = `${folder.path}/`;
  assertEquals(await readFirewall(root), {
    ...{ ufw: undefined, ufwRules: undefined, firewalld: false, nftables: undefined },
  });
  const wants = `${root}etc/systemd/system/multi-user.target.wants`;
  await Deno.mkdir(wants, { recursive: true });
  await Deno.mkdir(`${root}etc/ufw`);
  await Deno.writeTextFile(`${root}etc/ufw/ufw.conf`, "# on\nENABLED=yes\n");
  await Deno.writeTextFile(`${root}etc/nftables.conf`, "chain input { policy drop; }");
  await Deno.symlink("/lib/systemd/system/firewalld.service", `${wants}/firewalld.service`);
  const look = await readFirewall(root);
  assertEquals([look.firewalld, look.nftables, look.ufwRules], [true, undefined, undefined]);
  await Deno.symlink("/lib/systemd/system/nftables.service", `${wants}/nftables.service`);
  const { nftables } = await readFirewall(root);
  const judge = judgeIn("en");
  assertMatch(judgeFirewall({ firewalld: false, nftables }, PORTS, judge).text, /nft add rule/);
  assertMatch(judgeFirewall(look, PORTS, judge).text, /ufw is on.*sudo ufw allow/);
});

test("doctor: why an address is shown", () => {
  const card = (name: string, address: string, mac = "aa:bb:cc:00:00:01") =>
    ({ name, address, cidr: `${address}/24`, mac, family: "IPv4" }) as const;
  const [wlan, eth] = [card("wlan0", "192.168.1.7"), card("eth0", "10.0.0.7")];
  const head = "Iface Destination Gateway Flags RefCnt Use Metric Mask\n";
  const routes = `${head}eth0 00000000 0100000A 0003 0 0 100 00000000 0 0 0\n`;
  assertEquals(explain([wlan], "")?.why, "only");
  assertEquals(explain([wlan, eth], "")?.why, "likeliest");
  const { address, why, card: name } = explain([wlan, eth], routes)!;
  assertEquals([address, name, why], ["10.0.0.7", "eth0", "router"]);
  assertEquals(explain([], ""), undefined);
});

test("doctor: the level of sound, and loudspeakers as ffmpeg lists them", () => {
  assertEquals(loudestOf(new Uint8Array(960)), 0);
  assertEquals(loudestOf(Uint8Array.of(0, 0, 0, 0x80)), 1);
  assertAlmostEquals(loudestOf(Uint8Array.of(0xff, 0x3f, 7)), 0.5, 0.001);
  assertEquals([0, 0.001, 0.0316, 1].map((one) => bar(one).replaceAll("░", "").length), [
    ...[0, 0, 15, 30],
  ]);
  const pulse = "Auto-detected sinks for pulse:\n* spk0 [Built-in] (none)\n  spk1 [HDMI] (none)\n";
  assertEquals(parseLoudspeakers("pulse", pulse), ["Built-in", "HDMI"]);
  assertEquals(parseLoudspeakers("pulse", "Cannot list sinks"), undefined);
  const alsa =
    "Auto-detected sinks for alsa:\n  sysdefault:CARD=PCH [HDA Intel]\n  null [Nothing]\n";
  assertEquals(parseLoudspeakers("alsa", alsa), ["PCH, HDA Intel"]);
});

/** Runs the server's doctor on the loopback. */
async function doctor(
  args: readonly string[],
  options: StartOptions = {},
  port = freePort(),
): Promise<Outcome> {
  const line = ["--doctor", "--host", "127.0.0.1", "--port", String(port), ...args];
  await using running = new Running(commandLine("server", line), options);
  return await running.ended;
}

test(
  "doctor: a machine on which nothing is missing is well, exit 0, in both languages",
  async () => {
    for (const language of LANGUAGES) {
      const { code, stdout, stderr } = await doctor(["--no-display", "--lang", language]);
      const words = doctorWordsIn(language);
      const lines = stdout.trimEnd().split("\n");
      assertEquals([code, stderr], [0, ""], stdout);
      assertEquals([lines[0], lines.at(-1)], [words.title, words.summary(0)]);
      assertEquals(lines.slice(1, -1).every((line) => /^[✓–] /.test(line)), true, stdout);
      for (const part of [/✓ Deno \d/, /✓ ffmpeg \S+, .*mpeg4/, /✓ ffplay /]) {
        assertMatch(stdout, part);
      }
    }
  },
  { ignore: Deno.build.os !== "linux" },
);

test("doctor: what is missing is bad, with what helps, and exit 1", async () => {
  await using folder = await temporaryFolder();
  await using called = await startServer(["--no-record"]);
  const bare = await linkTools(`${folder.path}/bare`, ["sh"]);
  const player = await linkTools(`${folder.path}/player`, ["sh", "ffmpeg"]);
  const poor = await linkTools(`${folder.path}/poor`, ["sh", "ffplay", "cat"]);
  await Deno.writeTextFile(
    `${poor}/ffmpeg`,
    `#!/bin/sh\ncase "$*" in\n*-encoders*) printf 'ffmpeg version 5.1\\n V..... mpeg4  x\\n V..... rawvideo  x\\n' ;;\n` +
      `*v4l2*) echo "  /dev/video77 [Sala]"; echo "Raw : yuyv422" ;;\nesac\n`,
    { mode: 0o755 },
  );
  const cases: readonly (readonly [RegExp, readonly string[], StartOptions?, number?])[] = [
    [/^✗ ffmpeg is not installed: /m, ["--no-display"], { env: { PATH: bare } }],
    [/^✗ ffplay is not installed: /m, [], { env: { PATH: player, DISPLAY: ":77" } }],
    [/^✗ .* without the encoder libx264/m, ["--no-display"], { env: { PATH: poor } }],
    [/^✗ .*\/dev\/video77/m, ["--no-display", "--camera", "0"], { env: { PATH: poor } }],
    [/^✗ There is no screen here/m, []],
    [/^✗ No camera found/m, ["--no-display", "--talk", "--no-sound"]],
    [/^✗ (No sound server|There is no microphone)/m, ["--no-display", "--microphone", "0"], {
      env: { PULSE_SERVER: `unix:${folder.path}/none` },
    }],
    [/^✗ Port \d+ of 127\.0\.0\.1 is taken/m, ["--no-display"], {}, called.port],
    [/^✗ --record a\.txt: /m, ["--no-display", "--record", "a.txt"]],
    [/^✗ The folder of no\/a\.avi does not exist/m, ["--no-display", "--record", "no/a.avi"]],
  ];
  for (const [line, args, options, port] of cases) {
    const { code, stdout } = await doctor(args, options, port);
    assertMatch(stdout, line);
    assertEquals(code, 1, stdout);
    assertMatch(stdout, /^Lines with a problem: [1-9]/m);
  }
}, { ignore: Deno.build.os !== "linux" });

test("doctor: a microphone is heard for three seconds, and one that is silent is bad", async () => {
  await using server = await SoundServer.open();
  const env = server.client();
  const silent = await doctor(["--no-display", "--microphone", "0"], { env });
  assertMatch(silent.stdout, /^✗ The microphone 0 gives nothing but silence: turn it on/m);
  assertEquals(silent.code, 1);
  const tone = await doctor(["--no-display", "--microphone", "test"], { env });
  assertMatch(tone.stdout, /^✓ The microphone test gives sound: -\d+ dB at its loudest in 3 s$/m);
  assertMatch(tone.stdout, /^✓ Loudspeakers: \S/m);
  assertEquals(tone.code, 0, tone.stdout);
}, { ignore: !canHear, slow: true });

const AT = ["--doctor", "--input", "test", "--no-display"];

/** Looks at the server of a link. Resolves to the lines about it. */
async function look(link: Link, port: number): Promise<string> {
  const line = [...AT, "--host", SERVER_ADDRESS, "--port", String(port)];
  await using running = new Running(commandLine("client", line), link.client);
  return (await running.ended).stdout.split("which hears a short knock:\n")[1] ?? "";
}

for (const [megabits, codec, least, most] of [[5, "mjpeg", 3.9, 8], [2, "h264", 1, 3.5]] as const) {
  test(`doctor: a link of ${megabits} Mbit/s is measured, and carries ${codec}`, async () => {
    await using link = await Link.lay(megabits);
    assert(link);
    const args = ["--host", SERVER_ADDRESS, "--name", "Ana", "--no-record"];
    await using called = await startServer([...args, "--no-display"], link.server);
    const said = await look(link, called.port);
    assertMatch(
      said,
      /^✓ 10\.77\.0\.1 takes calls, on the same network as 10\.77\.0\.2 \(call\)$/m,
    );
    assertMatch(said, /^✓ A server of Chamada answers: Ana, open to anybody$/m);
    assertMatch(said, /^✓ There and back: \d+\.\d ms$/m);
    const [, rate, carried] = /^✓ About ([\d.]+) Mbit\/s go there: enough for --codec (\w+) at/m
      .exec(said)!;
    assert(Number(rate) >= least && Number(rate) <= most, said);
    assertEquals(carried, codec);
    // It was looked at, and nobody has called.
    assert(!/IN A CALL|Recorded|Received/.test(called.server.stdout));
    called.server.signal("SIGTERM");
    await called.server.exits(0);
  }, { ignore: !canLink });
}

test("doctor: a server that is hidden or private, nobody, an unknown name", async () => {
  await using link = await Link.lay();
  assert(link);
  const args = ["--host", SERVER_ADDRESS, "--no-record", "--no-display"];
  {
    await using hidden = await startServer([...args, "--hidden"], link.server);
    const said = await look(link, hidden.port);
    assertMatch(said, /^– Who listens there does not say who it is: a server with --hidden/m);
    assertMatch(said, /^– The rate cannot be measured/m);
  }
  {
    await using closed = await startServer([...args, "--private", "--name", "Ana"], link.server);
    const said = await look(link, closed.port);
    assertMatch(said, /^✓ A server of Chamada answers: Ana, wants a code$/m);
    assertMatch(said, /^✓ About \d+ Mbit\/s go there: enough for --codec raw at 320x240, 20 fps$/m);
  }
  assertMatch(await look(link, 9), /^✗ Nobody listens at \('10\.77\.0\.1', 9\): start the server/m);
  const line = [...AT, "--host", "no-such-host.invalid"];
  await using lost = new Running(commandLine("client", line), link.client);
  assertMatch((await lost.exits(1)).stdout, /^✗ The name no-such-host\.invalid is not known/m);
}, { ignore: !canLink });
