/** The client in Node, where the package `ws` is the WebSocket: it can be told to stop reading. */
import { type ClientOptions, WebSocket } from "ws";
import { type Client, connect as connectWith, type ConnectOptions } from "./client.ts";

export * from "./index.ts";

/** A program that ends is held up no longer than this by a server that has fallen silent. */
const OPTIONS: ClientOptions & { closeTimeout: number } = { closeTimeout: 1_000 }; // not 30,000 ms

class Socket extends WebSocket {
  constructor(url: string) {
    super(url, OPTIONS);
  }
}

/** As in the browser. */
export function connect<Topics extends object = Record<string, unknown>>(
  url: string | URL,
  options: ConnectOptions = {},
): Client<Topics> {
  return connectWith<Topics>(url, { WebSocket: Socket, ...options });
}
