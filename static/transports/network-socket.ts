/** A WebSocket over a network that may be cut: it opens when that is whole, a cut ends it at once. */
import type { ConnectOptions } from "../../client/index.ts";

/** What it needs of the network. */
interface Wires {
  requests: number;
  bytes: number;
  readonly broken: AbortSignal;
  whole(signal: AbortSignal): Promise<void>;
}

type SocketClass = NonNullable<ConnectOptions["WebSocket"]>;
type Socket = InstanceType<SocketClass>;
type Listener = Parameters<Socket["addEventListener"]>[1];
type SocketEvent = Parameters<Listener>[0];

/** The class that a client makes its sockets of. */
export function socketOver(wires: Wires, Platform?: SocketClass): SocketClass {
  return class extends NetworkSocket {
    constructor(url: string) {
      super(wires, () => new (Platform ?? globalThis.WebSocket)(url));
    }
  };
}

class NetworkSocket implements Socket {
  readonly #wires: Wires;
  readonly #listeners: { readonly type: string; readonly listener: Listener }[] = [];
  readonly #ended = new AbortController();
  #socket: Socket | undefined;

  constructor(wires: Wires, open: () => Socket) {
    this.#wires = wires;
    wires
      .whole(this.#ended.signal)
      .then(() => this.#use(open()))
      .catch(() => this.#end()); // not allowed here, or closed before it was opened
  }

  addEventListener(type: SocketEvent["type"], listener: Listener): void {
    this.#listeners.push({ type, listener });
  }

  send(data: string): void {
    this.#socket?.send(data);
  }

  close(code?: number): void {
    if (this.#socket) this.#socket.close(code);
    else this.#end();
  }

  #use(socket: Socket): void {
    this.#socket = socket;
    this.#wires.requests += 1;
    const { signal } = this.#ended;
    this.#wires.broken.addEventListener("abort", () => this.#end(), { signal });
    socket.addEventListener("open", (event) => this.#tell(event));
    socket.addEventListener("message", (event) => {
      this.#wires.bytes += encoder.encode(String(event.data)).byteLength;
      this.#tell(event);
    });
    socket.addEventListener("close", (event) => this.#end(event));
    // `close` always follows; but `ws` throws when nobody listens.
    socket.addEventListener("error", () => {});
  }

  #end(event: SocketEvent = { type: "close" }): void {
    if (this.#ended.signal.aborted) return;
    this.#tell(event);
    this.#ended.abort();
    this.#socket?.close();
  }

  #tell(event: SocketEvent): void {
    if (this.#ended.signal.aborted) return;
    for (const { type, listener } of this.#listeners) if (type === event.type) listener(event);
  }
}

const encoder = new TextEncoder();
