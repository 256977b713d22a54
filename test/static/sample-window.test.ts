import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SampleWindow, WINDOW_MS } from "../../static/serverpush/sample-window.ts";

const START = 1_700_000_000; // a whole second

function sample(timestamp: number, value = 1) {
  return { cpuUsage: value, memoryUsage: value, networkIO: value, timestamp };
}

/** One sample a second from `START` + `first`. */
function seconds(first: number, count: number) {
  return Array.from({ length: count }, (_, index) => sample(START + first + index, first + index));
}

describe("SampleWindow", () => {
  it("keeps five minutes, and the one sample before that reaches the left edge", () => {
    const samples = new SampleWindow();
    samples.append(seconds(0, 1_000), { intervalMs: 1_000 });
    expect(samples.end).toBe((START + 999) * 1_000);
    expect(samples.times[0]).toBe(samples.end! - WINDOW_MS - 1_000);
    expect(samples.cpuUsage).toHaveLength(samples.times.length);
  });

  it("spreads samples over the second whose number they share", () => {
    const samples = new SampleWindow();
    const tenths = Array.from({ length: 30 }, (_, tenth) => sample(START + Math.floor(tenth / 10)));
    samples.append(tenths, { intervalMs: 100 });
    const expected = tenths.map((_, tenth) => START * 1_000 + tenth * 100);
    expect(samples.times).toEqual(expected);
  });

  it("breaks the line where samples were lost", () => {
    const samples = new SampleWindow();
    samples.append(seconds(0, 2), { intervalMs: 1_000 });
    samples.append(seconds(3, 2), { intervalMs: 1_000, afterLoss: true });
    expect(samples.cpuUsage).toEqual([0, 1, null, 3, 4]);
  });

  it("remembers a loss that came without samples", () => {
    const samples = new SampleWindow();
    samples.append(seconds(0, 1), { intervalMs: 1_000 });
    samples.append([], { intervalMs: 1_000, afterLoss: true });
    samples.append(seconds(1, 2), { intervalMs: 1_000 });
    expect(samples.cpuUsage).toEqual([0, null, 1, 2]);
  });

  it("breaks the line where the host took no samples, and not for a late one", () => {
    const samples = new SampleWindow();
    samples.append([...seconds(0, 1), ...seconds(2, 1), ...seconds(60, 1)], { intervalMs: 1_000 });
    expect(samples.cpuUsage).toEqual([0, 2, null, 60]);
  });

  it("begins anew when the server's clock was set back", () => {
    const samples = new SampleWindow();
    samples.append(seconds(1_000, 3), { intervalMs: 1_000 });
    samples.append(seconds(0, 1), { intervalMs: 1_000 });
    expect(samples.times).toEqual([START * 1_000]);
  });

  it("never runs backwards, as the chart demands", () => {
    const steps = fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 10, max: 5_000 }), (changes, intervalMs) => {
        const samples = new SampleWindow();
        let timestamp = START;
        for (const change of changes) {
          timestamp += change;
          samples.append([sample(timestamp)], { intervalMs });
        }
        expect(samples.times).toEqual(samples.times.toSorted((a, b) => a - b));
      }),
    );
  });

  it("sums up what it holds, breaks left out", () => {
    const samples = new SampleWindow();
    samples.append([sample(START, 10)], { intervalMs: 1_000 });
    samples.append([sample(START + 1, 30)], { intervalMs: 1_000, afterLoss: true });
    expect(samples.summary("networkIO")).toEqual({ average: 20, peak: 30 });
    expect(new SampleWindow().summary("networkIO")).toEqual({ average: 0, peak: 0 });
  });
});
