/**
 * Ties a store to its readers. This is the object that an application holds: it publishes, opens
 * subscriptions, keeps the limits, counts what is open and closes all of it.
 */
import { checkData, checkEventName, checkOptions, checkTopic, checkWhole } from "./check.ts";
import type { Batch, PollOptions, Subscribed, TopicInfo } from "./contract.ts";
import { PushError } from "./errors.ts";
import { Leases } from "./leases.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { andThen, type MaybePromise, whenRejected } from "./maybe-promise.ts";
import { type Cursor, formatCursor } from "./store/cursor.ts";
import { parsePlace, type PlaceOptions } from "./store/place.ts";
import type { Store } from "./store/store.ts";
import { Subscription, type SubscriptionOptions } from "./subscription.ts";
import { Turns } from "./turns.ts";

export interface HubOptions {
  /** What differs from `DEFAULT_LIMITS`. */
  limits?: Partial<Limits>;
  /** A failure in the background, which no caller sees. Default: a line on stderr. */
  onError?: OnError;
  /** A clock that never goes back, in milliseconds; leases are measured by it. */
  now?: () => number;
}

/** @param stage what was being done, for the log */
export type OnError = (error: unknown, stage: string) => void;

export interface HubStats {
  /** Polling subscriptions. */
  subscriptions: number;
  /** Polls that are being held until there is something. */
  heldPolls: number;
  /** Subscriptions that live on a connection. */
  readers: number;
  /** Events published through this hub. */
  published: number;
}

const RETRY_AFTER_MS = 5_000; // when there are too many readers

export class Hub {
  readonly limits: Limits;
  readonly onError: OnError;
  readonly #store: Store;
  readonly #leases: Leases;
  readonly #readers = new Set<Subscription>();
  readonly #turns = new Turns();
  #published = 0;
  #closed: (() => PushError) | undefined;

  constructor(store: Store, { limits, onError = logError, now }: HubOptions = {}) {
    this.limits = Object.freeze({ ...DEFAULT_LIMITS, ...limits });
    this.onError = onError;
    this.#store = store;
    const { leaseMs, subscriptions: max } = this.limits;
    this.#leases = new Leases({ leaseMs, max, ...(now && { now }) });
  }

  /** Makes an empty topic, so that it can be asked for before its first event. */
  createTopic(topic: string): MaybePromise<void> {
    this.#checkOpen();
    return this.#store.create(checkTopic(topic));
  }

