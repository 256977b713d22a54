import { expect, onTestFinished, test } from "vitest";
import type { SystemMetrics } from "../../../server/contract.ts";
import { startMetrics } from "../../../server/sources/metrics-source.ts";

const METRICS: SystemMetrics = { cpuUsage: 1, memoryUsage: 2, networkIO: 3, timestamp: 4 };

test("discards the baseline, then publishes a sample every interval", async () => {
  let samples = 0;
  const published: SystemMetrics[] = [];
  const stop = startMetrics({
    sample: async () => ({ ...METRICS, timestamp: (samples += 1) }),
    intervalMs: 5,
    publish: (sample) => published.push(sample),
    onError: () => {},
  });
  onTestFinished(stop);
  await expect.poll(() => published.length).toBeGreaterThanOrEqual(3);
  stop();
  stop();
  expect(published.slice(0, 3).map(({ timestamp }) => timestamp)).toEqual([2, 3, 4]);
});

test("tells of a failure when it begins, and goes on when it is over", async () => {
  const errors: unknown[] = [];
  const published: SystemMetrics[] = [];
  let samples = 0;
  const stop = startMetrics({
    sample: async () => {
      samples += 1;
      const broken = (samples > 3 && samples < 8) || samples === 10;
      if (broken) throw new Error(`sample ${samples}`);
      return { ...METRICS, timestamp: samples };
    },
    intervalMs: 2,
    publish: (sample) => published.push(sample),
    onError: (error, stage) => errors.push([(error as Error).message, stage]),
  });
  onTestFinished(stop);
  await expect.poll(() => published.at(-1)?.timestamp ?? 0).toBeGreaterThanOrEqual(11);
  expect(published.slice(0, 6).map(({ timestamp }) => timestamp)).toEqual(
    [2, 3, 8, 9, 11, 12].slice(0, published.length),
  );
  expect(errors).toEqual([
    ["sample 4", "metrics source"],
    ["sample 10", "metrics source"],
  ]);
});

test("takes rarer samples on a host that is too busy, never two at once", async () => {
  let running = 0;
  let most = 0;
  let done = 0;
  const stop = startMetrics({
    sample: async () => {
      running += 1;
      most = Math.max(most, running);
      for (let turns = 0; turns < 50; turns += 1) await new Promise((r) => setImmediate(r));
      running -= 1;
      done += 1;
      return METRICS;
    },
    intervalMs: 1,
    publish: () => {},
    onError: () => {},
  });
  onTestFinished(stop);
  await expect.poll(() => done).toBeGreaterThanOrEqual(5);
  expect(most).toBe(1);
});
