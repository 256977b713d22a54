/**
 * A topic over Server-Sent Events. Not with EventSource: that reconnects by itself without jitter,
 * hides why it failed, and does not exist in Node.
 */
import type { Gap } from "../../server/contract.ts";
import { offsetOf } from "../cursor.ts";
import { type EventStreamHandlers, EventStreamParser } from "../event-stream.ts";
import { lost, protocolError, told } from "../failures.ts";
import { type TopicBatch, type TopicEvent, type Transport, TransportError } from "../transport.ts";
import { checkGap, parseJson } from "./checked.ts";
import { ask, type HttpOptions, MAX_CHARS, textOf } from "./http.ts";

export function sse(options: HttpOptions): Transport {
  return {
    name: "sse",
    async *open(place, signal) {
      const response = await ask(options, { place, accept: "text/event-stream" }, signal);
      const blocks = new Blocks();
      const parser = new EventStreamParser(blocks, { maxChars: MAX_CHARS });
      try {
        for await (const text of textOf(response, signal, options.onBytes)) {
          parser.push(text);
          yield* blocks.take();
          if (blocks.failure) throw blocks.failure;
        }
        throw lost("The server ended the stream");
      } catch (error) {
        if (error instanceof RangeError) throw protocolError(error.message, error);
        if (error instanceof TransportError) throw blocks.patient(error);
        throw error;
      }
    },
  };
}

/** The events of one chunk → batches. A gap begins a new one. */
class Blocks implements EventStreamHandlers {
  failure: TransportError | undefined;
  #batches: TopicBatch[] = [];
  #events: TopicEvent[] = [];
  #gap: Gap | undefined;
  #cursor: string | undefined;
  #alive = false;
  #retryMs: number | undefined;

  onEvent(data: string, name: string | undefined, id: string | undefined): void {
    if (this.failure) return;
    try {
      this.#take(parseJson(data), name, id);
    } catch (error) {
      this.failure = error as TransportError; // what came before it in the chunk is still good
    }
  }

  onId(id: string): void {
    this.#cursor = id;
    this.#alive = true;
  }

  onComment(): void {
    this.#alive = true;
  }

  onRetry(retryMs: number): void {
    this.#retryMs = retryMs;
  }

  /** What has come since the last time; an empty batch for a mere sign of life. */
  take(): readonly TopicBatch[] {
    this.#flush();
    const batches = this.#batches;
    this.#batches = [];
    const alive = this.#alive;
    this.#alive = false;
    if (batches.length > 0 || !alive || this.#cursor === undefined) return batches;
    return [{ events: [], cursor: this.#cursor }];
  }

  /** The time to come back that the stream has set counts for whatever ends it. */
  patient(error: TransportError): TransportError {
    if (error.retryAfterMs !== undefined || this.#retryMs === undefined) return error;
    const { code, message, canRetry, cause } = error;
    return new TransportError(code, message, { canRetry, cause, retryAfterMs: this.#retryMs });
  }

  #take(data: unknown, name: string | undefined, id: string | undefined): void {
    if (name === "error") throw told(data);
    if (id === undefined) {
      throw protocolError("Expected events with an id; without one there is nothing to resume at");
    }
    const offset = offsetOf(id);
    if (name === "gap") {
      this.#flush();
      this.#gap = checkGap(data);
    } else {
      this.#events.push(name === undefined ? { offset, data } : { offset, name, data });
    }
    this.#cursor = id;
  }

  #flush(): void {
    if (this.#events.length === 0 && !this.#gap) return;
    const batch = { events: this.#events, cursor: this.#cursor! };
    this.#batches.push(this.#gap ? { ...batch, gap: this.#gap } : batch);
    this.#events = [];
    this.#gap = undefined;
  }
}
