/**
 * Feeds a topic with one sample of the host every interval. Knows nothing of topics: it hands each
 * sample to `publish`.
 */
import type { SystemMetrics } from "../contract.ts";
import type { MetricsSampler } from "./metrics-sampler.ts";

export interface MetricsSourceOptions {
  sample: MetricsSampler;
  /** Milliseconds between two samples. */
  intervalMs: number;
  publish: (sample: SystemMetrics) => unknown;
  /** A sample that could not be taken or published; the next one is tried all the same. */
  onError: (error: unknown, stage: string) => void;
}

/** @returns stops it; may be called twice */
export function startMetrics({
  sample,
  intervalMs,
  publish,
  onError,
}: MetricsSourceOptions): () => void {
  let busy = true;
  const attempt = async (work: () => Promise<unknown>) => {
    busy = true;
    try {
      await work();
    } catch (error) {
      onError(error, "metrics source");
    }
    busy = false;
  };
  // Rates are measured against the sample before: this one is the first one's.
  void attempt(sample);
  const timer = setInterval(() => {
    // A host too busy to be sampled in time gets rarer samples, not a queue of them.
    if (!busy) void attempt(async () => publish(await sample()));
  }, intervalMs);
  return () => clearInterval(timer);
}
