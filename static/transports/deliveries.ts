/** What one transport has delivered in the last half minute: when each event left and when it came. */
import type { EventTimes } from "./event-times.ts";

export const WINDOW_MS = 30_000;
const KEPT = 400; // a topic that is faster than the metrics shows its newest
const MEDIAN_OF = 30;

export interface Delivery {
  /** The event's own place in the topic. */
  readonly cursor: string;
  /** By the server's clock. */
  readonly shownAt: number;
  /** What the curve shows; undefined when the event has no such number. */
  readonly value: number | undefined;
  /** When the connection that brought it came about, by the server's clock. */
  readonly connectedAt: number;
}

export class Deliveries {
  readonly #times: EventTimes;
  #all: Delivery[] = [];
  /** Nobody has said yet when these were published. */
  #undated: Delivery[] = [];
  #late = 0;
  /** When reading began, by the server's clock: what is older is history, and its delay is none. */
  #beganAt: number | undefined;

  constructor(times: EventTimes) {
    this.#times = times;
  }

  get all(): readonly Delivery[] {
    return this.#all;
  }

  /** Undefined as long as no transport has said it. */
  publishedAt({ cursor }: Delivery): number | undefined {
    return this.#times.of(cursor);
  }

  /** It is older than the connection that brought it, so its delay says nothing about the way. */
  isLate(delivery: Delivery): boolean {
    return (this.publishedAt(delivery) ?? Number.POSITIVE_INFINITY) < delivery.connectedAt;
  }

  /** How many have been late so far. */
  countLate(): number {
    const dated = this.#undated.filter((delivery) => this.publishedAt(delivery) !== undefined);
    if (dated.length > 0) {
      this.#undated = this.#undated.filter((delivery) => !dated.includes(delivery));
      this.#late += dated.filter((delivery) => this.isLate(delivery)).length;
    }
    return this.#late;
  }

  isHistory(delivery: Delivery): boolean {
    return (this.publishedAt(delivery) ?? 0) < (this.#beganAt ?? 0);
  }

  add(delivery: Delivery): void {
    this.#beganAt ??= delivery.connectedAt;
    this.#all.push(delivery);
    if (this.#all.length > 2 * KEPT) this.#all = this.#all.slice(-KEPT);
    if (this.publishedAt(delivery) === undefined) {
      this.#undated = [...this.#undated.slice(1 - KEPT), delivery];
    } else if (this.isLate(delivery)) {
      this.#late += 1;
    }
  }

  /** Of the newest that came live, in milliseconds; undefined when there is none. */
  medianDelay(): number | undefined {
    const delays: number[] = [];
    for (let index = this.#all.length - 1; index >= 0 && delays.length < MEDIAN_OF; index -= 1) {
      const delivery = this.#all[index]!;
      const publishedAt = this.publishedAt(delivery);
      if (publishedAt === undefined || publishedAt < delivery.connectedAt) continue;
      delays.push(Math.max(0, delivery.shownAt - publishedAt));
    }
    return delays.toSorted((a, b) => a - b)[Math.floor(delays.length / 2)];
  }
}
