/** A delivery with all that it stands between in the test's hands: store, sink and clock. */
import { setImmediate as turn } from "node:timers/promises";
import { vi } from "vitest";
import { Subscription } from "../../../server/subscription.ts";
import { Turns } from "../../../server/turns.ts";
import { deliver, type DeliveryOptions } from "../../../server/wire/delivery.ts";
import { scriptedStore } from "../../support/scripted-store.ts";
import { RecordingSink } from "./recording-sink.ts";

export const HEARTBEAT_MS = 1_000;

/** To be called before a test that looks at signs of life; `vi.useRealTimers` after it. */
export function stopTheClock(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
}

/** Over a store that answers at once, or when the test says so; `room`: whether there is some. */
export function start({
  atOnce = true,
  room = true,
  turns = new Turns(),
  ...options
}: Partial<DeliveryOptions> & { atOnce?: boolean; room?: boolean; turns?: Turns } = {}) {
  const store = scriptedStore({ atOnce });
  void store.create("t");
  const { epoch } = store.ends("t") as { epoch: string };
  const onClose = vi.fn();
  const after = { epoch, offset: 0 };
  const subscription = new Subscription(store, "t", { after, turns, onClose });
  const sink = new RecordingSink();
  sink.room = room;
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  sink.delivery = deliver(subscription, sink, { heartbeatMs: HEARTBEAT_MS, onError, ...options });
  const publish = (count = 1) => {
    for (let number = 0; number < count; number += 1) void store.append("t", { json: "0" });
    return count;
  };
  return { store, sink, subscription, publish, errors, onClose };
}

export async function settled(): Promise<void> {
  for (let count = 0; count < 6; count += 1) await turn();
}

/** The clock is the test's. */
export async function silence(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await settled();
}
