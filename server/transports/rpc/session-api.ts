/**
 * What a WebSocket session offers on top of a batch: `tail` and `listen`, which push. Both pull
 * from a subscription only when the client has taken the last batch and the socket has room, so
 * behind a client that stops reading nothing piles up but a cursor.
 */
import { RpcStub, RpcTarget } from "capnweb";
import { checkOptions, shown } from "../../check.ts";
import type { Batch, ListenHandle, PushSessionApi } from "../../contract.ts";
import { PushError } from "../../errors.ts";
import type { Hub } from "../../hub.ts";
import type { MaybePromise } from "../../maybe-promise.ts";
import type { Subscription } from "../../subscription.ts";
import type { CallBudget } from "./messages.ts";
import { type Answering, type ApiOptions, errorToTell, guard, RpcApi } from "./api.ts";

type BatchCallback = RpcStub<(batch: Batch) => unknown>;

export class RpcSessionApi extends RpcApi implements Answering<PushSessionApi> {
  readonly #hub: Hub;
  readonly #budget: CallBudget;
  /** Waits until the session's socket has room for another batch. */
  readonly #turnToWrite: () => MaybePromise<void>;
  /** What this session opened, and closes when it ends. */
  readonly #open = new Set<Subscription>();
  #ended = false;

  constructor(
    hub: Hub,
    options: ApiOptions,
    { budget, turnToWrite }: { budget: CallBudget; turnToWrite: () => MaybePromise<void> },
  ) {
    super(hub, options, budget);
    this.#hub = hub;
    this.#budget = budget;
    this.#turnToWrite = turnToWrite;
  }

  tail(topic: unknown, options?: unknown): MaybePromise<ReadableStream<Batch>> {
    return guard(this.#hub, this.#budget, async () => {
      const subscription = await this.#subscribe(topic, options);
      // A high-water mark of 0: a batch is read when it can be sent, not one ahead.
      return new ReadableStream<Batch>(
        {
          pull: async (controller) => {
            try {
              controller.enqueue(await this.#next(subscription));
            } catch (error) {
              this.#close(subscription);
              throw error;
            }
          },
          cancel: () => this.#close(subscription),
        },
        { highWaterMark: 0 },
      );
    });
  }

  listen(topic: unknown, onBatch: unknown, options?: unknown): MaybePromise<ListenHandle> {
    return guard(this.#hub, this.#budget, async () => {
      if (!(onBatch instanceof RpcStub)) {
        throw new PushError(
          "invalid_request",
          `Expected \`onBatch\` to be a function, got ${shown(onBatch)}`,
        );
      }
      // Stubs in parameters are disposed when the call returns, so keep a duplicate.
      const callback = onBatch.dup() as unknown as BatchCallback;
      try {
        const subscription = await this.#subscribe(topic, options);
        return new Listening(this.#deliver(subscription, callback), () =>
          this.#close(subscription),
        );
      } catch (error) {
        callback[Symbol.dispose]();
        throw error;
      }
    });
  }

  /** The session has ended: a quiet stream would otherwise stay until its next batch. */
  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#ended = true;
    for (const subscription of this.#open) this.#close(subscription);
  }

  async #subscribe(topic: unknown, options: unknown): Promise<Subscription> {
    const { after } = checkOptions(options);
    const subscription = await this.#hub.subscribe(topic, { after });
    const max = this.#hub.limits.sessionReaders;
    if (this.#open.size >= max) {
      subscription.close();
      throw new PushError("limit_exceeded", `Expected at most ${max} readers in one session`);
    }
    this.#open.add(subscription);
    if (this.#ended) this.#close(subscription);
    return subscription;
  }

  /** An idle topic gives an empty batch now and then, so that both ends notice a dead peer. */
  async #next(subscription: Subscription): Promise<Batch> {
    try {
      const { heartbeatMs: waitMs, batchEvents: limit } = this.#hub.limits;
      const batch = await subscription.next({ waitMs, limit });
      await this.#turnToWrite();
      return batch;
    } catch (error) {
      throw errorToTell(this.#hub, error);
    }
  }

  async #deliver(subscription: Subscription, callback: BatchCallback): Promise<void> {
    try {
      while (this.#open.has(subscription)) {
        const batch = await this.#next(subscription);
        // Waiting for the answer is the backpressure, and an answer not waited for would leak.
        const answer: unknown = await callback(batch);
        if (isDisposable(answer)) answer[Symbol.dispose]();
      }
    } catch (error) {
      if (this.#open.has(subscription)) throw error;
      // Closed on purpose, by the client or with its session.
    } finally {
      callback[Symbol.dispose]();
      this.#close(subscription);
    }
  }

  #close(subscription: Subscription): void {
    if (this.#open.delete(subscription)) subscription.close();
  }
}

/** What `listen` gives the client. Disposing it unsubscribes. */
class Listening extends RpcTarget implements ListenHandle {
  readonly #delivery: Promise<void>;
  readonly #stop: () => void;

  constructor(delivery: Promise<void>, stop: () => void) {
    super();
    this.#delivery = delivery;
    this.#stop = stop;
    // How it ended is told to whoever asks `closed()`; nobody has to.
    delivery.catch(() => {});
  }

  closed(): Promise<void> {
    return this.#delivery;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}

function isDisposable(value: unknown): value is Disposable {
  // A stub is a Proxy of a function.
  const held = typeof value === "function" || (typeof value === "object" && value !== null);
  return held && Symbol.dispose in value;
}
