/**
 * What is used of the peers, so that the repository type-checks before they are installed: they
 * belong to `bench/package.json`, and only `npm run bench` installs that.
 */
declare module "better-sse" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  interface Session {
    push(data: unknown, event?: string): void;
  }
  interface Channel {
    register(session: Session): Channel;
    broadcast(data: unknown, event?: string): Channel;
  }
  function createChannel(): Channel;
  function createSession(
    request: IncomingMessage,
    response: ServerResponse,
    options?: { keepAlive?: number | null },
  ): Promise<Session>;
}

declare module "socket.io" {
  import type { Server as HttpServer } from "node:http";

  class Server {
    constructor(server: HttpServer, options?: { transports?: string[] });
    emit(event: string, data: unknown): boolean;
  }
}
