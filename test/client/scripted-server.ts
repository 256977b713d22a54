/**
 * A real WebSocket server that does what a test tells it to: it answers Cap'n Web's pulls, or falls
 * silent, or says whatever else a server should not.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";

export interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  /** The sockets of all clients so far, in the order they came. */
  readonly sockets: readonly WebSocket[];
  /** How many pulls have arrived. */
  readonly pulls: number;
  /** The methods that were called, in their order: they have run. */
  readonly calls: readonly string[];
  /** Whether pulls are answered; at first they are. */
  answering: boolean;
  close(): Promise<void>;
}

/** Ended with the test. */
export async function startScriptedServer(port = 0): Promise<ScriptedServer> {
  const server = new WebSocketServer({ host: "127.0.0.1", port });
  await once(server, "listening");
  const sockets: WebSocket[] = [];
  const calls: string[] = [];
  let pulls = 0;
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("message", (data: Buffer) => {
      const [kind, what] = JSON.parse(data.toString()) as [string, unknown];
      if (kind === "push") calls.push((what as [string, number, string[]])[2].join("."));
      if (kind !== "pull") return;
      pulls += 1;
      if (scripted.answering) socket.send(JSON.stringify(["resolve", what, [[]]]));
    });
  });
  const address = server.address() as AddressInfo;
  const scripted: ScriptedServer = {
    url: `ws://127.0.0.1:${address.port}/api`,
    port: address.port,
    sockets,
    calls,
    get pulls() {
      return pulls;
    },
    answering: true,
    close: async () => {
      for (const socket of sockets) socket.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  onTestFinished(() => scripted.close());
  return scripted;
}
