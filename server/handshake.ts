/**
 * Requests that ask to upgrade. A WebSocket's handshake runs through the app's routes: one of them
 * accepts it, or their answer goes out as it is, status, headers and body.
 */
import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { WebSocketServer } from "ws";
import type { App } from "./app.ts";
import type { Bindings, OnUpgraded } from "./wire/upgrade.ts";

export function answerHandshakes(
  server: Server,
  app: Pick<App, "fetch">,
  sockets: WebSocketServer,
): void {
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Newer Nodes give another stream when the request has a body; a handshake has none.
    if (socket !== request.socket) return void socket.destroy();
    if (!isWebSocket(request)) return ignoreUpgrade(server, request, socket, head);
    socket.on("error", ignore); // `close` follows
    const answer = new ServerResponse(request);
    if (!takeTurn(answer, socket)) return void socket.destroy();
    void decide(app, request).then(({ open, response }) => {
      if (socket.destroyed) return;
      if (!open) return refuse(answer, response);
      answer.detachSocket(socket);
      socket.off("error", ignore);
      sockets.handleUpgrade(request, socket, head, (upgraded) => {
        open({ socket: upgraded, connection: socket });
      });
    });
  });
}

interface Decision {
  readonly open: OnUpgraded | undefined;
  readonly response: Response;
}

/** Never rejects. */
async function decide(app: Pick<App, "fetch">, incoming: IncomingMessage): Promise<Decision> {
  let open: Decision["open"];
  const accept: Bindings["accept"] = (callback) => {
    open = callback;
    return new Response();
  };
  try {
    const response = await app.fetch(requestOf(incoming), { incoming, accept });
    return { open, response };
  } catch {
    // The app answers its own errors; this is an address or a header that is none.
    return { open: undefined, response: new Response("Bad Request", { status: 400 }) };
  }
}

function requestOf({ url, headers }: IncomingMessage): Request {
  const sent = new Headers();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values ?? []].flat()) sent.append(name, value);
  }
  // As it came: `//x/y` is a path. A proxy may send the absolute form (RFC 9112 §3.2.2).
  const address = url!.startsWith("/") ? `http://${headers.host ?? "localhost"}${url}` : url!;
  return new Request(address, { headers: sent });
}

/**
 * One answer at a time. A client that asks to upgrade while an earlier answer is still to come would
 * get both mixed, and Node has taken its parser off the socket.
 */
function takeTurn(answer: ServerResponse, socket: Socket): boolean {
  try {
    answer.assignSocket(socket);
    return true;
  } catch {
    return false;
  }
}

async function refuse(answer: ServerResponse, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const { socket } = answer;
  if (!socket || socket.destroyed) return;
  answer.shouldKeepAlive = false; // Node has taken its parser off this socket
  answer.once("finish", () => socket.destroySoon());
  answer.writeHead(response.status, Object.fromEntries(response.headers));
  answer.end(body);
}

function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * A server may ignore the wish to upgrade (RFC 9110 §7.8; `curl --http2` asks for h2c), but Node has
 * taken its parser off the socket by then: so the request goes in again, without the wish.
 */
function ignoreUpgrade(
  server: Server,
  { method, url, rawHeaders }: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name, value] = rawHeaders.slice(index, index + 2);
    if (!/^(upgrade|connection|http2-settings)$/i.test(name!)) lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  server.emit("connection", socket);
}

function ignore(): void {}
