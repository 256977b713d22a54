/**
 * What many bytes take by themselves: each client is sent the same ready-made ones as it comes, in
 * one write, and every event after them.
 */
import { createServer, type Socket } from "node:net";
import { listening } from "./listening.ts";
import type { Peer } from "./peer.ts";

/** The first byte of a client asks for the greeting; `x` for events alone. */
export async function startBytes(bytes: number): Promise<Peer> {
  const greeting = Buffer.alloc(bytes, "-");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    socket.setNoDelay();
    socket.once("data", (asked) => {
      if (asked.toString() === "x") socket.write("ready\n");
      else socket.write(greeting);
    });
  });
  return {
    port: await listening(server),
    joining: { steps: [["x", "ready\n"]] },
    publish: ({ json }) => {
      const event = Buffer.from(`data: ${json}\n\n`);
      for (const socket of sockets) socket.write(event);
    },
  };
}
