/** Everything that a bare connection receives, as it comes, and how it went on. */
import type { Socket } from "node:net";

export interface Received {
  /** One character for each byte. A test may empty it. */
  text: string;
  /** The server has ended its half. */
  ended: boolean;
  closed: boolean;
}

export function collect(socket: Socket): Received {
  const received = { text: "", ended: false, closed: false };
  socket.on("data", (bytes: Buffer) => (received.text += bytes.toString("latin1")));
  socket.once("end", () => (received.ended = true));
  socket.once("close", () => (received.closed = true));
  return received;
}
