/**
 * Wakes sleeping readers of one topic. It carries no data: a reader that hears it looks at the log,
 * so ten events appended together are one ring, one read and one write. After a silence it rings at
 * once, because a turn of the event loop may take long; then once in each turn, at its end.
 */
export class Doorbell {
  readonly #bells = new Set<() => void>();
  #scheduled = false;
  /** It has not rung since the end of a turn in which nothing came. */
  #quiet = true;

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

  /** Rings every bell, never from here. Costs nothing when nobody sleeps. */
  ring(): void {
    if (this.#scheduled || this.#bells.size === 0) return;
    this.#scheduled = true;
    if (this.#quiet) process.nextTick(this.#ringAll); // else `#endTurn` does
  }

  readonly #ringAll = (): void => {
    // From here on a new event is a new ring: bells already rung must hear of it.
    this.#scheduled = false;
    this.#quiet = false;
    setImmediate(this.#endTurn);
    for (const ring of this.#bells) ring();
  };

  readonly #endTurn = (): void => {
    if (this.#scheduled) this.#ringAll();
    else this.#quiet = true;
  };
}
