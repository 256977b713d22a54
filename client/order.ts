/**
 * Judges whether events come in order and complete: the next one is the last plus one, or a gap came
 * first that says how many are missing. The promise of every transport, checked by whoever reads.
 */

/**
 * `repeat`: it was there already. `skip`: some before it are missing and no gap said so.
 * `other-epoch`: the log began anew and no gap said so.
 */
export type Verdict = "next" | "repeat" | "skip" | "other-epoch";

export class Order {
  #epoch: string | undefined;
  #offset = 0;

  /** The offset of the newest event so far, or that of the place where reading began. */
  get offset(): number {
    return this.#offset;
  }

  /** Undefined until the first place, event or gap. */
  get epoch(): string | undefined {
    return this.#epoch;
  }

  /** Takes an event. After a `repeat` it stays where it was, after the others it goes on from here. */
  event(epoch: string, offset: number): Verdict {
    if (this.#epoch === epoch && offset === this.#offset + 1) {
      this.#offset = offset;
      return "next";
    }
    return this.#jump(epoch, offset, this.#offset + 1);
  }

  /**
   * Takes a gap, which ends at this place.
   * @param missed how many events; null when nobody knows, and then any place is right
   */
  gap(epoch: string, offset: number, missed: number | null): Verdict {
    if (missed === null) this.#epoch = undefined;
    return this.#jump(epoch, offset, this.#offset + (missed ?? 0));
  }

  /** Takes the place that a batch ends at, or that reading begins at. */
  place(epoch: string, offset: number): Verdict {
    return this.#jump(epoch, offset, this.#offset);
  }

  #jump(epoch: string, offset: number, expected: number): Verdict {
    const verdict = this.#judge(epoch, offset, expected);
    if (verdict !== "repeat") {
      this.#epoch = epoch;
      this.#offset = offset;
    }
    return verdict;
  }

  #judge(epoch: string, offset: number, expected: number): Verdict {
    if (this.#epoch === undefined) return "next";
    if (this.#epoch !== epoch) return "other-epoch";
    if (offset === expected) return "next";
    return offset < expected ? "repeat" : "skip";
  }
}
