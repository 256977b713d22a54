import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Histogram } from "../../../../server/commands/load/histogram.ts";
import { property } from "../../../support/property.ts";

const values = fc.array(
  fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 100_000 }), fc.nat({ max: 2 ** 30 })),
  { minLength: 1, maxLength: 200 },
);
const shares = fc.double({ min: 0, max: 1, noNaN: true });

describe("Histogram", () => {
  test("gives percentiles that are never too small, and at most 1.6 % too large", () =>
    property(
      [values, shares],
      (numbers, share) => {
        const histogram = new Histogram();
        for (const number of numbers) histogram.record(number);
        const sorted = numbers.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
        expect(histogram.percentile(share)).toBeGreaterThanOrEqual(exact);
        expect(histogram.percentile(share)).toBeLessThanOrEqual(exact * 1.016);
        expect(histogram.percentile(1)).toBe(sorted.at(-1));
        expect(histogram.max).toBe(sorted.at(-1));
        expect(histogram.total).toBe(sorted.length);
      },
      { runs: 1_000 },
    ));

  test("is exact below 128", () => {
    for (let number = 0; number < 128; number += 1) {
      const histogram = new Histogram();
      histogram.record(number);
      histogram.record(1_000_000);
      expect(histogram.percentile(0.5)).toBe(number);
    }
  });

  test("takes what no clock should say", () => {
    const histogram = new Histogram();
    for (const odd of [-5, 0.4, 2 ** 40]) histogram.record(odd);
    expect([histogram.percentile(0.3), histogram.percentile(0.6), histogram.max]).toEqual([
      0,
      0,
      2 ** 31 - 1,
    ]);
  });

  test("gives 0 of nothing", () => {
    expect(new Histogram().percentile(0.99)).toBe(0);
  });
});
