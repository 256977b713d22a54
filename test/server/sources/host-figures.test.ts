import { uptime } from "node:os";
import { describe, expect, test } from "vitest";
import { createHostSampler } from "../../../server/sources/host-figures.ts";

const METRICS = { cpuUsage: 12.5, memoryUsage: 60, networkIO: 2.5, timestamp: 0 };
const DISK = { blocks: 1_000, bfree: 500, bavail: 400 };

describe("the figures", () => {
  test("are those of the metrics, and the network in megabits", async () => {
    const sample = createHostSampler({
      sampleMetrics: () => Promise.resolve(METRICS),
      readDisk: () => Promise.resolve(DISK),
      firstMs: 0,
    });
    const figures = await sample();
    expect(figures).toMatchObject({ cpuPercent: 12.5, memoryPercent: 60, networkMbps: 20 });
    expect(Math.abs(figures.uptimeSeconds - uptime())).toBeLessThan(5);
  });

  test.each([
    [DISK, 500 / 9],
    [{ blocks: 100, bfree: 100, bavail: 95 }, 0],
    [{ blocks: 100, bfree: 5, bavail: 0 }, 100], // full, but for root
    [{ blocks: 0, bfree: 0, bavail: 0 }, 0], // /proc and the like
  ])("count the disk %j as df does", async (disk, percent) => {
    const sample = createHostSampler({
      sampleMetrics: () => Promise.resolve(METRICS),
      readDisk: () => Promise.resolve(disk),
      firstMs: 0,
    });
    expect((await sample()).diskPercent).toBeCloseTo(percent);
  });

  test("of the first sample are measured over a while, not over nothing", async () => {
    const times: number[] = [];
    const sample = createHostSampler({
      sampleMetrics: () => {
        times.push(performance.now());
        return Promise.resolve(METRICS);
      },
      readDisk: () => Promise.resolve(DISK),
      firstMs: 50,
    });
    await sample();
    await sample();
    expect(times).toHaveLength(3);
    expect(times[1]! - times[0]!).toBeGreaterThan(45);
  });

  test("begin anew after a failure", async () => {
    let calls = 0;
    const sample = createHostSampler({
      sampleMetrics: () => {
        calls += 1;
        return calls === 1 ? Promise.reject(new Error("no /proc")) : Promise.resolve(METRICS);
      },
      readDisk: () => Promise.resolve(DISK),
      firstMs: 0,
    });
    await expect(sample()).rejects.toThrow("no /proc");
    expect((await sample()).cpuPercent).toBe(12.5);
    expect(calls).toBe(3);
  });

  test("of this host are plausible", async () => {
    const figures = await createHostSampler()();
    for (const percent of ["cpuPercent", "memoryPercent", "diskPercent"] as const) {
      expect(figures[percent]).toBeGreaterThanOrEqual(0);
      expect(figures[percent]).toBeLessThanOrEqual(100);
    }
    expect(figures.memoryPercent).toBeGreaterThan(0);
    expect(figures.networkMbps).toBeGreaterThanOrEqual(0);
  });
});
