/**
 * Polling and long-polling of a topic: one batch, at once or as soon as there is something. The
 * server keeps nothing between two polls; the client's cursor is all there is.
 */
import type { Batch } from "../contract.ts";
import type { Hub } from "../hub.ts";
import { onGone, type Requester } from "../wire/on-gone.ts";

export interface LongPollOptions {
  topic: unknown;
  after?: unknown;
  last?: unknown;
  limit?: number | undefined;
  /** How long to hold the answer until there is something, in milliseconds. 0: not at all. */
  waitMs: number;
}

/**
 * @returns one batch; an empty one has a cursor too
 * @throws {PushError} what `hub.subscribe` throws
 */
export async function answerPoll(
  request: Requester,
  hub: Hub,
  { topic, after, last, limit, waitMs }: LongPollOptions,
): Promise<Batch> {
  const subscription = await hub.subscribe(topic, { after, last });
  const stopWatching = onGone(request, () => subscription.close());
  try {
    return await subscription.next({ limit, waitMs });
  } finally {
    stopWatching();
    subscription.close();
  }
}
