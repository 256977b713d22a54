/**
 * How often each number came, from 0 on, in a fixed amount of memory: exact below 64, and within
 * 1.6 % above, which is what percentiles of milliseconds need.
 */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #max = 0;

  get total(): number {
    return this.#total;
  }

  get max(): number {
    return this.#max;
  }

  /** What is below 0 counts as 0. */
  record(value: number): void {
    const whole = Math.min(Math.max(0, Math.round(value)), MAX);
    this.#counts[bucketOf(whole)]! += 1;
    this.#total += 1;
    if (whole > this.#max) this.#max = whole;
  }

  /** The smallest number that this share of all do not exceed; 0 when there are none. */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return Math.min(topOf(bucket), this.#max);
    }
    return 0;
  }
}

// 64 buckets for each power of two: 0–63 one by one, 64–127 one by one, 128–255 in twos …
const STEPS = 64;
const POWERS = 26;
const BUCKETS = STEPS * POWERS;
const MAX = STEPS * 2 ** (POWERS - 1) - 1;

function bucketOf(value: number): number {
  if (value < STEPS) return value;
  const power = 31 - Math.clz32(value) - 5; // 1 for 64–127
  return STEPS * power + (value >> (power - 1)) - STEPS;
}

/** The largest number in a bucket. */
function topOf(bucket: number): number {
  const power = Math.floor(bucket / STEPS);
  if (power === 0) return bucket;
  return ((bucket % STEPS) + STEPS + 1) * 2 ** (power - 1) - 1;
}
