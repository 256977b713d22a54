/**
 * One long answer over HTTP: SSE, NDJSON. Node's response sends the head; what follows goes straight
 * to its socket, in chunks that are made once for all clients. A web stream for each client costs
 * several times as much per event.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Who writes to it, and wants to know when it can go on and when it has to stop. */
export interface Writer {
  wake(): void;
  stop(): void;
}

export class HttpStream {
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  #closed = false;
  #onClose: (() => void) | undefined;
  #writer: Writer | undefined;

  /** Use `openHttpStream`, which sends the head. */
  constructor(response: ServerResponse) {
    this.#response = response;
    this.#socket = response.req.socket;
    this.#closed = response.destroyed;
    this.#socket.on("drain", this.#drain);
    response.once("close", () => this.#close());
  }

  /** The client has left, or `end()` was called. */
  get closed(): boolean {
    return this.#closed || this.#response.writableEnded;
  }

  /** The socket has taken what was written, or nobody is there any more to take it. */
  get hasRoom(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  /** @param data text, or what `chunk` made of it */
  write(data: string | Buffer): void {
    if (this.closed) return;
    const bytes = typeof data === "string" ? chunk(data) : data;
    // HTTP/1.0 knows no chunks (RFC 9112 §7.1): there the end of the connection ends the answer.
    this.#socket.write(this.#response.chunkedEncoding ? bytes : unchunk(bytes));
  }

  /** `wake` when there is room again, `stop` once when the client has left. */
  tell(writer: Writer): void {
    this.#writer = writer;
    if (this.#closed) writer.stop();
  }

  /** Calls back once, when the client has left or everything has been sent. */
  onClose(callback: () => void): void {
    if (this.#closed) return callback();
    const others = this.#onClose;
    this.#onClose = () => {
      others?.();
      callback();
    };
  }

  end(lastText = ""): void {
    if (!this.closed) this.#response.end(lastText);
  }

  readonly #drain = (): void => this.#writer?.wake();

  #close(): void {
    this.#closed = true;
    this.#socket.off("drain", this.#drain); // it may be kept for the client's next request
    this.#writer?.stop();
    this.#onClose?.();
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

/** RFC 9112 §7.1: the length in hexadecimal, the data, each with a line break. */
export function chunk(text: string): Buffer {
  const length = Buffer.byteLength(text);
  return Buffer.from(`${length.toString(16)}\r\n${text}\r\n`);
}

function unchunk(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf("\n") + 1, -2);
}
