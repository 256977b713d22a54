/**
 * A topic as lines of JSON, one event a line, for curl and shell pipes. Each line carries the cursor
 * to go on from; the header `Cursor` says where the answer begins.
 */
import type { ServerResponse } from "node:http";
import type { Batch } from "../contract.ts";
import type { PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { cursorAt, cursorBefore } from "../store/cursor.ts";
import { encodeOnce } from "../wire/encode-once.ts";
import { deliverOver, type StreamFormat } from "../wire/http-sink.ts";
import { chunk, openHttpStream } from "../wire/http-stream.ts";

export const NDJSON = "application/x-ndjson";

export interface NdjsonOptions {
  topic: unknown;
  after?: unknown;
  last?: unknown;
  /** At most this many events in one write. */
  limit?: number | undefined;
}

/**
 * Resolves when the response has begun.
 * @throws {PushError} what `hub.subscribe` throws; then nothing has been sent
 */
export async function streamLines(
  response: ServerResponse,
  hub: Hub,
  { topic, after, last, limit }: NdjsonOptions,
): Promise<void> {
  const subscription = await hub.subscribe(topic, { after, last });
  const stream = openHttpStream(response, { "Content-Type": NDJSON, Cursor: subscription.cursor });
  const { heartbeatMs } = hub.limits;
  const options = { heartbeatMs, limit, onError: hub.onError };
  deliverOver(stream, subscription, LINES, options);
}

function encodeBatch(batch: Batch): string {
  let text = batch.gap ? line({ cursor: cursorBefore(batch), gap: batch.gap }) : "";
  for (const event of batch.events) {
    text += line({ cursor: cursorAt(batch.cursor, event.offset), ...event });
  }
  return text;
}

function lastLine({ code, message, retryAfterMs }: PushError): string {
  return line({ error: { code, message, retryAfterMs } });
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

const LINES: StreamFormat = {
  bytesOf: encodeOnce((batch) => chunk(encodeBatch(batch))),
  heartbeat: chunk("\n"), // readers of NDJSON skip empty lines, jq too
  lastText: lastLine,
};
