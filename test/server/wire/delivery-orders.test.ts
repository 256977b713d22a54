/**
 * Whatever comes while something else is under way, a reader gets every event once, in order, as soon
 * as there is room: a delivery against the plainest model of one, which is a list.
 */
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { PushError } from "../../../server/errors.ts";
import { property } from "../../support/property.ts";
import { HEARTBEAT_MS, start, stopTheClock } from "./started-delivery.ts";

const REASON = new PushError("shutting_down", "bye");

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ answer: fc.constantFrom("now", "then") }) },
  { weight: 3, arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.constant("take room" as const) },
  { weight: 2, arbitrary: fc.record({ giveRoom: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant("be silent" as const) },
  { weight: 1, arbitrary: fc.constant("wake for nothing" as const) },
);
const ending = fc.constantFrom("none", "leave", "close", "close and leave", "leave and close");

describe.each([true, false])("with a store that answers at once: %j", (atOnce) => {
  test("nothing is lost, repeated, late, or written without room", () =>
    property(
      [fc.array(step, { maxLength: 40 }), ending, fc.option(fc.integer({ min: 1, max: 3 }))],
      async (steps, how, limit) => {
        stopTheClock();
        try {
          const { store, sink, subscription, publish, errors } = start({
            atOnce,
            limit: limit ?? undefined,
          });
          let published = 0;
          for (const now of steps) {
            if (now === "take room") sink.room = false;
            else if (now === "be silent") vi.advanceTimersByTime(HEARTBEAT_MS);
            else if (now === "wake for nothing") sink.delivery!.wake();
            else if ("publish" in now) published += publish(now.publish);
            else if ("answer" in now) store.answer({ now: now.answer === "now" });
            else if ("giveRoom" in now) sink.giveRoom(now.giveRoom);
            else for (let count = 0; count < now.turns; count += 1) await turn();
          }
          // In the middle of it all.
          if (how.startsWith("leave")) sink.leave();
          if (how.includes("close")) subscription.close(REASON);
          if (how.endsWith("and leave")) sink.leave();
          const before = sink.told.length;
          sink.writes = Number.POSITIVE_INFINITY;
          // To wake it for nothing would hide that it has forgotten something.
          if (how !== "close" && !sink.room) sink.giveRoom();
          await settle(store);

          expect([...sink.complaints, ...errors]).toEqual([]);
          if (how === "none") expect(sink.offsets).toEqual(upTo(published));
          else expect(sink.offsets).toEqual(upTo(sink.offsets.length));
          if (how === "close") expect(sink.told.slice(before)).toEqual(["shutting_down"]);
          if (/leave/.test(how)) expect(sink.told).toHaveLength(before);
          expect(subscription.closed !== undefined).toBe(how !== "none");
          if (how !== "none") expect(vi.getTimerCount()).toBe(0);
        } finally {
          vi.useRealTimers();
        }
      },
      { runs: 1_000 },
    ));
});

/** Every read is answered and every turn taken, until nothing happens any more. */
async function settle(store: { waiting: number; answer(): void }): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet += 1) {
    if (store.waiting > 0) quiet = 0;
    store.answer();
    await turn();
  }
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
