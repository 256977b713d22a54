/**
 * The last five minutes of samples, column by column as the chart wants them. Where samples are
 * missing it holds a row of nulls, which is a break in the line.
 */
import type { SystemMetrics } from "../../server/contract.ts";

export const WINDOW_MS = 5 * 60_000;

type Column = (number | null)[];
type Metric = "cpuUsage" | "memoryUsage" | "networkIO";

export interface Summary {
  readonly average: number;
  readonly peak: number;
}

export class SampleWindow {
  /** In milliseconds since the Unix epoch, ascending. */
  readonly times: number[] = [];
  readonly cpuUsage: Column = [];
  readonly memoryUsage: Column = [];
  readonly networkIO: Column = [];
  #loss = false;

  /** The time of the newest sample. */
  get end(): number | undefined {
    return this.times.at(-1);
  }

  /** `afterLoss`: samples are missing before these, or, if there are none, before the next. */
  append(
    samples: readonly SystemMetrics[],
    { intervalMs, afterLoss = false }: { intervalMs: number; afterLoss?: boolean },
  ): void {
    this.#loss ||= afterLoss;
    for (const sample of samples) {
      const previous = this.#endBefore(sample);
      const time = timeOf(sample, previous, intervalMs);
      // A host that slept took no samples, so none is lost, but a line across would be a lie.
      const slept = time - (previous ?? time) > 3 * Math.max(intervalMs, 1_000);
      if (previous !== undefined && (this.#loss || slept)) this.#push((previous + time) / 2);
      this.#push(time, sample);
      this.#loss = false;
    }
    this.#trim();
  }

  summary(metric: Metric): Summary {
    let sum = 0;
    let count = 0;
    let peak = 0;
    for (const value of this[metric]) {
      if (value === null) continue;
      sum += value;
      count++;
      peak = Math.max(peak, value);
    }
    return { average: count === 0 ? 0 : sum / count, peak };
  }

  /** If the server's clock was set back, what is here belongs to another time and is dropped. */
  #endBefore({ timestamp }: SystemMetrics): number | undefined {
    if (this.end !== undefined && this.end - timestamp * 1_000 > 2_000)
      this.#dropFirst(this.times.length);
    return this.end;
  }

  #push(time: number, sample?: SystemMetrics): void {
    this.times.push(time);
    this.cpuUsage.push(sample?.cpuUsage ?? null);
    this.memoryUsage.push(sample?.memoryUsage ?? null);
    this.networkIO.push(sample?.networkIO ?? null);
  }

  #trim(): void {
    const start = (this.end ?? 0) - WINDOW_MS;
    // One sample more than fits, so that the line reaches the left edge.
    const first = this.times.findIndex((time) => time >= start) - 1;
    if (first > 0) this.#dropFirst(first);
  }

  #dropFirst(count: number): void {
    for (const column of [this.times, this.cpuUsage, this.memoryUsage, this.networkIO]) {
      column.splice(0, count);
    }
  }
}

/**
 * Samples carry whole seconds. Each is placed one interval after the one before and then into its
 * own second; one that is a little early stays where the one before is, as the chart demands.
 */
function timeOf(
  { timestamp }: SystemMetrics,
  previous: number | undefined,
  intervalMs: number,
): number {
  const second = timestamp * 1_000;
  if (previous === undefined) return second;
  const time = Math.min(Math.max(previous + intervalMs, second), second + 999);
  return Math.max(previous, time);
}
