/** Polling subscriptions under a clock that the test moves. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PushError } from "../../server/errors.ts";
import { Hub } from "../../server/hub.ts";
import type { Limits } from "../../server/limits.ts";
import { MemoryStore } from "../../server/store/memory-store.ts";

const notFound = expect.objectContaining({
  code: "subscription_not_found",
  message: "subscription not found",
});

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => vi.useRealTimers());

async function open(limits: Partial<Limits> = {}) {
  let now = 0;
  const hub = new Hub(new MemoryStore(), { limits: { leaseMs: 1_000, ...limits }, now: () => now });
  await hub.createTopic("t");
  const pass = async (ms: number) => {
    now += ms;
    await vi.advanceTimersByTimeAsync(ms);
  };
  const lease = async (options?: object) => (await hub.lease("t", options)).subscriptionId;
  return { hub, pass, lease };
}

describe("a lease", () => {
  test("runs out at its time, n - 1 and n, when nobody polls", async () => {
    const { hub, pass, lease } = await open();
    const id = await lease();
    await pass(999);
    expect(hub.stats().subscriptions).toBe(1);
    await pass(1);
    expect(hub.stats().subscriptions).toBe(0);
    await expect(hub.poll(id)).rejects.toEqual(notFound);
  });

  test("is renewed by every poll, however many others there are", async () => {
    const { hub, pass, lease } = await open();
    const ids = await Promise.all(Array.from({ length: 50 }, () => lease()));
    const forgotten = new Set(ids.slice(10, 30));
    for (let round = 0; round < 10; round += 1) {
      await pass(900);
      // Backwards, so that the order of expiry changes each time.
      ids.reverse();
      for (const id of ids.filter((each) => !forgotten.has(each))) await hub.poll(id);
    }
    expect(hub.stats().subscriptions).toBe(50 - forgotten.size);
    await pass(1_000);
    expect(hub.stats().subscriptions).toBe(0);
  });

  test("does not run while a poll is being held", async () => {
    const { hub, pass, lease } = await open({ waitMs: 5_000 });
    const id = await lease();
    const held = hub.poll(id, { waitMs: 5_000 });
    await pass(3_000);
    expect(hub.stats()).toMatchObject({ subscriptions: 1, heldPolls: 1 });
    await pass(2_000);
    expect((await held).events).toEqual([]);
    await pass(999);
    expect(hub.stats()).toMatchObject({ subscriptions: 1, heldPolls: 0 });
    await pass(1);
    expect(hub.stats().subscriptions).toBe(0);
  });

  test("is refused over the limit, at n - 1, n and n + 1, and there is room again after an end", async () => {
    const { hub, lease } = await open({ subscriptions: 2 });
    const first = await lease();
    await lease();
    await expect(lease()).rejects.toMatchObject({ code: "limit_exceeded" });
    hub.unsubscribe(first);
    await lease();
    const many = await Promise.allSettled([lease(), lease()]);
    expect(many.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(hub.stats().subscriptions).toBe(2);
  });
});

describe("a poll", () => {
  test("answers a poll that is still held for the same id, empty, and takes the events itself", async () => {
    const { hub, lease } = await open();
    const id = await lease();
    const first = hub.poll(id, { waitMs: 1_000 });
    await vi.waitFor(() => expect(hub.stats().heldPolls).toBe(1));
    const second = hub.poll(id, { waitMs: 1_000 });
    expect((await first).events).toEqual([]);
    await hub.publish("t", 1);
    expect((await second).events.map(({ offset }) => offset)).toEqual([1]);
  });

  test("that is given up does not move the cursor", async () => {
    const { hub, lease } = await open();
    const id = await lease();
    const gone = new AbortController();
    const held = hub.poll(id, { waitMs: 1_000 }, gone.signal);
    gone.abort();
    await hub.publish("t", 1);
    expect((await held).events).toEqual([]);
    expect((await hub.poll(id)).events.map(({ offset }) => offset)).toEqual([1]);
  });

  test("that was given up before it began is not held", async () => {
    const { hub, lease } = await open();
    const held = hub.poll(await lease(), { waitMs: 1_000 }, AbortSignal.abort());
    expect((await held).events).toEqual([]);
    expect(hub.stats().heldPolls).toBe(0);
  });

  test("with `after` acknowledges: a lost answer is given again, an acknowledged one is not", async () => {
    const { hub, lease } = await open();
    const id = await lease();
    for (let number = 1; number <= 6; number += 1) await hub.publish("t", number);
    const lost = await hub.poll(id, { limit: 3 });
    const { cursor: start } = (await hub.topics())[0]!;
    const again = await hub.poll(id, { after: start.replace(/\.6$/, ".0"), limit: 3 });
    expect(again).toEqual(lost);
    const next = await hub.poll(id, { after: again.cursor });
    expect(next.events.map(({ offset }) => offset)).toEqual([4, 5, 6]);
  });

  test("ends with the reason when the hub closes while it is held", async () => {
    const { hub, lease } = await open();
    const held = hub.poll(await lease(), { waitMs: 1_000 });
    await vi.waitFor(() => expect(hub.stats().heldPolls).toBe(1));
    const reason = new PushError("shutting_down", "going");
    await Promise.all([expect(held).rejects.toBe(reason), hub.close(() => reason)]);
    await hub.close();
    expect(hub.stats()).toMatchObject({ subscriptions: 0, heldPolls: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([undefined, null, "", 7, {}, ["id"]])(
    "says that an id is required, got %j",
    async (id) => {
      const { hub } = await open();
      const required = { code: "invalid_request", message: "subscription ID required" };
      await expect(hub.poll(id)).rejects.toMatchObject(required);
      expect(() => hub.unsubscribe(id)).toThrow(expect.objectContaining(required));
    },
  );

  test.each(["x", "__proto__", "constructor", "t_"])("does not know %j", async (id) => {
    const { hub } = await open();
    await expect(hub.poll(id)).rejects.toEqual(notFound);
    expect(() => hub.unsubscribe(id)).toThrow(notFound);
  });
});

test("an id is the topic's name and at least 64 random bits, never the same", async () => {
  const { hub, lease } = await open();
  await hub.createTopic("system-metrics");
  const { subscriptionId } = await hub.lease("system-metrics");
  expect(subscriptionId).toMatch(/^system_metrics_[A-Za-z0-9_-]{21}$/);
  const ids = await Promise.all(Array.from({ length: 1_000 }, () => lease()));
  expect(new Set(ids).size).toBe(1_000);
});
