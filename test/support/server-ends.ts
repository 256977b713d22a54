/**
 * The other end: what a server in this process holds of each connection, told by Node's own
 * diagnostics channels. A test sees when http has let go of it, and what is left then.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface ServerEnd {
  readonly socket: Socket;
  /** Those that Node's http made for its requests. */
  readonly http: WeakRef<object>[];
  /** Of each request the parser that read it; Node keeps parsers for the next connection. */
  readonly parsers: WeakRef<object>[];
}

/** The connections that come from now on until the test ends, in their order. */
export function serverEnds(): readonly ServerEnd[] {
  const ends: ServerEnd[] = [];
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    ends.push({ socket, http: [], parsers: [] });
  };
  const onRequest = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const end = ends.find(({ socket }) => socket === request.socket);
    end?.http.push(new WeakRef(request), new WeakRef(response));
    end?.parsers.push(new WeakRef(parserOf(request.socket)!));
  };
  subscribe("net.server.socket", onSocket);
  subscribe("http.server.request.start", onRequest);
  onTestFinished(() => {
    unsubscribe("net.server.socket", onSocket);
    unsubscribe("http.server.request.start", onRequest);
  });
  return ends;
}

/** Whether Node's http has nothing to do with the connection any more. */
export function isLetGo({ socket }: ServerEnd): boolean {
  return !parserOf(socket) && !socket.eventNames().includes("data");
}

function parserOf(socket: Socket): object | null | undefined {
  return (socket as Socket & { parser?: object | null }).parser;
}
