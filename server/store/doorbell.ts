/**
 * Wakes sleeping readers of one topic. It carries no data: a reader that hears it looks at the log,
 * so ten events appended in one turn of the event loop are one ring, one read and one write.
 */

// Waking a reader usually ends in a write to a socket, about 5 µs of system time. After this many
// everybody else gets a turn, so that a fan-out to 10,000 readers delays nobody for 50 ms.
export const RINGS_PER_TURN = 500;

export class Doorbell {
  readonly #bells = new Set<() => void>();
  #scheduled = false;

  /** How many readers sleep here. */
  get size(): number {
    return this.#bells.size;
  }

  /** @returns takes the bell down; may be called twice */
  hang(ring: () => void): () => void {
    // Its own function each time, so that the same `ring` may be hung up twice.
    const bell = () => ring();
    this.#bells.add(bell);
    return () => {
      this.#bells.delete(bell);
    };
  }

  /** Rings every bell at the end of this turn. Costs nothing when nobody sleeps. */
  ring(): void {
    if (this.#scheduled || this.#bells.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      // From here on a new event is a new ring: bells already rung must hear of it.
      this.#scheduled = false;
      this.#ringSome([...this.#bells], 0);
    });
  }

  #ringSome(bells: readonly (() => void)[], from: number): void {
    const end = Math.min(from + RINGS_PER_TURN, bells.length);
    for (let index = from; index < end; index += 1) {
      const bell = bells[index]!;
      if (this.#bells.has(bell)) bell();
    }
    if (end < bells.length) setImmediate(() => this.#ringSome(bells, end));
  }
}
