/** The figures of the dashboard: the metrics, and what changes too slowly to be one of them. */
import { statfs } from "node:fs/promises";
import { uptime } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { within } from "./figures.ts";
import type { MetricsSampler } from "./metrics-sampler.ts";
import { createSystemSampler } from "./system-metrics.ts";

export interface HostFigures {
  /** Since the host was started. */
  readonly uptimeSeconds: number;
  /** Percentages are 0–100. */
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  /** Of the root file system, as `df` counts it. */
  readonly diskPercent: number;
  /** Megabits (10^6) per second, sent and received. */
  readonly networkMbps: number;
}

interface HostSamplerOptions {
  readonly sampleMetrics?: MetricsSampler;
  readonly readDisk?: () => Promise<DiskBlocks>;
  /** Milliseconds that the first sample is measured over; the kernel counts in ticks of 10. */
  readonly firstMs?: number;
}

/** What this needs of `statfs`. */
interface DiskBlocks {
  readonly blocks: number;
  readonly bfree: number;
  /** Free for everybody; the rest of `bfree` is kept for root. */
  readonly bavail: number;
}

/** Calls must not overlap: rates are since the call before. The first one takes `firstMs`. */
export function createHostSampler({
  sampleMetrics = createSystemSampler(),
  readDisk = () => statfs("/"),
  firstMs = 250,
}: HostSamplerOptions = {}): () => Promise<HostFigures> {
  let measuring = false;
  return async () => {
    if (!measuring) {
      await sampleMetrics(); // the baseline
      await sleep(firstMs, undefined, { ref: false });
      measuring = true;
    }
    const [metrics, disk] = await Promise.all([sampleMetrics(), readDisk()]);
    return {
      uptimeSeconds: uptime(),
      cpuPercent: metrics.cpuUsage,
      memoryPercent: metrics.memoryUsage,
      diskPercent: usedPercent(disk),
      networkMbps: metrics.networkIO * 8,
    };
  };
}

function usedPercent({ blocks, bfree, bavail }: DiskBlocks): number {
  const used = blocks - bfree;
  const usable = used + bavail;
  return usable > 0 ? within(0, 100, (100 * used) / usable) : 0;
}
