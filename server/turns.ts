/**
 * Everybody who has something to do takes a turn: first come, first served, for a few milliseconds
 * in each turn of the event loop. So a fan-out to 10,000 readers, or 5,000 readers that come back at
 * once, keep nobody else waiting for longer than that.
 *
 *      an event → those who have everything, at once … and at the end of the turn, → those who are
 *                 for 7 ms                             what is left of the 7 ms       behind, 1 ms
 */
export interface Turn {
  /** MUST NOT throw. */
  take(): void;
}

// A turn usually ends in a write to a socket, some 5 µs. With what else comes in between no turn of
// the event loop takes 10 ms, and a fan-out to a thousand is done in one.
const SLICE_MS = 7;
const BEHIND_MS = 1; // for who is behind, however many others wait
const TURNS_PER_LOOK = 8; // at the clock, which costs as much as a tenth of a turn

export class Turns {
  /** In a turn, what the clock said when it was last looked at, a few turns ago; in milliseconds. */
  now = performance.now();
  readonly #waiting = new Queue();
  readonly #behind = new Queue();
  /** Of the slice of this turn of the event loop. */
  #leftMs = SLICE_MS;
  #soon = false;
  #wokenAt = 0;
  #scheduled = false;

  /** @param turn is taken later, never from here; may add itself again when it is */
  add(turn: Turn): void {
    this.#waiting.add(turn);
    this.#atEndOfTurn();
    // Not only then: thousands that come or leave at once make a turn of the event loop long.
    if (this.#soon) return;
    this.#soon = true;
    this.#wokenAt = this.#look();
    process.nextTick(this.#runSoon);
  }

  /** The same for whoever is behind and has much to take: these have a part of the time, their own. */
  addBehind(turn: Turn): void {
    this.#behind.add(turn);
    this.#atEndOfTurn();
  }

  /** Resolves when all who wait now, or are woken by what was published just now, had their turn. */
  async passed(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // bells ring at the end of a turn
    await Promise.all([
      new Promise<void>((resolve) => this.add({ take: resolve })),
      new Promise<void>((resolve) => this.addBehind({ take: resolve })),
    ]);
  }

  #atEndOfTurn(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#takeWaiting(this.#look());
    const end = this.now + BEHIND_MS;
    while (this.#behind.size > 0 && this.now < end) {
      this.#behind.take(1);
      this.#look();
    }
    this.#leftMs = SLICE_MS;
    this.#scheduled = false;
    if (this.#waiting.size > 0 || this.#behind.size > 0) this.#atEndOfTurn();
  };

  readonly #runSoon = (): void => {
    this.#soon = false;
    this.#look();
    this.#takeWaiting(this.#wokenAt); // to wake thousands takes a part of the slice
  };

  #takeWaiting(begin: number): void {
    while (this.#waiting.size > 0 && this.now < begin + this.#leftMs) {
      this.#waiting.take(TURNS_PER_LOOK);
      this.#look();
    }
    this.#leftMs -= this.now - begin;
  }

  #look(): number {
    this.now = performance.now();
    return this.now;
  }
}

/** First in, first out, without moving what waits. */
class Queue {
  #turns: Turn[] = [];
  #taken = 0;

  get size(): number {
    return this.#turns.length - this.#taken;
  }

  add(turn: Turn): void {
    this.#turns.push(turn);
  }

  /** @param count at most so many, also of those that are added meanwhile */
  take(count: number): void {
    for (const end = this.#taken + Math.min(count, this.size); this.#taken < end;) {
      const turn = this.#turns[this.#taken]!;
      this.#taken += 1;
      turn.take();
    }
    if (this.size === 0) this.#turns = [];
    else if (this.#taken < MOVED_AT) return;
    else this.#turns = this.#turns.slice(this.#taken);
    this.#taken = 0;
  }
}

const MOVED_AT = 1_024; // taken turns, which may hold whole connections, are let go of
