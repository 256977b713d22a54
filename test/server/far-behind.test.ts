/**
 * Many readers that come back from different places: after its first batch each is given the same
 * ones as all others, none of them large, and nobody sees an event twice or misses one untold.
 */
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Batch } from "../../server/contract.ts";
import { MemoryStore, type MemoryStoreOptions } from "../../server/store/memory-store.ts";
import type { Store } from "../../server/store/store.ts";
import { isEmpty, Subscription } from "../../server/subscription.ts";
import { Turns } from "../../server/turns.ts";
import { deliver } from "../../server/wire/delivery.ts";
import { property } from "../support/property.ts";
import { makeSlowStore } from "../support/slow-store.ts";

const MOST = 512; // events in a batch for one who is behind
const READERS = 25;

async function publish(store: Store, count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) await store.append("t", { json: "0" });
}

/** Delivers what follows `offset`, into the list that is returned. */
async function deliverFrom(store: Store, offset: number, turns: Turns, limit?: number) {
  const { epoch } = await store.ends("t");
  const subscription = new Subscription(store, "t", { after: { epoch, offset }, turns });
  const batches: Batch[] = [];
  const sink = {
    hasRoom: () => true,
    write: (batch: Batch) => void batches.push(batch),
    heartbeat: () => {},
    end: () => {},
  };
  const fail = (error: unknown) => {
    throw error;
  };
  const delivery = deliver(subscription, sink, { heartbeatMs: 60_000, limit, onError: fail });
  const offsets = () => batches.flatMap(({ events }) => events.map((event) => event.offset));
  return { batches, offsets, delivery };
}

type Reader = Awaited<ReturnType<typeof deliverFrom>>;

async function until(readers: readonly Reader[], last: number): Promise<void> {
  while (readers.some(({ offsets }) => offsets().at(-1) !== last)) await turn();
  for (const { delivery } of readers) delivery.stop();
}

const upTo = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

test("share every batch but their first", async () => {
  const store = new MemoryStore({ historyEvents: 2_000 });
  await publish(store, 2_000);
  const turns = new Turns();
  const readers = await Promise.all(
    upTo(0, READERS - 1).map((back) => deliverFrom(store, 10 * back, turns)),
  );
  await until(readers, 2_000);
  for (const [back, { batches, offsets }] of readers.entries()) {
    expect(offsets()).toEqual(upTo(10 * back + 1, 2_000));
    expect(Math.max(...batches.map(({ events }) => events.length))).toBeLessThanOrEqual(MOST);
  }
  const different = new Set(readers.flatMap(({ batches }) => batches.slice(1)));
  expect(different.size).toBe(readers[0]!.batches.length - 1);
});

test("take up to 256 events in one batch", async () => {
  const store = new MemoryStore();
  await publish(store, 1_000);
  const readers = await Promise.all(
    upTo(0, 31).map((back) => deliverFrom(store, 744 + 8 * back, new Turns())),
  );
  await until(readers, 1_000);
  expect(readers.map(({ batches }) => batches.length)).toEqual(readers.map(() => 1));
});

test("get no more at once than they have asked for", async () => {
  const store = new MemoryStore();
  await publish(store, 1_000);
  const reader = await deliverFrom(store, 0, new Turns(), 300);
  await until([reader], 1_000);
  expect(reader.offsets()).toEqual(upTo(1, 1_000));
  expect(Math.max(...reader.batches.map(({ events }) => events.length))).toBe(300);
});

const step = fc.oneof(
  fc.record({ publish: fc.integer({ min: 1, max: 700 }) }),
  fc.record({ reader: fc.integer({ min: 0, max: 2 }) }),
);
const makers: [string, (options: MemoryStoreOptions) => Store][] = [
  ["a store that answers at once", (options) => new MemoryStore(options)],
  ["a store that answers by promise", (options) => makeSlowStore(options)],
];

describe.each(makers)("over %s", (_name, makeStore) => {
  test("see each event once and in order, or a gap with the exact number", () =>
    property(
      [fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 1_500 })],
      async (steps, historyEvents) => {
        const store = makeStore({ historyEvents });
        await store.create("t");
        const after = { epoch: (await store.ends("t")).epoch, offset: 0 };
        const readers = [0, 1, 2].map(() => ({
          subscription: new Subscription(store, "t", { after }),
          at: 0,
        }));
        const read = async (reader: (typeof readers)[number]) => {
          const batch = await reader.subscription.read({ aligned: true });
          const from = reader.at + (batch.gap?.missed ?? 0) + 1;
          reader.at = from - 1 + batch.events.length;
          expect(batch.events.map(({ offset }) => offset)).toEqual(upTo(from, reader.at));
          expect(batch.cursor).toBe(`${after.epoch}.${reader.at}`);
          return batch;
        };
        let published = 0;
        for (const now of steps) {
          if ("reader" in now) await read(readers[now.reader]!);
          else {
            await publish(store, now.publish);
            published += now.publish;
          }
        }
        for (const reader of readers) {
          while (!isEmpty(await read(reader)));
          expect(reader.at).toBe(published);
        }
      },
      { runs: 50 },
    ));
});
