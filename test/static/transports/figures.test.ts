import { describe, expect, it } from "vitest";
import {
  bytesText,
  countText,
  delayText,
  durationText,
} from "../../../static/transports/figures.ts";

describe("the figures on the cards", () => {
  it.each([
    [0, "0"],
    [9_999, "9,999"],
    [12_345, "12.35K"],
    [1_234_567, "1.235M"],
  ])("%d is a count of %s", (count, text) => expect(countText(count)).toBe(text));

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [999_949, "999.9 kB"],
    [999_950, "1.0 MB"],
    [12_345_678, "12.3 MB"],
  ])("%d bytes are %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));

  it.each([
    [0, "0.0 ms"],
    [9.94, "9.9 ms"],
    [9.95, "10 ms"],
    [999.4, "999 ms"],
    [999.5, "1.0 s"],
    [12_345, "12.3 s"],
  ])("%d ms are %s", (ms, text) => expect(durationText(ms)).toBe(text));

  it("do not claim to know a delay that is smaller than the error of the clock", () => {
    expect(delayText({ ms: 0.4, errorMs: 1.2 })).toBe("< 2 ms");
    expect(delayText({ ms: 1.3, errorMs: 1.2 })).toBe("1.3 ms");
    expect(delayText(undefined)).toBe("–");
  });
});
