/**
 * An EventSource that does not give up. The browser comes back by itself from a lost connection; from
 * an HTTP error it does not, and over a dead network it would wait for ever. Here both are retried.
 */
import { backoffDelay } from "../../client/backoff.ts";
import type { ConnectionStatus } from "../../client/status.ts";

export interface LiveStreamEvents {
  onStatus: (status: ConnectionStatus) => void;
  /** What to do with the data of each event, by its name; `message` for those without one. */
  on: Readonly<Record<string, (data: string) => void>>;
}

const CONNECTION_LIMIT =
  "Waiting. Other tabs may hold the browser’s six connections to this server";

export class LiveStream {
  readonly #url: string;
  readonly #silenceMs: number;
  readonly #events: LiveStreamEvents;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #farewell: string | undefined;

  /** `silenceMs`: without an event for so long it is dead. (A page cannot see heartbeats.) */
  constructor(url: string, silenceMs: number, events: LiveStreamEvents) {
    this.#url = url;
    this.#silenceMs = silenceMs;
    this.#events = events;
  }

  open(): void {
    this.close();
    this.#attempt = 0;
    this.#connect("connecting", "Opening the stream");
  }

  /** Callable twice. */
  close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }

  #connect(state: "connecting" | "reconnecting", message: string): void {
    const source = new EventSource(this.#url);
    this.#source = source;
    this.#events.onStatus({ state, message });
    source.addEventListener("open", () => this.#alive());
    source.addEventListener("error", (event) => this.#failed(source, event));
    for (const [name, take] of Object.entries(this.#events.on)) {
      source.addEventListener(name, ({ data }: MessageEvent<string>) => {
        this.#attempt = 0;
        this.#watch();
        take(data);
      });
    }
    this.#watch(CONNECTION_LIMIT);
  }

  #alive(): void {
    this.#farewell = undefined;
    this.#events.onStatus({ state: "connected", message: `Stream of ${location.host}` });
    this.#watch();
  }

  #failed(source: EventSource, event: Event): void {
    if (source !== this.#source) return;
    // The server's own event of this name: its last word. The failure itself follows.
    if (event instanceof MessageEvent) return this.#told(event.data);
    const message = this.#farewell ?? "The connection was lost";
    if (source.readyState === EventSource.CLOSED) return this.#retry(message);
    this.#events.onStatus({ state: "reconnecting", message });
    this.#watch();
  }

  #told(data: unknown): void {
    try {
      const { message } = JSON.parse(String(data)) as { message?: unknown };
      if (typeof message === "string") this.#farewell = message;
    } catch {
      // It said nothing that can be understood; that it ended is known anyway.
    }
  }

  #retry(message: string): void {
    this.close();
    const retryInMs = backoffDelay(this.#attempt++);
    this.#events.onStatus({ state: "reconnecting", message, retryInMs });
    this.#timer = setTimeout(() => this.#connect("reconnecting", message), retryInMs);
  }

  #watch(message = `Nothing has arrived for ${this.#silenceMs / 1_000} s`): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retry(message), this.#silenceMs);
  }
}
