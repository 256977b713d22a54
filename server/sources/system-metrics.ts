/**
 * Real figures of the host: two readings of its counters make one sample. Inside a container CPU
 * and memory are still the host's; the network is the container's own.
 */
import { rounded, within } from "./figures.ts";
import type { CpuTimes, HostCounters, ReadCounters } from "./host-counters.ts";
import { readLinuxCounters } from "./linux-counters.ts";
import type { MetricsSampler } from "./metrics-sampler.ts";
import { readPortableCounters } from "./portable-counters.ts";

const MIN_ELAPSED_MS = 1; // rates over less are noise, and over nothing not a number

interface SystemSamplerOptions {
  readonly readCounters?: ReadCounters;
  /** Milliseconds since the Unix epoch, for the timestamp. */
  readonly now?: () => number;
  /** Milliseconds of a clock that nobody sets, for the rates. */
  readonly monotonicNow?: () => number;
}

/**
 * The first sample is the baseline: CPU and network are 0 in it. A sample too soon after another
 * repeats its rates. Rejects when the platform cannot be asked; the next call may succeed.
 */
export function createSystemSampler({
  readCounters = process.platform === "linux" ? readLinuxCounters : readPortableCounters,
  now = Date.now,
  monotonicNow = () => performance.now(),
}: SystemSamplerOptions = {}): MetricsSampler {
  let baseline: (HostCounters & { readonly atMs: number }) | undefined;
  let rates = { cpuUsage: 0, networkIO: 0 };

  return async () => {
    const counters = await readCounters();
    const current = { ...counters, atMs: monotonicNow() };
    if (baseline === undefined) baseline = current;
    const elapsedMs = current.atMs - baseline.atMs;
    if (elapsedMs >= MIN_ELAPSED_MS) {
      const bytes = bytesBetween(baseline.networkBytes, current.networkBytes);
      rates = {
        // A clock tick of the kernel is up to 10 ms: without one, the last figure still stands.
        cpuUsage: cpuPercent(baseline.cpu, current.cpu) ?? rates.cpuUsage,
        networkIO: rounded(bytes / 1e6 / (elapsedMs / 1000)),
      };
      baseline = current;
    }
    return {
      cpuUsage: rates.cpuUsage,
      memoryUsage: percent(current.memory.usedBytes, current.memory.totalBytes) ?? 0,
      networkIO: rates.networkIO,
      timestamp: Math.floor(now() / 1000),
    };
  };
}

function cpuPercent(before: CpuTimes, after: CpuTimes): number | undefined {
  const total = after.total - before.total;
  return percent(total - (after.idle - before.idle), total);
}

/**
 * Interface by interface: one that has come is a baseline first, one that has gone counts no
 * longer, and one whose counter fell (reset, or wrapped at 32 bits) counts nothing this once.
 */
function bytesBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): number {
  let bytes = 0;
  for (const [name, count] of after) bytes += Math.max(0, count - (before.get(name) ?? count));
  return bytes;
}

function percent(part: number, whole: number): number | undefined {
  if (!(whole > 0)) return undefined;
  return rounded(within(0, 100, (100 * part) / whole));
}
