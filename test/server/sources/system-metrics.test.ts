import * as fc from "fast-check";
import { cpus } from "node:os";
import { describe, expect, test, vi } from "vitest";
import type { HostCounters } from "../../../server/sources/host-counters.ts";
import { createSystemSampler } from "../../../server/sources/system-metrics.ts";

describe("a sample", () => {
  test("has the baseline first, then what happened since the one before", async () => {
    const samples = await sampled([
      [0, counters({ idle: 100, total: 200, usedBytes: 25, network: { eth0: 9_000_000 } })],
      [1000, counters({ idle: 150, total: 400, usedBytes: 50, network: { eth0: 11_500_000 } })],
      [3000, counters({ idle: 350, total: 600, usedBytes: 75, network: { eth0: 11_510_000 } })],
    ]);
    expect(samples).toEqual([
      { cpuUsage: 0, memoryUsage: 25, networkIO: 0, timestamp: 1_700_000_000 },
      { cpuUsage: 75, memoryUsage: 50, networkIO: 2.5, timestamp: 1_700_000_001 },
      { cpuUsage: 0, memoryUsage: 75, networkIO: 0.01, timestamp: 1_700_000_003 },
    ]);
  });

  test.each([
    ["an interface that comes is a baseline", { eth0: 0 }, { eth0: 1e6, usb0: 9e6 }, 1],
    ["an interface that goes counts no longer", { eth0: 0, usb0: 9e6 }, { eth0: 1e6 }, 1],
    ["a counter that fell counts nothing", { eth0: 0, eth1: 2 ** 32 }, { eth0: 1e6, eth1: 5e6 }, 1],
    ["all interfaces count", { eth0: 0, eth1: 5e6 }, { eth0: 1e6, eth1: 7e6 }, 3],
    ["no interface is no traffic", {}, {}, 0],
  ])("of the network: %s", async (_, before, after, networkIO) => {
    const samples = await sampled([
      [0, counters({ network: before })],
      [1000, counters({ network: after })],
    ]);
    expect(samples[1]!.networkIO).toBe(networkIO);
  });

  test.each([
    ["is busy in all of it", { idle: 100, total: 300 }, 100],
    ["was idle in all of it", { idle: 300, total: 300 }, 0],
    ["is a third busy", { idle: 300, total: 400 }, 33.33],
    ["seems to have idled backwards", { idle: 50, total: 200 }, 100],
    ["seems to have idled more than it ran", { idle: 400, total: 200 }, 0],
  ])("of a CPU that %s", async (_, cpu, cpuUsage) => {
    const samples = await sampled([
      [0, counters({ idle: 100, total: 100 })],
      [1000, counters(cpu)],
    ]);
    expect(samples[1]!.cpuUsage).toBe(cpuUsage);
  });

  test("keeps the figure of the CPU when its clock has not ticked", async () => {
    const samples = await sampled([
      [0, counters({ idle: 0, total: 0 })],
      [10, counters({ idle: 1, total: 4 })],
      [20, counters({ idle: 1, total: 4 })],
      [30, counters({ idle: 0, total: 0 })],
    ]);
    expect(samples.map(({ cpuUsage }) => cpuUsage)).toEqual([0, 75, 75, 75]);
  });

  test("taken at once after another repeats its rates, and loses no byte for the next", async () => {
    const samples = await sampled([
      [0, counters({ network: { eth0: 0 } })],
      [1000, counters({ network: { eth0: 1e6 } })],
      [1000, counters({ network: { eth0: 3e6 } })],
      [1000.5, counters({ network: { eth0: 4e6 } })],
      [2000, counters({ network: { eth0: 6e6 } })],
    ]);
    expect(samples.map(({ networkIO }) => networkIO)).toEqual([0, 1, 1, 1, 5]);
  });

  test("is in bounds and has two decimals, whatever the counters say", async () => {
    const count = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 2 ** 32, 2 ** 64));
    const reading = fc.record({
      idle: count,
      total: count,
      usedBytes: fc.oneof(count, fc.integer()),
      totalBytes: count,
      network: fc.dictionary(fc.constantFrom("eth0", "eth1", "usb0"), count),
    });
    const elapsedMs = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(elapsedMs, reading)), async (steps) => {
        let atMs = 0;
        const readings = steps.map(
          ([ms, values]) => [(atMs += ms), counters(values)] as [number, HostCounters],
        );
        for (const sample of await sampled(readings)) {
          expect(sample.cpuUsage).toSatisfy(isPercent);
          expect(sample.memoryUsage).toSatisfy(isPercent);
          expect(sample.networkIO).toBeGreaterThanOrEqual(0);
          // Not by rounding again: at 10^13 the hundredths of a number are no longer exact.
          expect(sample.networkIO).toBe(Number(sample.networkIO.toFixed(2)));
          expect(sample.timestamp).toSatisfy(Number.isInteger);
        }
      }),
    );
  });

  test("rejects when the host cannot be read, and goes on from the last good reading", async () => {
    const readCounters = vi
      .fn<() => Promise<HostCounters>>()
      .mockResolvedValueOnce(counters({ network: { eth0: 0 } }))
      .mockRejectedValueOnce(new Error("EMFILE"))
      .mockResolvedValueOnce(counters({ network: { eth0: 4e6 } }));
    const times = [0, 2000];
    const sample = createSystemSampler({ readCounters, monotonicNow: () => times.shift()! });
    await sample();
    await expect(sample()).rejects.toThrow("EMFILE");
    expect((await sample()).networkIO).toBe(2);
  });
});

describe("on this host", () => {
  test("the CPU shows at least what this process burns", async () => {
    const sample = createSystemSampler();
    await sample();
    const startMs = performance.now();
    const start = process.cpuUsage();
    let burntMs = 0;
    while (burntMs < 400) {
      const { user, system } = process.cpuUsage(start);
      burntMs = (user + system) / 1000;
    }
    const { cpuUsage } = await sample();
    const share = (100 * burntMs) / ((performance.now() - startMs) * cpus().length);
    expect(share).toBeGreaterThan(0);
    // The kernel counts in ticks, so that a fifth may be missing.
    expect(cpuUsage).toBeGreaterThan(0.8 * share);
  });

  test("memory is used, and not all of it", async () => {
    const { memoryUsage, timestamp } = await createSystemSampler()();
    expect(memoryUsage).toBeGreaterThan(0);
    expect(memoryUsage).toBeLessThan(100);
    expect(Math.abs(timestamp - Date.now() / 1000)).toBeLessThan(5);
  });
});

/** What the sampler makes of these readings, each with its time in milliseconds. */
async function sampled(readings: readonly (readonly [number, HostCounters])[]) {
  let index = -1;
  const sample = createSystemSampler({
    readCounters: () => Promise.resolve(readings[++index]![1]),
    monotonicNow: () => readings[index]![0],
    now: () => 1_700_000_000_999 + Math.floor(readings[index]![0] / 1000) * 1000,
  });
  const samples = [];
  for (const _ of readings) samples.push(await sample());
  return samples;
}

function counters({
  idle = 0,
  total = 0,
  usedBytes = 0,
  totalBytes = 100,
  network = {},
}: {
  idle?: number;
  total?: number;
  usedBytes?: number;
  totalBytes?: number;
  network?: Record<string, number>;
}): HostCounters {
  return {
    cpu: { idle, total },
    memory: { usedBytes, totalBytes },
    networkBytes: new Map(Object.entries(network)),
  };
}

function isPercent(value: number): boolean {
  return value >= 0 && value <= 100 && value === Math.round(value * 100) / 100;
}
