/** Promise 4: a cursor moves between transports. One reader, a new way of reading at every hop. */
import { expect, test } from "vitest";
import { rpcReaders } from "../../support/rpc-readers.ts";
import { topicReaders } from "../../support/topic-readers.ts";
import { startedLocal } from "../../support/server.ts";
import { seeded } from "../../support/seeded.ts";
import { numbers } from "../../transport-contract.ts";

const HOPS = 1_000;
const READERS = [...rpcReaders, ...topicReaders];

test("1,000 random hops across every transport join to exactly 1 … N", async () => {
  const { random, seed } = seeded();
  const server = await startedLocal();
  const offsets: number[] = [];
  let published = 0;
  let hopping = true;
  const publisher = (async () => {
    while (hopping) {
      // Never further ahead than the history reaches, or a gap would be right.
      if (published - offsets.length < 500) await server.hub.publish("topic", (published += 1));
      if (random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
    }
  })();

  const used = new Map<string, number>();
  let after = "earliest";
  for (let hop = 0; hop < HOPS; hop += 1) {
    const [name, openReader] = READERS[Math.floor(random() * READERS.length)]!;
    const reader = await openReader(server, { after });
    const { events, cursor, gap } = await reader.next();
    expect(gap, `seed ${seed}, hop ${hop} by ${name}`).toBeUndefined();
    // Cut in the middle of a batch as well as after it.
    const taken = events.slice(0, 1 + Math.floor(random() * events.length));
    offsets.push(...taken.map(({ offset }) => offset));
    after = `${cursor.split(".")[0]}.${offsets.at(-1)}`;
    await reader.close();
    used.set(name, (used.get(name) ?? 0) + 1);
  }
  hopping = false;
  await publisher;
  expect(offsets, `seed ${seed}`).toEqual(numbers(1, offsets.length));
  expect(used.size).toBe(READERS.length);
  await expect
    .poll(() => server.app.stats())
    .toMatchObject({ readers: 0, subscriptions: 0, sessions: 0 });
});
