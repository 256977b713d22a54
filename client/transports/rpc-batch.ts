/**
 * One Cap'n Web call over an HTTP batch. The library's own session of this kind takes no signal, no
 * `fetch`, and hides why the server refused.
 */
import { RpcSession, type RpcStub, type RpcTransport } from "capnweb";
import type { PushApi } from "../../server/contract.ts";
import { lost, protocolError, refused, rejected, unreachable } from "../failures.ts";
import { wholeText } from "./http.ts";
import type { RpcOptions } from "./rpc-session.ts";

export interface RpcBatchOptions extends RpcOptions {
  /** Default: the platform's. */
  readonly fetch?: typeof fetch | undefined;
}

/** Everything that `call` calls before its first `await` travels in one request. */
export async function inBatch<T>(
  options: RpcBatchOptions,
  signal: AbortSignal,
  call: (api: RpcStub<PushApi>) => PromiseLike<T>,
): Promise<T> {
  signal.throwIfAborted();
  const session = new RpcSession<PushApi>(new BatchTransport(options, signal));
  try {
    return await call(session.getRemoteMain());
  } catch (error) {
    throw signal.aborted ? signal.reason : rejected(error);
  }
}

class BatchTransport implements RpcTransport {
  readonly #options: RpcBatchOptions;
  readonly #signal: AbortSignal;
  readonly #outbox: string[] = [];
  #answer: Promise<string[]> | undefined;

  constructor(options: RpcBatchOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  send(message: string): void {
    this.#outbox.push(message);
  }

  async receive(): Promise<string> {
    this.#answer ??= this.#ask();
    const message = (await this.#answer).shift();
    if (message === undefined) throw lost("The answer to the batch has ended");
    return message;
  }

  async #ask(): Promise<string[]> {
    const { url, fetch = globalThis.fetch, onRequest, onBytes } = this.#options;
    const signal = this.#signal;
    await new Promise((resolve) => setTimeout(resolve)); // until all calls have been made
    onRequest?.();
    const body = this.#outbox.join("\n");
    const asked = fetch(url, { method: "POST", body, signal }).catch((error: unknown) => {
      throw unreachable(error);
    });
    const response = await asked;
    const text = await wholeText(response, signal, onBytes);
    if (response.status !== 200) throw refused(response, text);
    const lines = text === "" ? [] : text.split("\n");
    if (lines.every((line) => line.startsWith("["))) return lines;
    throw protocolError(`Expected messages of Cap'n Web, got ${text.slice(0, 80)}`);
  }
}
