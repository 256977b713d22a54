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
  /** Samples cannot be taken or published any more; the next one is tried all the same. */
  onError: (error: unknown, stage: string) => void;
}

/** @returns stops it; may be called twice */
export function startMetrics({
  sample,
  intervalMs,
  publish,
  onError,
}: MetricsSourceOptions): () => void {
  let busy = false;
  let failing = false;
  let stopped = false;
  const attempt = async (work: () => Promise<unknown>) => {
    busy = true;
    try {
      await work();
      failing = false;
    } catch (error) {
      // Told when it begins, not at every interval.
      if (!failing) onError(error, "metrics source");
      failing = true;
    }
    busy = false;
  };
  // Rates are measured against the sample before: this one is the first one's.
  void attempt(sample);
  const timer = setInterval(() => {
    // A host too busy to be sampled in time gets rarer samples, not a queue of them.
    if (busy) return;
    void attempt(async () => {
      const taken = await sample();
      if (!stopped) await publish(taken);
    });
  }, intervalMs);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}
