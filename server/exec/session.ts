/**
 * A program over Cap'n Web: the session's main object is its process. The output is a stream that
 * takes no more from the program than the client takes from it.
 */
import { RpcTarget } from "capnweb";
import { shown } from "../check.ts";
import type { ProgramApi, ProgramExit } from "../contract.ts";
import { PushError } from "../errors.ts";
import type { OnError } from "../hub.ts";
import { linesOf } from "../lines.ts";
import { guard } from "../transports/rpc/api.ts";
import type { CallBudget } from "../transports/rpc/messages.ts";
import type { Relay } from "./relay.ts";

const MAX_WAITING = 1024 * 1024; // bytes of lines that were written without waiting

export interface SessionOptions {
  binary: boolean;
  budget: CallBudget;
  onError: OnError;
}

/** Parameters come from the network: each is `unknown` until it was looked at. */
export class ProgramSession extends RpcTarget implements ProgramApi {
  readonly #relay: Relay;
  readonly #options: SessionOptions;
  #taken = false;

  constructor(relay: Relay, options: SessionOptions) {
    super();
    this.#relay = relay;
    this.#options = options;
  }

  async output(): Promise<ReadableStream<string[] | Uint8Array>> {
    return this.#guard(() => {
      if (this.#taken)
        throw new PushError("invalid_request", "Expected `output` to be called once");
      this.#taken = true;
      return this.#stream();
    });
  }

  async write(line: unknown): Promise<void> {
    return this.#guard(() => this.#write(line));
  }

  async end(): Promise<void> {
    return this.#guard(() => void this.#relay.program.stdin?.end());
  }

  async exit(): Promise<ProgramExit> {
    return this.#guard(() => this.#relay.program.exited);
  }

  /** The library calls it when the session has ended. */
  [Symbol.dispose](): void {
    this.#relay.leave();
  }

  #guard<T>(call: () => T | Promise<T>): Promise<T> {
    const { onError, budget } = this.#options;
    return Promise.resolve(guard({ onError }, budget, call));
  }

  #stream(): ReadableStream<string[] | Uint8Array> {
    const relay = this.#relay;
    const { binary } = this.#options;
    let cancelled = false;
    return new ReadableStream<string[] | Uint8Array>({
      start: (controller) =>
        relay.pour({
          write: (output) => {
            if (cancelled) return true;
            controller.enqueue(binary ? new Uint8Array(output) : linesOf(output));
            return controller.desiredSize! > 0;
          },
          end: (ending) => {
            if (cancelled) return;
            if (ending instanceof PushError) controller.error(ending);
            else controller.close();
          },
        }),
      pull: () => relay.wake(),
      cancel: () => {
        cancelled = true;
        relay.leave();
      },
    });
  }

  /** Resolves when it has left for the program. Who waits for that never meets the bound. */
  #write(line: unknown): Promise<void> {
    const { stdin } = this.#relay.program;
    const bytes = bytesOf(line);
    if (stdin && stdin.writableLength > MAX_WAITING) {
      const limit = `Expected at most ${MAX_WAITING} bytes of input to wait for the program`;
      throw new PushError("limit_exceeded", limit);
    }
    if (!stdin?.writable) {
      throw new PushError("invalid_request", "the program reads no input any more");
    }
    return new Promise((resolve, reject) => {
      stdin.write(bytes, (error) => {
        if (error) reject(new PushError("invalid_request", "the program reads no input any more"));
        else resolve();
      });
    });
  }
}

/** Text is a line, as in a text frame; bytes are what they are. */
function bytesOf(line: unknown): string | Uint8Array {
  if (typeof line === "string") return `${line}\n`;
  if (line instanceof Uint8Array) return line;
  throw new PushError("invalid_request", `Expected a line of text or bytes, got ${shown(line)}`);
}
