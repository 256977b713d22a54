/** `/events/feed`: each second the time and how many are in the chat. */
import type { Hub } from "../hub.ts";
import { rfc3339Seconds } from "./local-time.ts";
import { repeat } from "./repeat.ts";

export const FEED_TOPIC = "feed";

/** @returns stops it */
export function startFeed(hub: Hub, count: () => number, intervalMs: number): () => void {
  const tick = () =>
    hub.publish(FEED_TOPIC, { time: rfc3339Seconds(new Date()), count: count() }, { name: "tick" });
  return repeat(tick, { intervalMs, onError: (error) => hub.onError(error, "feed") });
}
