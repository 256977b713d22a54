/**
 * What crosses the wire: events, batches, the calls of the RPC interface, error codes.
 * Imports nothing, so that a browser, a test and every store can share it.
 */

/** One entry of a topic's log. `data` is JSON; whoever reads it must not change it. */
export interface PushEvent<T = unknown> {
  /** Its number in the topic: 1, 2, 3 … without holes, so a reader sees loss by itself. */
  readonly offset: number;
  /** When the store took it, in milliseconds since the Unix epoch. */
  readonly time: number;
  readonly name?: string;
  readonly data: T;
}

/** Events this reader will never get. Told once, before the first event that follows the loss. */
export interface Gap {
  /** How many events were lost; null when the epoch changed and nobody can know. */
  readonly missed: number | null;
  /**
   * `evicted`: the history no longer holds them. `overflow`: this subscription's own capacity was
   * full. `epoch`: the topic's log began anew.
   */
  readonly reason: "evicted" | "overflow" | "epoch";
}

/** What every read returns. An empty batch has a cursor too. */
export interface Batch<T = unknown> {
  readonly events: readonly PushEvent<T>[];
  /** The reader's place after this batch, `<epoch>.<offset>`. Opaque: keep it, send it back. */
  readonly cursor: string;
  readonly gap?: Gap;
}

/** Where to read from: a cursor, the oldest event kept, or only what is published from now on. */
export type After = string; // a cursor | "earliest" | "latest"

export interface TopicInfo {
  readonly topic: string;
  /** The newest place in the topic; `read(topic, {after: cursor})` gives what comes later. */
  readonly cursor: string;
  /** How many events the history holds now. */
  readonly events: number;
}

export interface ReadOptions {
  /** Default `"earliest"`. */
  after?: After;
  /** At most this many events, 1–1000. A batch is also bounded in bytes; the cursor tells. */
  limit?: number;
}

export interface SubscribeOptions {
  /** Default `"latest"`. */
  after?: After;
  /** How many events may wait for this subscription before it loses the oldest, 1–1,000,000. */
  capacity?: number;
}

export interface PollOptions {
  /**
   * Acknowledges everything up to this cursor and reads on from there, so a lost answer loses
   * nothing. Without it the server moves the cursor as it answers.
   */
  after?: After;
  /** At most this many events, 1–1000. */
  limit?: number;
  /** Hold the answer until there is something, at most this long: 0–30,000 ms. Default 0. */
  waitMs?: number;
}

export interface TailOptions {
  /** Default `"latest"`. */
  after?: After;
}

/** A polling subscription. It belongs to no connection: the id is good over any, until its lease ends. */
export interface Subscribed extends Batch {
  readonly subscriptionId: string;
  /** How long it lives without a poll, in milliseconds. */
  readonly leaseMs: number;
}

export interface Unsubscribed {
  readonly subscriptionId: string;
  readonly message: "Successfully unsubscribed";
  readonly status: "inactive";
}

/** One sample of the host. Percentages are 0–100, with at most two decimals. */
export interface SystemMetrics {
  /** Percent of all cores in use since the last sample. */
  readonly cpuUsage: number;
  /** Percent of memory in use. */
  readonly memoryUsage: number;
  /** Megabytes (10^6 bytes) per second, sent and received, since the last sample. */
  readonly networkIO: number;
  /** Whole seconds since the Unix epoch. */
  readonly timestamp: number;
}

export interface MetricsSubscribed {
  readonly subscriptionId: string;
  readonly message: "Subscribed to real-time system metrics";
  readonly status: "active";
  /** Milliseconds between two samples. */
  readonly pollInterval: number;
}

export interface MetricsUpdates {
  readonly subscriptionId: string;
  /** In order, each once. */
  readonly updates: readonly SystemMetrics[];
  /** More updates wait: poll again at once. */
  readonly hasMore: boolean;
  /** When this was answered, in whole seconds since the Unix epoch. */
  readonly timestamp: number;
  readonly cursor: string;
  /** How many updates were lost since the last poll; 0 normally, null when nobody can know. */
  readonly missed: number | null;
}

