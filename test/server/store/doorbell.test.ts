import { expect, test } from "vitest";
import { Doorbell } from "../../../server/store/doorbell.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("rings once for all that happened in one turn, at the end of that turn", async () => {
  const doorbell = new Doorbell();
  let rings = 0;
  doorbell.hang(() => (rings += 1));
  for (let count = 0; count < 10; count += 1) doorbell.ring();
  expect(rings).toBe(0);
  await turn();
  expect(rings).toBe(1);
  doorbell.ring();
  await turn();
  expect(rings).toBe(2);
});

test("rings again for what happens while it rings", async () => {
  const doorbell = new Doorbell();
  let rings = 0;
  doorbell.hang(() => {
    rings += 1;
    if (rings === 1) doorbell.ring();
  });
  doorbell.ring();
  await turn();
  await turn();
  expect(rings).toBe(2);
});

test("does not ring a bell that was taken down before its turn came", async () => {
  const doorbell = new Doorbell();
  const heard: string[] = [];
  const takeDown: Record<string, () => void> = {};
  takeDown["a"] = doorbell.hang(() => {
    heard.push("a");
    takeDown["b"]!();
    takeDown["b"]!();
  });
  takeDown["b"] = doorbell.hang(() => heard.push("b"));
  doorbell.ring();
  await turn();
  expect([heard, doorbell.size]).toEqual([["a"], 1]);
});
