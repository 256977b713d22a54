import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { offsetOf } from "../../client/cursor.ts";
import type { TopicBatch } from "../../client/transport.ts";
import { trim } from "../../client/trim.ts";
import { property } from "../support/property.ts";
import { batch, empty, gap } from "./scripted-transport.ts";

describe("trim", () => {
  it.each<[string, TopicBatch, string, TopicBatch]>([
    ["nothing of what follows the place", batch(4, 6), "e.3", batch(4, 6)],
    ["what was given already", batch(2, 6), "e.3", batch(4, 6)],
    ["all of it, and keeps the place", batch(1, 2), "e.3", empty(3)],
    ["nothing of an empty batch ahead", empty(3), "e.3", empty(3)],
    ["the step back of an empty batch behind", empty(1), "e.3", empty(3)],
    ["a gap that the other had no part in", { ...batch(4, 6), ...gap(2) }, "e.3", batch(4, 6)],
    [
      "the part of a gap that the other has read",
      { ...batch(9, 9), ...gap(6) },
      "e.5",
      { ...batch(9, 9), ...gap(3) },
    ],
    [
      "nothing of a gap that both have",
      { ...batch(9, 9), ...gap(5) },
      "e.3",
      { ...batch(9, 9), ...gap(5) },
    ],
    ["nothing of another epoch", batch(1, 2, "f"), "e.3", batch(1, 2, "f")],
    [
      "nothing after a gap of nobody knows how many",
      { ...batch(1, 2), ...gap(null, "epoch") },
      "e.3",
      { ...batch(1, 2), ...gap(null, "epoch") },
    ],
  ])("cuts off %s", (_, given, after, expected) => {
    expect(trim(given, after, "e.0")).toEqual(expected);
  });

  it("tells a new epoch once, and what the second missed in it", () => {
    const anew = { ...batch(4, 6, "f"), ...gap(null, "epoch") };
    expect(trim(anew, "f.5", "e.9")).toEqual(batch(6, 6, "f"));
    expect(trim(anew, "f.1", "e.9")).toEqual({ ...batch(4, 6, "f"), ...gap(2) });
    expect(trim(anew, "e.9", "e.9")).toEqual(anew);
  });

  it("gives of any two overlapping readings what one reading would have given", () =>
    property(
      [fc.nat(20), fc.nat(20), fc.nat(20), fc.nat(20), fc.nat(20)],
      (began, missed, gave, read, more) => {
        // The second began `began` events into the log, lost `missed` and then has `gave`.
        const begin = began + missed;
        const second: TopicBatch = {
          ...(gave > 0 ? batch(begin + 1, begin + gave) : empty(begin)),
          ...(missed > 0 && gap(missed)),
        };
        const place = began + read + more; // the first has got here meanwhile
        const { events, cursor, gap: left } = trim(second, `e.${place}`, `e.${began}`);
        const model = second.events.map(({ offset }) => offset).filter((offset) => offset > place);
        expect(events.map(({ offset }) => offset)).toEqual(model);
        expect(offsetOf(cursor)).toBe(Math.max(place, begin + gave));
        expect(left?.missed ?? 0).toBe(missed > 0 ? Math.max(0, begin - place) : 0);
      },
      { runs: 1_000 },
    ));
});
