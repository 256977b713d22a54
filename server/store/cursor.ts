/**
 * A reader's place in a topic. On the wire it is the opaque text `<epoch>.<offset>`: everything
 * up to that offset has been taken. It is also SSE's `id:` and comes back as `Last-Event-ID`.
 */
import { shown } from "../check.ts";
import type { Batch } from "../contract.ts";
import { PushError } from "../errors.ts";

export interface Cursor {
  readonly epoch: string;
  /** 0 is the place before the first event. */
  readonly offset: number;
}

// An epoch has no dot, so the text splits in one way only. 15 digits stay below 2^53.
const CURSOR = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9][0-9]{0,14})$/;

/** @throws {PushError} `invalid_cursor` for anything that is not a cursor's text */
export function parseCursor(text: unknown): Cursor {
  const parts = typeof text === "string" ? CURSOR.exec(text) : null;
  if (parts) return { epoch: parts[1]!, offset: Number(parts[2]) };
  throw new PushError(
    "invalid_cursor",
    `Expected a cursor, "earliest" or "latest", got ${shown(text)}`,
  );
}

export function formatCursor({ epoch, offset }: Cursor): string {
  return `${epoch}.${offset}`;
}

/** The text of another place in the same epoch; with "" what is before the offset in all of them. */
export function cursorAt(cursor: string, offset: number | ""): string {
  return cursor.slice(0, cursor.lastIndexOf(".") + 1) + String(offset);
}

/** The place where a batch begins, after its gap if it has one. */
export function cursorBefore({ events, cursor }: Pick<Batch, "events" | "cursor">): string {
  return events[0] ? cursorAt(cursor, events[0].offset - 1) : cursor;
}
