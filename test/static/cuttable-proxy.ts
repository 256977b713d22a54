/** A TCP proxy whose connections a test can cut, while the server behind it goes on. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface CuttableProxy {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Ends every connection of now; new ones are accepted. */
  cut(): void;
  /** How many clients are connected and have asked for something. (Browsers keep spare ones.) */
  connections(): number;
}

/** Ended with the test. */
export async function startCuttableProxy(targetPort: number): Promise<CuttableProxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    const upstream = connect(targetPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {}); // a cut is no surprise
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    server.close();
    cut();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    connections: () => [...clients].filter(({ bytesRead }) => bytesRead > 0).length,
  };
}
