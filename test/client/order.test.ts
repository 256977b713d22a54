import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Order } from "../../client/order.ts";
import { property } from "../support/property.ts";

function at(epoch: string, offset: number): Order {
  const order = new Order();
  order.place(epoch, offset);
  return order;
}

describe("Order", () => {
  it("takes the first event, place or gap for what it is", () => {
    expect(new Order().event("a", 7)).toBe("next");
    expect(new Order().place("a", 7)).toBe("next");
    expect(new Order().gap("a", 7, 3)).toBe("next");
    expect(new Order().epoch).toBeUndefined();
  });

  it("takes the last offset plus one, and nothing else", () => {
    const order = at("a", 7);
    expect(order.event("a", 8)).toBe("next");
    expect(order.event("a", 8)).toBe("repeat");
    expect(order.event("a", 3)).toBe("repeat");
    expect(order.event("a", 9)).toBe("next");
    expect(order.event("a", 11)).toBe("skip");
    expect(order.event("a", 12)).toBe("next");
    expect(order.event("b", 13)).toBe("other-epoch");
    expect(order.event("b", 14)).toBe("next");
  });

  it("takes a place only where it is", () => {
    const order = at("a", 7);
    expect(order.place("a", 7)).toBe("next");
    expect(order.place("a", 6)).toBe("repeat");
    expect(order.place("a", 8)).toBe("skip");
    expect(order.place("b", 8)).toBe("other-epoch");
  });

  it("takes a gap only when it is as long as it says", () => {
    expect(at("a", 7).gap("a", 10, 3)).toBe("next");
    expect(at("a", 7).gap("a", 11, 3)).toBe("skip");
    expect(at("a", 7).gap("a", 9, 3)).toBe("repeat");
    expect(at("a", 7).gap("b", 10, 3)).toBe("other-epoch");
  });

  it("takes a gap of nobody knows how many wherever it ends", () => {
    const order = at("a", 7);
    expect(order.gap("b", 2, null)).toBe("next");
    expect(order.event("b", 3)).toBe("next");
    expect(order.gap("b", 1, null)).toBe("next");
    expect(order.event("b", 2)).toBe("next");
  });

  it("accepts exactly the sequences without a hole or a repeat", () =>
    property([fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 })], (offsets) => {
      const order = new Order();
      const good = offsets.every((offset) => order.event("a", offset) === "next");
      const expected = offsets.every((offset, index) => offset === offsets[0]! + index);
      expect(good).toBe(expected);
    }));
});
