/** `ws` as its documentation broadcasts: `send(string)` for every client. */
import { WebSocketServer } from "ws";
import { createServer } from "node:http";
import { openSocket } from "../load/joining.ts";
import { listening } from "./listening.ts";
import type { Peer } from "./peer.ts";

export async function startWs(): Promise<Peer> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => socket.send("ready"));
  return {
    port: await listening(server),
    joining: openSocket("/", ["", "ready"]),
    publish: ({ json }) => {
      for (const socket of sockets.clients) {
        if (socket.readyState === socket.OPEN) socket.send(json);
      }
    },
  };
}
