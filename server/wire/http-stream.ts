/**
 * One long answer over HTTP: SSE, NDJSON. Node's response sends the head; what follows goes straight
 * to its socket, in chunks that are made once for all clients. A web stream for each client costs
 * several times as much per event.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Turns } from "../turns.ts";
import { letGo } from "./let-go.ts";

/** Who writes to it, and wants to know when it can go on and when it has to stop. */
export interface Writer {
  wake(): void;
  stop(): void;
}

export class HttpStream {
  readonly #socket: Socket;
  readonly #chunked: boolean;
  /** Until http has let go of the connection. */
  #response: ServerResponse | undefined;
  #state: "open" | "ended" | "closed" = "open";
  #hasRoom = true;
  #writer: Writer | undefined;
  #onClose: (() => void) | undefined;

  /** Use `openHttpStream`, which sends the head. */
  constructor(response: ServerResponse) {
    const { req } = response;
    this.#response = response;
    this.#socket = req.socket;
    // HTTP/1.0 knows no chunks: there the end of the connection ends the answer.
    this.#chunked = response.chunkedEncoding;
    if (response.destroyed) this.#state = "closed";
    response.once("close", () => {
      if (this.#response) this.#close();
    });
    req.once("end", () => this.#letGo());
    req.resume();
  }

  /** The client has left, or `end()` was called. */
  get closed(): boolean {
    return this.#state !== "open";
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
    if (this.#state !== "open" || bytes.length === 0) return;
    const taken = this.#socket.write(this.#chunked ? bytes : unchunk(bytes));
    if (taken || !this.#hasRoom) return;
    this.#hasRoom = false;
    this.#socket.once("drain", () => this.#makeRoom());
  }

  /** `wake` when there is room again, `stop` once when the client has left. */
  tell(writer: Writer): void {
    this.#writer = writer;
    if (this.#state === "closed") writer.stop();
  }

  /** What is written until its turn comes leaves together: the head with the first batch. */
  holdUntil(turns: Turns): void {
    const socket = this.#socket;
    socket.cork();
    turns.addBehind({ take: () => socket.uncork() });
  }

  /** Calls back once, when the client has left or everything has been sent. */
  onClose(callback: () => void): void {
    if (this.#state === "closed") return callback();
    const others = this.#onClose;
    this.#onClose = () => {
      others?.();
      callback();
    };
  }

  end(lastText = ""): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    if (this.#response) return void this.#response.end(lastText);
    this.#socket.write(Buffer.concat([chunk(lastText), LAST_CHUNK]));
    this.#socket.destroySoon();
  }

  /** Ends it so that the client sees that something is missing: without its last chunk. */
  cutOff(): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#socket.destroySoon();
  }

  #letGo(): void {
    if (this.#state !== "open" || !this.#chunked || !letGo(this.#response!)) return;
    this.#response = undefined;
    this.#socket.on("error", ignore); // `close` follows
    this.#socket.once("close", () => this.#close());
    this.#socket.once("end", () => {
      this.end();
      this.#writer?.stop();
    });
    this.#socket.resume(); // or it would not notice that the client has gone
  }

  #makeRoom(): void {
    this.#hasRoom = true;
    this.#writer?.wake();
  }

  #close(): void {
    this.#state = "closed";
    this.#hasRoom = true;
    this.#writer?.stop();
    this.#onClose?.();
  }
}

export const STREAM_HEADERS = {
  "Cache-Control": "no-store",
  "X-Accel-Buffering": "no", // nginx would hold events back until its buffer is full
} as const;

/** Status and headers are on the wire in this turn of the event loop, with what is written in it. */
export function openHttpStream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): HttpStream {
  const { socket } = response.req;
  socket.cork();
  process.nextTick(uncork, socket);
  response.shouldKeepAlive = false; // it ends with the stream, and says so (RFC 9112 §9.6)
  response.writeHead(200, { ...STREAM_HEADERS, ...headers });
  response.flushHeaders();
  return new HttpStream(response);
}

function uncork(socket: Socket): void {
  socket.uncork();
}

/** RFC 9112 §7.1: the length in hexadecimal and the data, a line break after each. */
export function chunk(text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length === 0) return NOTHING; // a chunk without data would be the end of the answer
  return Buffer.from(`${length.toString(16)}\r\n${text}\r\n`);
}

/** The same of bytes. */
export function chunkOf(bytes: Buffer): Buffer {
  if (bytes.length === 0) return NOTHING;
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, LINE_BREAK]);
}

const NOTHING = Buffer.alloc(0);
const LINE_BREAK = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

function unchunk(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf("\n") + 1, -2);
}

function ignore(): void {}
