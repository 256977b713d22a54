/**
 * Everybody who has something to do takes a turn: first come, first served, for a few milliseconds
 * in each turn of the event loop. So a fan-out to 10,000 readers, or 5,000 readers that come back at
 * once, keep nobody else waiting for longer than that.
 */
export interface Turn {
  /** MUST NOT throw. */
  take(): void;
}

/** A turn usually ends in a write to a socket, some 5 µs; what comes in meanwhile waits this long. */
const SLICE_MS = 4;

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
      if (performance.now() < end) continue;
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

/** One who takes turns: however often it is rung, it has one turn, later. */
export class Bell implements Turn {
  readonly #turns: Turns;
  readonly #answer: () => void;
  #rung = false;

  /** @param answer MUST NOT throw; called in this bell's turn */
  constructor(turns: Turns, answer: () => void) {
    this.#turns = turns;
    this.#answer = answer;
  }

  ring(): void {
    if (this.#rung) return;
    this.#rung = true;
    this.#turns.add(this);
  }

  take(): void {
    this.#rung = false;
    this.#answer();
  }
}
