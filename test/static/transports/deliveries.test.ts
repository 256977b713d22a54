import { describe, expect, it } from "vitest";
import { Deliveries } from "../../../static/transports/deliveries.ts";
import { EventTimes } from "../../../static/transports/event-times.ts";

function delivery(offset: number, shownAt: number, connectedAt = 0) {
  return { cursor: `e.${offset}`, shownAt, value: 1, connectedAt };
}

describe("Deliveries", () => {
  it("takes the median delay of what came live", () => {
    const times = new EventTimes();
    const deliveries = new Deliveries(times);
    expect(deliveries.medianDelay()).toBeUndefined();
    for (const [offset, delay] of [5, 900, 3].entries()) {
      times.learn(`e.${offset}`, 1_000 + offset);
      deliveries.add(delivery(offset, 1_000 + offset + delay));
    }
    expect(deliveries.medianDelay()).toBe(5);
  });

  it("leaves what is older than its connection out of the delay, and counts it as late", () => {
    const times = new EventTimes();
    const deliveries = new Deliveries(times);
    times.learn("e.1", 1_000);
    times.learn("e.2", 6_000);
    deliveries.add(delivery(1, 5_100, 5_000));
    deliveries.add(delivery(2, 6_002, 5_000));
    expect(deliveries.medianDelay()).toBe(2);
    expect(deliveries.countLate()).toBe(1);
  });

  it("judges an event without a time as soon as another transport has told it", () => {
    const times = new EventTimes();
    const deliveries = new Deliveries(times);
    deliveries.add(delivery(1, 5_100, 5_000));
    expect(deliveries.countLate()).toBe(0);
    expect(deliveries.medianDelay()).toBeUndefined();
    times.learn("e.1", 1_000);
    expect(deliveries.countLate()).toBe(1);
    expect(deliveries.countLate()).toBe(1);
  });

  it("never has a negative delay, whatever the clocks say", () => {
    const times = new EventTimes();
    const deliveries = new Deliveries(times);
    times.learn("e.1", 1_000);
    deliveries.add(delivery(1, 998));
    expect(deliveries.medianDelay()).toBe(0);
  });

  it("stays small, and so do the times", () => {
    const times = new EventTimes();
    const deliveries = new Deliveries(times);
    for (let offset = 1; offset <= 10_000; offset += 1) {
      times.learn(`e.${offset}`, offset);
      deliveries.add(delivery(offset, offset));
      deliveries.add(delivery(-offset, offset)); // never dated
    }
    expect(deliveries.all.length).toBeLessThanOrEqual(800);
    expect(deliveries.all.at(-2)?.cursor).toBe("e.10000");
    expect(times.of("e.1")).toBeUndefined();
    expect(times.of("e.10000")).toBe(10_000);
  });
});
