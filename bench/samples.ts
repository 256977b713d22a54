/** What is published, polled and answered. */
import type { MetricsUpdates, SystemMetrics } from "../server/contract.ts";
import { MARK, MARK_DIGITS } from "./load/load-client.ts";
import type { Stamped } from "./peers/peer.ts";

export const SAMPLE: SystemMetrics = {
  cpuUsage: 23.42,
  memoryUsage: 57.31,
  networkIO: 1.94,
  timestamp: 1_760_000_000,
};

/** 200 bytes of JSON. */
export const EVENT_200 = {
  id: 4711,
  kind: "order.created",
  user: { name: "Ada Lovelace", country: "GB" },
  items: [12, 7, 3],
  total: 129.95,
  currency: "GBP",
  paid: true,
  note: "Please ring the bell twice and leave it at the door.",
};

/** As the product answers a poll, with ids of the same length. */
export function constantUpdates(updates: readonly SystemMetrics[]): MetricsUpdates {
  return {
    subscriptionId: "system_metrics_V1StGXR8_Z5jdHi6B-myT",
    updates,
    hasMore: false,
    timestamp: 1_760_000_000,
    cursor: "V1StGXR8_Z.123456",
    missed: 0,
  };
}

/** 200 bytes of JSON as well, which say how old they are, in a place that can be found. */
export function stamped(ageMs = 0): Stamped {
  const made = process.hrtime.bigint() - BigInt(Math.round(ageMs * 1_000_000));
  const time = String(made).padStart(MARK_DIGITS, "0");
  const data = { ...EVENT_200, note: `${MARK}${time} ring twice, leave at door` };
  return { data, json: JSON.stringify(data) };
}

export const BURST = 5; // events published in one turn of the event loop
