import { expect, test } from "vitest";
import { Turns } from "../../server/turns.ts";

const eventLoopTurn = () => new Promise((resolve) => setImmediate(resolve));

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("takes turns in the order in which they were asked for, later, each once", async () => {
  const turns = new Turns();
  const taken: number[] = [];
  for (const number of [1, 2, 3]) turns.add({ take: () => taken.push(number) });
  expect(taken).toEqual([]);
  await eventLoopTurn();
  expect(taken).toEqual([1, 2, 3]);
  await eventLoopTurn();
  expect(taken).toEqual([1, 2, 3]);
});

test("a turn is taken before the event loop goes on to what else there is", async () => {
  const turns = new Turns();
  const order: string[] = [];
  setImmediate(() => turns.add({ take: () => order.push("turn") }));
  setImmediate(() => order.push("what else there is"));
  await eventLoopTurn();
  expect(order).toEqual(["turn", "what else there is"]);
});

test("but once the slice is used up, at the end of the turn of the event loop", async () => {
  const turns = new Turns();
  const order: string[] = [];
  setImmediate(() => {
    // As many as between two looks at the clock, and longer than a slice.
    for (let count = 0; count < 8; count += 1) {
      turns.add({ take: () => (busy(1), order.push("slow")) });
    }
  });
  setImmediate(() => turns.add({ take: () => order.push("late") }));
  setImmediate(() => order.push("what else there is"));
  while (!order.includes("late")) await eventLoopTurn();
  expect(order.slice(8)).toEqual(["what else there is", "late"]);
});

test("who asks for another turn has it after those who wait already", async () => {
  const turns = new Turns();
  const taken: string[] = [];
  const greedy = {
    take() {
      taken.push("greedy");
      if (taken.length < 5) turns.add(greedy);
    },
  };
  turns.add(greedy);
  turns.add({ take: () => taken.push("other") });
  await turns.passed();
  await turns.passed();
  expect(taken).toEqual(["greedy", "other", "greedy", "greedy", "greedy"]);
});

test("who is behind comes last", async () => {
  const turns = new Turns();
  const taken: string[] = [];
  for (let number = 0; number < 20; number += 1) {
    turns.addBehind({ take: () => (busy(0.6), taken.push("behind")) });
  }
  turns.add({ take: () => taken.push("live") });
  await turns.passed();
  expect(taken).toHaveLength(21);
  expect(taken.indexOf("live")).toBeLessThanOrEqual(2); // after 1 ms of the others
});

test("who is behind is not kept waiting by one who always has something to do", async () => {
  const turns = new Turns();
  let waits = true;
  const greedy = {
    take() {
      if (waits) turns.add(greedy);
    },
  };
  turns.add(greedy);
  turns.addBehind({ take: () => (waits = false) });
  await turns.passed();
  expect(waits).toBe(false);
});

test("lets everybody else in every few milliseconds, however many there are", async () => {
  const turns = new Turns();
  const WORK_MS = 0.1;
  let taken = 0;
  const take = () => {
    busy(WORK_MS);
    taken += 1;
  };
  for (let count = 0; count < 1_000; count += 1) turns.add({ take });
  const steps: number[] = [];
  while (taken < 1_000) {
    const before = taken;
    await eventLoopTurn();
    steps.push(taken - before);
  }
  // 7 ms of work of 0.1 ms each, and as many as it does between two looks at the clock; a machine
  // that stalls only makes the steps smaller.
  expect(Math.max(...steps)).toBeLessThanOrEqual(78);
});

test("even if all of them are behind, no turn of the event loop is long", async () => {
  const turns = new Turns();
  let taken = 0;
  const take = () => {
    busy(0.2);
    taken += 1;
  };
  for (let count = 0; count < 100; count += 1) turns.addBehind({ take });
  const steps: number[] = [];
  while (taken < 100) {
    const before = taken;
    await eventLoopTurn();
    steps.push(taken - before);
  }
  expect(Math.max(...steps)).toBeLessThanOrEqual(6); // 1 ms; stalls only make the steps smaller
});

test("knows when all who wait now, and whom a doorbell wakes in this turn, had their turn", async () => {
  const turns = new Turns();
  const taken: number[] = [];
  for (let number = 0; number < 100; number += 1) {
    turns.add({ take: () => (busy(0.2), taken.push(number)) });
  }
  setImmediate(() => turns.add({ take: () => taken.push(100) }));
  await turns.passed();
  expect(taken).toHaveLength(101);
});

test("waits for whom a doorbell wakes, also when its own turn would end a slice", async () => {
  const turns = new Turns();
  let woken = false;
  // With one more the clock is looked at, and these have taken longer than a slice.
  for (let number = 0; number < 7; number += 1) turns.add({ take: () => busy(2) });
  setImmediate(() => turns.add({ take: () => (woken = true) }));
  await turns.passed();
  expect(woken).toBe(true);
});
