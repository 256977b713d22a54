/**
 * Polling and long-polling of a topic: one batch, at once or as soon as there is something. The
 * server keeps nothing between two polls; the client's cursor is all there is.
 */
import type { Writable } from "node:stream";
import type { Batch } from "../contract.ts";
import type { Hub } from "../hub.ts";

export interface LongPollOptions {
  topic: unknown;
  after?: unknown;
  last?: unknown;
  limit?: number | undefined;
  /** How long to hold the answer until there is something, in milliseconds. 0: not at all. */
  waitMs: number;
}

/**
 * @param client where the answer goes; closes when nobody is there any more to take it
 * @returns one batch; an empty one has a cursor too
 * @throws {PushError} what `hub.subscribe` throws
 */
export async function answerPoll(
  client: Pick<Writable, "once" | "off" | "destroyed">,
  hub: Hub,
  { topic, after, last, limit, waitMs }: LongPollOptions,
): Promise<Batch> {
  const subscription = await hub.subscribe(topic, { after, last });
  const leave = () => subscription.close();
  client.once("close", leave);
  try {
    if (client.destroyed) leave();
    return await subscription.next({ limit, waitMs });
  } finally {
    client.off("close", leave);
    subscription.close();
  }
}
