/** Notices that a client has gone while its answer is still being made. */
import type { Duplex } from "node:stream";

/** Node's request, or what is used of it. */
export interface Requester {
  readonly socket: Pick<Duplex, "destroyed" | "once" | "off" | "setMaxListeners">;
}

/**
 * Calls back once, in a later turn if the client has gone already. It watches the connection: the
 * `close` of a response never comes for one that waits its turn behind another (HTTP pipelining).
 * @returns stops watching; to be called when the answer is out
 */
export function onGone({ socket }: Requester, callback: () => void): () => void {
  if (socket.destroyed) {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  }
  socket.setMaxListeners(0); // one for each request that a client has pipelined
  socket.once("close", callback);
  return () => {
    socket.off("close", callback);
  };
}
