/** better-sse: sessions in a channel. Its keep-alive is off, so that it never falls into a round. */
import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";
import { getStream } from "../load/joining.ts";
import { listening } from "./listening.ts";
import type { Peer } from "./peer.ts";

export async function startBetterSse(): Promise<Peer> {
  const channel = createChannel();
  const server = createServer((request, response) => {
    void createSession(request, response, { keepAlive: null }).then((session) => {
      channel.register(session);
      session.push("ready");
    });
  });
  return {
    port: await listening(server),
    joining: getStream("/", "text/event-stream", '"ready"'),
    publish: ({ data }) => void channel.broadcast(data, "message"),
  };
}
