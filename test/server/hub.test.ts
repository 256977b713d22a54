import { describe, expect, test } from "vitest";
import { Hub } from "../../server/hub.ts";
import { MemoryStore, type MemoryStoreOptions } from "../../server/store/memory-store.ts";
import type { Limits } from "../../server/limits.ts";

async function open(limits: Partial<Limits> = {}, store: MemoryStoreOptions = {}) {
  const hub = new Hub(new MemoryStore(store), { limits });
  await hub.createTopic("t");
  return hub;
}

/** The code of what it throws or rejects with. */
async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe("publish", () => {
  test("answers with the event's cursor, and then every read sees the event", async () => {
    const hub = await open();
    const { cursor: start } = (await hub.topics())[0]!;
    const cursor = await hub.publish("t", { a: 1 }, { name: "n" });
    expect(cursor).toBe(start.replace(/\.0$/, ".1"));
    const batch = await hub.read("t");
    expect(batch).toMatchObject({ events: [{ offset: 1, name: "n", data: { a: 1 } }], cursor });
  });

  test("copies the data: what a publisher changes later changes nothing", async () => {
    const hub = await open();
    const data = { list: [1] };
    await hub.publish("t", data);
    data.list.push(2);
    const read = await hub.read("t");
    expect(read.events[0]!.data).toEqual({ list: [1] });
  });

  test("creates the topic; a reader does not", async () => {
    const hub = await open();
    expect(await codeOf(() => hub.read("new"))).toBe("topic_not_found");
    await hub.publish("new", 1);
    expect((await hub.read("new")).events).toHaveLength(1);
  });

  test("takes an event of n - 1 and n bytes and refuses n + 1, counted as UTF-8", async () => {
    const hub = await open({ eventBytes: 10 });
    expect(await codeOf(() => hub.publish("t", "1234567"))).toBeUndefined();
    expect(await codeOf(() => hub.publish("t", "12345678"))).toBeUndefined();
    expect(await codeOf(() => hub.publish("t", "123456789"))).toBe("too_large");
    expect(await codeOf(() => hub.publish("t", "üüüü"))).toBeUndefined();
    expect(await codeOf(() => hub.publish("t", "üüüüü"))).toBe("too_large");
    expect((await hub.read("t")).events).toHaveLength(3);
  });

  const circular: { self?: unknown } = {};
  circular.self = circular;
  test.each([[undefined], [() => 1], [Symbol("s")], [1n], [circular]])(
    "refuses what is not JSON (%#) and stores nothing",
    async (data) => {
      const hub = await open();
      expect(await codeOf(() => hub.publish("t", data))).toBe("invalid_request");
      expect((await hub.read("t")).events).toEqual([]);
    },
  );

  test("takes data of n - 1 and n levels and refuses n + 1, and no neighbour is lost", async () => {
    const hub = await open();
    const deep = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels)) as unknown;
    for (const levels of [127, 128])
      expect(await codeOf(() => hub.publish("t", deep(levels)))).toBe(undefined);
    expect(await codeOf(() => hub.publish("t", deep(129)))).toBe("invalid_request");
    // Brackets in text are text.
    await hub.publish("t", `\\"${"[{".repeat(500)}`);
    expect((await hub.read("t")).events.map(({ offset }) => offset)).toEqual([1, 2, 3]);
  });

  test.each(["", "a\nb", "a\rb", "a\0b", "x".repeat(129)])(
    "refuses the event name %j",
    async (name) => {
      const hub = await open();
      expect(await codeOf(() => hub.publish("t", 1, { name }))).toBe("invalid_request");
    },
  );
});

test.each([
  ["a", true],
  ["A-b_c.d~1", true],
  ["_x", true],
  ["x".repeat(128), true],
  ["__proto__", true],
  ["x".repeat(129), false],
  ["", false],
  [".", false],
  ["..", false],
  [".a", false],
  ["-a", false],
  ["a/b", false],
  ["a b", false],
  ["a\n", false],
  ["ä", false],
])("the topic name %j is good: %s", async (topic, good) => {
  const hub = await open();
  expect(await codeOf(() => hub.createTopic(topic))).toBe(good ? undefined : "invalid_request");
  expect(await codeOf(() => hub.publish(topic, 1))).toBe(good ? undefined : "invalid_request");
  if (good) expect((await hub.read(topic)).events).toHaveLength(1);
});

