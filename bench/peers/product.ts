/** The product, as `serve` starts it: routing, checks, limits and counters. */
import { createApp } from "../../server/app.ts";
import { Hub } from "../../server/hub.ts";
import { listen } from "../../server/listen.ts";
import { MemoryStore } from "../../server/store/memory-store.ts";
import { getStream, openSocket } from "../load/joining.ts";
import type { Joining } from "../load/load-client.ts";
import type { Peer } from "./peer.ts";

export const TOPIC = "orders";
const PAGES = import.meta.dirname; // any folder: the pages are not built for a measurement
const URL_PATH = `/topics/${TOPIC}`;

export const PRODUCT_JOINING = {
  sse: getStream(URL_PATH, "text/event-stream", "id: "),
  ndjson: getStream(URL_PATH, "application/x-ndjson"),
  websocket: openSocket(URL_PATH, ["", '"cursor"']),
} satisfies Record<string, Joining>;

export async function startProduct(transport: keyof typeof PRODUCT_JOINING): Promise<Peer> {
  const hub = new Hub(new MemoryStore());
  await hub.createTopic(TOPIC);
  const { port } = await listen(createApp(hub, { pages: PAGES }), { host: "localhost", port: 0 });
  return {
    port,
    joining: PRODUCT_JOINING[transport],
    publish: ({ data }) => void hub.publish(TOPIC, data),
  };
}
