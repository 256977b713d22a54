/**
 * Takes a connection out of Node's http, whose parser, request and response are half of what an idle
 * stream would cost. Once the head is out nothing of them is needed: http is told, by its own
 * listener, that the connection is over, and the socket goes on without it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** What `http` listens to on a socket of a server (Node 20 to 24), by the names of its functions. */
const OF_HTTP = new Map([
  ["data", "bound socketOnData"],
  ["end", "bound socketOnEnd"],
  ["close", "bound socketOnClose"],
  ["drain", "bound socketOnDrain"],
  ["error", "socketOnError"],
  ["timeout", "socketOnTimeout"],
  ["pause", "onSocketPause"],
  ["resume", "onSocketResume"],
]);

/**
 * The request has been read to its end, and the response's head is out.
 * @returns the socket, whose errors, end and closing are the caller's business now; undefined when
 *   http has to keep it: another request follows on it, or this Node does not do it this way
 */
export function letGo(response: ServerResponse): Socket | undefined {
  const { socket, req } = response;
  if (!socket || !req.readableEnded || !isNewest(req)) return undefined;
  const listeners = [...OF_HTTP].map(([event, name]) => {
    const found = socket.listeners(event).find((listener) => listener.name === name);
    return { event, listener: found as ((...args: unknown[]) => void) | undefined };
  });
  if (listeners.some(({ listener }) => !listener)) return undefined;
  response.detachSocket(socket);
  for (const { event, listener } of listeners) {
    if (event === "close") withoutStack(() => listener!.call(socket, false)); // frees the parser
    socket.off(event, listener!);
  }
  return socket;
}

/** Whether nothing follows it on its connection, not even what http refuses by itself. */
function isNewest(request: IncomingMessage): boolean {
  const { parser } = request.socket as Socket & { parser?: { incoming?: unknown } };
  return parser?.incoming === request;
}

/** It makes an error for the request that nobody will see, and its stack would take the longest. */
function withoutStack(work: () => void): void {
  const { stackTraceLimit } = Error;
  const limited = Reflect.set(Error, "stackTraceLimit", 0); // not where it is frozen
  try {
    work();
  } finally {
    if (limited) Error.stackTraceLimit = stackTraceLimit;
  }
}
