/**
 * The server's end of a WebSocket whose client does not read: nothing that is sent leaves before
 * `flush()`. Kernels buffer megabytes, so with a real one nobody could count what waits.
 */
import { EventEmitter } from "node:events";
import type { WebSocket } from "ws";
import type { Ending } from "../../support/frames.ts";

export class StalledSocket extends EventEmitter {
  readonly OPEN = 1;
  readonly CLOSED = 3;
  readyState = 1;
  isPaused = false;
  bufferedAmount = 0;
  readonly sent: string[] = [];
  ending: Ending | undefined;
  #waiting: (() => void)[] = [];

  send(text: string, onWritten: () => void): void {
    this.sent.push(text);
    this.#waiting.push(onWritten);
  }

  /** The client reads all that waits. */
  flush(): void {
    for (const onWritten of this.#waiting.splice(0)) onWritten();
  }

  /** The client says something. */
  say(text: string): void {
    this.emit("message", Buffer.from(text), false);
  }

  close(code: number, reason: string): void {
    this.ending = { code, reason };
    this.readyState = 2;
  }

  /** The client is gone. */
  leave(): void {
    this.readyState = this.CLOSED;
    this.emit("close", 1006);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** As the chat takes it. */
  get asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}
