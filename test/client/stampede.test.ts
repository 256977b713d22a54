/** Ten thousand clients of one server that restarts: they come back spread over the time there is. */
import { describe, expect, it } from "vitest";
import { lost, unreachable } from "../../client/failures.ts";
import { Retry } from "../../client/retry.ts";
import { TransportError } from "../../client/transport.ts";
import { seeded } from "../support/seeded.ts";
import { ManualTime } from "./manual-time.ts";

const CLIENTS = 10_000;
const BUCKETS = 50;
const NEVER = new AbortController().signal;

interface Outage {
  /** What each is told as its connection ends. */
  readonly told: () => TransportError;
  /** How long nobody is there after that. */
  readonly downMs?: number;
  /** All of them wake up at this time. */
  readonly wakeAtMs?: number;
}

/** When each of them is back. */
async function returns({ told, downMs = 0, wakeAtMs }: Outage): Promise<number[]> {
  const { random } = dice;
  return Promise.all(Array.from({ length: CLIENTS }, back));

  async function back(): Promise<number> {
    const time = new ManualTime();
    const retry = new Retry(time.clock(random));
    let failure = told();
    if (wakeAtMs !== undefined) time.setTimer(() => time.wake(), wakeAtMs);
    for (;;) {
      retry.failed(failure);
      let at: number | undefined;
      const due = retry.wait(NEVER).then(() => (at ??= time.now()));
      while (time.sleeping > 0) time.advance(time.nextInMs!);
      at = time.now();
      await due;
      if (at >= downMs) return at;
      failure = unreachable(new TypeError("fetch failed"));
    }
  }
}

const dice = seeded();

function histogram(times: readonly number[], from: number, to: number): number[] {
  const counts = Array.from({ length: BUCKETS }, () => 0);
  for (const time of times) {
    expect(time).toBeGreaterThanOrEqual(from);
    expect(time).toBeLessThan(to);
    counts[Math.floor(((time - from) / (to - from)) * BUCKETS)]! += 1;
  }
  return counts;
}

/** Pearson's. Its mean is BUCKETS - 1 = 49, and it is above 111 once in a million runs. */
function expectFlat(counts: readonly number[]): void {
  const expected = CLIENTS / BUCKETS;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  expect(chiSquare, `SEED=${dice.seed} replays ${counts.join(" ")}`).toBeLessThan(111);
}

describe("ten thousand clients", () => {
  it("come back spread evenly over a second, none in the first quarter, after a crash", async () => {
    const times = await returns({ told: () => lost("The connection was lost") });
    expectFlat(histogram(times, 250, 1_250));
  });

  it("come back spread evenly after the time that all were told alike", async () => {
    const told = () =>
      new TransportError("limit_exceeded", "busy", { canRetry: true, retryAfterMs: 5_000 });
    expectFlat(histogram(await returns({ told }), 5_000, 6_000));
  });

  it("come back spread over the time that a stopping server has given out, each its own", async () => {
    const told = () => {
      const retryAfterMs = dice.random() * 10_000; // as the server spreads its grace period
      return new TransportError("shutting_down", "", { canRetry: true, retryAfterMs });
    };
    const counts = histogram(await returns({ told }), 250, 11_000);
    expect(Math.max(...counts)).toBeLessThan(1.5 * (CLIENTS / BUCKETS));
  });

  it("come back spread over half a minute when nobody was there for long", async () => {
    const downMs = 120_000;
    const times = await returns({ told: () => lost("The connection was lost"), downMs });
    const counts = histogram(times, downMs, downMs + 30_250);
    // The chance to be back within a time is highest at its beginning: twice that of an even spread.
    expect(Math.max(...counts)).toBeLessThan(3 * (CLIENTS / BUCKETS));
  });

  it("come back spread over half a second and more when all their networks are back at once", async () => {
    const downMs = 60_000;
    const times = await returns({ told: () => lost("lost"), downMs, wakeAtMs: downMs });
    const late = times.filter((time) => time >= downMs + 500 + 250);
    expect(late).toEqual([]);
    const counts = histogram(times, downMs, downMs + 750);
    expect(Math.max(...counts)).toBeLessThan(3 * (CLIENTS / BUCKETS));
  });
});
