import fc from "fast-check";
import { expect, test } from "vitest";
import { RingBuffer } from "../../../server/store/ring-buffer.ts";

test("behaves like an array of all items that forgets the oldest", () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.nat() },
    { weight: 1, arbitrary: fc.constant("shift") },
  );
  const property = fc.property(
    fc.integer({ min: 1, max: 70 }),
    fc.array(step, { maxLength: 300 }),
    (capacity, steps) => {
      const ring = new RingBuffer<number>(capacity);
      const all: number[] = [];
      let kept = 0;
      for (const item of steps) {
        const oldest = all[all.length - kept];
        if (typeof item === "number") {
          const full = kept === capacity;
          expect(ring.push(item)).toBe(full ? oldest : undefined);
          all.push(item);
          kept = Math.min(kept + 1, capacity);
        } else {
          expect(ring.shift()).toBe(kept > 0 ? oldest : undefined);
          kept = Math.max(0, kept - 1);
        }
        expect([ring.first, ring.last, ring.size]).toEqual([
          all.length - kept + 1,
          all.length,
          kept,
        ]);
        for (let number = 0; number <= all.length + 1; number += 1) {
          const known = number >= ring.first && number <= ring.last;
          expect(ring.at(number)).toBe(known ? all[number - 1] : undefined);
        }
      }
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test("holds capacity n: n - 1 and n items stay, n + 1 evicts the first", () => {
  const ring = new RingBuffer<string>(3);
  expect([ring.push("a"), ring.push("b"), ring.push("c"), ring.push("d")]).toEqual([
    undefined,
    undefined,
    undefined,
    "a",
  ]);
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  "refuses a capacity of %s",
  (capacity) => {
    expect(() => new RingBuffer(capacity)).toThrow(RangeError);
  },
);

test("lets go of what it evicts", async () => {
  const ring = new RingBuffer<object>(1);
  const evicted = new WeakRef((ring.push({}), ring.at(1)!));
  ring.push({});
  const { setFlagsFromString } = await import("node:v8");
  setFlagsFromString("--expose-gc");
  const { runInNewContext } = await import("node:vm");
  const collect = runInNewContext("gc") as () => void;
  await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds until the turn ends
  collect();
  expect(evicted.deref()).toBeUndefined();
});
