/**
 * Everybody who has something to do takes a turn: first come, first served, for a few milliseconds
 * in each turn of the event loop. So a fan-out to 10,000 readers, or 5,000 readers that come back at
 * once, keep nobody else waiting for longer than that.
 */
export interface Turn {
  /** MUST NOT throw. */
  take(): void;
}

// A turn usually ends in a write to a socket, some 5 µs. With what else comes in between no turn of
// the event loop takes 10 ms, and a fan-out to a thousand is done in one.
const SLICE_MS = 7;
const TURNS_PER_LOOK = 8; // at the clock, which costs as much as a tenth of a turn

export class Turns {
  #queue: Turn[] = [];
  #taken = 0;
  #running = false;

  /** @param turn is taken later, never from here; may add itself again when it is */
  add(turn: Turn): void {
    this.#queue.push(turn);
    if (this.#running) return;
    this.#running = true;
    setImmediate(this.#run);
  }

  /** Resolves when all who wait now, or are woken by what was published just now, had their turn. */
  async passed(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // bells ring at the end of a turn
    await new Promise<void>((resolve) => this.add({ take: resolve }));
  }

  readonly #run = (): void => {
    const end = performance.now() + SLICE_MS;
    while (this.#taken < this.#queue.length) {
      this.#queue[this.#taken]!.take();
      this.#taken += 1;
      if (this.#taken % TURNS_PER_LOOK > 0 || performance.now() < end) continue;
      this.#queue = this.#queue.slice(this.#taken);
      this.#taken = 0;
      setImmediate(this.#run);
      return;
    }
    this.#queue = [];
    this.#taken = 0;
    this.#running = false;
  };
}
