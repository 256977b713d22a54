/**
 * A store that answers by promise, as a file or Redis would: the memory store, some turns of the
 * event loop away. The core must keep its promises over it too.
 */
import { MemoryStore, type MemoryStoreOptions } from "../../server/store/memory-store.ts";
import type { Store } from "../../server/store/store.ts";

export function makeSlowStore(options: MemoryStoreOptions = {}, random = Math.random): Store {
  const store = new MemoryStore(options);
  const later = async <T>(call: () => T): Promise<T> => {
    for (let turns = Math.floor(random() * 3); turns > 0; turns -= 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const answer = call();
    if (random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
    return answer;
  };
  return {
    create: (topic) => later(() => store.create(topic)),
    append: (topic, event) => later(() => store.append(topic, event)),
    read: (topic, after, limits) => later(() => store.read(topic, after, limits)),
    ends: (topic) => later(() => store.ends(topic)),
    topics: () => later(() => store.topics()),
    watch: (topic, ring) => store.watch(topic, ring),
    close: () => later(() => store.close()),
  };
}