  /**
   * Appends one event. It is stored when this has answered.
   * @param data anything that is JSON; copied, so it may be changed afterwards
   * @returns the event's cursor
   * @throws {PushError} `invalid_request`, `too_large`, `limit_exceeded`
   */
  publish(topic: string, data: unknown, { name }: { name?: string } = {}): MaybePromise<string> {
    this.#checkOpen();
    checkTopic(topic);
    const json = checkData(data, this.limits.eventBytes);
    const event = name === undefined ? { json } : { json, name: checkEventName(name) };
    return andThen(this.#store.append(topic, event), (cursor) => {
      this.#published += 1;
      return formatCursor(cursor);
    });
  }

  topics(): MaybePromise<TopicInfo[]> {
    this.#checkOpen();
    return this.#store.topics();
  }

  /** One batch from any place, without a subscription. `options` are `ReadOptions`; or `last`. */
  async read(topic: unknown, options?: unknown): Promise<Batch> {
    this.#checkOpen();
    const { after, last, limit } = checkOptions(options);
    const checked = this.#checkLimit(limit);
    const name = checkTopic(topic);
    const subscription = new Subscription(this.#store, name, {
      after: await this.#place(name, { after, last, otherwise: "earliest" }),
      batchBytes: this.limits.batchBytes,
    });
    return subscription.read({ limit: checked });
  }

  /**
   * The checks of `subscribe` without opening anything, for a transport that has to answer before
   * it can be read from: a WebSocket's handshake may still fail.
   * @returns the cursor to subscribe with, so that nothing published meanwhile is lost
   */
  async admit(topic: unknown, options?: unknown): Promise<string> {
    this.#checkOpen();
    this.#checkReaders();
    const place = await this.#place(checkTopic(topic), checkOptions(options));
    return formatCursor(place);
  }

  /**
   * A subscription for one connection, which closes it. `options` are `SubscribeOptions`, or how
   * many events back it begins (`last`); without a capacity only the history bounds it.
   */
  async subscribe(topic: unknown, options?: unknown): Promise<Subscription> {
    const { after, last, capacity } = checkOptions(options);
    const window = this.#checkCapacity(capacity);
    const subscription = await this.#open(topic, { after, last }, window, this.#forget);
    this.#checkReaders();
    this.#readers.add(subscription);
    return subscription;
  }

  /**
   * A polling subscription, kept under an id until `unsubscribe` or until its lease runs out.
   * `options` are `SubscribeOptions`. Whoever asks for history gets a window that holds it.
   */
  async lease(topic: unknown, options?: unknown): Promise<Subscribed> {
    const { after = "latest", capacity } = checkOptions(options);
    const { subscriptionCapacity, maxSubscriptionCapacity } = this.limits;
    const subscription = await this.#open(
      topic,
      { after },
      this.#checkCapacity(capacity) ??
        (after === "latest" ? subscriptionCapacity : maxSubscriptionCapacity),
    );
    const subscriptionId = this.#leases.add(subscription);
    const { cursor } = subscription;
    return { subscriptionId, events: [], cursor, leaseMs: this.#leases.leaseMs };
  }

  /** The polling subscription of this id. */
  leased(subscriptionId: unknown): Subscription {
    return this.#leases.get(subscriptionId);
  }

  /**
   * One poll of a polling subscription. `options` are `PollOptions`.
   * @param signal ends the waiting when nobody is there any more to take the answer
   */
  async poll(subscriptionId: unknown, options?: unknown, signal?: AbortSignal): Promise<Batch> {
    return this.pollNow(subscriptionId, options, signal);
  }

  /** The same for the hot path: at once when the store answers at once, and it may throw. */
  pollNow(subscriptionId: unknown, options?: unknown, signal?: AbortSignal): MaybePromise<Batch> {
    this.#checkOpen();
    const { after, limit, waitMs } = checkOptions(options) as Record<keyof PollOptions, unknown>;
    const wait = checkWhole("waitMs", waitMs, { min: 0, max: this.limits.waitMs });
    const poll = { limit: this.#checkLimit(limit), waitMs: wait, signal };
    if (after === undefined) return this.#leases.poll(subscriptionId, poll);
    const { topic } = this.#leases.get(subscriptionId);
    return andThen(this.#place(topic, { after }), (cursor) => {
      this.#checkOpen(); // it may have been closed meanwhile
      return this.#leases.poll(subscriptionId, { ...poll, after: cursor });
    });
  }

  unsubscribe(subscriptionId: unknown): void {
    this.#leases.end(subscriptionId);
  }

  stats(): HubStats {
    return {
      subscriptions: this.#leases.size,
      heldPolls: this.#leases.held,
      readers: this.#readers.size,
      published: this.#published,
    };
  }

  /**
   * Ends every subscription, then the store. May be called twice.
   * @param reason made for each reader, so that each can be told another time to come back
   */
  async close(reason: () => PushError = stopping): Promise<void> {
    if (this.#closed) return;
    this.#closed = reason;
    // Whoever waits at the head of a topic still gets what was published in this very turn.
    await this.#turns.passed();
    this.#leases.close(reason);
    for (const reader of this.#readers) reader.close(reason());
    await this.#turns.passed();
    await this.#store.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#closed();
  }

  async #open(
    topic: unknown,
    from: PlaceOptions,
    capacity: number | undefined,
    onClose?: SubscriptionOptions["onClose"],
  ): Promise<Subscription> {
    this.#checkOpen();
    const name = checkTopic(topic);
    const { batchBytes } = this.limits;
    const place = await this.#place(name, from);
    this.#checkOpen(); // it may have been closed meanwhile
    return new Subscription(this.#store, name, {
      after: place,
      batchBytes,
      turns: this.#turns,
      ...(capacity !== undefined && { capacity }),
      ...(onClose && { onClose }),
    });
  }

  #place(topic: string, options: PlaceOptions): MaybePromise<Cursor> {
    const place = parsePlace(options);
    return whenRejected(andThen(this.#store.ends(topic), place), (error) => {
      this.#checkOpen(); // a store that is closed while it is asked fails in its own words
      throw error;
    });
  }

  readonly #forget = (reader: Subscription) => this.#readers.delete(reader);

  #checkReaders(): void {
    const max = this.limits.readers;
    if (this.#readers.size < max) return;
    throw new PushError("limit_exceeded", `Expected at most ${max} readers`, {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  #checkLimit(limit: unknown): number {
    const max = this.limits.batchEvents;
    return checkWhole("limit", limit, { min: 1, max }) ?? max;
  }

  #checkCapacity(capacity: unknown): number | undefined {
    const max = this.limits.maxSubscriptionCapacity;
    return checkWhole("capacity", capacity, { min: 1, max });
  }
}

function stopping(): PushError {
  return new PushError("shutting_down", "the server is stopping");
}

function logError(error: unknown, stage: string): void {
  console.error(`${stage}:`, error);
}
