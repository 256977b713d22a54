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
  readonly #chunked: boolean;
  #open: boolean;
  #hasRoom = true;
  #writer: Writer | undefined;
  #onClose: (() => void) | undefined;

  /** Use `openHttpStream`, which sends the head. */
  constructor(response: ServerResponse) {
    this.#response = response;
    this.#socket = response.req.socket;
    // HTTP/1.0 knows no chunks: there the end of the connection ends the answer.
    this.#chunked = response.chunkedEncoding;
    this.#open = !response.destroyed;
    response.once("close", () => this.#close());
  }

  /** The client has left, or `end()` was called. */
  get closed(): boolean {
    return !this.#open;
  }

  /** The socket has taken what was written, or nobody is there any more to take it. */
  get hasRoom(): boolean {
    return this.#hasRoom;
  }

  write(text: string): void {
    this.writeChunk(chunk(text));
  }

  /** @param bytes what `chunk` made; they may be the same for many streams */
  writeChunk(bytes: Buffer): void {
    if (!this.#open) return;
    const taken = this.#socket.write(this.#chunked ? bytes : unchunk(bytes));
    if (taken || !this.#hasRoom) return;
    this.#hasRoom = false;
    this.#socket.once("drain", () => this.#makeRoom());
  }

  /** `wake` when there is room again, `stop` once when the client has left. */
  tell(writer: Writer): void {
    this.#writer = writer;
    if (this.#response.destroyed) writer.stop();
  }

  /** Calls back once, when the client has left or everything has been sent. */
  onClose(callback: () => void): void {
    if (this.#response.destroyed) return callback();
    const others = this.#onClose;
    this.#onClose = () => {
      others?.();
      callback();
    };
  }

  end(lastText = ""): void {
    if (!this.#open) return;
    this.#open = false;
    this.#response.end(lastText);
  }

  #makeRoom(): void {
    this.#hasRoom = true;
    this.#writer?.wake();
  }

  #close(): void {
    this.#open = false;
    this.#hasRoom = true;
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

/** RFC 9112 §7.1: the length in hexadecimal and the data, a line break after each. */
export function chunk(text: string): Buffer {
  const length = Buffer.byteLength(text);
  return Buffer.from(`${length.toString(16)}\r\n${text}\r\n`);
}

function unchunk(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf("\n") + 1, -2);
}
