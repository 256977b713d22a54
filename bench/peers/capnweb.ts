/**
 * Cap'n Web as the library gives it, without the product: events go to every callback, awaited, or
 * into every stream.
 */
import { createServer } from "node:http";
import { newWebSocketRpcSession, type RpcStub, RpcTarget } from "capnweb";
import { WebSocket, WebSocketServer } from "ws";
import { openSocket } from "../load/joining.ts";
import { listening } from "./listening.ts";
import type { Peer } from "./peer.ts";

type Callback = RpcStub<(event: object) => void>;

type Socket = typeof globalThis.WebSocket;
globalThis.WebSocket ??= WebSocket as unknown as Socket; // the library asks for it; Node 20 has none

export async function startCapnweb(): Promise<Peer> {
  const callbacks = new Set<Callback>();
  const streams = new Set<ReadableStreamDefaultController<object>>();

  class Api extends RpcTarget {
    listen(callback: Callback): void {
      callbacks.add(callback.dup()); // parameters are disposed with the call
    }

    tail(): ReadableStream<object> {
      return new ReadableStream<object>({ start: (controller) => void streams.add(controller) });
    }
  }

  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    newWebSocketRpcSession(socket as unknown as InstanceType<Socket>, new Api());
  });
  return {
    port: await listening(server),
    joining: openSocket("/api"),
    publish: ({ data }) => {
      for (const callback of callbacks) void deliver(callback, data);
      for (const stream of streams) stream.enqueue(data);
    },
  };
}

async function deliver(callback: Callback, data: object): Promise<void> {
  await callback(data);
}
