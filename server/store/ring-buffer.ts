/**
 * The newest items of an endless sequence, found by their number. Imports nothing.
 *
 *      slots  [  8 ][  9 ][ 10 ][ 11 ][  4 ][  5 ][  6 ][  7 ]     slot = number % slots.length
 *                              last ┘  └ first
 *
 * Items are numbered 1, 2, 3 … for ever. The slots double until they hold `capacity` items, so a
 * quiet topic stays small and a large capacity costs nothing until it is used.
 */
export class RingBuffer<T> {
  readonly capacity: number;
  #slots: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  #first = 1;
  #last = 0;

  /** @param capacity how many items are kept, 1 or more */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Expected \`capacity\` to be a whole number from 1, got ${capacity}`);
    }
    this.capacity = capacity;
  }

  /** The number of the oldest item kept; `last + 1` when nothing is kept. */
  get first(): number {
    return this.#first;
  }

  /** The number of the newest item ever pushed; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  get size(): number {
    return this.#last - this.#first + 1;
  }

  /** Appends as number `last + 1`; returns the item that had to go, if one had. */
  push(item: T): T | undefined {
    const evicted = this.size === this.capacity ? this.shift() : undefined;
    if (this.size === this.#slots.length) this.#grow();
    this.#last += 1;
    this.#slots[this.#slot(this.#last)] = item;
    return evicted;
  }

  /** Drops and returns the oldest item. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const slot = this.#slot(this.#first);
    const item = this.#slots[slot];
    this.#slots[slot] = undefined;
    this.#first += 1;
    return item;
  }

  /** The item with this number, if it is kept. */
  at(number: number): T | undefined {
    if (number < this.#first || number > this.#last) return undefined;
    return this.#slots[this.#slot(number)];
  }

  // Numbers pass 2^31, where bit operations would wrap.
  #slot(number: number): number {
    return number % this.#slots.length;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Array<T | undefined>(old.length * 2).fill(undefined);
    for (let number = this.#first; number <= this.#last; number += 1) {
      this.#slots[this.#slot(number)] = old[number % old.length];
    }
  }
}
