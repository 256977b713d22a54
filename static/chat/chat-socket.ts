/**
 * The chat's WebSocket, which comes back by itself. A message waits here until the server has
 * acknowledged it, and goes out again over the next connection if it has not.
 */
import { backoffDelay } from "../../client/backoff.ts";
import type { ConnectionStatus } from "../../client/status.ts";
import { isAck } from "./chat-message.ts";
import { closingOf } from "./close-words.ts";

export interface ChatEvents {
  onStatus: (status: ConnectionStatus) => void;
  /** Any frame that is not an acknowledgement. */
  onFrame: (frame: string) => void;
  onDelivered: (id: string) => void;
  /** The server will not take it: it was too long. */
  onRefused: (id: string) => void;
  /** The user has left before the server had taken it. */
  onGivenUp: (id: string) => void;
}

interface Waiting {
  readonly id: string;
  readonly frame: string;
}

const MAX_WAITING = 16; // messages, of up to half a megabyte each
const STABLE_MS = 10_000; // a connection that lived this long makes the next failure a first one
const ACK_MS = 10_000; // a server that has not answered by then is not there any more
const TOO_LONG = 1009;

export class ChatSocket {
  readonly #url: string;
  readonly #events: ChatEvents;
  #socket: WebSocket | undefined;
  #waiting: Waiting[] = [];
  #openedAt: number | undefined;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, events: ChatEvents) {
    this.#url = url;
    this.#events = events;
  }

  open(): void {
    if (this.#socket || this.#retry !== undefined) return;
    this.#attempt = 0;
    this.#connect("connecting", `Calling ${new URL(this.#url).host}`);
  }

  /** Hangs up for now; what waits goes out after the next `open()`. Callable twice. */
  pause(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#drop();
  }

  /** Leaves, and what waits is given up. Callable twice. */
  close(): void {
    this.pause();
    for (const { id } of this.#waiting) this.#events.onGivenUp(id);
    this.#waiting = [];
    this.#events.onStatus({ state: "disconnected", message: "You have left the chat" });
  }

  /** False when too many wait already, so this one was not taken. */
  send(id: string, frame: string): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push({ id, frame });
    if (this.#openedAt !== undefined) this.#socket?.send(frame);
    this.#expectAck();
    return true;
  }

  #connect(state: "connecting" | "reconnecting", message: string): void {
    this.#retry = undefined;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#events.onStatus({ state, message });
    socket.addEventListener("open", () => {
      if (socket === this.#socket) this.#opened(socket);
    });
    socket.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (socket === this.#socket && typeof data === "string") this.#received(data);
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#closed(event);
    });
  }

  #opened(socket: WebSocket): void {
    this.#openedAt = performance.now();
    this.#events.onStatus({ state: "connected", message: `In the chat of ${location.host}` });
    for (const { frame } of this.#waiting) socket.send(frame);
    this.#expectAck();
  }

  #received(frame: string): void {
    if (!isAck(frame)) return this.#events.onFrame(frame);
    const delivered = this.#waiting.shift(); // the server answers in order
    if (delivered) this.#events.onDelivered(delivered.id);
    this.#expectAck();
  }

  #closed(event: CloseEvent): void {
    const closing = closingOf(event, this.#openedAt !== undefined);
    // Sent again, it would close the next connection too.
    const refused = event.code === TOO_LONG ? this.#waiting.shift() : undefined;
    if (refused) this.#events.onRefused(refused.id);
    this.#failed(closing.words, closing.retryAfterMs);
  }

  #failed(message: string, retryAfterMs = 0): void {
    if (this.#openedAt !== undefined && performance.now() - this.#openedAt >= STABLE_MS) {
      this.#attempt = 0;
    }
    this.#drop();
    const retryInMs = backoffDelay(this.#attempt++, { minMs: Math.max(250, retryAfterMs) });
    this.#retry = setTimeout(() => this.#connect("reconnecting", message), retryInMs);
    this.#events.onStatus({ state: "reconnecting", message, retryInMs });
  }

  #drop(): void {
    clearTimeout(this.#deadline);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#openedAt = undefined;
    socket?.close();
  }

  #expectAck(): void {
    clearTimeout(this.#deadline);
    if (this.#openedAt === undefined || this.#waiting.length === 0) return;
    const message = `The server has not acknowledged a message for ${ACK_MS / 1_000} s`;
    this.#deadline = setTimeout(() => this.#failed(message), ACK_MS);
  }
}
