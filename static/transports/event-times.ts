/**
 * When each event was published, from whichever transport says so: SSE carries no time. A cursor
 * names an event on every transport, so it is the key.
 */
const KEPT = 1_024; // as many as the server keeps

export class EventTimes {
  readonly #times = new Map<string, number>();

  learn(cursor: string, time: number): void {
    this.#times.set(cursor, time);
    if (this.#times.size <= KEPT) return;
    const [oldest] = this.#times.keys();
    if (oldest !== undefined) this.#times.delete(oldest);
  }

  /** Milliseconds since the Unix epoch by the server's clock; undefined as long as nobody knows. */
  of(cursor: string): number | undefined {
    return this.#times.get(cursor);
  }
}
