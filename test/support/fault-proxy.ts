/**
 * A TCP proxy that does to each connection what a bad network does. It passes bytes and understands
 * none of them; what goes wrong in a proxy that knows HTTP is in `fault-proxy-http.ts`.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";

/** Without any of these everything passes. */
export interface Fault {
  /** It ends after so many bytes from the server. 0: the request arrives, its answer does not. */
  readonly afterBytes?: number | undefined;
  /** It ends after so many milliseconds. 0: before anything has passed, in either direction. */
  readonly afterMs?: number;
  /** Default `cut`. */
  readonly ending?: Ending;
  /** How late each piece from the server arrives. */
  readonly delayMs?: number;
  readonly bytesPerSecond?: number;
}

/**
 * `cut`: both sides are closed. `reset`: with an RST. `stall`: both stay open, and nothing passes any
 * more; after 0 ms this is a proxy that accepts and says nothing. `server-gone`, `client-gone`: one
 * side is closed, and the other not told.
 */
export type Ending = "cut" | "reset" | "stall" | "server-gone" | "client-gone";

export const ENDINGS: readonly Ending[] = ["cut", "reset", "stall", "server-gone", "client-gone"];

export interface FaultProxy {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** The bytes that each connection so far has passed to its client, in the order they came. */
  readonly passed: readonly number[];
  /** Ends every connection of now; new ones are accepted. */
  cut(): void;
  /** How many the server has that have asked it for something. (Browsers keep spare and old ones.) */
  connections(): number;
  close(): void;
}

/** @param faultOf asked once for each connection; they are counted from 0 */
export async function startFaultProxy(
  targetPort: number,
  faultOf: (index: number) => Fault = () => ({}),
): Promise<FaultProxy> {
  const links = new Set<Link>();
  const passed: number[] = [];
  const server = createServer((client) => {
    const index = passed.push(0) - 1;
    const link: Link = new Link(client, faultOf(index), {
      onBytes: (bytes) => (passed[index]! += bytes),
      onClose: () => links.delete(link),
    });
    links.add(link);
    link.open(targetPort);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const link of links) link.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    cut,
    connections: () => [...links].filter(({ isInUse }) => isInUse).length,
    close: () => {
      server.close();
      cut();
    },
  };
}

/** `startFaultProxy`, ended with the test. */
export async function startedFaultProxy(
  ...options: Parameters<typeof startFaultProxy>
): Promise<FaultProxy> {
  const proxy = await startFaultProxy(...options);
  onTestFinished(() => proxy.close());
  return proxy;
}

interface LinkEvents {
  readonly onBytes: (bytes: number) => void;
  /** Both sides are closed. */
  readonly onClose: () => void;
}

/** One connection, and the one to the server that belongs to it. */
class Link {
  readonly #client: Socket;
  readonly #fault: Fault;
  readonly #events: LinkEvents;
  #server: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(client: Socket, fault: Fault, events: LinkEvents) {
    this.#client = client;
    this.#fault = fault;
    this.#events = events;
  }

  /** Whether the server's side is open, and the client has ever said anything. */
  get isInUse(): boolean {
    return this.#server?.closed === false && this.#client.bytesRead > 0;
  }

  open(port: number): void {
    const { afterMs } = this.#fault;
    this.#client.on("error", ignore); // `close` follows
    this.#client.once("close", () => {
      clearTimeout(this.#timer);
      if (!this.#ended) this.#server?.destroy();
      this.#closed();
    });
    if (afterMs === 0) return this.#end();
    if (afterMs !== undefined) this.#timer = setTimeout(() => this.#end(), afterMs);
    this.#server = connect(port, "127.0.0.1");
    this.#server.on("error", ignore);
    this.#server.once("close", () => this.#closed());
    this.#client.pipe(this.#server);
    void this.#pass(this.#server);
  }

  destroy(): void {
    this.#ended = true;
    this.#client.destroy();
    this.#server?.destroy();
  }

  async #pass(server: Socket): Promise<void> {
    const { afterBytes = Infinity, delayMs = 0, bytesPerSecond = Infinity } = this.#fault;
    let left = afterBytes;
    try {
      const chunks = server.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      for await (const chunk of chunks) {
        if (delayMs > 0) await sleep(delayMs);
        for (const piece of pieces(chunk, bytesPerSecond)) {
          if (this.#ended) return;
          const part = piece.subarray(0, left);
          left -= part.length;
          await this.#toClient(part);
          if (left === 0) return this.#end();
          if (bytesPerSecond < Infinity) await sleep((1_000 * part.length) / bytesPerSecond);
        }
      }
      if (!this.#ended) this.#client.end();
    } catch {
      if (!this.#ended) this.#client.destroy(); // the server has reset it
    }
  }

  #toClient(bytes: Buffer): Promise<void> {
    this.#events.onBytes(bytes.length);
    return new Promise((resolve) => this.#client.write(bytes, () => resolve()));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    const [client, server] = [this.#client, this.#server];
    client.unpipe();
    switch (this.#fault.ending ?? "cut") {
      case "cut":
        client.end().resume(); // unread bytes would make it a reset, which takes what was sent along
        server?.destroy();
        break;
      case "reset":
        client.resetAndDestroy();
        server?.resetAndDestroy();
        break;
      case "stall":
        client.pause();
        break;
      case "server-gone":
        client.resume();
        server?.destroy();
        break;
      case "client-gone":
        client.destroy();
        break;
    }
  }

  #closed(): void {
    if (this.#client.closed && this.#server?.closed !== false) this.#events.onClose();
  }
}

/** What passes in one go: all, or a 50th of a second's. */
function* pieces(chunk: Buffer, bytesPerSecond: number): Generator<Buffer> {
  const size = Math.max(1, Math.min(chunk.length, Math.floor(bytesPerSecond / 50)));
  for (let start = 0; start < chunk.length; start += size) {
    yield chunk.subarray(start, start + size);
  }
}

function ignore(): void {}
