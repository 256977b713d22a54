/**
 * One reader of one topic, for as long as its user wants: the place to keep, the state to show, and
 * the events, as batches, one by one or by callback. Nothing is read before it is asked for.
 */
import type { Gap } from "../server/contract.ts";
import { cursorAt } from "./cursor.ts";
import { type ConnectionStatus, CurrentStatus } from "./status.ts";
import type { Place, TopicBatch, TopicEvent } from "./transport.ts";

/** An event as `events()` gives it. */
export interface SubscribedEvent<T = unknown> extends TopicEvent<T> {
  /** The reader's place after this event. */
  readonly cursor: string;
  /** What was lost before it. */
  readonly gap?: Gap;
}

export interface Callbacks<T = unknown> {
  /** Called with one batch after the other; a promise is waited for. */
  readonly onBatch?: (batch: TopicBatch<T>) => unknown;
  /** The same for single events. */
  readonly onEvent?: (event: SubscribedEvent<T>) => unknown;
  /** What was lost, before what follows it. */
  readonly onGap?: (gap: Gap) => unknown;
  /** Once: closed by its user (undefined), or why it cannot go on. */
  readonly onEnd?: (reason: unknown) => unknown;
}

/** Reads from a place on until the signal is aborted, and tells each change of state. */
export type Read = (
  from: Place,
  signal: AbortSignal,
  onStatus: (status: ConnectionStatus) => void,
) => AsyncGenerator<TopicBatch, void>;

export interface SubscriptionOptions extends Place {
  /** Closes the subscription. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when it is closed: with the subscription. */
  readonly onClose?: (closed: { close(): void }) => void;
}

export class Subscription<T = unknown> implements AsyncIterable<TopicBatch<T>> {
  readonly topic: string;
  readonly #from: Place;
  readonly #read: Read;
  readonly #onClose: SubscriptionOptions["onClose"];
  readonly #stop = new AbortController();
  #cursor: string | undefined;
  readonly #status = new CurrentStatus(NOBODY_READS);
  #isRead = false;

  /** Use `client.subscribe`. */
  constructor(topic: string, read: Read, { signal, onClose, ...from }: SubscriptionOptions) {
    this.topic = topic;
    this.#read = read;
    this.#onClose = onClose;
    this.#from = from;
    if (signal?.aborted) this.close();
    if (!signal || this.#isClosed) return;
    // Followed by a signal of its own: one of a page may end a hundred subscriptions, and Node warns
    // of more than ten listeners.
    const own = AbortSignal.any([signal]);
    own.addEventListener("abort", () => this.close(), { signal: this.#stop.signal });
  }

  /**
   * Everything up to here was handed out. Put into `after` it goes on there, on another day and over
   * another transport. Undefined until the server has answered.
   */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  get status(): ConnectionStatus {
    return this.#status.value;
  }

  /** Calls `listener` at each change of status. Returns the function that ends this. */
  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    return this.#status.listen(listener);
  }

  /**
   * Every batch that has an event or a gap, until it is closed. Leaving the loop closes the connection
   * but not the subscription: another loop goes on after what was handed out.
   * @throws {TransportError} when the server says that trying again cannot help
   * @throws {TypeError} when another loop reads already
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<TopicBatch<T>, void> {
    for await (const batch of this.#batches()) {
      this.#cursor = batch.cursor;
      if (batch.events.length > 0 || batch.gap) yield batch;
    }
  }

  /** The same one by one. What was lost comes with the event after it. */
  async *events(): AsyncGenerator<SubscribedEvent<T>, void> {
    let lost: Gap | undefined;
    for await (const batch of this.#batches()) {
      lost = joined(lost, batch.gap);
      for (const event of batch.events) {
        if (this.#isClosed) return;
        const gap = lost;
        lost = undefined;
        const cursor = cursorAt(batch.cursor, event.offset);
        this.#cursor = cursor;
        yield gap ? { ...event, cursor, gap } : { ...event, cursor };
      }
      if (!lost) this.#cursor = batch.cursor; // or a loop that is left here would never tell it
    }
  }

  /**
   * Reads and calls back, from now on. What a callback throws ends it, with `onEnd`.
   * @throws {TypeError} when a loop reads already
   */
  listen(callbacks: Callbacks<T>): this {
    if (this.#isRead) throw new TypeError(ONE_AT_A_TIME);
    void this.#listen(callbacks); // tells its end
    return this;
  }

  /** Ends it: loops end, and nothing arrives any more. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#stop.abort(new Error("The subscription is closed"));
    this.#status.set({ state: "disconnected", message: "The subscription is closed" });
    this.#onClose?.(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #isClosed(): boolean {
    return this.#stop.signal.aborted;
  }

  async *#batches(): AsyncGenerator<TopicBatch<T>, void> {
    if (this.#isRead) throw new TypeError(ONE_AT_A_TIME);
    if (this.#isClosed) return;
    this.#isRead = true;
    const left = new AbortController();
    const signal = AbortSignal.any([left.signal, this.#stop.signal]);
    const onStatus = (status: ConnectionStatus) => {
      if (!this.#isClosed) this.#status.set(status);
    };
    const from = this.#cursor === undefined ? this.#from : { after: this.#cursor };
    try {
      for await (const batch of this.#read(from, signal, onStatus)) {
        if (this.#isClosed) return;
        yield batch as TopicBatch<T>;
      }
    } finally {
      this.#isRead = false;
      left.abort(new Error("The reader has left"));
      if (this.#status.value.state !== "disconnected") this.#status.set(NOBODY_READS);
    }
  }

  async #listen({ onBatch, onEvent, onGap, onEnd }: Callbacks<T>): Promise<void> {
    let reason: unknown;
    try {
      for await (const batch of this.#batches()) {
        if (batch.gap) await onGap?.(batch.gap);
        if (this.#isClosed) break;
        if (onBatch) {
          this.#cursor = batch.cursor;
          if (batch.events.length > 0 || batch.gap) await onBatch(batch);
        }
        for (const event of onEvent ? batch.events : []) {
          if (this.#isClosed) break;
          const cursor = cursorAt(batch.cursor, event.offset);
          if (!onBatch) this.#cursor = cursor;
          await onEvent?.({ ...event, cursor });
        }
        if (!this.#isClosed) this.#cursor = batch.cursor;
      }
    } catch (error) {
      reason = error;
    }
    this.close();
    if (onEnd) onEnd(reason);
    else if (reason !== undefined) throw asError(reason); // nobody else would ever know
  }
}

const NOBODY_READS: ConnectionStatus = { state: "connecting", message: "Nobody reads" };
const ONE_AT_A_TIME = "Expected one loop at a time over a subscription";

/** Two gaps with nothing between them. */
function joined(first: Gap | undefined, second: Gap | undefined): Gap | undefined {
  if (!first || !second) return first ?? second;
  const { missed, reason } = second;
  if (first.missed === null) return first;
  return missed === null ? second : { missed: first.missed + missed, reason };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason), { cause: reason });
}
