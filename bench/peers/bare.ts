/**
 * The limit: what Node's own sockets cost when nothing else is done. The bytes of an event are made
 * once, and written to each socket.
 */
import { createServer, type Socket } from "node:net";
import { listening } from "./listening.ts";
import type { Peer } from "./peer.ts";

export async function startBare(): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    socket.setNoDelay();
    socket.write("ready\n");
    socket.resume();
  });
  return {
    port: await listening(server),
    joining: { steps: [["", "ready\n"]] },
    publish: ({ json }) => {
      const bytes = Buffer.from(`data: ${json}\n\n`);
      for (const socket of sockets) socket.write(bytes);
    },
  };
}
