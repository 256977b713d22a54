import { expect, test } from "vitest";
import { Doorbell } from "../../../server/store/doorbell.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("rings once for all that happened together, later", async () => {
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

test("rings at once after a silence, then once in each turn of the event loop, at its end", async () => {
  const doorbell = new Doorbell();
  const heard: string[] = [];
  doorbell.hang(() => heard.push("ring"));
  const happen = () => {
    for (const number of [1, 2, 3]) {
      setImmediate(() => {
        heard.push(`event ${number}`);
        doorbell.ring();
      });
    }
    return turn();
  };
  await happen();
  await happen();
  await turn();
  const later = ["event 1", "event 2", "event 3", "ring"];
  expect(heard).toEqual(["event 1", "ring", "event 2", "event 3", "ring", ...later]);
  await turn();
  await turn();
  heard.length = 0;
  await happen();
  expect(heard).toEqual(["event 1", "ring", "event 2", "event 3"]);
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
