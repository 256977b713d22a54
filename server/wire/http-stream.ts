/**
 * One long answer over HTTP: SSE, NDJSON. Written straight to Node's response, because a web stream
 * for each client costs several times as much per event.
 */
import type { ServerResponse } from "node:http";
import type { MaybePromise } from "../maybe-promise.ts";
import { onGone } from "./on-gone.ts";

export class HttpStream {
  readonly #response: ServerResponse;
  #wake: (() => void) | undefined;
  #hasRoom = true;
  #closed = false;
  #onClose = () => {};

  /** Use `openHttpStream`, which sends the head. */
  constructor(response: ServerResponse) {
    this.#response = response;
    response.on("drain", () => this.#makeRoom());
    const stopWatching = onGone(response.req, () => this.#close());
    response.once("close", () => {
      stopWatching();
      this.#close();
    });
  }

  /** The client has left, or `end()` was called. */
  get closed(): boolean {
    return this.#closed || this.#response.writableEnded;
  }

  /** The socket has taken what was written; otherwise wait for `room()`. */
  get hasRoom(): boolean {
    return this.#hasRoom;
  }

  write(text: string): void {
    if (!this.closed) this.#hasRoom = this.#response.write(text);
  }

  /** As soon as the socket has room for more, or nobody is there any more. */
  room(): MaybePromise<void> {
    if (this.#hasRoom || this.closed) return undefined;
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** Calls back once, when the client has left or everything has been sent. */
  onClose(callback: () => void): void {
    if (this.#closed) return callback();
    const others = this.#onClose;
    this.#onClose = () => {
      others();
      callback();
    };
  }

  end(lastText = ""): void {
    if (!this.closed) this.#response.end(lastText);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#makeRoom();
    this.#onClose();
  }

  #makeRoom(): void {
    this.#hasRoom = true;
    this.#wake?.();
    this.#wake = undefined;
  }
}

export const STREAM_HEADERS = {
  "Cache-Control": "no-store",
  "X-Accel-Buffering": "no", // nginx would hold events back until its buffer is full
} as const;

/** Status and headers are on the wire at once, before there is anything to say. */
export function openHttpStream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): HttpStream {
  response.writeHead(200, { ...STREAM_HEADERS, ...headers });
  response.flushHeaders();
  return new HttpStream(response);
}
