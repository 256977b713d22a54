import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { niceCeiling } from "../../static/serverpush/nice-ceiling.ts";

describe("niceCeiling", () => {
  it.each([
    [0, 1],
    [0.4, 1],
    [1, 1],
    [1.01, 2],
    [3.2, 4],
    [8, 8],
    [8.1, 10],
    [37, 40],
    [125, 200],
  ])("of %d is %d", (value, ceiling) => {
    expect(niceCeiling(value)).toBe(ceiling);
  });

  it("is never below the value and at most twice as high", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e9, noNaN: true }), (value) => {
        const ceiling = niceCeiling(value);
        expect(ceiling).toBeGreaterThanOrEqual(value);
        expect(ceiling).toBeLessThanOrEqual(2 * value);
      }),
    );
  });
});
