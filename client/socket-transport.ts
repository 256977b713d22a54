/**
 * Cap'n Web's messages over anything shaped like a WebSocket, one text frame each. What is sent before
 * a socket has opened waits, also while one after the other cannot be opened: it has not run yet, so
 * it may travel on the next. Once a socket was open its end is the end.
 */
import { deserialize, type RpcTransport } from "capnweb";
import {
  closed,
  lost,
  mayHaveRun,
  protocolError,
  reasonOf,
  told,
  unreachable,
} from "./failures.ts";
import type { TransportError } from "./transport.ts";

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

export interface SocketEvents {
  onOpen(): void;
  /** A frame has come: a sign of life. */
  onFrame(frame: string): void;
  /** The socket in use did not open. What waits is kept. */
  onRefused(failure: TransportError): void;
  /** Something waits that did not wait before. */
  onWaiting(): void;
}

const MAX_WAITING_CHARS = 16 * 1024 * 1024; // a call without much to say has two hundred

export class SocketTransport implements RpcTransport {
  readonly #events: SocketEvents;
  #socket: WebSocketLike | undefined;
  /** Sent before a socket was open; undefined from then on. */
  #outbox: string[] | undefined = [];
  #waitingChars = 0;
  /** Received before Cap'n Web asked. It reads all the time, so this holds one turn's frames. */
  readonly #inbox: string[] = [];
  #reader: { resolve(message: string): void; reject(error: unknown): void } | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(events: SocketEvents) {
    this.#events = events;
  }

  /** Whether everything goes out at once. */
  get isOpen(): boolean {
    return this.#outbox === undefined && !this.#failure;
  }

  /** Tries this one. The one before must have been refused. */
  use(socket: WebSocketLike): void {
    this.#socket = socket;
    const ifInUse =
      (react: (event: SocketEvent) => void) =>
      (event: SocketEvent): void => {
        if (socket === this.#socket) react(event);
      };
    socket.addEventListener(
      "open",
      ifInUse(() => this.#opened()),
    );
    socket.addEventListener(
      "message",
      ifInUse(({ data }) => this.#received(data)),
    );
    socket.addEventListener(
      "close",
      ifInUse(({ code, reason }) => this.#closed(code, reason)),
    );
    // Nothing to learn from it, `close` always follows; but `ws` throws when nobody listens.
    socket.addEventListener("error", () => {});
  }

  /** Gives up a socket that has not opened, as if it had been refused. */
  refuse(failure: TransportError): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
    this.#events.onRefused(failure);
  }

  send(message: string): void {
    if (this.#failure) return;
    if (!this.#outbox) return this.#socket!.send(message);
    this.#outbox.push(message);
    if (this.#outbox.length === 1) this.#events.onWaiting();
    this.#waitingChars += message.length;
    if (this.#waitingChars > MAX_WAITING_CHARS) {
      this.abort(unreachable(new Error("too many calls wait for a connection")));
    }
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
    // Cap'n Web's own, after a message that it could not read, goes on to the calls as it is.
    if (error instanceof Error && !("code" in error))
      Object.assign(error, { code: "may_have_run" });
    this.#failure = { error };
    this.#outbox = undefined;
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#socket?.close(1000); // a browser allows 1000 and 3000–4999; what is wrong went before it
  }

  #opened(): void {
    if (this.#failure) return;
    for (const message of this.#outbox ?? []) this.#socket!.send(message);
    this.#outbox = undefined;
    this.#events.onOpen();
  }

  #received(data: unknown): void {
    if (this.#failure) return;
    if (typeof data !== "string") {
      return this.#end(protocolError("Expected text frames, got a binary one"));
    }
    this.#events.onFrame(data);
    if (data.startsWith('["abort"')) return this.#end(abortReason(data));
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader.resolve(data);
    else this.#inbox.push(data);
  }

  #closed(code = 1006, reason = ""): void {
    if (this.#outbox) return this.refuse(unreachable(new Error("the WebSocket did not open")));
    this.#end(closed(code, reason));
  }

  /** Of a session that was open: whatever has no answer yet may have run. */
  #end(failure: TransportError): void {
    this.abort(mayHaveRun(failure));
  }
}

/** The server's last word, `["abort", error]` (Cap'n Web, protocol.md). */
function abortReason(frame: string): TransportError {
  try {
    const [, error] = JSON.parse(frame) as [string, unknown];
    const value = deserialize(JSON.stringify(error));
    if (value instanceof Error && "code" in value) return told(value);
    return lost(`The server ended the session: ${reasonOf(value)}`, value);
  } catch (error) {
    return protocolError("Expected a reason for the end of the session", error);
  }
}
