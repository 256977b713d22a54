/**
 * The page's subscription to the system metrics, which outlives any connection. It owns its cursor:
 * first it reads the history up to now, then it polls on from there, each poll held by the server
 * until there is something. So a lost answer, a reconnect or a new subscription loses nothing.
 */
import type { RpcStub } from "capnweb";
import { backoffDelay } from "../../client/backoff.ts";
import type { Connection } from "../../client/connection.ts";
import { METRICS_TOPIC, type PushSessionApi, type SystemMetrics } from "../../server/contract.ts";

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
  readonly #connection: Connection;
  readonly #events: FeedEvents;
  #running: AbortController | undefined;
  #subscriptionId: string | undefined;
  #intervalMs = 1_000;
  #cursor = "earliest";

  constructor(connection: Connection, events: FeedEvents) {
    this.#connection = connection;
    this.#events = events;
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

  /** Nothing arrives from now on. Without a connection the lease ends the server's side. */
  unsubscribe(): void {
    const subscriptionId = this.#stop();
    if (subscriptionId) this.#connection.api?.unsubscribe(subscriptionId).catch(() => {});
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
    let refusals = 0;
    while (!signal.aborted) {
      let api: RpcStub<PushSessionApi> | undefined;
      try {
        api = await this.#connection.ready(signal);
        await this.#subscribed(api, signal);
        await this.#catchUp(api, signal);
        this.#events.onTrouble(undefined);
        for (;;) {
          await this.#poll(api, signal);
          refusals = 0;
        }
      } catch (error) {
        if (signal.aborted) return;
        const lost = api !== undefined && api !== this.#connection.api;
        if (lost) continue; // the connection tells the user, and has a backoff of its own
        this.#refused(error);
        await pause(backoffDelay(refusals++), signal);
      }
    }
  }

  /** Each answer is looked at only if `signal` has not been aborted meanwhile. */
  async #subscribed(api: RpcStub<PushSessionApi>, signal: AbortSignal): Promise<void> {
    if (this.#subscriptionId) return;
    const { subscriptionId, pollInterval } = await api.subscribeSystemMetrics();
    if (signal.aborted) await api.unsubscribe(subscriptionId);
    signal.throwIfAborted();
    this.#intervalMs = pollInterval;
    this.#setSubscription(subscriptionId);
  }

  async #catchUp(api: RpcStub<PushSessionApi>, signal: AbortSignal): Promise<void> {
    for (;;) {
      const batch = await api.read(METRICS_TOPIC, { after: this.#cursor });
      signal.throwIfAborted();
      const samples = batch.events.map((event) => event.data).filter(isSystemMetrics);
      this.#take(samples, batch.gap ? batch.gap.missed : 0, batch.cursor);
      if (batch.events.length === 0) return;
    }
  }

  async #poll(api: RpcStub<PushSessionApi>, signal: AbortSignal): Promise<void> {
    const options = { after: this.#cursor, waitMs: WAIT_MS };
    const answer = await api.pollMetricsUpdates(this.#subscriptionId ?? "", options);
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

/** Waits, but not longer than until `signal` is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
