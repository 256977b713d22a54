/**
 * The way to the server as one client has it: its traffic is counted, and it can be cut as if the
 * network were gone. What is open breaks, and what is opened meanwhile waits until it is mended. A
 * client gets it in place of the platform's own; it has to cope, and does not know.
 */
import type { ConnectOptions } from "../../client/index.ts";
import { orAborted } from "../../client/wait.ts";
import { socketOver } from "./network-socket.ts";

export class Network {
  /** Requests and handshakes that were sent. */
  requests = 0;
  /** Of bodies and messages that have arrived, without headers. */
  bytes = 0;
  /** For `connect`, as `fetch` is. */
  readonly WebSocket: NonNullable<ConnectOptions["WebSocket"]>;
  #isCut = false;
  #breaking = new AbortController();
  #whole = Promise.resolve();
  #mended = () => {};

  /** Default: the platform's sockets. */
  constructor({ WebSocket }: Pick<ConnectOptions, "WebSocket"> = {}) {
    this.WebSocket = socketOver(this, WebSocket);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Aborted by the next cut. */
  get broken(): AbortSignal {
    return this.#breaking.signal;
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#whole = new Promise((resolve) => (this.#mended = resolve));
    this.#breaking.abort(new TypeError("You have cut it"));
  }

  /** Callable twice. */
  mend(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    this.#breaking = new AbortController();
    this.#mended();
  }

  /** Resolves while it is whole. Rejects with the signal's reason when that comes first. */
  async whole(signal: AbortSignal): Promise<void> {
    while (this.#isCut) await orAborted(this.#whole, signal);
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const wanted = init?.signal ?? new AbortController().signal;
    await this.whole(wanted);
    this.requests += 1;
    const signal = AbortSignal.any([wanted, this.broken]);
    const response = await fetch(input, { ...init, signal });
    const body = response.body?.pipeThrough(this.#counter());
    return body ? new Response(body, response) : response;
  };

  #counter(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
    return new TransformStream({
      transform: (chunk, controller) => {
        this.bytes += chunk.byteLength;
        controller.enqueue(chunk);
      },
    });
  }
}
