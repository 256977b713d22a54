/**
 * Cap'n Web over HTTP batch: `POST /api`, one JSON message a line, answered the same way. Nothing
 * runs before the whole body has arrived, was parsed and was found good.
 */
import { RpcSession, type RpcTransportWithCustomEncoding } from "capnweb";
import { PushError } from "../../errors.ts";
import type { Hub } from "../../hub.ts";
import { type ApiOptions, RpcApi } from "./api.ts";
import { isPlainBatch, parseBatch, rehearse } from "./batch-messages.ts";
import { errorOnWire } from "./errors-on-wire.ts";
import { onGone, type Requester } from "../../wire/on-gone.ts";
import { CallBudget } from "./messages.ts";

/**
 * @param request whose client gets the answer; a held poll ends when it leaves
 * @returns the answer's lines, joined by newlines
 * @throws {PushError} `protocol_error`, `too_large`: nothing has run; `limit_exceeded`: the answer
 *   took too long or grew too large
 */
export async function answerBatch(
  body: string,
  hub: Hub,
  options: ApiOptions,
  request: Requester,
): Promise<string> {
  const { batchMessages, batchMs, answerBytes } = hub.limits;
  const messages = parseBatch(body, batchMessages);
  const plain = isPlainBatch(messages);
  if (!plain) await rehearse(parseBatch(body, batchMessages), batchMessages);

  const transport = new BatchTransport(messages, answerBytes);
  const end = (reason: PushError) => {
    transport.fail(reason);
    session.getRemoteMain()[Symbol.dispose](); // drops what is still running, ends the drain
  };
  transport.onTooLarge = end;
  // Nearly every batch is answered at once, and a timer and a listener would cost it as much as the
  // poll that it came for. Only one with a held poll lasts.
  let stopWatching: (() => void) | undefined;
  const budget = new CallBudget({ maxCalls: batchMessages, maxBytes: answerBytes });
  budget.renew({ joined: !plain });
  const api = new RpcApi(hub, options, budget, () => {
    stopWatching ??= watch(request, batchMs, end);
  });
  const session = new RpcSession(transport, api, { onSendError: errorOnWire });
  try {
    await transport.received;
    await session.drain();
    return transport.answer;
  } catch (error) {
    throw transport.failure ?? error;
  } finally {
    stopWatching?.();
    api[Symbol.dispose]();
  }
}

/** Ends a batch when its client leaves, or when it takes longer than `ms`. */
function watch(request: Requester, ms: number, end: (reason: PushError) => void): () => void {
  const leave = () => end(new PushError("shutting_down", "the client has gone"));
  const expire = () => {
    end(new PushError("limit_exceeded", `Expected the batch to be done in ${ms} ms`));
  };
  const timer = setTimeout(expire, ms);
  const stopWatching = onGone(request, leave);
  return () => {
    clearTimeout(timer);
    stopWatching();
  };
}

/** Gives the session the messages of one body and collects what it answers. */
class BatchTransport implements RpcTransportWithCustomEncoding {
  // JSON trees instead of text: the messages were parsed to be judged, once is enough.
  readonly encodingLevel = "jsonCompatible";
  /** Resolves when the session has taken every message, or cannot go on. */
  readonly received: Promise<void>;
  /** Why the session cannot go on. */
  failure: PushError | undefined;
  onTooLarge: (reason: PushError) => void = () => {};
  readonly #messages: Iterator<unknown, undefined>;
  readonly #maxBytes: number;
  readonly #lines: string[] = [];
  #bytes = 0;
  #setReceived = () => {};

  constructor(messages: readonly unknown[], maxBytes: number) {
    this.#messages = messages.values();
    this.#maxBytes = maxBytes;
    this.received = new Promise((resolve) => (this.#setReceived = resolve));
  }

  /** @throws {PushError} why there is none */
  get answer(): string {
    if (this.failure) throw this.failure;
    return this.#lines.join("\n");
  }

  send(message: unknown): number {
    if (this.failure) return 0; // the rest will not be read
    const line = JSON.stringify(message);
    const bytes = Buffer.byteLength(line);
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) {
      this.#lines.push(line);
    } else {
      const limit = `Expected an answer of at most ${this.#maxBytes} bytes`;
      this.onTooLarge(new PushError("limit_exceeded", limit));
    }
    return bytes;
  }

  receive(): Promise<unknown> {
    const { value, done } = this.#messages.next();
    if (!done) return Promise.resolve(value);
    this.#setReceived();
    return new Promise(() => {}); // the answer ends a batch, not its last message
  }

  fail(reason: PushError): void {
    this.failure ??= reason;
    this.#setReceived();
  }

  abort(reason: unknown): void {
    this.fail(
      reason instanceof PushError ? reason : new PushError("protocol_error", String(reason)),
    );
  }
}
