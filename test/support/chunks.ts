/**
 * One long answer as it is on the wire. With chunked encoding (RFC 9112 §7.1) each write of the
 * server is a chunk of its own, so a test sees what was written at once, byte for byte.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface ChunkedAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The text of the next chunk; undefined when the answer has ended. @throws when it was cut */
  next(): Promise<string | undefined>;
  /** Pause it, cut it, reset it. */
  readonly socket: Socket;
}

/** Sends a GET on a connection of its own. Not ended with the test. */
export async function openChunks(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ChunkedAnswer> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => {
    return `${name}: ${value}\r\n`;
  });
  const decoder = new ChunkDecoder();
  let wake = () => {};
  let cut: Error | undefined;
  socket.on("data", (bytes) => {
    decoder.push(bytes);
    wake();
  });
  const onCut = (error = new Error("the connection was cut")) => {
    cut ??= error;
    wake();
  };
  socket.on("error", onCut);
  socket.on("close", () => onCut());
  const until = async (isThere: () => boolean) => {
    while (!isThere()) {
      if (cut) throw cut;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  await once(socket, "connect");
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`);
  await until(() => decoder.status !== undefined);
  return {
    status: decoder.status!,
    headers: decoder.headers,
    socket,
    next: async () => {
      await until(() => decoder.chunks.length > 0 || decoder.ended);
      return decoder.chunks.shift();
    },
  };
}

/** The whole of an answer that is not chunked, or the rest of one that is. */
export async function restOf(answer: ChunkedAnswer): Promise<string> {
  let text = "";
  for (;;) {
    const chunk = await answer.next();
    if (chunk === undefined) return text;
    text += chunk;
  }
}

class ChunkDecoder {
  status: number | undefined;
  headers: Record<string, string> = {};
  readonly chunks: string[] = [];
  ended = false;
  #rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (this.status === undefined && !this.#readHead()) return;
    if (this.headers["transfer-encoding"] === "chunked") while (this.#readChunk());
    else this.#readPlain();
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const [first, ...lines] = this.#take(end, 4).split("\r\n");
    for (const line of lines) {
      const colon = line.indexOf(":");
      this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    this.status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first!)![1]);
    return true;
  }

  #readChunk(): boolean {
    const end = this.#rest.indexOf("\r\n");
    if (end < 0) return false;
    const size = Number.parseInt(this.#rest.toString("latin1", 0, end), 16);
    if (this.#rest.length < end + 2 + size + 2) return false;
    this.#take(end, 2);
    const chunk = this.#take(size, 2);
    if (size === 0) this.ended = true;
    else this.chunks.push(chunk);
    return size > 0;
  }

  #readPlain(): void {
    const size = Number(this.headers["content-length"] ?? 0);
    if (this.ended || this.#rest.length < size) return;
    if (size > 0) this.chunks.push(this.#take(size, 0));
    this.ended = true;
  }

  #take(size: number, then: number): string {
    const text = this.#rest.toString("utf8", 0, size);
    this.#rest = this.#rest.subarray(size + then);
    return text;
  }
}
