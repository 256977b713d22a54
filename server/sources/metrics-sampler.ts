/** The plug for a source of metrics: call it once per interval, await it, publish what it gives. */
import type { SystemMetrics } from "../contract.ts";

/**
 * Takes one sample. Rates are since the sample before, so two calls must not overlap; the first
 * call has nothing to compare with and may give 0 for them.
 */
export type MetricsSampler = () => Promise<SystemMetrics>;
