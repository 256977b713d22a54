/** A topic over HTTP, one long answer: what SSE and NDJSON have in common. */
import type { Batch } from "../contract.ts";
import type { PushError } from "../errors.ts";
import type { Sink } from "./delivery.ts";
import type { HttpStream } from "./http-stream.ts";

/** How a transport writes. The bytes are chunks, the same for every client. */
export interface StreamFormat {
  bytesOf(batch: Batch): Buffer;
  readonly heartbeat: Buffer;
  lastText(reason: PushError): string;
}

export class HttpSink implements Sink {
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
