import { describe, expect, test } from "vitest";
import { Gate } from "../../../../server/commands/load/gate.ts";
import { until } from "../../../support/until.ts";

describe("Gate", () => {
  test("lets in so many at a time, in the order in which they came", async () => {
    const gate = new Gate(3);
    const entered: number[] = [];
    let inside = 0;
    let most = 0;
    for (let number = 1; number <= 20; number += 1) {
      gate.enter(() => {
        entered.push(number);
        inside += 1;
        most = Math.max(most, inside);
        setImmediate(() => {
          inside -= 1;
          gate.leave();
        });
      });
    }
    expect(entered).toEqual([1, 2, 3]);
    await until(() => entered.length === 20);
    expect(entered).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(most).toBe(3);
  });

  test("has room again when all have left", async () => {
    const gate = new Gate(1);
    for (let round = 0; round < 3; round += 1) {
      let entered = 0;
      gate.enter(() => (entered += 1));
      gate.enter(() => (entered += 1));
      expect(entered).toBe(1);
      gate.leave();
      await until(() => entered === 2);
      gate.leave();
    }
  });
});
