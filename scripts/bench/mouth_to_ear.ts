/**
 * Mouth to ear: from a click at a microphone to the same click at the other end's loudspeaker, in
 * talks with pictures, over links of several kinds. Both are those of a sound server of the bench's
 * own (scripts/kit/sound_server.ts).
 */

import { Link } from "../../tests/link.ts";
import { Screen } from "../../tests/screen.ts";
import { hearClicks, type HeardClicks, untilHeard } from "../kit/clicks.ts";
import { SoundServer } from "../kit/sound_server.ts";
import { UnsteadyRelay } from "../kit/unsteady_relay.ts";
import { WIDE_SCREEN } from "./eye.ts";
import { figureOf, percentile } from "./figure.ts";
import { longTalk } from "./long_talk.ts";
import { SOUND_SERVER } from "./packages.ts";
import {
  type Bench,
  type Contender,
  figuresOf,
  type Findings,
  inTurn,
  note,
  OURS,
  type Row,
  type Section,
  type Skip,
  type Values,
} from "./section.ts";
import {
  GSTREAMER_SMALL_TALK,
  GSTREAMER_TALK,
  type TalkPair,
  TUNED_TALK,
  TYPED_TALK,
} from "./talk_pairs.ts";
import { openOurTalk, openPairTalk, type TalkPlace } from "./talks.ts";

/** The tools of all talks here. */
const TOOLS = ["ffmpeg", "ffplay", "Xvfb", SOUND_SERVER];

/** Clicks in a round, and of a pair that takes seconds for each. */
const CLICKS = 40;
const LATE_CLICKS = 8;

/** Milliseconds of the stall. */
const STALL_MS = 300;

/** A link, and the pairs beside us on it. */
interface Way {
  readonly id: string;
  readonly what: string;
  readonly megabits?: number;
  readonly pairs: readonly TalkPair[];
}

/** Typed as it is, ffplay takes seconds wherever it is. One way is enough to see that. */
const WAYS: readonly Way[] = [
  {
    ...{ id: "loopback", what: "within a machine (raw, PCM)" },
    pairs: [TYPED_TALK, TUNED_TALK, GSTREAMER_TALK],
  },
  {
    ...{ id: "20", what: "20 Mbit/s (mjpeg, PCM)", megabits: 20 },
    pairs: [TUNED_TALK, GSTREAMER_TALK],
  },
  {
    ...{ id: "5", what: "5 Mbit/s (mjpeg, PCM)", megabits: 5 },
    pairs: [TUNED_TALK, GSTREAMER_TALK],
  },
  {
    ...{ id: "1", what: "1 Mbit/s (h264, opus)", megabits: 1 },
    pairs: [TUNED_TALK, GSTREAMER_SMALL_TALK],
  },
];

/** The section. */
export const mouthToEar: Section = {
  name: "sound",
  title: "Mouth to ear",
  async run(bench: Bench): Promise<Findings> {
    const missing = bench.missing(TOOLS);
    if (missing !== undefined) return { rows: [], skips: [{ what: "all of it", why: missing }] };
    const rows: Row[] = [];
    const skips: Skip[] = [];
    for (const way of bench.smoke ? WAYS.slice(0, 1) : WAYS) {
      const found = await measureWay(bench, way);
      rows.push(...found.rows);
      skips.push(...found.skips);
    }
    rows.push(await measureStall(bench));
    if (bench.minutes > 0) rows.push(...await longTalk(bench));
    return { rows, skips };
  },
};

/** Runs something with a sound server of its own for two people, a screen, and maybe a link. */
async function withPlace<T>(
  megabits: number | undefined,
  use: (place: TalkPlace) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const link = megabits === undefined
    ? undefined
    : stack.use(must(await Link.lay(megabits, ["client", "server"])));
  const screen = stack.use(await Screen.open(WIDE_SCREEN));
  const sound = stack.use(await SoundServer.open({ loudspeakers: 2, microphones: 2 }));
  return await use({ sound, display: screen.display, link });
}

