/** A clock and timers that move only when a test says so. */
import type { SetTimer } from "../../client/session.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class ManualTime {
  #now = 0;
  readonly #timers = new Set<Timer>();

  readonly now = (): number => this.#now;

  readonly setTimer: SetTimer = (callback, delayMs) => {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass; what falls due runs in its order, at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [due] = [...this.#timers].toSorted((a, b) => a.at - b.at);
      if (!due || due.at > end) break;
      this.#timers.delete(due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = end;
  }
}
