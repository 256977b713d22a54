/**
 * Sides are measured in turns, many times, so that whatever else the machine does meets all of them.
 * Each round gives one ratio; their minimum, median and maximum are the result.
 */

/** @returns for each side what each round measured */
export async function interleave<Side>(
  sides: readonly Side[],
  rounds: number,
  measure: (side: Side) => Promise<number>,
): Promise<Map<Side, number[]>> {
  const results = new Map<Side, number[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round += 1) {
    // Every other round backwards: nobody always follows the same neighbour.
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      results.get(side)!.push(await measure(side));
    }
  }
  return results;
}

/** Round by round. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((value, round) => value / to[round]!);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
