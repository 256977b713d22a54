/** Hono's own SSE helper on the product's server. */
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { getStream } from "../load/joining.ts";
import type { Peer } from "./peer.ts";

export async function startHono(): Promise<Peer> {
  const streams = new Set<SSEStreamingApi>();
  const app = new Hono();
  app.get("/", (c) =>
    streamSSE(c, async (stream) => {
      const left = new Promise<void>((resolve) => stream.onAbort(resolve));
      streams.add(stream);
      await stream.writeSSE({ data: "ready" });
      await left;
      streams.delete(stream);
    }),
  );
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    joining: getStream("/", "text/event-stream", "ready"),
    publish: ({ json }) => {
      for (const stream of streams) void stream.writeSSE({ data: json });
    },
  };
}
