/**
 * The top of a scale that has no natural end: the next 1, 2, 4 or 8 times a power of ten, so that
 * the scale stays the same while values move a little, and its quarters are plain numbers too.
 */
export function niceCeiling(value: number, least = 1): number {
  const target = Math.max(value, least);
  const magnitude = 10 ** Math.floor(Math.log10(target));
  const factor = [1, 2, 4, 8].find((candidate) => candidate * magnitude >= target) ?? 10;
  return factor * magnitude;
}
