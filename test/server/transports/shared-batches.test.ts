/**
 * Readers at the same place are given one object. So no transport may change what it is given: here
 * the whole of it is frozen, and whoever tries fails.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Batch } from "../../../server/contract.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import { rpcReaders } from "../../support/rpc-readers.ts";
import { startedLocal } from "../../support/server.ts";
import { topicReaders } from "../../support/topic-readers.ts";

const given: Batch[] = [];

beforeEach(() => {
  given.length = 0;
  const { read } = MemoryStore.prototype;
  vi.spyOn(MemoryStore.prototype, "read").mockImplementation(function (this: MemoryStore, ...args) {
    const result = read.apply(this, args);
    given.push(result.batch);
    return frozen(result);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe.each([...topicReaders, ...rpcReaders])("over %s", (_name, openReader) => {
  test("two readers take the same frozen batches, and a gap", async () => {
    const server = await startedLocal({ store: { historyEvents: 4 } });
    const readers = [
      await openReader(server, { after: "earliest" }),
      await openReader(server, { after: "earliest" }),
    ];
    const publish = async (count: number) => {
      for (let number = 0; number < count; number += 1) {
        await server.hub.publish("topic", { nested: [{ number }] }, { name: "event" });
      }
    };
    await publish(3);
    const first = await Promise.all(readers.map((reader) => reader.next()));
    await publish(9);
    const second = await Promise.all(readers.map((reader) => reader.next()));
    for (const batches of [first, second]) expect(batches[0]).toEqual(batches[1]);
    expect(first[0]!.events.map(({ data }) => data)).toEqual(
      [0, 1, 2].map((number) => ({ nested: [{ number }] })),
    );
    expect(second[0]!.gap).toEqual({ missed: 5, reason: "evicted" });
    for (const reader of readers) await reader.close();
    expect(server.errors).toEqual([]);
    // Each was given to two at least.
    const full = given.filter(({ events }) => events.length > 0);
    expect(new Set(full).size).toBeLessThan(full.length);
  });
});

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}
