/**
 * Readers that stand at the same place are given the same object, so that its bytes are made once.
 * Never an old one; and since it is everybody's, nobody may change it.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Cursor } from "../../../server/store/cursor.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import type { ReadResult } from "../../../server/store/store.ts";
import { property } from "../../support/property.ts";
import { survivors } from "../../support/collect-garbage.ts";

const ALL = { limit: 100, maxBytes: 10_000 };

function opened(settings = {}) {
  const store = new MemoryStore(settings);
  for (const topic of ["t", "u"]) store.create(topic);
  return { store, at: (offset: number, topic = "t"): Cursor => ({ ...store.ends(topic), offset }) };
}

describe("two readers at the same place", () => {
  test("are given the same batch", () => {
    const { store, at } = opened();
    store.append("t", { json: "1" });
    const first = store.read("t", at(0), ALL);
    expect(first.batch.events).toHaveLength(1);
    expect(store.read("t", at(0), { ...ALL }).batch).toBe(first.batch);
  });

  test("are told the same gap", () => {
    const { store, at } = opened({ historyEvents: 2 });
    for (let count = 0; count < 5; count += 1) store.append("t", { json: "1" });
    const first = store.read("t", at(0), ALL);
    expect(first.batch.gap).toEqual({ missed: 3, reason: "evicted" });
    expect(store.read("t", at(0), ALL).batch).toBe(first.batch);
  });

  test("are given the same batch, though others have asked from elsewhere in between", () => {
    const { store, at } = opened();
    for (let count = 0; count < 30; count += 1) store.append("t", { json: "1" });
    const from = (offset: number) => store.read("t", at(offset), { ...ALL, limit: 5 }).batch;
    const batches = Array.from({ length: 25 }, (_, offset) => from(offset));
    for (const [offset, batch] of batches.entries()) expect(from(offset)).toBe(batch);
  });

  test("are given the same batch if it was full, whatever came and went meanwhile", () => {
    const { store, at } = opened({ historyEvents: 5 });
    for (const json of ["1", "2", "3", "4"]) store.append("t", { json });
    const before = store.read("t", at(1), { ...ALL, limit: 2 });
    for (const json of ["5", "6"]) store.append("t", { json }); // the first one is evicted
    const after = store.read("t", at(1), { ...ALL, limit: 2 });
    expect(after.batch).toBe(before.batch);
    expect([before.last, after.last]).toEqual([4, 6]);
    store.append("t", { json: "7" }); // and now what the batch began with
    const { gap } = store.read("t", at(1), { ...ALL, limit: 2 }).batch;
    expect(gap).toEqual({ missed: 1, reason: "evicted" });
  });
});

test.each<[string, (store: MemoryStore) => unknown, Partial<typeof ALL & Cursor>, object]>([
  ["has been appended to", (store) => store.append("t", { json: "4" }), {}, { offsets: [2, 3, 4] }],
  ["is asked for less", () => {}, { limit: 1 }, { offsets: [2] }],
  ["is asked for fewer bytes", () => {}, { maxBytes: 1 }, { offsets: [2] }],
  ["is asked from elsewhere", () => {}, { offset: 2 }, { offsets: [3] }],
  ["is asked by one who has all there is", () => {}, { offset: 3 }, { offsets: [] }],
  [
    "is asked from a place in another life",
    () => {},
    { epoch: "another" },
    { offsets: [1, 2, 3], gap: { missed: null, reason: "epoch" } },
  ],
  [
    "is asked by one who has all there was in another life",
    () => {},
    { offset: 3, epoch: "another" },
    { offsets: [1, 2, 3], gap: { missed: null, reason: "epoch" } },
  ],
])("a store that %s answers anew", (_name, happen, { limit, maxBytes, ...place }, expected) => {
  const { store, at } = opened();
  for (const json of ["1", "2", "3"]) store.append("t", { json });
  const before = store.read("t", at(1), ALL);
  happen(store);
  const limits = { limit: limit ?? ALL.limit, maxBytes: maxBytes ?? ALL.maxBytes };
  const { batch } = store.read("t", { ...at(1), ...place }, limits);
  expect(batch).not.toBe(before.batch);
  const { events, gap } = batch;
  expect({ offsets: events.map(({ offset }) => offset), gap }).toEqual(expected);
});

// The same questions to two stores; one of them is asked something else before each.
const place = fc.integer({ min: 0, max: 9 });
const topic = fc.constantFrom("t", "u");
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ append: topic, length: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      read: topic,
      offset: place,
      epoch: fc.constantFrom("its own", "its own", "its own", "another", "a third"),
      limit: fc.constantFrom(100, 100, 2),
      maxBytes: fc.constantFrom(10_000, 10_000, 12),
    }),
  },
);

test("nobody is given what was true before: as a store that remembers nothing", () =>
  property(
    [fc.array(step, { maxLength: 60 }), fc.constantFrom(3, 100), fc.constantFrom(20, 10_000)],
    (steps, historyEvents, historyBytes) => {
      let now = 0;
      const settings = { historyEvents, historyBytes, historyAgeMs: 100, now: () => now };
      const [one, other] = [opened(settings), opened(settings)];
      for (const what of steps) {
        if ("ms" in what) {
          now += what.ms;
          continue;
        }
        if ("append" in what) {
          const json = JSON.stringify("x".repeat(what.length));
          for (const { store } of [one, other]) store.append(what.append, { json });
          continue;
        }
        const answers = [one, other].map(({ store }) => {
          if (store === other.store) distract(store);
          const { epoch, last } = store.ends(what.read);
          const after = {
            epoch: what.epoch === "its own" ? epoch : what.epoch,
            offset: Math.min(what.offset, last),
          };
          return withoutEpoch(store.read(what.read, after, what), epoch);
        });
        expect(answers[0]).toEqual(answers[1]);
      }
    },
    { runs: 300 },
  ));

test("no more batches are kept than readers will share, and none that nobody can ask for", async () => {
  const { store, at } = opened({ historyEvents: 100 });
  for (let count = 0; count < 100; count += 1) store.append("t", { json: "1" });
  const read = (offset: number) => store.read("t", at(offset), { ...ALL, limit: 5 }).batch;
  const batches = Array.from({ length: 90 }, (_, offset) => new WeakRef(read(offset)));
  expect(await survivors(batches)).toBe(32);
  for (let count = 0; count < 95; count += 1) store.append("t", { json: "1" });
  read(150);
  expect(await survivors(batches)).toBe(0);
});

test("a batch is forgotten with its store", async () => {
  const { store, at } = opened();
  store.append("t", { json: "1" });
  const batch = new WeakRef(store.read("t", at(0), ALL).batch);
  expect(await survivors([batch])).toBe(1);
  store.close();
  expect(await survivors([batch])).toBe(0);
  expect(() => store.ends("t")).toThrow("topic not found");
});

/** Questions that nobody asks, and more than a store keeps the answers of. */
function distract(store: MemoryStore): void {
  for (let offset = 0; offset < 40; offset += 1) {
    for (const name of ["t", "u"]) {
      store.read(name, { epoch: "nobody's", offset }, { limit: 1, maxBytes: 1 });
    }
  }
}

function withoutEpoch({ batch, end, last }: ReadResult, epoch: string) {
  const cursor = batch.cursor.replace(epoch, "E");
  return {
    batch: { ...batch, cursor },
    end: { ...end, epoch: end.epoch === epoch ? "E" : end.epoch },
    last,
  };
}
