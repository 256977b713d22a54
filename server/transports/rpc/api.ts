/**
 * What Cap'n Web clients call: one object per HTTP batch or WebSocket session. A batch gets the
 * smaller one, because nothing in a batch may outlive its answer: the library would pull a stream
 * for ever and hang on a callback.
 */
import { RpcTarget } from "capnweb";
import { checkOptions } from "../../check.ts";
import type {
  Batch,
  MetricsSubscribed,
  MetricsUpdates,
  Published,
  PublisherApi,
  PushApi,
  Subscribed,
  SystemMetrics,
  TopicInfo,
  Unsubscribed,
} from "../../contract.ts";
import { METRICS_TOPIC } from "../../contract.ts";
import { PushError } from "../../errors.ts";
import type { Hub } from "../../hub.ts";
import { andThen, type MaybePromise } from "../../maybe-promise.ts";
import type { Publishing } from "../../publishing.ts";
import type { CallBudget } from "./messages.ts";

export interface ApiOptions {
  publishing: Publishing;
  /** Milliseconds between two samples of the system metrics. */
  metricsIntervalMs: number;
}

/** The calls of an interface as a server implements them: at once or by promise. */
export type Answering<Api> = {
  [Call in keyof Api]: Api[Call] extends (...args: never[]) => Promise<infer Answer>
    ? (...args: never[]) => MaybePromise<Answer>
    : never;
};

/** Parameters come from the network: each is `unknown` and the hub checks it. */
export class RpcApi extends RpcTarget implements Answering<PushApi> {
  // `#private`, because over RPC TypeScript's `private` is callable.
  readonly #hub: Hub;
  readonly #budget: CallBudget;
  readonly #onHold: () => void;
  readonly #options: ApiOptions;
  /** Made for the first poll that is held: most batches hold none. */
  #ending: AbortController | undefined;
  #ended = false;
  #waits = 0;

  /** @param onHold called when a poll is about to be held: from then on the call lasts */
  constructor(hub: Hub, options: ApiOptions, budget: CallBudget, onHold: () => void = () => {}) {
    super();
    this.#onHold = onHold;
    this.#hub = hub;
    this.#budget = budget;
    this.#options = options;
  }

  subscribeSystemMetrics(): MaybePromise<MetricsSubscribed> {
    return guard(this.#hub, this.#budget, async () => {
      const { subscriptionId } = await this.#hub.lease(METRICS_TOPIC);
      return {
        subscriptionId,
        message: "Subscribed to real-time system metrics",
        status: "active",
        pollInterval: this.#options.metricsIntervalMs,
      };
    });
  }

  pollMetricsUpdates(subscriptionId: unknown, options?: unknown): MaybePromise<MetricsUpdates> {
    return guard(this.#hub, this.#budget, () => {
      const subscription = this.#hub.leased(subscriptionId);
      if (subscription.topic !== METRICS_TOPIC) {
        throw new PushError("subscription_not_found", "subscription not found");
      }
      return andThen(this.#poll(subscriptionId, options), ({ events, cursor, gap }) => ({
        subscriptionId: subscriptionId as string,
        updates: events.map(({ data }) => data as SystemMetrics),
        hasMore: subscription.behind > 0,
        timestamp: Math.floor(Date.now() / 1000),
        cursor,
        missed: gap ? gap.missed : 0,
      }));
    });
  }

  unsubscribe(subscriptionId: unknown): MaybePromise<Unsubscribed> {
    return guard(this.#hub, this.#budget, () => {
      this.#hub.unsubscribe(subscriptionId);
      return {
        subscriptionId: subscriptionId as string,
        message: "Successfully unsubscribed",
        status: "inactive",
      };
    });
  }

  topics(): MaybePromise<TopicInfo[]> {
    return guard(this.#hub, this.#budget, () => this.#hub.topics());
  }

  read(topic: unknown, options?: unknown): MaybePromise<Batch> {
    return guard(this.#hub, this.#budget, () => this.#hub.read(topic, options));
  }

  subscribe(topic: unknown, options?: unknown): MaybePromise<Subscribed> {
    return guard(this.#hub, this.#budget, () => this.#hub.lease(topic, options));
  }

  poll(subscriptionId: unknown, options?: unknown): MaybePromise<Batch> {
    return guard(this.#hub, this.#budget, () => this.#poll(subscriptionId, options));
  }

  authenticate(token: unknown): MaybePromise<PublisherApi> {
    return guard(this.#hub, this.#budget, () => {
      this.#options.publishing.authorize(token);
      return new RpcPublisher(this.#hub, this.#budget, this.#options.publishing);
    });
  }

  /** The library calls it when the session has ended; the batch when its answer is out. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.#ending?.abort();
  }

  #poll(subscriptionId: unknown, options: unknown): MaybePromise<Batch> {
    const { waitMs } = checkOptions(options);
    if (!waitMs) return this.#hub.pollNow(subscriptionId, options);
    return this.#hold(subscriptionId, options);
  }

  /** A poll that is held stops when the client has gone, and does not move the cursor. */
  async #hold(subscriptionId: unknown, options: unknown): Promise<Batch> {
    const max = this.#hub.limits.sessionWaits;
    if (this.#waits >= max) {
      throw new PushError("limit_exceeded", `Expected at most ${max} polls at once`);
    }
    this.#onHold();
    this.#ending ??= new AbortController();
    if (this.#ended) this.#ending.abort();
    this.#waits += 1;
    try {
      return await this.#hub.poll(subscriptionId, options, this.#ending.signal);
    } finally {
      this.#waits -= 1;
    }
  }
}

/** Holding it is the permission: it is given to nobody without the token. */
class RpcPublisher extends RpcTarget implements PublisherApi {
  readonly #hub: Hub;
  readonly #budget: CallBudget;
  readonly #publishing: Publishing;

  constructor(hub: Hub, budget: CallBudget, publishing: Publishing) {
    super();
    this.#hub = hub;
    this.#budget = budget;
    this.#publishing = publishing;
  }

  async publish(topic: unknown, data: unknown, options?: unknown): Promise<Published> {
    return guard(this.#hub, this.#budget, () => this.#publishing.publish(topic, data, options));
  }
}

/** A client is told what a PushError says, and of any other failure only that it happened. */
export function guard<T>(
  hub: Pick<Hub, "onError">,
  budget: CallBudget,
  call: () => MaybePromise<T>,
): MaybePromise<T> {
  const tell = (error: unknown): never => {
    throw errorToTell(hub, error);
  };
  try {
    const allowance = budget.take();
    const answer = allowance ? andThen(call(), (value) => allowance.spend(value)) : call();
    return answer instanceof Promise ? answer.catch(tell) : answer;
  } catch (error) {
    return tell(error);
  }
}

export function errorToTell(hub: Pick<Hub, "onError">, error: unknown): PushError {
  if (error instanceof PushError) return error;
  hub.onError(error, "rpc call");
  return new PushError("internal", "internal error");
}
