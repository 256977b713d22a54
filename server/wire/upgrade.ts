/**
 * How a route takes a WebSocket. The handshake goes through the same routes and checks as every
 * other request, and nothing is upgraded before all of them have passed.
 */
import type { Socket } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { WebSocket } from "ws";

/** What a request comes with: Node's own objects. */
export interface Bindings extends HttpBindings {
  /** Only in a handshake, which has no `outgoing`. */
  accept?: Accept;
}

export interface Upgraded {
  readonly socket: WebSocket;
  /** What carries it: for whole frames that are the same for many, and to know when it has room. */
  readonly connection: Socket;
}

/** Called when the handshake is done; it may still fail. */
export type OnUpgraded = (upgraded: Upgraded) => void;

export type Accept = (open: OnUpgraded) => Response;

type RequestContext = Pick<Context<{ Bindings: Bindings }>, "env">;

/** Whether this is a handshake. Without `Connection: Upgrade` it is not one (RFC 6455 §4.1). */
export function isHandshake({ env }: RequestContext): boolean {
  return env.accept !== undefined;
}

/** The route's answer. */
export function acceptSocket({ env }: RequestContext, open: OnUpgraded): Response {
  return env.accept!(open);
}
