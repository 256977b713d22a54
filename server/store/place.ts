/**
 * Where a reader begins: what it asked for → a cursor in the log. "latest" becomes a real cursor as
 * soon as somebody asks, so that nothing published before the first read is lost.
 */
import { checkWhole } from "../check.ts";
import type { After } from "../contract.ts";
import { PushError } from "../errors.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { type Cursor, parseCursor } from "./cursor.ts";
import type { LogEnds } from "./store.ts";

export interface PlaceOptions {
  /** A cursor, "earliest" or "latest". */
  after?: unknown;
  /** This many events back from the newest, or as many as there are. */
  last?: unknown;
  /** When neither is given. Default `"latest"`. */
  otherwise?: After;
}

/**
 * Judges the request now; the log's ends, once they are known, make it a cursor.
 * @throws {PushError} `invalid_cursor`, `invalid_request`; the returned function throws
 *   `invalid_cursor` for a place that the log has not reached
 */
export function parsePlace({
  after,
  last,
  otherwise = "latest",
}: PlaceOptions): (ends: LogEnds) => Cursor {
  if (last === undefined) {
    const from = after === undefined ? otherwise : after;
    const cursor = from === "latest" || from === "earliest" ? from : parseCursor(from);
    return (ends) => placeIn(ends, cursor);
  }
  if (after !== undefined) {
    throw new PushError("invalid_request", "Expected `after` or `last`, got both");
  }
  const max = DEFAULT_LIMITS.maxSubscriptionCapacity;
  const back = checkWhole("last", last, { min: 0, max })!;
  // Who asks for 100 of 7 gets 7 and no gap.
  return ({ epoch, first, last: end }) => ({ epoch, offset: Math.max(first - 1, end - back) });
}

function placeIn({ epoch, first, last }: LogEnds, after: "earliest" | "latest" | Cursor): Cursor {
  if (after === "latest") return { epoch, offset: last };
  if (after === "earliest") return { epoch, offset: first - 1 };
  if (after.epoch !== epoch || after.offset <= last) return after;
  throw new PushError(
    "invalid_cursor",
    `Expected an offset of at most ${last}, got ${after.offset}`,
  );
}
