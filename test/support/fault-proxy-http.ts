/** What a proxy may do to a client that understands HTTP, and understands too little of it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Without any of these everything passes. */
export interface HttpFault {
  /** What becomes of a WebSocket's handshake: a 426, or a plain request without `Upgrade`. */
  readonly upgrades?: "pass" | "refuse" | "strip";
  /** Holds an answer back until it ends, as a virus scanner does. */
  readonly buffers?: boolean;
  /** Answers 502; the server is not asked at all. */
  readonly badGateway?: boolean;
}

export interface HttpFaultProxy {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** How many handshakes have come. */
  readonly handshakes: number;
  /** Ends every connection of now. */
  cut(): void;
  close(): void;
}

/** @param faultOf asked for each request */
export async function startHttpFaultProxy(
  targetPort: number,
  faultOf: () => HttpFault = () => ({}),
): Promise<HttpFaultProxy> {
  let handshakes = 0;
  const sockets = new Set<Socket>();
  const server = createServer((asked, answer) => forward(asked, answer));
  const forward = (asked: IncomingMessage, answer: ServerResponse) => {
    const { badGateway, buffers } = faultOf();
    if (badGateway) return void answer.writeHead(502).end("<h1>Bad Gateway</h1>");
    const { method, url: path, headers } = asked;
    const ahead = request({ port: targetPort, host: "127.0.0.1", method, path, headers });
    answer.once("close", () => ahead.destroy());
    ahead.on("error", () => answer.destroy());
    ahead.on("response", (given) => void pass(given, answer, buffers));
    asked.pipe(ahead);
  };
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (asked: IncomingMessage, client: Socket) => {
    handshakes += 1;
    client.on("error", ignore);
    const { badGateway, upgrades } = faultOf();
    if (badGateway) return void client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    if (upgrades === "refuse") {
      return void client.end("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
    }
    const ahead = connect(targetPort, "127.0.0.1");
    ahead.on("error", ignore);
    ahead.once("close", () => client.destroy());
    client.once("close", () => ahead.destroy());
    ahead.write(headOf(asked, upgrades === "strip"));
    client.pipe(ahead).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get handshakes() {
      return handshakes;
    },
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}

/** `startHttpFaultProxy`, ended with the test. */
export async function startedHttpFaultProxy(
  ...options: Parameters<typeof startHttpFaultProxy>
): Promise<HttpFaultProxy> {
  const proxy = await startHttpFaultProxy(...options);
  onTestFinished(() => proxy.close());
  return proxy;
}

async function pass(
  given: IncomingMessage,
  answer: ServerResponse,
  buffers = false,
): Promise<void> {
  try {
    const held: Buffer[] = [];
    if (!buffers) {
      answer.writeHead(given.statusCode!, given.headers).flushHeaders();
    }
    for await (const part of given as AsyncIterable<Buffer>) {
      if (buffers) held.push(part);
      else answer.write(part);
    }
    if (buffers) answer.writeHead(given.statusCode!, given.headers);
    answer.end(Buffer.concat(held));
  } catch {
    answer.destroy(); // cut off by the server
  }
}

/** The request's first lines again. */
function headOf({ method, url, rawHeaders }: IncomingMessage, withoutUpgrade: boolean): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name, value] = rawHeaders.slice(index, index + 2) as [string, string];
    const isHop = /^(upgrade|connection)$/i.test(name); // RFC 9110 §7.6.1: not to be passed on
    if (!isHop || !withoutUpgrade) lines.push(`${name}: ${value}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function ignore(): void {}
