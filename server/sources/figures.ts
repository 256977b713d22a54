/** How a figure is shown: within its bounds, with at most two decimals. Imports nothing. */
export function within(min: number, max: number, value: number): number {
  return Math.min(max, Math.max(min, value));
}

export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
