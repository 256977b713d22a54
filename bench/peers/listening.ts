import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";

const BACKLOG = 4096; // thousands may come at once

/** @returns the port, any free one */
export async function listening(server: Server): Promise<number> {
  server.listen({ port: 0, host: "127.0.0.1", backlog: BACKLOG });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
