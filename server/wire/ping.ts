/**
 * Pings and pongs of a WebSocket: whoever does not answer a ping in time is dropped, and whoever
 * sends more pings than it reads pongs costs no memory. Needs a server with `autoPong: false`.
 */
import type { WebSocket } from "ws";

/**
 * RFC 6455 §5.5.2. Stops by itself when the socket closes.
 * @param pingMs between two pings
 * @param pongMs how long the answer may take
 * @param isExcused whether one that has not answered in time is still given time
 */
export function keepPinging(
  socket: WebSocket,
  { pingMs, pongMs }: { pingMs: number; pongMs: number },
  isExcused = (): boolean => false,
): void {
  let overdue: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    socket.ping();
    overdue ??= setTimeout(() => setImmediate(drop), pongMs).unref();
  }, pingMs).unref();
  // Later than the timer, for one look at the socket: its answer may wait there when this server
  // itself has stood still.
  const drop = () => {
    // One that is not being read cannot be heard; if it is gone, a ping to it will fail.
    if (overdue && !socket.isPaused && !isExcused()) socket.terminate();
    overdue = undefined;
  };
  socket.on("ping", answer);
  socket.on("pong", () => {
    clearTimeout(overdue);
    overdue = undefined;
  });
  socket.once("close", () => {
    clearInterval(timer);
    clearTimeout(overdue);
  });
}

// Not made again for each socket, as ten thousand of them would be.
function answer(this: WebSocket, data: Buffer): void {
  // RFC 6455 §5.5.3: of several pings only the last needs an answer.
  if (this.bufferedAmount < PONG_BYTES) this.pong(data);
}

const PONG_BYTES = 16 * 1024; // far below what ends the room for batches, so that only they do
