/**
 * How a route takes a WebSocket. The handshake goes through the same routes and checks as every
 * other request, and nothing is upgraded before all of them have passed.
 */
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { WebSocket } from "ws";

/** What a request comes with: Node's own objects. */
export interface Bindings extends HttpBindings {
  /** Only in a handshake, which has no `outgoing`. */
  accept?: Accept;
}

/** `open` is called with the socket when the handshake is done; it may still fail. */
export type Accept = (open: (socket: WebSocket) => void) => Response;

type RequestContext = Pick<Context<{ Bindings: Bindings }>, "env">;

/** Whether this is a handshake. Without `Connection: Upgrade` it is not one (RFC 6455 §4.1). */
export function isHandshake({ env }: RequestContext): boolean {
  return env.accept !== undefined;
}

/** The route's answer. */
export function acceptSocket({ env }: RequestContext, open: (socket: WebSocket) => void): Response {
  return env.accept!(open);
}
