/**
 * What a platform has to tell for the metrics: counters that grow from boot on, and memory now.
 * Linux and the others read them in their own files; `system-metrics.ts` turns them into rates.
 */
export interface HostCounters {
  readonly cpu: CpuTimes;
  readonly memory: { readonly usedBytes: number; readonly totalBytes: number };
  /** Bytes sent and received, by interface; only those that `countedInterfaces` chose. */
  readonly networkBytes: ReadonlyMap<string, number>;
}

/** The time of all cores together, in any one unit. Waiting for a disk is idle too. */
export interface CpuTimes {
  readonly idle: number;
  readonly total: number;
}

export type ReadCounters = () => Promise<HostCounters>;
