/** A clock and timers that move only when a test says so, and a machine that wakes up when it does. */
import type { Clock, SetTimer } from "../../client/clock.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class ManualTime {
  #now = 0;
  readonly #timers = new Set<Timer>();
  readonly #sleepers = new Set<() => void>();

  readonly now = (): number => this.#now;

  readonly setTimer: SetTimer = (callback, delayMs) => {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  readonly onWake: Clock["onWake"] = (callback) => {
    const sleeper = () => callback();
    this.#sleepers.add(sleeper);
    return () => this.#sleepers.delete(sleeper);
  };

  /** With the smallest jitter, unless the test brings its own. */
  clock(random: () => number = () => 0): Clock {
    const { now, setTimer, onWake } = this;
    return { now, random, setTimer, onWake };
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** How many want to know when the machine wakes up. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Until the next timer falls due; undefined when there is none. */
  get nextInMs(): number | undefined {
    if (this.#timers.size === 0) return undefined;
    return Math.min(...[...this.#timers].map(({ at }) => at)) - this.#now;
  }

  wake(): void {
    for (const sleeper of this.#sleepers) sleeper();
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

/** Lets everything happen that has been promised already. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
