/**
 * Opens the ports and closes them again. `localhost` means both of its addresses, because a browser
 * may try ::1 first and `curl 127.0.0.1` never does.
 */
import type { Server } from "node:http";
import { lookup } from "node:dns/promises";
import { type AddressInfo, BlockList, type Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { WebSocketServer } from "ws";
import type { App } from "./app.ts";
import { answerHandshakes } from "./handshake.ts";
import { answerInTurn } from "./pipelining.ts";

export interface ListenOptions {
  /** Default `localhost`: only this machine. */
  host?: string;
  /** Default 8000; 0 = any free one. */
  port?: number;
}

/** What it needs of an app. */
export type Listener = Pick<App, "fetch" | "limits" | "listensOn">;

export interface Listening {
  readonly port: number;
  /**
   * Takes no new connections, and ends those that are open as their answers are done; after
   * `graceMs` ends them all the same. May be called twice.
   */
  close(options: { graceMs: number }): Promise<void>;
}

const SWEEP_MS = 50;

// Connections that the kernel keeps until they are accepted; it has a limit of its own. With Node's
// 511, of thousands that come back at once most would try again after 1, 3 and 7 s.
const BACKLOG = 4096;

/** @throws the system's error, with `code` EADDRINUSE when the port is taken */
export async function listen(
  app: Listener,
  { host = "localhost", port = 8000 }: ListenOptions = {},
): Promise<Listening> {
  app.listensOn({ loopback: await isLoopback(host) });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: app.limits.frameBytes,
    autoPong: false, // wire/ping.ts answers, with a bound
  });
  const servers: Server[] = [];
  const connections = new Set<Socket>();
  const openServer = async (address: string, atPort: number) => {
    const server = await open(app, address, atPort);
    answerHandshakes(server, app, sockets);
    server.on("connection", (socket: Socket) => {
      connections.add(socket);
      socket.once("close", () => connections.delete(socket));
    });
    servers.push(server);
    return server;
  };
  const close = async ({ graceMs }: { graceMs: number }) => {
    // Not the server's own list: streams and sockets are not in it any more.
    const timer = setTimeout(() => {
      for (const socket of connections) socket.destroy();
    }, graceMs);
    // A connection whose answer is done is idle, and would be kept for the client's next request.
    const sweep = setInterval(() => {
      for (const server of servers) server.closeIdleConnections();
    }, SWEEP_MS);
    await Promise.all(servers.map(closeServer));
    clearInterval(sweep);
    clearTimeout(timer);
  };
  const first = await openServer(host === "localhost" ? "127.0.0.1" : host, port);
  const { port: realPort } = first.address() as AddressInfo;
  if (host === "localhost") {
    try {
      await openServer("::1", realPort);
    } catch (error) {
      // A machine without IPv6 is fine. A port that another program has there is not: half of the
      // clients would reach that one.
      if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
        await close({ graceMs: 0 });
        throw error;
      }
    }
  }
  return { port: realPort, close };
}

/** Whether only this machine can reach a server that listens on `host`. */
async function isLoopback(host: string): Promise<boolean> {
  const { address, family } = await lookup(host);
  return LOOPBACK.check(address, family === 6 ? "ipv6" : "ipv4");
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8); // RFC 1122 §3.2.1.3
LOOPBACK.addAddress("::1", "ipv6"); // RFC 4291 §2.5.3

function open(app: Listener, host: string, port: number): Promise<Server> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    hostname: "localhost", // of requests without Host, which HTTP/1.0 allows
    // A request has to arrive within a minute; answers may take as long as they like.
    serverOptions: { requestTimeout: 60_000 },
  }) as Server;
  server.timeout = 0;
  answerInTurn(server, app.limits.pipelinedRequests);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, BACKLOG, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => server.close(() => resolve()));
}
