import { describe, expect, it } from "vitest";
import { ServerClock } from "../../static/serverpush/server-clock.ts";

describe("ServerClock", () => {
  it("knows nothing before the first sample", () => {
    expect(new ServerClock().at(0)).toBeUndefined();
  });

  it("runs on between samples, however far the server's clock is from ours", () => {
    const clock = new ServerClock();
    clock.observe(5_000_000, 100);
    expect(clock.at(350)).toBe(5_000_250);
  });

  it("follows a delayed sample only a little, so that the chart does not jerk", () => {
    const clock = new ServerClock();
    clock.observe(10_000, 0);
    clock.observe(11_000, 1_500);
    expect(clock.at(1_500)).toBe(11_450);
  });

  it("jumps when it is far off", () => {
    const clock = new ServerClock();
    clock.observe(10_000, 0);
    clock.observe(90_000, 1_000);
    expect(clock.at(1_000)).toBe(90_000);
  });
});
