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
const BEHIND_MS = 1; // of it, for who is behind, however many others wait
const TURNS_PER_LOOK = 8; // at the clock, which costs as much as a tenth of a turn

export class Turns {
  /** In a turn, what the clock said when it was last looked at, a few turns ago; in milliseconds. */
  now = performance.now();
  readonly #waiting = new Queue();
  readonly #behind = new Queue();
  #running = false;

  /** @param turn is taken later, never from here; may add itself again when it is */
  add(turn: Turn): void {
    this.#waiting.add(turn);
    this.#start();
  }

  /**
   * The same for whoever is behind and has much to take: its turn comes when nobody else waits, or
   * in the part of the time that is kept for these.
   */
  addBehind(turn: Turn): void {
    this.#behind.add(turn);
    this.#start();
  }

  /** Resolves when all who wait now, or are woken by what was published just now, had their turn. */
  async passed(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // bells ring at the end of a turn
    await Promise.all([
      new Promise<void>((resolve) => this.add({ take: resolve })),
      new Promise<void>((resolve) => this.addBehind({ take: resolve })),
    ]);
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const begin = this.#look();
    while (this.#behind.size > 0 && this.#look() < begin + BEHIND_MS) this.#behind.take(1);
    do {
      if (this.#waiting.size > 0) this.#waiting.take(TURNS_PER_LOOK);
      else this.#behind.take(1);
    } while (this.#isWanted && this.#look() < begin + SLICE_MS);
    this.#running = this.#isWanted;
    if (this.#running) setImmediate(this.#run);
  };

  get #isWanted(): boolean {
    return this.#waiting.size > 0 || this.#behind.size > 0;
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
