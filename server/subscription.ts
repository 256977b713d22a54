/**
 * One reader's window on one topic. It pulls and never queues: between two reads it holds a cursor
 * and nothing else, so a slow reader costs no memory. What falls out of its window is counted, and
 * told as a gap before the first event that follows.
 *
 *      log                … 91 92 93 94 95 96 97 98 99 100
 *      capacity 4                           [ 97 98 99 100 ]
 *      cursor at 93            ↑   →  gap {missed: 3, reason: "overflow"}, then 97 98 99 100
 */
import type { Batch, Gap } from "./contract.ts";
import { PushError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { andThen, type MaybePromise, whenRejected } from "./maybe-promise.ts";
import { type Cursor, formatCursor } from "./store/cursor.ts";
import type { ReadResult, Store } from "./store/store.ts";
import { type Turn, Turns } from "./turns.ts";

export interface SubscriptionOptions {
  /** Where to begin: the reader has everything up to here. */
  after: Cursor;
  /** How many events may wait for this reader before it loses the oldest. Default: no limit. */
  capacity?: number;
  /** The largest batch, in bytes of JSON. */
  batchBytes?: number;
  /** Shared by the subscriptions of a hub. */
  turns?: Turns;
  /** Called once, when it is closed. */
  onClose?: (subscription: Subscription) => unknown;
}

export interface SubscriptionReadOptions {
  /** Acknowledges everything up to here and reads on from here. Default: where it is. */
  after?: Cursor | undefined;
  /** At most this many events. */
  limit?: number | undefined;
  /**
   * At most up to a place where the batches of others end as well: whoever has much to take shares
   * all that follows with those who came from elsewhere, and no batch of it is large.
   */
  aligned?: boolean | undefined;
  /** Once aborted, a wait ends and nothing is taken any more: the batch is empty, the cursor stays. */
  signal?: AbortSignal | undefined;
}

export interface NextOptions extends SubscriptionReadOptions {
  /** How long to wait for an event, in milliseconds; then the batch is empty. Default: for ever. */
  waitMs?: number | undefined;
}

export class Subscription {
  readonly topic: string;
  readonly capacity: number;
  /** Whoever is woken here takes a turn among these, to read and write. */
  readonly turns: Turns;
  readonly #store: Store;
  readonly #batchBytes: number;
  readonly #onClose: SubscriptionOptions["onClose"];
  /** Those who wait for an event, nearly always one. */
  #bells: readonly (() => void)[] = [];
  #cursor: Cursor;
  #behind = 0;
  #missed = 0;
  #closed: PushError | undefined;
  /** The read that is under way, when the store answers by promise. */
  #reading: Promise<Batch> | undefined;

  constructor(
    store: Store,
    topic: string,
    {
      after,
      capacity = Number.POSITIVE_INFINITY,
      batchBytes = DEFAULT_LIMITS.batchBytes,
      turns = new Turns(),
      onClose,
    }: SubscriptionOptions,
  ) {
    this.topic = topic;
    this.capacity = capacity;
    this.#store = store;
    this.#batchBytes = batchBytes;
    this.turns = turns;
    this.#onClose = onClose;
    this.#cursor = after;
  }

  /** Everything up to here was given to this reader, or told as a gap. */
  get cursor(): string {
    return formatCursor(this.#cursor);
  }

  /** How many events it has lost since it was opened, as far as they could be counted. */
  get missed(): number {
    return this.#missed;
  }

  /** Why it was closed, once it is. */
  get closed(): PushError | undefined {
    return this.#closed;
  }

  /** How many events waited behind the last batch, at the moment that was read. */
  get behind(): number {
    return this.#behind;
  }

  /**
   * What follows the cursor, at once; the cursor moves on. Overlapping reads take turns, so that no
   * event is given twice.
   * @throws {PushError} what `Store.read` throws, or why the subscription was closed
   */
  read(options: SubscriptionReadOptions = {}): MaybePromise<Batch> {
    if (this.#reading) {
      const again = () => this.read(options);
      return this.#reading.then(again, again);
    }
    this.#checkOpen();
    const { after = this.#cursor, aligned = false, signal } = options;
    const { limit: most = DEFAULT_LIMITS.batchEvents } = options;
    const limit = aligned ? Math.min(most, toAlignedEnd(after)) : most;
    const take = (result: ReadResult) =>
      // Nobody is there any more to take it: whoever reads next gets it.
      signal?.aborted ? { events: [], cursor: this.cursor } : this.#take(result, after, limit);
    const result = this.#readFrom(after, limit);
    const batch = result instanceof Promise ? result.then(take) : take(result);
    if (!(batch instanceof Promise)) return batch;
    this.#reading = batch.finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** The next batch that has an event or a gap; an empty one when the waiting ended before. */
  async next({ after, limit, waitMs, signal }: NextOptions = {}): Promise<Batch> {
    const batch = await this.read({ after, limit, signal });
    if (!isEmpty(batch) || waitMs === 0 || signal?.aborted) return batch;
    return this.#wait(batch, limit, waitMs, signal);
  }

  /**
   * Hangs up a bell for a reader that has taken everything: `ring` is called soon after there may be
   * something to read, and once this is closed. It may ring for nothing. It MUST NOT throw, and does
   * no more than to ask for a turn.
   * @returns takes the bell down; may be called twice
   */
  watch(ring: () => void): () => void {
    const takeDown = this.#store.watch(this.topic, ring);
    this.#bells = [...this.#bells, ring];
    return () => {
      takeDown();
      this.#bells = this.#bells.filter((other) => other !== ring);
    };
  }

  /** Ends it. Whoever waits in `next()` gets `reason`, and so does every later read. */
  close(reason = ENDED): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const ring of this.#bells) ring();
    this.#onClose?.(this);
  }

  async #wait(
    empty: Batch,
    limit: number | undefined,
    waitMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Batch> {
    this.#checkOpen(); // it may have been closed while the first read was under way
    let wake = () => {};
    let rung: boolean;
    let ended = false;
    const turn: Turn = {
      take: () => {
        rung = true;
        wake();
      },
    };
    const takeDown = this.watch(() => this.turns.add(turn));
    const end = () => {
      ended = true;
      wake();
    };
    const timer = waitMs === undefined ? undefined : setTimeout(end, waitMs);
    signal?.addEventListener("abort", end, { once: true });
    try {
      for (;;) {
        rung = false;
        // Read after the bell was hung up, so that nothing slips in between.
        const batch = await this.read({ limit, signal });
        if (!isEmpty(batch)) return batch;
        if (!rung && !ended) await new Promise<void>((resolve) => (wake = resolve));
        this.#checkOpen();
        // Without another read: a later poll may already have taken what came since.
        if (ended) return empty;
      }
    } finally {
      takeDown();
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#closed;
  }

  #readFrom(after: Cursor, limit: number): MaybePromise<ReadResult> {
    const result = this.#store.read(this.topic, after, { limit, maxBytes: this.#batchBytes });
    return whenRejected(result, (error) => {
      this.#checkOpen(); // a store that is closed while it is asked fails in its own words
      throw error;
    });
  }

  /** Moves the cursor over what the store gave; what the window is too small for is skipped. */
  #take(result: ReadResult, after: Cursor, limit: number): MaybePromise<Batch> {
    const { batch, end, last } = result;
    const windowStart = last - this.capacity;
    if (windowStart <= end.offset - batch.events.length) return this.#move(result);

    // Too slow. Read again from where the window begins now.
    const start = { epoch: end.epoch, offset: windowStart };
    return andThen(this.#readFrom(start, limit), (second) => {
      const gap = overflowGap(windowStart - after.offset, batch.gap, second.batch.gap);
      return this.#move({ ...second, batch: { ...second.batch, gap } });
    });
  }

  #move({ batch, end, last }: ReadResult): Batch {
    this.#cursor = end;
    this.#behind = last - end.offset;
    this.#missed += batch.gap?.missed ?? 0;
    return batch;
  }
}

// Thousands of clients may leave at once, and to make an error takes longer than all the rest.
const ENDED = new PushError("subscription_not_found", "subscription not found");

// Events. Half as many make no smaller delay for others, and one write more for each reader.
const ALIGNED_TO = 256;

/** Never to the next such place: up to 256 events stay one batch. */
function toAlignedEnd({ offset }: Cursor): number {
  return 2 * ALIGNED_TO - (offset % ALIGNED_TO);
}

export function isEmpty({ events, gap }: Batch): boolean {
  return events.length === 0 && gap === undefined;
}

/** Skipping to the window's start lost `skipped` events, the store may have lost more. */
function overflowGap(skipped: number, first?: Gap, second?: Gap): Gap {
  if (first?.reason === "epoch") return first;
  if (second?.reason === "epoch") return second;
  const evicted = second?.missed ?? 0;
  return { missed: skipped + evicted, reason: evicted > 0 ? "evicted" : "overflow" };
}
