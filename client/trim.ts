/** Two connections may read the same topic for a moment: what the second gives again is cut off. */
import { cursorBefore, epochOf, offsetOf } from "./cursor.ts";
import type { TopicBatch } from "./transport.ts";

/**
 * What of a batch follows a place.
 * @param after the cursor of a reader that has everything up to there
 * @param from the cursor that the batch itself was read from
 */
export function trim(batch: TopicBatch, after: string, from: string): TopicBatch {
  const place = offsetOf(after);
  const epoch = epochOf(batch.cursor);
  if (epoch !== epochOf(after)) return batch;
  // A new epoch is known to a reader that is in it; one that has lost its place in it is not.
  if (batch.gap?.missed === null && epochOf(from) === epoch) return batch;
  const begin = offsetOf(cursorBefore(batch));
  if (begin >= place && !batch.gap) return batch;
  const events = batch.events.filter(({ offset }) => offset > place);
  const cursor = offsetOf(batch.cursor) < place ? after : batch.cursor;
  const { gap } = batch;
  // A gap tells what the second connection missed; the first may have had a part of it, or all.
  if (!gap || begin <= place) return { events, cursor };
  return {
    events,
    cursor,
    gap: { missed: begin - place, reason: gap.missed === null ? "evicted" : gap.reason },
  };
}
