/**
 * Node's response to a client that does not read: whatever is written waits until `drain()`. Kernels
 * buffer megabytes, and these streams say a few bytes a second.
 */
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { PassThrough } from "node:stream";

export class StuckResponse extends EventEmitter {
  readonly req = { socket: new PassThrough() };
  readonly written: string[] = [];
  destroyed = false;
  writableEnded = false;

  writeHead(): void {}

  flushHeaders(): void {}

  write(text: string): boolean {
    this.written.push(text);
    return false;
  }

  end(text: string): void {
    this.written.push(text);
    this.writableEnded = true;
  }

  /** The client has read everything. */
  drain(): void {
    this.emit("drain");
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
