import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffDelay } from "../../client/backoff.ts";

const attempts = fc.nat({ max: 10_000 });
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const milliseconds = fc.nat({ max: 3_600_000 });

describe("backoffDelay", () => {
  it("never goes below the minimum, whatever the dice say", () => {
    fc.assert(
      fc.property(attempts, randoms, milliseconds, (attempt, random, minMs) => {
        expect(backoffDelay(attempt, { minMs, random: () => random })).toBeGreaterThanOrEqual(
          minMs,
        );
      }),
    );
  });

  it("never goes beyond the minimum and the largest spread", () => {
    fc.assert(
      fc.property(attempts, randoms, milliseconds, (attempt, random, maxSpreadMs) => {
        const delay = backoffDelay(attempt, { minMs: 100, maxSpreadMs, random: () => random });
        expect(delay).toBeLessThanOrEqual(100 + maxSpreadMs);
      }),
    );
  });

  it("spreads every attempt, the first one and one after a long minimum too", () => {
    fc.assert(
      fc.property(attempts, milliseconds, (attempt, minMs) => {
        const earliest = backoffDelay(attempt, { minMs, random: () => 0 });
        const latest = backoffDelay(attempt, { minMs, random: () => 0.999 });
        expect(latest - earliest).toBeGreaterThan(900);
      }),
    );
  });

  it("doubles the spread up to its largest", () => {
    const options = { minMs: 0, spreadMs: 1_000, maxSpreadMs: 5_000, random: () => 0.5 };
    const delays = [0, 1, 2, 3, 4].map((attempt) => backoffDelay(attempt, options));
    expect(delays).toEqual([500, 1_000, 2_000, 2_500, 2_500]);
  });
});
