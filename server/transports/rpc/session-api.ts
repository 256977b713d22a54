/**
 * What a WebSocket session offers on top of a batch: `tail` and `listen`, which push. The library
 * takes part when they begin and end; the batches between go without it (see lanes.ts).
 */
import { RpcStub, RpcTarget } from "capnweb";
import { checkOptions, shown } from "../../check.ts";
import type { Batch, ListenHandle, PushSessionApi } from "../../contract.ts";
import { PushError } from "../../errors.ts";
import type { Hub } from "../../hub.ts";
import type { MaybePromise } from "../../maybe-promise.ts";
import type { Subscription } from "../../subscription.ts";
import { type Answering, type ApiOptions, errorToTell, guard, RpcApi } from "./api.ts";
import type { LaneOptions } from "./batch-lane.ts";
import type { Lanes } from "./lanes.ts";
import { type Callback, ListenLane } from "./listen-lane.ts";
import type { CallBudget } from "./messages.ts";
import { TailLane } from "./tail-lane.ts";
import type { Translator } from "./translator.ts";

/** How a session's deliveries find their way to the client. */
export interface Ways {
  readonly lanes: Lanes;
  readonly translator: Translator;
}

export class RpcSessionApi extends RpcApi implements Answering<PushSessionApi> {
  readonly #hub: Hub;
  readonly #budget: CallBudget;
  readonly #ways: Ways;
  #ended = false;

  constructor(hub: Hub, options: ApiOptions, budget: CallBudget, ways: Ways) {
    super(hub, options, budget);
    this.#hub = hub;
    this.#budget = budget;
    this.#ways = ways;
  }

  tail(topic: unknown, options?: unknown): MaybePromise<ReadableStream<Batch>> {
    return guard(this.#hub, this.#budget, async () => {
      const { lanes, translator } = this.#ways;
      const lane = await this.#open(
        topic,
        options,
        (subscription, how) => new TailLane(lanes, subscription, how),
      );
      const ticket = translator.issue((pipe) => lane.open(pipe));
      // The library makes a pipe of it, asks for the first chunk and sees the end; the lane goes on.
      const stream = new ReadableStream<unknown>(
        {
          pull: (controller) => {
            controller.enqueue(ticket);
            controller.close();
          },
          cancel: () => {
            translator.withdraw(ticket);
            lane.stop();
          },
        },
        { highWaterMark: 0 }, // or `pull` would be called when nobody takes the stream
      );
      return stream as ReadableStream<Batch>;
    });
  }

  listen(topic: unknown, onBatch: unknown, options?: unknown): MaybePromise<ListenHandle> {
    return guard(this.#hub, this.#budget, async () => {
      const callback = this.#callback(onBatch);
      try {
        const { lanes } = this.#ways;
        const { promptMs } = this.#hub.limits;
        const lane = await this.#open(
          topic,
          options,
          (subscription, how) =>
            new ListenLane(lanes, subscription, { ...how, callback, promptMs }),
        );
        lane.start();
        return new Listening(lane);
      } catch (error) {
        callback.release();
        throw error;
      }
    });
  }

  /** The session has ended: a quiet stream would otherwise stay until its next batch. */
  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#ended = true;
    this.#ways.lanes.stopAll();
  }

  /** A subscription with its lane, which is among the session's before anything else is done. */
  async #open<L extends ListenLane | TailLane>(
    topic: unknown,
    options: unknown,
    make: (subscription: Subscription, options: LaneOptions) => L,
  ): Promise<L> {
    const { after } = checkOptions(options);
    const { limits, onError } = this.#hub;
    const subscription = await this.#hub.subscribe(topic, { after });
    const { lanes } = this.#ways;
    if (lanes.size >= limits.sessionReaders) {
      subscription.close();
      const limit = `Expected at most ${limits.sessionReaders} readers in one session`;
      throw new PushError("limit_exceeded", limit);
    }
    const { heartbeatMs, batchEvents: limit, windowBytes, answerMs } = limits;
    const tell = (error: unknown) => errorToTell(this.#hub, error);
    const how = { heartbeatMs, limit, windowBytes, answerMs, onError, tell };
    const lane = make(subscription, how);
    lanes.add(lane);
    if (this.#ended) lane.stop();
    return lane;
  }

  /** The client's callback: what the client calls it, and a reference that keeps it there. */
  #callback(onBatch: unknown): Callback {
    if (!(onBatch instanceof RpcStub)) {
      const got = shown(onBatch);
      throw new PushError("invalid_request", `Expected \`onBatch\` to be a function, got ${got}`);
    }
    const { translator } = this.#ways;
    let id: number | undefined;
    const ticket = translator.issue((place) => (id = place));
    const call = (onBatch as unknown as (ticket: string) => Disposable)(ticket);
    call[Symbol.dispose]();
    translator.withdraw(ticket);
    if (id === undefined) {
      const expected =
        "Expected `onBatch` to be a function of the client's, got one of the server's";
      throw new PushError("invalid_request", expected);
    }
    // Stubs in parameters are disposed when the call returns, so keep a duplicate.
    const kept = (onBatch as RpcStub<() => void>).dup();
    return { id, release: () => kept[Symbol.dispose]() };
  }
}

/** What `listen` gives the client. Disposing it unsubscribes. */
class Listening extends RpcTarget implements ListenHandle {
  readonly #lane: ListenLane;

  constructor(lane: ListenLane) {
    super();
    this.#lane = lane;
  }

  closed(): Promise<void> {
    return this.#lane.closed();
  }

  [Symbol.dispose](): void {
    this.#lane.stop();
  }
}
