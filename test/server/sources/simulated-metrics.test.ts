import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SystemMetrics } from "../../../server/contract.ts";
import { createSimulatedSampler } from "../../../server/sources/simulated-metrics.ts";

describe("a simulated sample", () => {
  test("comes from the seed alone, not from the clock", async () => {
    const one = await take(50, { seed: 7, now: () => 1_700_000_000_999 });
    const again = await take(50, { seed: 7, now: () => 1_800_000_000_000 });
    const other = await take(50, { seed: 8 });
    expect(again.map(figures)).toEqual(one.map(figures));
    expect(other.map(figures)).not.toEqual(one.map(figures));
    expect(one[0]!.timestamp).toBe(1_700_000_000);
  });

  test("is another sequence each time without a seed", async () => {
    const [one, other] = [await take(20), await take(20)];
    expect(one.map(figures)).not.toEqual(other.map(figures));
  });

  test("is the same on every machine", async () => {
    expect((await take(3, { seed: 1 })).map(figures)).toMatchInlineSnapshot(`
      [
        [
          18.72,
          57.25,
          1.71,
        ],
        [
          21.2,
          57.06,
          1.54,
        ],
        [
          24.22,
          56.8,
          2.11,
        ],
      ]
    `);
  });

  test("is in bounds and has two decimals, for any seed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.integer(), fc.double()), async (seed) => {
        for (const sample of await take(200, { seed })) {
          expect(sample.cpuUsage).toSatisfy(isPercent);
          expect(sample.memoryUsage).toSatisfy(isPercent);
          expect(sample.networkIO).toBeGreaterThan(0);
          expect(sample.networkIO).toBeLessThan(50);
          expect(sample.networkIO).toBe(Math.round(sample.networkIO * 100) / 100);
          expect(sample.timestamp).toSatisfy(Number.isInteger);
        }
      }),
      { numRuns: 50, examples: [[7], [247]] }, // would pass 100 and fall below 0
    );
  });
});

describe("an hour of simulated samples", () => {
  test.each([1, 2, 3, 4, 5])("looks like a server at work (seed %d)", async (seed) => {
    const samples = await take(3600, { seed });
    const cpu = samples.map(({ cpuUsage }) => cpuUsage);
    const memory = samples.map(({ memoryUsage }) => memoryUsage);
    const network = samples.map(({ networkIO }) => networkIO);

    // Each keeps returning to its mean …
    expect(mean(cpu)).toBeGreaterThan(20);
    expect(mean(cpu)).toBeLessThan(40);
    expect(mean(cpu.slice(0, 1800))).toBeCloseTo(mean(cpu.slice(1800)), -1);
    expect(mean(memory)).toBeGreaterThan(50);
    expect(mean(memory)).toBeLessThan(64);
    // … the CPU has its bursts, memory has none …
    expect(count(cpu, (value) => value > 60)).toBeGreaterThan(20);
    expect(count(cpu, (value) => value > 60)).toBeLessThan(720);
    const steps = memory.slice(1).map((value, index) => Math.abs(value - memory[index]!));
    expect(Math.max(...steps)).toBeLessThan(2);
    // … and what works also talks.
    expect(correlation(cpu, network)).toBeGreaterThan(0.5);
    expect(correlation(cpu, network)).toBeLessThan(0.99);
  });
});

async function take(samples: number, options?: Parameters<typeof createSimulatedSampler>[0]) {
  const sample = createSimulatedSampler(options);
  const taken: SystemMetrics[] = [];
  while (taken.length < samples) taken.push(await sample());
  return taken;
}

function figures({ cpuUsage, memoryUsage, networkIO }: SystemMetrics): number[] {
  return [cpuUsage, memoryUsage, networkIO];
}

function isPercent(value: number): boolean {
  return value >= 0 && value <= 100 && value === Math.round(value * 100) / 100;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function count(values: readonly number[], matches: (value: number) => boolean): number {
  return values.filter(matches).length;
}

/** Pearson's, -1 to 1. */
function correlation(xs: readonly number[], ys: readonly number[]): number {
  const [mx, my] = [mean(xs), mean(ys)];
  const sum = (term: (x: number, y: number) => number) =>
    xs.reduce((total, x, index) => total + term(x - mx, ys[index]! - my), 0);
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
}
