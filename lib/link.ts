/** The link of a call under watch: the user hears if it is too narrow, and the codec follows it. */

import type { Format } from "./frame/format.ts";
import type { Outgoing, Taker } from "./outgoing.ts";
import type { Surroundings } from "./surroundings.ts";
import type { NarrowCure } from "./user/sentences.ts";
import { CodecChoice } from "./wire/codec_choice.ts";
import type { Line } from "./wire/line.ts";
import { LinkWatch } from "./wire/link_watch.ts";

/** Milliseconds between two looks at the link, for a narrow one and for the codec it carries. */
const LINK_MS = 250;
const CODEC_MS = 100;

/** Tells the user, once, that the link is too narrow, until disposed of. */
export function watchLink(
  line: Pick<Line, "figures">,
  cure: NarrowCure,
  { log, messages }: Pick<Surroundings, "log" | "messages">,
): Disposable {
  const watch = new LinkWatch();
  return every(LINK_MS, () => {
    if (watch.look(line.figures, performance.now())) log.warn(messages.narrowLink(cure));
  });
}

/** Gives a taker the codecs that its line carries, until disposed of. */
export function followLink(
  line: Pick<Line, "figures" | "link">,
  outgoing: Outgoing,
  taker: Taker,
  { log, messages }: Pick<Surroundings, "log" | "messages">,
): Disposable {
  const { formats } = outgoing;
  const pictures = formats.filter((format) => format.kind === "video");
  const choice = new CodecChoice(pictures[0]!, pictures.map(({ codec }) => codec));
  const choose = (wanted: Format["codec"]): boolean => {
    const stream = formats.findIndex(({ codec }) => codec === wanted);
    if (stream >= 0) outgoing.choose(taker, stream);
    return stream >= 0;
  };
  return every(CODEC_MS, () => {
    if (line.link === undefined) return;
    const news = choice.look({ ...line.figures, ...line.link }, performance.now());
    if (news === undefined) return;
    choose(news.codec);
    const hasSound = choose(news.sound);
    log.debug("call", `${news.codec}${news.isTry ? ", for a try" : ""}`);
    if (!news.isTry) log.say(messages.codecChosen(news.codec, hasSound ? news.sound : undefined));
  });
}

function every(ms: number, look: () => void): Disposable {
  const timer = setInterval(look, ms);
  return { [Symbol.dispose]: (): void => clearInterval(timer) };
}
