/**
 * What every store must do: the comments of server/store/store.ts as tests. A new store is finished
 * when `storeContract("name", makeStore)` passes.
 */
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Cursor } from "../server/store/cursor.ts";
import { formatCursor } from "../server/store/cursor.ts";
import type { ReadLimits, Store } from "../server/store/store.ts";

export interface StoreSettings {
  historyEvents?: number;
  historyBytes?: number;
  historyAgeMs?: number;
  topics?: number;
  now?: () => number;
}

const ALL: ReadLimits = { limit: 1_000, maxBytes: 1_000_000 };

export function storeContract(
  name: string,
  makeStore: (settings: StoreSettings) => Promise<Store>,
): void {
  const opened = async (settings: StoreSettings = {}) => {
    const store = await makeStore(settings);
    onTestFinished(async () => store.close());
    return store;
  };
  /** A store whose topic "t" holds events 1 … count, each with its number as data. */
  const filled = async (count: number, settings: StoreSettings = {}) => {
    const store = await opened(settings);
    await store.create("t");
    for (let number = 1; number <= count; number += 1) await append(store, number);
    const { epoch } = await store.ends("t");
    return { store, at: (offset: number): Cursor => ({ epoch, offset }) };
  };

  describe(`${name} keeps the store's contract`, () => {
    test("knows only topics that were created or appended to", async () => {
      const store = await opened();
      const unknown = expect.objectContaining({ code: "topic_not_found" });
      await expect(attempt(() => store.read("t", NOWHERE, ALL))).rejects.toEqual(unknown);
      await expect(attempt(() => store.ends("t"))).rejects.toEqual(unknown);
      await expect(attempt(() => store.watch("t", () => {}))).rejects.toEqual(unknown);
      await store.create("created");
      await store.append("appended", { json: "1" });
      const topics = await store.topics();
      expect(topics.map(({ topic, events }) => [topic, events]).toSorted()).toEqual([
        ["appended", 1],
        ["created", 0],
      ]);
    });

    test("creating a topic twice changes nothing", async () => {
      const { store, at } = await filled(2);
      await store.create("t");
      expect(await store.ends("t")).toEqual({ epoch: at(0).epoch, first: 1, last: 2 });
    });

    test("numbers events 1, 2, 3 … without holes, also when appends overlap", async () => {
      const store = await opened();
      const cursors = await Promise.all(
        Array.from({ length: 100 }, async () => store.append("t", { json: "0" })),
      );
      const numbers = Array.from({ length: 100 }, (_, index) => index + 1);
      expect(cursors.map(({ offset }) => offset).toSorted((a, b) => a - b)).toEqual(numbers);
      expect(new Set(cursors.map(({ epoch }) => epoch)).size).toBe(1);
    });

    test("gives back data, name and time as they were appended", async () => {
      const store = await opened({ now: () => 1_700_000_000_000 });
      const cursor = await store.append("t", { json: '{"a":[1,"ü\\u0000",null]}', name: "n" });
      const { batch } = await store.read("t", { ...cursor, offset: 0 }, ALL);
      expect(batch.events).toEqual([
        { offset: 1, time: 1_700_000_000_000, name: "n", data: { a: [1, "ü\0", null] } },
      ]);
      expect(batch.cursor).toBe(formatCursor(cursor));
    });

    test("keeps topics apart", async () => {
      const store = await opened();
      await store.append("a", { json: "1" });
      await store.append("b", { json: "2" });
      const { epoch } = await store.ends("b");
      const { batch } = await store.read("b", { epoch, offset: 0 }, ALL);
      expect(batch.events.map(({ offset, data }) => [offset, data])).toEqual([[1, 2]]);
    });

    test("reads on from a cursor, up to the limit, and says where the log ends", async () => {
      const { store, at } = await filled(10);
      const { batch, end, last } = await store.read("t", at(3), { limit: 4, maxBytes: 1_000 });
      expect(batch.events.map(({ data }) => data)).toEqual([4, 5, 6, 7]);
      expect({ cursor: batch.cursor, end, last }).toEqual({
        cursor: formatCursor(at(7)),
        end: at(7),
        last: 10,
      });
      expect(batch.gap).toBeUndefined();
    });

    test("an empty batch has the cursor it was asked with", async () => {
      const { store, at } = await filled(3);
      const { batch } = await store.read("t", at(3), ALL);
      expect(batch).toEqual({ events: [], cursor: formatCursor(at(3)) });
    });

    test("bounds a batch in bytes, but always gives one event", async () => {
      const store = await opened();
      for (const size of [10, 10, 500, 10]) {
        await store.append("t", { json: JSON.stringify("x".repeat(size - 2)) });
      }
      const { epoch } = await store.ends("t");
      const counts: number[] = [];
      for (let offset = 0; offset < 4;) {
        const { batch, end } = await store.read("t", { epoch, offset }, { limit: 9, maxBytes: 20 });
        counts.push(batch.events.length);
        offset = end.offset;
      }
      expect(counts).toEqual([2, 1, 1]);
    });

    test("counts exactly what was evicted before the oldest event", async () => {
      const { store, at } = await filled(10, { historyEvents: 4 });
      const { batch } = await store.read("t", at(2), ALL);
      expect(batch.gap).toEqual({ missed: 4, reason: "evicted" });
      expect(batch.events.map(({ offset }) => offset)).toEqual([7, 8, 9, 10]);
      const { batch: whole } = await store.read("t", at(6), ALL);
      expect(whole.gap).toBeUndefined();
      expect(await store.ends("t")).toEqual({ epoch: at(0).epoch, first: 7, last: 10 });
    });

    test("keeps no more bytes than it may, but always the newest event", async () => {
      const store = await opened({ historyBytes: 25 });
      for (const size of [10, 10, 10, 400]) {
        await store.append("t", { json: JSON.stringify("x".repeat(size - 2)) });
        const { first, last } = await store.ends("t");
        expect(last - first + 1).toBe([0, 1, 2, 2, 1][last]);
      }
    });

    test("keeps no event longer than it may, and counts the lost ones", async () => {
      let now = 1_000;
      const { store, at } = await filled(3, { historyAgeMs: 500, now: () => now });
      now = 1_400;
      await append(store, 4);
      now = 1_501;
      const { batch } = await store.read("t", at(1), ALL);
      expect(batch.gap).toEqual({ missed: 2, reason: "evicted" });
      expect(batch.events.map(({ offset }) => offset)).toEqual([4]);
      now = 9_000;
      const { batch: empty } = await store.read("t", at(1), ALL);
      expect(empty).toEqual({
        events: [],
        cursor: formatCursor(at(4)),
        gap: { missed: 3, reason: "evicted" },
      });
    });

    test("begins at the oldest kept when the epoch is another, and says so", async () => {
      const { store, at } = await filled(6, { historyEvents: 4 });
      const { batch } = await store.read("t", { epoch: "other", offset: 99 }, ALL);
      expect(batch.gap).toEqual({ missed: null, reason: "epoch" });
      expect(batch.events.map(({ offset }) => offset)).toEqual([3, 4, 5, 6]);
      expect(batch.cursor).toBe(formatCursor(at(6)));
    });

    test("refuses a cursor from the future, at n + 1", async () => {
      const { store, at } = await filled(3);
      await expect(attempt(() => store.read("t", at(4), ALL))).rejects.toMatchObject({
        code: "invalid_cursor",
      });
      await expect(attempt(() => store.read("t", at(3), ALL))).resolves.toBeDefined();
    });

    test("bounds the number of topics", async () => {
      const store = await opened({ topics: 2 });
      await store.create("a");
      await store.append("b", { json: "1" });
      const full = expect.objectContaining({ code: "limit_exceeded" });
      await expect(attempt(() => store.create("c"))).rejects.toEqual(full);
      await expect(attempt(() => store.append("c", { json: "1" }))).rejects.toEqual(full);
      await store.append("a", { json: "1" });
    });

    test("rings every bell after an append, and none that was taken down", async () => {
      const { store, at } = await filled(0);
      const rings = { first: 0, second: 0 };
      let heard = () => {};
      const rung = new Promise<void>((resolve) => (heard = resolve));
      const takeDown = store.watch("t", () => (rings.first += 1));
      store.watch("t", () => {
        rings.second += 1;
        heard();
      });
      takeDown();
      takeDown();
      await Promise.all([1, 2, 3].map(async (number) => append(store, number)));
      await rung;
      expect(rings.first).toBe(0);
      expect(rings.second).toBeLessThanOrEqual(3); // once an append at the most
      const { batch } = await store.read("t", at(0), ALL);
      expect(batch.events).toHaveLength(3);
    });

    test("a reader that hangs up its bell before it reads misses nothing", async () => {
      const { store, at } = await filled(0);
      const total = 500;
      const seen: number[] = [];
      const reader = (async () => {
        let wake = () => {};
        const takeDown = store.watch("t", () => wake());
        while (seen.length < total) {
          const bell = new Promise<void>((resolve) => (wake = resolve));
          const { batch } = await store.read("t", at(seen.length), ALL);
          seen.push(...batch.events.map(({ offset }) => offset));
          if (batch.events.length === 0) await bell;
        }
        takeDown();
      })();
      for (let number = 1; number <= total; number += 1) {
        await append(store, number);
        // Sometimes in the same turn, sometimes in a later one.
        if (number % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await reader;
      expect(seen).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    });

    test("behaves like an array that forgets its oldest items", async () => {
      const step = fc.oneof(
        fc.record({ append: fc.nat(40) }),
        fc.record({ readAfter: fc.nat(120), limit: fc.integer({ min: 1, max: 9 }) }),
      );
      const property = fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.array(step, { maxLength: 60 }),
        async (historyEvents, steps) => {
          const store = await makeStore({ historyEvents });
          await store.create("t");
          const { epoch } = await store.ends("t");
          const model: number[] = [];
          for (const now of steps) {
            if ("append" in now) {
              model.push(now.append);
              await append(store, now.append);
              continue;
            }
            const offset = Math.min(now.readAfter, model.length);
            const { limit } = now;
            const { batch, last } = await store.read("t", { epoch, offset }, { ...ALL, limit });
            const from = Math.max(offset, model.length - historyEvents);
            expect(batch.events.map(({ data }) => data)).toEqual(model.slice(from, from + limit));
            expect(batch.gap?.missed ?? 0).toBe(from - offset);
            expect(last).toBe(model.length);
          }
          await store.close();
        },
      );
      await fc.assert(property, { numRuns: 60 });
    });
  });
}

const NOWHERE: Cursor = { epoch: "e", offset: 0 };

async function append(store: Store, number: number): Promise<Cursor> {
  return store.append("t", { json: JSON.stringify(number) });
}

/** A store may throw at once or reject: both are the same to its users. */
async function attempt<T>(call: () => T | Promise<T>): Promise<T> {
  return call();
}
