/**
 * A topic over a plain WebSocket: each text frame is one batch as JSON. The first one comes at once
 * and carries the cursor; an empty one is a heartbeat, because a page cannot see pings.
 */
import type { WebSocket } from "ws";
import { ERRORS, PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { closeReason } from "../wire/close-reason.ts";
import { deliver, type Sink } from "../wire/delivery.ts";
import { keepPinging } from "../wire/ping.ts";

export interface SocketOptions {
  topic: unknown;
  /** From `hub.admit`, before the handshake. */
  after: string;
  /** At most this many events in a batch. */
  limit?: number | undefined;
}

/** Resolves when the socket is closed. Never rejects: what is wrong is told in the close frame. */
export async function streamFrames(
  socket: WebSocket,
  hub: Hub,
  { topic, after, limit }: SocketOptions,
): Promise<void> {
  const { heartbeatMs, socketBytes } = hub.limits;
  const sink = frameSink(socket, socketBytes);
  keepPinging(socket, hub.limits);
  socket.on("error", () => {}); // `close` follows, with the right code
  socket.on("message", () => sink.end(ONE_WAY));
  try {
    const subscription = await hub.subscribe(topic, { after });
    await deliver(subscription, sink, { heartbeatMs, limit, greets: true, onError: hub.onError });
  } catch (error) {
    // The log or the server has changed since the handshake.
    if (!(error instanceof PushError)) hub.onError(error, "topic socket");
    sink.end(error instanceof PushError ? error : new PushError("internal", "internal error"));
  }
}

const ONE_WAY = new PushError("unsupported_data", "this socket only delivers; publish with POST");

function frameSink(socket: WebSocket, socketBytes: number): Sink {
  let wake = () => {};
  const hasRoom = () => socket.bufferedAmount < socketBytes;
  const send = (batch: unknown) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(batch), () => {
      if (hasRoom()) wake();
    });
  };
  socket.once("close", () => wake());
  return {
    room: () => {
      if (hasRoom() || socket.readyState !== socket.OPEN) return undefined;
      return new Promise((resolve) => (wake = resolve));
    },
    write: send,
    heartbeat: send,
    end: (reason) => socket.close(ERRORS[reason.code].close, closeReason(reason)),
    onClose: (callback) => {
      if (socket.readyState === socket.CLOSED) callback();
      else socket.once("close", callback);
    },
  };
}
