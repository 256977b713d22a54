/** Numbers as the cards write them: short, and of about the same width as they grow. */
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });

/** `1,042`, and `12.35K` where that would be too long. */
export function countText(count: number): string {
  return count < 10_000 ? whole.format(count) : short.format(count);
}

/** `512 B`, `10.5 kB`, `3.2 MB`: powers of ten. */
export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 999_950) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A time as far as it is known. */
export interface Measured {
  readonly ms: number;
  /** It may be so much more or less. */
  readonly errorMs: number;
}

/** `2.4 ms`, `420 ms`, `1.2 s`; `< 2 ms` for what is less than can be known. */
export function delayText(delay: Measured | undefined): string {
  if (delay === undefined) return "–";
  const { ms, errorMs } = delay;
  if (ms < errorMs) return `< ${Math.ceil(errorMs)} ms`;
  return durationText(ms);
}

export function durationText(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
