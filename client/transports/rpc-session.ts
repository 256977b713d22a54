/** One Cap'n Web session over a WebSocket, for one reading: it ends with it. */
import { RpcSession, type RpcStub } from "capnweb";
import type { PushSessionApi } from "../../server/contract.ts";
import { rejected } from "../failures.ts";
import { SocketTransport } from "../socket-transport.ts";
import type { TrafficObserver } from "../transport.ts";
import { openSocket, type WebSocketClass } from "./frames.ts";

export interface RpcOptions extends TrafficObserver {
  /** Of the Cap'n Web API: `https://HOST/api`. */
  readonly url: string | URL;
  readonly topic: string;
}

export interface RpcSessionOptions extends RpcOptions {
  /** Node 20 has none of its own: pass the one of the package `ws`. */
  readonly WebSocket?: WebSocketClass | undefined;
}

/**
 * Runs `read` with a session's API. The session ends with it, or when the signal is aborted; then
 * every call that is under way is rejected with the signal's reason.
 */
export async function* withSession<T>(
  { url, WebSocket, onRequest, onBytes }: RpcSessionOptions,
  signal: AbortSignal,
  read: (api: RpcStub<PushSessionApi>) => AsyncGenerator<T, never>,
): AsyncGenerator<T, never> {
  signal.throwIfAborted();
  onRequest?.();
  const socket = openSocket(new URL(url), WebSocket);
  if (onBytes) {
    socket.addEventListener("message", ({ data }) => onBytes(encoder.encode(String(data)).length));
  }
  const transport = new SocketTransport(socket, () => {});
  const api = new RpcSession<PushSessionApi>(transport).getRemoteMain();
  const abort = () => transport.abort(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return yield* read(api);
  } catch (error) {
    throw signal.aborted ? signal.reason : rejected(error);
  } finally {
    signal.removeEventListener("abort", abort);
    transport.abort(new Error("The reader has left"));
  }
}

const encoder = new TextEncoder();
