/** Long-polling: the server holds each request until there is something. Works through anything. */
import type { SetTimer } from "../clock.ts";
import type { Transport } from "../transport.ts";
import type { HttpOptions } from "./http.ts";
import { askOnce } from "./poll.ts";
import { pollLoop } from "./poll-loop.ts";

export interface LongPollOptions extends HttpOptions {
  /** How long the server may hold a request, in seconds, up to 30. */
  readonly waitSeconds?: number;
  /** The pause after an empty answer that was not held. */
  readonly intervalMs?: number;
  readonly setTimer?: SetTimer;
}

export function longPoll({
  waitSeconds = 25, // proxies and mobile networks cut idle requests from 30 s on
  intervalMs = 1_000,
  setTimer,
  ...http
}: LongPollOptions): Transport {
  const query = { wait: String(waitSeconds) };
  return {
    name: "long-poll",
    async *open(place, signal) {
      // Not held: whoever begins at "latest" has to know its cursor before it waits.
      const first = await askOnce(http, place, signal);
      const again = (after: string) => askOnce(http, { after }, signal, query);
      yield* pollLoop(first, again, { intervalMs, held: true, signal, setTimer });
    },
  };
}
