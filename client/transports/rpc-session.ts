/** Where a reading over Cap'n Web finds its session: a shared connection, or one of its own. */
import type { RpcStub } from "capnweb";
import type { PushSessionApi } from "../../server/contract.ts";
import { Connection } from "../connection.ts";
import { rejected } from "../failures.ts";
import type { TrafficObserver } from "../transport.ts";
import type { WebSocketClass } from "./frames.ts";

export interface RpcOptions extends TrafficObserver {
  /** Of the Cap'n Web API: `https://HOST/api`. */
  readonly url: string | URL;
  readonly topic: string;
}

export interface RpcSessionOptions extends RpcOptions {
  /** Shared with others, and left open. Default: one that ends with the reading. */
  readonly connection?: Connection | undefined;
  /** Node 20 has none of its own: pass the one of the package `ws`. */
  readonly WebSocket?: WebSocketClass | undefined;
}

/** Runs `read` with a session's API. Rejects with a TransportError, or the signal's reason. */
export async function* withSession<T>(
  { url, connection: shared, WebSocket, onRequest, onBytes }: RpcSessionOptions,
  signal: AbortSignal,
  read: (api: RpcStub<PushSessionApi>) => AsyncGenerator<T, never>,
): AsyncGenerator<T, never> {
  signal.throwIfAborted();
  const connection = shared ?? new Connection(new URL(url), { WebSocket, onRequest, onBytes });
  const own = shared ? undefined : connection;
  const abort = () => own?.close();
  signal.addEventListener("abort", abort);
  let api: RpcStub<PushSessionApi> | undefined;
  try {
    api = await connection.ready(signal);
    return yield* read(api);
  } catch (error) {
    throw signal.aborted ? signal.reason : rejected((api && endOf(api)) ?? error);
  } finally {
    signal.removeEventListener("abort", abort);
    own?.close();
  }
}

/** Why the session has ended, if it has. A stream in it says only that it was disposed. */
function endOf(api: RpcStub<PushSessionApi>): unknown {
  let reason: unknown;
  api.onRpcBroken((error: unknown) => (reason = error)); // calls back at once if it has
  return reason;
}
