/** socket.io over WebSocket only, as `io.emit` broadcasts. */
import { createServer } from "node:http";
import { Server } from "socket.io";
import { openSocket, textFrame } from "../load/joining.ts";
import { listening } from "./listening.ts";
import type { Peer } from "./peer.ts";

export async function startSocketIo(): Promise<Peer> {
  const server = createServer();
  const io = new Server(server, { transports: ["websocket"] });
  return {
    port: await listening(server),
    joining: {
      // Engine.IO's own handshake, then `40`: join the main namespace.
      ...openSocket(
        "/socket.io/?EIO=4&transport=websocket",
        ["", '0{"sid"'],
        [textFrame("40"), '40{"sid"'],
      ),
      reply: ["2", textFrame("3")],
    },
    publish: ({ data }) => void io.emit("event", data),
  };
}
