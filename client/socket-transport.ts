/**
 * Cap'n Web's messages over anything shaped like a WebSocket, one text frame each. The library's
 * own transport reads the global `WebSocket`, which Node 20 does not have; this one needs no global.
 */
import type { RpcTransport } from "capnweb";

/** What is used of a WebSocket: the browser's, Node's and the one of the package `ws` all fit. */
export interface WebSocketLike {
  addEventListener(
    type: "open" | "message" | "close" | "error",
    listener: (event: SocketEvent) => void,
  ): void;
  send(data: string): void;
  close(code?: number): void;
}

/** One shape for all four events; each fills in its own fields. */
interface SocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

export class SocketTransport implements RpcTransport {
  readonly #socket: WebSocketLike;
  readonly #onMessage: () => void;
  /** Sent before the socket was open; undefined from then on. */
  #outbox: string[] | undefined = [];
  /** Received before Cap'n Web asked. It reads all the time, so this holds one turn's frames. */
  readonly #inbox: string[] = [];
  #reader: { resolve(message: string): void; reject(error: unknown): void } | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** `onMessage` is called for each frame, before it is read: a sign of life. */
  constructor(socket: WebSocketLike, onMessage: () => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    socket.addEventListener("open", () => this.#opened());
    socket.addEventListener("message", ({ data }) => this.#received(data));
    socket.addEventListener("close", ({ code, reason }) => this.#closed(code, reason));
    // Nothing to learn from it, `close` always follows; but `ws` throws when nobody listens.
    socket.addEventListener("error", () => {});
  }

  send(message: string): void {
    if (this.#failure) return;
    if (this.#outbox) this.#outbox.push(message);
    else this.#socket.send(message);
  }

  receive(): Promise<string> {
    const message = this.#inbox.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#failure) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Ends it: every outstanding and future call is rejected with `error`. Only the first counts. */
  abort(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#outbox = undefined;
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#socket.close(1000); // a browser allows 1000 and 3000–4999; what is wrong went before it
  }

  #opened(): void {
    for (const message of this.#outbox ?? []) this.#socket.send(message);
    this.#outbox = undefined;
  }

  #received(data: unknown): void {
    if (this.#failure) return;
    if (typeof data !== "string") {
      this.abort(new Error("The server sent a binary frame, which Cap'n Web does not use"));
      return;
    }
    this.#onMessage();
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader.resolve(data);
    else this.#inbox.push(data);
  }

  #closed(code = 1006, reason = ""): void {
    const opened = this.#outbox === undefined;
    // 1006 is the browser's word for "no close frame came"; it knows no more and says no more.
    const lost = code === 1006 ? "The connection was lost" : "The server closed the connection";
    this.abort(new Error(opened ? `${lost} (${reason || code})` : "The server cannot be reached"));
  }
}
