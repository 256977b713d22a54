/** Notices that a client has gone while its answer is still being made. */
import type { Duplex } from "node:stream";

/** Node's request, or what is used of it. */
export interface Requester {
  readonly socket: Pick<Duplex, "destroyed" | "once" | "off">;
}

/**
 * Calls back once, in a later turn if the client has gone already. It watches the connection, which
 * ends for every request on it; a response that never got its turn has no `close`.
 * @returns stops watching; to be called when the answer is out
 */
export function onGone({ socket }: Requester, callback: () => void): () => void {
  if (socket.destroyed) {
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  }
  socket.once("close", callback);
  return () => {
    socket.off("close", callback);
  };
}
