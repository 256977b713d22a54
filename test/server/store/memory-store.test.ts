import { expect, test } from "vitest";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import { storeContract } from "../../store-contract.ts";
import { makeSlowStore } from "../../support/slow-store.ts";

storeContract("the memory store", async (settings) => new MemoryStore(settings));
storeContract("a store that answers by promise", async (settings) => makeSlowStore(settings));

test("two lives of a topic never share an epoch", async () => {
  const epochs = Array.from({ length: 1_000 }, () => {
    const store = new MemoryStore();
    store.create("t");
    return store.ends("t").epoch;
  });
  expect(new Set(epochs).size).toBe(1_000);
  // A command line would take a cursor that begins with a dash for a flag.
  for (const epoch of epochs) expect(epoch).toMatch(/^[0-9A-Za-z]{10}$/);
});