function must(link: Link | undefined): Link {
  if (link === undefined) throw new Error("Cannot lay a link: namespaces take root's rights");
  return link;
}

async function measureWay(bench: Bench, { id, what, megabits, pairs }: Way): Promise<Findings> {
  const [medians, late]: [Values, Values] = [new Map(), new Map()];
  const clicks = bench.smoke ? 5 : CLICKS;
  const contenders: Contender<HeardClicks>[] = [
    {
      ...{ name: OURS, needs: TOOLS },
      measure: () =>
        withPlace(megabits, async (place) => {
          await using talk = await openOurTalk(place);
          await talk.client.says(/pictures go out as/);
          return await listen(place, clicks);
        }),
    },
    ...(bench.smoke ? [] : pairs).map((pair) => ({
      ...{ name: pair.name, needs: [...TOOLS, ...pair.needs] },
      measure: (): Promise<HeardClicks> =>
        withPlace(megabits, async (place) => {
          await using _talk = await openPairTalk(pair, place);
          const count = pair === TYPED_TALK ? LATE_CLICKS : clicks;
          return await listen(place, count, pair.patienceMs);
        }),
    })),
  ];
  const skips = await inTurn<HeardClicks>(bench, {
    rounds: bench.smoke ? 1 : 3,
    what: `mouth to ear, ${what}`,
    contenders,
    take(name, { delaysMs, lost }): void {
      if (lost > delaysMs.length) throw new Error(`${lost} clicks were not heard`);
      note(medians, name, percentile(delaysMs, 50));
      note(late, name, percentile(delaysMs, 95));
    },
  });
  const common = { unit: "ms", better: "less" } as const;
  const rows: Row[] = [
    { ...common, id: `sound.${id}.median`, what: `${what}: median`, figures: figuresOf(medians) },
    { ...common, id: `sound.${id}.p95`, what: `${what}: 95 of 100`, figures: figuresOf(late) },
  ];
  return { rows, skips };
}

/** Listens at the receiver for the clicks of the sender, once the talk has begun. */
async function listen(
  { sound }: TalkPlace,
  count: number,
  patienceMs?: number,
): Promise<HeardClicks> {
  const [microphone, ear] = [sound.microphones[1]!, sound.ears[0]!];
  const patience = patienceMs === undefined ? {} : { patienceMs };
  await untilHeard(microphone, ear, patience);
  return await hearClicks(microphone, ear, { count, ...patience });
}

/** The time from the end of a stall to the first click that is heard as soon as before. */
async function measureStall(bench: Bench): Promise<Row> {
  bench.say(`mouth to ear, a stall of ${STALL_MS} ms`);
  const backMs = await withPlace(undefined, async (place) => {
    await using stack = new AsyncDisposableStack();
    let relay: UnsteadyRelay;
    const talk = await openOurTalk(
      place,
      ["--no-display"],
      (port) => (relay = stack.use(new UnsteadyRelay(port, 0))).port,
    );
    stack.use(talk);
    await listen(place, 5);
    const values: number[] = [];
    for (let stall = 0; stall < (bench.smoke ? 1 : 10); stall++) {
      await relay!.stand(STALL_MS);
      values.push(await untilBack(place.sound, performance.now()));
    }
    return values;
  });
  return {
    id: "sound.stall",
    what: `a stall of ${STALL_MS} ms: until it is heard in time again`,
    ...{ unit: "ms", better: "less", figures: { [OURS]: figureOf(backMs) } },
  };
}

/** The milliseconds since a moment until a click is heard in time. */
async function untilBack(sound: SoundServer, sinceMs: number): Promise<number> {
  const [microphone, ear] = [sound.microphones[1]!, sound.ears[0]!];
  while (true) {
    const { delaysMs: [delayMs] } = await hearClicks(microphone, ear, { count: 1, apartMs: 150 });
    if (delayMs !== undefined) return performance.now() - 150 + delayMs - sinceMs;
  }
}
