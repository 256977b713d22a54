/**
 * A topic over a plain WebSocket: each text frame is one batch as JSON. The first one comes at once
 * and carries the cursor; an empty one is a heartbeat, because a page cannot see pings.
 */
import { ERRORS, PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { closeReason } from "../wire/close-reason.ts";
import { deliver, type Sink } from "../wire/delivery.ts";
import { encodeOnce } from "../wire/encode-once.ts";
import { keepPinging } from "../wire/ping.ts";
import { textFrame } from "../wire/text-frame.ts";
import type { Upgraded } from "../wire/upgrade.ts";

export interface SocketOptions {
  topic: unknown;
  /** From `hub.admit`, before the handshake. */
  after: string;
  /** At most this many events in a batch. */
  limit?: number | undefined;
}

/** Never rejects: what is wrong is told in the close frame. */
export async function streamFrames(
  { socket, connection }: Upgraded,
  hub: Hub,
  { topic, after, limit }: SocketOptions,
): Promise<void> {
  const { heartbeatMs } = hub.limits;
  const end = (reason: PushError) => socket.close(ERRORS[reason.code].close, closeReason(reason));
  keepPinging(socket, hub.limits);
  socket.on("error", () => {}); // `close` follows, with the right code
  socket.on("message", () => end(ONE_WAY));
  try {
    const subscription = await hub.subscribe(topic, { after });
    const send: Sink["write"] = (batch) => {
      // Straight to the connection: `ws` would make the frame again for each client.
      if (socket.readyState === socket.OPEN) connection.write(frameOf(batch));
    };
    const sink = {
      hasRoom: () => !connection.writableNeedDrain,
      write: send,
      heartbeat: send,
      end,
    };
    const options = { heartbeatMs, limit, greets: true, onError: hub.onError };
    const delivery = deliver(subscription, sink, options);
    connection.on("drain", () => delivery.wake());
    if (socket.readyState === socket.CLOSED) delivery.stop();
    else socket.once("close", () => delivery.stop());
  } catch (error) {
    // The log or the server has changed since the handshake.
    if (!(error instanceof PushError)) hub.onError(error, "topic socket");
    end(error instanceof PushError ? error : new PushError("internal", "internal error"));
  }
}

const ONE_WAY = new PushError("unsupported_data", "this socket only delivers; publish with POST");

const frameOf = encodeOnce((batch) => textFrame(JSON.stringify(batch)));
