/** A topic over HTTP, one long answer: what SSE and NDJSON have in common. */
import type { Batch } from "../contract.ts";
import type { PushError } from "../errors.ts";
import type { Subscription } from "../subscription.ts";
import { deliver, type DeliveryOptions, type Sink } from "./delivery.ts";
import type { HttpStream } from "./http-stream.ts";

/** How a transport writes. The bytes are chunks, the same for every client. */
export interface StreamFormat {
  bytesOf(batch: Batch): Buffer;
  readonly heartbeat: Buffer;
  lastText(reason: PushError): string;
}

/** Delivers until the client has left, or the last word of it is written. */
export function deliverOver(
  stream: HttpStream,
  subscription: Subscription,
  format: StreamFormat,
  options: DeliveryOptions,
): void {
  stream.tell(deliver(subscription, new HttpSink(stream, format), options));
  stream.holdUntil(subscription.turns); // which comes after the delivery's own
}

class HttpSink implements Sink {
  readonly #stream: HttpStream;
  readonly #format: StreamFormat;

  constructor(stream: HttpStream, format: StreamFormat) {
    this.#stream = stream;
    this.#format = format;
  }

  hasRoom(): boolean {
    return this.#stream.hasRoom;
  }

  write(batch: Batch): void {
    this.#stream.writeChunk(this.#format.bytesOf(batch));
  }

  heartbeat(): void {
    this.#stream.writeChunk(this.#format.heartbeat);
  }

  end(reason: PushError): void {
    this.#stream.end(this.#format.lastText(reason));
  }
}
