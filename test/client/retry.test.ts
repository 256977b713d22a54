import { describe, expect, it } from "vitest";
import * as failures from "../../client/failures.ts";
import { Retry } from "../../client/retry.ts";
import { TransportError } from "../../client/transport.ts";
import { ManualTime } from "./manual-time.ts";

const MIN_MS = 250;
const NEVER = new AbortController().signal;

function retrying(random: () => number = () => 0) {
  const time = new ManualTime();
  const retry = new Retry(time.clock(random));
  /** Resolves with the time at which the next try may begin. */
  const due = (signal: AbortSignal = NEVER) => retry.wait(signal).then(time.now);
  return { time, retry, due };
}

const closedWith = (code: number) => failures.closed(code, "");
const answered = (status: number, retryAfter = "") =>
  failures.refused(
    new Response(null, { status, headers: { ...(retryAfter && { "Retry-After": retryAfter }) } }),
    "",
  );

describe("Retry", () => {
  it.each([
    ["refused", failures.unreachable(new TypeError("fetch failed"))],
    ["lost", failures.lost("The connection was lost")],
    ["a 4xx", answered(404)],
    ["a 5xx", answered(502)],
    ["a 503 that says 0 s", answered(503, "0")],
    ["closed at once", closedWith(1006)],
    ["closed for good", closedWith(1008)],
    ["bad bytes", failures.protocolError("Expected JSON")],
    ["a broken order", new failures.OrderBroken("(skip)")],
    ["no session, soon", new failures.NoSession(failures.lost("lost"), 3)],
  ])("never goes below the minimum: %s", async (_, failure) => {
    const { time, retry, due } = retrying();
    for (let tries = 1; tries <= 20; tries += 1) {
      expect(retry.failed(failure)).toBeGreaterThanOrEqual(MIN_MS);
      const next = due();
      time.wake();
      retry.hurry();
      time.advance(MIN_MS - 1);
      expect(time.waiting).toBe(1);
      time.advance(1);
      expect(await next).toBe(tries * MIN_MS);
    }
  });

  it.each([
    [answered(503, "4"), 4_000],
    [answered(503, "3600"), 300_000],
    [failures.told({ code: "shutting_down", message: "", retryAfterMs: 1_234 }), 1_234],
  ])(
    "obeys a server that says when, up to five minutes, and spreads what comes then",
    (failure, ms) => {
      expect(retrying(() => 0).retry.failed(failure)).toBe(ms);
      expect(retrying(() => 0.5).retry.failed(failure)).toBe(ms + 500);
    },
  );

  it("doubles its jitter with each failure, up to half a minute, until something lived", () => {
    const { retry } = retrying(() => 0.5);
    const failure = failures.lost("lost");
    const delays = Array.from({ length: 8 }, () => retry.failed(failure) - MIN_MS);
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    expect(retry.failed(failure, 9_999) - MIN_MS).toBe(15_000);
    expect(retry.failed(failure, 10_000) - MIN_MS).toBe(500);
    retry.reset();
    expect(retry.failed(failure) - MIN_MS).toBe(500);
  });

  it("adds nothing where somebody else tries, with a jitter of its own", () => {
    const { retry } = retrying(() => 0.5);
    const waiting = new failures.NoSession(failures.lost("lost"), 700, "not_connected");
    expect([retry.failed(waiting), retry.failed(waiting)]).toEqual([700, 700]);
    expect(retry.failed(failures.lost("lost"))).toBe(750); // those were no tries
  });

  it("is shortened by a wake-up, with a jitter, but not below what the server asked for", async () => {
    const { time, retry, due } = retrying(() => 0.5);
    for (let failed = 0; failed < 6; failed += 1) retry.failed(failures.lost("lost"));
    let next = due();
    time.advance(1_000);
    time.wake();
    time.advance(250);
    expect(await next).toBe(1_250);

    retry.failed(answered(503, "60"));
    next = due();
    time.wake();
    time.advance(60_000 + 249);
    expect(time.waiting).toBe(1);
    time.advance(1);
    expect(await next).toBe(1_250 + 60_000 + 250);
  });

  it("is shortened by who is in a hurry, without a jitter", async () => {
    const { time, retry, due } = retrying(() => 0.5);
    for (let failed = 0; failed < 6; failed += 1) retry.failed(failures.lost("lost"));
    const next = due();
    retry.hurry();
    time.advance(MIN_MS);
    expect(await next).toBe(MIN_MS);
    retry.hurry(); // nobody waits
    expect(time.waiting + time.sleeping).toBe(0);
  });

  it("ends with its signal, at once, and leaves nothing behind", async () => {
    const { time, retry, due } = retrying();
    retry.failed(new TransportError("internal", "", { canRetry: true }));
    const stop = new AbortController();
    const next = due(stop.signal);
    stop.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
    await expect(due(stop.signal)).rejects.toThrow("enough");
    expect(time.waiting + time.sleeping).toBe(0);
  });
});
