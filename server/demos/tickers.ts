/**
 * Streams of Server-Sent Events that one client has to itself, each with a timer of its own. A client
 * that does not read misses ticks; they do not wait for it.
 */
import type { ServerResponse } from "node:http";
import { PushError } from "../errors.ts";
import { farewell } from "../transports/sse.ts";
import { EVENT_STREAM } from "../wire/event-stream.ts";
import { type HttpStream, openHttpStream } from "../wire/http-stream.ts";

const RETRY_AFTER_MS = 5_000; // when there are too many streams

export class Tickers {
  readonly #max: number;
  readonly #streams = new Set<HttpStream>();
  #closed: (() => PushError) | undefined;

  /** @param max how many streams may be open at once; each has a socket and a timer */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many streams are open. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * `tick` writes: at once, then at every interval, until the client leaves or it ends the stream.
   * @throws {PushError} `limit_exceeded`, `shutting_down`; then nothing has been sent
   */
  start(response: ServerResponse, tick: (stream: HttpStream) => void, intervalMs: number): void {
    this.#checkRoom();
    const stream = openHttpStream(response, { "Content-Type": EVENT_STREAM });
    const timer = setInterval(() => {
      if (stream.hasRoom) tick(stream);
    }, intervalMs);
    this.#streams.add(stream);
    stream.onClose(() => {
      clearInterval(timer);
      this.#streams.delete(stream);
    });
    tick(stream);
  }

  /** Ends every stream, and says when to come back. */
  close(reason: () => PushError): void {
    this.#closed = reason;
    for (const stream of this.#streams) {
      stream.end(farewell(reason()));
    }
  }

  #checkRoom(): void {
    if (this.#closed) throw this.#closed();
    if (this.#streams.size < this.#max) return;
    throw new PushError("limit_exceeded", `Expected at most ${this.#max} streams`, {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
}
