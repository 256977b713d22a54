/**
 * Requests that a client sends without waiting for the answers (HTTP pipelining). Node announces all
 * of them at once, and each answer would wait for its turn in memory: here a request begins when it
 * is its answer's turn.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Wraps the one listener that the server has. @param maxWaiting on one connection; more end it */
export function answerInTurn(server: Server, maxWaiting: number): void {
  const waiting = new WeakMap<Socket, number>();
  const [answer] = server.listeners("request") as RequestListener[];
  server.removeAllListeners("request");
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    if (response.socket) return void answer!(request, response);
    const { socket } = request;
    const count = (waiting.get(socket) ?? 0) + 1;
    if (count > maxWaiting) return void socket.destroy(); // nobody means well with so many
    waiting.set(socket, count);
    // Never comes when the client has gone meanwhile.
    response.once("socket", () => {
      waiting.set(socket, waiting.get(socket)! - 1);
      void answer!(request, response);
    });
  });
}
