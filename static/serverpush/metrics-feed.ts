/**
 * The page's subscription to the system metrics, which outlives any connection. It owns its cursor:
 * first it reads the history up to now, then it polls on from there, each poll held by the server
 * until there is something. So a lost answer, a reconnect or a new subscription loses nothing.
 */
import { type Clock, clockOf } from "../../client/clock.ts";
import { rejected } from "../../client/failures.ts";
import { type Client, TransportError } from "../../client/index.ts";
import { Retry } from "../../client/retry.ts";
import { METRICS_TOPIC, type SystemMetrics } from "../../server/contract.ts";

const WAIT_MS = 25_000; // under the 30 s the server allows

export interface Updates {
  /** In order, each once. */
  readonly samples: readonly SystemMetrics[];
  /** How many were lost before these; null when nobody can know. */
  readonly missed: number | null;
  /** The server's time between two samples. */
  readonly intervalMs: number;
}

export interface FeedEvents {
  onUpdates: (updates: Updates) => void;
  /** The subscription's id, or undefined when there is none. */
  onSubscription: (subscriptionId: string | undefined) => void;
  /** The server refused something although it is there; it is asked again. Undefined: it is well. */
  onTrouble: (message: string | undefined) => void;
}

export class MetricsFeed {
  readonly #api: Client["api"];
  readonly #events: FeedEvents;
  readonly #clock: Clock;
  #running: AbortController | undefined;
  #subscriptionId: string | undefined;
  #intervalMs = 1_000;
  #cursor = "earliest";

  constructor(api: Client["api"], events: FeedEvents, times?: Partial<Clock>) {
    this.#api = api;
    this.#events = events;
    this.#clock = clockOf(times);
  }

  /** Whether the user wants updates, with or without a connection. */
  get wanted(): boolean {
    return this.#running !== undefined;
  }

  get subscribed(): boolean {
    return this.#subscriptionId !== undefined;
  }

  subscribe(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    void this.#run(this.#running.signal); // catches everything
  }

  /** Nothing arrives from now on. Where this does not reach the server, the lease ends its side. */
  unsubscribe(): void {
    const subscriptionId = this.#stop();
    if (subscriptionId) this.#api.unsubscribe(subscriptionId).catch(() => {});
  }

  /** Unsubscribes as the page goes away: the one request that a browser promises to send then. */
  leave(): void {
    const subscriptionId = this.#stop();
    if (!subscriptionId) return;
    // A Cap'n Web HTTP batch, one message a line. `pull` asks for the answer, so the call is run.
    const call = ["push", ["pipeline", 0, ["unsubscribe"], [subscriptionId]]];
    navigator.sendBeacon("/api", `${JSON.stringify(call)}\n${JSON.stringify(["pull", 1])}`);
  }

  #stop(): string | undefined {
    const subscriptionId = this.#subscriptionId;
    this.#running?.abort();
    this.#running = undefined;
    this.#setSubscription(undefined);
    this.#events.onTrouble(undefined);
    return subscriptionId;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const retry = new Retry(this.#clock);
    while (!signal.aborted) {
      try {
        await this.#subscribed(signal);
        await this.#catchUp(signal);
        this.#events.onTrouble(undefined);
        for (;;) {
          await this.#poll(signal);
          retry.reset();
        }
      } catch (error) {
        if (signal.aborted) return;
        const isLost = error instanceof TransportError; // the client's own, run or not
        if (!isLost) this.#refused(error);
        // The connection tells the user, and has a backoff of its own: the next call waits for it.
        if (isLost) retry.reset();
        retry.failed(isLost ? {} : rejected(error));
        await retry.wait(signal).catch(() => {}); // aborted: the loop sees it
      }
    }
  }

  /** Each answer is looked at only if `signal` has not been aborted meanwhile. */
  async #subscribed(signal: AbortSignal): Promise<void> {
    if (this.#subscriptionId) return;
    const { subscriptionId, pollInterval } = await this.#api.subscribeSystemMetrics();
    if (signal.aborted) await this.#api.unsubscribe(subscriptionId);
    signal.throwIfAborted();
    this.#intervalMs = pollInterval;
    this.#setSubscription(subscriptionId);
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    for (;;) {
      const batch = await this.#api.read(METRICS_TOPIC, { after: this.#cursor });
      signal.throwIfAborted();
      const samples = batch.events.map((event) => event.data).filter(isSystemMetrics);
      this.#take(samples, batch.gap ? batch.gap.missed : 0, batch.cursor);
      if (batch.events.length === 0) return;
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const options = { after: this.#cursor, waitMs: WAIT_MS };
    const answer = await this.#api.pollMetricsUpdates(this.#subscriptionId ?? "", options);
    signal.throwIfAborted();
    this.#take(answer.updates, answer.missed, answer.cursor);
  }

  #take(samples: readonly SystemMetrics[], missed: number | null, cursor: string): void {
    this.#cursor = cursor;
    if (samples.length === 0 && missed === 0) return;
    this.#events.onUpdates({ samples, missed, intervalMs: this.#intervalMs });
  }

  #refused(error: unknown): void {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "invalid_cursor") this.#cursor = "earliest";
    // The server was restarted, or this page slept longer than its lease: the next round subscribes.
    if (code === "subscription_not_found") return this.#setSubscription(undefined);
    this.#events.onTrouble(error instanceof Error ? error.message : String(error));
  }

  #setSubscription(subscriptionId: string | undefined): void {
    if (this.#subscriptionId === subscriptionId) return;
    this.#subscriptionId = subscriptionId;
    this.#events.onSubscription(subscriptionId);
  }
}

/** `read` serves any topic, so what it gives is looked at before it is believed. */
function isSystemMetrics(data: unknown): data is SystemMetrics {
  if (typeof data !== "object" || data === null) return false;
  const fields = ["cpuUsage", "memoryUsage", "networkIO", "timestamp"];
  return fields.every((field) => typeof (data as Record<string, unknown>)[field] === "number");
}
