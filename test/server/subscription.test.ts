/** A subscription against a naive model: a queue of its own that drops its oldest and counts. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Batch } from "../../server/contract.ts";
import { PushError } from "../../server/errors.ts";
import { MemoryStore, type MemoryStoreOptions } from "../../server/store/memory-store.ts";
import type { Store } from "../../server/store/store.ts";
import { Subscription } from "../../server/subscription.ts";
import { makeSlowStore } from "../support/slow-store.ts";

const stores: [string, (options?: MemoryStoreOptions) => Store][] = [
  ["a store that answers at once", (options) => new MemoryStore(options)],
  ["a store that answers by promise", (options) => makeSlowStore(options)],
];

describe.each(stores)("over %s", (_name, makeStore) => {
  async function open(capacity?: number, options?: MemoryStoreOptions) {
    const store = makeStore(options);
    await store.create("t");
    const { epoch } = await store.ends("t");
    const after = { epoch, offset: 0 };
    const settings = capacity === undefined ? { after } : { after, capacity };
    const subscription = new Subscription(store, "t", settings);
    const publish = async (count = 1) => {
      for (let number = 0; number < count; number += 1) await store.append("t", { json: "0" });
    };
    return { store, subscription, publish, epoch };
  }

  const offsets = ({ events }: Batch) => events.map(({ offset }) => offset);

  test("is a ring buffer of its own: order, capacity, and the exact count of what it lost", async () => {
    const step = fc.oneof(
      fc.record({ publish: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ readLimit: fc.integer({ min: 1, max: 9 }) }),
    );
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 14 }),
      fc.array(step, { maxLength: 40 }),
      async (capacity, historyEvents, steps) => {
        const { subscription, publish } = await open(capacity, { historyEvents });
        let queue: number[] = [];
        let last = 0;
        let lost = 0;
        let lostInAll = 0;
        for (const now of steps) {
          if ("publish" in now) {
            for (let count = 0; count < now.publish; count += 1) queue.push((last += 1));
            await publish(now.publish);
            const overflow = Math.max(0, queue.length - Math.min(capacity, historyEvents));
            queue = queue.slice(overflow);
            lost += overflow;
            continue;
          }
          const batch = await subscription.read({ limit: now.readLimit });
          expect(offsets(batch)).toEqual(queue.splice(0, now.readLimit));
          expect(batch.gap?.missed ?? 0).toBe(lost);
          const reason = historyEvents < capacity ? "evicted" : "overflow";
          if (lost > 0 && historyEvents !== capacity) expect(batch.gap?.reason).toBe(reason);
          lostInAll += lost;
          lost = 0;
          expect([subscription.behind, subscription.missed]).toEqual([queue.length, lostInAll]);
          expect(subscription.cursor).toBe(batch.cursor);
        }
      },
    );
    await fc.assert(property, { numRuns: 80 });
  });

  test("loses nothing at capacity n - 1 and n, one at n + 1", async () => {
    for (const [published, missed] of [
      [3, undefined],
      [4, undefined],
      [5, 1],
    ] as const) {
      const { subscription, publish } = await open(4);
      await publish(published);
      const batch = await subscription.read();
      expect([batch.gap?.missed, offsets(batch).at(-1)]).toEqual([missed, published]);
    }
  });

  test("goes back to an acknowledged place, so a lost answer loses nothing", async () => {
    const { subscription, publish, epoch } = await open(10);
    await publish(6);
    const first = await subscription.read({ limit: 4 });
    const again = await subscription.read({ after: { epoch, offset: 0 }, limit: 4 });
    expect(again).toEqual(first);
    expect(offsets(await subscription.read({ after: { epoch, offset: 2 } }))).toEqual([3, 4, 5, 6]);
  });

  test("overlapping reads take turns: each event once", async () => {
    const { subscription, publish } = await open();
    await publish(100);
    const batches = await Promise.all(
      Array.from({ length: 20 }, async () => subscription.read({ limit: 7 })),
    );
    expect(batches.flatMap(offsets)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  test("waits for the next event, and takes all that came in one turn as one batch", async () => {
    const { store, subscription } = await open();
    const waiting = subscription.next();
    await Promise.all([1, 2, 3].map(async () => store.append("t", { json: "0" })));
    const seen = offsets(await waiting);
    while (seen.length < 3) seen.push(...offsets(await subscription.next()));
    expect(seen).toEqual([1, 2, 3]);
  });

  test("an answer that waited in vain is empty and has the cursor", async () => {
    const { subscription } = await open();
    const cursor = subscription.cursor;
    expect(await subscription.next({ waitMs: 0 })).toEqual({ events: [], cursor });
    expect(await subscription.next({ waitMs: 5 })).toEqual({ events: [], cursor });
    const stop = new AbortController();
    const waiting = subscription.next({ signal: stop.signal });
    stop.abort();
    expect(await waiting).toEqual({ events: [], cursor });
    expect(await subscription.next({ signal: stop.signal })).toEqual({ events: [], cursor });
  });

  test("a wait that is ended takes no event from the one that follows", async () => {
    const { store, subscription } = await open();
    const stop = new AbortController();
    const first = subscription.next({ signal: stop.signal });
    await store.append("t", { json: "0" });
    stop.abort();
    const second = await subscription.next({ waitMs: 1_000 });
    const both = [...offsets(await first), ...offsets(second)];
    expect(both).toEqual([1]);
  });

  test("a wait that is ended while the store reads takes nothing", async () => {
    const { store, epoch } = await open();
    await store.append("t", { json: "0" });
    const late: Store = {
      ...bound(store),
      read: async (...args) => {
        const result = await store.read(...args);
        stop.abort();
        return result;
      },
    };
    const stop = new AbortController();
    const subscription = new Subscription(late, "t", { after: { epoch, offset: 0 } });
    expect((await subscription.next({ signal: stop.signal })).events).toEqual([]);
    expect(offsets(await subscription.next())).toEqual([1]);
  });

  test("closing tells whoever waits and whoever reads later, once", async () => {
    let closed = 0;
    const { store, epoch } = await open();
    const subscription = new Subscription(store, "t", {
      after: { epoch, offset: 0 },
      onClose: () => (closed += 1),
    });
    const waiting = subscription.next();
    // Until it sleeps: a slow store takes some turns to say that there is nothing.
    for (let turns = 0; turns < 20; turns += 1) await new Promise((r) => setImmediate(r));
    const reason = new PushError("shutting_down", "the server is stopping");
    subscription.close(reason);
    subscription.close();
    await expect(waiting).rejects.toBe(reason);
    await expect((async () => subscription.read())()).rejects.toBe(reason);
    expect(closed).toBe(1);
  });

  test("leaves no bell and no timer behind", async () => {
    let bells = 0;
    const { store, epoch } = await open();
    const counted: Store = {
      ...bound(store),
      watch: (topic, ring) => {
        bells += 1;
        const takeDown = store.watch(topic, ring);
        return () => {
          bells -= 1;
          takeDown();
        };
      },
    };
    const subscription = new Subscription(counted, "t", { after: { epoch, offset: 0 } });
    await subscription.next({ waitMs: 1 });
    const waiting = subscription.next();
    await store.append("t", { json: "0" });
    await waiting;
    expect(bells).toBe(0);
  });

  test("an epoch that changed is told once, and then the window applies", async () => {
    const { store, publish } = await open();
    await publish(10);
    const after = { epoch: "former-life", offset: 400 };
    const subscription = new Subscription(store, "t", { after, capacity: 4 });
    const batch = await subscription.read({ limit: 2 });
    expect([batch.gap, offsets(batch)]).toEqual([{ missed: null, reason: "epoch" }, [7, 8]]);
    const rest = await subscription.read();
    expect([rest.gap, offsets(rest)]).toEqual([undefined, [9, 10]]);
  });
});

function bound(store: Store): Store {
  return {
    create: (topic) => store.create(topic),
    append: (topic, event) => store.append(topic, event),
    read: (topic, after, limits) => store.read(topic, after, limits),
    ends: (topic) => store.ends(topic),
    topics: () => store.topics(),
    watch: (topic, ring) => store.watch(topic, ring),
    close: () => store.close(),
  };
}
