/**
 * Random numbers that can be had again: a test prints its seed when it fails, and
 * `SEED=… npx vitest run …` replays it.
 */
export function seeded(): { seed: number; random: () => number } {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
  let state = seed >>> 0;
  // mulberry32, public domain, by Tommy Ettinger
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { seed, random };
}
