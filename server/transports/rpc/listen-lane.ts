/**
 * One `listen`: a call of the client's callback for each batch, and each takes the result of the one
 * before as its second argument. So it is the client's own library that runs them one after the
 * other, as Cap'n Web does with a call that is pipelined on another, and nobody waits for answers.
 *
 *      callback(batch 1)    callback(batch 2, result of 1)    callback(batch 3, result of 2)   …
 *
 * That is for callbacks that keep up and return nothing. Any other is called when it has returned,
 * with all that has come meanwhile: what waits at the client would only be late, and nobody expects
 * his own results as an argument.
 */
import type { Batch } from "../../contract.ts";
import type { PushError } from "../../errors.ts";
import type { Subscription } from "../../subscription.ts";
import { BatchLane, type LaneOptions } from "./batch-lane.ts";
import { batchFrame, byteLength, callbackPlace, followingFrames } from "./lane-frames.ts";
import type { Call, Lanes, Returned } from "./lanes.ts";

export interface Callback {
  /** What the client calls it. */
  readonly id: number;
  /** Tells the client that it is not called any more. */
  release(): void;
}

export class ListenLane extends BatchLane {
  readonly #place: string;
  readonly #callback: Callback;
  readonly #promptMs: number;
  #closed: Promise<void> | undefined;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    lanes: Lanes,
    subscription: Subscription,
    { callback, promptMs, ...options }: LaneOptions & { callback: Callback; promptMs: number },
  ) {
    super(lanes, subscription, { ...options, calls: 1 });
    this.#promptMs = promptMs;
    this.#callback = callback;
    this.#place = callbackPlace(callback.id);
  }

  write(batch: Batch): void {
    const { running } = this.window;
    const frames =
      running === undefined
        ? batchFrame(this.#place, batch)
        : followingFrames(this.#place, batch, running);
    this.window.write(frames, byteLength(frames));
  }

  end(reason: PushError): void {
    this.#fail(reason);
  }

  onReturn(call: Call, { isVoid }: Returned): void {
    const isPrompt = this.window.waitedMs < this.#promptMs;
    const calls = this.window.calls * (isPrompt ? 2 : 0.5);
    this.window.calls = isVoid ? Math.min(Math.max(1, calls), MOST_CALLS) : 1;
    this.window.onReturn(call);
  }

  onFailure(call: Call, error: unknown): void {
    this.window.onFailure(call);
    this.#fail(error);
  }

  override stop(): void {
    if (this.stopped) return;
    super.stop();
    this.#callback.release();
    if (this.#failure) this.#settle?.reject(this.#failure.error);
    else this.#settle?.resolve();
  }

  /** Resolves when it was stopped on purpose, rejects with what else has ended it. */
  closed(): Promise<void> {
    if (!this.#closed) {
      this.#closed = new Promise((resolve, reject) => {
        if (!this.stopped) this.#settle = { resolve, reject };
        else if (this.#failure) reject(this.#failure.error);
        else resolve();
      });
      this.#closed.catch(() => {}); // who has asked may be gone
    }
    return this.#closed;
  }

  #fail(error: unknown): void {
    if (this.stopped) return;
    this.#failure = { error };
    this.stop();
  }
}

const MOST_CALLS = 64; // some 500 bytes each, at the client
