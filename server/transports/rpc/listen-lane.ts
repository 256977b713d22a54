/**
 * One `listen`: a call of the client's callback for each batch, the next one when it has returned.
 * So behind a callback that never returns nothing piles up but a cursor.
 */
import type { Batch } from "../../contract.ts";
import type { PushError } from "../../errors.ts";
import type { Subscription } from "../../subscription.ts";
import { BatchLane, type LaneOptions } from "./batch-lane.ts";
import { batchFrame, callbackPlace, followedBy, releaseText, shortFrames } from "./lane-frames.ts";
import type { Call, Lanes } from "./lanes.ts";

export interface Callback {
  /** What the client calls it. */
  readonly id: number;
  /** Tells the client that it is not called any more. */
  release(): void;
}

export class ListenLane extends BatchLane {
  readonly #place: string;
  readonly #callback: Callback;
  #call: Call | undefined;
  /** The id of the last call that has returned, released with the next one in the same write. */
  #returned = 0;
  /** There was something to deliver while the callback ran. */
  #asked = false;
  #closed: Promise<void> | undefined;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    lanes: Lanes,
    subscription: Subscription,
    options: LaneOptions & { callback: Callback },
  ) {
    super(lanes, subscription, options);
    this.#callback = options.callback;
    this.#place = callbackPlace(options.callback.id);
  }

  hasRoom(): boolean {
    if (this.#call === undefined) return this.lanes.hasRoom(this);
    this.#asked = true;
    return false;
  }

  write(batch: Batch): void {
    const frame = batchFrame(this.#place, batch);
    const { id } = (this.#call = this.lanes.expect(this, this.lanes.take()));
    const pull = `["pull",${id}]`;
    const short =
      this.#returned === 0 ? shortFrames(pull) : shortFrames(pull, releaseText(this.#returned));
    this.#returned = 0;
    this.lanes.write(...followedBy(frame, short));
  }

  end(reason: PushError): void {
    this.#fail(reason);
  }

  onReturn({ id }: Call): void {
    this.#call = undefined;
    this.#returned = id;
    if (!this.#asked) return;
    this.#asked = false;
    this.wake();
  }

  onFailure({ id }: Call, error: unknown): void {
    this.#call = undefined;
    this.#returned = id;
    this.#fail(error);
  }

  override stop(): void {
    if (this.stopped) return;
    super.stop();
    if (this.#call) this.lanes.forget(this.#call);
    const last = this.#call?.id ?? this.#returned;
    if (last !== 0) this.lanes.write(Buffer.from(shortFrames(releaseText(last)), "latin1"));
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
