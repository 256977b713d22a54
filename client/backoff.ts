/**
 * How long to wait before the next attempt. Full jitter, so that ten thousand clients of a server
 * that restarts do not come back together, on top of a minimum that no attempt goes below.
 */
export interface BackoffOptions {
  /** No attempt comes sooner. The jitter comes on top, so a longer minimum stays spread out. */
  minMs?: number;
  /** How far the first attempt is spread; doubles with each one that follows. */
  spreadMs?: number;
  /** The most that `spreadMs` grows to. */
  maxSpreadMs?: number;
  /** 0 (included) to 1 (not included). */
  random?: () => number;
}

/** The delay before attempt 0, 1, 2 …: from `minMs` up to `minMs` and that attempt's spread. */
export function backoffDelay(
  attempt: number,
  {
    minMs = 250,
    spreadMs = 1_000,
    maxSpreadMs = 30_000,
    random = Math.random,
  }: BackoffOptions = {},
): number {
  return minMs + random() * Math.min(maxSpreadMs, spreadMs * 2 ** attempt);
}
