/**
 * Wakes sleeping readers of one topic. It carries no data: a reader that hears it looks at the log,
 * so ten events appended in one turn of the event loop are one ring, one read and one write.
 */
export class Doorbell {
  readonly #bells = new Set<() => void>();
  #scheduled = false;

  /** How many readers sleep here. */
  get size(): number {
    return this.#bells.size;
  }

  /** @returns takes the bell down; may be called twice */
  hang(ring: () => void): () => void {
    this.#bells.add(ring);
    return () => {
      this.#bells.delete(ring);
    };
  }

  /** Rings every bell at the end of this turn. Costs nothing when nobody sleeps. */
  ring(): void {
    if (this.#scheduled || this.#bells.size === 0) return;
    this.#scheduled = true;
    setImmediate(this.#ringAll);
  }

  readonly #ringAll = (): void => {
    // From here on a new event is a new ring: bells already rung must hear of it.
    this.#scheduled = false;
    for (const ring of this.#bells) ring();
  };
}
