/**
 * Node's response to a client that does not read: whatever is written waits until `drain()`. Kernels
 * buffer megabytes, and these streams say a few bytes a second.
 */
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { Duplex } from "node:stream";

/** Its buffer is full with the first byte. */
class StuckSocket extends Duplex {
  readonly written: string[] = [];
  #taken: (() => void) | undefined;

  constructor() {
    super({ writableHighWaterMark: 1 });
  }

  override write(data: Buffer): boolean {
    this.written.push(data.toString());
    return super.write(data);
  }

  override _write(_data: Buffer, _encoding: string, taken: () => void): void {
    this.#taken = taken;
  }

  override _read(): void {}

  drain(): void {
    this.#taken?.();
  }
}

export class StuckResponse extends EventEmitter {
  readonly req = Object.assign(new EventEmitter(), { socket: new StuckSocket(), resume() {} });
  readonly chunkedEncoding = false;
  destroyed = false;
  writableEnded = false;

  /** @param client `{ reads: true }` has room for all that it is told */
  constructor({ reads = false } = {}) {
    super();
    const { socket } = this.req;
    if (reads) socket._write = (_data, _encoding, taken) => taken();
  }

  get written(): string[] {
    return this.req.socket.written;
  }

  writeHead(): void {}

  flushHeaders(): void {}

  end(text: string): void {
    this.written.push(text);
    this.writableEnded = true;
  }

  /** The client has read everything. */
  drain(): void {
    this.req.socket.drain();
  }

  /** The client has gone. */
  leave(): void {
    this.destroyed = true;
    this.emit("close");
  }

  /** As Node would type it. */
  get asResponse(): ServerResponse {
    return this as unknown as ServerResponse;
  }
}
