/**
 * Cap'n Web over HTTP batch: `POST /api`, one JSON message a line, answered the same way. Nothing
 * runs before the whole body has arrived, was parsed and was found good.
 */
import type { EventEmitter } from "node:events";
import { RpcSession, type RpcTransportWithCustomEncoding } from "capnweb";
import { PushError } from "../../errors.ts";
import type { Hub } from "../../hub.ts";
import { type ApiOptions, RpcApi } from "./api.ts";
import { isPlainBatch, parseBatch, rehearse } from "./batch-messages.ts";
import { errorOnWire } from "./errors-on-wire.ts";

/**
 * @param client emits "close" when nobody is there any more to take the answer
 * @returns the answer's lines, joined by newlines
 * @throws {PushError} `protocol_error`, `too_large`: nothing has run; `limit_exceeded`: the answer
 *   took too long or grew too large
 */
export async function answerBatch(
  body: string,
  hub: Hub,
  options: ApiOptions,
  client: EventEmitter,
): Promise<string> {
  const { batchMessages, batchMs, answerBytes } = hub.limits;
  const messages = parseBatch(body, batchMessages);
  if (!isPlainBatch(messages)) await rehearse(parseBatch(body, batchMessages));

  const api = new RpcApi(hub, options);
  const transport = new BatchTransport(messages, answerBytes);
  const session = new RpcSession(transport, api, { onSendError: errorOnWire });
  const abandon = () => transport.abort(new PushError("shutting_down", "the client has gone"));
  client.once("close", abandon);
  const timer = setTimeout(() => {
    const message = `Expected the batch to be done in ${batchMs} ms`;
    transport.abort(new PushError("limit_exceeded", message));
  }, batchMs);
  try {
    await transport.received;
    await Promise.race([session.drain(), transport.failed]);
    return transport.answer;
  } catch (error) {
    session.getRemoteMain()[Symbol.dispose](); // drops what is still running
    throw error;
  } finally {
    clearTimeout(timer);
    client.off("close", abandon);
    api[Symbol.dispose]();
  }
}

/** Gives the session the messages of one body and collects what it answers. */
class BatchTransport implements RpcTransportWithCustomEncoding {
  // JSON trees instead of text: the messages were parsed to be judged, once is enough.
  readonly encodingLevel = "jsonCompatible";
  /** Resolves when the session has taken every message. */
  readonly received: Promise<void>;
  /** Rejects when the session cannot go on. */
  readonly failed: Promise<never>;
  readonly #messages: Iterator<unknown, undefined>;
  readonly #maxBytes: number;
  readonly #lines: string[] = [];
  #bytes = 0;
  #setReceived = () => {};
  #fail: (reason: unknown) => void = () => {};

  constructor(messages: readonly unknown[], maxBytes: number) {
    this.#messages = messages.values();
    this.#maxBytes = maxBytes;
    this.received = new Promise((resolve) => (this.#setReceived = resolve));
    this.failed = new Promise((_resolve, reject) => (this.#fail = reject));
    this.failed.catch(() => {}); // nobody may be waiting when it fails
  }

  get answer(): string {
    return this.#lines.join("\n");
  }

  send(message: unknown): number {
    const line = JSON.stringify(message);
    this.#bytes += line.length;
    if (this.#bytes > this.#maxBytes) {
      const limit = `Expected an answer of at most ${this.#maxBytes} bytes`;
      this.abort(new PushError("limit_exceeded", limit));
    } else {
      this.#lines.push(line);
    }
    return line.length;
  }

  receive(): Promise<unknown> {
    const { value, done } = this.#messages.next();
    if (!done) return Promise.resolve(value);
    this.#setReceived();
    return new Promise(() => {}); // the answer ends a batch, not its last message
  }

  abort(reason: unknown): void {
    this.#setReceived();
    this.#fail(
      reason instanceof PushError ? reason : new PushError("protocol_error", String(reason)),
    );
  }
}