/** The topic the metrics are published on. */
export const METRICS_TOPIC = "system-metrics";

/** Every call of `POST /api` (HTTP batch); a WebSocket session has these too. */
export interface PushApi {
  subscribeSystemMetrics(): Promise<MetricsSubscribed>;
  pollMetricsUpdates(subscriptionId: string, options?: PollOptions): Promise<MetricsUpdates>;
  unsubscribe(subscriptionId: string): Promise<Unsubscribed>;
  topics(): Promise<TopicInfo[]>;
  read(topic: string, options?: ReadOptions): Promise<Batch>;
  subscribe(topic: string, options?: SubscribeOptions): Promise<Subscribed>;
  poll(subscriptionId: string, options?: PollOptions): Promise<Batch>;
  /** Whoever holds the publisher may publish: the object is the permission. */
  authenticate(token: string): Promise<PublisherApi>;
}

/** What `authenticate` gives. */
export interface PublisherApi {
  /** Cap'n Web's mark of an object that is passed by reference. */
  readonly __RPC_TARGET_BRAND: never;
  /** Stored when it has answered. */
  publish(topic: string, data: unknown, options?: PublishOptions): Promise<Published>;
}

export interface PublishOptions {
  /** The event's name: 1–128 characters on one line, not `gap` or `error`. */
  name?: string;
  /** A repeat with the same key, of the same event, gets the first answer and publishes nothing. */
  idempotencyKey?: string;
}

export interface Published {
  /** The event's own place in its topic. */
  readonly cursor: string;
}

/** What a WebSocket session at `/api` offers: all of the above, and the two that push. */
export interface PushSessionApi extends PushApi {
  /** The topic as a stream of batches. An empty batch is a heartbeat. Cancelling it unsubscribes. */
  tail(topic: string, options?: TailOptions): Promise<ReadableStream<Batch>>;
  /**
   * Calls `onBatch` with one batch at a time, the next when it has returned. An empty batch is a
   * heartbeat. Disposing the handle unsubscribes; so does a callback that throws. A second argument,
   * when there is one, is what the call before it returned, nearly always `undefined`: it makes the
   * client's library wait for that (see listen-lane.ts).
   */
  listen(
    topic: string,
    onBatch: (batch: Batch) => unknown,
    options?: TailOptions,
  ): Promise<ListenHandle>;
}

export interface ListenHandle {
  /** Cap'n Web's mark of an object that is passed by reference. */
  readonly __RPC_TARGET_BRAND: never;
  /** Resolves when the listening has ended; rejects with what ended it if it failed. */
  closed(): Promise<void>;
}

/** How a program ended: one of the two is null, or both when that is not known. */
export interface ProgramExit {
  readonly code: number | null;
  /** The signal that ended it, such as `"SIGKILL"`. */
  readonly signal: string | null;
}

/** What a session with `capnweb-push exec` offers: it is one process, which ends with it. */
export interface ProgramApi {
  /** What it prints, line by line; with `--binary` bytes as they come. It waits until this is read. */
  output(): Promise<ReadableStream<string[] | Uint8Array>>;
  /** Text is one line of its input, bytes are taken as they are. Resolves when they have left. */
  write(line: string | Uint8Array): Promise<void>;
  /** Ends its input. */
  end(): Promise<void>;
  /** Resolves when it has ended. */
  exit(): Promise<ProgramExit>;
}

/** Every error a client can be told, by its own `code`. `errors.ts` says what each one means. */
export type ErrorCode =
  | "invalid_request"
  | "invalid_cursor"
  | "protocol_error"
  | "unsupported_data"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "topic_not_found"
  | "subscription_not_found"
  | "method_not_allowed"
  | "too_large"
  | "upgrade_required"
  | "idempotency_conflict"
  | "limit_exceeded"
  | "too_many_processes"
  | "program_failed"
  | "shutting_down"
  | "internal";
