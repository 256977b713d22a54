/** The loop of every transport that polls: ask, give, and ask again when it is time. */
import type { SetTimer } from "../clock.ts";
import type { TopicBatch } from "../transport.ts";
import { wait } from "../wait.ts";

export interface PollPace {
  /** Between two polls that are answered at once, in milliseconds. */
  intervalMs: number;
  /** The server holds a poll until there is something; then the next one follows at once. */
  held: boolean;
}

export interface PollLoopOptions extends PollPace {
  readonly signal: AbortSignal;
  /** A monotonic clock in milliseconds. */
  readonly now?: (() => number) | undefined;
  readonly setTimer?: SetTimer | undefined;
}

export interface Answer {
  readonly batch: TopicBatch;
  /** The batch was cut to its limit, so more may wait. */
  readonly full: boolean;
}

/** @param first what the first question gave; `ask` gets the cursor of the batch before */
export async function* pollLoop(
  first: Answer,
  ask: (cursor: string) => Promise<Answer>,
  { intervalMs, held, signal, now = () => performance.now(), setTimer }: PollLoopOptions,
): AsyncGenerator<TopicBatch, never> {
  let answer = first;
  let atOnce = answer.full || held;
  for (;;) {
    yield answer.batch;
    if (!atOnce) await wait(intervalMs, { signal, setTimer });
    const askedAt = now();
    answer = await ask(answer.batch.cursor);
    // A server, or a cache before it, that does not hold polls must not be asked without a pause; nor
    // two servers in turn, to each of which the other's cursor means that the log began anew.
    const { events, gap } = answer.batch;
    const goesOn = events.length > 0 && gap?.missed !== null;
    const wasHeld = held && (goesOn || now() - askedAt >= intervalMs);
    atOnce = (answer.full && goesOn) || wasHeld;
  }
}
