/** What came from the network → what it should be. Events' data may be anything. */
import type { Gap } from "../../server/contract.ts";
import { offsetOf } from "../cursor.ts";
import { protocolError } from "../failures.ts";
import type { TopicBatch } from "../transport.ts";

/** @throws {TransportError} `protocol_error` */
export function checkBatch(value: unknown): TopicBatch {
  const { events, cursor, gap } = fieldsOf(value);
  offsetOf(cursor);
  if (!Array.isArray(events) || !events.every(hasOffset)) {
    throw protocolError(`Expected a batch of events, got ${shown(value)}`);
  }
  if (gap !== undefined) checkGap(gap);
  return value as TopicBatch;
}

/** @throws {TransportError} `protocol_error` */
export function checkGap(value: unknown): Gap {
  const { missed, reason } = fieldsOf(value);
  if ((missed === null || isCount(missed)) && typeof reason === "string") return value as Gap;
  throw protocolError(`Expected a gap, got ${shown(value)}`);
}

/** @throws {TransportError} `protocol_error` */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw protocolError(`Expected JSON, got ${shown(text)}`, error);
  }
}

function hasOffset(event: unknown): boolean {
  return isCount(fieldsOf(event)["offset"]);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
