/** What a delivery does at which moment; `delivery-orders.test.ts` tries all orders of them. */
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PushError } from "../../../server/errors.ts";
import { Turns } from "../../../server/turns.ts";
import { HEARTBEAT_MS, settled, silence, start, stopTheClock } from "./started-delivery.ts";

beforeEach(stopTheClock);
afterEach(() => {
  vi.useRealTimers();
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

  test("that comes after the store was asked, and rings after it has answered, is not forgotten", async () => {
    const { sink, store, publish } = start({ atOnce: false });
    await settled();
    publish(); // the bell rings at the end of this turn
    store.answer(); // what was there when it was asked: nothing
    await settled();
    store.answer();
    await settled();
    expect(sink.told).toEqual([[1]]);
  });

  test("is read once, however often a reader is woken for it", async () => {
    const { sink, store, publish } = start();
    await settled();
    const before = store.reads;
    publish();
    for (let count = 0; count < 100; count += 1) sink.delivery!.wake();
    await settled();
    expect([store.reads - before, sink.told]).toEqual([1, [[1]]]);
  });

  test("is read while nobody has room by nobody: a full sink is a cursor and no more", async () => {
    const { sink, store, subscription, publish } = start({ room: false });
    const { cursor } = subscription;
    for (let count = 0; count < 100; count += 1) {
      publish(2);
      await settled();
    }
    expect([store.reads, subscription.cursor, vi.getTimerCount()]).toEqual([0, cursor, 1]);
    sink.giveRoom(1);
    await settled();
    expect([store.reads, sink.told.length, sink.offsets.length]).toEqual([1, 1, 200]);
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
      if (atOnce) process.nextTick(() => sink.leave()); // it was woken, and its turn comes next
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
