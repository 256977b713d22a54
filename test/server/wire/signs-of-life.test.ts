/** When a delivery says that it is still there: after the silence that was asked for, and only then. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HEARTBEAT_MS, settled, silence, start, stopTheClock } from "./started-delivery.ts";

beforeEach(stopTheClock);
afterEach(() => {
  vi.useRealTimers();
});

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
