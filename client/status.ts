/** How a connection is, for whoever shows it. */
export interface ConnectionStatus {
  /**
   * `reconnecting` lasts from the first failure until a server answers; `disconnected` until somebody
   * opens it again.
   */
  readonly state: "connecting" | "connected" | "reconnecting" | "disconnected";
  /** For people. When reconnecting, what went wrong. */
  readonly message: string;
  /** When reconnecting: until the next attempt; undefined while one is under way. */
  readonly retryInMs?: number;
  /** When connected: the name of the transport that is read. */
  readonly transport?: string;
}

/** The status of now, and who wants to hear of the next. */
export class CurrentStatus {
  #value: ConnectionStatus;
  readonly #listeners = new Set<(status: ConnectionStatus) => void>();

  constructor(value: ConnectionStatus) {
    this.#value = value;
  }

  get value(): ConnectionStatus {
    return this.#value;
  }

  /** Returns the function that ends this. */
  listen(listener: (status: ConnectionStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What a listener throws harms neither the others nor the connection: it is thrown later. */
  set(value: ConnectionStatus): void {
    this.#value = value;
    for (const listener of this.#listeners) {
      if (this.#value !== value) return; // a listener has changed it, and all have heard of that
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
