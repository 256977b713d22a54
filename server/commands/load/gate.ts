/** Lets so many in at a time: more handshakes at once than a server's backlog holds would be lost. */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  #room: number;
  #next = 0;

  constructor(room: number) {
    this.#room = room;
  }

  /** Calls back when there is room, perhaps at once. Whoever was let in has to `leave()`. */
  enter(callback: () => void): void {
    if (this.#room === 0) {
      this.#waiting.push(callback);
      return;
    }
    this.#room -= 1;
    callback();
  }

  leave(): void {
    const next = this.#waiting[this.#next];
    if (!next) {
      this.#room += 1;
      return;
    }
    this.#next += 1;
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#next = 0;
    }
    // Not within the call of whoever leaves: a row of failures would be a deep stack.
    setImmediate(next);
  }
}
