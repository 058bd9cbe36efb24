/**
 * The window and the loudspeaker of this end. Where one of them cannot be opened, the user hears
 * why, and the call goes on without it.
 */

import { NotInstalledError } from "./errors.ts";
import { Display, type DisplayOptions } from "./media/display.ts";
import { Loudspeaker } from "./media/loudspeaker.ts";
import type { Surroundings } from "./surroundings.ts";
import { installCommand } from "./user/sentences.ts";

/** A window. */
export interface WindowOptions extends Pick<DisplayOptions, "format" | "title" | "place"> {
  /** Hears that the user has closed it. */
  readonly onClosed: () => void;
}

/** Opens a window if there is to be one. If it cannot be opened, says so and goes on without. */
export function openDisplay(
  { onClosed, ...options }: WindowOptions,
  { messages, system, screen, watch }: Omit<Surroundings, "log">,
  warn: (sentence: string) => void,
): Display | undefined {
  if (screen === "none") return undefined;
  if (screen === undefined) {
    warn(messages.noScreen);
    return undefined;
  }
  try {
    const onStill = (): void => warn(messages.displayStill);
    const display = new Display({ ...options, driver: screen, onStill, watch });
    display.ended.then((end) => {
      if (end.kind === "closed") onClosed();
      else warn(messages.displayFailed(end.detail));
    });
    return display;
  } catch (error) {
    warn(
      error instanceof NotInstalledError
        ? messages.noFfplay(installCommand(system))
        : messages.displayFailed((error as Error).message),
    );
    return undefined;
  }
}

/** Opens a loudspeaker. If that cannot be, says so and goes on in silence. */
export function openLoudspeaker(
  { messages, system, watch }: Pick<Surroundings, "messages" | "system" | "watch">,
  warn: (sentence: string) => void,
): Loudspeaker | undefined {
  try {
    return new Loudspeaker({
      watch,
      onSilent: (detail) => warn(messages.noLoudspeaker(detail)),
      onHeard: () => warn(messages.loudspeakerBack),
    });
  } catch (error) {
    if (!(error instanceof NotInstalledError)) throw error;
    warn(messages.noLoudspeaker(messages.notInstalled("ffplay", installCommand(system))));
    return undefined;
  }
}
