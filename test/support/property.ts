/**
 * The seed of random tests: `FUZZ_SEED` or a random one, which is in the message of every failure.
 * `FUZZ_SEED=… npx vitest run FILE` gives the same values again.
 */
import fc from "fast-check";

export const SEED = readSeed(process.env["FUZZ_SEED"]);

/** Checks that it holds for `runs` random values. */
export async function property<T extends [unknown, ...unknown[]]>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...values: T) => Promise<void> | void,
  { runs = 100 }: { runs?: number } = {},
): Promise<void> {
  const check = fc.asyncProperty<T>(...arbitraries, async (...values) => holds(...values));
  try {
    await fc.assert(check, { seed: SEED, numRuns: runs });
  } catch (error) {
    throw withSeed(error);
  }
}

/** The same error, saying how to replay it. */
export function withSeed(error: unknown): Error {
  const { message, cause } = error as Error & { cause?: Error };
  const text = `FUZZ_SEED=${SEED} replays this:\n${cause?.message ?? ""}\n${message}`;
  return new Error(text, { cause: error });
}

function readSeed(text: string | undefined): number {
  return text === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(text);
}
