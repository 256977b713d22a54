/** A WebSocket's text frames as something that can be pulled, with a bound on what waits. */
import { closed, lost, protocolError, unreachable } from "../failures.ts";
import type { WebSocketLike } from "../socket-transport.ts";
import { TransportError } from "../transport.ts";

export type WebSocketClass = new (url: string) => WebSocketLike;

/** @throws {TypeError} when there is none */
export function openSocket(url: URL, WebSocket: WebSocketClass | undefined): WebSocketLike {
  const Class = WebSocket ?? globalThis.WebSocket;
  if (!Class) throw new TypeError("Node 20 has no WebSocket: pass the one of the package ws");
  const address = new URL(url);
  // A page's CSP speaks of `ws:`, and not every WebSocket takes an `http:` address.
  address.protocol = address.protocol.replace("http", "ws");
  try {
    return new Class(address.href);
  } catch (error) {
    throw unreachable(error); // e.g. a page's CSP forbids the address
  }
}

/** The package `ws` can stop reading; a browser's socket cannot. */
type Pausable = WebSocketLike & { pause?(): void; resume?(): void };

export class Frames {
  readonly #socket: Pausable;
  readonly #inbox: string[] = [];
  #waitingChars = 0;
  #failure: unknown;
  #ended = false;
  #opened = false;
  #paused = false;
  #wake = () => {};

  constructor(socket: WebSocketLike, onBytes?: (bytes: number) => void) {
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#opened = true;
      this.#wake();
    });
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") return this.#received(data, onBytes);
      this.end(protocolError("Expected text frames, got a binary one"));
    });
    socket.addEventListener("close", ({ code = 1006, reason = "" }) => {
      this.#fail(this.#opened ? closed(code, reason) : lost("The handshake failed"));
    });
    // Nothing to learn from it, `close` always follows; but `ws` throws when nobody listens.
    socket.addEventListener("error", () => {});
  }

  /** Whether the handshake has succeeded, as soon as that is known. */
  async opened(): Promise<boolean> {
    while (!this.#opened && !this.#ended) await this.#change();
    return this.#opened;
  }

  /** The next one. Rejects with what ended the socket, when everything before that was taken. */
  async next(): Promise<string> {
    for (;;) {
      const frame = this.#inbox.shift();
      if (frame !== undefined) return this.#taken(frame);
      if (this.#ended) throw this.#failure;
      await this.#change();
    }
  }

  /** Closes the socket; what waits is dropped. Only the first reason counts. */
  end(reason: unknown): void {
    this.#inbox.length = 0;
    this.#fail(reason);
    if (this.#paused) this.#socket.resume?.(); // to see the other end's close frame
    this.#socket.close(1000); // a browser allows 1000 and 3000–4999
  }

  #received(frame: string, onBytes?: (bytes: number) => void): void {
    if (this.#ended) return;
    onBytes?.(byteLength(frame));
    this.#inbox.push(frame);
    this.#waitingChars += frame.length;
    if (this.#waitingChars > MAX_CHARS) return this.end(tooSlow());
    if (this.#waitingChars > PAUSE_CHARS && !this.#paused) {
      this.#paused = true;
      this.#socket.pause?.();
    }
    this.#wake();
  }

  #taken(frame: string): string {
    this.#waitingChars -= frame.length;
    if (this.#paused && this.#waitingChars <= PAUSE_CHARS && !this.#ended) {
      this.#paused = false;
      this.#socket.resume?.();
    }
    return frame;
  }

  #fail(failure: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

const PAUSE_CHARS = 256 * 1024;
const MAX_CHARS = 16 * 1024 * 1024; // where it cannot be paused: about as much as a topic keeps

/** Nothing is lost: the history holds what comes after the cursor, or a gap will tell. */
function tooSlow(): TransportError {
  const message = `More than ${MAX_CHARS} characters waited to be taken`;
  return new TransportError("slow_reader", message, { canRetry: true });
}

function byteLength(text: string): number {
  return encoder.encode(text).byteLength;
}

const encoder = new TextEncoder();
