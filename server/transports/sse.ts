/**
 * A topic as Server-Sent Events (WHATWG HTML §9.2). The id of each event is the reader's cursor, so
 * an EventSource that comes back by itself goes on where it was.
 */
import type { ServerResponse } from "node:http";
import type { Batch, Gap } from "../contract.ts";
import { PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { cursorAt, cursorBefore, parseCursor } from "../store/cursor.ts";
import type { Subscription } from "../subscription.ts";
import { encodeOnce } from "../wire/encode-once.ts";
import { comment, EVENT_STREAM, eventBlock } from "../wire/event-stream.ts";
import { deliverOver, type StreamFormat } from "../wire/http-sink.ts";
import { chunk, openHttpStream } from "../wire/http-stream.ts";

export interface SseOptions {
  topic: unknown;
  after?: unknown;
  last?: unknown;
  /** At most this many events in one write. */
  limit?: number | undefined;
  /** The header of an EventSource that comes back; it wins over `after` and `last`. */
  lastEventId?: string | undefined;
}

/**
 * Resolves when the response has begun.
 * @throws {PushError} what `hub.subscribe` throws; then nothing has been sent
 */
export async function streamEvents(
  response: ServerResponse,
  hub: Hub,
  { topic, after, last, limit, lastEventId }: SseOptions,
): Promise<void> {
  const { subscription, gap } = lastEventId
    ? await resume(hub, topic, lastEventId)
    : { subscription: await hub.subscribe(topic, { after, last }) };
  const stream = openHttpStream(response, { "Content-Type": EVENT_STREAM });
  stream.write(greeting(subscription.cursor, hub.limits.reconnectMs, gap));
  const options = { heartbeatMs: hub.limits.heartbeatMs, limit, onError: hub.onError };
  deliverOver(stream, subscription, EVENTS, options);
}

/** The last word of a stream: why it ends, and when to come back. */
export function farewell({ code, message, retryAfterMs }: PushError): string {
  const data = JSON.stringify({ code, message, retryAfterMs });
  return eventBlock({ retry: retryAfterMs, event: "error", data });
}

/** Another one for each client, so that they do not come back together; 1/5 to 5/5, for `retry:`. */
export function reconnectTime(reconnectMs: number): number {
  return Math.round((reconnectMs / 5) * (1 + 4 * Math.random()));
}

/** An EventSource cannot react to a 400, so one that is ahead of the log goes on at its end. */
async function resume(
  hub: Hub,
  topic: unknown,
  lastEventId: string,
): Promise<{ subscription: Subscription; gap?: Gap }> {
  parseCursor(lastEventId); // from here on an invalid cursor is one that the log has not reached
  try {
    return { subscription: await hub.subscribe(topic, { after: lastEventId }) };
  } catch (error) {
    if (!(error instanceof PushError && error.code === "invalid_cursor")) throw error;
    // What it has seen is no longer in the log, and what else is missing nobody can know.
    return { subscription: await hub.subscribe(topic), gap: { missed: null, reason: "epoch" } };
  }
}

/**
 * The reader's place, in a block that is no event: whoever is cut off before the first event goes on
 * from here and loses none.
 */
function greeting(cursor: string, reconnectMs: number, gap: Gap | undefined): string {
  const retry = reconnectTime(reconnectMs);
  return eventBlock({ retry, id: cursor }) + (gap ? gapBlock(cursor, gap) : "");
}

function encodeBatch(batch: Batch): string {
  let text = batch.gap ? gapBlock(cursorBefore(batch), batch.gap) : "";
  const epoch = cursorAt(batch.cursor, "");
  for (const { offset, name, data } of batch.events) {
    // What `eventBlock` makes of it: neither a name nor JSON has a line break.
    const event = name === undefined ? "" : `event: ${name}\n`;
    text += `id: ${epoch}${offset}\n${event}data: ${JSON.stringify(data)}\n\n`;
  }
  return text;
}

function gapBlock(id: string, gap: Gap): string {
  return eventBlock({ id, event: "gap", data: JSON.stringify(gap) });
}

const EVENTS: StreamFormat = {
  bytesOf: encodeOnce((batch) => chunk(encodeBatch(batch))),
  heartbeat: chunk(comment("heartbeat")),
  lastText: farewell,
};
