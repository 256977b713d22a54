/** Plain polling: a request every second or so, each from the cursor of the answer before. */
import type { SetTimer } from "../clock.ts";
import type { Place, Transport } from "../transport.ts";
import { checkBatch, parseJson } from "./checked.ts";
import { ask, type HttpOptions, wholeText } from "./http.ts";
import { type Answer, pollLoop } from "./poll-loop.ts";

export interface PollOptions extends HttpOptions {
  /** Between two polls, in milliseconds. */
  readonly intervalMs?: number;
  readonly setTimer?: SetTimer;
}

export function poll({ intervalMs = 1_000, setTimer, ...http }: PollOptions): Transport {
  return {
    name: "poll",
    async *open(place, signal) {
      const first = await askOnce(http, place, signal);
      const again = (after: string) => askOnce(http, { after }, signal);
      yield* pollLoop(first, again, { intervalMs, held: false, signal, setTimer });
    },
  };
}

/** One batch. @param query more of it, such as `wait` */
export async function askOnce(
  options: HttpOptions,
  place: Place,
  signal: AbortSignal,
  query: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const question = { place, query, accept: "application/json" };
  const response = await ask(options, question, signal);
  const text = await wholeText(response, signal, options.onBytes);
  const batch = checkBatch(parseJson(text));
  return { batch, full: batch.events.length >= FULL_EVENTS || text.length >= FULL_CHARS };
}

// What the server cuts a batch at is 1,000 events or 256 KiB, where the next may have been 64 KiB.
const FULL_EVENTS = 1_000;
const FULL_CHARS = 128 * 1024;
