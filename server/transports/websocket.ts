/**
 * A topic over a plain WebSocket: each text frame is one batch as JSON. The first one comes at once
 * and carries the cursor; an empty one is a heartbeat, because a page cannot see pings.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Batch } from "../contract.ts";
import { ERRORS, PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { closeReason } from "../wire/close-reason.ts";
import { deliver, type Delivery, type Sink } from "../wire/delivery.ts";
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
  upgraded: Upgraded,
  hub: Hub,
  { topic, after, limit }: SocketOptions,
): Promise<void> {
  const { socket } = upgraded;
  const { heartbeatMs } = hub.limits;
  const sink = new FrameSink(upgraded);
  keepPinging(socket, hub.limits);
  socket.on("error", ignore); // `close` follows, with the right code
  socket.on("message", refuseMessage);
  try {
    const subscription = await hub.subscribe(topic, { after });
    const options = { heartbeatMs, limit, greets: true, onError: hub.onError };
    sink.tell(deliver(subscription, sink, options));
  } catch (error) {
    // The log or the server has changed since the handshake.
    if (!(error instanceof PushError)) hub.onError(error, "topic socket");
    sink.end(error instanceof PushError ? error : new PushError("internal", "internal error"));
  }
}

function ignore(): void {}

function refuseMessage(this: WebSocket): void {
  close(this, ONE_WAY);
}

function close(socket: WebSocket, reason: PushError): void {
  socket.close(ERRORS[reason.code].close, closeReason(reason));
}

const ONE_WAY = new PushError("unsupported_data", "this socket only delivers; publish with POST");

const frameOf = encodeOnce((batch) => textFrame(JSON.stringify(batch)));

class FrameSink implements Sink {
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  #delivery: Delivery | undefined;
  #hasRoom = true;

  constructor({ socket, connection }: Upgraded) {
    this.#socket = socket;
    this.#connection = connection;
  }

  tell(delivery: Delivery): void {
    this.#delivery = delivery;
    if (this.#socket.readyState === this.#socket.CLOSED) delivery.stop();
    else this.#socket.once("close", () => delivery.stop());
  }

  hasRoom(): boolean {
    return this.#hasRoom;
  }

  write(batch: Batch): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // Straight to the connection: `ws` would make the frame again for each client.
    if (this.#connection.write(frameOf(batch))) return;
    this.#hasRoom = false;
    this.#connection.once("drain", () => {
      this.#hasRoom = true;
      this.#delivery?.wake();
    });
  }

  heartbeat(empty: Batch): void {
    this.write(empty);
  }

  end(reason: PushError): void {
    close(this.#socket, reason);
  }
}
