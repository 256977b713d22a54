import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tally } from "../../../static/transports/tally.ts";

function tallyAt(offset: number): Tally {
  const tally = new Tally();
  tally.begin("e", offset);
  return tally;
}

describe("Tally", () => {
  it("finds nothing wrong with what comes in order", () => {
    const tally = tallyAt(40);
    for (const offset of [41, 42]) tally.event("e", offset);
    tally.cut(0);
    for (const offset of [43, 44, 45]) tally.event("e", offset);
    expect(tally.events).toBe(5);
    expect(tally.story(3)).toBe("Resumed after event 42: 3 came late, 0 lost, 0 repeated.");
  });

  it("sees what is lost without a word, and what comes twice", () => {
    const tally = tallyAt(0);
    tally.event("e", 1);
    tally.cut(7);
    for (const offset of [1, 4, 5, 5]) tally.event("e", offset);
    expect(tally.story(9)).toBe("Resumed after event 1: 2 came late, 2 lost, 2 repeated.");
    expect(tally.events).toBe(3);
    expect(tally.missed).toBe(0);
  });

  it("counts what a gap tells as missed, not as lost", () => {
    const tally = tallyAt(10);
    tally.cut(0);
    tally.gap("e", 30, 20);
    tally.event("e", 31);
    expect(tally.missed).toBe(20);
    expect(tally.story(1)).toBe(
      "Resumed after event 10: 1 came late, 0 lost, 0 repeated. 20 had left the topic’s log.",
    );
  });

  it("knows that it cannot know how many are missed when the log began anew", () => {
    const tally = tallyAt(10);
    tally.gap("f", 0, null);
    tally.event("f", 1);
    expect(tally.missed).toBeNull();
    expect(tally.events).toBe(1);
    tally.cut(0);
    expect(tally.story(0)).toBe("Resumed after event 1: 0 came late, 0 lost, 0 repeated.");
  });

  it("has no story before the first cut, and tells of the last one only", () => {
    const tally = tallyAt(0);
    expect(tally.story(0)).toBe("");
    tally.cut(0);
    tally.event("e", 3);
    tally.cut(5);
    tally.event("e", 4);
    expect(tally.story(6)).toBe("Resumed after event 3: 1 came late, 0 lost, 0 repeated.");
  });

  it("counts the lost and the repeated of any stream as a naive model does", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 }), (offsets) => {
        const tally = tallyAt(0);
        tally.cut(0);
        let [newest, lost, repeated] = [0, 0, 0];
        for (const offset of offsets) {
          tally.event("e", offset);
          if (offset <= newest) repeated += 1;
          else {
            lost += offset - newest - 1;
            newest = offset;
          }
        }
        expect(tally.story(0)).toContain(` ${lost} lost, ${repeated} repeated.`);
        expect(tally.events).toBe(offsets.length - repeated);
      }),
    );
  });
});