describe("a read", () => {
  test("begins at the oldest event kept, unless another place is asked", async () => {
    const hub = await open({}, { historyEvents: 3 });
    for (let number = 1; number <= 5; number += 1) await hub.publish("t", number);
    const read = async (options?: object) =>
      (await hub.read("t", options)).events.map(({ offset }) => offset);
    expect(await read()).toEqual([3, 4, 5]);
    expect(await read({ after: "earliest", limit: 2 })).toEqual([3, 4]);
    expect(await read({ after: "latest" })).toEqual([]);
    const { cursor } = await hub.read("t", { limit: 1 });
    expect(await read({ after: cursor })).toEqual([4, 5]);
  });

  test.each([
    ["limit", 0, "invalid_request"],
    ["limit", 1, undefined],
    ["limit", 1_000, undefined],
    ["limit", 1_001, "invalid_request"],
    ["limit", 1.5, "invalid_request"],
    ["limit", "5", "invalid_request"],
    ["limit", Number.NaN, "invalid_request"],
    ["after", "", "invalid_cursor"],
    ["after", 1, "invalid_cursor"],
    ["after", null, "invalid_cursor"],
  ])("with %s %j: %s", async (option, value, code) => {
    const hub = await open();
    expect(await codeOf(() => hub.read("t", { [option]: value }))).toBe(code);
  });

  test.each(["text", 1, true, [], () => {}])("refuses %j as options", async (options) => {
    const hub = await open();
    expect(await codeOf(() => hub.read("t", options))).toBe("invalid_request");
  });

  test("says what was expected and what came", async () => {
    const hub = await open();
    await expect(hub.read("t", { limit: 5_000 })).rejects.toThrow(
      "Expected `limit` to be a whole number 1–1000, got 5000",
    );
  });
});

describe("a polling subscription's window", () => {
  test("is the default capacity from now on, but holds the history when that was asked for", async () => {
    const hub = await open({ subscriptionCapacity: 2 });
    const live = await hub.lease("t");
    for (let number = 1; number <= 5; number += 1) await hub.publish("t", number);
    const replay = await hub.lease("t", { after: "earliest" });
    const bounded = await hub.lease("t", { after: "earliest", capacity: 4 });
    const polled = async (id: string) => {
      const { events, gap } = await hub.poll(id);
      return [gap?.missed ?? 0, events.length];
    };
    expect(await polled(live.subscriptionId)).toEqual([3, 2]);
    expect(await polled(replay.subscriptionId)).toEqual([0, 5]);
    expect(await polled(bounded.subscriptionId)).toEqual([1, 4]);
  });

  test.each([
    [0, "invalid_request"],
    [1, undefined],
    [1_000_000, undefined],
    [1_000_001, "invalid_request"],
  ])("takes a capacity of %j: %s", async (capacity, code) => {
    const hub = await open();
    expect(await codeOf(() => hub.lease("t", { capacity }))).toBe(code);
  });

  test.each([
    [-1, "invalid_request"],
    [0, undefined],
    [30_001, "invalid_request"],
    [1.5, "invalid_request"],
  ])("is polled with waitMs %j: %s", async (waitMs, code) => {
    const hub = await open();
    const { subscriptionId } = await hub.lease("t");
    expect(await codeOf(() => hub.poll(subscriptionId, { waitMs }))).toBe(code);
  });
});

test("a hub's own limit of a batch holds for reads that ask for none", async () => {
  const hub = await open({ batchEvents: 2 });
  for (let number = 1; number <= 5; number += 1) await hub.publish("t", number);
  expect((await hub.read("t")).events).toHaveLength(2);
});

test("subscribing costs no event: nothing published before the first read is lost", async () => {
  const hub = await open();
  const subscription = await hub.subscribe("t");
  await hub.publish("t", 1);
  expect((await subscription.next()).events).toHaveLength(1);
});

test("after close everything is refused, and what was open has ended", async () => {
  const hub = await open();
  const subscription = await hub.subscribe("t");
  const { subscriptionId } = await hub.lease("t");
  await hub.close();
  for (const call of [
    () => hub.publish("t", 1),
    () => hub.createTopic("u"),
    () => hub.read("t"),
    () => hub.topics(),
    () => hub.subscribe("t"),
    () => hub.lease("t"),
    () => hub.poll(subscriptionId),
    () => subscription.next(),
  ]) {
    expect(await codeOf(call)).toBe("shutting_down");
  }
  expect(hub.stats()).toMatchObject({ readers: 0, subscriptions: 0 });
});
