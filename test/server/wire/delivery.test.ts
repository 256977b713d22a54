/** What a delivery does at which moment; `delivery-orders.test.ts` tries all orders of them. */
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PushError } from "../../../server/errors.ts";
import { Subscription } from "../../../server/subscription.ts";
import { Turns } from "../../../server/turns.ts";
import { deliver, type DeliveryOptions } from "../../../server/wire/delivery.ts";
import { scriptedStore } from "../../support/scripted-store.ts";
import { RecordingSink } from "./recording-sink.ts";

const HEARTBEAT_MS = 1_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function start({
  atOnce = true,
  room = true,
  turns = new Turns(),
  ...options
}: Partial<DeliveryOptions> & { atOnce?: boolean; room?: boolean; turns?: Turns } = {}) {
  const store = scriptedStore({ atOnce });
  void store.create("t");
  const { epoch } = store.ends("t") as { epoch: string };
  const onClose = vi.fn();
  const after = { epoch, offset: 0 };
  const subscription = new Subscription(store, "t", { after, turns, onClose });
  const sink = new RecordingSink();
  sink.room = room;
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  sink.delivery = deliver(subscription, sink, { heartbeatMs: HEARTBEAT_MS, onError, ...options });
  const publish = (count = 1) => {
    for (let number = 0; number < count; number += 1) void store.append("t", { json: "0" });
  };
  return { store, sink, subscription, publish, errors, onClose };
}

async function settled(): Promise<void> {
  for (let count = 0; count < 6; count += 1) await turn();
}

async function silence(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await settled();
}

describe("a sign of life", () => {
  test("comes after exactly the silence that was asked for, again and again", async () => {
    const { sink } = start();
    await silence(HEARTBEAT_MS - 1);
    expect(sink.told).toEqual([]);
    await silence(1);
    expect(sink.told).toEqual(["♥"]);
    await silence(HEARTBEAT_MS - 1);
    expect(sink.told).toEqual(["♥"]);
    await silence(1);
    expect(sink.told).toEqual(["♥", "♥"]);
  });

  test("does not come while events do, and the silence begins with the last of them", async () => {
    const { sink, publish } = start();
    for (let count = 0; count < 10; count += 1) {
      publish();
      await settled();
      await silence(HEARTBEAT_MS - 1);
    }
    expect(sink.told).toHaveLength(10);
    await silence(1);
    expect(sink.told.slice(10)).toEqual(["♥"]);
  });

  test("gives way to an event that comes in the same moment", async () => {
    const { sink, publish } = start();
    vi.advanceTimersByTime(HEARTBEAT_MS);
    publish();
    await settled();
    expect(sink.told).toEqual([[1]]);
  });

  test("waits for room, once, however long the silence was", async () => {
    const { sink } = start({ room: false });
    await silence(10 * HEARTBEAT_MS);
    expect(sink.told).toEqual([]);
    sink.giveRoom();
    await settled();
    expect(sink.told).toEqual(["♥"]);
  });

  test.each([
    [true, [["♥"], [[1]]]],
    [false, [[], [[1]]]],
  ] as const)("comes at once where one greets: %j, unless there is an event", async (...row) => {
    const [greets, [quiet, busy]] = row;
    const idle = start({ greets });
    await settled();
    expect(idle.sink.told).toEqual(quiet);
    const other = start({ greets });
    other.publish();
    await settled();
    expect(other.sink.told).toEqual(busy);
  });

  test("that is due while the store is asked comes with its answer", async () => {
    const { sink, store } = start({ atOnce: false });
    await settled();
    expect(store.waiting).toBe(1);
    await silence(HEARTBEAT_MS);
    expect(sink.told).toEqual([]);
    store.answer();
    await settled();
    expect(sink.told).toEqual(["♥"]);
  });
});

