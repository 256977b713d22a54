/** What `listen` and `tail` have in common: a subscription that is delivered over a lane. */
import type { Batch } from "../../contract.ts";
import type { PushError } from "../../errors.ts";
import type { Subscription } from "../../subscription.ts";
import { deliver, type Delivery, type DeliveryOptions, type Sink } from "../../wire/delivery.ts";
import { CallWindow, type WindowOptions } from "./call-window.ts";
import type { Call, Lane, Lanes, Returned } from "./lanes.ts";

export interface LaneOptions extends DeliveryOptions, WindowOptions {
  /** What a client is told of an error. */
  tell: (error: unknown) => PushError;
}

export abstract class BatchLane implements Lane, Sink {
  protected readonly lanes: Lanes;
  protected readonly window: CallWindow;
  readonly #subscription: Subscription;
  readonly #options: LaneOptions;
  #delivery: Delivery | undefined;
  #stopped = false;

  /** @param options `calls`: how many may be without an answer at first */
  constructor(lanes: Lanes, subscription: Subscription, options: LaneOptions & { calls: number }) {
    this.lanes = lanes;
    this.window = new CallWindow(lanes, this, options);
    this.#subscription = subscription;
    this.#options = options;
  }

  abstract write(batch: Batch): void;
  abstract end(reason: PushError): void;
  abstract onReturn(call: Call, returned: Returned): void;
  abstract onFailure(call: Call, error: unknown): void;

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Begins to deliver; until then, only the place is kept. */
  start(): void {
    if (this.#stopped) return;
    try {
      this.#delivery = deliver(this.#subscription, this, this.#options);
    } catch (error) {
      // The log or the server has gone since it was subscribed to.
      this.end(this.#options.tell(this.#subscription.closed ?? error));
    }
  }

  wake(): void {
    this.#delivery?.wake();
  }

  hasRoom(): boolean {
    return this.window.hasRoom();
  }

  /** An empty batch, so that both ends notice a dead peer. */
  heartbeat(empty: Batch): void {
    this.write(empty);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#delivery?.stop();
    this.#subscription.close();
    this.window.stop();
    this.lanes.delete(this);
  }
}
