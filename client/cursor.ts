/**
 * The two halves of a cursor, `<epoch>.<offset>`. To a reader it is opaque; only who checks the
 * order of events, or counts back from the newest, looks inside.
 */
import { protocolError } from "./failures.ts";

/** Text from the network → its offset. @throws {TransportError} when it is no cursor */
export function offsetOf(cursor: unknown): number {
  const digits = typeof cursor === "string" ? /^[^.]+\.(\d{1,15})$/.exec(cursor)?.[1] : undefined;
  if (digits === undefined) throw protocolError(`Expected a cursor, got ${JSON.stringify(cursor)}`);
  return Number(digits);
}

export function epochOf(cursor: string): string {
  return cursor.slice(0, cursor.lastIndexOf("."));
}

/** The text of another place in the same epoch. */
export function cursorAt(cursor: string, offset: number): string {
  return `${epochOf(cursor)}.${offset}`;
}

/** Where a batch begins, after its gap if it has one. */
export function cursorBefore(batch: {
  readonly cursor: string;
  readonly events: readonly { readonly offset: number }[];
}): string {
  const [first] = batch.events;
  return first ? cursorAt(batch.cursor, first.offset - 1) : batch.cursor;
}