describe("an event", () => {
  test("that comes while what was read waits for room is not forgotten", async () => {
    const { sink, store, publish } = start({ atOnce: false });
    publish();
    await settled();
    sink.room = false; // somebody else has written
    store.answer();
    await settled();
    publish();
    await settled();
    expect(sink.told).toEqual([]);
    sink.giveRoom();
    await settled();
    store.answer();
    await settled();
    expect(sink.told).toEqual([[1], [2]]);
  });

  test("is read while nobody has room by nobody: a full sink is a cursor and no more", async () => {
    const { sink, store, subscription, publish } = start({ room: false });
    const { cursor } = subscription;
    for (let count = 0; count < 100; count += 1) {
      publish(10);
      await settled();
    }
    expect([store.reads, subscription.cursor, vi.getTimerCount()]).toEqual([0, cursor, 1]);
    sink.giveRoom(1);
    await settled();
    expect([store.reads, sink.told.length, sink.offsets.length]).toEqual([1, 1, 1_000]);
  });

  test("follows others behind it without another bell, in the batches that were asked for", async () => {
    const { sink, publish } = start({ limit: 2 });
    publish(5);
    await settled();
    expect(sink.told).toEqual([[1, 2], [3, 4], [5]]);
  });

  test("of many in one turn is one batch", async () => {
    const { sink, publish } = start();
    publish(100);
    await settled();
    expect([sink.told.length, sink.offsets.length]).toEqual([1, 100]);
  });
});

describe("the end", () => {
  const reason = new PushError("shutting_down", "bye");

  test.each([
    ["that has room", { room: true, atOnce: true }],
    ["that has no room", { room: false, atOnce: true }],
    ["that waits for the store", { room: true, atOnce: false }],
  ])("is told to a client %s, at once and once", async (_name, options) => {
    const { sink, subscription, store, onClose } = start(options);
    await settled();
    subscription.close(reason);
    sink.delivery!.wake();
    await settled();
    expect(sink.told).toEqual(["shutting_down"]);
    store.answer({ error: new Error("too late") });
    sink.delivery!.stop();
    await settled();
    expect(sink.ends).toEqual([reason]);
    expect([onClose.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test("is not told to a client that has left, in the queue or while the store is asked", async () => {
    for (const atOnce of [true, false]) {
      const { sink, store, publish, subscription, onClose } = start({ atOnce });
      await settled();
      publish();
      await turn();
      sink.leave();
      sink.leave();
      store.answer({ now: true });
      subscription.close(reason);
      await settled();
      await silence(10 * HEARTBEAT_MS);
      expect([sink.told, sink.complaints]).toEqual([[], []]);
      expect([onClose.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);
    }
  });

  test.each([
    [
      "a PushError in its own words",
      new PushError("topic_not_found", "gone"),
      "topic_not_found",
      0,
    ],
    ["another as an internal error, and its own words to the log", new Error("x"), "internal", 1],
  ])("says of a store's failure %s", async (_name, error, code, logged) => {
    const { sink, store, errors, onClose } = start({ atOnce: false });
    await settled();
    store.answer({ error });
    await settled();
    expect(sink.told).toEqual([code]);
    expect(errors).toEqual(logged ? [error] : []);
    expect(onClose).toHaveBeenCalledTimes(1);
  });
});

test("readers far behind take turns with all others, also of other topics", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const readers = ["behind", "behind too", "live"].map((name) => {
    const reader = start({ turns, limit: 1 });
    const write = reader.sink.write.bind(reader.sink);
    reader.sink.write = (batch) => {
      order.push(name);
      write(batch);
    };
    return reader;
  });
  readers[0]!.publish(50);
  readers[1]!.publish(50);
  readers[2]!.publish(3);
  for (const { sink } of readers) sink.delivery!.wake();
  while (order.length < 103) await turn();
  expect(order.slice(0, 9)).toEqual(Array(3).fill(["behind", "behind too", "live"]).flat());
  expect(order.slice(9, 13)).toEqual(["behind", "behind too", "behind", "behind too"]);
});
